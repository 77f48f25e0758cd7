"""What is known of our relay and our peers, without asking anybody (relay.md §6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alive_p2p.keys.keyring import Keyring
from alive_p2p.relay import outbox
from alive_p2p.relay.config import RelayConfig, read_config
from alive_p2p.relay.glance import ATTEMPT
from alive_p2p.relay.outbox import Outgoing
from alive_p2p.relay.receipts import STATUSES
from alive_p2p.relay.state import RelayState, read_state
from alive_p2p.runtime import Runtime, parse_timestamp
from alive_p2p.sharing.sent import SentRegister

OLD_AFTER = timedelta(minutes=10)
"""A look at the relays that is older says little about now."""


@dataclass(frozen=True)
class PeerStatus:
    """One peer.

    Attributes:
        name: what we call it.
        state: `invited`, `to-confirm` (it has answered), `mutual`, or `revoked`.
        url: its relay, or None.
        pubkey_id: of its pinned key, or None.
        fingerprint: of the same, whole.
        seen: what `state.json` says of it.
        last_delivery: what was last sent to it, and what became of that.
        last_told: the last of what was sent to it that it has given a receipt for; None where there is none.
    """

    name: str
    state: str
    url: str | None
    pubkey_id: str | None
    fingerprint: str | None
    seen: Mapping[str, Any]
    last_delivery: Mapping[str, Any] | None
    last_told: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Status:
    """All of it.

    Attributes:
        url: our relay; None where there is none.
        username: what we call ourselves.
        pubkey_id: of our key, or None.
        fingerprint: of the same, whole.
        peers: everybody.
        outbox: what is still to be sent.
        last_probe: when the relays were last looked at, or None.
        is_old: whether that is so long ago that it says little.
        failure: why the last look that a session began did not work, where no other came after it.
    """

    url: str | None
    username: str | None
    pubkey_id: str | None
    fingerprint: str | None
    peers: tuple[PeerStatus, ...]
    outbox: tuple[Outgoing, ...]
    last_probe: str | None
    is_old: bool
    failure: str | None = None


def status(runtime: Runtime, keyring: Keyring) -> Status:
    """Gather what is known.

    Raises:
        AliveP2PError: one of our own files cannot be used.
    """
    config, state = read_config(runtime), read_state(runtime)
    deliveries = SentRegister.read(runtime).deliveries
    own = keyring.own_public()
    names = [*config.peers, *(name for name, one in keyring.peers.items() if one.status == "revoked")]
    peers = []
    for name in dict.fromkeys(names):
        pinned = keyring.peers.get(name)
        theirs = [one for one in deliveries if one.get("peer") == name]
        told = [one for one in theirs if one.get("status") in STATUSES[1:]]
        known = config.peers.get(name)
        peers.append(
            PeerStatus(
                name,
                _state(name, config, keyring, state.peer(name)),
                known.url if known is not None else None,
                pinned.public.pubkey_id if pinned is not None else None,
                pinned.public.fingerprint if pinned is not None else None,
                state.peer(name),
                theirs[-1] if theirs else None,
                max(told, key=lambda one: str(one.get("status_at"))) if told else None,
            )
        )
    return Status(
        config.url,
        config.username,
        own.pubkey_id if own is not None else None,
        own.fingerprint if own is not None else None,
        tuple(peers),
        tuple(outbox.waiting(runtime)),
        state.last_probe,
        _is_old(state.last_probe, runtime),
        _failure(state),
    )


def _state(name: str, config: RelayConfig, keyring: Keyring, seen: Mapping[str, Any]) -> str:
    pinned = keyring.peers.get(name)
    if pinned is not None and pinned.status == "revoked":
        return "revoked"
    known = config.peers.get(name)
    if known is not None and known.is_accepted and pinned is not None:
        return "mutual"
    return "to-confirm" if seen.get("answer") else "invited"


def _failure(state: RelayState) -> str | None:
    tried = state.raw.get(ATTEMPT)
    at, error = (tried.get("at"), tried.get("error")) if isinstance(tried, dict) else (None, None)
    return error if isinstance(at, str) and isinstance(error, str) and at > (state.last_probe or "") else None


def _is_old(at: str | None, runtime: Runtime) -> bool:
    if at is None:
        return True
    try:
        return runtime.now() - parse_timestamp(at) > OLD_AFTER
    except ValueError:
        return True
