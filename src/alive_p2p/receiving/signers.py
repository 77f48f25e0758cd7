"""Who signed: looked up in the keyring, because what a package says of its sender is only a claim (format.md §4)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.signature import Outcome, Signer, Verdict

if TYPE_CHECKING:
    from alive_p2p.keys.keyring import Keyring


def signers(keyring: "Callable[[], Keyring]", handle: Callable[[], str | None]) -> Callable[[str], Signer | None]:
    """Look signers up in the keyring; our own key counts as ours.

    What comes back raises `KeyProblem` where the keyring's index is broken: it says who was revoked.

    Args:
        keyring: gives the keyring, when there is a signature to look at.
        handle: gives what we call ourselves.
    """

    def find(pubkey_id: str) -> Signer | None:
        known = keyring()
        try:
            own = known.own_public()
        except AliveP2PError:
            own = None  # the keyring's warnings tell; a broken key of ours says nothing about others'
        if own is not None and own.pubkey_id == pubkey_id:
            return Signer("you", handle(), own)
        known.refuse_broken_index()
        peer = known.find(pubkey_id)
        if peer is None:
            return None
        return Signer(peer.name, peer.handle, peer.public, is_revoked=peer.status == "revoked")

    return find


def describe_verdict(verdict: Verdict) -> str:
    """What is known of a signature, for a person: a peer's name only where the keyring vouches for it."""
    who = f"{verdict.signer} ({verdict.pubkey_id})"
    return {
        Outcome.VALID: f"valid, by {who}",
        Outcome.OTHER_SIGNER: f"valid, but by {who}, who is not the sender it names",
        Outcome.UNKNOWN: f"by a key you do not know ({verdict.pubkey_id})",
        Outcome.REVOKED: f"by a key that was revoked: {who}",
        Outcome.INVALID: "not valid",
        Outcome.UNSIGNED: "none",
    }[verdict.outcome]
