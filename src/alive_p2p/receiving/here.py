"""What is here now, as the three-way rules see it (receive.md §5)."""

from pathlib import Path

from alive_p2p import files
from alive_p2p.package.paths import ancestors
from alive_p2p.receiving.threeway import ABSENT, IN_THE_WAY, Version
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
    for parent in ancestors(path):
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
