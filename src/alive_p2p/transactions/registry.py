"""Which transactions are under way on this machine: `$ALIVE_HOME/transactions` (receive.md §7).

A transaction is registered, durably, before its staging folder is made, and its registration is locked while its
process lives. So what a killed process left is known for certain, and nothing that is merely found lying about is
ever taken for a transaction of ours.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, get_args

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.locks import Action, names_still, try_lock
from alive_p2p.runtime import Runtime

_LIMIT = 1 << 16
_ATTEMPTS = 5
_ACTIONS = frozenset(get_args(Action))


@dataclass(frozen=True)
class Registration:
    """One transaction's registration, locked by this process until `close` or `remove`.

    Attributes:
        path: its file.
        target: the walnut that is made or changed; absolute.
        staging: the folder in which it is made ready; absolute.
        action: what is done; a name of `locks.Action`.
        made_for_it: folders that were not there before it, the innermost first.
    """

    path: Path
    target: Path
    staging: Path
    action: str
    _stream: BinaryIO
    made_for_it: tuple[Path, ...] = ()

    def close(self) -> None:
        """Let go of it; it stays for recovery."""
        with suppress(OSError):
            self._stream.close()

    def remove(self, *, without_trace: bool = False) -> None:
        """Remove it, because nothing of the transaction is left.

        Args:
            without_trace: and with it the folders that were made for it and are empty.

        Raises:
            OSError: it cannot be removed.
        """
        if os.name == "nt":
            self.close()  # an open file cannot be removed there
        files.remove_file(self.path)
        self.close()
        if without_trace:
            _remove_empty(self.made_for_it)


def register(name: str, target: Path, staging: Path, runtime: Runtime, *, action: Action = "receive") -> Registration:
    """Write down that a transaction begins.

    Args:
        name: a random name that no other transaction has.
        target: the walnut.
        staging: the folder that will be made.
        runtime: the surroundings.
        action: what is done.

    Raises:
        FileSystemError: it cannot be written; nothing is left of it.
    """
    folder = _folder(runtime)
    made = files.ensure_private_folder(folder)
    path = folder / f"{name}.json"
    note = {
        "action": action,
        "target": str(target),
        "staging": str(staging),
        "pid": os.getpid(),
        "since": runtime.timestamp(),
    }
    with files.translating("write", path):
        for _ in range(_ATTEMPTS):
            try:
                stream = files.create_file(path, mode=0o600)
            except FileNotFoundError:  # somebody has made the folder, and removed it when nothing was left to register
                made = files.ensure_private_folder(folder)
                continue
            try:
                if not (try_lock(stream.fileno()) and names_still(path, stream.fileno())):
                    stream.close()
                    continue  # a recovery came between making and locking it, and took it for somebody's who is gone
                files.write_all(stream, json.dumps(note).encode("utf-8", "surrogateescape"))
                files.flush(stream, path)
                files.flush_folder(folder)
            except BaseException:
                with suppress(OSError):
                    stream.close()
                    path.unlink(missing_ok=True)
                _remove_empty(made)
                raise
            return Registration(path, target, staging, action, stream, made)
    raise FileSystemError("busy", f"'{folder}' does not hold still", untouched="everything", hint="run it again")


def abandoned(runtime: Runtime, *, only_look: bool = False) -> Iterator[Registration]:
    """Every transaction whose process is gone, oldest name first, each locked by us.

    The caller closes or removes each. A registration that was cut off while it was written is removed here: its
    staging was not made yet.

    Args:
        runtime: the surroundings.
        only_look: leave those that were cut off where they are.

    Raises:
        FileSystemError: a registration cannot be read.
    """
    try:
        paths = sorted(path for path in _folder(runtime).iterdir() if path.suffix == ".json")
    except OSError:
        return
    for path in paths:
        with files.translating("read", path):
            if (stream := _open_locked(path)) is None:
                continue
        known = _read(path, stream)
        if known is not None:
            yield known
            continue
        stream.close()
        if not only_look:
            with suppress(OSError):
                files.remove_file(path)


def interrupted(runtime: Runtime) -> tuple[tuple[str, Path], ...]:
    """What killed processes have left half done: what they did, and the walnut; only looks.

    Raises:
        FileSystemError: a registration cannot be read.
    """
    found = []
    for registration in abandoned(runtime, only_look=True):
        if files.is_taken(registration.staging):
            found.append((registration.action, registration.target))
        registration.close()
    return tuple(dict.fromkeys(found))


def is_registered(staging: Path, runtime: Runtime) -> bool:
    """Whether a staging folder belongs to a transaction that is registered here, alive or not."""
    return files.exists(_folder(runtime) / f"{staging.name.rpartition('-')[2]}.json")


def _remove_empty(folders: Iterable[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            files.remove_empty_folder(folder)


def _folder(runtime: Runtime) -> Path:
    return runtime.alive_home / "transactions"


def _open_locked(path: Path) -> BinaryIO | None:
    """The registration opened and locked; None where its process is alive or it has gone. Raises `OSError`."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    stream = os.fdopen(descriptor, "r+b", buffering=0)
    if try_lock(descriptor) and names_still(path, descriptor):
        return stream
    stream.close()
    return None


def _read(path: Path, stream: BinaryIO) -> Registration | None:
    try:
        note = json.loads(stream.read(_LIMIT).decode("utf-8", "surrogateescape"))
        target, staging = Path(note["target"]), Path(note["staging"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not (target.is_absolute() and staging.is_absolute()):
        return None
    action = note.get("action")
    return Registration(path, target, staging, action if action in _ACTIONS else "receive", stream)
