"""SHA-256 of bytes and of streams."""

import hashlib
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_CHUNK = 1 << 18
_BESIDE = 1 << 20
"""Bytes after which a thread is worth its start."""
_AHEAD = 4
"""Pieces that may wait to be hashed: enough for neither side to wait, few enough for flat memory."""


def sha256(data: bytes) -> str:
    """The SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def hash_stream(stream: BinaryIO) -> str:
    """The SHA-256 (hex) of what a stream still gives. Raises `OSError`."""
    digest = Sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


class Sha256:
    """The SHA-256 of a stream, piece by piece.

    What goes beyond the first megabyte is hashed by a thread, so that whoever gives the pieces can read, unpack and
    write meanwhile: hashing is a fifth of the time that large files take.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0
        self._has_thread = True
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        self._size += len(data)
        if self._size <= _BESIDE or not self._has_thread:
            self._digest.update(data)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, "hash")
        if len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        try:
            self._waiting.append(self._pool.submit(self._digest.update, data))
        except RuntimeError:  # the system has no thread to give; it has given none before
            self._pool, self._has_thread = None, False
            self._digest.update(data)

    def hexdigest(self) -> str:
        """The hash in hex, when every piece is in."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return self._digest.hexdigest()
