"""Folding the past of a relay that keeps one: git keeps every package that ever lay in a repository (relay.md §6)."""

from typing import Protocol, runtime_checkable

from alive_p2p.relay.state import RelayState, change_state, read_state
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
    before = _counted(read_state(runtime))
    done = relay.compact()
    if done:  # what another has counted meanwhile may have come too late to be folded
        change_state(runtime, lambda state: state.with_field(_COUNTED, max(0, _counted(state) - before)))
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
    after = change_state(runtime, lambda state: state.with_field(_COUNTED, _counted(state) + received))
    if _counted(after) > AFTER_BYTES:
        compact(relay, runtime)


def _counted(state: RelayState) -> int:
    known = state.raw.get(_COUNTED)
    return known if isinstance(known, int) else 0
