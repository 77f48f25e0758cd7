"""age with a passphrase, as a stream in constant memory (format.md §5).

The age library knows passphrases only for whole files in memory, and tries whatever work a header asks for. So this
one recipient is written out here: scrypt wraps a file key, ChaCha20-Poly1305 seals chunks of 64 KiB.
"""

import hashlib
import hmac
import io
import os
import re
from typing import TYPE_CHECKING

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.envelopes.age_errors import CannotOpenAgeError, WorkFactorTooHighError
from alive_p2p.package.envelopes.age_header import (
    VERSION_LINE,
    AgeHeader,
    decode_base64,
    encode_base64,
)
from alive_p2p.package.envelopes.base import NO_CREDENTIALS, Addressees, Readable, Sealer, not_for_us

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

WORK_FACTOR = 18
"""What is written, as the age command does: 256 MiB of memory and about a second."""
MAX_WORK_FACTOR = 20
"""What is tried at most: 1 GiB. One of 24 takes a minute and 17 GB."""
CHUNK_BYTES = 1 << 16

_FILE_KEY_BYTES = 16
_SALT_BYTES = 16
_NONCE_BYTES = 16
_TAG_BYTES = 16
_SEALED_CHUNK_BYTES = CHUNK_BYTES + _TAG_BYTES
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_SCRYPT_BLOCKS = 8
_DECIMAL = re.compile(r"[1-9][0-9]*")


def _cipher(key: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)


def _hkdf(file_key: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt, info).derive(file_key)


def _wrapping_key(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    rounds = 1 << work_factor
    memory = 128 * _SCRYPT_BLOCKS * (rounds + 64)
    salt = _SCRYPT_LABEL + salt
    try:
        return hashlib.scrypt(passphrase, salt=salt, n=rounds, r=_SCRYPT_BLOCKS, p=1, maxmem=memory, dklen=32)
    except (MemoryError, ValueError):  # the parameters are right, so it is OpenSSL's way to say the same
        raise AliveP2PError(
            "not-enough-memory",
            f"there is not enough memory to work with the passphrase: it takes {memory >> 20:,} MiB",
            untouched="everything",
            hint="close other programs and run it again",
        ) from None


def _mac(file_key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), authenticated, "sha256")


def _nonce(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])


