"""What lies below a folder; links are told and never followed."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files


@dataclass(frozen=True)
class Found:
    """Something below a folder.

    Attributes:
        path: from the folder, `/`-separated.
        is_folder: a folder, and no link to one.
        is_file: a regular file, and no link to one.
    """

    path: str
    is_folder: bool
    is_file: bool


def below(folder: Path, *, passing_over: Collection[str] = ()) -> Iterator[Found]:
    """Everything below a folder, each folder before what it holds.

    Args:
        folder: where to begin.
        passing_over: names that are neither told nor looked into, at its top.

    Raises:
        FileSystemError: a folder cannot be read.
    """
    return (Found(*one) for one in _below(folder, passing_over))


def _below(folder: Path, passing_over: Collection[str]) -> Iterator[tuple[str, bool, bool]]:
    pending = [""]
    while pending:
        relative = pending.pop()
        place = folder / relative if relative else folder
        with files.translating("read", place), os.scandir(place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if not relative and entry.name in passing_over:
                continue
            path = f"{relative}/{entry.name}" if relative else entry.name
            is_folder = entry.is_dir(follow_symlinks=False) and not files.is_link(place / entry.name)
            yield path, is_folder, not is_folder and entry.is_file(follow_symlinks=False)
            if is_folder:
                pending.append(path)


def files_below(folder: Path) -> Iterator[str]:
    """The regular files below a folder, by their path from it.

    Raises:
        FileSystemError: a folder cannot be read.
    """
    return (path for path, _, is_file in _below(folder, ()) if is_file)
