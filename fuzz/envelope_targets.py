"""What can be around a package (format.md §5): found out, read, and opened with every key at hand."""

import base64
import io

from alive_p2p.package.envelopes import rsa
from alive_p2p.package.envelopes.age_armor import BEGIN, DearmoredSource
from alive_p2p.package.envelopes.age_header import MAX_STANZAS, AgeHeader, encode_base64, read_header
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.legacy import OpenedLegacy, find
from alive_p2p.package.envelopes.opening import OpenedAge
from alive_p2p.package.envelopes.passphrase import OpenedPassphrase
from alive_p2p.package.tar_headers import END, HeaderWriter, padding
from fuzz.package_targets import LIMITS
from fuzz.surroundings import Dribble, Target, certain, credentials, drained, outcome, quick_passphrases
from fuzz.tar_mending import gzipped, mended

SEALED = b"sealed for the seeds\n"
"""What every age file among the seeds holds; nothing else can ever be opened, because nobody can make it."""


def rsa_envelope(data: bytes) -> None:
    """The outer archive: what is read lies inside the file, in the form a cipher needs; opening refuses or gives."""
    tar = mended(data)
    header = rsa.read_header(io.BytesIO(tar))
    assert header.recipients
    assert len(header.iv) == 16
    assert header.payload_size > 0
    assert header.payload_size % 16 == 0
    assert header.payload_at + header.payload_size <= len(tar)
    opened = rsa.OpenedRsa(io.BytesIO(tar), credentials())
    assert outcome(lambda: drained(opened.plaintext().read)) == outcome(lambda: drained(opened.plaintext().read))


def rsa_json(data: bytes) -> None:
    """The same of any JSON in a sound archive."""
    headers = HeaderWriter(0)
    json_part = headers.header(rsa.ENVELOPE, len(data)) + data + padding(len(data))
    rsa_envelope(json_part + headers.header(rsa.PAYLOAD, 512) + bytes(512) + END)


def _written(header: AgeHeader) -> bytes:
    """A header as age writes it."""
    lines = [b"age-encryption.org/v1"]
    for stanza in header.stanzas:
        lines.append(b" ".join([b"->", stanza.kind.encode(), *(one.encode() for one in stanza.arguments)]))
        body = encode_base64(stanza.body)
        lines += [body[at : at + 64] for at in range(0, len(body) + 1, 64)]
    return b"\n".join([*lines, b"--- " + encode_base64(header.mac) + b"\n"])


def age_header(data: bytes) -> None:
    """A header that is read has one form: written again it is the same bytes; the payload is what follows it."""
    header = read_header(io.BytesIO(data))
    assert _written(header) == header.raw
    assert 0 < len(header.stanzas) <= MAX_STANZAS
    assert all(len(tag) == 4 for tag in header.ssh_tags)
    assert header.is_passphrase == any(stanza.kind == "scrypt" for stanza in header.stanzas)
    if not header.armored:
        assert data.startswith(header.raw)
        assert header.raw + drained(header.payload.read) == data
    with certain("a header depends on how it is read"):
        dribbled = read_header(Dribble(data))
    assert (dribbled.raw, dribbled.stanzas) == (header.raw, header.stanzas)


def age_armor(data: bytes) -> None:
    """Armor has one form but for line ends and a little whitespace around it; how it is read changes nothing."""
    at_once = outcome(lambda: drained(DearmoredSource(io.BytesIO(data)).read))
    dribbled = outcome(lambda: drained(DearmoredSource(Dribble(data)).read, 5 if len(data) < 256 else 501))
    assert at_once == dribbled
    if isinstance(at_once, bytes):
        body = base64.b64encode(at_once)
        lines = [BEGIN, *(body[at : at + 64] for at in range(0, len(body), 64)), b"-----END AGE ENCRYPTED FILE-----"]
        assert data.replace(b"\r\n", b"\n").strip() == b"\n".join(lines)


def age_open(data: bytes) -> None:
    """An age file opens to what was sealed, whole, or not at all; a second look gives the same."""
    with quick_passphrases():
        opened = OpenedAge(io.BytesIO(data), credentials())
        try:
            first = outcome(lambda: drained(opened.plaintext().read))
            assert first == SEALED or isinstance(first, str)
            assert outcome(lambda: drained(opened.plaintext().read, 7)) == first
        finally:
            opened.close()


def passphrase_blob(data: bytes) -> None:
    """What `openssl enc` could have made: opened or refused, and twice the same."""
    with quick_passphrases():
        opened = OpenedPassphrase(io.BytesIO(data), credentials())
        first = outcome(lambda: drained(opened.plaintext().read))
        assert outcome(lambda: drained(opened.plaintext().read)) == first
        assert not isinstance(first, str) or first == "cannot-open"


def legacy_envelope(data: bytes) -> None:
    """A package of the older format: looking for one never refuses, and opening it refuses or gives."""
    packed = gzipped(mended(data))
    with certain("looking for an older envelope refuses"):
        header = find(io.BytesIO(packed), LIMITS)
    if header is None:
        return
    assert Envelope.LEGACY.value == "legacy"
    with quick_passphrases():
        opened = OpenedLegacy(io.BytesIO(packed), header, LIMITS, credentials())
        first = outcome(lambda: drained(opened.plaintext().read))
        assert outcome(lambda: drained(opened.plaintext().read)) == first


_TAR_WORDS = (b"rsa-envelope-v1.json", b"payload.enc", b"payload.key", b"manifest.yaml", b"ustar\x0000", b"path=")
_JSON_WORDS = (
    b'"version": 1', b'"recipients": [', b'"pubkey_id": "', b'"key_enc_b64": "', b'"payload_algo": "aes-256-cbc"',
    b'"payload_iv_b64": "', b"AAAAAAAAAAAAAAAAAAAAAA==", b"null", b"true", b"1.0", b"1e999", b'"\\ud800"', b"NaN",
    b"{}", b"[]", b"[" * 64,
)  # fmt: skip
_AGE_WORDS = (
    b"age-encryption.org/v1\n", b"-> X25519 ", b"-> ssh-ed25519 ", b"-> ssh-rsa ", b"-> scrypt ", b"--- ",
    b" 18\n", b" 20\n", b" 99\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n",
    b"\r\n", b"=", b"==", b"A" * 64 + b"\n", b"A" * 43, b"-> abc-grease\n\n",
)  # fmt: skip

TARGETS = (
    Target("rsa-envelope", rsa_envelope, (*_TAR_WORDS, *_JSON_WORDS), 8192),
    Target("rsa-json", rsa_json, _JSON_WORDS),
    Target("age-header", age_header, _AGE_WORDS),
    Target("age-armor", age_armor, _AGE_WORDS),
    Target("age-open", age_open, _AGE_WORDS),
    Target("passphrase-blob", passphrase_blob, (b"Salted__",)),
    Target("legacy-envelope", legacy_envelope, (*_TAR_WORDS, b"Salted__"), 8192),
)
