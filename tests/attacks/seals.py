"""Envelopes sealed by hand, every part of which can be bent before they are put together (format.md §5).

As in `forging`, nothing of the program is used to make them.
"""

import base64
import functools
import hashlib
import hmac
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from forging import END, MANIFEST, Draft, Member, gz

from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.package.envelopes.base import Credentials

PASSPHRASE = b"only a test: correct horse"
_SALT = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
_CONTENT_KEY, _IV, _FILE_KEY = bytes(range(32)), bytes(range(16)), bytes(range(100, 116))


# --- CBC ------------------------------------------------------------------------------------------------------


def cbc(data: bytes, key: bytes = _CONTENT_KEY, iv: bytes = _IV, *, pad: bytes | None = None) -> bytes:
    """AES-256-CBC of the data with PKCS#7 padding, or with any other `pad`, which has to fill the last block."""
    missing = 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data + (bytes([missing]) * missing if pad is None else pad)) + encryptor.finalize()


@functools.cache
def _derived(iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", PASSPHRASE, _SALT, iterations, 48)


def by_passphrase(package: bytes, *, iterations: int = 600_000, pad: bytes | None = None) -> bytes:
    """As `openssl enc` makes it."""
    both = _derived(iterations)
    return b"Salted__" + _SALT + cbc(package, both[:32], both[32:], pad=pad)


# --- keys -----------------------------------------------------------------------------------------------------


class Receiver:
    """A receiver's RSA key, and all that opens what is sealed for them."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = key.public_key()
        self.pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.private: PrivateKey = load_private_key(self.pem, label="a test's key")
        der = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.pubkey_id = hashlib.sha256(der).hexdigest()[:16]
        wire = base64.b64decode(self.public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
        self.ssh_tag = hashlib.sha256(wire).digest()[:4]
        self.credentials = Credentials(lambda: PASSPHRASE, lambda _: [self.private])

    def wrap(self, key: bytes, *, label: bytes | None = None) -> bytes:
        """RSA-OAEP with SHA-256."""
        return self.public.encrypt(key, padding.OAEP(padding.MGF1(SHA256()), SHA256(), label))


# --- RSA hybrid -----------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    """In Base64."""
    return base64.b64encode(data).decode()


class RsaDraft:
    """An RSA envelope in its parts.

    Attributes:
        document: the JSON.
        text: its text, where it is not made from `document`.
        members: of the outer archive; those without content get it when it is put together.
    """

    def __init__(self, receiver: Receiver, package: bytes, *, key: bytes = _CONTENT_KEY) -> None:
        self.document: dict[str, Any] = {
            "version": 1,
            "recipients": [{"pubkey_id": receiver.pubkey_id, "key_enc_b64": b64(receiver.wrap(key))}],
            "payload_algo": "aes-256-cbc",
            "payload_iv_b64": b64(_IV),
        }
        self.text: bytes | None = None
        self.envelope = Member("rsa-envelope-v1.json")
        self.payload = Member("payload.enc", cbc(package))
        self.members = [self.envelope, self.payload]
        self.end = END

    @property
    def recipient(self) -> dict[str, Any]:
        """The one recipient."""
        first: dict[str, Any] = self.document["recipients"][0]
        return first

    def sealed(self) -> bytes:
        """The envelope."""
        self.envelope.content = json.dumps(self.document).encode() if self.text is None else self.text
        return b"".join(member.blocks() for member in self.members) + self.end


# --- age ------------------------------------------------------------------------------------------------------


def raw64(data: bytes) -> str:
    """In Base64 without padding, as age writes it."""
    return b64(data).rstrip("=")


def _hkdf(salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(_FILE_KEY)


@dataclass
class AgeDraft:
    """An age file in its parts; a header that was bent has the right MAC.

    Attributes:
        payload: what is sealed.
        stanzas: the arguments and the body of each recipient.
        version: the first line.
        mac: what stands in the last line of the header, where it is not the right one.
        line_end: of the header's lines.
        nonce: of the payload.
        chunk_size: how much is sealed together.
    """

    payload: bytes
    stanzas: list[tuple[str, bytes]] = field(default_factory=list)
    version: str = "age-encryption.org/v1"
    mac: str | None = None
    line_end: str = "\n"
    nonce: bytes = bytes(16)
    chunk_size: int = 1 << 16

    @classmethod
    def by_passphrase(cls, package: bytes, *, factor: str = "4", cost: int = 4) -> "AgeDraft":
        """Sealed with the passphrase; a `factor` may be stated that was not used."""
        salt = bytes(16)
        key = hashlib.scrypt(PASSPHRASE, salt=b"age-encryption.org/v1/scrypt" + salt, n=1 << cost, r=8, p=1, dklen=32)
        body = ChaCha20Poly1305(key).encrypt(bytes(12), _FILE_KEY, None)
        return cls(package, [(f"scrypt {raw64(salt)} {factor}", body)])

    @classmethod
    def for_receiver(cls, receiver: Receiver, package: bytes) -> "AgeDraft":
        """Sealed for an RSA key."""
        body = receiver.wrap(_FILE_KEY, label=b"age-encryption.org/v1/ssh-rsa")
        return cls(package, [(f"ssh-rsa {raw64(receiver.ssh_tag)}", body)])

    def header(self) -> bytes:
        """Up to and with the line of the MAC."""
        lines = [self.version]
        for arguments, body in self.stanzas:
            text = raw64(body)
            lines += [f"-> {arguments}", *(text[at : at + 64] for at in range(0, len(text) + 1, 64))]
        head = (self.line_end.join([*lines, "---"])).encode("utf-8", "surrogateescape")
        mac = raw64(hmac.digest(_hkdf(b"", b"header"), head, "sha256")) if self.mac is None else self.mac
        return head + f" {mac}{self.line_end}".encode()

    def chunks(self) -> list[bytes]:
        """The payload's chunks, sealed."""
        cipher = ChaCha20Poly1305(_hkdf(self.nonce, b"payload"))
        pieces = [self.payload[at : at + self.chunk_size] for at in range(0, len(self.payload), self.chunk_size)]
        counters = (struct.pack(">3xQ?", number, number == len(pieces) - 1) for number in range(len(pieces)))
        return [cipher.encrypt(nonce, piece, None) for nonce, piece in zip(counters, pieces, strict=True)]

    def sealed(self) -> bytes:
        """The file."""
        return self.header() + self.nonce + b"".join(self.chunks())


def armored(data: bytes) -> bytes:
    """As text."""
    text = b64(data).encode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    begin, end = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
    return b"\n".join([begin, *lines, end, b""])


# --- format 2.0 -----------------------------------------------------------------------------------------------


class LegacyDraft:
    """A sealed package of format 2.0: the manifest outside, the files in `payload.enc`.

    Args:
        draft: the package; its manifest stands outside.
        receiver: for whom; None for the passphrase.
    """

    def __init__(self, draft: Draft, receiver: Receiver | None = None) -> None:
        draft.manifest_at = -1
        inner = draft.package()
        self.manifest = Member(MANIFEST, draft.manifest())
        self.payload = Member("payload.enc", by_passphrase(inner) if receiver is None else cbc(inner))
        self.members = [self.manifest, self.payload]
        if receiver is not None:
            self.key = Member("payload.key", receiver.wrap(_CONTENT_KEY + _IV))
            self.members.append(self.key)
        self.end = END

    def sealed(self) -> bytes:
        """The package."""
        return gz(b"".join(member.blocks() for member in self.members) + self.end)
