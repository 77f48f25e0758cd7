"""Accepting without a code: by an address, and the fingerprint of its owner's key (relay.md §5)."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.reach import address_of
from relay.people import Person
from relay.people_in_git import InGit


@pytest.fixture
def ben(tmp_path: Path) -> Person:
    return Person("ben", tmp_path).set_up()


Typed = Callable[[Person], str]
ADDRESSES: dict[str, tuple[type[Person], Typed]] = {
    "folder, as it stands in a code": (Person, lambda alice: alice.url),
    "folder, by its path": (Person, lambda alice: str(alice.relay_folder)),
    "folder, from where one is": (Person, lambda alice: os.path.relpath(alice.relay_folder, alice.base / "ben/world")),
    "git, as it stands in a code": (InGit, lambda alice: alice.url),
    "git, by its path": (InGit, lambda alice: str(alice.relay_folder)),
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_address_is_what_the_owner_calls_it(kind: str, ben: Person, tmp_path: Path) -> None:
    """However it was typed: the owner has signed it so."""
    make, address = ADDRESSES[kind]
    alice = make("alice", tmp_path).set_up()
    assert address_of(address(alice), ben.runtime) == alice.url


@pytest.mark.parametrize("kind", ["folder, by its path", "git, by its path"])
def test_an_address_and_a_fingerprint_are_enough(kind: str, ben: Person, program: str, tmp_path: Path) -> None:
    """What is said over another channel pairs the two: each has compared the other's fingerprint."""
    make, address = ADDRESSES[kind]
    alice = make("alice", tmp_path).set_up()
    alice.invite("ben")
    ours = [alice.we.key.public.fingerprint, ben.we.key.public.fingerprint]
    typed = ben.types(program, "relay", "accept", address(alice), "--fingerprint", ours[0])
    assert "relay peers confirm ben" in typed.err
    assert (ben.we.config.peer("alice").url, ben.we.keyring.peer("alice").status) == (alice.url, "paired")
    answer = alice.probe().peers["ben"]["answer"]
    assert (answer["fingerprint"], answer["is_proven"]) == (ours[1], False)
    assert alice.confirm() == [], "the answer proves nothing of itself"
    alice.types(program, "relay", "peers", "confirm", "ben", "--fingerprint", ours[1])
    ben.push("alice")
    assert [one.status for one in alice.pull()] == ["received"]


def test_another_fingerprint_pins_nobody(ben: Person, program: str, tmp_path: Path) -> None:
    """Nor does none, where there is no terminal to ask on."""
    alice = Person("alice", tmp_path).set_up()
    for options, code in ((["--fingerprint", "0" * 64], "other-fingerprint"), ([], "needs-fingerprint")):
        refused = ben.types(program, "relay", "accept", str(alice.relay_folder), *options, "--json", code=1).told
        assert refused["error"]["code"] == code
    assert list(ben.we.config.peers) == []
    assert list(ben.we.keyring.peers) == []
    assert list(alice.relay.list("inbox").entries) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked_with_the_fingerprint(answer: str, ben: Person, program: str, tmp_path: Path) -> None:
    """A yes to the one that is shown counts; a no leaves everything as it was."""
    import pexpect

    alice = Person("alice", tmp_path).set_up()
    environ = {"PATH": os.environ["PATH"], **ben.runtime.environ, "TERM": "dumb"}
    arguments = ["relay", "accept", str(alice.relay_folder)]
    child: pexpect.spawn[str] = pexpect.spawn(program, arguments, cwd=ben.world, env=environ, encoding="utf-8")  # type: ignore[arg-type]
    child.expect("says that it is of 'alice'")
    child.expect(alice.we.key.public.fingerprint[-4:])
    child.expect(r"\[y/N\]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == (0 if answer == "y" else 1)
    assert (list(ben.we.config.peers) == ["alice"]) is (answer == "y")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("./nothing/there", "no-such-path"),
        ("folder:", "bad-address"),
        ("folder:a\nb", "bad-address"),
        ("ext::sh -c /bin/true", "no-such-path"),
        ("ftp://host.example/x", "bad-address"),
        ("https://ada:gho_secret@host.example/x", "bad-address"),
    ],
)
def test_what_is_no_address_is_told(said: str, code: str, ben: Person) -> None:
    """With what is wrong with it; a password is not shown."""
    with pytest.raises(AliveP2PError) as refused:
        address_of(said, ben.runtime)
    assert refused.value.code == code
    assert "gho_secret" not in refused.value.message
    assert address_of("nothing-of-that-name", ben.runtime) is None


@pytest.mark.parametrize(("said", "code"), [("nothing-of-that-name", "bad-code"), ("03_Inbox", "not-a-relay")])
def test_what_is_no_relay_pins_nobody(said: str, code: str, ben: Person, program: str) -> None:
    """Neither a word, nor a folder that does not say whose it is."""
    typed = ben.types(program, "relay", "accept", said, "--fingerprint", "0" * 64, "--json", code=1)
    assert typed.told["error"]["code"] == code
    assert list(ben.we.config.peers) == []


def test_nothing_is_made_first_for_what_cannot_be_an_address(program: str, tmp_path: Path) -> None:
    """Whoever mistypes it has no relay afterwards that they did not have before."""
    ben = Person("ben", tmp_path)
    ben.types(program, "relay", "accept", "./nothing/there", "--folder", str(tmp_path / "mailbox"), code=2)
    assert not (tmp_path / "mailbox").exists()
