"""`info --walnut`: where a walnut's bundles came from (receive.md §13)."""

from dataclasses import asdict
from pathlib import Path

from alive_p2p.cli.options import Call
from alive_p2p.cli.screen import field_line, human_size, plural, short
from alive_p2p.receiving.provenance import Origin, Provenance, provenance
from alive_p2p.walnut import undo_store
from alive_p2p.walnut.ledger import LIVE_CONTEXT
from alive_p2p.walnut.walnut import open_walnut

_SHOWN = 8


def show_provenance(call: Call, path: Path) -> None:
    """Say of every bundle who it came from, when, and what was changed here since.

    Raises:
        AliveP2PError: it is not a walnut, or its ledger cannot be used.
    """
    walnut = open_walnut(path, allow_archived=True)
    with call.screen.working("looking"):
        found = provenance(walnut)
    screen = call.screen
    screen.say(walnut.name)
    for one in found:
        screen.say()
        screen.lines(_lines(one), result=True)
    kept = undo_store.size(walnut.root)
    if kept.updates:
        screen.say()
        screen.say(f"kept for undo: what {plural(kept.updates, 'update')} displaced, {human_size(kept.bytes)}")
    screen.document(
        {
            "status": "ok",
            "walnut": str(walnut.root),
            "bundles": [asdict(one) for one in found],
            "undo": asdict(kept),
        }
    )
    call.finish(())


def _lines(one: Provenance) -> list[str]:
    name = "everything that is no bundle" if one.name == LIVE_CONTEXT else short(one.name, 120)
    if one.origin is None:
        return [name, field_line("from", "made here")]
    lines = [
        name,
        field_line("from", sender_of(one.origin)),
        field_line("received", one.origin.received_at),
        field_line("import id", one.origin.import_id[:16]),
    ]
    for label, paths in (("changed", one.changed), ("added", one.added), ("removed", one.removed)):
        if paths:
            more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
            lines.append(
                field_line(label, f"{plural(len(paths), 'file')}: {short(', '.join(paths[:_SHOWN]), 300)}{more}")
            )
    if not (one.changed or one.added or one.removed):
        lines.append(field_line("since", "nothing was changed here"))
    return lines


def sender_of(origin: Origin) -> str:
    """As it was judged when it came in."""
    if origin.signer is not None and origin.signature == "valid":
        return f"{short(origin.signer, 80)} ({origin.pubkey_id}), signed"
    return f"{short(origin.sender, 80)} (only a claim; signature: {origin.signature})"
