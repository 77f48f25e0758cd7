"""The private folder in which a receive is made ready (receive.md §2, §7).

Staging lies beside the target, on the same file system, so that putting things in place is renaming. It is
registered before it is made, and holds a locked `owner` file while its process lives.
"""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.locks import Action, try_lock
from alive_p2p.package.paths import STAGING_PREFIX
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.registry import Registration, register

OWNER = "owner"
TREE = "tree"
PREPARED = "prepared"
PREVIOUS = "previous"
TAKEN_AWAY = "taken-away"
"""Where a walnut lies that is to go as a whole: by then it has gone."""

INCOMPLETE_PREFIX = f"{STAGING_PREFIX}-incomplete-"
"""How a folder is called that is kept for somebody to look at; no command of ours touches it again by itself."""
_MOST_KEPT = 100


class Staging:
    """A staging folder. As a context manager it is removed on leaving, whatever happened, unless `keep` is called.

    Args:
        target: the walnut that is made or changed; staging lies beside it.
        runtime: the surroundings.
        action: what is done.

    Raises:
        FileSystemError: it cannot be made.
    """

    def __init__(self, target: Path, runtime: Runtime, *, action: Action = "receive") -> None:
        name = runtime.random_hex(16)
        self.path = _folder_beside(target) / f"{STAGING_PREFIX}-{name}"
        self._kept = False
        self._is_over = False
        self._owner: int | None = None
        self._registration = register(name, target, self.path, runtime, action=action)
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
        try_lock(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self, *, without_trace: bool = False) -> None:
        """Let go of it: what is to be kept stays, everything else is removed. May be called again.

        Args:
            without_trace: see `remove`.
        """
        if self._is_over:
            return
        if self._kept:
            self._release()
            self._registration.close()
        else:
            self.remove(without_trace=without_trace)
        self._is_over = True

    def keep(self, *, kept: bool = True) -> None:
        """Leave it for recovery to finish; or, with `kept` false, do not after all."""
        self._kept = kept

    def remove(self, *, without_trace: bool = False) -> None:
        """Remove the folder, then its registration.

        Args:
            without_trace: nothing has happened, so that what was made for the registration goes as well.
        """
        self._release()
        remove_with_registration(self.path, self._registration, without_trace=without_trace)

    def _release(self) -> None:
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None


def set_aside(folder: Path, place: Path, runtime: Runtime) -> Path:
    """Keep a private folder under a name that says what it is and when it was kept.

    Args:
        folder: what is kept; on the same file system as `place`.
        place: the folder it is put into.
        runtime: the surroundings.

    Returns:
        Where it lies now.

    Raises:
        FileSystemError: the disk refused, or no name is free.
    """
    moment = runtime.timestamp().replace(":", "").replace("-", "")
    for number in range(1, _MOST_KEPT):
        aside = place / f"{INCOMPLETE_PREFIX}{moment}{f'-{number}' if number > 1 else ''}"
        if files.is_taken(aside):
            continue
        with files.translating("move aside", folder), suppress(FileExistsError):
            files.rename_exclusive(folder, aside)
            files.flush_folder(place)
            return aside
    raise FileSystemError(
        "name-taken",
        f"there is no free name beside '{folder}'",
        untouched="everything",
        hint="move away what earlier calls have left there, and run it again",
    )


def remove_with_registration(staging: Path, registration: Registration, *, without_trace: bool = False) -> None:
    """Remove a staging folder, then what is registered of it; see `Registration.remove`.

    In this order and with a flush in between, so that whatever a kill or a power cut leaves of the folder is still
    registered. What cannot be removed stays registered as well: the next command that looks there tries again.
    """
    try:
        _remove(staging, registration, without_trace=without_trace)
    except BaseException:  # an interrupt: once more, and then out
        _remove(staging, registration, without_trace=without_trace)
        raise


def _remove(staging: Path, registration: Registration, *, without_trace: bool) -> None:
    try:
        files.remove_tree(staging)
        files.flush_folder(staging.parent)
        registration.remove(without_trace=without_trace)
    except OSError:
        registration.close()


def _folder_beside(target: Path) -> Path:
    """The folder that staging goes into: the target's parent, or the target itself where it is a mount point."""
    with suppress(OSError):
        if target.stat().st_dev != target.parent.stat().st_dev:
            return target
    return target.parent
