"""Nothing half done stays half done: what was interrupted, or could not be written, the next command puts right."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest

from alive_p2p import files
from alive_p2p.errors import FileSystemError, RelayError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.public import KeyProblem
from alive_p2p.locks import walnut_lock
from alive_p2p.relay import compacting
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.config import HOST, change_config, read_config
from alive_p2p.relay.own_relay import setup
from alive_p2p.relay.renaming import finish_renaming, rename
from alive_p2p.relay.state import change_state, read_state
from alive_p2p.relay.transports.folder import FolderTransport
from alive_p2p.relay.transports.memory import MemoryTransport, Store
from alive_p2p.runtime import Runtime
from relay.github import GitHub
from relay.people import Person, key_of
from relay.test_story_at_github import At


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path)


# --- pairing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("was_known", [False, True])
def test_a_key_of_which_nothing_can_be_noted_counts_as_before(alice: Person, *, was_known: bool) -> None:
    """The disk is full at the last step of a pairing: nobody is paired, and it can be done again."""
    ben = Person("ben", alice.base).set_up()
    alice.set_up()
    if was_known:
        alice.we.keyring.import_peer("ben", Keyring.load(ben.runtime).own_public().pem())
    before = {name: one.status for name, one in alice.we.keyring.peers.items()}
    ben.accept(alice.invite("ben"))

    def full(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "replace" and paths[-1].name == "relay.json":
            raise OSError(28, "No space left on device")

    files.watch(full)
    try:
        with pytest.raises(FileSystemError):
            alice.confirm()
    finally:
        files.watch(None)
    assert {name: one.status for name, one in Keyring.load(alice.runtime).peers.items()} == before
    assert [one.peer.name for one in alice.confirm()] == ["ben"]


# --- setting up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ["--username", "../alice"],
        ["--username", "not alice"],
    ],
    ids=["no name", "another name"],
)
def test_a_setup_that_is_refused_makes_no_folder(
    alice: Person, program: str, tmp_path: Path, options: list[str]
) -> None:
    """First everything is looked at that speaks against it."""
    where = tmp_path / "mailbox"
    alice.types(program, "relay", "setup", "--folder", str(where), *options, code=2)
    assert not where.exists()
    assert not (alice.runtime.alive_home / "relay" / "relay.json").exists()


def test_a_second_relay_is_refused_before_its_folder_is_made(alice: Person, program: str, tmp_path: Path) -> None:
    """And so is one whose key cannot be used."""
    alice.set_up()
    where = tmp_path / "mailbox"
    refused = alice.types(program, "relay", "setup", "--folder", str(where), "--json", code=1)
    assert refused.told["error"]["code"] == "relay-exists"
    assert not where.exists()


def test_a_key_that_cannot_be_used_is_told_before_the_folder_is_made(
    alice: Person, program: str, tmp_path: Path
) -> None:
    """It would be a relay that nobody can open."""
    (alice.runtime.alive_home / "relay" / "keys" / "private.pem").write_bytes(b"no key")
    where = tmp_path / "mailbox"
    alice.types(program, "relay", "setup", "--folder", str(where), code=1)
    assert not where.exists()


def test_inviting_under_a_name_that_is_none_makes_no_relay(alice: Person, program: str, tmp_path: Path) -> None:
    """A relay is made first where there is none; not for an invitation that cannot be made."""
    where = tmp_path / "mailbox"
    alice.types(program, "relay", "invite", "../ben", "--folder", str(where), code=2)
    assert not where.exists()
    assert not (alice.runtime.alive_home / "relay" / "relay.json").exists()


# --- counting what was received -------------------------------------------------------------------------------


@dataclass
class Keeping(MemoryTransport):
    """A relay that keeps a past; `meanwhile` happens while it is folded."""

    meanwhile: Callable[[], object] = lambda: None
    folded: int = 0

    def __post_init__(self) -> None:
        super().__init__(Store())

    def compact(self) -> bool:
        self.meanwhile()
        self.folded += 1
        return True


def test_two_pulls_at_once_lose_no_bytes(alice: Person) -> None:
    """What one has counted is there when the other adds to it."""
    relay = Keeping()
    compacting.count(1, relay, alice.runtime)
    waiting = [threading.Event(), threading.Event()]

    def count(number: int) -> None:
        def sleep(seconds: float) -> None:
            waiting[number].set()
            time.sleep(seconds)

        compacting.count(10, relay, replace(alice.runtime, sleep=sleep))

    threads = [threading.Thread(target=count, args=(number,)) for number in range(2)]
    with walnut_lock(alice.runtime.alive_home / "relay", "relay", alice.runtime):
        for thread in threads:
            thread.start()
        for one in waiting:
            assert one.wait(30)
    for thread in threads:
        thread.join()
    assert read_state(alice.runtime).raw["received_bytes"] == 21


def test_what_is_counted_while_the_past_is_folded_counts(alice: Person) -> None:
    """It may have come too late to be folded."""

    def other() -> None:
        change_state(alice.runtime, lambda state: state.with_field("received_bytes", state.raw["received_bytes"] + 5))

    relay = Keeping(meanwhile=other)
    compacting.count(compacting.AFTER_BYTES + 1, relay, alice.runtime)
    assert relay.folded == 1
    assert read_state(alice.runtime).raw["received_bytes"] == 5


# --- another name ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork, which this system lacks")
def test_a_rename_that_was_killed_is_finished_by_the_next_command(tmp_path: Path) -> None:
    """Wherever it was killed, and the repair as well: one name in every file."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, here / "killed_rename.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["failures"] == []
    assert report["points"] >= 30


