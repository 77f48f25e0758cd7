"""What the program says of packages that come, go and stay (relay.md §6, cli.md)."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.locks import walnut_lock
from alive_p2p.relay import outbox, rotating
from alive_p2p.relay.state import change_state
from relay.forging import leave
from relay.people import Person, key_of
from relay.people_in_git import InGit

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


def test_nothing_goes_to_a_peer_that_they_could_not_take_for_ours(alice: Person, ben: Person, run: Run) -> None:
    """Without our signature, or under another name: nothing is packed, and the way to make only the file is named."""
    share = ("share", "--walnut", str(alice.walnut()), "--scope", "full", "--to", "ben", "--yes")
    renamed = Person("alice", alice.base, environ={"GH_USER": "carla"})
    for who, option, code, says in (
        (alice, "--no-sign", "unsigned", "what goes through a relay is always signed, and this would not be"),
        (renamed, "--sign", "other-username", "your peers know you as 'alice', and this would be from 'carla'"),
    ):
        error = json.loads(run(who, *share, option, "--json", code=2).stdout)["error"]
        assert (error["code"], says in error["message"], "`--no-push`" in error["hint"]) == (code, True, True)
        assert list(alice.base.rglob("*.walnut")) == []
    run(alice, *share, "--no-sign", "--no-push", "-o", str(alice.base / "only.walnut"))
    assert (alice.base / "only.walnut").is_file()
    assert ben.waiting() == []


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


def test_a_package_of_nobody_is_declined_with_a_word_about_it(alice: Person, ben: Person, run: Run) -> None:
    """Its delivery note has gone, so that nobody has signed for it: it is removed, and no receipt is left."""
    alice.push("ben")
    (note,) = (ben.relay_folder / "inbox" / "alice").glob("*.note")
    note.unlink()
    (package,) = (ben.relay_folder / "inbox" / "alice").iterdir()
    declined = run(ben, "relay", "decline", package.name, "--yes", "--strict", code=1)
    assert "declined what is from " in declined.stdout
    assert "nobody is told: nobody who is your peer has signed for it" in declined.stderr
    assert not package.exists()
    assert not (ben.relay_folder / "receipts").exists()


def test_what_was_fetched_before_it_was_recalled_is_told(alice: Person, ben: Person, run: Run) -> None:
    """They keep it, and whoever takes it back has to know."""
    (sent,) = alice.push("ben")
    ben.pull(only_fetch=True)
    alice.probe()
    said = run(alice, "relay", "recall", sent.outgoing.deposit, "--yes")
    assert "took back what was sent to ben" in said.stdout
    assert "ben had fetched it before, and keeps what was fetched" in said.stderr
    assert ben.waiting() == []


def test_everything_odd_that_a_pull_meets_is_told(
    alice: Person, ben: Person, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a synchroniser, a signature that counts for nothing, a peer who is away, an outbox that is broken.

    None of it keeps what can be fetched from being fetched.
    """
    monkeypatch.setattr(rotating, "generate_private_key", lambda: key_of("new-1"))
    alice.rotate()
    ben.probe()
    alice.push("ben")
    alice.relay_folder.rename(alice.base / "away")
    (ben.relay_folder / "inbox" / "alice" / "a.sync-conflict-20260407-101500-ABCDEFG.note").write_bytes(b"x")
    outbox.folder_of(ben.runtime).mkdir()
    (outbox.folder_of(ben.runtime) / "x.json").write_bytes(b"{}")
    pulled = run(ben, "relay", "pull", "--all", "--no-receive")
    assert Path(pulled.stdout.removeprefix("fetched ").strip()).is_file()
    for words in (
        "passed over in your relay: 'inbox/alice/a.sync-conflict-20260407-101500-ABCDEFG.note': a synchroniser",
        "look before you receive it: ",
        "whether 'alice' has a new key could not be looked at: ",
        "what is in the outbox could not be sent: ",
    ):
        assert words in pulled.stderr, pulled.stderr
    assert len(ben.waiting()) == 1


def test_a_pull_does_not_wait_for_another_command_that_sends(alice: Person, ben: Person, run: Run) -> None:
    """What is in the outbox goes out with that one."""
    we = alice.we
    outbox.queue(alice.packed(), we.keyring.peer("ben"), we, alice.runtime)
    with walnut_lock(outbox.folder_of(alice.runtime), "relay", alice.runtime):
        assert "another command is sending" in run(alice, "relay", "pull").stderr
    assert len(outbox.waiting(alice.runtime)) == 1
    assert ben.waiting() == []


def test_a_look_tells_of_keys_that_are_in_doubt_and_goes_on(alice: Person, ben: Person, run: Run) -> None:
    """Two that claim to follow, one in the place of another, and no relay of our own any more: all in one look."""
    carol = Person("carol", alice.base).set_up()
    alice.pair(carol)
    change_state(alice.runtime, lambda state: state.with_peer("ben", {"rivals": ["a" * 64, "b" * 64]}))
    ben.relay_folder.rename(ben.base / "away")
    (carol.relay_folder / "keys" / "carol.pem").write_bytes(key_of("new-1").public.pem())
    alice.relay_folder.rename(alice.base / "gone")
    outbox.folder_of(alice.runtime).mkdir(exist_ok=True)
    (outbox.folder_of(alice.runtime) / "x.json").write_bytes(b"{}")
    pinned = {name: one.public for name, one in alice.we.keyring.peers.items()}
    looked = run(alice, "relay", "probe")
    assert "your own relay: " in looked.stderr
    assert "TWO KEYS claim to follow that of 'ben'" in looked.stderr
    assert "the relay of 'carol' holds ANOTHER KEY than the one that is pinned" in looked.stderr
    assert "what is in the outbox could not be sent: " in looked.stderr
    assert {name: one.public for name, one in alice.we.keyring.peers.items()} == pinned


