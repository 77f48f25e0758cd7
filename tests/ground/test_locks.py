"""One walnut, one lock (receive.md §6): shown with real processes."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p import locks
from alive_p2p.errors import BusyError, FileSystemError
from alive_p2p.locks import Holder, LockState, lock_path, release_leftovers, walnut_lock
from alive_p2p.runtime import Runtime

if os.name == "nt":
    pytest.skip("the locks of POSIX", allow_module_level=True)

import fcntl

HOLDER = """
import sys
from pathlib import Path
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime
runtime = Runtime(environ={"HOME": sys.argv[2]}, cwd=Path("/"))
with walnut_lock(Path(sys.argv[1]), "receive", runtime):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def other_process(target: Path, home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock until it is told to let go, or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def walnut(tmp_path: Path) -> Path:
    folder = tmp_path / "world" / "nova"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def home(runtime: Runtime) -> Path:
    return runtime.home


def assert_free(target: Path, runtime: Runtime) -> None:
    with walnut_lock(target, "create", runtime):
        pass


def test_two_processes_exclude_each_other(walnut: Path, home: Path, runtime: Runtime) -> None:
    """While one holds it the other is refused, told who holds it and for what; then it is free."""
    with other_process(walnut, home) as process:
        with pytest.raises(BusyError) as busy, walnut_lock(walnut, "create", runtime):
            pytest.fail("both hold it")
        assert f"process {process.pid}" in busy.value.message
        assert "(receive)" in busy.value.message
        assert str(walnut) in busy.value.message
        assert busy.value.code == "busy"
        assert busy.value.untouched
        assert "--wait" in (busy.value.hint or "")
        process.communicate("\n")
        assert process.returncode == 0
    assert_free(walnut, runtime)


def test_a_killed_holder_leaves_no_lock(walnut: Path, home: Path, runtime: Runtime) -> None:
    """`kill -9` frees it at once: the kernel lets go, not the program."""
    with other_process(walnut, home) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert_free(walnut, runtime)


def test_a_lock_file_deleted_by_hand_still_excludes(walnut: Path, home: Path, runtime: Runtime) -> None:
    """The walnut's own directory is locked besides, and cannot be deleted from under the holder."""
    with other_process(walnut, home):
        lock_path(walnut, runtime).unlink()
        with pytest.raises(BusyError), walnut_lock(walnut, "create", runtime):
            pytest.fail("both hold it")


def test_another_home_excludes_as_well(walnut: Path, home: Path, make_runtime: Callable[..., Runtime]) -> None:
    """Two users' state folders give two lock files, but there is one walnut."""
    elsewhere = make_runtime(ALIVE_HOME=str(home / "elsewhere"))
    with other_process(walnut, home), pytest.raises(BusyError) as busy, walnut_lock(walnut, "create", elsewhere):
        pytest.fail("both hold it")
    assert "process" in busy.value.message


def test_a_target_that_does_not_exist_yet_can_be_locked(tmp_path: Path, home: Path, runtime: Runtime) -> None:
    """A receive locks the walnut it is about to make; nothing is made by that."""
    target = tmp_path / "not" / "yet"
    with other_process(target, home):
        assert not target.parent.exists()
        with pytest.raises(BusyError), walnut_lock(target, "create", runtime):
            pytest.fail("both hold it")
    assert_free(target, runtime)


def test_a_file_in_the_place_of_the_walnut_can_be_locked(tmp_path: Path, runtime: Runtime) -> None:
    """That it is no walnut is for somebody else to say."""
    (tmp_path / "file").write_text("")
    assert_free(tmp_path / "file", runtime)


def test_a_link_leads_to_the_same_lock(tmp_path: Path, walnut: Path, runtime: Runtime) -> None:
    """The lock belongs to the real path, however it is named."""
    (tmp_path / "link").symlink_to(walnut)
    assert lock_path(tmp_path / "link", runtime) == lock_path(walnut, runtime)
    assert lock_path(walnut / ".." / "nova", runtime) == lock_path(walnut, runtime)
    again = walnut_lock(tmp_path / "link", "create", runtime)
    with walnut_lock(walnut, "create", runtime), pytest.raises(BusyError), again:
        pytest.fail("both hold it")


def test_different_walnuts_do_not_exclude_each_other(tmp_path: Path, runtime: Runtime) -> None:
    """One lock each."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with walnut_lock(tmp_path / "a", "create", runtime), walnut_lock(tmp_path / "b", "create", runtime):
        pass


def test_an_exception_inside_lets_go(walnut: Path, runtime: Runtime) -> None:
    """Whatever happens while it is held."""
    with pytest.raises(KeyboardInterrupt), walnut_lock(walnut, "create", runtime):
        raise KeyboardInterrupt
    assert_free(walnut, runtime)


def waiting(runtime: Runtime, on_sleep: Callable[[int], None]) -> tuple[Runtime, list[float]]:
    """A runtime whose clock only moves when it sleeps, and which calls `on_sleep` with the count of naps."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        on_sleep(len(naps))

    return Runtime(
        environ=runtime.environ, cwd=runtime.cwd, clock=runtime.clock, monotonic=lambda: sum(naps), sleep=sleep
    ), naps


def test_waiting_takes_the_lock_as_soon_as_it_is_free(walnut: Path, home: Path, runtime: Runtime) -> None:
    """`--wait` outlasts the holder."""
    with other_process(walnut, home) as process:

        def let_go(count: int) -> None:
            if count == 3:
                process.communicate("\n")

        patient, naps = waiting(runtime, let_go)
        with walnut_lock(walnut, "create", patient, wait_seconds=60):
            assert len(naps) == 3


def test_waiting_ends_when_the_time_has_passed(walnut: Path, runtime: Runtime) -> None:
    """After so many seconds it is refused, and not before."""
    patient, naps = waiting(runtime, lambda _count: None)
    with walnut_lock(walnut, "receive", runtime):
        with pytest.raises(BusyError), walnut_lock(walnut, "create", patient, wait_seconds=2):
            pytest.fail("both hold it")
        assert sum(naps) >= 2
        assert all(nap <= 2 for nap in naps)
        naps.clear()
        with pytest.raises(BusyError), walnut_lock(walnut, "create", patient):
            pytest.fail("both hold it")
        assert naps == []


def test_the_age_of_the_lock_is_told(walnut: Path, make_runtime: Callable[..., Runtime]) -> None:
    """Busy since when, by the holder's note."""
    early = make_runtime()
    with walnut_lock(walnut, "receive", early):
        note = json.loads(lock_path(walnut, early).read_bytes())
        assert note == {"pid": os.getpid(), "action": "receive", "since": "2026-04-07T10:15:00Z"}
        lock_path(walnut, early).write_text(json.dumps(note | {"since": "2026-04-07T10:14:18Z"}))
        with pytest.raises(BusyError, match="for 42 seconds"), walnut_lock(walnut, "create", early):
            pytest.fail("both hold it")


# --- unlock --------------------------------------------------------------------------------------------------


def test_unlock_says_absent_held_and_free(walnut: Path, home: Path, runtime: Runtime) -> None:
    """No lock file, one held by a live process (named, and left alone), one that nobody holds."""
    assert release_leftovers(walnut, runtime) == (LockState.ABSENT, Holder())
    with other_process(walnut, home) as process:
        state, holder = release_leftovers(walnut, runtime)
        assert (state, holder.pid, holder.action) == (LockState.HELD, process.pid, "receive")
        with pytest.raises(BusyError), walnut_lock(walnut, "create", runtime):
            pytest.fail("unlock took it from the holder")
        process.kill()
        process.wait()
        assert release_leftovers(walnut, runtime) == (LockState.FREE, Holder())
    assert_free(walnut, runtime)


def test_unlock_of_a_walnut_that_is_not_there(tmp_path: Path, runtime: Runtime) -> None:
    """It has no lock, or one that is free."""
    assert release_leftovers(tmp_path / "missing", runtime)[0] is LockState.ABSENT
    assert_free(tmp_path / "missing", runtime)
    assert release_leftovers(tmp_path / "missing", runtime)[0] is LockState.FREE


# --- the holder's note decides nothing -----------------------------------------------------------------------

_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-1e9, 1e9), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["pid", "action", "since", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.one_of(st.binary(max_size=60), _json.map(lambda value: json.dumps(value).encode())))
def test_a_note_of_any_content_is_no_obstacle(tmp_path: Path, note: bytes) -> None:
    """A lock file that holds anything at all can be taken, reported as busy, and freed."""
    runtime = Runtime(environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    path = lock_path(tmp_path, runtime)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(note)
    assert_free(tmp_path, runtime)
    with walnut_lock(tmp_path, "receive", runtime):
        path.write_bytes(note)
        with pytest.raises(BusyError, match="in use by"), walnut_lock(tmp_path, "create", runtime):
            pytest.fail("both hold it")
        assert release_leftovers(tmp_path, runtime)[0] is LockState.HELD
    path.write_bytes(note)
    assert release_leftovers(tmp_path, runtime)[0] is LockState.FREE


@pytest.mark.parametrize(
    "note", [b'{"pid": 1e999, "action": "x", "since": "y"}', b"[" * 4096], ids=["an infinite pid", "deep nesting"]
)
def test_a_hostile_note_is_no_obstacle(walnut: Path, runtime: Runtime, note: bytes) -> None:
    """What cannot be read counts as unknown; busy is busy."""
    with walnut_lock(walnut, "receive", runtime):
        lock_path(walnut, runtime).write_bytes(note)
        with pytest.raises(BusyError), walnut_lock(walnut, "create", runtime):
            pytest.fail("both hold it")


def test_a_link_in_the_place_of_the_lock_file_is_refused(tmp_path: Path, walnut: Path, runtime: Runtime) -> None:
    """Nothing is written through it."""
    path = lock_path(walnut, runtime)
    path.parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(FileSystemError), walnut_lock(walnut, "create", runtime):
        pytest.fail("it was locked through a link")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_lock_file_that_changes_hands_is_not_trusted(walnut: Path, runtime: Runtime) -> None:
    """What was locked is compared with what the path names: a deleted file that is still open counts for nothing."""
    path = lock_path(walnut, runtime)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with path.open("rb") as stale:
        path.unlink()
        assert not locks.names_still(path, stale.fileno())
        path.write_bytes(b"")
        assert not locks.names_still(path, stale.fileno())
    with path.open("rb") as fresh:
        assert locks.names_still(path, fresh.fileno())


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_lock_a_directory_is_no_obstacle(
    walnut: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """On NFS a directory cannot be locked exclusively (EBADF): the lock file is what counts there."""
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert_free(walnut, runtime)


# --- where there is no flock ---------------------------------------------------------------------------------


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    """Of two claims the second fails while the first holder lives; a claim of a dead process is cleared away."""
    path = tmp_path / "x.lock"
    assert locks._claim_folder(path, tmp_path) == ()
    locks._write_holder(path, (), Holder(os.getpid(), "receive", "2026-04-07T10:15:00Z"))
    assert locks._read_holder(path) == Holder(os.getpid(), "receive", "2026-04-07T10:15:00Z")
    assert locks._claim_folder(path, tmp_path) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    locks._write_holder(path, (), Holder(process.pid, "receive", ""))
    assert locks._claim_folder(path, tmp_path) is None
    assert locks._claim_folder(path, tmp_path) == ()
    locks._let_go(path, ())
    assert not path.exists()
