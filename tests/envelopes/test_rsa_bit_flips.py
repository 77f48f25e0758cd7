"""Altered RSA envelopes, bit by bit: the content comes out as it was, or an error of ours comes, and it tells nothing.

The envelope has nothing that protects it: no signature over its headers, no authentication of its ciphertext. So not
every alteration can be refused. Of the zeros that fill a block, of a blank in a header's checksum, of an id that is a
hint and no more, of a gzip header's fields that mean nothing, nobody can tell; but then all that is inside is the same.

What else comes is one of two kinds of error. One is about what anybody can see without a key (tar, JSON, Base64), and
comes before a private key was touched. After that there is a single one, the same in every word: two that could be told
apart would answer a question about the plaintext, and enough of those answers are the plaintext.
"""

import base64
import io
import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.keys.public import PublicKey
from alive_p2p.package.envelopes.base import Credentials, Envelope, cannot_open
from alive_p2p.package.envelopes.cbc import BLOCK
from alive_p2p.package.envelopes.rsa import ENVELOPE, PAYLOAD, OpenedRsa, RsaHeader, RsaSealer, read_header
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.reader import Contents, PackageReader
from alive_p2p.package.tar import BLOCK as TAR_BLOCK
from alive_p2p.receiving.inspection import verify
from alive_p2p.runtime import Runtime
from worlds import NOVA, pack, plant, tree_of

SAME = "same"
"""It was opened, and everything in it is as it was."""

CANNOT_OPEN = "cannot-open"

NOT_FOR_US = "not-for-us"
"""No key opens, and none is named: it takes an altered id and an altered key at once."""

SEEN_FROM_OUTSIDE = frozenset(["bad-envelope", "damaged", "not-a-package", "over-limit", "unsafe-member"])
"""The errors about what is there for everybody to read."""

COMPARED_ON_DISK = 40
"""Of the packages that open, one in so many is unpacked and compared file by file."""


@dataclass
class WatchedKey:
    """A private key that knows whether it was used. What it has unwrapped it remembers: the same comes out anyway."""

    key: PrivateKey
    was_used: bool = False
    _known: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def public(self) -> PublicKey:
        return self.key.public

    def unwrap(self, wrapped: bytes) -> bytes:
        self.was_used = True
        if wrapped not in self._known:
            self._known[wrapped] = self.key.unwrap(wrapped)
        return self._known[wrapped]

    def age_identity(self) -> object:
        raise NotImplementedError


@dataclass
class Sealed:
    """A package, who opens it, and what is in it."""

    data: bytes
    opener: WatchedKey
    contents: Contents
    tree: dict[str, str]
    folder: Path
    opened: int = 0

    @property
    def header(self) -> RsaHeader:
        return read_header(io.BytesIO(self.data))

    @property
    def credentials(self) -> Credentials:
        return Credentials(None, lambda *_: [self.opener])

    def outcome(self, altered: bytes) -> str:
        """Open an altered one: `SAME` or the error's code. Asserts what the docstring of this file says."""
        place = self.folder / "altered.walnut"
        place.touch()
        with place.open("r+b") as stream:  # emptying it first would have the file system flush it, thousands of times
            stream.write(altered)
            stream.truncate()
        self.opener.was_used = False
        try:
            with PackageReader(place, credentials=self.credentials) as reader:
                contents = reader.check()
                self._assert_same(reader, contents)
        except AliveP2PError as error:
            refusal = error
        else:
            return SAME
        if refusal.code in SEEN_FROM_OUTSIDE:
            assert not self.opener.was_used, f"{refusal.code} after a private key was used: {refusal.message}"
        elif refusal.code == NOT_FOR_US:
            assert self.opener.public.pubkey_id not in read_header(io.BytesIO(altered)).recipient_ids
        else:
            assert vars(refusal) == vars(cannot_open())
        return refusal.code

    def _assert_same(self, reader: PackageReader, contents: Contents) -> None:
        assert contents == self.contents
        assert contents.manifest.canonical_bytes == self.contents.manifest.canonical_bytes
        self.opened += 1
        if self.opened % COMPARED_ON_DISK == 1:
            assert _unpacked(reader, contents, self.folder) == self.tree

    def outcomes(self, flips: Iterable[tuple[int, int]]) -> Counter[str]:
        """Flip one bit at a time; a number of bit 0 is the lowest."""
        found: Counter[str] = Counter()
        for at, bit in flips:
            altered = bytearray(self.data)
            altered[at] ^= 1 << bit
            try:
                found[self.outcome(bytes(altered))] += 1
            except BaseException as error:
                error.add_note(f"bit {bit} of byte {at}, which was {self.data[at : at + 1]!r}")
                raise
        return found

    def with_document(self, old: str, new: str) -> bytes:
        """The package with a text of the same length in the place of another one in its JSON."""
        assert len(old) == len(new)
        assert self.data.count(old.encode()) == 1
        return self.data.replace(old.encode(), new.encode())

    def with_payload(self, payload: bytes) -> bytes:
        """The package with another payload, and with headers that fit it."""
        with tarfile.open(fileobj=io.BytesIO(self.data)) as archive:
            stream = archive.extractfile(ENVELOPE)
            assert stream is not None
            parts = {ENVELOPE: stream.read(), PAYLOAD: payload}
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in parts.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return output.getvalue()

    @property
    def payload(self) -> bytes:
        header = self.header
        return self.data[header.payload_at : header.payload_at + header.payload_size]


