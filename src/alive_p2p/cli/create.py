"""`create`: make a package."""

from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.packing import Packing, PageFile, packing_options, show_result
from alive_p2p.cli.preview import plan_document, preview_lines
from alive_p2p.sharing.pipeline import RETRIES, check_output, plan_share, refuse_blocked
from alive_p2p.sharing.pipeline import share as run_share
from alive_p2p.sharing.plan import SharePlan

_EPILOG = """\b
Examples:
  alive-p2p create --scope full --walnut . \\
    --exclude '**/pricing*' --dry-run
  alive-p2p create --scope bundle --walnut . \\
    --bundle shielding-review --output review.walnut --yes

Patterns: a name without `/` matches at any depth, one with `/` the whole path from the root; `*`, `?` and `[abc]` stay
within a name, `**` crosses folders, and a folder takes all it holds.
"""


@click.command(epilog=_EPILOG)
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), required=True, help="What to pack.")
@click.option("--walnut", type=FOLDER, required=True, help="The walnut's folder.")
@click.option("--source-layout", type=click.Choice(["v2", "v3"]), default="v3", hidden=True)
@packing_options
@common
def create(
    call: Call,
    /,
    *,
    output: Path | None,
    force: bool,
    dry_run: bool,
    html: Path | None,
    wait: float,
    **options: Any,
) -> None:
    """Pack a walnut, some bundles or a snapshot into a .walnut file.

    History is stubbed, and hidden files, credentials and nested walnuts stay at home, unless you say otherwise. What
    is private leaves without a seal only after a yes, what is restricted only where you acknowledge it, and a secret
    not at all. An existing file is never overwritten.
    """
    screen = call.screen
    request = Packing(options).request(call)
    place = check_output(request, call.runtime, output=output, force=force)
    page = PageFile(call, request, html, force=force, apart_from=place)
    if dry_run:
        with screen.working("reading") as progress:
            plan = plan_share(request, call.runtime, wait_seconds=wait, progress=progress)
        screen.lines(preview_lines(plan), result=True)
        page.write(plan)
        screen.document({"status": "dry-run", **plan_document(plan)})
        call.finish(plan.warnings)
        return

    def approve(plan: SharePlan) -> bool:
        screen.beside_error["plan"] = plan_document(plan)
        page.write(plan)
        if not call.yes and (screen.is_interactive or plan.gate.questions or plan.is_blocked):
            screen.lines(preview_lines(plan), result=False, is_asked_about=screen.can_ask)
            screen.warn(plan.warnings)
        refuse_blocked(plan, agreed=call.yes or screen.can_ask)
        if plan.gate.questions:
            call.approve(f"let it leave for {plan.readers}?")
        return True

    with screen.working("packing") as progress:
        result = run_share(
            request,
            call.runtime,
            approve=approve,
            retries=1 if screen.can_ask and not call.yes else RETRIES,
            output=output,
            force=force,
            wait_seconds=wait,
            progress=progress,
        )
    show_result(call, result)
