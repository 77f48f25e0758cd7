"""`receive --inbox`: what is listed, what is asked, and what may be received with nobody looking (receive.md §11)."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.people import Person, key_of
from worlds import NOVA, nothing_left, pack, plant, tree_of

ON = "p2p:\n  auto_receive: true\n"


@dataclass
class Alice:
    """Alice, paired with ben, and the program run as her in her world."""

    person: Person
    ben: Person
    program: str

    @property
    def inbox(self) -> Path:
        return self.person.world / "03_Inbox"

    @property
    def names(self) -> set[str]:
        """What lies in the inbox, as files."""
        return {one.relative_to(self.inbox).as_posix() for one in self.inbox.rglob("*.walnut")}

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.person.runtime.environ}

    def prefer(self, text: str) -> None:
        (self.person.world / ".alive" / "preferences.yaml").write_text(text, encoding="utf-8")

    def signed(self, place: str, tree: dict[str, bytes] = NOVA, **options: Any) -> Path:
        """A package of ben's, signed by him, put into the inbox by somebody."""
        walnut = self.ben.base / f"walnut-{len(tree)}"
        if not walnut.exists():
            plant(walnut, tree)
        made = self.ben.base / "made.walnut"
        made.unlink(missing_ok=True)
        pack(walnut, made, self.ben.runtime, sender="ben", **{"signing_key": key_of("ben"), **options})
        (self.inbox / place).parent.mkdir(exist_ok=True)
        return made.rename(self.inbox / place)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.person.world,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture
def alice(program: str, tmp_path: Path) -> Alice:
    """With an empty inbox."""
    person, ben = (Person(name, tmp_path).set_up() for name in ("alice", "ben"))
    person.pair(ben)
    return Alice(person, ben, program)


def test_the_inbox_is_listed_and_nothing_is_received_without_a_yes(alice: Alice) -> None:
    """Each with who it is from, as far as that is more than a claim; then it says how to go on, and ends with 1."""
    alice.signed("nova.walnut")
    alice.signed("from-the-web.walnut", signing_key=None)
    (alice.inbox / "broken.walnut").write_bytes(b"no package")
    before = tree_of(alice.inbox)
    done = alice.run("receive", "--inbox")
    assert done.returncode == 1
    assert "3 packages in" in done.stderr
    assert "ben (" in done.stderr
    assert "it is not signed, so this is only a claim" in done.stderr
    assert "lies here     since today" in done.stderr
    assert "problem       " in done.stderr
    assert "receive one by its name" in done.stderr
    document = alice.told("receive", "--inbox", code=1)
    assert document["error"]["code"] == "which"
    listed = {Path(one["file"]).name: one for one in document["packages"]}
    assert listed["nova.walnut"]["info"]["signer"]["name"] == "ben"
    assert listed["nova.walnut"]["info"]["signature"] == "valid"
    assert listed["from-the-web.walnut"]["info"]["signature"] == "unsigned"
    assert listed["broken.walnut"]["error"]["code"] == "not-a-package"
    assert alice.run("receive", "--inbox", "--dry-run").returncode == 0
    assert tree_of(alice.inbox) == before


def test_a_yes_receives_and_what_is_refused_stays(alice: Alice) -> None:
    """What goes wrong with one stops no other; what was received is moved away, so that it is not listed again."""
    alice.signed("a.walnut")
    alice.signed("b.walnut", {**NOVA, "more.md": b"x"}, signing_key=None)  # the same walnut: its place is taken
    (alice.inbox / "c.walnut").write_bytes(b"no package")
    document = alice.told("receive", "--inbox", "--yes", code=1)
    assert [one["status"] for one in document["packages"]] == ["received", "received", "failed"]
    assert alice.names == {".received/a.walnut", ".received/b.walnut", "c.walnut"}
    assert nothing_left(alice.inbox)
    again = alice.told("receive", "--inbox", "--yes", code=1)
    assert [one["status"] for one in again["packages"]] == ["failed"]


def test_an_empty_inbox_is_a_no_op(alice: Alice) -> None:
    """Also in a world without one."""
    assert alice.told("receive", "--inbox") == {"status": "noop", "packages": []}
    alice.inbox.rmdir()
    assert "nothing lies in your inbox" in alice.run("receive", "--inbox").stdout


def test_nothing_is_received_by_itself_unless_the_world_says_so(alice: Alice) -> None:
    """The default is off; a person switches it on, in the preferences."""
    alice.signed("nova.walnut")
    document = alice.told("receive", "--inbox", "--auto", code=1)
    assert document["error"]["code"] == "auto-receive-off"
    assert alice.told("receive", "--from-relay", "--auto", code=1)["error"]["code"] == "auto-receive-off"
    assert alice.names == {"nova.walnut"}


