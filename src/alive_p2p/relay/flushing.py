"""Sending what is in the outbox at the end of a command about something else (relay.md §6).

It has to go unnoticed: nothing is waited for that a command about something else would not wait for.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta

from alive_p2p.errors import AliveP2PError, BusyError
from alive_p2p.relay import outbox
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.outbox import Delivered, Outgoing
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.state import RelayState, change_state, read_state
from alive_p2p.runtime import Runtime, parse_timestamp

MOST_BYTES = 4_000_000
"""Larger packages wait for a command whose work is to send, or to look at our own relay."""
NOT_AGAIN_WITHIN = timedelta(minutes=10)
"""A relay that was not reached is left alone for so long."""
_FAILED = "not_sent_at"


def deliver_quietly(
    we: Ourselves,
    runtime: Runtime,
    reach: Reach,
    *,
    only: Callable[[Outgoing], bool] = lambda _: True,
    reached: Collection[str] = (),
    enough_after: float | None = None,
) -> list[Delivered]:
    """Deliver what is in the outbox, is small, and is not for a relay that was not reached a moment ago.

    Args:
        we: who we are.
        runtime: the surroundings.
        reach: gives access to relays.
        only: which of it.
        reached: peers whose relays have just been reached, whatever was before.
        enough_after: seconds after which nothing more is begun.

    Returns:
        What was tried; nothing where another process is sending.

    Raises:
        AliveP2PError: the outbox or `state.json` cannot be used.
    """
    if not outbox.waiting(runtime):
        return []
    state = read_state(runtime)

    def is_tried(one: Outgoing) -> bool:
        is_left_alone = one.peer not in reached and _has_just_failed(one.peer, state, runtime)
        return one.size <= MOST_BYTES and only(one) and not is_left_alone

    try:
        done = outbox.deliver(we, runtime, reach, only=is_tried, wait_seconds=0, enough_after=enough_after)
    except BusyError:
        return []
    failed = {one.outgoing.peer for one in done if one.error is not None}
    sent = {one.outgoing.peer for one in done if one.error is None}

    def change(now: RelayState) -> RelayState:
        for name in failed:
            now = now.with_peer(name, {_FAILED: runtime.timestamp()})
        for name in sent - failed:
            if now.peer(name).get(_FAILED) is not None:
                now = now.with_peer(name, {_FAILED: None})
        return now

    if done:
        with suppress(AliveP2PError):  # then it is tried again the next time
            change_state(runtime, change)
    return done


def _has_just_failed(peer: str, state: RelayState, runtime: Runtime) -> bool:
    at = state.peer(peer).get(_FAILED)
    try:
        return isinstance(at, str) and timedelta(0) <= runtime.now() - parse_timestamp(at) < NOT_AGAIN_WITHIN
    except ValueError:
        return False
