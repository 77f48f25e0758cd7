"""Folding the past of a relay that keeps one: git keeps every package that ever lay in a repository (relay.md §6)."""

from typing import Protocol, runtime_checkable

from alive_p2p.relay.state import change_state, read_state
from alive_p2p.relay.transports.base import Transport
from alive_p2p.runtime import Runtime

AFTER_BYTES = 200_000_000
"""By itself, once so many bytes were received since the last time."""
_COUNTED = "received_bytes"


@runtime_checkable
class Compacting(Protocol):
    """A transport that keeps a past."""

    def compact(self) -> bool:
        """Fold it; False where somebody has changed something meanwhile. Raises `RelayError`."""


def compact(relay: Transport, runtime: Runtime) -> bool | None:
    """Fold our relay's past into what lies there now; peers notice nothing.

    Args:
        relay: ours.
        runtime: the surroundings.

    Returns:
        Whether it was done; False where somebody was faster, None where a relay of this kind keeps no past.

    Raises:
        RelayError: it could not be done.
    """
    if not isinstance(relay, Compacting):
        return None
    done = relay.compact()
    if done:
        change_state(runtime, lambda state: state.with_field(_COUNTED, 0))
    return done


def count(received: int, relay: Transport, runtime: Runtime) -> None:
    """Count what was received, and fold the past when it has become much.

    Args:
        received: bytes.
        relay: ours.
        runtime: the surroundings.

    Raises:
        RelayError: it was time, and could not be done; it is tried again the next time.
    """
    if received <= 0 or not isinstance(relay, Compacting):
        return
    before = read_state(runtime).raw.get(_COUNTED)
    total = received + (before if isinstance(before, int) else 0)
    change_state(runtime, lambda state: state.with_field(_COUNTED, total))
    if total > AFTER_BYTES:
        compact(relay, runtime)
