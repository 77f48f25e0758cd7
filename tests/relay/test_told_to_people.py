"""What the program says of packages that come, go and stay (relay.md §6, cli.md)."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.relay import outbox
from relay.forging import leave
from relay.people import Person

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    made = Person("ben", tmp_path).set_up()
    alice.pair(made)
    return made


@pytest.fixture
def run(program: str) -> Run:
    """Runs the program as somebody, in their world and without a terminal."""

    def call(who: Person, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [program, *arguments],
            cwd=who.world,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **who.runtime.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return call


def test_a_note_arrives_at_whoever_has_sent_the_package(alice: Person, ben: Person, run: Run) -> None:
    """Shown by the look that finds it and by the status afterwards, and never as anything but text."""
    (sent,) = alice.push("ben")
    name = sent.outgoing.deposit.rpartition("/")[2]
    assert "at most 500 characters" in run(ben, "relay", "decline", name, "--note", "x" * 501, "--yes", code=2).stderr
    declined = run(ben, "relay", "decline", name, "--note", "not now", "--yes", "--json")
    assert json.loads(declined.stdout)["told"] is True
    assert "they say      'not now'" in run(alice, "relay", "probe").stdout
    register = alice.runtime.alive_home / "relay" / "sent.json"
    register.write_text(register.read_text().replace("not now", "not \\u001b[31mnow\\u202e"), encoding="utf-8")
    said = run(alice, "relay", "status").stdout
    assert "declined by ben, " in said
    assert r"they say      'not \x1b[31mnow\u{202e}'" in said


def test_what_waits_goes_out_with_a_look(alice: Person, ben: Person, run: Run) -> None:
    """In one line; and where the peer is away, in one warning, which is not the command's failure."""
    we = alice.we
    outbox.queue(alice.packed(), we.keyring.peer("ben"), we, alice.runtime)
    away = ben.relay_folder.rename(ben.base / "away")
    assert "'nova' for ben stays in the outbox" in run(alice, "relay", "compact", "--strict").stderr
    assert "outbox" not in run(alice, "relay", "compact").stderr  # it was tried a moment ago
    peers = alice.runtime.alive_home / "relay" / "relay.json"
    before = peers.read_bytes()
    assert "outbox" not in run(alice, "relay", "probe", "--strict").stderr
    assert [one["peer"] for one in json.loads(run(alice, "relay", "status", "--json").stdout)["outbox"]] == ["ben"]
    away.rename(ben.relay_folder)
    assert "sent from the outbox: 'nova' to ben\n" in run(alice, "relay", "probe").stderr
    assert peers.read_bytes() == before
    assert [one.status for one in ben.pull()] == ["received"]


def test_what_never_can_be_received_is_not_offered(alice: Person, ben: Person, run: Run) -> None:
    """Without a terminal to ask on, one good package is no question; the others are told with the reason."""
    leave(alice, ben, b"junk" * 100, to="carol")
    for number in range(4):
        name = f"20260407-101500-0000000{number}.walnut"
        (ben.relay_folder / "inbox" / "alice" / name).write_bytes(b"junk")
    alice.push("ben")
    done = run(ben, "relay", "pull", "--no-receive", "--json", code=1)
    assert json.loads(done.stdout)["error"]["code"] == "which"  # all of these can be fetched
    done = run(ben, "relay", "pull", code=1)
    assert "this has to be confirmed" in done.stderr
    assert "4 packages in the folder 'alice' of your relay stay there: it has no delivery note" in done.stderr
    done = run(ben, "relay", "pull", "--yes", "--json")
    packages = {one["status"]: one for one in json.loads(done.stdout)["packages"]}
    assert packages["received"]["error"] is None
    assert packages["held"]["status"] == "held"
    held = run(ben, "relay", "pull", packages["held"]["deposit"], "--yes", code=1)
    assert "stays in the relay" in held.stderr


@pytest.mark.parametrize(
    "arguments", ["share --walnut {nova} --scope full --to carla --yes", "relay push --peer carla p"]
)
def test_whoever_has_not_answered_is_said_to_be_waited_for(arguments: str, alice: Person, run: Run) -> None:
    """And not to be unknown; nothing is made for them."""
    alice.invite("carla")
    nova = alice.walnut()
    done = run(alice, *(word.format(nova=nova) for word in arguments.split()), code=1)
    assert "'carla' was invited, and has not answered yet" in done.stderr
    assert "`alive-p2p relay accept`" in done.stderr
    assert list(alice.world.parent.rglob("*.walnut")) == []


def test_what_is_taken_back_is_known_before_it_is_asked_about(alice: Person, ben: Person, run: Run) -> None:
    """What was never sent is told at once; what was is asked about by the name of its receiver, and stays till then."""
    assert "nothing was sent under the name 'x'" in run(alice, "relay", "recall", "x", code=1).stderr
    (sent,) = alice.push("ben")
    name = sent.outgoing.deposit.rpartition("/")[2]
    asked = run(alice, "relay", "recall", name, code=1)
    assert "what ben has fetched before stays with them" in asked.stderr
    assert "`--yes`" in asked.stderr
    assert [one.deposit.name for one in ben.waiting()] == [sent.outgoing.deposit]
    assert "took back what was sent to ben" in run(alice, "relay", "recall", name, "--yes").stdout
    assert ben.waiting() == []
