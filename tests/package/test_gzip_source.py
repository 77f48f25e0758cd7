"""Reading gzip: bounded, strict at its end, indifferent to how it was written (format.md §1)."""

import bz2
import gzip
import io
import lzma
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import PackageError
from alive_p2p.package.compression import GzipSource

_MANY = 1 << 40


class _Dribbling(io.RawIOBase):
    """A stream that gives only a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__()
        self._data, self._step = io.BytesIO(data), step

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, self._step) if size >= 0 else self._step)


def _everything(data: bytes, limit: int = _MANY) -> bytes:
    return GzipSource(io.BytesIO(data), limit).read(_MANY)


@pytest.mark.usefixtures("backend")
@given(
    st.lists(st.binary(max_size=2000), min_size=1, max_size=4),
    st.lists(st.integers(0, 700), max_size=30),
    st.integers(2, 99),
)
def test_a_read_returns_exactly_what_is_asked_for(parts: list[bytes], sizes: list[int], step: int) -> None:
    """Across member borders and short reads of the file below; fewer bytes only at the very end."""
    expected = io.BytesIO(b"".join(parts))
    source = GzipSource(_Dribbling(b"".join(map(gzip.compress, parts)), step), _MANY)  # type: ignore[arg-type]
    for size in [*sizes, 10_000, 1]:
        assert source.read(size) == expected.read(size)


@pytest.mark.usefixtures("backend")
def test_a_stream_that_gives_single_bytes_is_read() -> None:
    """A short read is not the end: decrypting streams and pipes give what they have."""
    both = gzip.compress(b"first") + gzip.compress(b"second")
    assert GzipSource(_Dribbling(both, 1), _MANY).read(_MANY) == b"firstsecond"  # type: ignore[arg-type]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_every_level_is_read(level: int) -> None:
    """Stored blocks as well."""
    data = bytes(range(256)) * 2000
    assert _everything(gzip.compress(data, level)) == data


def _with_flags(data: bytes, flags: int) -> bytes:
    """A gzip stream whose header has every optional part that `flags` names."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\1\2\3\4\0\3"
    if flags & 4:
        head += b"\x05\0extra"
    if flags & 8:
        head += b"name.tar\0"
    if flags & 16:
        head += b"a comment\0"
    if flags & 2:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(data) + packer.flush()
    return head + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("flags", range(0, 32, 1))
def test_every_optional_header_part_is_read(flags: int) -> None:
    """Name, comment, extra field and header checksum, in every combination."""
    assert _everything(_with_flags(b"content", flags)) == b"content"


@pytest.mark.usefixtures("backend")
def test_a_stream_cut_off_anywhere_is_refused() -> None:
    """At every byte but the border between two members."""
    one, two = gzip.compress(b"first" * 50), gzip.compress(b"second" * 50)
    for length in range(len(one) + len(two)):
        if length == len(one):
            continue
        with pytest.raises(PackageError) as caught:
            _everything((one + two)[:length])
        assert caught.value.code == "damaged"


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("at", range(-8, 0))
def test_an_altered_trailer_is_refused(at: int) -> None:
    """The checksum and the size are both compared."""
    data = bytearray(gzip.compress(b"content"))
    data[at] ^= 1
    with pytest.raises(PackageError, match="altered"):
        _everything(bytes(data))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("rest", [b"\0", b"\0" * 512, b"x", b"\x1f", b"\x1f\x8b", b"PK\x03\x04", b"\x1f\x8b\x08\0junk"])
def test_something_after_the_stream_is_refused(rest: bytes) -> None:
    """Zeros, garbage, and the beginning of a member that never comes."""
    with pytest.raises(PackageError) as caught:
        _everything(gzip.compress(b"content") + rest)
    assert caught.value.code == "damaged"


@pytest.mark.usefixtures("backend")
def test_a_member_border_on_a_chunk_border_is_seen() -> None:
    """Where the first member ends exactly with what was read, the next one is still found, and so is garbage."""
    first = gzip.compress(b"first")
    for step in (len(first), len(first) + 1):
        both = _Dribbling(first + gzip.compress(b"second"), step)
        assert GzipSource(both, _MANY).read(_MANY) == b"firstsecond"  # type: ignore[arg-type]
        with pytest.raises(PackageError, match="follows the end"):
            GzipSource(_Dribbling(first + b"zz", step), _MANY).read(_MANY)  # type: ignore[arg-type]


@pytest.mark.usefixtures("backend")
def test_exactly_the_limit_is_allowed_and_one_byte_more_is_not() -> None:
    """The limit is on what comes out."""
    assert _everything(gzip.compress(bytes(5000)), 5000) == bytes(5000)
    with pytest.raises(PackageError) as caught:
        _everything(gzip.compress(bytes(5001)), 5000)
    assert caught.value.code == "over-limit"


@pytest.mark.usefixtures("backend")
def test_a_bomb_is_stopped_at_the_limit() -> None:
    """Not at its end: what lies beyond is neither decompressed nor read from the file."""
    block = bytes(1 << 20)
    packer = zlib.compressobj(1, wbits=31)
    bomb = b"".join(packer.compress(block) for _ in range(80)) + packer.flush()
    file = io.BytesIO(bomb)
    source = GzipSource(file, 4 << 20)
    assert len(source.read(4 << 20)) == 4 << 20
    with pytest.raises(PackageError) as caught:
        source.read(1 << 18)
    assert caught.value.code == "over-limit"
    assert file.tell() < len(bomb) / 2


@pytest.mark.usefixtures("backend")
def test_countless_empty_members_are_refused() -> None:
    """They cost time and bring nothing; a reasonable number is allowed."""
    empty = gzip.compress(b"")
    assert _everything(empty * 500 + gzip.compress(b"x")) == b"x"
    with pytest.raises(PackageError, match="empty pieces"):
        _everything(empty * 1500)


@pytest.mark.usefixtures("backend")
def test_thousands_of_members_with_content_are_read() -> None:
    """As a block-wise writer makes them."""
    assert len(_everything(gzip.compress(bytes(1000)) * 2000)) == 2_000_000


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"\x1f\x8b\x07\0\0\0\0\0\0\3",
        b"\x1f\x8b\x08\xe0\0\0\0\0\0\3" + b"\3\0" + bytes(8),
        bz2.compress(b"x"),
        lzma.compress(b"x"),
        zlib.compress(b"x"),
        b"\x1f\x9d\x90",
    ],
    ids=["empty", "magic", "method", "reserved-flags", "bzip2", "xz", "zlib", "compress"],
)
def test_what_is_not_gzip_is_refused(data: bytes) -> None:
    """Another method, reserved flags, other compressors: our error, never theirs."""
    with pytest.raises(PackageError):
        _everything(data)
