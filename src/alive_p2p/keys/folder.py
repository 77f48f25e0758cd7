"""The folder in which the keys lie: for its owner alone, and changed by one process at a time (relay.md §2)."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import BusyError, FileSystemError
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime

WAIT_SECONDS = 10.0
"""How long a change waits for another process's: a change takes milliseconds, also with a slow disk under it."""


class KeyFolder:
    """The keyring's folder, which need not exist.

    Attributes:
        path: where it is.
        peers: the folder of the peers' keys in it.
    """

    def __init__(self, path: Path, runtime: Runtime) -> None:
        self.path = path
        self.peers = path / "peers"
        self._runtime = runtime
        self._is_held = False

    def make(self) -> None:
        """Make the folders that are missing, `0700`.

        Raises:
            FileSystemError: one cannot be made.
        """
        for folder in (self.path.parent, self.path, self.peers):
            files.ensure_private_folder(folder)

    @contextmanager
    def changing(self, *, wait_seconds: float | None = None) -> Iterator[None]:
        """Hold the folder's lock; what is decided on must be read inside. Inside itself it is held already.

        Args:
            wait_seconds: how long to wait for another process; by default `WAIT_SECONDS`.

        Raises:
            BusyError: another process holds it, and the time is over.
            FileSystemError: the lock cannot be made.
        """
        if self._is_held:
            yield
            return
        wait = WAIT_SECONDS if wait_seconds is None else wait_seconds
        with ExitStack() as held:
            try:
                held.enter_context(walnut_lock(self.path, "keys", self._runtime, wait_seconds=wait))
            except BusyError:
                raise BusyError(
                    "busy",
                    f"the keys in '{self.path}' are being changed by another process",
                    untouched="everything",
                    hint="run it again in a moment",
                ) from None
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def private_files(self) -> list[Path]:
        """Our private keys: `private.pem`, and the former ones as `private-….pem`, sorted.

        Raises:
            FileSystemError: the folder is there and cannot be listed.
        """
        return [
            self.path / name
            for name in names_in(self.path)
            if name == "private.pem" or (name.startswith("private-") and name.endswith(".pem"))
        ]

    def open_to_others(self) -> list[str]:
        """What others can look into or change, one line each; nothing on systems without POSIX permissions."""
        if os.name != "posix":
            return []
        found = []
        for folder in self._private_folders():
            mode = _mode_of(folder)
            if mode & 0o077:
                what = "can be changed by others" if mode & 0o022 else "is open to others"
                found.append(f"'{folder}' {what} (mode {mode:04o}): `chmod 700` it")
        try:
            secrets = self.private_files()
        except FileSystemError:
            secrets = []  # told where the keys are read
        for path in secrets:
            mode = _mode_of(path)
            if mode & 0o077:
                found.append(f"'{path}' is open to others (mode {mode:04o}): `chmod 600` it")
        return found

    def _private_folders(self) -> tuple[Path, ...]:
        # What lies above a folder that the person chose is not ours: their home, or a disk.
        is_in_relay = self.path.parent == self._runtime.alive_home / "relay"
        return (self.path.parent, self.path, self.peers) if is_in_relay else (self.path, self.peers)


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; none where there is no folder.

    Raises:
        FileSystemError: it cannot be listed.
    """
    try:
        with files.translating("read", folder):
            return sorted(os.listdir(folder))  # noqa: PTH208  (names as text are all that is needed)
    except FileSystemError as error:
        if error.code == "missing":
            return []
        raise


def read_if_present(path: Path, limit: int) -> bytes | None:
    """A file's content; None only where it is known that nothing is there.

    Raises:
        FileSystemError: it cannot be read, is a link, is not a regular file, or is larger than `limit` bytes.
    """
    try:
        return files.read_bytes(path, limit=limit)
    except FileSystemError as error:
        if error.code == "missing":
            return None
        raise


def _mode_of(path: Path) -> int:
    """The permissions of what is there, links followed; none where that cannot be seen."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