@pytest.fixture
def ben(tmp_path: Path) -> Person:
    return Person("ben", tmp_path)


def half_renamed(alice: Person, ben: Person) -> None:
    """What a rename leaves that could not write to the keyring."""
    alice.set_up()
    alice.pair(ben.set_up())
    change_config(alice.runtime, lambda now: now.with_renaming("ben", "benjamin"))


@pytest.mark.parametrize(
    "command", [["relay", "peers", "list"], ["keys", "show"], ["relay", "peers", "remove", "benjamin", "--yes"]]
)
def test_every_command_that_knows_names_finishes_a_rename(
    command: list[str], alice: Person, ben: Person, program: str
) -> None:
    """Nobody has to know of it."""
    half_renamed(alice, ben)
    typed = alice.types(program, *command)
    assert "benjamin" in typed.out
    assert list(Keyring.load(alice.runtime).peers) == ["benjamin"]
    assert "ben" not in read_config(alice.runtime).peers


def test_a_name_that_somebody_gets_meanwhile_ends_the_rename(alice: Person, ben: Person) -> None:
    """Everything stays under the old name, and it is said."""
    half_renamed(alice, ben)
    Keyring.load(alice.runtime).import_peer("benjamin", key_of("another").public.pem())
    with pytest.raises(KeyProblem, match="called 'benjamin' already"):
        finish_renaming(alice.runtime)
    assert list(alice.we.config.peers) == ["ben"]
    assert [one.error for one in alice.push("ben")] == [None]


# --- an answer that was confirmed -----------------------------------------------------------------------------


class Unwritable(FolderTransport):
    """A relay that can be read and not written to."""

    def change(self, *_: object, **__: object) -> NoReturn:
        raise RelayError("relay-unreachable", "the connection broke off", untouched="everything")


