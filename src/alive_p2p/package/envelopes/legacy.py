"""The envelope of format 2.0, for reading only: the manifest stands outside, the files are sealed (format.md §5).

A gzipped tar of `manifest.yaml`, `payload.enc` and, for RSA, `payload.key`. It is recognised by exactly these members;
no field of the manifest is consulted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package import paths
from alive_p2p.package.compression import GzipSource
from alive_p2p.package.envelopes import passphrase
from alive_p2p.package.envelopes.base import Addressees, Credentials, Readable, cannot_open, needs_key
from alive_p2p.package.envelopes.cbc import BLOCK, KEY_BYTES, CbcSource
from alive_p2p.package.limits import Limits
from alive_p2p.package.tar import TarReader

PAYLOAD = "payload.enc"
WRAPPED_KEY = "payload.key"
_MEMBERS = frozenset([paths.MANIFEST, PAYLOAD, WRAPPED_KEY])
_MAX_WRAPPED = 4096
_HEAD = len(passphrase.MAGIC) + 8 + BLOCK


@dataclass(frozen=True)
class LegacyHeader:
    """What stands outside: the manifest, the wrapped key (RSA only), and the payload's first bytes."""

    manifest: bytes
    wrapped_key: bytes | None
    head: bytes


def find(stream: BinaryIO, limits: Limits) -> LegacyHeader | None:
    """Look whether a gzipped tar is a sealed package of format 2.0; None where it is anything else.

    Stops at the first member that does not belong to one, which in a plain package is the second.
    """
    stream.seek(0)
    archive = TarReader(GzipSource(stream, limits.max_stream_bytes), limits)
    found: dict[str, bytes] = {}
    try:
        for member in archive.members():
            if member.path not in _MEMBERS or member.is_folder:
                return None
            if member.path == PAYLOAD:
                found[PAYLOAD] = next(archive.content(), b"")[:_HEAD]
            elif member.path == WRAPPED_KEY and member.size > _MAX_WRAPPED:
                return None
            else:
                found[member.path] = b"".join(archive.content())
    except PackageError:
        return None  # whoever reads it as a plain package says what is wrong
    if paths.MANIFEST not in found or PAYLOAD not in found:
        return None
    return LegacyHeader(found[paths.MANIFEST], found.get(WRAPPED_KEY), found[PAYLOAD])


class _Pieces:
    """A member's content as a stream, less its first bytes."""

    def __init__(self, pieces: Iterator[bytes], skip: int) -> None:
        self._pieces = pieces
        self._skip = skip

    def read(self, _size: int, /) -> bytes:
        for piece in self._pieces:
            rest = piece[self._skip :]
            self._skip -= min(self._skip, len(piece))
            if rest:
                return rest
        return b""


class OpenedLegacy:
    """A package of format 2.0 whose key was found.

    Args:
        stream: the file.
        header: what `find` found.
        limits: the limits in force.
        credentials: the receiver's.

    Raises:
        PackageError: the credential it needs is missing or wrong.
    """

    def __init__(self, stream: BinaryIO, header: LegacyHeader, limits: Limits, credentials: Credentials) -> None:
        self._stream = stream
        self._limits = limits
        if header.wrapped_key is None:
            self._skip = len(passphrase.MAGIC) + 8
            self._key, self._iv = passphrase.find_key(header.head, credentials)
        else:
            self._skip = 0
            self._key, self._iv = _unwrap(header.wrapped_key, credentials)

    def close(self) -> None:
        """Nothing is held."""

    def plaintext(self) -> Readable:
        """The payload, a gzipped tar of the files without the manifest, from its start."""
        self._stream.seek(0)
        archive = TarReader(GzipSource(self._stream, self._limits.max_stream_bytes), self._limits)
        for member in archive.members():
            if member.path == PAYLOAD:
                return CbcSource(_Pieces(archive.content(), self._skip), self._key, self._iv)
        raise cannot_open()


def _unwrap(wrapped: bytes, credentials: Credentials) -> tuple[bytes, bytes]:
    """32 bytes of key followed by 16 of IV. The envelope names nobody, so every key of ours is tried."""
    anyone = Addressees(could_be_anyone=True)
    keys = credentials.private_keys(anyone)
    if not keys:
        raise needs_key(credentials, anyone)
    for private in keys:
        try:
            both = private.unwrap(wrapped)
        except AliveP2PError:
            continue
        if len(both) == KEY_BYTES + BLOCK:
            return both[:KEY_BYTES], both[KEY_BYTES:]
    raise cannot_open()
