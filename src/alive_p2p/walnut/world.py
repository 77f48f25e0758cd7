"""The world around a walnut: a folder marked by `.alive/` (cli.md, "Environment")."""

import os
from collections.abc import Iterator
from pathlib import Path

from alive_p2p import files
from alive_p2p.walnut import kernel

_MARKS = ("key.md", "preferences.yaml", "_squirrels")
_SKIPPED = frozenset(["node_modules", "__pycache__", kernel.KERNEL, kernel.ARCHIVE])
_MAX_DEPTH = 6
"""How deep below a world walnuts are looked for: deeper ones are named by their path."""


def is_world(folder: Path) -> bool:
    """Whether a folder is a world.

    `.alive/` alone does not make one (the home folder has it for this tool's own state): it has to hold a key,
    preferences or sessions, or the folder has to have one of the five ALIVE folders.
    """
    mark = folder / kernel.WORLD_MARK
    if not files.is_folder(mark):
        return False
    return any(files.exists(mark / name) for name in _MARKS) or any(
        files.is_folder(folder / name) for name in kernel.WORLD_FOLDERS
    )


def find_world(start: Path) -> Path | None:
    """The nearest world at or above a path, or None."""
    for folder in (start, *start.parents):
        if is_world(folder):
            return folder
    return None


def looks_like_walnut(path: Path) -> bool:
    """Whether a folder has a `_kernel/key.md` (share.md §2: then it is a walnut of its own)."""
    return files.is_file(path / kernel.KEY)


def find_walnut(start: Path) -> Path | None:
    """The nearest walnut at or above a path, or None."""
    return next((folder for folder in (start, *start.parents) if looks_like_walnut(folder)), None)


def walnuts_in(world: Path) -> Iterator[Path]:
    """Yield the root of every walnut in a world, also nested ones, in order of path; archived ones are skipped."""
    pending: list[tuple[Path, int]] = [(world, 0)]
    while pending:
        folder, depth = pending.pop()
        if looks_like_walnut(folder):
            yield folder
        if depth >= _MAX_DEPTH:
            continue
        try:
            with os.scandir(folder) as entries:
                below = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        wanted = (name for name in below if not name.startswith(".") and name not in _SKIPPED)
        pending += [(folder / name, depth + 1) for name in sorted(wanted, reverse=True)]
