"""`mcp`: the door for agents, and what a client's configuration needs to find it (agents.md §2)."""

from pathlib import Path

import click

from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.errors import UsageError
from alive_p2p.installer import how_to_install
from alive_p2p.mcp.clients import CLIENTS, snippet

_EPILOG = f"""\b
Examples:
  alive-p2p mcp --print-config claude-code
  alive-p2p mcp --print-config cursor --world .

CLIENT is one of {", ".join(CLIENTS)}.
"""
_LIBRARIES = frozenset(["mcp", "mcp_types", "anyio", "pydantic"])
"""What the extra brings."""


@click.command(epilog=_EPILOG)
@click.option("--world", "worlds", type=FOLDER, multiple=True, help="Touch only this world; repeatable.")
@click.option("--beyond-roots", is_flag=True, help="Those worlds also where the client has another folder open.")
@click.option(
    "--print-config",
    "client",
    type=click.Choice(list(CLIENTS)),
    metavar="CLIENT",
    help="Show what to put where, and end.",
)
@common
def mcp(call: Call, /, *, worlds: tuple[Path, ...], beyond_roots: bool, client: str | None) -> None:
    """Serve agents by MCP on standard input and output.

    For a client to start, not for you: `--print-config` shows what to write into its configuration. Everything that
    leaves or comes in is asked for, by the client or by a command for you to run.
    """
    if client is not None:
        found = snippet(client, worlds, beyond_roots=beyond_roots, runtime=call.runtime)
        call.screen.note(found.where)
        call.screen.lines(found.text.splitlines(), result=True)
        call.screen.document({"status": "ok", "client": client, "where": found.where, "config": found.text})
        return
    try:
        from alive_p2p.mcp.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        raise UsageError(
            "no-mcp",
            "the MCP server needs the library `mcp`, version 2, which is not installed",
            untouched="everything",
            hint=f"install it with {how_to_install('mcp')}",
        ) from error
    if call.screen.is_interactive:
        call.screen.note("waiting for an MCP client; `alive-p2p mcp --print-config CLIENT` shows how one starts this")
    serve(call.runtime, worlds=worlds, beyond_roots=beyond_roots)
