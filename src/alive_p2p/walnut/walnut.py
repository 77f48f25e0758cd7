"""A walnut on disk, found by its path."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, UsageError, WalnutError
from alive_p2p.nearby import name_beside
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.key import Key, read_key
from alive_p2p.walnut.world import find_world, is_world, looks_like_walnut


@dataclass(frozen=True)
class Walnut:
    """A folder with `_kernel/key.md`; `root` is its real, absolute path."""

    root: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.name

    @cached_property
    def key(self) -> Key:
        """Its `key.md`. Raises `FileSystemError` where it cannot be read."""
        return read_key(files.read_bytes(self.root / kernel.KEY, limit=kernel.SMALL_FILE_LIMIT))

    @cached_property
    def world(self) -> Path | None:
        """The world around it, or None."""
        return find_world(self.root)

    def read_kernel(self, path: str, *, limit: int = kernel.SMALL_FILE_LIMIT) -> bytes | None:
        """A kernel file's bytes by its package path, or None where it is not there.

        Raises:
            FileSystemError: it is there and cannot be read.
        """
        return files.read_bytes_if_present(self.root / path, limit=limit)


def may_be_walnut(path: Path) -> bool:
    """Whether a folder is, was, or is meant to be a walnut: it has a kernel of any layout, however it is spelt.

    What is nested in a walnut and may be one is not taken along by accident.
    """
    return bool(_kernels_in(path))


def is_kernel(folder: Path) -> bool:
    """Whether a folder is a kernel: `_kernel` by its name alone, `_core` (the oldest layout) by what it holds.

    Upper and lower case do not count: on many systems they are the same. A link counts, though it is never followed.
    """
    name = fold(folder.name)
    return (name == kernel.KERNEL and not files.is_file(folder)) or (name == kernel.V1_CORE and _holds_history(folder))


def is_kernel_copy(folder: Path) -> bool:
    """Whether a folder is what somebody kept of a kernel: called like one with something behind it, `_kernel.bak`."""
    name = fold(folder.name)
    return name.startswith(_KERNELS) and name not in _KERNELS and _holds_history(folder)


def keys_in(path: Path) -> list[str]:
    """Everything in a folder that says what walnut it is: relative paths, as they are spelt; none where it is none."""
    return [
        f"{found}/{name}" for found in _kernels_in(path) for name in _names(path / found) if fold(name) == _KEY_NAME
    ]


_KERNELS = (kernel.KERNEL, kernel.V1_CORE)
_KEY_NAME = "key.md"


def _kernels_in(path: Path) -> list[str]:
    return [name for name in _names(path) if fold(name) in _KERNELS and is_kernel(path / name)]


def _holds_history(folder: Path) -> bool:
    return any(fold(name) in kernel.GUARDED for name in _names(folder))


def _names(folder: Path) -> list[str]:
    """What is in a folder, in order; nothing where that cannot be seen, since nothing of it can leave then."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  (names as text are all that is needed)
    except OSError:
        return []


def open_walnut(path: Path, *, allow_archived: bool = False) -> Walnut:
    """Find the walnut at a path, or say why there is none (share.md §1).

    Raises:
        UsageError: nothing is there (exit code 2).
        WalnutError: it is a file, a world, an archived walnut, or a folder without `_kernel/key.md`.
    """
    try:
        real = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        guess = name_beside(path)
        raise UsageError(
            "no-such-path",
            f"there is nothing at '{path}'",
            hint="check the path" + (f"; did you mean '{guess}'?" if guess else ""),
        ) from None
    except (OSError, RuntimeError, ValueError):
        raise UsageError("no-such-path", f"the path '{path}' cannot be followed", hint="check the path") from None
    if not files.is_folder(real):
        raise WalnutError("not-a-walnut", f"'{path}' is a file, not a walnut", hint=_HINT)
    if not looks_like_walnut(real):
        raise _not_a_walnut(path, real)
    if files.is_link(real / kernel.KERNEL):
        raise WalnutError(
            "kernel-is-a-link",
            f"the `{kernel.KERNEL}` of '{real.name}' is a symbolic link, so it belongs to another folder",
            untouched="everything",
            hint="name the walnut that it points into, or make it a folder of its own",
        )
    if kernel.ARCHIVE in real.parts and not allow_archived:
        raise WalnutError(
            "archived",
            f"the walnut '{real.name}' is archived",
            untouched="everything",
            hint=f"move it out of {kernel.ARCHIVE} first",
        )
    try:
        files.open_regular(real / kernel.KEY).close()
    except OSError as error:
        raise files.file_system_error(error, "read", real / kernel.KEY) from error
    return Walnut(real)


_HINT = "name the folder that holds `_kernel/key.md`"


def _not_a_walnut(path: Path, real: Path) -> AliveP2PError:
    if is_world(real):
        return WalnutError(
            "is-a-world",
            f"'{path}' is a world, not a walnut",
            hint="name one of the walnuts inside it",
        )
    if files.is_file(real / kernel.V1_CORE / "key.md"):
        return WalnutError(
            "old-kernel",
            f"'{path}' keeps its key in `_core/`, from before walnuts had a `_kernel/`",
            hint="move `_core/key.md` to `_kernel/key.md`, or upgrade the walnut with ALIVE",
        )
    return WalnutError("not-a-walnut", f"'{path}' is not a walnut: it has no `_kernel/key.md`", hint=_HINT)
