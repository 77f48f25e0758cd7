"""age for keys: the library behind a pipe, without a thread or a byte left behind (format.md §5)."""

import gc
import io
import os
import threading
import time
from collections.abc import Iterator
from functools import cache

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package.envelopes.age import KeySealer, KeySource
from alive_p2p.package.envelopes.age_errors import AgeHeaderOverLimitError, CannotOpenAgeError
from alive_p2p.package.envelopes.age_header import read_header
from alive_p2p.package.envelopes.age_pipe import MAX_PIECES, PIECE_BYTES

_SIZES = (0, 1, 65_535, 65_536, 65_537, 3 * 65_536, 1_000_001)
_CHUNK = 65_536
_MAX_BETWEEN = (MAX_PIECES + 2) * PIECE_BYTES
"""What lies in the pipe, with a piece on either side of it."""

Pair = tuple[object, object]


def _native() -> Pair:
    identity = pyrage.x25519.Identity.generate()
    return identity, identity.to_public()


@cache
def _ssh_ed25519() -> Pair:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return pyrage.ssh.Identity.from_buffer(private), pyrage.ssh.Recipient.from_str(public.decode())


@cache
def _ssh_rsa() -> Pair:
    key = rsa.generate_private_key(65_537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return pyrage.ssh.Identity.from_buffer(private), pyrage.ssh.Recipient.from_str(public.decode())


_KINDS = {"native": _native, "ssh-ed25519": _ssh_ed25519, "ssh-rsa": _ssh_rsa}


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name in ("age-seal", "age-open")}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Holds for every test here, however it ends."""
    assert not _workers()
    yield
    assert not _workers()


def _seal(data: bytes, *recipients: object, step: int = 50_000) -> bytes:
    output = io.BytesIO()
    sealer = KeySealer(output, recipients)
    for at in range(0, len(data), step):
        sealer.write(data[at : at + step])
    sealer.close()
    assert not output.closed
    return output.getvalue()


def _pieces(sealed: bytes, *identities: object, size: int = 100_000) -> Iterator[bytes]:
    with KeySource(io.BytesIO(sealed), identities) as source:
        while piece := source.read(size):
            assert len(piece) <= size
            yield piece
        assert source.read(size) == b""


def _open(sealed: bytes, *identities: object) -> bytes:
    return b"".join(_pieces(sealed, *identities))


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("size", _SIZES)
def test_what_is_sealed_opens(kind: str, size: int) -> None:
    """Every kind of key, every boundary, ours by the library's own functions and theirs by ours."""
    identity, recipient = _KINDS[kind]()
    data = os.urandom(size)

    sealed = _seal(data, recipient)

    assert _open(sealed, identity) == data
    assert pyrage.decrypt(sealed, [identity]) == data
    assert _open(pyrage.encrypt(data, [recipient], armored=True), identity) == data


@given(st.lists(st.binary(max_size=90_000), max_size=5), st.integers(1, 200_000))
@settings(max_examples=25)
def test_any_steps_give_the_same(pieces: list[bytes], size: int) -> None:
    """How it was written and how it is read does not matter."""
    identity, recipient = _native()
    output = io.BytesIO()
    with KeySealer(output, [recipient]) as sealer:
        for piece in pieces:
            assert sealer.write(memoryview(piece)) == len(piece)

    assert b"".join(_pieces(output.getvalue(), identity, size=size)) == b"".join(pieces)


def test_each_of_several_recipients_opens_it() -> None:
    """And nobody else: that is told apart from damage."""
    pairs = [_native(), _ssh_ed25519(), _ssh_rsa()]
    sealed = _seal(b"content", *(recipient for _, recipient in pairs))

    for identity, _ in pairs:
        assert _open(sealed, identity) == b"content"
        assert _open(sealed, _native()[0], identity) == b"content"
    for strangers in ([], [_native()[0]], [_native()[0], _native()[0]]):
        with pytest.raises(PackageError) as caught:
            _open(sealed, *strangers)
        assert caught.value.code == "not-for-us"


def test_file_with_a_passphrase_is_not_for_a_key() -> None:
    """The library is not asked to try it."""
    sealed = b"age-encryption.org/v1\n-> scrypt abc 30\n\n--- " + b"A" * 43 + b"\n" + bytes(100)
    with pytest.raises(PackageError, match="not encrypted for your key"):
        _open(sealed, _native()[0])


def test_header_that_was_read_already_is_used() -> None:
    """For a stream that cannot be sought, and to look before opening."""
    identity, recipient = _native()
    header = read_header(io.BytesIO(_seal(b"content", recipient)))
    with KeySource(io.BytesIO(), [identity], header=header) as source:
        assert source.read(0) == b""
        assert source.read(100) == b"content"
        assert source.read(100) == b""


