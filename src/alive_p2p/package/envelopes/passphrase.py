"""The passphrase envelope: exactly what `openssl enc` makes and reads (format.md §5).

`openssl enc -aes-256-cbc -md sha256 -pbkdf2 -iter 600000 -salt`: `Salted__`, eight bytes of salt, AES-256-CBC.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from alive_p2p.package.envelopes.base import Credentials, Readable, cannot_open, needs
from alive_p2p.package.envelopes.cbc import BLOCK, KEY_BYTES, CbcSealer, CbcSource, first_block

MAGIC = b"Salted__"
ITERATIONS = 600_000
"""What is written; PBKDF2-HMAC-SHA256 of that many rounds takes 0.15 s."""

_OLDER_ITERATIONS = (100_000, 10_000)
_SALT_BYTES = 8
_GZIP = b"\x1f\x8b\x08"


def _pbkdf2(passphrase: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    both = PBKDF2HMAC(SHA256(), KEY_BYTES + BLOCK, salt, iterations).derive(passphrase)
    return both[:KEY_BYTES], both[KEY_BYTES:]


def _md5(passphrase: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """`EVP_BytesToKey` with MD5 and one round, the default of OpenSSL before 1.1; for reading only."""
    both = last = b""
    while len(both) < KEY_BYTES + BLOCK:
        last = hashlib.md5(last + passphrase + salt, usedforsecurity=False).digest()
        both += last
    return both[:KEY_BYTES], both[KEY_BYTES : KEY_BYTES + BLOCK]


def _candidates(passphrase: bytes, salt: bytes) -> Iterator[tuple[bytes, bytes]]:
    for iterations in (ITERATIONS, *_OLDER_ITERATIONS):
        yield _pbkdf2(passphrase, salt, iterations)
    yield _md5(passphrase, salt)


def find_key(head: bytes, credentials: Credentials) -> tuple[bytes, bytes]:
    """Find key and IV by the first block, which has to be the start of a gzip stream.

    Args:
        head: magic, salt and at least one block.
        credentials: the receiver's.

    Raises:
        PackageError: there is no passphrase, or none of the parameters fits it.
    """
    if credentials.passphrase is None:
        raise needs("with a passphrase", "give it with `--passphrase-env NAME` or `--passphrase-file FILE`")
    start = len(MAGIC) + _SALT_BYTES
    salt, block = head[len(MAGIC) : start], head[start : start + BLOCK]
    if len(block) < BLOCK or not head.startswith(MAGIC):
        raise cannot_open()
    passphrase = credentials.passphrase()
    for key, iv in _candidates(passphrase, salt):
        if first_block(key, iv, block).startswith(_GZIP):
            return key, iv
    raise cannot_open()


class OpenedPassphrase:
    """A passphrase envelope whose key was found.

    Args:
        stream: the file.
        credentials: the receiver's.

    Raises:
        PackageError: as `find_key`.
    """

    def __init__(self, stream: BinaryIO, credentials: Credentials) -> None:
        stream.seek(0)
        self._stream = stream
        self._key, self._iv = find_key(stream.read(len(MAGIC) + _SALT_BYTES + BLOCK), credentials)

    def close(self) -> None:
        """Nothing is held."""

    def plaintext(self) -> Readable:
        """The payload from its start."""
        self._stream.seek(len(MAGIC) + _SALT_BYTES)
        return CbcSource(self._stream, self._key, self._iv)


class PassphraseSealer(CbcSealer):
    """Seals with a passphrase.

    Args:
        output: where the package goes.
        passphrase: its bytes, UTF-8.
    """

    def __init__(self, output: io.BufferedIOBase, passphrase: bytes) -> None:
        salt = os.urandom(_SALT_BYTES)
        output.write(MAGIC + salt)
        super().__init__(output, *_pbkdf2(passphrase, salt, ITERATIONS))
