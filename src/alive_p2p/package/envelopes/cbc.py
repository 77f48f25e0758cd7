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
        self._stream = stream
        self._decryptor = _cipher(key, iv).decryptor()
        self._last = b""  # the last block is the one with the padding, and which one that is shows at the end
        self._at_end = False

    def read(self, _size: int, /) -> bytes:
        """The next piece; empty only at the end, after the padding was checked.

        Raises:
            PackageError: it cannot be opened.
        """
        while not self._at_end:
            chunk = self._stream.read(_CHUNK)
            try:
                plain = self._last + (self._decryptor.update(chunk) if chunk else self._decryptor.finalize())
                self._at_end = not chunk
                if self._at_end:
                    return _unpadded(plain)
            except ValueError:
                raise cannot_open() from None
            plain, self._last = plain[:-BLOCK], plain[-BLOCK:]
            if plain:
                return plain
        return b""


def _unpadded(block: bytes) -> bytes:
    """The last block without its padding. Raises `ValueError` where it has none."""
    from cryptography.hazmat.primitives.padding import PKCS7

    unpadder = PKCS7(BLOCK * 8).unpadder()
    return unpadder.update(block) + unpadder.finalize()


class CbcSealer(Sealer):
    """Encrypts what is written.

    Args:
        output: where the ciphertext goes.
        key: 32 bytes.
        iv: 16 bytes.
    """

    def __init__(self, output: io.BufferedIOBase, key: bytes, iv: bytes) -> None:
        super().__init__(output)
        self._encryptor = _cipher(key, iv).encryptor()
        self._sealed = bytearray()
        self._size = 0

    def write(self, data: object, /) -> int:
        """Encrypt a piece. Raises `OSError` where the output does."""
        piece = data if isinstance(data, bytes) else bytes(data)  # type: ignore[call-overload]
        if len(self._sealed) < len(piece) + BLOCK:
            self._sealed = bytearray(len(piece) + BLOCK)
        count = self._encryptor.update_into(piece, self._sealed)
        self._output.write(memoryview(self._sealed)[:count])
        self._size += len(piece)
        return len(piece)

    def finish(self) -> None:
        """Write the padded last block; nothing may be written after it."""
        missing = BLOCK - self._size % BLOCK
        self._output.write(self._encryptor.update(bytes([missing]) * missing) + self._encryptor.finalize())
