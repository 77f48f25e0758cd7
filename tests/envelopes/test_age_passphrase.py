"""age with a passphrase: what is sealed opens, and nothing that was touched does (format.md §5)."""

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package.envelopes.age_errors import CannotOpenAgeError, WorkFactorTooHighError
from alive_p2p.package.envelopes.age_header import AgeHeader, read_header
from alive_p2p.package.envelopes.age_passphrase import CHUNK_BYTES, WORK_FACTOR, PassphraseSealer, PassphraseSource
from alive_p2p.package.envelopes.base import cannot_open

_SEALED_CHUNK = CHUNK_BYTES + 16
_PASSPHRASE = os.urandom(12).hex().encode()
_SIZES = (0, 1, 65_535, 65_536, 65_537, 3 * 65_536)


def _seal(data: bytes, *, step: int = 1 << 20, work_factor: int = 1) -> bytes:
    output = io.BytesIO()
    sealer = PassphraseSealer(output, _PASSPHRASE, work_factor=work_factor)
    for at in range(0, len(data), step):
        sealer.write(data[at : at + step])
    sealer.close()
    assert not output.closed
    return output.getvalue()


class _Dribbling:
    """Gives fewer bytes than asked for, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, 777))


def _source(sealed: bytes, passphrase: bytes = _PASSPHRASE) -> PassphraseSource:
    header = read_header(io.BytesIO(sealed))
    return PassphraseSource(header.payload, header, passphrase)


def _pieces(sealed: bytes, passphrase: bytes = _PASSPHRASE, size: int = 100_000) -> Iterator[bytes]:
    source = _source(sealed, passphrase)
    while piece := source.read(size):
        assert len(piece) <= size
        yield piece
    assert source.read(size) == b""


def _open(sealed: bytes, passphrase: bytes = _PASSPHRASE) -> bytes:
    return b"".join(_pieces(sealed, passphrase))


def _regions(sealed: bytes) -> dict[str, range]:
    header = read_header(io.BytesIO(sealed))
    stanza = sealed.index(b"\n") + 1
    body = sealed.index(b"\n", stanza) + 1
    mac = header.raw.rindex(b"--- ")
    payload = len(header.raw)
    chunks = payload + 16
    return {
        "version line": range(stanza),
        "stanza arguments": range(stanza, body),
        "stanza body": range(body, mac),
        "mac": range(mac, payload),
        "nonce": range(payload, chunks),
        "first chunk": range(chunks, chunks + _SEALED_CHUNK),
        "middle chunk": range(chunks + _SEALED_CHUNK, chunks + 2 * _SEALED_CHUNK),
        "last chunk": range(chunks + 2 * _SEALED_CHUNK, len(sealed)),
    }


@pytest.mark.parametrize("size", _SIZES)
def test_what_is_sealed_opens(size: int) -> None:
    """Every boundary of the chunks, written and read in other steps than theirs."""
    data = os.urandom(size)

    assert _open(_seal(data)) == data
    assert _open(_seal(data, step=1000)) == data
    header = read_header(_Dribbling(_seal(data)))
    source = PassphraseSource(header.payload, header, _PASSPHRASE)
    assert b"".join(iter(lambda: source.read(5000), b"")) == data


@given(st.lists(st.binary(max_size=90_000), max_size=5), st.integers(1, 200_000))
@settings(max_examples=40)
def test_any_steps_give_the_same(pieces: list[bytes], size: int) -> None:
    """How it was written and how it is read does not matter."""
    output = io.BytesIO()
    with PassphraseSealer(output, _PASSPHRASE, work_factor=1) as sealer:
        for piece in pieces:
            assert sealer.write(memoryview(piece)) == len(piece)

    assert b"".join(_pieces(output.getvalue(), size=size)) == b"".join(pieces)


@pytest.mark.parametrize("size", _SIZES)
def test_the_age_library_reads_ours_and_we_read_its(size: int) -> None:
    """One format, two implementations. Its own work factor depends on the machine's speed."""
    data, passphrase = os.urandom(size), _PASSPHRASE.decode()

    assert pyrage.passphrase.decrypt(_seal(data, work_factor=10), passphrase) == data
    if size == 65_537:  # once: it takes seconds
        assert _open(pyrage.passphrase.encrypt(data, passphrase)) == data


def test_default_work_factor_is_that_of_age() -> None:
    """256 MiB of memory for every guess."""
    output = io.BytesIO()
    PassphraseSealer(output, _PASSPHRASE).close()

    assert read_header(io.BytesIO(output.getvalue())).stanzas[0].arguments[1] == str(WORK_FACTOR) == "18"
    assert _open(output.getvalue()) == b""


