"""Looking at all relays at once: what waits for us, what of ours still waits, and which receipts have come (§6).

Reads relays and `relay.json`, and writes `state.json` and `sent.json` only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay import following, mailbox
from alive_p2p.relay.answers import read_answer
from alive_p2p.relay.at_once import Outcome, at_once
from alive_p2p.relay.config import Peer
from alive_p2p.relay.looking import Sight, look
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.own_relay import key_at
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.receipts import Receipt, note_gone, note_receipts, read_receipts
from alive_p2p.relay.state import RelayState, change_state, read_state
from alive_p2p.relay.transports.base import Listing, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister

DEFAULT_TIMEOUT = 20.0
"""Seconds for one peer."""


@dataclass(frozen=True)
class PeerProbe:
    """What was seen of one peer.

    Attributes:
        name: the peer.
        fields: what `state.json` says of it from now on.
        receipts: receipts that were not read before.
        there: our packages in its relay; None where that is not known.
    """

    name: str
    fields: Mapping[str, Any]
    receipts: tuple[Receipt, ...] = ()
    there: frozenset[str] | None = None


@dataclass(frozen=True)
class Probe:
    """What came of looking: by peer what `state.json` says now, and the deliveries whose status has advanced."""

    at: str
    peers: Mapping[str, Mapping[str, Any]]
    advanced: tuple[Mapping[str, Any], ...]
    error: str | None = None


def probe(
    we: Ourselves,
    runtime: Runtime,
    reach: Reach,
    *,
    peers: Collection[str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT,
) -> Probe:
    """Look at our relay and at those of our peers, all at the same time.

    Args:
        we: who we are.
        runtime: the surroundings.
        reach: gives access to relays.
        peers: only these; all by default.
        timeout_seconds: how long to wait for one peer.

    Raises:
        AliveP2PError: `state.json` or `sent.json` cannot be used or not be written.
    """
    state = read_state(runtime)
    known = {str(one.get("deposit")) for one in SentRegister.read(runtime).deliveries}
    names = [name for name in we.config.peers if peers is None or name in peers]
    at = runtime.timestamp()
    actions: dict[str | None, Callable[[Reach], dict[str, PeerProbe]]] = {None: partial(_own, names, state, we)}
    actions |= {name: partial(_theirs, we.config.peers[name], state, we) for name in names}
    outcomes = at_once(actions, reach, runtime, seconds=timeout_seconds)
    own = outcomes.pop(None)
    found = [_peer(name, outcomes[name], own, we, at) for name in names]
    advanced = note_receipts([receipt for one in found for receipt in one.receipts], runtime)
    note_gone({one.name: one.there for one in found if one.there is not None}, known, runtime)

    def change(now: RelayState) -> RelayState:
        for one in found:
            now = now.with_peer(one.name, one.fields)
        return now.with_probe(at)

    after = change_state(runtime, change)
    seen = {one.name: after.peer(one.name) for one in found}
    return Probe(at, seen, tuple(advanced), own.error)


def _peer(
    name: str,
    theirs: Outcome[dict[str, PeerProbe]],
    own: Outcome[dict[str, PeerProbe]],
    we: Ourselves,
    at: str,
) -> PeerProbe:
    """What was seen of one peer in its relay and in ours."""
    seen = theirs.value[name] if theirs.value is not None else PeerProbe(name, {})
    fields: dict[str, Any] = {"last_probe": at, "reachable": theirs.error is None, "error": theirs.error}
    if we.config.peers[name].url is None:  # invited, and not answered yet: there is nothing to reach
        fields |= {"reachable": None, "error": None}
    fields |= seen.fields
    if own.value is not None:
        fields |= own.value[name].fields
    elif fields["error"] is None:
        fields["error"] = f"your own relay: {own.error}"
    return replace(seen, fields=fields)


def _own(names: Sequence[str], state: RelayState, we: Ourselves, reach: Reach) -> dict[str, PeerProbe]:
    """What our own relay holds from each peer: in its folder, and nowhere else."""
    folders = {name: f"inbox/{we.config.peers[name].folder}" for name in names}
    seen = [Sight.of(state.peer(name).get("seen_here"), we.url) for name in names]
    tips, versions = {one.tip for one in seen}, {place: what for one in seen for place, what in one.versions.items()}
    relay = reach(we.url)
    before = Sight(we.url, tips.pop() if len(tips) == 1 else None, versions)
    looked = look(relay, before, list(folders.values()))
    found = {}
    for name, folder in folders.items():
        fields: dict[str, Any] = {"seen_here": looked.sight.stored([folder])}
        if folder not in looked.unchanged:
            inbox = we.config.peers[name].folder
            fields["pending_packages"] = sum(1 for _ in mailbox.deposits(looked.listing, inbox))
            try:
                fields["answer"] = _answer(name, we, relay, looked.listing)
            except AliveP2PError:  # it is looked at again the next time
                fields["seen_here"] = looked.sight.stored([])
        found[name] = PeerProbe(name, fields)
    return found


def _answer(name: str, we: Ourselves, relay: Transport, listing: Listing) -> dict[str, Any] | None:
    """What an answer to our invitation says, for `status`; it is pinned by others. Raises `RelayError`."""
    answer = read_answer(name, we, relay, listing)
    if answer is None:
        return None
    return {
        "handle": answer.handle,
        "url": answer.url,
        "fingerprint": answer.public.fingerprint,
        "is_proven": answer.is_proven,
    }


def _theirs(peer: Peer, state: RelayState, we: Ourselves, reach: Reach) -> dict[str, PeerProbe]:
    """What a peer's relay holds of ours and for us, and its keys; of what others have left there nothing is fetched."""
    if peer.url is None or peer.inbox is None:
        return {peer.name: PeerProbe(peer.name, {})}
    pinned, known = we.keyring.peers.get(peer.name), state.peer(peer.name)
    inbox, receipts = f"inbox/{peer.inbox}", f"receipts/{peer.inbox}"
    relay = reach(peer.url)
    if pinned is None:
        there = _deposits(look(relay, Sight(peer.url), [inbox]).listing, peer.inbox)
        return {peer.name: PeerProbe(peer.name, {"undelivered": len(there)})}
    folders, key = [inbox, receipts, mailbox.ABOUT], mailbox.owner_key(pinned.handle or pinned.name)
    before = Sight.of(known.get("seen_there"), peer.url)
    looked = look(relay, before, folders, [key], always=[mailbox.ABOUT])
    fields: dict[str, Any] = {"seen_there": looked.sight.stored()}
    left: frozenset[str] | None = None
    if inbox not in looked.unchanged:
        left = _deposits(looked.listing, peer.inbox)
        fields["undelivered"] = len(left)
    elif known.get("undelivered") == 0:
        left = frozenset()
    told: list[Receipt] = []
    if receipts not in looked.unchanged:
        read = known.get("receipts_seen")
        seen = [one for one in read if isinstance(one, str)] if isinstance(read, list) else []
        told, fields["receipts_seen"] = read_receipts(pinned, peer.inbox, we, relay, looked.listing, seen)
        if len(fields["receipts_seen"]) < len(mailbox.receipts(looked.listing, peer.inbox)):  # the rest comes later
            fields["seen_there"] = looked.sight.stored([inbox, mailbox.ABOUT, key])
    if mailbox.ABOUT not in looked.unchanged:
        fields |= _keys(peer, state, we, relay, looked.listing)
    return {peer.name: PeerProbe(peer.name, fields, tuple(told), left)}


def _deposits(listing: Listing, folder: str) -> frozenset[str]:
    return frozenset(deposit.name for deposit in mailbox.deposits(listing, folder))


def _keys(peer: Peer, state: RelayState, we: Ourselves, relay: Transport, listing: Listing) -> dict[str, Any]:
    """Whether the key in a peer's relay is the pinned one, and which key it says follows that one.

    Nothing is fetched while the files are those that were seen before.
    """
    pinned, before = we.keyring.peers[peer.name], state.peer(peer.name)
    entry = listing.entries.get(mailbox.owner_key(pinned.handle or pinned.name))
    named = following.entries(listing)
    version = " ".join(one.version for one in (*([entry] if entry is not None else []), *named)) or None
    if version is not None and version == before.get("key_version"):
        return {}
    found = following.look(pinned, state, relay, listing) if named or before.get("successor") else None
    public = None if entry is None else key_at(relay, entry)
    follows = following.successor(pinned, found)
    is_known = public == pinned.public or (follows is not None and public == follows.public)
    other = None if is_known else ("none" if public is None else public.fingerprint)
    return {"key_version": version, "other_key": other, **following.seen(found, before)}
