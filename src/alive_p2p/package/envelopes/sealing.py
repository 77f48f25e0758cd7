"""Sealing what a package's writer writes (format.md §5).

Everything a seal needs is in hand before anything is read or written: the passphrase, or every recipient's key.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from alive_p2p.package.envelopes.base import Envelope

MAX_RECIPIENTS = 200
"""Readers take a thousand; an RSA envelope of 200 keys of 16,384 bits still fits their megabyte of JSON."""


@dataclass(frozen=True)
class Seal:
    """How a package is sealed.

    Attributes:
        envelope: none, passphrase, RSA or age.
        passphrase: for the passphrase envelope, and for age without keys; UTF-8.
        public_keys: for RSA and age, one for each recipient.
    """

    envelope: Envelope = Envelope.PLAIN
    passphrase: bytes = field(default=b"", repr=False)
    public_keys: Sequence[Any] = ()


@contextmanager
def sealed(output: io.BufferedIOBase, seal: Seal, mtime: int) -> Iterator[io.BufferedIOBase | io.RawIOBase]:
    """The stream that a plain package is written to, so that `output` gets the sealed one.

    Args:
        output: where the package goes; left open.
        seal: how it is sealed.
        mtime: the package's time, in seconds since 1970.
    """
    if seal.envelope is Envelope.PASSPHRASE:
        from alive_p2p.package.envelopes.passphrase import PassphraseSealer

        by_passphrase = PassphraseSealer(output, seal.passphrase)
        yield by_passphrase
        by_passphrase.finish()
    elif seal.envelope is Envelope.RSA:
        from alive_p2p.package.envelopes.rsa import RsaSealer

        for_keys = RsaSealer(output, seal.public_keys, mtime)
        yield for_keys
        for_keys.finish()
    elif seal.envelope is Envelope.AGE and seal.passphrase:
        from alive_p2p.package.envelopes.age_passphrase import PassphraseSealer as AgePassphraseSealer

        with AgePassphraseSealer(output, seal.passphrase) as by_age_passphrase:
            yield by_age_passphrase
    elif seal.envelope is Envelope.AGE:
        from alive_p2p.package.envelopes.age import KeySealer

        with KeySealer(output, [key.age_recipient() for key in seal.public_keys]) as for_age_keys:
            yield for_age_keys
    else:
        yield output