@given(data=st.data())
@settings(max_examples=80)
def test_flipped_bit_never_gives_altered_content(data: st.DataObject) -> None:
    """What comes out before the error is a true beginning of the content."""
    plain, sealed, identity = _three_chunks()
    header = len(read_header(io.BytesIO(sealed)).raw)
    regions = (
        range(sealed.index(b"\n")),
        range(sealed.index(b"\n") + 1, sealed.rindex(b"--- ", 0, header)),
        range(sealed.rindex(b"--- ", 0, header), header),
        range(header, header + 16),
        *(range(header + 16 + n * (_CHUNK + 16), header + 16 + (n + 1) * (_CHUNK + 16)) for n in range(2)),
        range(len(sealed) - 1000, len(sealed)),
    )
    at = data.draw(st.sampled_from(data.draw(st.sampled_from(regions))))
    altered = bytearray(sealed)
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    released = b""

    with pytest.raises(PackageError) as caught:  # noqa: PT012  (what comes out before it is looked at)
        for piece in _pieces(bytes(altered), identity):
            released += piece

    assert plain.startswith(released)
    assert len(released) <= 2 * _CHUNK
    if caught.value.code == "not-for-us":  # a stanza altered so that it seems to be somebody else's
        assert at in regions[1]
    else:
        assert isinstance(caught.value, CannotOpenAgeError)
        assert str(caught.value) == str(CannotOpenAgeError())


@cache
def _three_chunks() -> tuple[bytes, bytes, object]:
    identity, recipient = _native()
    plain = os.urandom(2 * _CHUNK + 1000)
    return plain, _seal(plain, recipient), identity


def test_file_cut_off_anywhere_is_refused() -> None:
    """At every byte of a small file, and around the ends of a larger one's chunks."""
    identity, recipient = _native()
    small = _seal(b"some content", recipient)
    _, large, owner = _three_chunks()
    chunks = len(read_header(io.BytesIO(large)).raw) + 16
    ends = [chunks + n * (_CHUNK + 16) + around for n in range(3) for around in (-1, 0, 1, 15, 16, 17)]

    for end in range(len(small)):
        with pytest.raises(CannotOpenAgeError):
            _open(small[:end], identity)
    for end in ends:
        with pytest.raises(CannotOpenAgeError):
            _open(large[:end], owner)


@pytest.mark.parametrize("size", [0, 1, _CHUNK, _CHUNK + 1])
@pytest.mark.parametrize("tail", [b"\0", b"\n", bytes(16), bytes(_CHUNK + 16), bytes(300_000)])
def test_trailing_data_is_refused(size: int, tail: bytes) -> None:
    """Nothing may follow the last chunk."""
    identity, recipient = _native()
    with pytest.raises(CannotOpenAgeError):
        _open(_seal(os.urandom(size), recipient) + tail, identity)


def test_error_is_raised_again_at_every_read() -> None:
    """Reading on after an error must not look like the end."""
    plain, sealed, identity = _three_chunks()
    with KeySource(io.BytesIO(sealed[:-1]), [identity]) as source:
        released = b""
        while len(released) < 2 * _CHUNK:
            released += source.read(10_000)
        assert plain.startswith(released)
        for _ in range(3):
            with pytest.raises(CannotOpenAgeError):
                source.read(10)


