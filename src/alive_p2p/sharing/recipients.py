"""For whom a package is sealed: people, their keys, and the envelope that all of them can read (format.md §5).

Everything that a seal needs is found out here, before anything is read or written for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.public import PublicKey, load_public_keys
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import MAX_RECIPIENTS, Seal
from alive_p2p.sharing.audience import Recipient


@dataclass(frozen=True)
class Addressee:
    """Somebody a package may be sealed for.

    Attributes:
        key: one of their public keys.
        shown: as previews name them.
        reads_age: whether age is known to open it on their side.
    """

    key: PublicKey
    shown: Recipient
    reads_age: bool


def from_keyring(keyring: Keyring, names: Iterable[str]) -> list[Addressee]:
    """Peers by name (relay.md §4: only the pinned key is used).

    Raises:
        UsageError: a peer is not known, or its key is revoked.
    """
    found = []
    for name in dict.fromkeys(names):
        peer = keyring.peer(name)
        if peer.status == "revoked":
            raise _revoked(name)
        shown = Recipient(
            peer.name, peer.public.pubkey_id, peer.public.kind, is_peer=True, is_paired=peer.status == "paired"
        )
        found.append(Addressee(peer.public, shown, "age" in (peer.accepts or ()) or peer.public.kind != "rsa"))
    return found


def from_keys(name: str, keys: Iterable[PublicKey]) -> list[Addressee]:
    """Keys that nobody vouched for, under the name they were found by.

    What age cannot encrypt to is passed over where another key of the same source is left.
    """
    found = [Addressee(key, Recipient(name, key.pubkey_id, key.kind), reads_age=True) for key in keys]
    usable = [one for one in found if _is_age_key(one.key)]
    return usable or found


def from_key_file(name: str, data: bytes) -> list[Addressee]:
    """The keys in a file, such as a git host publishes: for somebody who is in no keyring (relay.md §7).

    Raises:
        AliveP2PError: there is none in it that a package can be sealed for.
    """
    found = from_keys(name, load_public_keys(data))
    if not found:
        raise AliveP2PError(
            "no-usable-key",
            f"'{name}' holds no key that a package can be sealed for",
            untouched="everything",
            hint="ask for an RSA, an Ed25519 or an age key",
        )
    return found


def refuse_revoked(people: Iterable[Addressee], keyring: Keyring) -> None:
    """A key that was revoked is not sealed for, wherever it came from.

    Raises:
        UsageError: one of them is.
    """
    for one in people:
        peer = keyring.find(one.key.pubkey_id)
        if peer is not None and peer.status == "revoked":
            raise _revoked(peer.name)


def envelope_for(people: Sequence[Addressee], *, has_passphrase: bool) -> Envelope:
    """The envelope where nobody chose one: age where all are known to read it, RSA otherwise; or what is left."""
    if people:
        return Envelope.AGE if all(one.reads_age for one in people) else Envelope.RSA
    return Envelope.PASSPHRASE if has_passphrase else Envelope.PLAIN


def seal_for(people: Sequence[Addressee], envelope: Envelope) -> tuple[Seal, tuple[Recipient, ...]]:
    """How a package for these people is sealed, and who they are in the preview.

    Args:
        people: at least one.
        envelope: RSA or age.

    Raises:
        UsageError: a key cannot be used with this envelope, or there are too many.
    """
    unique = list({one.key.pubkey_id: one for one in people}.values())
    if len(unique) > MAX_RECIPIENTS:
        raise UsageError(
            "too-many-recipients",
            f"it would be sealed for {len(unique):,} keys, and readers take at most {MAX_RECIPIENTS:,}",
            untouched="everything",
            hint="make several packages",
        )
    for one in unique:
        if envelope is Envelope.RSA and one.key.kind != "rsa":
            raise _unusable(one, f"it is {one.key.kind}, which the RSA envelope cannot use", "use `--encrypt age`")
        if envelope is Envelope.AGE and not _is_age_key(one.key):
            raise _unusable(one, "age cannot encrypt to it", "use `--encrypt rsa`, or another key of the same person")
    return Seal(envelope, public_keys=tuple(one.key for one in unique)), tuple(one.shown for one in unique)


def _is_age_key(key: PublicKey) -> bool:
    try:
        key.age_recipient()
    except AliveP2PError:
        return False
    return True


def _revoked(name: str) -> UsageError:
    return UsageError(
        "bad-recipient",
        f"the key of '{name}' is revoked",
        untouched="everything",
        hint="ask the person, over another channel, for the key that they use now",
    )


def _unusable(one: Addressee, why: str, hint: str) -> UsageError:
    return UsageError(
        "bad-recipient", f"the key of '{one.shown.name}' cannot be used: {why}", untouched="everything", hint=hint
    )