def test_a_copy_that_could_not_be_left_is_left_later(alice: Person, ben: Person) -> None:
    """The two are paired all the same, and it is said what has to wait."""
    alice.set_up()
    ben.set_up().accept(alice.invite("ben"))
    broken = Unwritable(alice.relay_folder, alice.runtime)
    confirmed, problems = by_hand.confirm_proven(alice.we, broken, broken.list(), alice.runtime)
    assert [one.peer.name for one in confirmed] == ["ben"]
    assert "could not be left" in problems[0]
    assert alice.we.config.peer("ben").is_accepted
    assert [one.error for one in alice.push("ben")] == [None]
    assert "inbox/ben/answer.json" in alice.relay.list().entries
    rename("ben", "benjamin", alice.runtime)
    assert alice.confirm() == []
    assert "inbox/ben/answer.json" not in alice.relay.list().entries
    assert (alice.relay_folder / "keys" / "peers" / "ben.pem").read_bytes() == ben.we.key.public.pem()
    alice.relay.change(removes=["keys/peers/ben.pem"])
    setup(alice.url, alice.runtime, alice.reach)
    assert (alice.relay_folder / "keys" / "peers" / "ben.pem").read_bytes() == ben.we.key.public.pem()


def test_whoever_is_parted_with_meanwhile_needs_no_copy(alice: Person, ben: Person) -> None:
    """What was to be done for them is forgotten."""
    alice.set_up()
    ben.set_up().accept(alice.invite("ben"))
    broken = Unwritable(alice.relay_folder, alice.runtime)
    by_hand.confirm_proven(alice.we, broken, broken.list(), alice.runtime)
    by_hand.remove("ben", alice.runtime, alice.relay)
    assert alice.confirm() == []
    assert not any(name.startswith("keys/peers/") for name in alice.relay.list().entries)


def test_confirming_by_hand_again_finishes_it(alice: Person, ben: Person, program: str) -> None:
    """Somebody who was told that something went wrong runs it again."""
    alice.set_up()
    ben.set_up().accept(alice.invite("ben"))
    broken = Unwritable(alice.relay_folder, alice.runtime)
    by_hand.confirm_proven(alice.we, broken, broken.list(), alice.runtime)
    typed = alice.types(program, "relay", "peers", "confirm", "ben")
    assert "you and ben are paired" in typed.out
    assert "keys/peers/ben.pem" in alice.relay.list().entries
    assert alice.we.config.peer("ben").unfinished == frozenset()
    refused = alice.types(program, "relay", "peers", "confirm", "ben", "--json", code=1)
    assert refused.told["error"]["code"] == "paired-already"


@pytest.mark.slow
def test_an_invitation_of_the_host_that_comes_later_is_accepted(github: GitHub, tmp_path: Path, program: str) -> None:
    """Ben's relay opens only after Ada has confirmed him, and her own could not be written to at that moment."""
    ada, ben = (At(github, login, tmp_path, program, has_gh=False) for login in ("ada", "ben"))
    code = ada("relay", "invite", "ben", "--github").out.strip()
    github.wire.fail("PUT", "/repos/ben/alive-relay/collaborators/ada", 502, times=None)
    ben("relay", "accept", "-", "--github", data=code, code=1)
    github.wire.heal()
    github.wire.fail("POST", "/ada/alive-relay.git/git-receive-pack", 502, times=None)
    pulled = ada("relay", "pull", "--yes")
    assert "'ben' has answered: you are paired" in pulled.err
    assert "could not be left in your relay yet" in pulled.err
    assert "the invitation to the relay of 'ben' has not come yet" in pulled.err
    github.wire.heal()
    ben("relay", "accept", "-", data=code)
    ada("relay", "pull", "--yes")
    assert [user.login for user in github.repository("ben/alive-relay").collaborators.values()] == ["ada"]
    names = github.repository("ada/alive-relay").git("ls-tree", "-r", "--name-only", "main")
    assert "keys/peers/ben.pem" in names
    assert "answer.json" not in names
    calls = len([one for one in github.wire.log if one.kind == "api"])
    ada("relay", "pull", "--yes")
    assert len([one for one in github.wire.log if one.kind == "api"]) == calls, "it is over"
    runtime = Runtime(ada.person.environ, ada.world)
    change_config(runtime, lambda config: config.with_unfinished("ben", [HOST]))
    github.wire.fail("*", "/(repos|user).*", 502, times=None)
    assert "could not be accepted" in ada("relay", "pull", "--yes").err
    assert read_config(runtime).peer("ben").unfinished == frozenset(), "where one is in, none is needed"
