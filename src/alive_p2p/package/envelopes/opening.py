"""Opening whatever is around a payload (format.md §5)."""

from collections import Counter
from typing import BinaryIO

from alive_p2p.package.envelopes.age import KeySource
from alive_p2p.package.envelopes.age_errors import AgeHeaderOverLimitError
from alive_p2p.package.envelopes.age_header import read_header
from alive_p2p.package.envelopes.age_passphrase import PassphraseSource
from alive_p2p.package.envelopes.base import (
    Addressees,
    Credentials,
    Envelope,
    Opened,
    Readable,
    needs,
    needs_key,
    not_for_us,
)
from alive_p2p.package.envelopes.legacy import LegacyHeader, OpenedLegacy
from alive_p2p.package.limits import Limits

_MAX_SAME_TAG = 8
"""Every stanza with our tag costs a private-key operation; that two keys of a package share one is rare."""


def open_envelope(
    stream: BinaryIO, envelope: Envelope, legacy: LegacyHeader | None, limits: Limits, credentials: Credentials
) -> Opened:
    """Find the key of a sealed package.

    Args:
        stream: the file, seekable.
        envelope: what it was recognised as; not `PLAIN`.
        legacy: what was found outside a package of format 2.0.
        limits: the limits in force.
        credentials: the receiver's.

    Raises:
        PackageError: the credential it needs is missing or wrong, or the envelope is not valid.
    """
    if legacy is not None:
        return OpenedLegacy(stream, legacy, limits, credentials)
    if envelope is Envelope.PASSPHRASE:
        from alive_p2p.package.envelopes.passphrase import OpenedPassphrase

        return OpenedPassphrase(stream, credentials)
    if envelope is Envelope.RSA:
        from alive_p2p.package.envelopes.rsa import OpenedRsa

        return OpenedRsa(stream, credentials)
    return OpenedAge(stream, credentials)


def read_addressees(stream: BinaryIO, envelope: Envelope) -> Addressees:
    """For whom an envelope says it is, without opening it.

    Raises:
        PackageError: the envelope is not valid.
    """
    if envelope is Envelope.RSA:
        from alive_p2p.package.envelopes import rsa

        return Addressees(pubkey_ids=rsa.read_header(stream).recipient_ids)
    if envelope is Envelope.AGE:
        stream.seek(0)
        return Addressees(ssh_tags=read_header(stream).ssh_tags)
    return Addressees()


class OpenedAge:
    """An age file and what it is opened with (format.md §5).

    Args:
        stream: the file, seekable.
        credentials: the receiver's.

    Raises:
        PackageError: the credential it needs is missing or wrong, or it is not an age file.
    """

    def __init__(self, stream: BinaryIO, credentials: Credentials) -> None:
        self._stream = stream
        self._file_key: bytes | None = None
        self._passphrase = b""
        self._identities: list[object] = []
        self._last: KeySource | None = None
        stream.seek(0)
        header = read_header(stream)
        if max(Counter(header.ssh_tags).values(), default=0) > _MAX_SAME_TAG:
            raise AgeHeaderOverLimitError(f"more than {_MAX_SAME_TAG} recipients of one key")
        self._credentials, self._addressees = credentials, Addressees(ssh_tags=header.ssh_tags)
        if header.is_passphrase:
            if credentials.passphrase is None:
                raise needs("with a passphrase", "give it with `--passphrase-env NAME` or `--passphrase-file FILE`")
            self._passphrase = credentials.passphrase()
        else:
            self._identities = [key.age_identity() for key in credentials.private_keys(self._addressees)]
            if not self._identities:
                raise needs_key(credentials, self._addressees)

    def plaintext(self) -> Readable:
        """The payload from its start."""
        self.close()
        self._stream.seek(0)
        header = read_header(self._stream)
        if not self._identities:
            opened = PassphraseSource(header.payload, header, self._passphrase, file_key=self._file_key)
            self._file_key = opened.file_key
            return opened
        self._last = KeySource(
            self._stream,
            self._identities,
            header=header,
            refusal=lambda: not_for_us(self._credentials, self._addressees),
        )
        return self._last

    def close(self) -> None:
        """End the thread that reads the file, where one does."""
        if self._last is not None:
            self._last.close()
            self._last = None
