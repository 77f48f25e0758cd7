"""Asking the client: its person a question, and itself for its roots; in both forms that the protocol has for it.

Until 2025-11-25 a server asks in the middle of a call. From 2026-07-28 on it answers the call with its questions, and
the client calls again with the answers. A tool does not see the difference: it awaits the answer, and where it is not
there yet the call ends with `InputNeededError`; when the client calls again the tool runs again, from its beginning,
and finds the answers. So a tool asks before it does anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from alive_p2p.errors import AliveP2PError

Context = ServerRequestContext[Any, Any]

ROOTS_SECONDS = 20.0
"""A client knows its roots; one that does not answer is not waited for."""
PENDING_SECONDS = 60 * 60.0
"""How long a person may take to answer, in the newer form."""
MOST_PENDING = 32

_ROOTS = "roots"
_AGREE = "agree"
_ASKS_BY_ANSWER = "2026-07-28"
"""Since this version of the protocol a server asks by its answer to a call."""


@dataclass(frozen=True)
class Question:
    """A question to the person.

    Attributes:
        text: what it is about, in several lines; everything in it is escaped.
        agree: what a yes means, in a few words.
        acknowledgements: what needs a yes of its own, each in one line.
    """

    text: str
    agree: str
    acknowledgements: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """What has to be ticked, by the name it has in the form."""
        numbered = {f"acknowledge_{number}": one for number, one in enumerate(self.acknowledgements, 1)}
        return {**numbered, _AGREE: self.agree}

    def request(self) -> types.ElicitRequest:
        """The same as the protocol has it. Nothing is ticked beforehand, and everything has to be."""
        properties = {
            name: {"type": "boolean", "title": title, "default": False} for name, title in self.fields.items()
        }
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        return types.ElicitRequest(params=types.ElicitRequestFormParams(message=self.text, requested_schema=schema))

    def refuse_no(self, answer: types.ElicitResult) -> None:
        """Stop unless the answer is a yes to everything.

        Raises:
            AliveP2PError: `declined`.
        """
        content = answer.content or {}
        missing = [title for name, title in self.fields.items() if content.get(name) is not True]
        if answer.action == "accept" and not missing:
            return
        why = {"decline": "the person said no", "cancel": "the person gave no answer"}
        raise AliveP2PError(
            "declined",
            why.get(answer.action, "the person did not agree to all of it"),
            untouched="everything",
            hint="ask them what they would rather have, and call the preview again",
            details=missing if answer.action == "accept" else (),
        )


class InputNeededError(Exception):
    """A call cannot go on without answers; `requests` are the questions, by a name for each."""

    def __init__(self, requests: dict[str, types.ElicitRequest | types.ListRootsRequest]) -> None:
        super().__init__("input needed")
        self.requests = requests


@dataclass
class Conversation:
    """One call of a tool, over all its rounds.

    Attributes:
        tool: its name.
        arguments: what it was called with, every time.
        answers: what was answered so far, by the name of the question.
        asked: the names of what was asked and not yet answered.
        taken: what the call's token stood for, once it was taken.
        since: when it began, by the clock that only runs forward.
    """

    tool: str
    arguments: Mapping[str, Any]
    since: float
    answers: dict[str, Any] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    taken: Any = None


class Pending:
    """Conversations that wait for the client to call again.

    Args:
        clock: seconds of a clock that only runs forward.
        random_hex: gives so many random hex digits.
    """

    def __init__(self, clock: Callable[[], float], random_hex: Callable[[int], str]) -> None:
        self._clock = clock
        self._random_hex = random_hex
        self._waiting: dict[str, Conversation] = {}

    def begin(self, tool: str, arguments: Mapping[str, Any]) -> Conversation:
        """A new conversation."""
        return Conversation(tool, arguments, self._clock())

    def park(self, conversation: Conversation, asked: frozenset[str]) -> str:
        """Keep a conversation until the client calls again; gives the name by which it is found."""
        conversation.asked = asked
        name = self._random_hex(32)
        self._waiting[name] = conversation
        while len(self._waiting) > MOST_PENDING:
            del self._waiting[next(iter(self._waiting))]
        return name

    def resume(
        self, name: str, tool: str, arguments: Mapping[str, Any], answers: Mapping[str, Any] | None
    ) -> Conversation:
        """Go on with a conversation, once. Only what was asked is taken as answered.

        Raises:
            AliveP2PError: `bad-state`: there is none of that name, or it was another call.
        """
        found = self._waiting.pop(name, None)
        if found is None or found.since + PENDING_SECONDS < self._clock():
            raise _bad_state("it is not known which questions are answered here")
        if (found.tool, found.arguments) != (tool, arguments):
            raise _bad_state("these are the answers to another call")
        found.answers |= {key: one for key, one in (answers or {}).items() if key in found.asked}
        return found


def _bad_state(why: str) -> AliveP2PError:
    return AliveP2PError("bad-state", why, untouched="everything", hint="call the preview again")


class Client:
    """The client that has made a call, and the person before it.

    Args:
        context: the call.
        conversation: the same over all its rounds.
    """

    def __init__(self, context: Context, conversation: Conversation) -> None:
        self._context = context
        self._conversation = conversation

    @property
    def _asks_by_answer(self) -> bool:
        return is_version_at_least(self._context.protocol_version, _ASKS_BY_ANSWER)

    @property
    def can_ask_person(self) -> bool:
        """Whether the client shows questions to its person."""
        capabilities = self._context.session.client_capabilities
        asked = capabilities.elicitation if capabilities is not None else None
        return asked is not None and (asked.form is not None or asked.url is None)

    @property
    def has_roots(self) -> bool:
        """Whether the client says which folders it works in."""
        capabilities = self._context.session.client_capabilities
        return capabilities is not None and capabilities.roots is not None

    async def ask_person(self, question: Question) -> types.ElicitResult:
        """Ask the person, and wait for them.

        Raises:
            InputNeededError: the answer comes with the next call.
            AliveP2PError: `cannot-ask`.
        """
        try:
            answer: types.ElicitResult = await self._ask("question", question.request(), types.ElicitResult)
        except (MCPError, ValidationError):
            raise AliveP2PError(
                "cannot-ask",
                "the client could not ask the person, or gave an answer that is none",
                untouched="everything",
                hint="call the preview again",
            ) from None
        return answer

    async def roots(self) -> list[str]:
        """The client's roots, as it tells them.

        Raises:
            InputNeededError: they come with the next call.
            AliveP2PError: `no-roots`: it does not tell them.
        """
        try:
            with anyio.fail_after(ROOTS_SECONDS):
                answer = await self._ask(_ROOTS, types.ListRootsRequest(), types.ListRootsResult)
        except (MCPError, ValidationError, TimeoutError):
            raise AliveP2PError(
                "no-roots",
                "the client says that it has roots, and does not tell them",
                untouched="everything",
                hint="without them nothing may be touched; open a folder in the client",
            ) from None
        return [str(root.uri) for root in answer.roots]

    async def _ask(self, name: str, request: Any, kind: Any) -> Any:  # noqa: ANN401  (two kinds of question)
        if not self._asks_by_answer:
            metadata = ServerMessageMetadata(related_request_id=self._context.request_id)
            return await self._context.session.send_request(request, kind, metadata=metadata)
        if name not in self._conversation.answers:
            raise InputNeededError({name: request})
        answer = self._conversation.answers[name]
        if not isinstance(answer, kind):
            raise _bad_state("the answer is not of the kind that was asked for")
        return answer
