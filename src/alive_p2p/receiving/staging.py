"""The private folder in which a receive is made ready, and its registration (receive.md §2, §7).

Staging lies beside the target, on the same file system, so that putting things in place is renaming. It is
registered in `$ALIVE_HOME/transactions` before it is made, and holds a locked `owner` file while its process
lives: nothing that is merely found lying about is ever taken for a transaction of ours.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from alive_p2p import files
from alive_p2p.package.paths import STAGING_PREFIX
from alive_p2p.runtime import Runtime

if os.name == "posix":
    import fcntl

OWNER = "owner"
TREE = "tree"
PREPARED = "prepared"
PREVIOUS = "previous"


class Staging:
    """A staging folder. As a context manager it is removed on leaving, whatever happened, unless `keep` is called.

    Args:
        target: the walnut that is made or changed; staging lies beside it.
        runtime: the surroundings.

    Raises:
        FileSystemError: it cannot be made.
    """

    def __init__(self, target: Path, runtime: Runtime) -> None:
        name = runtime.random_hex(16)
        self.path = _folder_beside(target) / f"{STAGING_PREFIX}-{name}"
        self._registration = runtime.alive_home / "transactions" / f"{name}.json"
        self._kept = False
        self._owner: int | None = None
        files.ensure_private_folder(self._registration.parent)
        note = {"target": str(target), "staging": str(self.path), "pid": os.getpid(), "since": runtime.timestamp()}
        files.replace_file(self._registration, json.dumps(note).encode("utf-8", "surrogateescape"), mode=0o600)
        try:
            with files.translating("create a folder beside the target in", target.parent):
                files.make_folder(self.path, 0o700)
                self._claim()
            for part in (TREE, PREPARED, PREVIOUS):
                with files.translating("create", self.path / part):
                    files.make_folder(self.path / part, 0o700)
        except BaseException:
            self.remove()
            raise

    @property
    def tree(self) -> Path:
        """Where the package is unpacked."""
        return self.path / TREE

    def _claim(self) -> None:
        descriptor = os.open(self.path / OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._owner = descriptor
        os.write(descriptor, str(os.getpid()).encode())
        if os.name == "posix":
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept:
            self._release()
        else:
            self.remove()

    def keep(self, *, kept: bool = True) -> None:
        """Leave it for recovery to finish; or, with `kept` false, do not after all."""
        self._kept = kept

    def remove(self) -> None:
        """Remove the folder, then its registration: in this order, so that a kill in between is found again."""
        self._release()
        try:
            files.remove_tree(self.path)
        except OSError:
            return  # still registered: the next command that looks there removes it
        with suppress(OSError):
            files.remove_file(self._registration)

    def _release(self) -> None:
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None


def _folder_beside(target: Path) -> Path:
    """The folder that staging goes into: the target's parent, or the target itself where it is a mount point."""
    with suppress(OSError):
        if target.stat().st_dev != target.parent.stat().st_dev:
            return target
    return target.parent
