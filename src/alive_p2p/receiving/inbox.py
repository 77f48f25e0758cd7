"""A world's inbox: which packages lie there, and where they go when they were received (receive.md §11)."""

import os
from contextlib import suppress
from pathlib import Path

from alive_p2p import files
from alive_p2p.walnut import kernel
from alive_p2p.walnut.world import looks_like_walnut

RECEIVED_FOLDER = ".received"
"""Below the inbox: where a file goes that was received."""
MOST_PACKAGES = 1000
"""More than this nobody looks through; the rest is seen when these are gone."""


def inbox_of(world: Path) -> Path:
    """Where packages arrive in a world."""
    return world / kernel.INBOX


def packages_in(inbox: Path) -> list[Path]:
    """The packages in an inbox and one level of folders below; oldest first.

    Links are not followed. Neither hidden folders are looked into, nor walnuts, which arrive here as well: what lies in
    one belongs to it.

    Raises:
        FileSystemError: the inbox cannot be read.
    """
    found = []
    with files.translating("read", inbox):
        for entry in _entries(inbox):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                folder = Path(entry.path)
                if not looks_like_walnut(folder):
                    with suppress(PermissionError):  # it is somebody else's, and the rest is not
                        found += [Path(one.path) for one in _entries(folder) if _is_package(one)]
            elif _is_package(entry):
                found.append(Path(entry.path))
    return sorted(found, key=lambda file: (_since(file), file))[:MOST_PACKAGES]


def _since(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0  # it has gone meanwhile, which whoever looks at it will see


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _is_package(entry: "os.DirEntry[str]") -> bool:
    return entry.name.endswith(".walnut") and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)


def put_away(file: Path, inbox: Path) -> Path:
    """Move a file that was received below the inbox, under a name that is free there.

    Returns:
        Where it lies now; where it lay, if that did not work, which is no harm.
    """
    folder = inbox / RECEIVED_FOLDER
    try:
        if not files.is_folder(folder):
            files.make_folder(folder)
        number = 1
        while True:
            name = file.name if number == 1 else f"{file.name.removesuffix('.walnut')}-{number}.walnut"
            try:
                files.rename_exclusive(file, folder / name)
            except FileExistsError:
                number += 1
            else:
                return folder / name
    except OSError:
        return file
