"""`migrate`, and how bringing an older layout forward is shown."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.options import FOLDER, Call, common, wait_option
from alive_p2p.cli.screen import short, some
from alive_p2p.receiving.plan import MigrationResult


@click.command(epilog="\b\nExample:\n  alive-p2p migrate --staging unpacked")
@click.option("--staging", type=FOLDER, required=True, metavar="DIR", help="The unpacked package.")
@wait_option
@common
def migrate(call: Call, /, *, staging: Path, wait: float) -> None:
    """Bring an unpacked package of an older layout forward.

    Bundles and loose files move out of `bundles/`, and task lists become task files; nothing is lost and nothing is
    replaced. Run again it does what is left to do. It is for unpacked packages, not for walnuts in use: a receive
    does the same by itself.
    """
    from alive_p2p.receiving.tree_migration import migrate_tree, refusal

    with call.screen.working("bringing forward"):
        result, notes = migrate_tree(staging, call.runtime, wait_seconds=wait)
    document = migration_document(result)
    if result.errors:
        call.screen.beside_error.update(document)
        raise refusal(result)
    if result.actions:
        call.screen.say(f"brought '{staging}' forward from an older layout")
        call.screen.lines([f"  {action}" for action in result.actions], result=True)
    else:
        call.screen.say(f"nothing to do: '{staging}' is not of an older layout")
    call.screen.document(document)
    call.finish((*notes, *result.warnings))


def migration_lines(result: MigrationResult) -> list[str]:
    """What is done to bring a package forward, or why it cannot be; nothing where nothing is done."""
    if result.errors:
        return ["its older layout cannot be brought forward", *some([short(one, 200) for one in result.errors])]
    if not result.actions:
        return []
    return ["brought forward from an older layout", *some([short(one, 200) for one in result.actions])]


def migration_document(result: MigrationResult) -> dict[str, Any]:
    """A migration's result object (receive.md §8)."""
    document: dict[str, Any] = asdict(result)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}