class PassphraseSealer(Sealer):
    """Seals what is written with a passphrase (format.md §5).

    The file is complete only after `finish` or `close`; one that was left alone or aborted cannot be opened.

    Args:
        output: where the package goes; it is left open.
        passphrase: its bytes, UTF-8; not empty.
        work_factor: the logarithm of scrypt's cost, 1 to 20.

    Raises:
        AliveP2PError: the passphrase is empty, or there is not enough memory for scrypt.
    """

    def __init__(self, output: io.BufferedIOBase, passphrase: bytes, *, work_factor: int = WORK_FACTOR) -> None:
        super().__init__(output)
        if not 1 <= work_factor <= MAX_WORK_FACTOR:
            message = f"a work factor is 1 to {MAX_WORK_FACTOR}"
            raise ValueError(message)
        if not passphrase:
            raise AliveP2PError("empty-passphrase", "the passphrase is empty", hint="choose one that is hard to guess")
        file_key, salt, nonce = os.urandom(_FILE_KEY_BYTES), os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = _cipher(_wrapping_key(passphrase, salt, work_factor)).encrypt(bytes(12), file_key, None)
        header = b"%b\n-> scrypt %b %d\n%b\n---" % (
            VERSION_LINE,
            encode_base64(salt),
            work_factor,
            encode_base64(wrapped),
        )
        self._cipher = _cipher(_hkdf(file_key, nonce, b"payload"))
        self._chunk = bytearray()
        self._counter = 0
        self._over = False
        output.write(header + b" " + encode_base64(_mac(file_key, header)) + b"\n" + nonce)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Seal a piece. Raises `OSError` where the output does, after which nothing more can be written."""
        if self._over:
            message = "nothing can be written any more"
            raise ValueError(message)
        piece = memoryview(data).cast("B")
        at = 0
        while at < len(piece):
            if len(self._chunk) == CHUNK_BYTES:  # more follows, so it is not the last one
                self._put(last=False)
            taken = piece[at : at + CHUNK_BYTES - len(self._chunk)]
            self._chunk += taken
            at += len(taken)
        return len(piece)

    def finish(self) -> None:
        """Write the last chunk; nothing may be written after it. Raises `OSError` where the output does."""
        if not self._over:
            self._put(last=True)
            self._over = True

    def abort(self) -> None:
        """End without a last chunk: what was written so far can never be taken for a package."""
        self._over = True
        self._chunk.clear()

    def close(self) -> None:
        """`finish`, unless it was done or aborted."""
        if not self.closed:
            self.finish()
            super().close()

    def __exit__(self, kind: object, error: BaseException | None, traceback: "TracebackType | None") -> None:
        if error is not None:
            self.abort()
        self.close()

    def __del__(self) -> None:
        """Collecting it must not complete a package that its maker gave up, as the base class would."""

    def _put(self, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._counter, last=last), bytes(self._chunk), None)
        self._over = True  # stays so if the output fails: the same nonce must not be used twice
        self._output.write(sealed)
        self._over = False
        self._counter += 1
        self._chunk.clear()


class PassphraseSource:
    """Opens an age file with its passphrase, chunk by chunk; only authenticated bytes come out (format.md §5).

    The passphrase is tried at once, and the stream not touched before it was found right: after an error another
    one can be tried with the same header.

    Args:
        stream: the header's `payload`, or another stream at the same place without armor.
        header: from `read_header`.
        passphrase: its bytes, UTF-8.
        file_key: what an earlier source for the same file found; scrypt takes a second.

    Raises:
        CannotOpenAgeError: the passphrase is wrong, or the header malformed or altered.
        WorkFactorTooHighError: the header asks for more work than is reasonable; nothing was tried.
        PackageError: it is not sealed with a passphrase.
        AliveP2PError: there is not enough memory for scrypt.
    """

    def __init__(
        self, stream: Readable, header: AgeHeader, passphrase: bytes, *, file_key: bytes | None = None
    ) -> None:
        self._stream = stream
        self._file_key = _open_file_key(header, passphrase) if file_key is None else file_key
        self._cipher: ChaCha20Poly1305 | None = None
        self._ahead = b""
        self._counter = 0
        self._plain = b""
        self._at = 0
        self._at_end = False
        self._failed = False

    @property
    def file_key(self) -> bytes:
        """The key of this file, for reading it once more."""
        return self._file_key

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none only at the authenticated end.

        Raises:
            CannotOpenAgeError: what follows was altered or cut off; again at every further call.
        """
        if self._failed:
            raise CannotOpenAgeError
        if self._at == len(self._plain) and not self._at_end:
            self._failed = True  # until the next chunk has proved itself
            self._plain, self._at = self._next(), 0
            self._failed = False
        piece = self._plain[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def _next(self) -> bytes:
        if self._cipher is None:
            nonce = self._take(_NONCE_BYTES)
            if len(nonce) < _NONCE_BYTES:
                raise CannotOpenAgeError
            self._cipher = _cipher(_hkdf(self._file_key, nonce, b"payload"))
        # One byte more than a chunk shows whether another follows; only the last may be short.
        sealed = self._ahead + self._take(_SEALED_CHUNK_BYTES + 1 - len(self._ahead))
        sealed, self._ahead = sealed[:_SEALED_CHUNK_BYTES], sealed[_SEALED_CHUNK_BYTES:]
        last = not self._ahead
        plain = _decrypt(self._cipher, _nonce(self._counter, last=last), sealed)
        if not plain and self._counter:  # an empty chunk stands only for an empty payload
            raise CannotOpenAgeError
        self._counter += 1
        self._at_end = last
        return plain

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes of the stream, fewer only at its end."""
        taken = self._stream.read(size)
        if not taken or len(taken) == size:
            return taken
        pieces = bytearray(taken)
        while len(pieces) < size and (more := self._stream.read(size - len(pieces))):
            pieces += more
        return bytes(pieces)


def _decrypt(cipher: "ChaCha20Poly1305", nonce: bytes, sealed: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, sealed, None)
    except InvalidTag:
        raise CannotOpenAgeError from None


def _open_file_key(header: AgeHeader, passphrase: bytes) -> bytes:
    if not header.is_passphrase:
        raise not_for_us(NO_CREDENTIALS, Addressees())
    (stanza,) = header.stanzas
    if len(stanza.arguments) != 2 or len(stanza.body) != _FILE_KEY_BYTES + _TAG_BYTES:
        raise CannotOpenAgeError
    salt, work_factor = decode_base64(stanza.arguments[0].encode("ascii")), stanza.arguments[1]
    if len(salt) != _SALT_BYTES or not _DECIMAL.fullmatch(work_factor):
        raise CannotOpenAgeError
    if len(work_factor) > 2 or int(work_factor) > MAX_WORK_FACTOR:
        raise WorkFactorTooHighError(MAX_WORK_FACTOR)
    file_key = _decrypt(_cipher(_wrapping_key(passphrase, salt, int(work_factor))), bytes(12), stanza.body)
    if not hmac.compare_digest(_mac(file_key, header.authenticated), header.mac):
        raise CannotOpenAgeError
    return file_key
