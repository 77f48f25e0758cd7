"""The header of an age file: who it is for, read strictly and with bounds (format.md §5).

It is read before any key is tried, and before the age library sees a byte: a hostile header must cost nothing.
"""

import binascii
import re
from dataclasses import dataclass, field

from alive_p2p.package.envelopes.age_armor import BEGIN, MAX_WHITESPACE, DearmoredSource
from alive_p2p.package.envelopes.age_errors import AgeHeaderOverLimitError, CannotOpenAgeError
from alive_p2p.package.envelopes.base import Readable

VERSION_LINE = b"age-encryption.org/v1"
MAX_HEADER_BYTES = 1 << 20
"""A recipient takes about 100 bytes, with RSA of 4,096 bits 730: room for more than anybody shares with."""
MAX_STANZAS = 1_000
"""Every stanza may cost a private-key operation."""

_CHUNK = 1 << 16
_BODY_COLUMNS = 64
_ARGUMENTS = re.compile(rb"[!-~]+(?: [!-~]+)*")
_MAC_LINE = re.compile(rb"--- ([A-Za-z0-9+/]{43})")
_SSH_TYPES = frozenset({"ssh-ed25519", "ssh-rsa"})
_SSH_TAG_BYTES = 4


@dataclass(frozen=True)
class Stanza:
    """One recipient's part of the header.

    Attributes:
        kind: its first argument, such as `X25519`, `ssh-rsa`, `scrypt`.
        arguments: the others.
        body: the file key, wrapped.
    """

    kind: str
    arguments: tuple[str, ...]
    body: bytes = field(repr=False)

    @property
    def is_grease(self) -> bool:
        """Whether it is noise that belongs to nobody, which some implementations add on purpose."""
        return self.kind.endswith("-grease")


@dataclass(frozen=True)
class AgeHeader:
    """What an age file tells about itself without a key. None of it is authenticated.

    Attributes:
        stanzas: in the order of the file, at least one.
        raw: the header's bytes, armor taken off, up to and with the line of the MAC.
        mac: the 32 bytes of the MAC.
        payload: what follows the header, armor taken off; it can be read once.
        armored: whether the file is ASCII-armored.
    """

    stanzas: tuple[Stanza, ...]
    raw: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    payload: Readable = field(repr=False, compare=False)
    armored: bool

    @property
    def authenticated(self) -> bytes:
        """The part of the header over which the MAC is made: up to and with the three dashes."""
        return self.raw[: self.raw.rindex(b"\n---") + 4]

    @property
    def is_passphrase(self) -> bool:
        """Whether a passphrase opens it."""
        return self.stanzas[0].kind == "scrypt"

    @property
    def recipients(self) -> int:
        """How many recipients it has; a passphrase counts as one."""
        return sum(not stanza.is_grease for stanza in self.stanzas)

    @property
    def ssh_tags(self) -> tuple[bytes, ...]:
        """The tags of its SSH recipients: the first four bytes of the SHA-256 of the key in SSH's wire format."""
        found = []
        for stanza in self.stanzas:
            if stanza.kind in _SSH_TYPES and stanza.arguments:
                try:
                    tag = decode_base64(stanza.arguments[0].encode("ascii"))
                except CannotOpenAgeError:
                    continue  # such a stanza matches no key
                if len(tag) == _SSH_TAG_BYTES:
                    found.append(tag)
        return tuple(found)


def decode_base64(text: bytes) -> bytes:
    """Decode base64 without padding, accepting only the one canonical spelling.

    Raises:
        CannotOpenAgeError: it is spelled otherwise, or is not base64.
    """
    try:
        data = binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise CannotOpenAgeError from None
    if encode_base64(data) != text:
        raise CannotOpenAgeError
    return data


def encode_base64(data: bytes) -> bytes:
    """Encode as base64 without padding."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=")


def read_header(stream: Readable) -> AgeHeader:
    """Read the header of an age file, binary or armored (format.md §5).

    Args:
        stream: the file from its start. It is read in blocks, so it ends up somewhere in the payload: go on with the
            header's `payload`, or seek back.

    Raises:
        CannotOpenAgeError: it is malformed or cut off, or a passphrase stands beside other recipients.
        AgeHeaderOverLimitError: it has more than 1 MiB or 1,000 stanzas.
    """
    lines = _Lines(stream)
    armored = not lines.starts_with(VERSION_LINE)
    if armored:
        if not lines.is_armor():
            raise CannotOpenAgeError
        lines = _Lines(DearmoredSource(lines.rest()))
    if lines.next() != VERSION_LINE:
        raise CannotOpenAgeError
    stanzas: list[Stanza] = []
    while not (line := lines.next()).startswith(b"---"):
        if len(stanzas) == MAX_STANZAS:
            raise AgeHeaderOverLimitError(f"more than {MAX_STANZAS:,} recipients")
        stanzas.append(_read_stanza(line, lines))
    mac = _MAC_LINE.fullmatch(line)
    if mac is None or not stanzas:
        raise CannotOpenAgeError
    if len(stanzas) > 1 and any(stanza.kind == "scrypt" for stanza in stanzas):
        # Whoever knows a passphrase may not be led to believe that nobody else can read or could have written it.
        raise CannotOpenAgeError
    return AgeHeader(tuple(stanzas), lines.taken(), decode_base64(mac[1]), lines.rest(), armored)


def _read_stanza(first: bytes, lines: "_Lines") -> Stanza:
    if not first.startswith(b"-> ") or not _ARGUMENTS.fullmatch(first, 3):
        raise CannotOpenAgeError
    kind, *arguments = first[3:].decode("ascii").split(" ")
    body = []
    while True:  # full lines, then exactly one that is not full, even if it is empty
        line = lines.next()
        if len(line) > _BODY_COLUMNS:
            raise CannotOpenAgeError
        body.append(line)
        if len(line) < _BODY_COLUMNS:
            return Stanza(kind, tuple(arguments), decode_base64(b"".join(body)))


class _Prefixed:
    """A stream with bytes that were read ahead in front of it."""

    def __init__(self, ahead: bytes, stream: Readable) -> None:
        self._ahead = ahead
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._stream.read(size)


class _Lines:
    """The header's lines, as many bytes of them as a header may have."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._data = bytearray()
        self._at = 0

    def next(self) -> bytes:
        """The next line without its end."""
        searched = self._at
        while (end := self._data.find(b"\n", searched)) < 0:
            searched = len(self._data)
            if searched > MAX_HEADER_BYTES:
                raise _too_long()
            if not self._more():
                raise CannotOpenAgeError
        if end >= MAX_HEADER_BYTES:
            raise _too_long()
        line = bytes(self._data[self._at : end])
        self._at = end + 1
        return line

    def starts_with(self, text: bytes) -> bool:
        """Whether the file starts so."""
        while len(self._data) < len(text) and self._more():
            pass
        return self._data.startswith(text)

    def is_armor(self) -> bool:
        """Whether armor begins here, after a little whitespace."""
        while len(self._data) < MAX_WHITESPACE + len(BEGIN) and self._more():
            pass
        return self._data.lstrip().startswith(BEGIN)

    def taken(self) -> bytes:
        """What has been given out as lines."""
        return bytes(self._data[: self._at])

    def rest(self) -> Readable:
        """What follows them."""
        return _Prefixed(bytes(self._data[self._at :]), self._stream)

    def _more(self) -> bool:
        piece = self._stream.read(_CHUNK)
        self._data += piece
        return bool(piece)


def _too_long() -> AgeHeaderOverLimitError:
    return AgeHeaderOverLimitError(f"more than {MAX_HEADER_BYTES >> 20} MiB")
