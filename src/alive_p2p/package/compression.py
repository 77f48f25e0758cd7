"""Reading the gzip around the payload, bounded (format.md §1).

Any gzip writer is accepted and several members in a row; every trailer is checked, and reading stops as soon as
more comes out than was allowed.
"""

import zlib
from typing import Protocol

from alive_p2p.errors import PackageError
from alive_p2p.package.limits import MIB

_CHUNK = 1 << 17
PIECE = 1 << 18
"""Bytes read, and bytes unpacked, at a time."""
_MAGIC = b"\x1f\x8b"

_FREE_MEMBERS = 1_000
_MIN_BYTES_PER_MEMBER = 512
"""Empty gzip members cost time and give nothing: beyond the first thousand each has to bring 512 bytes on average.
Block-wise writers such as bgzip put 64 KiB into each."""


class Decompressor(Protocol):
    """What `zlib.decompressobj` and its faster twin share."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream."""

    @property
    def unconsumed_tail(self) -> bytes:
        """Input that was held back because enough came out."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes:
        """Decompress at most `max_length` bytes."""


def _new_decompressor() -> Decompressor:
    try:
        from zlib_ng import zlib_ng
    except ImportError:
        return zlib.decompressobj(wbits=31)
    made: Decompressor = zlib_ng.decompressobj(wbits=31)
    return made


def damaged(why: str) -> PackageError:
    """The error for a container that is cut off or altered."""
    return PackageError(
        "damaged",
        f"the package is damaged: {why}",
        untouched="everything",
        hint="ask the sender for it again, or fetch it once more",
    )


class Compressed(Protocol):
    """What a gzip stream is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none only at the end."""


class GzipSource:
    """Reads the bytes inside a gzip stream.

    Args:
        stream: the compressed bytes, from their start; a read may give less than it is asked for.
        limit: how many bytes may come out at most.
    """

    def __init__(self, stream: Compressed, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._decompressor = _new_decompressor()
        self._input = b""
        self._output = b""
        self._given = 0  # how much of the output was read
        self._members = 1
        self._total = 0
        self._at_end = False
        self._is_broken = False

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, fewer only at the end of the stream.

        Raises:
            PackageError: the stream is cut off, altered, or gives more than the limit.
        """
        end = self._given + size
        if end <= len(self._output):
            data = self._output[self._given : end]
            self._given = end
            return data
        pieces = [self._output[self._given :]]
        missing = size - len(pieces[0])
        self._output, self._given = b"", 0
        while missing and not self._at_end:
            piece = self._next()
            if len(piece) > missing:
                self._output, self._given = piece, missing
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._total - len(self._output) + self._given

    def skip_to(self, position: int) -> None:
        """Read on without giving anything back, as far as the stream goes.

        Args:
            position: in bytes, not before the present one.

        Raises:
            PackageError: as `read`.
        """
        while (missing := position - self.position) > 0 and self.read(min(missing, PIECE)):
            pass

    def ends_well(self) -> bool:
        """Read on to the end and say whether the stream is whole: every trailer, and whatever lies under it."""
        if self._is_broken:
            return False
        try:
            while self.read(_CHUNK):
                pass
        except PackageError:
            return False
        return True

    def _next(self) -> bytes:
        """One more piece of output; empty at the end, or where the decompressor needs more input."""
        if self._decompressor.eof:
            self._begin_next_member()
            if self._at_end:
                return b""
        if not self._input:
            self._input = self._stream.read(_CHUNK)
            if not self._input:
                raise damaged("it is cut off")
        try:
            piece = self._decompressor.decompress(self._input, min(PIECE, self._limit - self._total + 1))
        except Exception as error:  # zlib.error, or its twin's error class, which is not related to it
            if isinstance(error, (MemoryError, OSError)):
                raise
            raise damaged("its compressed data has been altered") from None
        self._input = b"" if self._decompressor.eof else self._decompressor.unconsumed_tail
        self._total += len(piece)
        if self._total > self._limit:
            raise over_limit(f"it unpacks to more than {self._limit // MIB:,} MiB")
        return piece

    def _begin_next_member(self) -> None:
        rest = self._decompressor.unused_data
        while len(rest) < len(_MAGIC) and (more := self._stream.read(_CHUNK)):
            rest += more
        if not rest:
            self._at_end = True
            return
        if not rest.startswith(_MAGIC):
            self._is_broken = True
            raise damaged("something follows the end of its compressed data")
        self._members += 1
        if self._members > _FREE_MEMBERS and self._total < self._members * _MIN_BYTES_PER_MEMBER:
            raise damaged("its compressed data is made of empty pieces")
        self._decompressor = _new_decompressor()
        self._input = rest


def over_limit(why: str) -> PackageError:
    """The error for a package that is larger than the limits in force."""
    return PackageError(
        "over-limit",
        f"the package is over a limit: {why}",
        untouched="everything",
        hint="if you trust the sender, raise it with `--max-files N` or `--max-bytes N`",
    )
