"""Writing gzip: block by block, on as many processors as there are (format.md §1).

The data is cut into blocks of a fixed size, and each is deflated by itself, with the end of the one before as its
dictionary, so that nothing is lost in size. What comes out depends on the data and on the deflater, never on how
many threads there were. A block that deflating would not make smaller (pictures, sound, archives) is stored: that is
twenty times as fast.
"""

import contextlib
import os
import zlib
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BLOCK = 1 << 20
"""Bytes that are deflated at once: large enough for the dictionary to cost little, small enough for flat memory."""

_LEVEL = 6
_FASTER_LEVEL = 4
"""Of the faster deflater: a thirtieth larger than at its level 6, in two thirds of the time."""
_WINDOW = 1 << 15
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time, no system
_MOST_THREADS = 8

_SAMPLES = 4
_SAMPLE = 4096
_WORTH_IT = 0.97
"""A block is deflated where its samples become smaller than this part of themselves."""


class Output(Protocol):
    """What the compressed bytes are written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of them."""


class _Stream(Protocol):
    """What a stream of `zlib` and one of its faster twin share."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Take the next bytes."""

    def flush(self, mode: int, /) -> bytes:
        """Give what is left."""


class GzipWriter:
    """Writes one gzip member. As a context manager it ends it on leaving, unless something was raised.

    Args:
        output: where the compressed bytes go; left open.
        reproducible: use the standard library's deflater, whatever is installed.

    Every method raises what `output.write` raises.
    """

    def __init__(self, output: Output, *, reproducible: bool) -> None:
        self._output = output
        self._deflater, self._level = _deflater(reproducible=reproducible)
        self._pending: list[bytes] = []
        self._held = 0
        self._dictionary = b""
        self._crc = 0
        self._size = 0
        self._pool: ThreadPoolExecutor | None = None
        self._threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self._waiting: deque[Future[bytes]] = deque()
        output.write(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> int:
        """Take the next bytes, any number of them."""
        size = len(data)
        while self._held + len(data) > BLOCK:  # the last block has to be known as such, so one byte stays
            room = BLOCK - self._held
            self._pending.append(data[:room])
            self._submit(b"".join(self._pending))
            self._pending, self._held = [], 0
            data = data[room:]
        self._pending.append(data)
        self._held += len(data)
        return size

    def _submit(self, block: bytes) -> None:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, "deflate")
        self._waiting.append(self._pool.submit(self._deflated, block, self._dictionary, is_last=False))
        self._note(block)
        if len(self._waiting) > self._threads:
            self._output.write(self._waiting.popleft().result())

    def _note(self, block: bytes) -> None:
        self._dictionary = block[-_WINDOW:]
        self._crc = self._deflater.crc32(block, self._crc)
        self._size += len(block)

    def _finish(self) -> None:
        block = b"".join(self._pending)
        last = self._deflated(block, self._dictionary, is_last=True)
        self._note(block)
        while self._waiting:
            self._output.write(self._waiting.popleft().result())
        self._output.write(last)
        self._output.write(self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little"))

    def _deflated(self, block: bytes, dictionary: bytes, *, is_last: bool) -> bytes:
        level = self._level if self._is_worth_it(block) else 0
        stream = self._stream(level, dictionary if level else b"")
        return stream.compress(block) + stream.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)

    def _stream(self, level: int, dictionary: bytes = b"") -> _Stream:
        options = {"zdict": dictionary} if dictionary else {}
        made: _Stream = self._deflater.compressobj(level, wbits=-zlib.MAX_WBITS, **options)
        return made

    def _is_worth_it(self, block: bytes) -> bool:
        """Whether deflating makes a block smaller, by a few samples of it."""
        if len(block) <= _SAMPLES * _SAMPLE:
            return True
        view = memoryview(block)
        step = (len(block) - _SAMPLE) // (_SAMPLES - 1)
        for start in range(0, _SAMPLES * step, step):
            sample = self._stream(1)
            size = len(sample.compress(view[start : start + _SAMPLE])) + len(sample.flush(zlib.Z_FINISH))
            if size < _SAMPLE * _WORTH_IT:
                return True
        return False


def _deflater(*, reproducible: bool) -> tuple[Any, int]:
    """The module that deflates, and the level at which it does."""
    if not reproducible:
        with contextlib.suppress(ImportError):
            from zlib_ng import zlib_ng

            return zlib_ng, _FASTER_LEVEL
    return zlib, _LEVEL
