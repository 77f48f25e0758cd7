"""The files of a package as its manifest lists them, and the hashes over such a list (format.md §2)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FileEntry:
    """One listed file: package path, SHA-256 in hex, size in bytes."""

    path: str
    sha256: str
    size: int


def payload_sha256(entries: Iterable[FileEntry]) -> str:
    """The hash over a list of files, sorted by path by code point (format.md §2)."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda e: e.path):
        digest.update(f"{entry.path}\0{entry.sha256}\0{entry.size}\n".encode())
    return digest.hexdigest()


def bundle_digest(entries: Iterable[FileEntry], bundle: str) -> str:
    """The hash over one bundle's files in the manner of `payload_sha256`, its name taken off (receive.md §5)."""
    prefix = bundle + "/"
    inside = (e for e in entries if e.path.startswith(prefix))
    return payload_sha256(FileEntry(e.path.removeprefix(prefix), e.sha256, e.size) for e in inside)
