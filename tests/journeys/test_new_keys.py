"""A new key and a second machine, through the installed program (relay.md §6)."""

import json
import sys
from pathlib import Path

import pytest
from flow import Run, Terminal, ended
from people import Person

from worlds import NOVA, make_world, plant

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)


@pytest.fixture
def pair(people: dict[str, Person], tmp_path: Path) -> dict[str, Person]:
    """Alice and Ben, who are peers over folders; Alice has a walnut, and Ben a world."""
    made = {name: people[name] for name in ("alice", "ben")}
    for name, person in made.items():
        assert person("relay", "setup", "--folder", tmp_path / f"relay-{name}").code == 0
    code = json.loads(made["alice"]("relay", "invite", "ben", "--json").out)["code"]
    assert made["ben"]("relay", "accept", code).code == 0
    assert made["alice"]("relay", "peers", "confirm", "ben").code == 0
    plant(tmp_path / "nova", NOVA)
    make_world(tmp_path / "world")
    return made


def send(alice: Person, tmp_path: Path, *what: str) -> None:
    done = alice("share", "--walnut", tmp_path / "nova", "--to", "ben", *what, "--yes")
    assert done.code == 0, done.err


def pulls(terminal: Terminal, ben: Person, tmp_path: Path, *options: str) -> object:
    return terminal(
        "relay", "pull", "--world", tmp_path / "world", *options, HOME=str(ben.home), GH_USER="ben", COLUMNS="200"
    )


def pinned(ben: Person) -> str:
    return ben.keyring.peer("alice").public.pubkey_id


def test_a_peer_is_asked_once_and_receives_what_both_keys_have_signed(
    pair: dict[str, Person], terminal: Terminal, tmp_path: Path
) -> None:
    """First what the old key had signed, then the question, then what the new one has signed."""
    alice, ben = pair["alice"], pair["ben"]
    send(alice, tmp_path, "--scope", "full")
    done = alice("relay", "rotate", "--yes")
    assert done.code == 0, done.err
    new = alice.keyring.own_public()
    assert new is not None
    send(alice, tmp_path, "--scope", "bundle", "--bundle", "shielding-review")
    assert "new key" in ben("relay", "probe").err
    child = pulls(terminal, ben, tmp_path, "--all", "--yes")
    child.expect("'alice' has a new key, named by the one that you know")  # type: ignore[attr-defined]
    child.expect("follow it?")  # type: ignore[attr-defined]
    assert (tmp_path / "world" / "03_Inbox" / "nova" / "notes.md").exists()
    assert pinned(ben) == alice.pubkey_id
    child.send("y\r")  # type: ignore[attr-defined]
    code, said = ended(child)  # type: ignore[arg-type]
    assert code == 0, said
    assert pinned(ben) == new.pubkey_id
    assert not list((tmp_path / "relay-ben" / "inbox").rglob("*.walnut"))
    assert "new key" not in ben("relay", "probe").err


def test_who_says_no_is_not_asked_again(pair: dict[str, Person], terminal: Terminal, tmp_path: Path) -> None:
    """The old key stays pinned, and what the new one signs waits; `peers trust` asks once more."""
    alice, ben = pair["alice"], pair["ben"]
    assert alice("relay", "rotate", "--yes").code == 0
    send(alice, tmp_path, "--scope", "full")
    child = pulls(terminal, ben, tmp_path)
    child.expect("follow it?")  # type: ignore[attr-defined]
    child.send("n\r")  # type: ignore[attr-defined]
    ended(child)  # type: ignore[arg-type]
    _, said = ended(pulls(terminal, ben, tmp_path))  # type: ignore[arg-type]
    assert "follow it?" not in said
    assert pinned(ben) == alice.pubkey_id
    for answer, code, words in (("n", 1, "stopped, as you asked"), ("y", 0, "your relay still shows the old key")):
        assert pinned(ben) == alice.pubkey_id
        child = terminal("relay", "peers", "trust", "alice", HOME=str(ben.home), GH_USER="ben")
        child.expect("follow it?")
        ours = (tmp_path / "relay-ben").rename(tmp_path / "away")  # no yes depends on our own relay
        child.send(f"{answer}\r")
        ended_with, said = ended(child)
        ours.rename(tmp_path / "relay-ben")
        assert (ended_with, words in said) == (code, True), said
    assert pinned(ben) != alice.pubkey_id
    done = ben("relay", "pull", "--world", tmp_path / "world", "--yes")
    assert done.code == 0, done.err
    assert (tmp_path / "world" / "03_Inbox" / "nova").exists()


