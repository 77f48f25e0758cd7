"""An agent and its person, for tests: the library's own client, over standard input and output or in this process."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from alive_p2p.mcp.calling import Surroundings
from alive_p2p.mcp.server import make_server
from relay.people import Person

ERAS = ("legacy", "auto")
"""The two forms of the protocol: a server that asks in the middle of a call, and one that answers with a question."""


@dataclass
class Human:
    """The person before the client, who remembers what they were asked.

    Attributes:
        answer: `accept`, `decline` or `cancel`.
        ticks: what they tick in a form, from the fields of it; everything, where it is None.
        meanwhile: happens while they think.
    """

    answer: Any = "accept"
    ticks: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    meanwhile: Callable[[], object] = lambda: None
    asked: list[types.ElicitRequestFormParams] = field(default_factory=list)

    async def __call__(self, _context: object, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        self.meanwhile()
        if self.answer != "accept":
            return types.ElicitResult(action=self.answer)
        properties = params.requested_schema["properties"]
        ticked = self.ticks(properties) if self.ticks is not None else dict.fromkeys(properties, True)
        return types.ElicitResult(action="accept", content=ticked)

    @property
    def titles(self) -> list[str]:
        """What they had to tick the last time."""
        return [one["title"] for one in self.asked[-1].requested_schema["properties"].values()]


@dataclass
class Agent:
    """A connected client.

    Attributes:
        client: the library's.
        calls: every call with its result, in order.
    """

    client: Client
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    async def result(self, tool: str, **arguments: Any) -> types.CallToolResult:
        """Call a tool, whatever comes of it."""
        given = {key: str(one) if isinstance(one, Path) else one for key, one in arguments.items()}
        result = await self.client.call_tool(tool, given)
        self.calls.append((tool, given, result.structured_content))
        return result

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that is to succeed."""
        result = await self.result(tool, **arguments)
        assert not result.is_error, result.structured_content
        document: dict[str, Any] = result.structured_content
        return document

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that is to fail; gives the error."""
        result = await self.result(tool, **arguments)
        assert result.is_error, result.structured_content
        error: dict[str, Any] = result.structured_content["error"]
        return error


Work = Callable[[Agent], Awaitable[Any]]


def roots_of(folders: Sequence[Path]) -> Callable[..., Awaitable[types.ListRootsResult]]:
    """A client's answer when it is asked for its roots."""

    async def answer(_context: object) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=folder.as_uri()) for folder in folders])  # type: ignore[arg-type]

    return answer


def talk(
    person: Person,
    work: Work,
    *,
    human: Human | None = None,
    roots: Sequence[Path] | None = None,
    era: str = "legacy",
    surroundings: Surroundings | None = None,
) -> Any:
    """Let an agent work for somebody, in this process.

    Args:
        person: for whom.
        work: what it does.
        human: answers questions; None for a client that cannot ask.
        roots: the client's roots; None for a client that has none to tell.
        era: one of `ERAS`.
        surroundings: the server's; by default fresh ones.
    """
    server = make_server(surroundings or Surroundings(person.runtime))
    listing = roots_of(roots) if roots is not None else None

    async def run() -> Any:
        async with Client(server, mode=era, elicitation_callback=human, list_roots_callback=listing) as client:
            return await work(Agent(client))

    return anyio.run(run)


def talk_to_program(
    program: str,
    person: Person,
    work: Work,
    *,
    arguments: Sequence[str] = (),
    human: Human | None = None,
    roots: Sequence[Path] | None = None,
    era: str = "legacy",
) -> Any:
    """The same with the installed program, over standard input and output."""
    environ = {"HOME": str(person.runtime.home), "GH_USER": person.name, "PATH": os.environ["PATH"]}
    started = StdioServerParameters(command=program, args=["mcp", *arguments], env=environ, cwd=person.world)
    listing = roots_of(roots) if roots is not None else None

    async def run() -> Any:
        with (person.base / "client.log").open("a+", encoding="utf-8") as log:
            transport = stdio_client(started, errlog=log)
            async with Client(transport, mode=era, elicitation_callback=human, list_roots_callback=listing) as client:
                return await work(Agent(client))

    return anyio.run(run)
