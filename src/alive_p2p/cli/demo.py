"""`demo`: two people, two worlds, and the whole road between them, in a temporary folder with the real program."""

import tempfile
from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli.options import Call, common


@click.command(epilog="\b\nExample:\n  alive-p2p demo --keep")
@click.option("--keep", is_flag=True, help="Leave the folder for a look.")
@common
def demo(call: Call, /, *, keep: bool) -> None:
    """Show the whole road between two worlds in a temporary folder.

    What stands below a command was printed by it. Nothing outside the folder is touched.
    """
    from alive_p2p.cli.demo_stage import Stage
    from alive_p2p.cli.demo_story import tell_the_story

    folder = Path(tempfile.mkdtemp(prefix="alive-p2p-demo-")).resolve()
    stage = Stage(folder, call.screen, call.runtime)
    try:
        tell_the_story(stage)
        call.screen.document({"status": "ok", "folder": str(folder) if keep else None, "steps": stage.steps})
        call.screen.say()
        call.screen.say(f"the two worlds are in {folder}" if keep else "`--keep` leaves the two worlds for a look")
    finally:
        if not keep:
            files.remove_tree(folder)
