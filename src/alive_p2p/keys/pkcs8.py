"""A private key under a passphrase: PKCS#8 with a key derivation that takes as long as the packages' (format.md §5).

The library writes encrypted PKCS#8 too, but with 2,048 rounds of PBKDF2, which is no obstacle to guessing. So the
standard structure (RFC 8018, PBES2) is put together here around the library's ciphers; every reader of PKCS#8
opens it.
"""

import base64
import secrets
import textwrap

ITERATIONS = 600_000
"""Rounds of PBKDF2-HMAC-SHA256, as for packages: 0.14 s for us, as much for each guess."""

_OID_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_OID_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_OID_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_OID_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_SEQUENCE, _OCTETS, _INTEGER, _NULL = 0x30, 0x04, 0x02, b"\x05\x00"


def encrypted_pem(der: bytes, passphrase: bytes) -> bytes:
    """Seal a DER `PrivateKeyInfo`: PBES2 of PBKDF2-HMAC-SHA256 and AES-256-CBC, as PEM.

    Args:
        der: the unencrypted key.
        passphrase: not empty.
    """
    from cryptography.hazmat.primitives import hashes, padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, ITERATIONS).derive(passphrase)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()

    rounds = _wrap(_INTEGER, ITERATIONS.to_bytes(ITERATIONS.bit_length() // 8 + 1, "big"))
    prf = _wrap(_SEQUENCE, _OID_HMAC_SHA256, _NULL)
    derivation = _wrap(_SEQUENCE, _OID_PBKDF2, _wrap(_SEQUENCE, _wrap(_OCTETS, salt), rounds, prf))
    cipher = _wrap(_SEQUENCE, _OID_AES_256_CBC, _wrap(_OCTETS, iv))
    scheme = _wrap(_SEQUENCE, _OID_PBES2, _wrap(_SEQUENCE, derivation, cipher))
    return _pem("ENCRYPTED PRIVATE KEY", _wrap(_SEQUENCE, scheme, _wrap(_OCTETS, sealed)))


def _wrap(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(what: str, der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN {what}-----\n{body}\n-----END {what}-----\n".encode("ascii")