class _Endless:
    """A package without an end; counts what was taken."""

    def __init__(self, start: bytes, repeated: bytes) -> None:
        self._ahead, self._repeated = start, repeated
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        while len(self._ahead) < size:
            self._ahead += self._repeated * (size // len(self._repeated) + 1)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        self.taken += len(piece)
        return piece


def test_header_bomb_never_reaches_the_library() -> None:
    """It would parse all of it again with every block that comes in."""
    stream = _Endless(b"age-encryption.org/v1\n", b"-> X\n\n")
    with KeySource(stream, [_native()[0]]) as source:
        for _ in range(2):
            with pytest.raises(AgeHeaderOverLimitError):
                source.read(1)
    assert stream.taken < 2 << 20


def test_the_largest_header_is_tried_quickly() -> None:
    """A thousand recipients, none of them us."""
    stanza = read_header(io.BytesIO(_seal(b"", _native()[1]))).raw.split(b"\n", 1)[1].split(b"---")[0]
    own = next(part for part in (b"\n" + stanza).split(b"\n-> ") if part.startswith(b"X25519"))
    bomb = b"age-encryption.org/v1\n" + (b"-> " + own.rstrip(b"\n") + b"\n") * 1000 + b"--- " + b"A" * 43 + b"\n"
    start = time.process_time()
    with pytest.raises(PackageError, match="not encrypted for your key"):
        _open(bomb + bytes(100), _native()[0])
    assert time.process_time() - start < 20


@pytest.mark.parametrize("after", [0, 1, 300_000])
@pytest.mark.parametrize("how", ["close", "forget"])
def test_reader_that_stops_half_way_leaves_no_thread(after: int, how: str) -> None:
    """At once, also if it simply goes away; and little more was read than was asked for."""
    identity, recipient = _native()
    stream = io.BytesIO(_seal(bytes(5_000_000), recipient))
    source = KeySource(stream, [identity])
    released = 0
    while released < after:
        released += len(source.read(100_000))
    start = time.monotonic()
    if how == "close":
        source.close()
        assert not _workers()
        with pytest.raises(ValueError, match="closed"):
            source.read(1)
        source.close()
    del source
    gc.collect()
    _wait_for_no_workers()
    assert time.monotonic() - start < 4
    assert stream.tell() <= released + _MAX_BETWEEN + 3 * _CHUNK


def _wait_for_no_workers() -> None:
    for _ in range(400):
        if not _workers():
            return
        time.sleep(0.01)


@pytest.mark.parametrize("after", [0, 1, 5_000_000])
@pytest.mark.parametrize("how", ["abort", "error", "forget"])
def test_writer_that_stops_half_way_leaves_no_thread_and_no_package(after: int, how: str) -> None:
    """Whatever ends the writing early, what was written cannot be opened."""
    identity, recipient = _native()
    output = io.BytesIO()
    sealer = KeySealer(output, [recipient])
    if how == "error":
        with pytest.raises(RuntimeError), sealer:  # noqa: PT012
            sealer.write(bytes(after))
            raise RuntimeError
        assert not _workers()
    else:
        sealer.write(bytes(after))
    if how == "abort":
        sealer.abort()
        assert not _workers()
        with pytest.raises(ValueError, match="any more"):
            sealer.write(b"x")
        sealer.close()
        sealer.abort()
    del sealer
    gc.collect()
    _wait_for_no_workers()

    with pytest.raises(CannotOpenAgeError):
        _open(output.getvalue(), identity)


class _Failing(io.BytesIO):
    """A disk that fails after some bytes."""

    def __init__(self, room: int, error: BaseException) -> None:
        super().__init__()
        self._room, self._error = room, error

    def write(self, data: object, /) -> int:
        if self.tell() + len(data) > self._room:  # type: ignore[arg-type]
            raise self._error
        return super().write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("room", [0, 300, 200_000, 1_000_000])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), OSError),
        (PackageError("over-limit", "too large"), PackageError),
        (RuntimeError("something else"), AliveP2PError),
    ],
)
def test_error_of_the_output_comes_out_as_itself(room: int, error: Exception, expected: type[Exception]) -> None:
    """Ours and the system's unchanged, anything else as ours; in `write` or at the latest in `finish`."""
    sealer = KeySealer(_Failing(room, error), [_native()[1]])
    with pytest.raises(expected) as caught:  # noqa: PT012  (which of the two raises depends on the threads)
        for _ in range(60):
            sealer.write(bytes(50_000))
        sealer.finish()
    if expected is AliveP2PError:
        assert caught.value.code == "cannot-seal"  # type: ignore[attr-defined]
        assert "something else" in str(caught.value)
    else:
        assert caught.value is error
    sealer.abort()
    sealer.close()


def test_error_at_the_very_end_is_not_lost() -> None:
    """When everything was handed over and only the last chunk fails."""
    full = OSError(28, "No space left on device")
    sealer = KeySealer(_Failing(1000, full), [_native()[1]])
    sealer.write(bytes(2000))
    with pytest.raises(OSError, match="No space"):
        sealer.close()
    assert sealer.closed
    sealer.close()


@pytest.mark.parametrize("recipients", [[], [object()], ["age1"]])
def test_unusable_recipients_are_refused(recipients: list[object]) -> None:
    """The library's words, as our error."""
    sealer = KeySealer(io.BytesIO(), recipients)
    with pytest.raises(AliveP2PError) as caught:
        sealer.finish()
    assert caught.value.code == "cannot-seal"


class _Breaking:
    """A stream that fails after some bytes."""

    def __init__(self, data: bytes, error: Exception) -> None:
        self._data, self._error = io.BytesIO(data), error

    def read(self, size: int, /) -> bytes:
        piece = self._data.read(size)
        if not piece:
            raise self._error
        return piece


@pytest.mark.parametrize("length", [0, 50, 70_000, 131_000])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), PackageError("over-limit", "too large")])
def test_error_of_the_input_comes_out_as_itself(length: int, error: Exception) -> None:
    """A disk that fails is not a package that was altered."""
    _, sealed, identity = _three_chunks()
    with KeySource(_Breaking(sealed[:length], error), [identity]) as source:
        with pytest.raises(type(error)) as caught:  # noqa: PT012
            while source.read(10_000):
                pass
        assert caught.value is error


def test_reader_that_waits_keeps_the_worker_waiting() -> None:
    """However large the file, little of it is held in memory."""
    identity, recipient = _native()
    stream = io.BytesIO(_seal(bytes(20_000_000), recipient))
    with KeySource(stream, [identity]) as source:
        source.read(1)
        time.sleep(0.3)
        assert stream.tell() < _MAX_BETWEEN + 3 * _CHUNK


def test_many_at_the_same_time() -> None:
    """Two of them in one thread: a package is opened while another is sealed from it."""
    identity, recipient = _native()
    data = os.urandom(3_000_000)
    output = io.BytesIO()
    with KeySource(io.BytesIO(_seal(data, recipient)), [identity]) as source, KeySealer(output, [recipient]) as sealer:
        while piece := source.read(10_000):
            sealer.write(piece)
    assert _open(output.getvalue(), identity) == data
