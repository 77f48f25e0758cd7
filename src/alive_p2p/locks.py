"""One walnut, one lock (receive.md §6).

The lock is a file in `$ALIVE_HOME/locks`, named after the walnut's real path, and on POSIX the walnut's own
directory besides, which nobody can delete from under the holder. The kernel lets go of both when the process
dies, so there are no stale locks there. Where `flock` does not exist the lock is a folder, created atomically,
with a holder file inside.

What the holder is doing is written down for humans and for the "busy" message; it decides nothing.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from alive_p2p import files
from alive_p2p.errors import BusyError
from alive_p2p.runtime import Runtime, parse_timestamp

if os.name == "posix":
    import fcntl
else:
    import msvcrt

Action = Literal["create", "keys", "record", "receive", "recover", "migrate", "undo", "log-import", "project", "relay"]

_POLL_SECONDS = 0.05
_LOCKED_BYTE = 1 << 30


class LockState(Enum):
    """What `release_leftovers` found (cli.md, `unlock`)."""

    FREE = "free"
    HELD = "held"
    ABSENT = "absent"


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as the holder wrote it down; empty fields where that cannot be read."""

    pid: int | None = None
    action: str = ""
    since: str = ""


def lock_path(target: Path, runtime: Runtime) -> Path:
    """Where the lock of a walnut lies: the first 16 hex digits of the SHA-256 of its real path."""
    real = os.path.realpath(target)
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return runtime.alive_home / "locks" / f"{name}.lock"


