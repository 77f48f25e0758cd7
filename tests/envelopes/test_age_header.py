"""The header and the armor of an age file: one spelling, bounded, and nothing hidden in it (format.md §5)."""

import base64
import contextlib
import hashlib
import io
import os
import textwrap

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.package.envelopes.age_armor import DearmoredSource
from alive_p2p.package.envelopes.age_errors import AgeHeaderOverLimitError, CannotOpenAgeError
from alive_p2p.package.envelopes.age_header import (
    MAX_HEADER_BYTES,
    MAX_STANZAS,
    decode_base64,
    encode_base64,
    read_header,
)

_VERSION = b"age-encryption.org/v1\n"
_STANZA = b"-> X25519 abc\n" + encode_base64(bytes(32)) + b"\n"
_MAC = b"--- " + encode_base64(bytes(32)) + b"\n"
_BEGIN, _END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"


def _armor(data: bytes, end: str = "\n") -> bytes:
    lines = [_BEGIN, *textwrap.wrap(base64.b64encode(data).decode(), 64), _END]
    return "".join(line + end for line in lines).encode()


def _dearmor(text: bytes, size: int = 1000) -> bytes:
    source = DearmoredSource(io.BytesIO(text))
    return b"".join(iter(lambda: source.read(size), b""))


def test_header_tells_who_it_is_for() -> None:
    """Native and SSH recipients, their tags, and where the payload begins."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    ssh = pyrage.ssh.Recipient.from_str(public.decode())
    native = pyrage.x25519.Identity.generate().to_public()
    sealed = pyrage.encrypt(b"content", [ssh, native, native])

    header = read_header(io.BytesIO(sealed))

    assert not header.is_passphrase
    assert not header.armored
    assert header.recipients == 3
    assert [stanza.kind for stanza in header.stanzas if not stanza.is_grease] == ["ssh-ed25519", "X25519", "X25519"]
    assert header.ssh_tags == (hashlib.sha256(base64.b64decode(public.split()[1])).digest()[:4],)
    assert header.raw + header.payload.read(1 << 20) == sealed
    assert header.authenticated.endswith(b"\n---")


def test_armored_header_gives_the_same() -> None:
    """Armor is only another spelling."""
    sealed = _VERSION + b"-> scrypt abcd 1\n\n" + _MAC + b"payload"
    plain, armored = read_header(io.BytesIO(sealed)), read_header(io.BytesIO(_armor(sealed)))

    assert plain.is_passphrase
    assert plain.recipients == 1
    assert plain.ssh_tags == ()
    assert armored.armored
    assert (armored.stanzas, armored.raw, armored.mac) == (plain.stanzas, plain.raw, plain.mac)
    assert armored.payload.read(1 << 20) == plain.payload.read(1 << 20)


def test_malformed_ssh_tag_is_nobodys() -> None:
    """It belongs to no key, and is no reason to refuse the file."""
    stanzas = b"".join(b"-> ssh-rsa%b\n\n" % tag for tag in (b"", b" !", b" AB", b" AA", b" AAAAAA"))
    assert read_header(io.BytesIO(_VERSION + stanzas + _MAC)).ssh_tags == (bytes(4),)


class _Dribbling:
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, 7))


def test_header_comes_in_any_pieces() -> None:
    """From a pipe, binary and armored, with whitespace before the armor."""
    sealed = _VERSION + _STANZA * 3 + _MAC + b"payload"
    for text in (sealed, _armor(sealed), b"\n" * 20 + _armor(sealed)):
        header = read_header(_Dribbling(text))
        assert header.recipients == 3
        assert b"".join(iter(lambda: header.payload.read(100), b"")) == b"payload"  # noqa: B023


def test_secret_parts_do_not_appear_in_its_text() -> None:
    """A header in a log or a traceback shows who it is for and nothing else."""
    text = repr(read_header(io.BytesIO(_VERSION + _STANZA + _MAC)))
    assert "X25519" in text
    assert "x00" not in text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"age-encryption.org/v2\n" + _STANZA + _MAC, id="another version"),
        pytest.param(_VERSION.replace(b"\n", b"\r\n") + _STANZA + _MAC, id="CRLF"),
        pytest.param(_VERSION + _MAC, id="no recipients"),
        pytest.param(_VERSION + _STANZA, id="no MAC"),
        pytest.param(_VERSION + _STANZA + _MAC[:-1], id="MAC without an end of line"),
        pytest.param(_VERSION + _STANZA + _MAC.replace(b"--- ", b"---"), id="MAC without a space"),
        pytest.param(_VERSION + _STANZA + _MAC.replace(b"\n", b" \n"), id="a space after the MAC"),
        pytest.param(_VERSION + _STANZA + b"--- " + encode_base64(bytes(31)) + b"\n", id="short MAC"),
        pytest.param(_VERSION + _STANZA + _MAC[:-2] + b"B\n", id="MAC not canonical"),
        pytest.param(_VERSION + b"-> \n\n" + _MAC, id="stanza without a type"),
        pytest.param(_VERSION + b"-> X  a\n\n" + _MAC, id="two spaces"),
        pytest.param(_VERSION + b"-> X a \n\n" + _MAC, id="a space at the end"),
        pytest.param(_VERSION + b"-> X\ta\n\n" + _MAC, id="a tab"),
        pytest.param(_VERSION + "-> X é\n\n".encode() + _MAC, id="not ASCII"),
        pytest.param(_VERSION + b"->X\n\n" + _MAC, id="no space after the arrow"),
        pytest.param(_VERSION + b"-> X\n" + b"A" * 64 + b"\n" + _MAC, id="no short last line"),
        pytest.param(_VERSION + b"-> X\n" + b"A" * 68 + b"\n\n" + _MAC, id="long line"),
        pytest.param(_VERSION + b"-> X\nAA==\n" + _MAC, id="padding"),
        pytest.param(_VERSION + b"-> X\nAB\n" + _MAC, id="spare bits"),
        pytest.param(_VERSION + b"-> X\nA\n" + _MAC, id="one character"),
        pytest.param(_VERSION + b"-> X\nA A\n" + _MAC, id="a space in the body"),
        pytest.param(_VERSION + b"-> scrypt a 1\n\n" + _STANZA + _MAC, id="a passphrase beside a key"),
        pytest.param(_VERSION + _STANZA + b"-> scrypt a 1\n\n" + _MAC, id="a key beside a passphrase"),
        pytest.param(_VERSION + b"-> scrypt a 1\n\n-> scrypt b 1\n\n" + _MAC, id="two passphrases"),
    ],
)
def test_malformed_header_is_refused(data: bytes) -> None:
    """One defect each, binary and armored, and the one message for all."""
    for spelling in (data, _armor(data)):
        with pytest.raises(CannotOpenAgeError):
            read_header(io.BytesIO(spelling))


class _Endless:
    """A stream without an end; counts what was taken."""

    def __init__(self, start: bytes, repeated: bytes) -> None:
        self._start, self._repeated = start, repeated
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        while len(self._start) < size:
            self._start += self._repeated * (size // len(self._repeated) + 1)
        piece, self._start = self._start[:size], self._start[size:]
        self.taken += len(piece)
        return piece


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (_VERSION, _STANZA),
        (_VERSION + b"-> X ", b"a"),
        (_VERSION + b"-> ", b"a "),
        (_VERSION + b"-> X\n", b"A" * 64 + b"\n"),
        (_VERSION, b"-> " + b"a " * 3000 + b"a\n\n"),
    ],
)
def test_header_bomb_is_refused_early(start: bytes, repeated: bytes) -> None:
    """However it is made large, little more than the limit is read."""
    stream = _Endless(start, repeated)
    with pytest.raises(AgeHeaderOverLimitError) as caught:
        read_header(stream)
    assert caught.value.code == "bad-age-header"
    assert stream.taken <= MAX_HEADER_BYTES + (128 << 10)


def test_the_largest_header_is_read() -> None:
    """The limits themselves are allowed."""
    full = _VERSION + _STANZA * MAX_STANZAS + _MAC
    assert len(read_header(io.BytesIO(full)).stanzas) == MAX_STANZAS
    with pytest.raises(AgeHeaderOverLimitError, match="1,000"):
        read_header(io.BytesIO(_VERSION + _STANZA * (MAX_STANZAS + 1) + _MAC))

    fixed = len(_VERSION + b"-> X \n\n" + _MAC)
    exact = _VERSION + b"-> X " + b"a" * (MAX_HEADER_BYTES - fixed) + b"\n\n" + _MAC
    assert len(read_header(io.BytesIO(exact + b"payload")).raw) == MAX_HEADER_BYTES
    with pytest.raises(AgeHeaderOverLimitError, match="1 MiB"):
        read_header(io.BytesIO(exact.replace(b"aa", b"aaa", 1)))


def test_bomb_without_lines_in_armor_is_refused_early() -> None:
    """Whitespace before the armor and lines inside it are bounded too."""
    for start, repeated in ((b"", b" "), (b"", b"\n"), (b"", b"x"), (f"{_BEGIN}\n".encode(), b"A")):
        stream = _Endless(start, repeated)
        with pytest.raises(CannotOpenAgeError):
            read_header(stream)
        assert stream.taken < 1 << 18


@given(st.binary(max_size=300), st.sampled_from(["\n", "\r\n"]), st.integers(1, 400))
def test_armor_comes_off_as_it_was_put_on(data: bytes, end: str, size: int) -> None:
    """Any length, either end of line, any size of reading."""
    assert _dearmor(_armor(data, end), size) == data


def test_armor_comes_off_in_constant_pieces() -> None:
    """Across the blocks in which it is read."""
    data = os.urandom(300_000)
    for end in ("\n", "\r\n"):
        assert _dearmor(_armor(data, end), 70_000) == data


@given(st.binary(min_size=1, max_size=60), st.data())
def test_armor_has_one_spelling(data: bytes, draw: st.DataObject) -> None:
    """Whatever is changed in it is refused, or gives other bytes: no two texts mean the same."""
    text = _armor(data)
    at = draw.draw(st.integers(0, len(text) - 2))
    changed = bytearray(text)
    changed[at] = draw.draw(st.integers(0, 255).filter(lambda value: value != text[at]))
    with contextlib.suppress(CannotOpenAgeError):
        assert _dearmor(bytes(changed)) != data


@pytest.mark.parametrize(
    "text",
    [
        _armor(bytes(60)).strip(),
        b"\n \r\n\t\n" + _armor(bytes(60)),
        _armor(bytes(60)) + b"\n \r\n\t\n",
        _armor(bytes(60)) + b" " * 1000,
    ],
)
def test_a_little_whitespace_around_the_armor_is_allowed(text: bytes) -> None:
    """As it comes from mail and from copying."""
    assert _dearmor(text) == bytes(60)


_GOOD = _armor(bytes(range(100)))
_LINES = _GOOD.decode().splitlines()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param("\n".join(_LINES[:-1]).encode(), id="no end line"),
        pytest.param("\n".join(_LINES[1:]).encode(), id="no begin line"),
        pytest.param(_GOOD.replace(b"\n", b"\n\n", 1), id="an empty line first"),
        pytest.param(_GOOD.replace(b"-----END", b"\n-----END"), id="an empty line last"),
        pytest.param(_GOOD.replace(b"\n", b"\nComment: x\n\n", 1), id="headers"),
        pytest.param(_GOOD.replace(b"\n", b" \n", 2), id="whitespace at the end of a line"),
        pytest.param(_GOOD.replace(b"\n", b"\n ", 1), id="whitespace at the start of a line"),
        pytest.param(_GOOD.replace(b"\n", b"\r", 2), id="CR alone"),
        pytest.param(_GOOD.replace(b"=\n-", b"\n-"), id="padding missing"),
        pytest.param(_GOOD.replace(b"==\n-", b"\n-"), id="all padding missing"),
        pytest.param(_GOOD.replace(b"==\n-", b"===\n-"), id="padding too long"),
        pytest.param(_GOOD.replace(b"==\n-", b"=\n=\n-"), id="padding on two lines"),
        pytest.param(_GOOD.replace(b"Yw==", b"Yx=="), id="spare bits"),
        pytest.param("\n".join([*_LINES[:2], _LINES[2][:60], _LINES[2][60:], *_LINES[3:]]).encode(), id="short line"),
        pytest.param("\n".join([_LINES[0], _LINES[1] + _LINES[2][:4], *_LINES[3:]]).encode(), id="long line"),
        pytest.param(_GOOD + b"x", id="something after it"),
        pytest.param(_GOOD + _GOOD, id="two of them"),
        pytest.param(_GOOD + b" " * 1025, id="too much whitespace after it"),
        pytest.param(b"\n" * 1025 + _GOOD, id="too much whitespace before it"),
        pytest.param(b"x\n" + _GOOD, id="something before it"),
        pytest.param(_GOOD.replace(b"AGE ENCRYPTED FILE", b"MESSAGE"), id="another type"),
        pytest.param(_GOOD.lower(), id="lower case"),
    ],
)
def test_malformed_armor_is_refused(text: bytes) -> None:
    """One defect each."""
    assert _dearmor(_GOOD) == bytes(range(100))
    assert text != _GOOD
    with pytest.raises(CannotOpenAgeError):
        _dearmor(text)


@given(st.binary(max_size=200))
def test_base64_without_padding_has_one_spelling(data: bytes) -> None:
    """There and back."""
    assert decode_base64(encode_base64(data)) == data


@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    """No other exception, whatever comes."""
    for start in (b"", _VERSION, _VERSION + b"-> ", _VERSION + _STANZA + b"--- ", f"{_BEGIN}\n".encode()):
        try:
            header = read_header(io.BytesIO(start + data))
        except CannotOpenAgeError:
            continue
        assert header.stanzas
