"""The server: from a call to a tool, and from what came of it to an answer (agents.md §2)."""

import json
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from alive_p2p import __version__
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.mcp.arguments import read
from alive_p2p.mcp.asking import Context, Conversation, InputNeededError
from alive_p2p.mcp.borders import configured
from alive_p2p.mcp.calling import Call, NeedsPersonError, Surroundings
from alive_p2p.mcp.outside import MOST_LISTED, NOTICE, name, outside
from alive_p2p.mcp.tools import INSTRUCTIONS, TOOLS
from alive_p2p.mcp.wire import Lines, nothing_printed, standard_input, tell_no_interruption
from alive_p2p.runtime import Runtime
from alive_p2p.text import escape, nearest

_BY_NAME = {tool.name: tool for tool in TOOLS}


def serve(runtime: Runtime, *, worlds: tuple[Path, ...] = (), beyond_roots: bool = False) -> None:
    """Serve on standard input and output, until the client goes.

    Args:
        runtime: the surroundings of the process.
        worlds: the only worlds that may be touched; by default those that the client's roots lie in, or else the one
            around the current folder.
        beyond_roots: let `worlds` count also where the client's roots do not hold them.

    Raises:
        UsageError: one of `worlds` is none, or `beyond_roots` is given without any.
    """
    known = configured(runtime.cwd / world for world in worlds)
    if beyond_roots and not known:
        raise UsageError("usage", "`--beyond-roots` goes with `--world`")
    anyio.run(_serve, make_server(Surroundings(runtime, known, heeds_roots=not beyond_roots)))


async def _serve(server: Server[Any]) -> None:
    tell_no_interruption()
    with standard_input() as descriptor:
        lines = cast("anyio.AsyncFile[str]", Lines(descriptor))  # of which only the iteration is used
        async with stdio_server(stdin=lines) as (reading, writing):
            with nothing_printed():
                await server.run(reading, writing, server.create_initialization_options())


def make_server(surroundings: Surroundings) -> Server[Any]:
    """A server of these tools, on no wire yet."""

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.described for tool in TOOLS])

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        return await answer(surroundings, context, params)

    server: Server[Any] = Server(
        "alive-p2p",
        version=__version__,
        title="alive-p2p",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    server.middleware.clear()  # it would tell what is called here to whatever collects traces on this machine
    return server


async def answer(
    surroundings: Surroundings, context: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    """Call a tool, and turn whatever comes of it into an answer."""
    conversation: Conversation | None = None
    try:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            close = nearest(params.name, list(_BY_NAME))
            raise UsageError(
                "unknown-tool",
                f"there is no tool '{params.name[:60]}'",
                untouched="everything",
                hint=f"did you mean `{close}`?" if close is not None else None,
            )
        given = params.arguments or {}
        pending = surroundings.pending
        if params.request_state is not None:
            conversation = pending.resume(params.request_state, tool.name, given, params.input_responses)
        else:
            conversation = pending.begin(tool.name, given)
        document = await tool.handler(Call(surroundings, context, conversation), read(tool.arguments, given))
    except InputNeededError as needed:
        assert conversation is not None  # noqa: S101  (for the type checker)
        state = surroundings.pending.park(conversation, frozenset(needed.requests))
        return types.InputRequiredResult(input_requests=dict(needed.requests), request_state=state)
    except AliveP2PError as error:
        return _result(error_document(error), is_error=True)
    except Exception as error:  # noqa: BLE001  (the one except of this door)
        _log(traceback.format_exc())
        return _result(_unforeseen(error), is_error=True)
    return _result(document)


def _log(text: str) -> None:
    """Tell the client's log; what is told may quote what a package said, and the log may be gone."""
    with suppress(OSError, ValueError):
        for line in text.splitlines():
            print(escape(line), file=sys.stderr)  # noqa: T201  (a door prints)


def error_document(error: AliveP2PError) -> dict[str, Any]:
    """An error, with the code and the hint of the command line; it may quote what a package or a peer has said."""
    told: dict[str, Any] = {"code": error.code, "message": outside(error.message), "hint": None, "untouched": None}
    if error.hint is not None:
        told["hint"] = outside(error.hint, limit=4000)
    if error.untouched is not None:
        told["untouched"] = outside(error.untouched)
    if error.details:
        told["details"] = [outside(one) for one in error.details[:MOST_LISTED]]
    if isinstance(error, NeedsPersonError):
        told["command"] = name(error.command)
    return {"status": "error", "error": told, "notice": NOTICE}


def _unforeseen(error: Exception) -> dict[str, Any]:
    message = f"something went wrong that alive-p2p did not foresee ({type(error).__name__})"
    hint = "the details are in the client's log of this server; report them"
    return {"status": "error", "error": {"code": "unforeseen", "message": message, "hint": hint, "untouched": None}}


def _result(document: Mapping[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    """The document, and the same as text for clients that show only that; in the text nothing looks like a tag."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e")
    return types.CallToolResult(
        content=[types.TextContent(text=text)], structured_content=dict(document), is_error=is_error
    )
