"""Who can read a package: the people it is sealed for, or whoever gets it (share.md §4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Recipient:
    """Somebody a package is sealed for.

    Attributes:
        name: the peer's name, or where the key came from.
        pubkey_id: the first 16 hex digits of the fingerprint.
        kind: the family of the key: `rsa`, `ed25519` or `x25519`.
        is_peer: whether the keyring knows them.
        is_paired: whether the person vouched for the key; a key that was merely imported is not.
    """

    name: str
    pubkey_id: str
    kind: str
    is_peer: bool = False
    is_paired: bool = False


class Audience(Enum):
    """Who can read a package; the value is the word for it in `--json`."""

    PEERS = "peers"
    OTHERS = "others"
    ANYBODY = "anybody"


def audience_of(*, is_sealed: bool, recipients: Sequence[Recipient]) -> Audience:
    """Who can read a package that is sealed like this."""
    if not is_sealed:
        return Audience.ANYBODY
    return Audience.PEERS if recipients and all(one.is_paired for one in recipients) else Audience.OTHERS


def describe_readers(audience: Audience, recipients: Sequence[Recipient]) -> str:
    """Who can read a package, in words."""
    if audience is Audience.ANYBODY:
        return "everybody who gets the file"
    if audience is Audience.PEERS:
        return "paired peers"
    return "people whose keys nobody vouched for" if recipients else "whoever has the passphrase"
