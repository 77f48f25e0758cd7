"""Who signed: looked up in the keyring, because what a package says of its sender is only a claim (format.md §4)."""

from collections.abc import Callable

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.package.signature import Signer


def signers(keyring: Callable[[], Keyring], handle: Callable[[], str | None]) -> Callable[[str], Signer | None]:
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
