"""`list-bundles`, `log-import`, `project` and `unlock`."""

from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli.columns import padded, width_of
from alive_p2p.cli.options import FOLDER, Call, common, wait_option
from alive_p2p.cli.screen import plural
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.locks import LockState, release_leftovers
from alive_p2p.receiving.log_import import LogImport
from alive_p2p.receiving.log_import import log_import as run_log_import
from alive_p2p.text import escape
from alive_p2p.transactions.recovery import settled_lock
from alive_p2p.walnut.bundles import discover, effective_sensitivity
from alive_p2p.walnut.regeneration import write_projection
from alive_p2p.walnut.walnut import open_walnut

_WALNUT = click.option("--walnut", type=FOLDER, required=True, help="The walnut's folder.")
_WIDEST = 32
"""A name that is wider pushes only its own line out."""


@click.command("list-bundles", epilog="\b\nExample:\n  alive-p2p list-bundles --walnut 04_Ventures/nova-station")
@_WALNUT
@common
def list_bundles(call: Call, /, *, walnut: Path) -> None:
    """List a walnut's bundles and their tasks."""
    with call.screen.working("looking"):
        found = discover(open_walnut(call.runtime.cwd / walnut, allow_archived=True))
    width = min(max((width_of(escape(bundle.relpath)) for bundle in found), default=0), _WIDEST)
    for bundle in found:
        nested = "" if bundle.is_top_level else "  (nested: travels inside its parent)"
        sensitivity = effective_sensitivity(bundle, found).word
        call.screen.say(f"{padded(bundle.relpath, width)}  {sensitivity:<10}  {bundle.tasks.describe()}{nested}")
    if not found:
        call.screen.note("this walnut has no bundles")
    call.screen.document(
        [
            {
                "name": bundle.name,
                "relpath": bundle.relpath,
                "abs_path": str(bundle.path),
                "top_level": bundle.is_top_level,
                "sensitivity": effective_sensitivity(bundle, found).word,
                "tasks": bundle.tasks.as_dict(),
            }
            for bundle in found
        ]
    )
    problems = tuple(f"'{b.relpath}/{b.manifest_name}' cannot be parsed: {b.problem}" for b in found if b.problem)
    call.finish(problems)


@click.command(
    "log-import",
    epilog="\b\nExample:\n  alive-p2p log-import --walnut 04_Ventures/nova-station \\\n"
    "    --import-id a1b2c3d4e5f67890",
)
@_WALNUT
@click.option("--import-id", required=True, metavar="ID", help="The import id, or its first 16 digits.")
@click.option("--sender", metavar="NAME", help="Who it came from; default: what the ledger says.")
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), help="Default: what the ledger says.")
@click.option("--bundles", metavar="A,B", help="Default: what the ledger says.")
@click.option("--source-layout", metavar="LAYOUT", help="Default: what the ledger says.")
@wait_option
@common
def log_import(
    call: Call,
    /,
    *,
    walnut: Path,
    import_id: str,
    sender: str | None,
    scope: str | None,
    bundles: str | None,
    source_layout: str | None,
    wait: float,
) -> None:
    """Write a missing log entry of a receive.

    What is not given is taken from the ledger. An entry that is in the log already is not written twice.
    """
    names = [name.strip() for name in bundles.split(",") if name.strip()] if bundles is not None else None
    request = LogImport(walnut, import_id.strip().lower(), sender, scope, names, source_layout)
    written = run_log_import(request, call.runtime, wait_seconds=wait)
    call.screen.say("the log has the entry now" if written else "the log had the entry already")
    call.screen.document({"status": "ok" if written else "noop", "written": written})


@click.command(epilog="\b\nExample:\n  alive-p2p project --walnut 04_Ventures/nova-station")
@_WALNUT
@wait_option
@common
def project(call: Call, /, *, walnut: Path, wait: float) -> None:
    """Make a walnut's now.json anew."""
    found = open_walnut(call.runtime.cwd / walnut, allow_archived=True)
    if call.runtime.is_set("ALIVE_P2P_SKIP_REGEN"):
        raise WalnutError(
            "projection-off", "ALIVE_P2P_SKIP_REGEN is set, so now.json is not made", hint="unset it and run it again"
        )
    with settled_lock(found.root, "project", call.runtime, wait_seconds=wait) as notes:
        write_projection(found, call.runtime)
    call.screen.say(f"made {found.root / '_kernel' / 'now.json'}")
    call.screen.document({"status": "ok", "path": str(found.root / "_kernel" / "now.json")})
    call.finish(notes)


@click.command(epilog="\b\nExample:\n  alive-p2p unlock --walnut 04_Ventures/nova-station")
@_WALNUT
@common
def unlock(call: Call, /, *, walnut: Path) -> None:
    """Say whether a walnut is locked, and tidy up if not.

    Exits with 0 if nothing holds it, 1 if a live process does, 2 if there is no lock at all.
    """
    path = call.runtime.cwd / walnut
    if not files.is_folder(path):
        raise UsageError("no-such-path", f"there is no folder '{walnut}'", hint="check the path")
    state, holder = release_leftovers(path, call.runtime)
    call.screen.document({"status": state.value, "pid": holder.pid, "action": holder.action, "since": holder.since})
    if state is LockState.FREE:
        call.screen.say("not locked; nothing is left of earlier locks")
    elif state is LockState.ABSENT:
        call.screen.say("not locked, and never was on this machine")
        call.screen.exit_code = 2
    else:
        who = f"process {holder.pid} ({holder.action}, since {holder.since})" if holder.pid else plural(1, "process")
        call.screen.say(f"locked by {who}")
        call.screen.exit_code = 1