def _unpacked(reader: PackageReader, contents: Contents, folder: Path) -> dict[str, str]:
    into = Path(tempfile.mkdtemp(dir=folder))
    names = {entry.path: entry.path for entry in contents.manifest.files}
    reader.unpack(contents, into, names | {path: path for path in contents.empty_dirs})
    return tree_of(into)


def _new_key(name: str) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(public_exponent=65537, key_size=2048)  # the shortest that is accepted
    return load_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), label=name)


CASES = {"alone": ("alice",), "first of two": ("alice", "ben"), "second of two": ("ben", "alice")}
"""For whom the package is, by what Alice, who opens it, is among them."""


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A small walnut in an RSA envelope."""
    folder = tmp_path_factory.mktemp("flips")
    runtime = Runtime(environ={"HOME": str(folder)}, cwd=folder, clock=lambda: datetime(2026, 4, 7, tzinfo=UTC))
    keys = {name: _new_key(name) for name in request.param}
    tree = {"_kernel/key.md": NOVA["_kernel/key.md"], "notes.md": NOVA["notes.md"], "noise.bin": os.urandom(600)}
    nova = plant(folder / "nova", {**tree, "empty/": b""})
    seal = Seal(Envelope.RSA, public_keys=[key.public for key in keys.values()])
    package = pack(nova, folder / "p.walnut", runtime, seal=seal)
    opener = WatchedKey(keys["alice"])
    with PackageReader(package, credentials=Credentials(None, lambda *_: [opener])) as reader:
        contents = reader.check()
        unpacked = _unpacked(reader, contents, folder)
    assert set(unpacked) >= {*tree, "empty/"}
    return Sealed(package.read_bytes(), opener, contents, unpacked, folder)


def _every(start: int, end: int, bits: Sequence[int] = range(8)) -> Iterator[tuple[int, int]]:
    return ((at, bit) for at in range(start, end) for bit in bits)


# --- what stands before the payload ---------------------------------------------------------------------------


PAIRS = ((0, 5), (1, 4), (2, 6), (3, 7))


def _two_bits_each(start: int, end: int) -> Iterator[tuple[int, int]]:
    """One byte after the other, each with the next pair of bits."""
    return ((at, bit) for at in range(start, end) for bit in PAIRS[at % len(PAIRS)])


def test_two_bits_of_every_byte_of_the_json(sealed: Sealed) -> None:
    """Spaces, names, ids and Base64; and the zeros that fill its block, which mean nothing."""
    second = sealed.header.payload_at - TAR_BLOCK
    end = sealed.data.index(b"}\n\0", TAR_BLOCK) + 2
    found = sealed.outcomes(_two_bits_each(TAR_BLOCK, end))
    assert set(found) == {SAME, CANNOT_OPEN, "bad-envelope"}
    assert set(sealed.outcomes(_two_bits_each(end, second))) == {SAME}


def test_two_bits_of_every_byte_of_the_tar_headers(sealed: Sealed) -> None:
    """The first tells what the file is; the checksum covers nearly all of both."""
    second = sealed.header.payload_at - TAR_BLOCK
    assert set(sealed.outcomes(_two_bits_each(0, TAR_BLOCK))) >= {"damaged", "not-a-package"}
    found = sealed.outcomes(_two_bits_each(second, second + TAR_BLOCK))
    assert set(found) <= {SAME, "damaged"}
    assert found["damaged"] > found.total() * 0.95


def test_every_bit_of_the_fields_that_a_tar_reader_goes_by(sealed: Sealed) -> None:
    """Names, modes, sizes, checksums, types and magic of both headers: hardly any of it goes unnoticed."""
    second = sealed.header.payload_at - TAR_BLOCK
    fields = ((0, 24), (100, 108), (124, 136), (148, 158), (257, 265), (345, 349))
    found: Counter[str] = Counter()
    for header in (0, second):
        for start, end in fields:
            found += sealed.outcomes(_every(header + start, header + end))
    assert CANNOT_OPEN not in found
    assert found[SAME] < found.total() / 20


def test_every_bit_of_the_iv(sealed: Sealed) -> None:
    """They are the bits of the first block of plaintext: the gzip header, in which some mean nothing."""
    header = sealed.header
    found: Counter[str] = Counter()
    for number in range(8 * BLOCK):
        iv = bytearray(header.iv)
        iv[number // 8] ^= 1 << number % 8
        altered = sealed.with_document(*(base64.b64encode(bytes(each)).decode() for each in (header.iv, iv)))
        found[sealed.outcome(altered)] += 1
    assert set(found) == {SAME, CANNOT_OPEN}
    assert found.total() == 128


def test_bits_of_the_wrapped_keys(sealed: Sealed) -> None:
    """A damaged one is of no use; one for somebody else is of no interest."""
    ours = sealed.opener.public.pubkey_id
    for pubkey_id, wrapped in sealed.header.recipients:
        found: Counter[str] = Counter()
        for at in (*range(0, len(wrapped), 9), len(wrapped) - 1):
            altered = bytearray(wrapped)
            altered[at] ^= 1 << at % 8
            texts = (base64.b64encode(bytes(each)).decode() for each in (wrapped, altered))
            found[sealed.outcome(sealed.with_document(*texts))] += 1
        assert set(found) == {CANNOT_OPEN if pubkey_id == ours else SAME}


# --- the payload ----------------------------------------------------------------------------------------------


def test_bits_of_the_payload(sealed: Sealed) -> None:
    """All of its first and last blocks, and one of every fifth byte between: one error for each of them.

    A bit of a block garbles that block and flips the same bit of the next, so that no header is met alone.
    """
    header = sealed.header
    start, end = header.payload_at, header.payload_at + header.payload_size
    between = ((at, at % 8) for at in range(start + 2 * BLOCK, end - 4 * BLOCK, 5))
    found = sealed.outcomes([*_every(start, start + 2 * BLOCK), *between, *_every(end - 4 * BLOCK, end)])
    assert found.total() > 6 * BLOCK * 8
    assert set(found) == {CANNOT_OPEN}


def test_bits_after_the_payload(sealed: Sealed) -> None:
    """The zeros that fill its last block and those that end the archive."""
    header = sealed.header
    end = header.payload_at + header.payload_size
    filled = end + -end % TAR_BLOCK
    found = sealed.outcomes((at, at % 8) for at in range(end, filled))
    assert set(found) <= {SAME}
    found = sealed.outcomes((at, at % 8) for at in range(filled, len(sealed.data), 3))
    assert set(found) == {"damaged"}


def test_nobody_learns_whether_a_padding_was_right(sealed: Sealed) -> None:
    """The attack that reads a CBC ciphertext byte by byte.

    The payload ends after a block of the attacker's choice, and the block before it takes every value in its last
    byte: of the 256, one or more have a padding that is right. The answer is the same for all.
    """
    whole = sealed.payload
    for blocks in (2, 3, len(whole) // BLOCK // 2, len(whole) // BLOCK - 1):
        answers = set()
        for value in range(256):
            payload = bytearray(whole[: blocks * BLOCK])
            payload[-BLOCK - 1] ^= value
            answers.add(sealed.outcome(sealed.with_payload(bytes(payload))))
        assert answers == {CANNOT_OPEN}


def test_nobody_learns_what_the_last_byte_is(sealed: Sealed) -> None:
    """The whole payload, with every value in the byte that says how long the padding is."""
    whole = sealed.payload
    found: Counter[str] = Counter()
    for value in range(256):
        payload = bytearray(whole)
        payload[-BLOCK - 1] ^= value
        found[sealed.outcome(sealed.with_payload(bytes(payload)))] += 1
    assert found == {SAME: 1, CANNOT_OPEN: 255}


def _in_whole_blocks(sealed: Sealed) -> Sealed:
    """The package sealed again, so that its gzip stream ends where a block ends and the last block is padding alone."""
    opened = OpenedRsa(io.BytesIO(sealed.data), sealed.credentials)
    source = opened.plaintext()
    plain = b"".join(iter(lambda: source.read(1), b""))
    assert plain[:4] == b"\x1f\x8b\x08\0"
    extra = (-len(plain) - 2) % BLOCK  # a field of the header that every reader passes over
    plain = plain[:3] + b"\x04" + plain[4:10] + extra.to_bytes(2, "little") + bytes(extra) + plain[10:]
    output = io.BytesIO()
    sealer = RsaSealer(output, [sealed.opener.public], 0)
    sealer.write(plain)
    sealer.finish()
    return replace(sealed, data=output.getvalue())


def _block(package: Sealed, plain: bytes, before: bytes) -> bytes:
    """The block that decrypts to `plain` after another one; who has no key finds one by trying."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    ((_, wrapped),) = package.header.recipients
    encryptor = Cipher(AES(package.opener.unwrap(wrapped)), CBC(before)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


RIGHT = [b"x" * (BLOCK - length) + bytes([length]) * length for length in range(1, BLOCK + 1)]
WRONG = [bytes(BLOCK), b"\x11" * BLOCK, b"x" * BLOCK, b"\x02" * (BLOCK - 2) + b"\x01\x02", b"x" + b"\x10" * (BLOCK - 1)]
GZIP_AGAIN = [b"\x1f\x8b" + b"x" * (BLOCK - 3) + b"\1", b"\x1f" + bytes([BLOCK - 1]) * (BLOCK - 1)]


@pytest.mark.parametrize("plain", [*RIGHT, *WRONG, *GZIP_AGAIN], ids=bytes.hex)
def test_nobody_learns_that_another_last_block_has_a_right_padding(sealed: Sealed, plain: bytes) -> None:
    """The stream before it is whole, and all that can be wrong is the padding, or what a shorter one leaves.

    The last block is exchanged, or one is added, and no block before it is garbled. Only a whole block of padding in
    the place of a whole block of padding is no alteration.
    """
    package = _in_whole_blocks(sealed)
    whole = package.payload
    exchanged = whole[:-BLOCK] + _block(package, plain, whole[-2 * BLOCK : -BLOCK])
    added = whole + _block(package, plain, whole[-BLOCK:])
    assert package.outcome(package.with_payload(exchanged)) == (SAME if exchanged == whole else CANNOT_OPEN)
    assert package.outcome(package.with_payload(added)) == CANNOT_OPEN


# --- anything at all ------------------------------------------------------------------------------------------


@settings(max_examples=250)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6))
@example([(0.0, 1)])
def test_several_bytes_at_once(sealed: Sealed, changes: list[tuple[float, int]]) -> None:
    """Where one alteration may hide another."""
    altered = bytearray(sealed.data)
    for where, mask in changes:
        altered[int(where * len(altered))] ^= mask
    assert sealed.outcome(bytes(altered)) in {SAME, CANNOT_OPEN, NOT_FOR_US, *SEEN_FROM_OUTSIDE}


