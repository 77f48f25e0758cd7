"""What `doctor` finds of other programs, of the machine and of relays (cli.md, "Commands")."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkup import examined, of, paired, problems, settings_of

from alive_p2p.api import doctor
from alive_p2p.api.doctor import here, machine
from alive_p2p.relay.config import change_config
from alive_p2p.relay.state import change_state
from alive_p2p.runtime import Runtime
from relay.people import Person

needs_posix = pytest.mark.skipif(os.name != "posix", reason="a script stands in for a program")


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    """Somebody with a world, a mailbox and a peer."""
    return paired(tmp_path)


# --- other programs -------------------------------------------------------------------------------------------


def _script(folder: Path, name: str, text: str) -> str:
    """A program of this name; the PATH that leads to it and to nothing else of the kind."""
    folder.mkdir(exist_ok=True)
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    place.chmod(0o755)
    return str(folder)


def test_git_is_needed_where_a_relay_is_a_repository(alice: Person, tmp_path: Path) -> None:
    """Elsewhere its absence is a note."""
    (tmp_path / "empty").mkdir()
    runtime = settings_of(alice, PATH=str(tmp_path / "empty"))
    assert "git is not installed" in of(examined(runtime, tmp_path), "git", "note").found
    change_config(alice.runtime, lambda now: now.with_relay((tmp_path / "r.git").as_uri(), "alice", ""))
    found = examined(runtime, tmp_path)
    assert "install git" in str(of(found, "git", "problem").mend)
    assert "git is not installed" in of(found, "own-relay", "problem").found


@needs_posix
def test_an_old_git_is_named(alice: Person, tmp_path: Path) -> None:
    """With what it has to be."""
    found = examined(settings_of(alice, PATH=_script(tmp_path / "bin", "git", "echo git version 2.20.1")), tmp_path)
    assert "git is 2.20" in of(found, "git", "note").found


@needs_posix
def test_a_login_of_gh_is_found_and_its_token_not_shown(alice: Person, tmp_path: Path) -> None:
    """It is asked for nothing but whether there is one."""
    path = _script(tmp_path / "bin", "gh", '[ "$1 $2" = "auth token" ] && echo gho_SECRET || exit 1')
    found = examined(settings_of(alice, PATH=path), tmp_path)
    assert of(found, "gh", "ok").found == "`gh` is logged in at GitHub"
    assert "SECRET" not in repr(found)


@needs_posix
def test_a_gh_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Also where what it has started goes on."""
    person = Person("alice", tmp_path)
    path = _script(tmp_path / "bin", "gh", "/bin/sleep 4 & exec /bin/sleep 4")
    found = examined(settings_of(person, PATH=path, GH_USER=None), tmp_path, seconds=0.2)
    assert "does not answer" in of(found, "gh", "note").found
    assert of(found, "sender", "problem")


@needs_posix
def test_a_check_that_does_not_end_ends_by_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that keeps it; the others follow."""
    monkeypatch.setattr(doctor, "_MORE_SECONDS", 0.0)
    monkeypatch.setattr(machine, "_LIBRARIES", {"click": "click"})  # what loads slowly is not what is meant
    path = _script(tmp_path / "bin", "git", "exec /bin/sleep 2")
    found = examined(Runtime({"HOME": str(tmp_path), "PATH": path}, tmp_path), tmp_path, seconds=0.5)
    assert "no answer within 0.5 seconds" in of(found, "git", "problem").found
    assert found[-1].name == "locks"


def test_what_nobody_has_foreseen_stops_no_other_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem by itself, with no traceback."""
    monkeypatch.setattr(here, "worlds", lambda _: 1 // 0)
    found = examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "not foreseen (ZeroDivisionError)" in of(found, "world", "problem").found
    assert found[-1].name == "locks"


def test_a_missing_library_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is loaded to see it: half of an installation is none."""
    monkeypatch.setitem(machine._LIBRARIES, "pyrage", "pyrage_that_is_not_here")
    found = examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "pyrage" in of(found, "libraries", "problem").found


@pytest.mark.parametrize(("free", "level"), [(10**6, "problem"), (10**8, "note"), (10**11, "ok")])
def test_a_full_disk_is_told(free: int, level: str, runtime: Runtime) -> None:
    """The place where there is least counts."""
    (one,) = machine.disk(runtime, lambda _: free)
    assert one.level == level


def test_a_clock_that_stands_before_the_last_look_is_told(alice: Person, tmp_path: Path) -> None:
    """And one from before this program was written is a problem."""
    change_state(alice.runtime, lambda now: now.with_probe("2031-01-01T00:00:00Z"))
    assert "2031" in str(of(examined(alice.runtime, tmp_path), "clock", "note").meaning)
    alice.clock.moment = alice.clock.moment.replace(year=1980)
    assert of(examined(alice.runtime, tmp_path), "clock", "problem")


# --- relays ---------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_relays_that_hang_are_waited_for_together_and_not_for_long(alice: Person, silent: int, tmp_path: Path) -> None:
    """Ours is a problem, a peer's is a note."""
    url = f"http://127.0.0.1:{silent}/relay.git"

    change_config(alice.runtime, lambda now: now.with_relay(url, "alice", "").with_peer("ben", {"url": url}))
    found = examined(alice.runtime, tmp_path, seconds=0.5)
    assert "0.5 seconds" in of(found, "own-relay", "problem").found
    assert "outbox" in str(of(found, "peer-relay", "note").meaning)


def test_a_peers_relay_that_is_gone_is_a_note(alice: Person, tmp_path: Path) -> None:
    """What is sent meanwhile waits."""
    shutil.rmtree(tmp_path / "relay-of-ben")
    found = examined(alice.runtime, tmp_path)
    assert "'ben'" in of(found, "peer-relay", "note").found
    assert problems(found) == []


def test_a_password_in_an_address_is_not_shown(alice: Person, tmp_path: Path) -> None:
    """Neither ours nor a peer's, whatever somebody has written into `relay.json`."""
    url = "https://alice:SECRET@example.org/relay.git"
    change_config(alice.runtime, lambda now: now.with_relay(url, "alice", "").with_peer("ben", {"url": url}))
    found = examined(alice.runtime, tmp_path)
    assert len([one for one in found if one.name == "relay" and one.level == "problem"]) == 2
    assert "SECRET" not in repr(found)


def test_what_waits_is_told(alice: Person, tmp_path: Path) -> None:
    """In the outbox, in our mailbox and in the world's inbox, each with the command that goes on with it."""
    (tmp_path / "relay-of-ben").rename(tmp_path / "away")
    alice.push("ben")
    change_state(alice.runtime, lambda now: now.with_peer("ben", {"pending_packages": 2}))
    shutil.copy(alice.packed("q.walnut"), alice.world / "03_Inbox" / "q.walnut")
    found = examined(alice.runtime, tmp_path)
    assert of(found, "outbox", "note").found == "1 still to be sent: to ben"
    assert of(found, "waiting", "note").mend == "alive-p2p relay pull --peer ben"
    assert of(found, "inbox", "note").mend == "alive-p2p receive --inbox"
