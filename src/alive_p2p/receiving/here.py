"""What is here now, as the three-way rules see it (receive.md §5)."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from alive_p2p import files
from alive_p2p.package import paths
from alive_p2p.receiving.threeway import ABSENT, IN_THE_WAY, Version
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import is_manifest
from alive_p2p.walnut.sessions import comparable_sha256


def version_at(root: Path, path: str) -> tuple[Version, str | None]:
    """The version of a file that is here, and its plain hash.

    Args:
        root: the walnut, or a folder in it.
        path: from there; nothing on the way to it is followed if it is a link.

    Returns:
        `ABSENT` where nothing is, and `IN_THE_WAY` where something is that is no file, or that stands on the way; of a
        manifest also the hash without its sessions.

    Raises:
        FileSystemError: it cannot be read.
    """
    place = root / path
    for parent in paths.ancestors(path):
        above = root / parent
        if files.is_taken(above) and (files.is_link(above) or not files.is_folder(above)):
            return IN_THE_WAY, None
    if not files.is_taken(place):
        return ABSENT, None
    if files.is_link(place) or not files.is_file(place):
        return IN_THE_WAY, None
    with files.translating("read", place):
        digest = files.hash_file(place)[0]
    if not is_manifest(path.rpartition("/")[2]):
        return frozenset([digest]), digest
    data = files.read_bytes(place, limit=kernel.SMALL_FILE_LIMIT)
    return frozenset([digest, comparable_sha256(data, path)]), digest


def leaves_below(place: Path, path: str) -> Iterator[str]:
    """Everything below a folder that is no folder or is a link, and, ending in `/`, every folder that is empty.

    Args:
        place: the folder.
        path: what its path is called in what is told.

    Raises:
        FileSystemError: a folder cannot be read.
    """
    with files.translating("read", place), os.scandir(place) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if not found:
        yield f"{path}/"
    for entry in found:
        inside = f"{path}/{entry.name}"
        if entry.is_dir(follow_symlinks=False) and not files.is_link(place / entry.name):
            yield from leaves_below(place / entry.name, inside)
        else:
            yield inside


def is_empty_folder(leaf: str) -> bool:
    """Whether one of `leaves_below` is a folder that may make room for a file: neither hidden nor a kernel."""
    return leaf.endswith("/") and not any(one.startswith(".") or fold(one) == kernel.KERNEL for one in leaf.split("/"))


def folders_of(leaves: Iterable[str], path: str) -> set[str]:
    """The folder at a path and those below it, from what `leaves_below` has told of it."""
    return paths.folders_of(leaves) - {*paths.ancestors(path)}