def test_verify_says_of_an_altered_package_what_opening_it_says(sealed: Sealed) -> None:
    """`alive-p2p verify` passes where the content is the same, else it fails with that error and changes nothing."""
    place = sealed.folder / "altered.walnut"
    seen = set()
    for at in range(0, len(sealed.data), 41):
        altered = bytearray(sealed.data)
        altered[at] ^= 1 << at % 8
        expected = sealed.outcome(bytes(altered))
        report = verify(place, credentials=sealed.credentials)
        assert (SAME if report.error is None else report.error.code) == expected
        assert report.passed is (expected == SAME)
        if report.manifest is not None:
            assert report.manifest == sealed.contents.manifest
        seen.add(expected)
    assert {SAME, CANNOT_OPEN, "damaged"} <= seen


def test_another_name_on_our_key_still_opens_it(sealed: Sealed) -> None:
    """The id is a hint, and not a permission."""
    assert sealed.outcome(sealed.with_document(sealed.opener.public.pubkey_id, "0" * 16)) == SAME


def test_our_name_on_a_key_for_another_does_not_open_it(sealed: Sealed) -> None:
    """Nor does it say more than that it cannot be opened."""
    header = sealed.header
    (ours,) = [wrapped for pubkey_id, wrapped in header.recipients if pubkey_id == sealed.opener.public.pubkey_id]
    others = [wrapped for _, wrapped in header.recipients if wrapped != ours] or [
        _new_key("ben").public.wrap(bytes(32))
    ]
    for wrapped in others:
        altered = sealed.with_document(*(base64.b64encode(each).decode() for each in (ours, wrapped)))
        assert sealed.outcome(altered) == CANNOT_OPEN


def test_a_damaged_key_under_another_name_is_for_somebody_else(sealed: Sealed) -> None:
    """The one error about opening that is not `CANNOT_OPEN`, and it tells what stands in the JSON."""
    ours = sealed.opener.public.pubkey_id
    (wrapped,) = [each for pubkey_id, each in sealed.header.recipients if pubkey_id == ours]
    damaged = base64.b64encode(bytes([wrapped[0], wrapped[1] ^ 1]) + wrapped[2:])
    altered = sealed.with_document(ours, "0" * 16).replace(base64.b64encode(wrapped), damaged)
    assert sealed.outcome(altered) == NOT_FOR_US