def test_with_nobody_looking_only_what_needs_nobody_is_received(alice: Alice) -> None:
    """The rest is listed with what it needs, stays, and is no failure; `--yes` changes nothing about that."""
    alice.prefer(ON)
    alice.signed("a-good.walnut")
    alice.signed("b-unsigned.walnut", signing_key=None)
    alice.signed("c-stranger.walnut", signing_key=key_of("mallory"))
    alice.signed("d-agents.walnut", {**NOVA, "CLAUDE.md": b"Obey.\n"})
    alice.signed("e-hidden.walnut", {**NOVA, "a.md": b"x", "b.md": "a\U000e0049\U000e0067\U000e006e b\n".encode()})
    alice.signed("ben/f-unproven.walnut", {**NOVA, "a": b"", "b": b"", "c": b""})
    (alice.inbox / "g-broken.walnut").write_bytes(b"no package")
    dry = alice.told("receive", "--inbox", "--auto", "--dry-run")
    assert dry["status"] == "dry-run"
    assert [one["status"] for one in dry["packages"]] == ["waiting", *["held"] * 6]
    document = alice.told("receive", "--inbox", "--auto", "--yes")
    assert document["status"] == "warn"
    held = {Path(one["file"]).name: " ".join(one["needs"]) for one in document["packages"] if one["status"] == "held"}
    assert [one["status"] for one in document["packages"]].count("received") == 1
    assert alice.names == {".received/a-good.walnut", "ben/f-unproven.walnut", *(held.keys() - {"f-unproven.walnut"})}
    for name, why in {
        "b-unsigned.walnut": "not signed",
        "c-stranger.walnut": "do not know",
        "d-agents.walnut": "agents would obey",
        "e-hidden.walnut": "hides text",
        "f-unproven.walnut": "no delivery note",
        "g-broken.walnut": "not a",
    }.items():
        assert why in held[name]
    words = alice.run("receive", "--inbox", "--auto")
    assert words.returncode == 0
    assert "'b-unsigned.walnut' stays: it is for a person to decide: it is not signed" in words.stderr


def test_what_was_only_fetched_is_received_by_itself_with_the_note_it_came_with(alice: Alice) -> None:
    """The note stays in the relay; what it has shown is remembered by the hash of the file."""
    alice.prefer(ON)
    alice.ben.push("alice")
    assert alice.run("relay", "pull", "--no-receive", "--all").returncode == 0
    (fetched,) = (alice.inbox / "ben").iterdir()
    copy = fetched.with_name("copy.walnut")
    copy.write_bytes(fetched.read_bytes()[:-1])
    document = alice.told("receive", "--inbox", "--auto")
    assert [one["status"] for one in document["packages"]] == ["received", "held"]
    again = alice.told("relay", "pull", "--all", "--yes")
    assert [one["status"] for one in again["packages"]] == ["here"]  # and ben has his receipt


def test_from_the_relay_with_nobody_looking(alice: Alice) -> None:
    """What needs nobody is received, what needs somebody stays, and is no failure; senders learn just that."""
    alice.prefer(ON)
    alice.ben.push("alice")
    alice.ben.push("alice", alice.signed("x.walnut", {**NOVA, "AGENTS.md": b"Obey.\n"}))
    (alice.inbox / "x.walnut").unlink()
    document = alice.told("receive", "--from-relay", "--auto")
    assert sorted(one["status"] for one in document["packages"]) == ["held", "received"]
    (held,) = (one for one in document["packages"] if one["status"] == "held")
    assert "agents would obey" in held["error"]
    assert held["reason"] is None
    assert alice.told("relay", "status")["peers"]["ben"]["pending_packages"] == 1
    assert sorted(str(one["status"]) for one in alice.ben.probe().advanced) == ["applied", "received"]
    alice.told("relay", "decline", held["deposit"], "--yes")
    assert alice.told("relay", "status")["peers"]["ben"]["pending_packages"] == 0


def test_nothing_is_decided_beforehand_for_when_nobody_looks(program: str, tmp_path: Path) -> None:
    """An option that decides something needs somebody who gives it for that one package; one source at a time."""
    for line in (
        "--inbox a.walnut",
        "--inbox --from-relay",
        "--auto",
        "--auto a.walnut",
        "--inbox --auto --update",
        "--inbox --auto --trust-agent-files",
        "--inbox --auto --private-key x",
    ):
        done = subprocess.run([program, "receive", *line.split()], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 2, line
        assert done.stderr.startswith(b"error: ")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_at_a_terminal_each_is_shown_and_asked_about(alice: Alice) -> None:
    """A no leaves it where it is and goes on to the next."""
    import pexpect

    alice.signed("a.walnut")
    alice.signed("b.walnut", {**NOVA, "more.md": b"x"})
    child = pexpect.spawn(
        alice.program,
        ["receive", "--inbox"],
        cwd=str(alice.person.world),
        env=alice.environ,  # type: ignore[arg-type]  # os.environ's kind is meant; a plain mapping works
        encoding="utf-8",
        timeout=60,
    )
    child.expect("2 packages in")
    child.expect("would receive 'walnut-12'")
    child.expect(r"receive it\?")
    child.sendline("n")
    child.expect("would receive 'walnut-13'")
    child.expect(r"receive it\?")
    child.sendline("y")
    child.expect("received 'walnut-13'")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert alice.names == {"a.walnut", ".received/b.walnut"}
