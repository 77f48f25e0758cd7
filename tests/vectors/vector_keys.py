"""Keys and ciphers for the vectors, with everything random fixed, so that a vector is made twice with the same bytes.

The two RSA keys and the two age keys in `keys/` belong to nobody and are known to everybody.
Nothing of the program is used here; of the `cryptography` library only what has no chance in it.
"""

import base64
import hashlib
import hmac
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEYS = Path(__file__).resolve().parent / "keys"


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def fixed(label: str, size: int) -> bytes:
    """Bytes in the place of random ones."""
    return hashlib.shake_256(b"vector " + label.encode()).digest(size)


@cache
def private(name: str) -> rsa.RSAPrivateKey:
    """One of the RSA keys."""
    key = serialization.load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def der(name: str) -> bytes:
    """Its public half as `SubjectPublicKeyInfo`."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private(name).public_key().public_bytes(serialization.Encoding.DER, form)


def fingerprint(name: str) -> str:
    """The hash of that."""
    return sha256(der(name)).hex()


def _mgf1(seed: bytes, size: int) -> bytes:
    return b"".join(sha256(seed + i.to_bytes(4, "big")) for i in range(-(-size // 32)))[:size]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def pss(name: str, data: bytes, salt_size: int = 32) -> bytes:
    """RSASSA-PSS with SHA-256 (RFC 8017 §9.1) and a salt that is always the same."""
    key = private(name)
    size = key.key_size // 8
    salt = fixed("salt", salt_size)
    h = sha256(bytes(8) + sha256(data) + salt)
    db = bytes(size - salt_size - 34) + b"\x01" + salt
    masked = bytearray(_xor(db, _mgf1(h, len(db))))
    masked[0] &= 0x7F
    numbers = key.private_numbers()
    signed = pow(int.from_bytes(bytes(masked) + h + b"\xbc", "big"), numbers.d, numbers.public_numbers.n)
    return signed.to_bytes(size, "big")


def oaep(name: str, secret: bytes, label: bytes = b"") -> bytes:
    """RSA-OAEP with SHA-256 (RFC 8017 §7.1) and a seed that is always the same."""
    key = private(name).public_key()
    size, numbers = key.key_size // 8, key.public_numbers()
    seed = fixed("seed", 32)
    db = sha256(label) + bytes(size - len(secret) - 66) + b"\x01" + secret
    masked = _xor(db, _mgf1(seed, len(db)))
    block = b"\0" + _xor(seed, _mgf1(masked, 32)) + masked
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-256-CBC with PKCS#7."""
    fill = 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data + bytes([fill]) * fill) + encryptor.finalize()


def signature(name: str, data: bytes, signed_bytes: str, salt_size: int = 32) -> dict[str, str]:
    """A signature block."""
    return {
        "algo": "rsa-pss-sha256",
        "pubkey_id": fingerprint(name)[:16],
        "sig_b64": base64.b64encode(pss(name, data, salt_size)).decode(),
        "signed_bytes": signed_bytes,
    }


# --- age ------------------------------------------------------------------------------------------------------

_VERSION = b"age-encryption.org/v1"


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _stanza(arguments: bytes, body: bytes) -> bytes:
    text = _b64(body)
    lines = [text[at : at + 64] for at in range(0, len(text) + 1, 64)]
    return b"-> " + arguments + b"\n" + b"".join(line + b"\n" for line in lines)


def to_passphrase(passphrase: bytes, factor: int, file_key: bytes) -> bytes:
    """A stanza for a passphrase."""
    salt = fixed("age salt", 16)
    key = hashlib.scrypt(
        passphrase, salt=_VERSION + b"/scrypt" + salt, n=1 << factor, r=8, p=1, dklen=32, maxmem=1 << 30
    )
    return _stanza(b"scrypt %b %d" % (_b64(salt), factor), ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None))


def to_x25519(name: str, file_key: bytes) -> bytes:
    """A stanza for an age key: `keys/<name>.hex` holds its 32 bytes."""
    identity = X25519PrivateKey.from_private_bytes(bytes.fromhex((KEYS / f"{name}.hex").read_text("ascii").strip()))
    recipient = identity.public_key().public_bytes_raw()
    ephemeral = X25519PrivateKey.from_private_bytes(fixed("ephemeral", 32))
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    key = _hkdf(shared, share + recipient, _VERSION + b"/X25519")
    return _stanza(b"X25519 " + _b64(share), ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None))


def to_ssh_rsa(name: str, file_key: bytes) -> bytes:
    """A stanza for an RSA key."""
    line = private(name).public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    tag = sha256(base64.b64decode(line.split()[1]))[:4]
    return _stanza(b"ssh-rsa " + _b64(tag), oaep(name, file_key, _VERSION + b"/ssh-rsa"))


def age(stanzas: list[bytes], file_key: bytes, data: bytes) -> bytes:
    """An age file."""
    header = _VERSION + b"\n" + b"".join(stanzas) + b"---"
    mac = hmac.digest(_hkdf(file_key, b"", b"header"), header, "sha256")
    nonce = fixed("age nonce", 16)
    cipher = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
    pieces = [data[at : at + 65536] for at in range(0, len(data), 65536)] or [b""]
    chunks = [
        cipher.encrypt(number.to_bytes(11, "big") + bytes([number == len(pieces) - 1]), piece, None)
        for number, piece in enumerate(pieces)
    ]
    return header + b" " + _b64(mac) + b"\n" + nonce + b"".join(chunks)


def armored(data: bytes) -> bytes:
    """The same as text."""
    text = base64.b64encode(data)
    lines = b"".join(text[at : at + 64] + b"\n" for at in range(0, len(text), 64))
    return b"-----BEGIN AGE ENCRYPTED FILE-----\n" + lines + b"-----END AGE ENCRYPTED FILE-----\n"