def test_nobody_s_agent_follows(pair: dict[str, Person], tmp_path: Path) -> None:
    """Without a terminal, also with `--yes`, the key stays what it is, and what to do is told."""
    alice, ben = pair["alice"], pair["ben"]
    assert alice("relay", "rotate", "--yes").code == 0
    send(alice, tmp_path, "--scope", "full")
    done = ben("relay", "pull", "--world", tmp_path / "world", "--yes")
    assert "relay peers trust alice" in done.err
    assert pinned(ben) == alice.pubkey_id
    assert ben("relay", "peers", "trust", "alice", "--yes").code != 0
    assert pinned(ben) == alice.pubkey_id


def test_a_rotation_asks_first(pair: dict[str, Person]) -> None:
    """Without a yes nothing changes; and without a relay nobody would learn of it."""
    alice = pair["alice"]
    assert alice("relay", "rotate").code == 1
    own = alice.keyring.own_public()
    assert own is not None
    assert own.pubkey_id == alice.pubkey_id


def test_a_second_machine(pair: dict[str, Person], run: Run, tmp_path: Path) -> None:
    """One file and its passphrase: then it is the same person, and what waits for them arrives there."""
    alice, ben = pair["alice"], pair["ben"]
    done = ben("keys", "export", "--private", "--passphrase-env", "SECRET", SECRET="only a test")
    assert done.code == 0, done.err
    (tmp_path / "me.pem").write_text(done.out, encoding="ascii")
    second = tmp_path / "second"
    second.mkdir()

    def at_second(*arguments: object, **environ: str):
        return run(*arguments, HOME=str(second), **environ)

    adopting = ("relay", "setup", "--adopt", tmp_path / "me.pem", "--passphrase-env", "SECRET")
    wrong = at_second(*adopting, SECRET="another")
    assert wrong.code == 1
    assert "passphrase" in wrong.err
    assert not (second / ".alive").exists()
    done = at_second(*adopting, SECRET="only a test")
    assert done.code == 0, done.err
    assert "1 peer" in done.err
    send(alice, tmp_path, "--scope", "full")
    done = at_second("relay", "pull", "--world", tmp_path / "world", "--yes")
    assert done.code == 0, done.err
    assert (tmp_path / "world" / "03_Inbox" / "nova").exists()


def test_a_key_that_is_here_gives_way_only_after_a_yes(pair: dict[str, Person], run: Run, tmp_path: Path) -> None:
    """It is named, kept aside, and the relay of another person on this machine is never taken."""
    ben = pair["ben"]
    done = ben("keys", "export", "--private", "--passphrase-env", "SECRET", SECRET="only a test")
    (tmp_path / "me.pem").write_text(done.out, encoding="ascii")
    other = Person(run, tmp_path, "carol")
    adopting = ("relay", "setup", "--adopt", tmp_path / "me.pem", "--passphrase-env", "SECRET")
    refused = other(*adopting, SECRET="only a test")
    assert refused.code == 1
    assert other.pubkey_id in refused.err
    own = other.keyring.own_public()
    assert own is not None
    assert own.pubkey_id == other.pubkey_id
    assert other(*adopting, "--yes", SECRET="only a test").code == 0
    assert (other.home / ".alive" / "relay" / "keys" / f"private-{other.pubkey_id}.pem").exists()
    taken = pair["alice"](*adopting, "--yes", SECRET="only a test")
    assert taken.code == 1
    assert "on this machine" in taken.err


def test_a_private_key_that_lies_elsewhere_cannot_be_exported(people: dict[str, Person]) -> None:
    """Its public half is here and can be shown; the passphrase is not even asked for."""
    alice = people["alice"]
    (alice.home / ".alive" / "relay" / "keys" / "private.pem").rename(alice.home / "elsewhere.pem")
    done = alice("keys", "export", "--private", "--json")
    error = json.loads(done.out)["error"]
    assert (done.code, error["code"]) == (1, "no-key")
    assert (error["message"], error["hint"]) == (
        "your private key is not on this machine",
        "run it on the machine that has it",
    )
    assert "PUBLIC KEY" in alice("keys", "export").out


def test_a_file_that_is_no_export_is_refused(pair: dict[str, Person], run: Run, tmp_path: Path) -> None:
    """Whatever it is, nothing is made."""
    second = tmp_path / "second"
    second.mkdir()
    (tmp_path / "junk.pem").write_bytes(
        b"-----BEGIN ALIVE-P2P BELONGINGS-----\nAAAA\n-----END ALIVE-P2P BELONGINGS-----\n"
    )
    for name in ("junk.pem", "missing.pem"):
        done = run("relay", "setup", "--adopt", tmp_path / name, HOME=str(second))
        assert done.code in {1, 2}
        assert "error:" in done.err
    done = run("relay", "setup", "--adopt", pair["ben"].public, HOME=str(second))
    assert done.code == 1
    assert "it is a public key" in done.err
    assert not (second / ".alive").exists()