def test_sending_does_not_depend_on_our_own_relay(alice: Person, ben: Person, run: Run) -> None:
    """Whether somebody has answered cannot be seen there now; the package goes out all the same."""
    alice.invite("carol")
    alice.relay_folder.rename(alice.base / "away")
    pushed = run(alice, "relay", "push", "--peer", "ben", str(alice.packed()))
    assert "whether somebody has answered could not be looked at: " in pushed.stderr
    assert "sent 'nova' to ben" in pushed.stdout
    assert len(ben.waiting()) == 1


def test_a_relay_needs_a_place(tmp_path: Path, run: Run) -> None:
    """Without a login and without a word about it, it is asked for, and nothing is made."""
    carol = Person("carol", tmp_path)
    refused = run(carol, "relay", "setup", "--json", code=1)
    error = json.loads(refused.stdout)["error"]
    assert (error["code"], error["untouched"]) == ("no-place", "everything")
    assert "--folder PATH" in error["hint"]
    assert not (carol.runtime.alive_home / "relay" / "relay.json").exists()


# --- a relay of our own that takes nothing ------------------------------------------------------------------


def configure(relay: Path, **said: str) -> None:
    """What the host of a relay does with changes, from now on."""
    for name, value in said.items():
        subprocess.run(["git", "config", f"receive.{name}", value], cwd=relay, check=True)


def test_what_is_received_stays_received_where_our_relay_takes_no_word_of_it(alice: Person, run: Run) -> None:
    """It cannot be taken out, and nobody told, and the past not folded: each is said, and done by a later pull."""
    ben = InGit("ben", alice.base).set_up()
    alice.pair(ben)
    leave(alice, ben, b"junk" * 100)
    alice.push("ben")
    configure(ben.relay_folder, maxInputSize="1")
    pulled = run(ben, "relay", "pull", "--yes", code=1)
    assert "refused for good: alice" in pulled.stderr
    assert (ben.world / "03_Inbox" / "nova" / "notes.md").exists()
    assert "it could not be taken out of the relay: " in pulled.stderr
    assert "what stays is told to its senders with the next pull: " in pulled.stderr
    assert len(ben.waiting()) == 2
    configure(ben.relay_folder, maxInputSize="0", denyNonFastForwards="true")
    change_state(ben.runtime, lambda state: state.with_field("received_bytes", 200_000_000))
    pulled = run(ben, "relay", "pull", "--yes")
    assert "what alice has sent is here already" in pulled.stdout
    assert "your relay could not be compacted: " in pulled.stderr
    assert "lets nobody replace what is in it" in pulled.stderr
    assert len(ben.waiting()) == 1


def test_a_program_is_told_as_well(alice: Person, ben: Person, run: Run) -> None:
    """With `--json` what a person is warned of stands in the document, and nowhere else."""
    alice.push("ben")
    outbox.folder_of(ben.runtime).mkdir()
    (outbox.folder_of(ben.runtime) / "x.json").write_bytes(b"{}")
    pulled = run(ben, "relay", "pull", "--all", "--no-receive", "--strict", "--json", code=1)
    document = json.loads(pulled.stdout)
    assert [one["status"] for one in document["packages"]] == ["fetched"]
    (told,) = document["warnings"]
    assert told.startswith("what is in the outbox could not be sent: ")
    assert document["status"] == "warn"
    assert pulled.stderr == ""
    invited = run(ben, "relay", "invite", "carol", "--json")  # its code does not wait for the relays of others
    assert json.loads(invited.stdout)["status"] == "ok"
    assert "what is in the outbox could not be sent: " in invited.stderr


def test_a_new_key_that_could_not_be_published_is_published_by_the_next_run(alice: Person, run: Run) -> None:
    """Nobody sees it before; who was invited by the old one, or is sent to with it, is told then."""
    ben = Person("ben", alice.base).set_up()
    ada = InGit("ada", alice.base).set_up()
    ada.pair(ben)
    ada.invite("carol")
    ben.relay_folder.rename(ben.base / "away")
    we = ada.we
    outbox.queue(ada.packed(), we.keyring.peer("ben"), we, ada.runtime)
    shown = ada.relay.list().entries
    configure(ada.relay_folder, maxInputSize="1")
    refused = run(ada, "relay", "rotate", "--yes", "--json", code=1)
    error = json.loads(refused.stdout)["error"]
    assert error["message"].startswith("your new key is here, and could not be published: ")
    assert "your peers still know you by the old key" in error["untouched"]
    new = ada.we.key.public
    assert new != we.key.public
    assert ada.relay.list().entries == shown
    configure(ada.relay_folder, maxInputSize="0")
    done = run(ada, "relay", "rotate", "--yes")
    assert "a rotation that was begun before is finished" in done.stdout
    assert "the code that 'carol' has names your old key; `alive-p2p relay invite carol` gives a new one" in done.stderr
    assert "1 package in the outbox, signed with your old key" in done.stderr
    assert ada.we.key.public == new
    assert len(outbox.waiting(ada.runtime)) == 1
