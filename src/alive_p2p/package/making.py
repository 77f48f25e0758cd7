"""Making the files of a package in a folder of our own while the next are still being read (receive.md §2).

From so many files on that it pays, a thread makes them, in the order in which they come. It does nothing else, and has
ended before anything is flushed, put in place or taken away.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from alive_p2p import files
from alive_p2p.package import paths
from alive_p2p.package.compression import PIECE

WORTH_A_THREAD = 200
"""Files from which on it pays that one is made while the next are read."""

_MOST_AT_ONCE = 64
"""Files that a thread is given at once, with at most `PIECE` bytes."""
_AHEAD = 8
"""How often it may be given more before it is waited for: enough to be busy, and memory stays flat."""


class Maker:
    """Makes files and folders below a folder that is there, empty and our own. Has to be stopped.

    Args:
        into: the folder.
        count: how many files are to come.
    """

    def __init__(self, into: Path, count: int) -> None:
        self._into = into
        self._worker: _Worker = _Beside() if count >= WORTH_A_THREAD else _AtOnce()
        self._made: set[str] = set()

    def whole(self, name: str, data: bytes, *, is_executable: bool) -> None:
        """Make a file, now or soon.

        Raises:
            FileSystemError: the disk refused this file, or one before it.
        """
        target = self._place(name)
        mode = files.default_mode(executable=is_executable)
        self._worker.do(partial(_write, target, data, mode), len(data))

    def begin(self, name: str, *, is_executable: bool) -> "InPieces":
        """Make a file that is written in pieces, when all before it are made. The caller closes it.

        Raises:
            FileSystemError: the disk refused this file, or one before it.
        """
        self._worker.wait()
        target = self._place(name)
        with files.translating("write", target):
            stream = files.create_file(Path(target), mode=files.default_mode(executable=is_executable))
        return InPieces(target, stream)

    def folder(self, name: str) -> None:
        """Make a folder with those it lies in, unless they are made already.

        Raises:
            FileSystemError: the disk refused.
        """
        if not name or name in self._made:
            return
        for step in (*paths.ancestors(name), name):
            if step not in self._made:
                with files.translating("create", self._into / step):
                    files.make_folder(self._into / step, 0o755)
                self._made.add(step)

    def finish(self, folders: Iterable[str]) -> None:
        """Come back when everything is made, and these folders as well.

        Raises:
            FileSystemError: the disk refused one of the files, or of the folders.
        """
        self._worker.wait()
        for name in folders:
            self.folder(name)

    def stop(self) -> None:
        """Begin nothing more, and come back when nothing is being made. May be called again."""
        try:
            self._worker.stop()
        except BaseException:  # an interrupt: once more, and then out
            self._worker.stop()
            raise

    def _place(self, name: str) -> str:
        self.folder(name.rpartition("/")[0])
        return f"{self._into}{os.sep}{name.replace('/', os.sep)}"  # in a third of the time that joining takes


class InPieces:
    """A file that is being written.

    Args:
        target: where it lies, for people.
        stream: the open file.
    """

    def __init__(self, target: str, stream: BinaryIO) -> None:
        self._target = target
        self._stream = stream

    def write(self, piece: bytes) -> None:
        """Write the next piece. Raises `FileSystemError`."""
        with files.translating("write", self._target):
            files.write_all(self._stream, piece)

    def close(self) -> None:
        """Close it. Raises `FileSystemError` where the disk refuses what was still to be written."""
        with files.translating("write", self._target):
            self._stream.close()

    def abandon(self) -> None:
        """Close it, whatever the disk says of it: it is thrown away."""
        with suppress(OSError):
            self._stream.close()


class _Worker(Protocol):
    """Does things in the order in which it is given them, now or soon."""

    def do(self, action: Callable[[], None], size: int) -> None:
        """Have something done that holds so many bytes. Raises what it, or one before it, has raised."""

    def wait(self) -> None:
        """Come back when everything is done. Raises what that has raised."""

    def stop(self) -> None:
        """Begin nothing more, and come back when nothing is being done. May be called again."""


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

    def stop(self) -> None:
        pass


class _Beside:
    """A worker with a thread of its own: making a file is the kernel's work, and the next are read meanwhile.

    What goes between the two goes through queues that an interrupt cannot leave locked.
    """

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[list[Callable[[], None]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._out = 0  # how much was given and is not known to be done
        self._next: list[Callable[[], None]] = []
        self._bytes = 0
        self._error: BaseException | None = None
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self._is_alone = False  # the system has no thread to give

    def do(self, action: Callable[[], None], size: int) -> None:
        self._next.append(action)
        self._bytes += size
        if self._bytes >= PIECE or len(self._next) >= _MOST_AT_ONCE:
            self._give()

    def wait(self) -> None:
        self._give()
        while self._out:
            self._take_back()
        self._raise()

    def stop(self) -> None:
        self._is_stopped = True
        self._given.put(None)
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def _give(self) -> None:
        self._raise()
        actions, self._next, self._bytes = self._next, [], 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="unpack", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._is_alone = True
        if self._is_alone:
            self._perform(actions)
            self._raise()
            return
        if self._out >= _AHEAD:
            self._take_back()
        self._given.put(actions)
        self._out += 1

    def _take_back(self) -> None:
        self._done.get()
        self._out -= 1

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (actions := self._given.get()) is not None:
            self._perform(actions)
            self._done.put(None)

    def _perform(self, actions: list[Callable[[], None]]) -> None:
        for action in actions:
            if self._is_stopped or self._error is not None:
                return
            try:
                action()
            except BaseException as error:  # noqa: BLE001  (it is raised where the work was given)
                self._error = error
