"""Following a peer to its new key: noticed in its relay, asked about once, never where two claim it (relay.md §6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import rotation
from alive_p2p.relay.config import COPY, RelayConfig, change_config
from alive_p2p.relay.own_relay import small_document
from alive_p2p.relay.rotation import Succession
from alive_p2p.relay.state import RelayState, change_state
from alive_p2p.relay.transports.base import Entry, Listing, Transport
from alive_p2p.runtime import Runtime

_MOST_KNOWN = 200


@dataclass(frozen=True)
class Successor:
    """A key that follows a peer's pinned one.

    Attributes:
        name: the peer.
        old: the pinned key's fingerprint.
        public: the key that counts now.
        former: the ids of the keys on the way to it, the pinned one first.
        at: when the last step was taken, as its owner says.
    """

    name: str
    old: str
    public: PublicKey
    former: tuple[str, ...]
    at: str


def look(peer: Peer, state: RelayState, relay: Transport, listing: Listing) -> Succession | None:
    """Where a peer's pinned key leads, by the documents in its relay and by what was seen there before.

    Args:
        peer: the peer, with its pinned key.
        state: what was seen before.
        relay: the peer's relay.
        listing: what lies there.

    Raises:
        RelayError: it cannot be read.
    """
    if peer.status == "revoked":
        return None
    found = [data for entry in entries(listing) if (data := small_document(relay, entry)) is not None]
    return rotation.succession(peer.handle or peer.name, peer.public, found, _known(state.peer(peer.name)))


def entries(listing: Listing) -> list[Entry]:
    """The documents of rotations in a relay; no more of them than anybody has."""
    return [entry for name, entry in listing.entries.items() if rotation.is_place(name)][: rotation.MOST]


def seen(found: Succession | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """What `state.json` says of a peer's successor from now on.

    Args:
        found: as `look` gave it.
        before: what it said of the peer.
    """
    known = _known(before)
    if found is None:
        return {"successor": None, "rivals": []} if before.get("successor") or before.get("rivals") else {}
    for old, new in found.named.items():
        known.setdefault(old, set()).add(new)
    remembered = {old: sorted(new) for old, new in list(known.items())[-_MOST_KNOWN:]}
    last = found.steps[-1] if found.steps and not found.is_disputed else None
    successor = None if last is None else {"fingerprint": last.new.fingerprint, "at": last.at}
    return {"successor": successor, "rivals": list(found.rivals), "successors": remembered}


def successor(peer: Peer, found: Succession | None) -> Successor | None:
    """The key that a peer can be followed to; None where there is none, or where two claim it."""
    if found is None or found.is_disputed or not found.steps:
        return None
    last = found.steps[-1]
    former = tuple(step.old[:16] for step in found.steps)
    return Successor(peer.name, peer.public.fingerprint, last.new, former, last.at)


def was_asked(one: Successor, state: RelayState) -> bool:
    """Whether a person has said no to this key before."""
    return state.peer(one.name).get("not_followed") == one.public.fingerprint


def note_refusal(one: Successor, runtime: Runtime) -> None:
    """Remember that a person has said no: they are asked once. Raises `AliveP2PError`."""
    change_state(runtime, lambda state: state.with_peer(one.name, {"not_followed": one.public.fingerprint}))


def follow(one: Successor, runtime: Runtime) -> Peer:
    """Pin a successor in the place of the key that leads to it, after a person's yes.

    The copy in our relay is for `answers.leave_copies`.

    Raises:
        RelayError: `key-changed`: another key is pinned by now.
        KeyProblem: the key is somebody else's.
    """
    keyring = Keyring.load(runtime)
    peer = keyring.peer(one.name)
    if peer.public.fingerprint != one.old:
        raise RelayError(
            "key-changed", f"another key is pinned for '{one.name}' by now", untouched="everything", hint="run it again"
        )
    after = keyring.import_peer(
        one.name,
        one.public.pem(),
        status=peer.status,
        handle=peer.handle,
        added_by="rotation",
        accepts=peer.accepts,
        replace=True,
    )

    def change(config: RelayConfig) -> RelayConfig:
        known = config.peers.get(one.name)
        if known is None:
            return config
        followed = config.with_peer(one.name, {"former_keys": [*known.former_keys, *one.former]})
        return followed.with_unfinished(one.name, known.unfinished | {COPY})

    change_config(runtime, change)
    forget(one.name, runtime)
    return after


def forget(name: str, runtime: Runtime) -> None:
    """A person has decided which key is a peer's: what was seen before the decision says nothing any more.

    Raises:
        AliveP2PError: `state.json` cannot be used.
    """
    nothing: dict[str, Any] = {
        "seen_there": None,
        "key_version": None,
        "other_key": None,
        "successor": None,
        "rivals": [],
        "not_followed": None,
        "receipts_seen": [],
    }
    change_state(runtime, lambda state: state.with_peer(name, nothing) if state.peer(name) else state)


def rivals(name: str, state: RelayState) -> tuple[str, ...]:
    """The fingerprints that claim to follow a peer's key, where there are several; nothing is exchanged then."""
    found = state.peer(name).get("rivals")
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def disputed(state: RelayState, names: Iterable[str]) -> frozenset[str]:
    """Of these peers those of whose keys two claim to be the one that counts."""
    return frozenset(name for name in names if rivals(name, state))


def refuse_disputed(name: str, state: RelayState) -> None:
    """Refuse to go on with a peer of whose keys two claim to be the one that counts.

    Raises:
        RelayError: `disputed-key`.
    """
    if found := rivals(name, state):
        raise RelayError(
            "disputed-key",
            f"the key of '{name}' has named two different successors, so it cannot be told which is theirs",
            untouched="everything; nothing goes to them and nothing of theirs is received by itself",
            hint=f"ask them over another channel, then `alive-p2p relay peers trust {name} --fingerprint F`",
            details=[f"named: {one}" for one in found],
        )


def _known(fields: Mapping[str, Any]) -> dict[str, set[str]]:
    """The successors that were seen before, by the fingerprint of who has named them."""
    found = fields.get("successors")
    if not isinstance(found, dict):
        return {}
    return {old: {one for one in new if isinstance(one, str)} for old, new in found.items() if isinstance(new, list)}
