"""What peers have told of packages that were sent to them, in words (relay.md §6)."""

from collections.abc import Mapping
from typing import Any

from alive_p2p.cli.screen import field_line, short
from alive_p2p.relay.refusals import REASONS

_BY_PEER = {"received": "fetched", "applied": "applied", "declined": "declined", "refused": "refused"}
_BY_US = {"sent": "sent", "recalled": "taken back", "gone": "gone from their relay, without a receipt"}


def delivery_text(delivery: Mapping[str, Any]) -> str:
    """One line about a delivery: `'nova-station': applied by ben, 2026-04-08`."""
    status, at = str(delivery.get("status")), str(delivery.get("status_at"))[:10]
    peer = delivery.get("peer")
    said = f"{_BY_PEER[status]} by {peer}" if status in _BY_PEER else _BY_US.get(status, "unknown")
    return f"'{short(str(delivery.get('walnut')), 80)}': {said}, {at}"


def words_of(delivery: Mapping[str, Any]) -> list[str]:
    """What they have said besides, one line each: why it was refused, and their own words."""
    lines = []
    reason, note = delivery.get("reason"), delivery.get("note")
    if isinstance(reason, str) and reason in REASONS:
        lines.append(field_line("because", REASONS[reason]))
    if isinstance(note, str) and note:
        lines.append(field_line("they say", f"'{note}'"))
    return lines