def test_wrong_passphrase_has_the_one_message_and_another_can_be_tried() -> None:
    """The header can be tried again, because the payload was not touched."""
    header = read_header(io.BytesIO(_seal(b"content")))

    with pytest.raises(CannotOpenAgeError) as caught:
        PassphraseSource(header.payload, header, b"wrong")
    assert (caught.value.code, str(caught.value)) == (cannot_open().code, cannot_open().message)
    assert PassphraseSource(header.payload, header, _PASSPHRASE).read(100) == b"content"


_REGIONS = ["version line", "stanza arguments", "stanza body", "mac", "nonce", "first chunk", "middle chunk"]


@pytest.mark.parametrize("region", [*_REGIONS, "last chunk"])
@given(data=st.data())
@settings(max_examples=25)
def test_flipped_bit_never_gives_altered_content(region: str, data: st.DataObject) -> None:
    """What comes out before the error is a true beginning of the content, and the message is always the same."""
    plain = _THREE_CHUNKS
    at = data.draw(st.sampled_from(_WHERE[region]))
    altered = bytearray(_SEALED)
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    released = b""

    with pytest.raises(AliveP2PError) as caught:  # noqa: PT012  (what comes out before it is looked at)
        for piece in _pieces(bytes(altered)):
            released += piece

    assert plain.startswith(released)
    assert len(released) <= 2 * CHUNK_BYTES
    if caught.value.code in ("work-factor-too-high", "not-for-us"):  # the header says so by itself
        assert region == "stanza arguments"
        assert not released
    else:
        assert isinstance(caught.value, CannotOpenAgeError)
        assert str(caught.value) == cannot_open().message


_THREE_CHUNKS = os.urandom(2 * CHUNK_BYTES + 1000)
_SEALED = _seal(_THREE_CHUNKS)
_WHERE = _regions(_SEALED)


def test_file_cut_off_anywhere_is_refused() -> None:
    """At every byte of a small file, and at the boundaries of a larger one's chunks."""
    small = _seal(b"some content")
    chunks = _WHERE["first chunk"].start
    boundaries = [chunks + n * _SEALED_CHUNK + around for n in range(3) for around in (-1, 0, 1, 15, 16, 17)]

    cut = [small[:end] for end in range(len(small))] + [_SEALED[:end] for end in boundaries]

    for sealed in cut:
        with pytest.raises(CannotOpenAgeError):
            _open(sealed)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
@pytest.mark.parametrize("tail", [b"\0", b"\n", bytes(16), bytes(_SEALED_CHUNK), bytes(3 * _SEALED_CHUNK)])
def test_trailing_data_is_refused(size: int, tail: bytes) -> None:
    """Nothing may follow the last chunk."""
    with pytest.raises(CannotOpenAgeError):
        _open(_seal(os.urandom(size)) + tail)


def test_error_is_raised_again_at_every_read() -> None:
    """Reading on after an error must not look like the end."""
    source = _source(_SEALED[:-1])
    assert source.read(CHUNK_BYTES) == _THREE_CHUNKS[:CHUNK_BYTES]
    source.read(CHUNK_BYTES)
    for _ in range(3):
        with pytest.raises(CannotOpenAgeError):
            source.read(10)


def test_chunks_in_another_order_or_left_out_are_refused() -> None:
    """The counter stands in every nonce."""
    start = _WHERE["first chunk"].start
    head, first = _SEALED[:start], _SEALED[start : start + _SEALED_CHUNK]
    second, last = _SEALED[start + _SEALED_CHUNK : start + 2 * _SEALED_CHUNK], _SEALED[start + 2 * _SEALED_CHUNK :]
    for altered in (head + second + first + last, head + first + last, head + first + first + second + last):
        with pytest.raises(CannotOpenAgeError):
            _open(altered)


def test_empty_last_chunk_is_refused() -> None:
    """A second way to write the same content; only an empty payload may end so."""
    output = io.BytesIO()
    sealer = PassphraseSealer(output, _PASSPHRASE, work_factor=1)
    sealer.write(bytes(CHUNK_BYTES))
    sealer._put(last=False)
    sealer.close()

    pieces = _pieces(output.getvalue())
    assert next(pieces) == bytes(CHUNK_BYTES)
    with pytest.raises(CannotOpenAgeError):
        next(pieces)


def _with_arguments(sealed: bytes, change: bytes) -> AgeHeader:
    lines = sealed.split(b"\n", 2)
    lines[1] = lines[1].rsplit(b" ", 1)[0] + b" " + change
    return read_header(io.BytesIO(b"\n".join(lines)))


