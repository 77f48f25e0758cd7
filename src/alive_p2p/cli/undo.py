"""`undo`: take back the last receive."""

from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.options import FOLDER, Call, common, wait_option
from alive_p2p.cli.provenance import sender_of
from alive_p2p.cli.screen import field_line, plural, short
from alive_p2p.receiving.provenance import origin_of
from alive_p2p.receiving.undo_plan import UndoChange, UndoFate, UndoPlan, kinds
from alive_p2p.receiving.undoing import preview_undo
from alive_p2p.receiving.undoing import undo as run_undo

_SHOWN = 12
_WORDS = {
    UndoFate.KEEP_BOTH: "changed since: yours stays, and what it was before goes beside it as '{beside}'",
    UndoFate.KEEP: "yours, changed or added since: stays",
    UndoFate.MERGE: "changed since: taken back task by task",
    UndoFate.PUT_BACK: "as it was before",
    UndoFate.REMOVE: "removed",
}
_ORDER = list(_WORDS)
_COUNTED = {
    UndoFate.REMOVE: "removed",
    UndoFate.PUT_BACK: "as before",
    UndoFate.MERGE: "merged",
    UndoFate.KEEP: "kept as yours",
    UndoFate.KEEP_BOTH: "kept as yours with the former beside",
}


@click.command(
    epilog="\b\nExamples:\n  alive-p2p undo --walnut 04_Ventures/nova-station \\\n    --dry-run\n"
    "  alive-p2p undo --walnut 04_Ventures/nova-station --yes",
)
@click.option("--walnut", required=True, type=FOLDER, metavar="PATH", help="The walnut's folder.")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@wait_option
@common
def undo(call: Call, /, *, walnut: Path, dry_run: bool, wait: float) -> None:
    """Take back the last receive, all of it or nothing.

    What it put in place goes, and what gave way to it comes back. What you have changed or added since stays, and is
    listed. Do it again to take back the receive before; of updates, the last three can be taken back.
    """
    screen = call.screen
    if dry_run:
        with screen.working("looking"):
            plan, notes = preview_undo(walnut, call.runtime)
        screen.lines(_preview(plan, every=True), result=True)
        screen.document(_document(plan, "dry-run", notes))
        call.finish(notes)
        return

    def approve(plan: UndoPlan) -> None:
        screen.beside_error["plan"] = _document(plan, "dry-run", ())
        if not call.yes:
            screen.lines(_preview(plan, every=False), result=False, is_asked_about=screen.can_ask)
        call.approve("take it back?")

    with screen.working("taking back"):
        result = run_undo(walnut, call.runtime, approve=approve, wait_seconds=wait)
    plan = result.plan
    screen.say(f"took back what {_from(plan)} into {plan.target}")
    if plan.takes_walnut:
        screen.say("  the walnut came with it, and is gone")
    else:
        screen.say(field_line("changes", _count(plan)))
        screen.lines(_lines(plan.kept, every=True), result=False)
    screen.document(_document(plan, "warn" if result.warnings else "ok", result.warnings))
    call.finish(result.warnings)


def _from(plan: UndoPlan) -> str:
    return f"was received from {sender_of(origin_of(plan.entry))}"


def _count(plan: UndoPlan) -> str:
    counts = kinds(plan)
    return ", ".join(f"{counts[fate]} {word}" for fate, word in _COUNTED.items() if fate in counts) or "no file"


def _preview(plan: UndoPlan, *, every: bool) -> list[str]:
    entry, origin = plan.entry, origin_of(plan.entry)
    lines = [
        f"would take back what was received into {plan.target}",
        field_line("from", sender_of(origin)),
        field_line("received", origin.received_at),
        field_line("scope", entry.scope),
    ]
    if entry.applied_bundles:
        lines.append(field_line("bundles", short(", ".join(map(entry.folder_of, entry.applied_bundles)))))
    lines.append(field_line("import id", origin.import_id[:16]))
    if plan.takes_walnut:
        return [*lines, "", "the walnut goes: it came with this, and nothing in it was changed or added since"]
    if entry.undo is not None and entry.undo.makes_walnut:
        lines += ["", "the walnut stays, with its kernel: something in it was changed or added since"]
    folders = [f"  {short(one, 120)}: an empty folder, there again" for one in plan.empty[: None if every else _SHOWN]]
    return [*lines, "", f"changes: {_count(plan)}", *_lines(plan.changes, every=every), *folders]


def _lines(changes: tuple[UndoChange, ...], *, every: bool) -> list[str]:
    ordered = sorted(changes, key=lambda one: (_ORDER.index(one.fate), one.path))
    shown = ordered if every else ordered[:_SHOWN]
    lines = [
        f"  {short(one.path, 120)}: {_WORDS[one.fate].format(beside=short(one.beside or '', 120))}" for one in shown
    ]
    if len(shown) < len(ordered):
        lines.append(f"  and {plural(len(ordered) - len(shown), 'more file')}; `--dry-run` lists all")
    return lines


def _document(plan: UndoPlan, status: str, warnings: tuple[str, ...]) -> dict[str, Any]:
    entry = plan.entry
    return {
        "status": status,
        "target": str(plan.target),
        "import_id": entry.import_id,
        "scope": entry.scope,
        "bundles": [entry.folder_of(name) for name in entry.applied_bundles],
        "takes_walnut": plan.takes_walnut,
        "changes": [{"path": one.path, "fate": one.fate.value, "beside": one.beside} for one in plan.changes],
        "warnings": list(warnings),
    }