@contextmanager
def walnut_lock(target: Path, action: Action, runtime: Runtime, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the exclusive lock of the walnut at `target` (which need not exist yet).

    Raises:
        BusyError: another process holds it and `wait_seconds` have passed.
        FileSystemError: the lock file cannot be made.
    """
    path = lock_path(target, runtime)
    files.ensure_private_folder(path.parent)
    deadline = runtime.monotonic() + wait_seconds
    attempt = _flock if os.name == "posix" else _claim_folder
    while (held := attempt(path, target)) is None:
        if runtime.monotonic() >= deadline:
            raise _busy(target, path, runtime)
        runtime.sleep(_POLL_SECONDS)
    try:
        _write_holder(path, held, Holder(os.getpid(), action, runtime.timestamp()))
        yield
    finally:
        _let_go(path, held)


def release_leftovers(target: Path, runtime: Runtime) -> tuple[LockState, Holder]:
    """Say whether a walnut's lock is held, and tidy up where it is not (cli.md, `unlock`)."""
    path = lock_path(target, runtime)
    if not files.exists(path):
        return LockState.ABSENT, Holder()
    holder = _read_holder(path)
    if os.name == "posix":
        held = _flock(path, target)
        if held is None:
            return LockState.HELD, holder
        # Emptied, not unlinked: somebody may have opened it and be about to lock it.
        os.ftruncate(held[0], 0)
        _let_go(path, held)
        return LockState.FREE, Holder()
    if holder.pid is not None and _is_alive(holder.pid):
        return LockState.HELD, holder
    _remove_claim(path)
    return LockState.FREE, Holder()


def noted_locks(runtime: Runtime) -> list[tuple[Path, Holder, bool]]:
    """The locks that somebody has noted holding, and whether that process is alive; only looks, and takes none.

    What is noted there by a process that is gone was left by it, and is in nobody's way.

    Raises:
        FileSystemError: the locks cannot be listed.
    """
    found = []
    folder = runtime.alive_home / "locks"
    with files.translating("read", folder):
        names = sorted(os.listdir(folder)) if files.is_folder(folder) else []  # noqa: PTH208  (only names are needed)
    for path in (folder / name for name in names if name.endswith(".lock")):
        holder = _read_holder(path)
        if holder.pid is not None and 0 < holder.pid < 1 << 31:  # more is no process, and no number for the system
            found.append((path, holder, _is_alive(holder.pid)))
    return found


def _busy(target: Path, path: Path, runtime: Runtime) -> BusyError:
    holder = _read_holder(path)
    who = f"process {holder.pid}" if holder.pid else "another process"
    what = f" ({holder.action})" if holder.action else ""
    age = ""
    with suppress(ValueError):
        seconds = int((runtime.now() - parse_timestamp(holder.since)).total_seconds())
        age = f" for {seconds} seconds" if seconds >= 0 else ""
    return BusyError(
        "busy",
        f"the walnut '{target}' is in use by {who}{what}{age}",
        untouched="everything",
        hint="run it again when that is done, or add `--wait 60`",
    )


# --- any file ---------------------------------------------------------------------------------------------------


def try_lock(descriptor: int) -> bool:
    """Lock an open file for as long as it stays open, if nobody else has; the system lets go when the process dies.

    Returns:
        Whether we have it. True as well on a file system that cannot lock, such as some network ones.
    """
    try:
        if os.name == "posix":
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:  # a byte far behind the end: what is locked there cannot be read by others
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            os.lseek(descriptor, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        return error.errno not in (errno.EDEADLK, getattr(errno, "EDEADLOCK", errno.EDEADLK))
    return True


def names_still(path: Path, descriptor: int) -> bool:
    """Whether a path still names the file that is open; false where it was removed or replaced meanwhile."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


# --- POSIX: flock ---------------------------------------------------------------------------------------------


def _flock(path: Path, target: Path) -> tuple[int, ...] | None:
    """Lock the file, and the walnut's directory where there is one; None where somebody else has either."""
    with files.translating("open the lock", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    held = [descriptor]
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not names_still(path, descriptor):
            raise BlockingIOError  # deleted by hand meanwhile: the file we hold is not the one others will lock
        folder = _lock_folder(target)
        if folder is not None:
            held.append(folder)
    except BlockingIOError:
        for one in held:
            os.close(one)
        return None
    except BaseException:
        for one in held:
            os.close(one)
        raise
    return tuple(held)


def _lock_folder(target: Path) -> int | None:
    """Lock the walnut's directory itself; None where there is none, or a file system that cannot (such as NFS).

    Raises `BlockingIOError` where somebody else has it.
    """
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


# --- elsewhere: a folder created atomically -------------------------------------------------------------------


def _claim_folder(path: Path, target: Path) -> tuple[int, ...] | None:  # noqa: ARG001  (same shape as _flock)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        holder = _read_holder(path)
        if holder.pid is not None and not _is_alive(holder.pid):
            # Moved away first: of several who see a dead holder only one may remove the claim.
            dead = path.with_name(f"{path.name}.dead-{os.getpid()}")
            with suppress(OSError):
                path.rename(dead)
                _remove_claim(dead)
        return None
    return ()


def _remove_claim(path: Path) -> None:
    with suppress(OSError):
        (path / "holder").unlink(missing_ok=True)
        path.rmdir()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        import ctypes

        query_limited_information = 0x1000
        handle = ctypes.windll.kernel32.OpenProcess(query_limited_information, 0, pid)  # type: ignore[attr-defined,unused-ignore]
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)  # type: ignore[attr-defined,unused-ignore]
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- the holder's note ----------------------------------------------------------------------------------------


def _write_holder(path: Path, held: tuple[int, ...], holder: Holder) -> None:
    note = json.dumps({"pid": holder.pid, "action": holder.action, "since": holder.since}).encode()
    with suppress(OSError):
        if held:
            os.ftruncate(held[0], 0)
            os.pwrite(held[0], note, 0)
        else:
            (path / "holder").write_bytes(note)


def _read_holder(path: Path) -> Holder:
    try:
        with (path if files.is_file(path) else path / "holder").open("rb") as stream:
            note = json.loads(stream.read(4096))
        return Holder(int(note["pid"]), str(note["action"])[:40], str(note["since"])[:40])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Holder()


def _let_go(path: Path, held: tuple[int, ...]) -> None:
    if not held:
        _remove_claim(path)
        return
    with suppress(OSError):
        os.ftruncate(held[0], 0)
    for descriptor in reversed(held):
        os.close(descriptor)
