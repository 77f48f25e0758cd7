"""Writing the files of a checked package into a folder of our own: the second pass over it (receive.md §2).

Where each file lies in the payload is known from the check, so that nothing is parsed again; what is read there is
hashed again, and what is not what was checked gets no further than that folder.
"""

import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from alive_p2p import files
from alive_p2p.errors import PackageError
from alive_p2p.hashing import Sha256, sha256
from alive_p2p.package import paths
from alive_p2p.package.compression import GzipSource, damaged

if TYPE_CHECKING:
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

    def stop(self) -> None:
        """Begin nothing more, and come back when nothing is being done. May be called again."""


def unpack(
    source: GzipSource, contents: "Contents", into: Path, names: Mapping[str, str], progress: "Progress | None"
) -> None:
    """What `PackageReader.unpack` does, and raises, from the start of the payload."""
    if names.keys() - contents.places.keys() - contents.empty_dirs:
        raise _changed()
    unpacking = _Unpacking(source, contents, into, progress)
    wanted = [path for path in contents.places if path in names]
    worker = _worker(len(wanted))
    try:
        try:
            for path in wanted:
                unpacking.file(path, names[path], worker)
            worker.wait()
        finally:
            worker.stop()
    except BaseException:
        worker.stop()  # an interrupt may come just before the line above
        raise
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
        target = f"{self._into}{os.sep}{name.replace('/', os.sep)}"  # in a third of the time that joining takes
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
        with _created(target, mode) as stream:
            while left:
                piece = self._read(min(left, _PIECE))
                digest.update(piece)
                with files.translating("write", target):
                    files.write_all(stream, piece)
                left -= len(piece)
        if digest.hexdigest() != expected:
            raise _changed()


def _created(target: str, mode: int) -> BinaryIO:
    with files.translating("write", target):
        return files.create_file(Path(target), mode=mode)


def _write(target: str, data: bytes, mode: int) -> None:
    try:
        files.write_new(target, data, mode=mode)
    except OSError as error:
        raise files.file_system_error(error, "write", target) from error


def _worker(count: int) -> Worker:
    if count >= WORTH_A_THREAD:
        with suppress(RuntimeError):  # the system has no thread to give
            return _Beside()
    return _AtOnce()


class _AtOnce:
    """A worker without a thread."""

    def do(self, action: Callable[[], None], size: int) -> None:  # noqa: ARG002  (a worker's interface)
        action()

    def wait(self) -> None:
        pass

    def stop(self) -> None:
        pass


class _Beside:
    """A worker with a thread of its own: making a file is the kernel's work, and the next are read meanwhile.

    Raises:
        RuntimeError: the thread cannot be started.
    """

    def __init__(self) -> None:
        self._given: queue.Queue[list[Callable[[], None]] | None] = queue.Queue(_AHEAD)
        self._next: list[Callable[[], None]] = []
        self._bytes = 0
        self._error: BaseException | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._work, name="unpack", daemon=True)
        try:
            self._thread.start()
        except BaseException:  # an interrupt: it may run all the same, and has nothing to do
            self._given.put(None)
            raise

    def do(self, action: Callable[[], None], size: int) -> None:
        self._next.append(action)
        self._bytes += size
        if self._bytes >= _PIECE or len(self._next) >= _MOST_AT_ONCE:
            self._give()

    def wait(self) -> None:
        self._give()
        self._given.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._is_stopped = True
        if self._thread.is_alive():
            self._given.put(None)
            self._thread.join()

    def _give(self) -> None:
        if self._error is not None:
            raise self._error
        self._given.put(self._next)
        self._next, self._bytes = [], 0

    def _work(self) -> None:
        while (actions := self._given.get()) is not None:
            for action in actions:
                if self._is_stopped or self._error is not None:
                    break  # and go on taking: nobody waits for room in the queue
                try:
                    action()
                except BaseException as error:  # noqa: BLE001  (it is raised where the work was given)
                    self._error = error
            self._given.task_done()


def _changed() -> PackageError:
    return damaged("it changed while it was being read")
