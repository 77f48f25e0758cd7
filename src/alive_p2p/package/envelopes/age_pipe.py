"""A bounded pipe between two threads: bytes put in on one side are taken out on the other (format.md §5).

The age library wants to pull what it reads and to push what it writes, for a whole file in one call. Where we push and
pull ourselves, it works in a thread of its own behind such a pipe.
"""

import threading
from collections import deque

PIECE_BYTES = 1 << 17
"""The library moves 8 KiB at a time: handing over each of them would be mostly waiting and waking."""
MAX_PIECES = 4

_PATIENCE_SECONDS = 5.0


class AbortedError(Exception):
    """The other side has gone. It never leaves this package's age modules."""


class Pipe:
    """One thread puts, another takes; either may abort."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._gathered = bytearray()  # touched only by the side that puts
        self._ended = False
        self._aborted = False

    def put(self, data: bytes | memoryview) -> None:
        """Hand over bytes, in pieces; waits while the other side is behind.

        Raises:
            AbortedError: the pipe was aborted.
        """
        view = memoryview(data).cast("B")
        while view:
            room = PIECE_BYTES - len(self._gathered)
            self._gathered += view[:room]
            view = view[room:]
            if len(self._gathered) == PIECE_BYTES:
                self._hand_over()

    def end(self) -> None:
        """Say that nothing more comes, and hand over what was gathered.

        Raises:
            AbortedError: the pipe was aborted.
        """
        if self._gathered:
            self._hand_over()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> bytes:
        """The next piece; none only after the end.

        Raises:
            AbortedError: the pipe was aborted.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended or self._aborted)
            if self._aborted:
                raise AbortedError
            if not self._pieces:
                return b""
            piece = self._pieces.popleft()
            self._changed.notify_all()
            return piece

    def abort(self) -> None:
        """End it for both sides: whoever waits or comes later gets `AbortedError`."""
        with self._changed:
            self._aborted = True
            self._pieces.clear()
            self._changed.notify_all()

    def _hand_over(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._pieces) < MAX_PIECES or self._aborted)
            if self._aborted:
                raise AbortedError
            self._pieces.append(bytes(self._gathered))
            self._changed.notify_all()
        self._gathered.clear()


class PipeReader:
    """The taking side as a stream."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none only at the end.

        Raises:
            AbortedError: the pipe was aborted.
        """
        if not self._rest:
            self._rest = memoryview(self._pipe.take())
        piece = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        return piece


class PipeWriter:
    """The putting side as a stream."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def write(self, data: bytes, /) -> int:
        """Hand over bytes. Raises `AbortedError` if the pipe was aborted."""
        self._pipe.put(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: what was gathered is handed over at the end."""


def stop(pipe: Pipe, worker: threading.Thread) -> None:
    """Abort a pipe and see its worker end; one that hangs in the operating system is not waited for endlessly."""
    pipe.abort()
    worker.join(_PATIENCE_SECONDS)
