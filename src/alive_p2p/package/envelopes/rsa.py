"""The RSA hybrid envelope: a tar of `rsa-envelope-v1.json` and `payload.enc` (format.md §5)."""

import base64
import binascii
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.compression import damaged
from alive_p2p.package.envelopes.base import (
    Addressees,
    Credentials,
    Readable,
    cannot_open,
    malformed,
    needs_key,
    not_for_us,
)
from alive_p2p.package.envelopes.cbc import BLOCK, KEY_BYTES, CbcSealer, CbcSource
from alive_p2p.package.limits import MIB, Limits
from alive_p2p.package.tar import BLOCK as TAR_BLOCK
from alive_p2p.package.tar import TarReader
from alive_p2p.package.tar_headers import END, HeaderWriter, padding

ENVELOPE = "rsa-envelope-v1.json"
PAYLOAD = "payload.enc"
_ALGORITHM = "aes-256-cbc"
_MAX_JSON = MIB
_MAX_RECIPIENTS = 1_000
"""Each recipient that has to be tried costs a private-key operation."""

_OUTER = Limits(max_files=16, max_bytes=1 << 62)
"""The outer archive holds two members, and a third is refused by name.

How large the payload is, is limited by what comes out of it.
"""


class Wrapping(Protocol):
    """What sealing needs of a public key."""

    @property
    def pubkey_id(self) -> str:
        """The id under which the recipient is named."""

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a key for it."""


@dataclass(frozen=True)
class RsaHeader:
    """What the envelope says: for whom, and where the payload lies in the file."""

    recipients: tuple[tuple[str, bytes], ...]
    iv: bytes
    payload_at: int
    payload_size: int

    @property
    def recipient_ids(self) -> tuple[str, ...]:
        """The `pubkey_id`s it names."""
        return tuple(pubkey_id for pubkey_id, _ in self.recipients)


class _FileSource:
    """Reads a file for the tar reader and knows how far it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.position = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        while data and len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        self.position += len(data)
        return data


def read_header(stream: BinaryIO) -> RsaHeader:
    """Read the envelope's own part; the payload is passed over and not opened.

    Raises:
        PackageError: it is not exactly the two members, or the JSON is not what it has to be.
    """
    stream.seek(0)
    source = _FileSource(stream)
    archive = TarReader(source, _OUTER)
    envelope: bytes | None = None
    payload: tuple[int, int] | None = None
    for member in archive.members():
        if member.path == ENVELOPE and not member.is_folder:
            if member.size > _MAX_JSON:
                raise malformed("RSA envelope", "it is larger than a megabyte")
            envelope = b"".join(archive.content())
        elif member.path == PAYLOAD and not member.is_folder:
            payload = source.position, member.size
        else:
            raise malformed("RSA envelope", "it holds something besides its two members")
    if envelope is None or payload is None:
        raise malformed("RSA envelope", "one of its two members is missing")
    if payload[1] == 0 or payload[1] % BLOCK:
        raise damaged("its payload is cut off")
    recipients, iv = _parse(envelope)
    return RsaHeader(recipients, iv, *payload)


def _parse(data: bytes) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise malformed("RSA envelope", "it is not JSON") from None
    if not isinstance(document, dict):
        raise malformed("RSA envelope", "it is not an object")
    version = document.get("version")
    if version != 1 or isinstance(version, bool):
        raise malformed("RSA envelope", "its version is not 1")
    if document.get("payload_algo") != _ALGORITHM:
        raise malformed("RSA envelope", f"its cipher is not {_ALGORITHM}")
    iv = _base64(document.get("payload_iv_b64"))
    if len(iv) != BLOCK:
        raise malformed("RSA envelope", "its IV does not have 16 bytes")
    listed = document.get("recipients")
    if not isinstance(listed, list) or not listed or len(listed) > _MAX_RECIPIENTS:
        raise malformed("RSA envelope", "it does not name between one and a thousand recipients")
    return tuple(_recipient(entry) for entry in listed), iv


def _recipient(entry: Any) -> tuple[str, bytes]:  # noqa: ANN401  (parsed JSON)
    if not isinstance(entry, dict) or not isinstance(entry.get("pubkey_id"), str):
        raise malformed("RSA envelope", "a recipient is not an object with an id")
    return entry["pubkey_id"][:64], _base64(entry.get("key_enc_b64"))


def _base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise malformed("RSA envelope", "a value that has to be Base64 is not text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise malformed("RSA envelope", "a value is not Base64") from None


class OpenedRsa:
    """An RSA envelope whose key was unwrapped.

    Args:
        stream: the file.
        credentials: the receiver's.

    Raises:
        PackageError: the envelope is not valid, there is no private key, or it is for nobody we are.
    """

    def __init__(self, stream: BinaryIO, credentials: Credentials) -> None:
        self._stream = stream
        self._header = read_header(stream)
        self._key = self._unwrap(credentials)

    def _unwrap(self, credentials: Credentials) -> bytes:
        addressees = Addressees(pubkey_ids=self._header.recipient_ids)
        keys = credentials.private_keys(addressees)
        if not keys:
            raise needs_key(credentials, addressees)
        ours = {key.public.pubkey_id for key in keys}
        ordered = sorted(self._header.recipients, key=lambda recipient: recipient[0] not in ours)
        is_named = False
        for pubkey_id, wrapped in ordered:
            for private in keys:
                is_named |= private.public.pubkey_id == pubkey_id
                try:
                    key = private.unwrap(wrapped)
                except AliveP2PError:
                    continue
                if len(key) == KEY_BYTES:
                    return key
        if is_named:
            raise cannot_open()
        raise not_for_us(credentials, addressees)

    def close(self) -> None:
        """Nothing is held."""

    def plaintext(self) -> Readable:
        """The payload from its start."""
        self._stream.seek(self._header.payload_at)
        return CbcSource(_Span(self._stream, self._header.payload_size), self._key, self._header.iv)


class _Span:
    """A stretch of a file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


class RsaSealer(CbcSealer):
    """Seals for RSA keys; `output` has to be seekable, because the payload's size stands before it.

    Args:
        output: where the package goes.
        recipients: at least one public key.
        mtime: seconds since 1970, for the headers.
    """

    def __init__(self, output: io.BufferedIOBase, recipients: Sequence[Wrapping], mtime: int) -> None:
        key, iv = os.urandom(KEY_BYTES), os.urandom(BLOCK)
        document = {
            "version": 1,
            "recipients": [
                {"pubkey_id": recipient.pubkey_id, "key_enc_b64": base64.b64encode(recipient.wrap(key)).decode()}
                for recipient in recipients
            ],
            "payload_algo": _ALGORITHM,
            "payload_iv_b64": base64.b64encode(iv).decode(),
        }
        self._headers = HeaderWriter(mtime)
        text = (json.dumps(document, indent=2) + "\n").encode()
        output.write(self._headers.header(ENVELOPE, len(text)) + text + padding(len(text)))
        self._header_at = output.tell()
        output.write(bytes(TAR_BLOCK))
        super().__init__(output, key, iv)

    def finish(self) -> None:
        """Write the last block, and the payload's header now that its size is known."""
        super().finish()
        end = self._output.tell()
        size = end - self._header_at - TAR_BLOCK
        self._output.write(padding(size) + END)
        after = self._output.tell()
        self._output.seek(self._header_at)
        self._output.write(self._headers.header(PAYLOAD, size))
        self._output.seek(after)
