"""The ASCII armor around an age file, taken off as it is read (format.md §5).

Strict, as age's own specification demands: full lines of 64 characters, canonical base64, LF or CRLF, and around it
nothing but a little whitespace. An armored file has exactly one form, so nothing can hide in it.
"""

import binascii

from alive_p2p.package.envelopes.age_errors import CannotOpenAgeError
from alive_p2p.package.envelopes.base import Readable

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
MAX_WHITESPACE = 1024
"""How much whitespace may stand before and after, the same as in the age command."""

_END = b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64
_CHUNK = 1 << 16


class DearmoredSource:
    """Reads the binary age file inside an armored one.

    Args:
        stream: the text, positioned at its start.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._incomplete = b""
        self._output = bytearray()
        self._whitespace = 0
        self._begun = False
        self._body_is_over = False
        self._at_end = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none only at the end.

        Raises:
            CannotOpenAgeError: the armor is cut off or malformed.
        """
        while not self._output and not self._at_end:
            self._fill()
        data = bytes(self._output[:size])
        del self._output[:size]
        return data

    def _fill(self) -> None:
        more = self._stream.read(_CHUNK)
        *lines, self._incomplete = (self._incomplete + more).split(b"\n")
        if not more:  # the last line needs no end
            lines, self._incomplete = [self._incomplete], b""
        elif len(self._incomplete) > MAX_WHITESPACE + len(BEGIN):
            raise CannotOpenAgeError
        body = []
        for number, line in enumerate(lines):
            text = line.removesuffix(b"\r")
            if text == _END and self._begun:
                self._finish(b"\n".join([*lines[number + 1 :], self._incomplete]), ended=not more)
                break
            if not self._begun:
                self._begin(text)
            else:
                self._check(text)
                body.append(text)
        self._decode(b"".join(body))
        if not more and not self._at_end:
            raise CannotOpenAgeError

    def _begin(self, line: bytes) -> None:
        if line == BEGIN:
            self._begun = True
            return
        self._whitespace += len(line) + 1
        if line.strip() or self._whitespace > MAX_WHITESPACE:
            raise CannotOpenAgeError

    def _check(self, line: bytes) -> None:
        """A line of the body: full, or the last one, and never empty."""
        if self._body_is_over or not 0 < len(line) <= _COLUMNS:
            raise CannotOpenAgeError
        self._body_is_over = len(line) < _COLUMNS or line.endswith(b"=")

    def _decode(self, text: bytes) -> None:
        try:
            data = binascii.a2b_base64(text)
        except binascii.Error:
            raise CannotOpenAgeError from None
        # Only canonical base64 comes out again as it went in: no stray characters, no padding inside, no spare bits.
        if binascii.b2a_base64(data, newline=False) != text:
            raise CannotOpenAgeError
        self._output += data

    def _finish(self, rest: bytes, *, ended: bool) -> None:
        """Check that nothing but a little whitespace follows, before the last bytes are handed out."""
        while not ended and len(rest) <= MAX_WHITESPACE:
            more = self._stream.read(_CHUNK)
            rest += more
            ended = not more
        if rest.strip() or len(rest) > MAX_WHITESPACE:
            raise CannotOpenAgeError
        self._at_end = True
