"""Writing the files of a checked package into a folder of our own: the second pass over it (receive.md §2).

Where each file lies in the payload is known from the check, so that nothing is parsed again; what is read there is
hashed again, and is what was checked or is not written.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from alive_p2p import files
from alive_p2p.errors import PackageError
from alive_p2p.hashing import Sha256, sha256
from alive_p2p.package import paths
from alive_p2p.package.compression import GzipSource, damaged

if TYPE_CHECKING:
    from concurrent.futures import Future

    from alive_p2p.package.reader import Contents, Progress

WORTH_A_THREAD = 200
"""Files from which on it pays that one is made while the next are read."""

_PIECE = 1 << 18
"""Bytes of content at a time, and of whole files that a thread is given at once."""
_MOST_AT_ONCE = 64
"""Files that a thread is given at once."""
_AHEAD = 8
"""How often it may be given more before it is waited for: enough to be busy, and memory stays flat."""


class Worker(Protocol):
    """Does things in the order in which it is given them, now or soon."""

    def do(self, action: Callable[[], None], size: int) -> None:
        """Have something done that holds so many bytes. Raises what it, or one before it, has raised."""

    def wait(self) -> None:
        """Come back when everything is done. Raises what that has raised."""


def unpack(
    source: GzipSource, contents: "Contents", into: Path, names: Mapping[str, str], progress: "Progress | None"
) -> None:
    """Write files and empty folders, as `PackageReader.unpack` says.

    Args:
        source: the payload, from its start.
        contents: what the check returned.
        into: an existing, empty, private folder.
        names: for every file and empty folder that is wanted, its path below `into`.
        progress: called now and then.

    Raises:
        PackageError: the file is no longer what was checked.
        FileSystemError: the disk refused, or cannot hold a name.
    """
    if names.keys() - contents.places.keys() - contents.empty_dirs:
        raise _changed()
    unpacking = _Unpacking(source, contents, into, progress)
    wanted = [path for path in contents.places if path in names]
    with _Beside() if len(wanted) >= WORTH_A_THREAD else nullcontext(_AtOnce()) as worker:
        for path in wanted:
            unpacking.file(path, names[path], worker)
    for path in sorted(contents.empty_dirs & names.keys()):
        unpacking.folder(names[path])


class _Unpacking:
    """What is known while a package is unpacked."""

    def __init__(self, source: GzipSource, contents: "Contents", into: Path, progress: "Progress | None") -> None:
        self._source = source
        self._places = contents.places
        self._executables = contents.executables
        self._entries = {entry.path: entry for entry in contents.manifest.files}
        self._into = into
        self._progress = progress
        self._total = contents.manifest.total_size
        self._done = 0
        self._made: set[str] = set()

    def file(self, path: str, name: str, worker: Worker) -> None:
        """Read one file, compare it with what was checked, and have it written."""
        entry = self._entries[path]
        self._source.skip_to(self._places[path])
        self.folder(name.rpartition("/")[0])
        target = f"{self._into}/{name}"
        mode = files.default_mode(executable=path in self._executables)
        if entry.size > _PIECE:
            worker.wait()
            self._write_in_pieces(target, mode, entry.size, entry.sha256)
            return
        data = self._read(entry.size)
        if sha256(data) != entry.sha256:
            raise _changed()
        worker.do(partial(_write, target, data, mode), entry.size)

    def folder(self, name: str) -> None:
        """Make a folder with those it lies in, unless they are made already."""
        if not name or name in self._made:
            return
        for step in (*paths.ancestors(name), name):
            if step not in self._made:
                with files.translating("create", self._into / step):
                    files.make_folder(self._into / step, 0o755)
                self._made.add(step)

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise _changed()
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total)
        return data

    def _write_in_pieces(self, target: str, mode: int, size: int, expected: str) -> None:
        digest = Sha256()
        left = size
        with files.translating("write", target), files.create_file(Path(target), mode=mode) as stream:
            while left:
                piece = self._read(min(left, _PIECE))
                digest.update(piece)
                files.write_all(stream, piece)
                left -= len(piece)
        if digest.hexdigest() != expected:
            raise _changed()


def _write(target: str, data: bytes, mode: int) -> None:
    try:
        files.write_new(target, data, mode=mode)
    except OSError as error:
        raise files.file_system_error(error, "write", target) from error


class _AtOnce:
    """A worker without a thread."""

    def do(self, action: Callable[[], None], size: int) -> None:  # noqa: ARG002  (a worker's interface)
        action()

    def wait(self) -> None:
        pass


class _Beside:
    """A worker with a thread of its own.

    Making a file is the kernel's work, and the next are read and hashed meanwhile. Use as a context manager: when it
    is left everything is done, or after an error nothing more is begun, and the thread has ended.
    """

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1, "unpack")
        self._given: deque[Future[None]] = deque()
        self._next: list[Callable[[], None]] = []
        self._bytes = 0
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._is_stopped = True
            self._pool.shutdown()

    def do(self, action: Callable[[], None], size: int) -> None:
        self._next.append(action)
        self._bytes += size
        if self._bytes >= _PIECE or len(self._next) >= _MOST_AT_ONCE:
            self._give()

    def wait(self) -> None:
        self._give()
        while self._given:
            self._given.popleft().result()

    def _give(self) -> None:
        if len(self._given) >= _AHEAD:
            self._given.popleft().result()
        self._given.append(self._pool.submit(self._work, self._next))
        self._next, self._bytes = [], 0

    def _work(self, actions: list[Callable[[], None]]) -> None:
        for action in actions:
            if self._is_stopped:
                return
            try:
                action()
            except BaseException:
                self._is_stopped = True
                raise


def _changed() -> PackageError:
    return damaged("it changed while it was being read")
