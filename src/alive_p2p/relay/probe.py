"""Looking at all relays at once: what waits for us, what of ours still waits, and which receipts have come (§6).

Reads relays and `relay.json`, and writes `state.json` and `sent.json` only.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay import following, mailbox
from alive_p2p.relay.answers import read_answer
from alive_p2p.relay.config import Peer
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
_MOST_AT_ONCE = 64


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
    pool = ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, len(names) + 1), thread_name_prefix="probe")
    try:
        mine: Future[Own] = pool.submit(lambda: _own(reach(we.url)))
        theirs: dict[str, Future[PeerProbe]] = {
            name: pool.submit(_theirs, we.config.peers[name], state, we, reach) for name in names
        }
        every: list[Future[Any]] = [mine, *theirs.values()]
        wait(every, timeout=timeout_seconds)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who is too late is not waited for
    own = _result(mine, timeout_seconds)
    results = {name: _result(future, timeout_seconds) for name, future in theirs.items()}
    found = [_peer(name, results[name], own, we, at) for name in names]
    advanced = note_receipts([receipt for one in found for receipt in one.receipts], runtime)
    note_gone({one.name: one.there for one in found if one.there is not None}, known, runtime)

    def change(now: RelayState) -> RelayState:
        for one in found:
            now = now.with_peer(one.name, one.fields)
        return now.with_probe(at)

    after = change_state(runtime, change)
    seen = {one.name: after.peer(one.name) for one in found}
    return Probe(at, seen, tuple(advanced), own[1])


Own = tuple[Transport, Listing]


def _own(relay: Transport) -> Own:
    return relay, relay.list()


def _result(future: "Future[Any]", timeout_seconds: float) -> tuple[Any, str | None]:
    if not future.done() or future.cancelled():
        return None, f"no answer within {timeout_seconds:g} seconds"
    try:
        return future.result(), None
    except AliveP2PError as error:
        return None, error.message


def _peer(
    name: str,
    result: tuple[PeerProbe | None, str | None],
    of_ours: tuple[Own | None, str | None],
    we: Ourselves,
    at: str,
) -> PeerProbe:
    (seen, error), (own, own_error) = result, of_ours
    fields: dict[str, Any] = {"last_probe": at, "reachable": seen is not None and error is None, "error": error}
    if we.config.peers[name].url is None:  # invited, and not answered yet: there is nothing to reach
        fields |= {"reachable": None, "error": None}
    if seen is not None:
        fields |= seen.fields
    if own is not None:
        relay, listing = own
        fields["pending_packages"] = sum(1 for _ in mailbox.deposits(listing, we.config.peers[name].folder))
        fields["answer"] = _answer(name, we, relay, listing)
    elif own_error is not None and fields["error"] is None:
        fields["error"] = f"your own relay: {own_error}"
    return PeerProbe(name, fields) if seen is None else replace(seen, fields=fields)


def _answer(name: str, we: Ourselves, relay: Transport, listing: Listing) -> dict[str, Any] | None:
    """What an answer to our invitation says, for `status`; it is pinned by others (`answers.confirm`)."""
    try:
        answer = read_answer(name, we, relay, listing)
    except AliveP2PError:
        return None
    if answer is None:
        return None
    return {
        "handle": answer.handle,
        "url": answer.url,
        "fingerprint": answer.public.fingerprint,
        "is_proven": answer.is_proven,
    }


def _theirs(peer: Peer, state: RelayState, we: Ourselves, reach: Reach) -> PeerProbe:
    if peer.url is None or peer.inbox is None:
        return PeerProbe(peer.name, {})
    pinned = we.keyring.peers.get(peer.name)
    relay = reach(peer.url)
    listing = relay.list(*mailbox.open_to(peer.inbox))
    there = frozenset(deposit.name for deposit in mailbox.deposits(listing, peer.inbox))
    fields: dict[str, Any] = {"undelivered": len(there)}
    if pinned is None:
        return PeerProbe(peer.name, fields)
    known = state.peer(peer.name).get("receipts_seen")
    seen = [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
    receipts, now_seen = read_receipts(pinned, peer.inbox, we, relay, listing, seen)
    fields["receipts_seen"] = now_seen
    fields |= _keys(peer, state, we, relay, listing)
    return PeerProbe(peer.name, fields, tuple(receipts), there)


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
