"""AES-256-CBC with PKCS#7 as a stream, in constant memory (format.md §5).

It carries no authentication: whatever goes wrong is one and the same error, and what it gives is trusted only after
the manifest's checks.
"""

import io
from typing import TYPE_CHECKING

from alive_p2p.package.envelopes.base import Readable, Sealer, cannot_open

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 16
KEY_BYTES = 32
_CHUNK = 1 << 17


def _cipher(key: bytes, iv: bytes) -> "Cipher[CBC]":
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.CBC(iv))


def first_block(key: bytes, iv: bytes, block: bytes) -> bytes:
    """Decrypt one block, to see whether a key is the right one."""
    decryptor = _cipher(key, iv).decryptor()
    return decryptor.update(block)


class CbcSource:
    """Reads the plaintext of a CBC stream.

    Args:
        stream: the ciphertext.
        key: 32 bytes.
        iv: 16 bytes.
    """

    def __init__(self, stream: Readable, key: bytes, iv: bytes) -> None:
        from cryptography.hazmat.primitives.padding import PKCS7

        self._stream = stream
        self._decryptor = _cipher(key, iv).decryptor()
        self._unpadder = PKCS7(BLOCK * 8).unpadder()
        self._at_end = False

    def read(self, _size: int, /) -> bytes:
        """The next piece; empty only at the end, after the padding was checked.

        Raises:
            PackageError: it cannot be opened.
        """
        while not self._at_end:
            chunk = self._stream.read(_CHUNK)
            try:
                if chunk:
                    plain = self._unpadder.update(self._decryptor.update(chunk))
                else:
                    self._at_end = True
                    plain = self._unpadder.update(self._decryptor.finalize()) + self._unpadder.finalize()
            except ValueError:
                raise cannot_open() from None
            if plain:
                return plain
        return b""


class CbcSealer(Sealer):
    """Encrypts what is written.

    Args:
        output: where the ciphertext goes.
        key: 32 bytes.
        iv: 16 bytes.
    """

    def __init__(self, output: io.BufferedIOBase, key: bytes, iv: bytes) -> None:
        from cryptography.hazmat.primitives.padding import PKCS7

        super().__init__(output)
        self._encryptor = _cipher(key, iv).encryptor()
        self._padder = PKCS7(BLOCK * 8).padder()

    def write(self, data: object, /) -> int:
        """Encrypt a piece. Raises `OSError` where the output does."""
        piece = bytes(data)  # type: ignore[call-overload]
        self._output.write(self._encryptor.update(self._padder.update(piece)))
        return len(piece)

    def finish(self) -> None:
        """Write the padded last block; nothing may be written after it."""
        self._output.write(self._encryptor.update(self._padder.finalize()) + self._encryptor.finalize())
