"""Signatures over the canonical bytes of a manifest (format.md §4).

A signature ends in exactly one of six outcomes. Who a signer is, only the keyring knows: what a package says of its
sender is a claim.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from alive_p2p.package.envelopes.base import Named
from alive_p2p.package.manifest import Manifest

ALGORITHM = "rsa-pss-sha256"
SIGNED_BYTES = "manifest-canonical-json-v1"
_PUBKEY_ID = re.compile(r"[0-9a-f]{16}")


class Outcome(Enum):
    """What is known of a signature; the value is the word in `--json`."""

    VALID = "valid"
    OTHER_SIGNER = "other-signer"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    INVALID = "invalid"
    UNSIGNED = "unsigned"


class VerifyingKey(Protocol):
    """What checking needs of a public key."""

    def verify(self, signature: bytes, data: bytes, /) -> bool:
        """Whether a signature over some bytes is this key's."""


class SigningKey(Protocol):
    """What signing needs of a private key."""

    @property
    def public(self) -> Named:
        """The key that receivers know."""

    def sign(self, data: bytes, /) -> bytes:
        """RSASSA-PSS with SHA-256 and 32 bytes of salt."""


@dataclass(frozen=True)
class Signer:
    """Somebody the keyring knows: the name here, what they call themselves, their key, and whether it is revoked."""

    name: str
    handle: str | None
    key: VerifyingKey
    is_revoked: bool = False


@dataclass(frozen=True)
class Verdict:
    """The outcome, and who signed as far as that is known.

    Attributes:
        outcome: one of the six.
        pubkey_id: the key the signature names; None where it names none that could be one.
        signer: the peer's name here; None where the key is not known.
    """

    outcome: Outcome
    pubkey_id: str | None = None
    signer: str | None = None


def sign(manifest: Manifest, key: SigningKey) -> Manifest:
    """A manifest with a signature; everything else, and with it the import id, stays.

    Args:
        manifest: complete.
        key: the sender's RSA key.
    """
    return Manifest({**manifest.fields, "signature": signature_block(manifest.canonical_bytes, key, SIGNED_BYTES)})


def check(manifest: Manifest, find: Callable[[str], Signer | None]) -> Verdict:
    """Judge a manifest's signature. Never raises: what cannot be understood is invalid.

    Args:
        manifest: as it was read.
        find: looks a `pubkey_id` up in the keyring.
    """
    if manifest.signature is None:
        return Verdict(Outcome.UNSIGNED)
    return judge(manifest.signature, manifest.canonical_bytes, SIGNED_BYTES, manifest.sender, find)


def signature_block(data: bytes, key: SigningKey, signed_bytes: str) -> dict[str, str]:
    """A signature as it stands in a manifest, or in any other signed document.

    Args:
        data: what is signed.
        key: the signer's RSA key.
        signed_bytes: the name of the form that `data` has.
    """
    return {
        "algo": ALGORITHM,
        "pubkey_id": key.public.pubkey_id,
        "sig_b64": base64.b64encode(key.sign(data)).decode(),
        "signed_bytes": signed_bytes,
    }


def judge(
    block: object, data: bytes, signed_bytes: str, sender: object, find: Callable[[str], Signer | None]
) -> Verdict:
    """Judge a signature that is there.

    Args:
        block: as it was read, of whatever type.
        data: what it has to be over.
        signed_bytes: the name of the form that `data` has.
        sender: who the document says it is from.
        find: looks a `pubkey_id` up in the keyring.
    """
    if not isinstance(block, Mapping):
        return Verdict(Outcome.INVALID)
    pubkey_id = block.get("pubkey_id")
    if not isinstance(pubkey_id, str) or not _PUBKEY_ID.fullmatch(pubkey_id):
        return Verdict(Outcome.INVALID)
    signature = _bytes(block.get("sig_b64"))
    if block.get("algo") != ALGORITHM or block.get("signed_bytes") != signed_bytes or signature is None:
        return Verdict(Outcome.INVALID, pubkey_id)
    signer = find(pubkey_id)
    if signer is None:
        return Verdict(Outcome.UNKNOWN, pubkey_id)
    if signer.is_revoked:
        return Verdict(Outcome.REVOKED, pubkey_id, signer.name)
    if not signer.key.verify(signature, data):
        return Verdict(Outcome.INVALID, pubkey_id, signer.name)
    is_sender = sender == (signer.handle or signer.name)
    return Verdict(Outcome.VALID if is_sender else Outcome.OTHER_SIGNER, pubkey_id, signer.name)


def _bytes(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