@pytest.mark.parametrize("factor", [*map(str, range(21, 65)), "100", "18446744073709551616", "9" * 10_000])
def test_hostile_work_factor_is_refused_before_anything_is_tried(factor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A factor of 24 would take 17 GB; the refusal does not even reach scrypt."""
    monkeypatch.setattr(hashlib, "scrypt", None)
    header = _with_arguments(_seal_header(), factor.encode())

    with pytest.raises(WorkFactorTooHighError, match="above 20") as caught:
        PassphraseSource(header.payload, header, _PASSPHRASE)

    assert caught.value.code == "work-factor-too-high"


def _seal_header() -> bytes:
    return _SEALED[: _WHERE["nonce"].start]


@pytest.mark.parametrize("factor", ["0", "00", "01", "018", "+1", "-1", "0x12", "1e1", "1.0", "1_8", "18a", "a", "1 1"])
def test_malformed_work_factor_is_refused_before_anything_is_tried(
    factor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One spelling for one number."""
    monkeypatch.setattr(hashlib, "scrypt", None)
    header = _with_arguments(_seal_header(), factor.encode())

    with pytest.raises(CannotOpenAgeError):
        PassphraseSource(header.payload, header, _PASSPHRASE)


def test_refusing_work_takes_no_memory_and_no_time() -> None:
    """The same without any stand-in, in a process of its own."""
    pytest.importorskip("resource")
    header = _seal_header().replace(b" 1\n", b" 30\n", 1)
    code = """if True:
        import io, resource, sys, time
        from alive_p2p.errors import AliveP2PError
        from alive_p2p.package.envelopes.age_header import read_header
        from alive_p2p.package.envelopes.age_passphrase import PassphraseSource
        header = read_header(sys.stdin.buffer)
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            PassphraseSource(header.payload, header, b"x")
        except AliveP2PError as error:
            print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], input=header, capture_output=True, check=True, timeout=60)
    code_said, grown = done.stdout.split()
    assert code_said == b"work-factor-too-high"
    assert int(grown) < (8 << 20)  # kibibytes on Linux, bytes on macOS
    assert time.monotonic() - start < 30


def test_too_little_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not look like a wrong passphrase. OpenSSL's wording arrives as a `ValueError`."""

    def fail(*_: object, **__: object) -> bytes:
        raise ValueError("[digital envelope routines] malloc failure")

    monkeypatch.setattr(hashlib, "scrypt", fail)
    with pytest.raises(AliveP2PError, match="not enough memory"):
        _open(_SEALED)


def test_file_for_keys_is_told_apart() -> None:
    """A passphrase is of no use for it."""
    sealed = pyrage.encrypt(b"content", [pyrage.x25519.Identity.generate().to_public()])
    with pytest.raises(PackageError, match="not encrypted for your key"):
        _open(sealed)


@pytest.mark.parametrize("how", ["abort", "error", "forgotten"])
def test_what_was_not_completed_cannot_be_opened(how: str) -> None:
    """Whatever ends the writing early, the file is not a package."""
    output = io.BytesIO()
    sealer = PassphraseSealer(output, _PASSPHRASE, work_factor=1)
    if how == "error":
        with pytest.raises(RuntimeError), sealer:  # noqa: PT012
            sealer.write(bytes(CHUNK_BYTES + 5))
            raise RuntimeError
    else:
        sealer.write(bytes(CHUNK_BYTES + 5))
    if how == "abort":
        sealer.abort()
        sealer.close()
    del sealer

    with pytest.raises(CannotOpenAgeError):
        _open(output.getvalue())


def test_nothing_is_written_after_the_end() -> None:
    """Finishing twice is harmless, writing afterwards a mistake."""
    output = io.BytesIO()
    sealer = PassphraseSealer(output, _PASSPHRASE, work_factor=1)
    sealer.finish()
    size = len(output.getvalue())
    sealer.finish()
    with pytest.raises(ValueError, match="any more"):
        sealer.write(b"x")
    sealer.close()
    sealer.close()
    assert len(output.getvalue()) == size


class _Full(io.BytesIO):
    """A disk that fills up."""

    def write(self, data: object, /) -> int:
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


def test_failing_output_is_an_os_error_and_ends_the_writing() -> None:
    """A nonce is never used for two different chunks."""
    sealer = PassphraseSealer(_Full(), _PASSPHRASE, work_factor=1)
    with pytest.raises(OSError, match="No space"):
        sealer.write(bytes(CHUNK_BYTES + 1))
    with pytest.raises(ValueError, match="any more"):
        sealer.write(b"x")
    sealer.close()


def test_unusable_parameters_are_refused_before_anything_is_written() -> None:
    """An empty passphrase is the user's mistake, the factor the programmer's."""
    output = io.BytesIO()
    with pytest.raises(AliveP2PError, match="empty"):
        PassphraseSealer(output, b"")
    for factor in (0, 21):
        with pytest.raises(ValueError, match="1 to 20"):
            PassphraseSealer(output, b"x", work_factor=factor)
    assert output.getvalue() == b""


def test_no_two_files_are_alike() -> None:
    """Salt, nonce and file key are new each time."""
    first, second = _seal(b"content"), _seal(b"content")
    assert first != second
    assert (
        read_header(io.BytesIO(first)).stanzas[0].arguments[0]
        != read_header(io.BytesIO(second)).stanzas[0].arguments[0]
    )
