"""Writing a package: the manifest, then every file in order of its path (format.md §1).

The files are read and hashed once more while they are written. One that is no longer what the manifest lists
stops the writing: what was shown is what leaves.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from alive_p2p import files
from alive_p2p.errors import PackageError
from alive_p2p.hashing import Sha256
from alive_p2p.package import paths
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.gzip_writer import GzipWriter
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import Progress
from alive_p2p.package.tar_headers import END, HeaderWriter, padding
from alive_p2p.runtime import parse_timestamp


class ChangedError(PackageError):
    """A file is no longer what it was when it was hashed; `path` is its package path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "changed",
            f"'{path}' changed while it was being packed",
            untouched="everything; nothing was written",
            hint="run it again",
        )
        self.path = path


@dataclass(frozen=True)
class Piece:
    """One file to write: what the manifest lists, and how to open its content."""

    entry: FileEntry
    open: Callable[[], BinaryIO]


def write_package(
    output: io.BufferedIOBase | io.RawIOBase,
    manifest: Manifest,
    pieces: Iterable[Piece],
    *,
    reproducible: bool,
    name: str = "the package",
    progress: Progress | None = None,
) -> None:
    """Write a plain package.

    Args:
        output: a buffered stream; left open and not flushed to disk.
        manifest: complete and valid.
        pieces: exactly the files that the manifest lists, in any order.
        reproducible: see `GzipWriter`.
        name: what the output is called in a message.
        progress: called now and then.

    Raises:
        ChangedError: a file is not what the manifest lists.
        FileSystemError: a file cannot be read, or the output not be written.
    """
    headers = HeaderWriter(int(parse_timestamp(manifest.created).timestamp()))
    executables = manifest.executables or frozenset()
    by_path: dict[str, Piece | None] = {piece.entry.path: piece for piece in pieces}
    by_path.update(dict.fromkeys(manifest.empty_dirs or ()))
    done, total = 0, manifest.total_size
    with files.translating("write", name), GzipWriter(output, reproducible=reproducible) as archive:
        text = manifest.to_yaml()
        archive.write(headers.header(paths.MANIFEST, len(text)) + text + padding(len(text)))
        for path in sorted(by_path, key=str.encode):
            piece = by_path[path]
            if piece is None:
                archive.write(headers.header(path + "/", 0, is_folder=True))
                continue
            size = piece.entry.size
            archive.write(headers.header(path, size, is_executable=path in executables))
            for chunk in _content(piece):
                archive.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
            archive.write(padding(size))
        archive.write(END)


def _content(piece: Piece) -> Iterator[bytes]:
    """One file's content, in pieces; refused at its end where it is not what was hashed."""
    entry = piece.entry
    digest = Sha256()
    left = entry.size
    try:
        stream = piece.open()
    except OSError:
        raise ChangedError(entry.path) from None
    with stream:
        while True:
            try:
                chunk = stream.read(min(files.CHUNK, left + 1))
            except OSError as error:
                raise files.file_system_error(error, "read", entry.path) from error
            if not chunk:
                break
            left -= len(chunk)
            if left < 0:
                raise ChangedError(entry.path)
            digest.update(chunk)
            yield chunk
    if left or digest.hexdigest() != entry.sha256:
        raise ChangedError(entry.path)
