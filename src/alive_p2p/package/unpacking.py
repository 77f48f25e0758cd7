"""Writing the files of a package into a folder of our own, hashed as they are written (receive.md §2).

Either while the package is being checked, or in a second pass over one that was. Where each file lies in the payload
is known by then, so that nothing is parsed again; what is read there is hashed again, and what is not what was
checked gets no further than that folder.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from alive_p2p.errors import PackageError
from alive_p2p.hashing import Sha256, sha256
from alive_p2p.package.compression import PIECE, GzipSource, damaged
from alive_p2p.package.making import InPieces, Maker
from alive_p2p.package.manifest import Manifest

if TYPE_CHECKING:
    from alive_p2p.package.reader import Contents, Progress


class Alongside:
    """Writes the files of a package in the pass that checks them. Has to be stopped.

    What is written is what the check hashes; nothing is said of it before the check has passed. Only what the manifest
    lists is written, with no more bytes than it says there.

    Args:
        manifest: the package's manifest, which came before every file and states which are executable.
        into: an existing, empty, private folder.
        names: for every file and empty folder that is wanted, its path below `into`.
    """

    def __init__(self, manifest: Manifest, into: Path, names: Mapping[str, str]) -> None:
        self._sizes = {entry.path: entry.size for entry in manifest.files}
        self._executables = manifest.executables or frozenset()
        self._empty_dirs = manifest.empty_dirs or frozenset()
        self._names = names
        self._open: InPieces | None = None
        self._maker = Maker(into, len(names))

    def begin(self, path: str, size: int) -> Callable[[bytes], None] | None:
        """Begin with the next file.

        Args:
            path: in the package.
            size: how many bytes it has there.

        Returns:
            What takes its content, in pieces of `PIECE` bytes of which only the last is smaller; None where nothing
            is written.

        Raises:
            FileSystemError: the disk refused it, or one before it.
        """
        self._close()
        name = self._names.get(path)
        if name is None or self._sizes.get(path) != size:
            return None
        is_executable = path in self._executables
        if size > PIECE:
            self._open = self._maker.begin(name, is_executable=is_executable)
            return self._open.write

        def whole(data: bytes) -> None:
            self._maker.whole(name, data, is_executable=is_executable)

        if size:
            return whole
        whole(b"")
        return None

    def finish(self) -> None:
        """Come back when every file is made, and the empty folders as well; called when the check has passed.

        Raises:
            FileSystemError: the disk refused.
        """
        self._close()
        self._maker.finish(self._names[path] for path in sorted(self._empty_dirs & self._names.keys()))

    def stop(self) -> None:
        """Write nothing more. May be called again."""
        self._maker.stop()
        if self._open is not None:
            self._open.abandon()

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def unpack(
    source: GzipSource, contents: "Contents", into: Path, names: Mapping[str, str], progress: "Progress | None"
) -> None:
    """What `PackageReader.unpack` does, and raises, from the start of the payload."""
    if names.keys() - contents.places.keys() - contents.empty_dirs:
        raise _changed()
    wanted = [path for path in contents.places if path in names]
    maker = Maker(into, len(wanted))
    try:
        try:
            again = _Again(source, contents, maker, progress)
            for path in wanted:
                again.file(path, names[path])
            maker.finish(names[path] for path in sorted(contents.empty_dirs & names.keys()))
        finally:
            maker.stop()
    except BaseException:
        maker.stop()  # an interrupt may come just before the line above
        raise


class _Again:
    """The second pass over a package."""

    def __init__(self, source: GzipSource, contents: "Contents", maker: Maker, progress: "Progress | None") -> None:
        self._source = source
        self._places = contents.places
        self._executables = contents.executables
        self._entries = {entry.path: entry for entry in contents.manifest.files}
        self._maker = maker
        self._progress = progress
        self._total = contents.manifest.total_size
        self._done = 0

    def file(self, path: str, name: str) -> None:
        """Read one file, compare it with what was checked, and have it written."""
        entry = self._entries[path]
        self._source.skip_to(self._places[path])
        is_executable = path in self._executables
        if entry.size > PIECE:
            file = self._maker.begin(name, is_executable=is_executable)
            try:
                self._write_in_pieces(file, entry.size, entry.sha256)
            except BaseException:
                file.abandon()
                raise
            file.close()
            return
        data = self._read(entry.size)
        if sha256(data) != entry.sha256:
            raise _changed()
        self._maker.whole(name, data, is_executable=is_executable)

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise _changed()
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total)
        return data

    def _write_in_pieces(self, file: InPieces, size: int, expected: str) -> None:
        digest = Sha256()
        left = size
        while left:
            piece = self._read(min(left, PIECE))
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
        if digest.hexdigest() != expected:
            raise _changed()


def _changed() -> PackageError:
    return damaged("it changed while it was being read")
