"""`recover`: finish or take back what was interrupted."""

from pathlib import Path
from typing import Any

import click

from alive_p2p import files
from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.screen import field_line, plural, short
from alive_p2p.errors import UsageError
from alive_p2p.nearby import name_beside
from alive_p2p.transactions.journal import Journal, Kind
from alive_p2p.transactions.recovery import Outcome, Settlement, adopt, settle, unregistered

_SHOWN = 20
_VERBS = {
    Kind.PLACE: "put in place",
    Kind.SUBSTITUTE: "replace",
    Kind.REMOVE: "remove",
    Kind.DROP: "remove, if empty",
}


@click.command(
    epilog="\b\nExamples:\n  alive-p2p recover\n  alive-p2p recover 04_Ventures/nova-station",
)
@click.argument("place", type=FOLDER, required=False, metavar="[PATH]")
@click.option(
    "--adopt", "staging", type=FOLDER, metavar="DIR", help="Finish what a receive of another home has left in DIR."
)
@common
def recover(call: Call, /, *, place: Path | None, staging: Path | None) -> None:
    """Finish or take back what was interrupted.

    Every command does this for the walnut it works on; this does it for all of them, or for those at or below PATH.
    Where nothing was interrupted, nothing happens.
    """
    if staging is not None:
        _adopt(call, place, staging)
        return
    where = None if place is None else call.runtime.cwd / place
    if where is not None and not (files.is_folder(where) or files.is_folder(where.parent)):
        raise UsageError("no-such-path", f"there is no folder '{place}'", hint="check the path")
    with call.screen.working("recovering"):
        found = settle(call.runtime, place=where)
    foreign = unregistered(where.resolve(), call.runtime) if where is not None else ()
    _show(call, (*found, *foreign))
    if where is not None and not (found or foreign or files.exists(where)):
        guess = name_beside(where)
        call.screen.note(f"and nothing is at '{place}'" + (f"; did you mean '{guess}'?" if guess else ""))


def _show(call: Call, settlements: tuple[Settlement, ...]) -> None:
    for one in settlements:
        call.screen.say(one.describe())
        if one.outcome is Outcome.FOREIGN and one.place is not None and "kept" not in one.why:
            call.screen.note(f"  look at what it would do with `alive-p2p recover --adopt '{one.place}'`")
    if not settlements:
        call.screen.say("nothing was interrupted")
    needs_somebody = any(one.outcome in {Outcome.KEPT, Outcome.FOREIGN} for one in settlements)
    status = "noop" if not settlements else "warn" if needs_somebody else "ok"
    call.screen.document({"status": status, "found": [_document(one) for one in settlements]})
    call.finish(tuple(one.warning for one in settlements if one.warning is not None))


def _document(one: Settlement) -> dict[str, Any]:
    return {
        "target": str(one.target),
        "outcome": one.outcome.value,
        "place": None if one.place is None else str(one.place),
        "why": one.why or None,
    }


def _adopt(call: Call, place: Path | None, staging: Path) -> None:
    if place is not None:
        raise UsageError("usage", "`--adopt DIR` goes without a path: the folder says which walnut it is for")
    folder = (call.runtime.cwd / staging).resolve()
    if not files.is_folder(folder):
        raise UsageError("no-such-path", f"there is no folder '{staging}'", hint="check the path")

    def approve(journal: Journal) -> None:
        call.screen.note(f"what '{folder.name}' would do to '{journal.target}'")
        for operation in journal.operations[:_SHOWN]:
            verb = _VERBS[operation.kind]
            call.screen.note(field_line(verb, short(operation.dst, 200)))
        if len(journal.operations) > _SHOWN:
            call.screen.note(f"  and {plural(len(journal.operations) - _SHOWN, 'more change')}")
        call.approve("do it?")

    with call.screen.working("adopting"):
        adopted = adopt(folder, call.runtime, approve)
    _show(call, (adopted,))
