"""What a tool is, and what several of them take and give."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from alive_p2p.mcp.arguments import Argument, schema_of
from alive_p2p.mcp.calling import Call
from alive_p2p.mcp.schemas import NUMBER, TEXT, Schema, fields, many, word

Handler = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name, title, help: what it is called, for agents and for people, and what it does.
        arguments: what it takes.
        output: the schema of what it gives.
        handler: does it.
        only_reads: whether it changes nothing.
        may_replace: whether what it does may replace something, or cannot be taken back.
        is_repeatable: whether doing it twice is the same as once.
        goes_out: whether it may speak to other machines.
    """

    name: str
    title: str
    help: str
    arguments: tuple[Argument, ...]
    output: Schema
    handler: Handler
    only_reads: bool = True
    may_replace: bool = False
    is_repeatable: bool = True
    goes_out: bool = False

    @property
    def described(self) -> types.Tool:
        """The same as the protocol has it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.help,
            input_schema=schema_of(self.arguments),
            output_schema=self.output,
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.only_reads,
                destructive_hint=self.may_replace,
                idempotent_hint=self.is_repeatable,
                open_world_hint=self.goes_out,
            ),
        )


OK = word("ok")
WORLD = Argument("world", "The world's folder, absolute. Only needed where there is more than one.")
WALNUT = Argument("walnut", "The walnut's folder, absolute, as `list_walnuts` gives it.", is_required=True)
PACKAGE = Argument("package", "The `.walnut` file, absolute.", is_required=True)
TOKEN_OF_PREVIEW = Argument("token", "The token that the preview gave. It is spent by this call.", is_required=True)
LOOK = Argument("look", "Ask the relays first, over the network; else only what is known is told.", "flag")

CHECK = fields({"name": TEXT, "passed": {"type": ["boolean", "null"]}, "finding": TEXT})
HIDDEN = fields({"count": NUMBER, "first": many(fields({"path": TEXT, "line": NUMBER, "what": TEXT, "excerpt": TEXT}))})
FILES = fields({"count": NUMBER, "bytes": NUMBER})
DELIVERY = fields({"peer": TEXT, "walnut": TEXT, "import_id": TEXT, "at": TEXT, "status": TEXT, "status_at": TEXT})
COUNTS: Schema = {"type": "object", "additionalProperties": NUMBER}
