"""One call of a tool: where it may go, whom it may ask, and how it works without holding everything else up."""

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import anyio.from_thread
import anyio.to_thread

from alive_p2p.api.looking import find_world
from alive_p2p.errors import AliveP2PError
from alive_p2p.mcp.asking import Client, Context, Conversation, Pending, Question
from alive_p2p.mcp.borders import Borders, folder_of_root, real
from alive_p2p.mcp.tokens import Tokens
from alive_p2p.runtime import Runtime

Result = TypeVar("Result")
Progress = Callable[[int, int], None]

_PROGRESS_SECONDS = 0.5


class NeedsPersonError(AliveP2PError):
    """A person has to agree, and the client has no way to ask them; `command` is what they can run instead."""

    def __init__(self, what: str, arguments: Sequence[str]) -> None:
        self.command = subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)
        super().__init__(
            "needs-person",
            f"{what} needs the yes of a person, and this client cannot ask them",
            untouched="everything",
            hint=f"show them this command, which they run in a terminal themselves: {self.command}",
        )


@dataclass
class Surroundings:
    """What one server keeps between calls.

    Attributes:
        runtime: the surroundings of the process.
        configured: the worlds that it was started with.
        heeds_roots: whether the client's roots count.
    """

    runtime: Runtime
    configured: tuple[Path, ...] = ()
    heeds_roots: bool = True
    tokens: Tokens = field(init=False)
    pending: Pending = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.runtime.monotonic, self.runtime.random_hex)
        self.pending = Pending(self.runtime.monotonic, self.runtime.random_hex)

    def borders(self, roots: Sequence[str] | None) -> Borders:
        """What may be touched, with the client's roots; None where it has none to tell."""
        around = find_world(real(self.runtime.cwd))
        folders = None if roots is None else tuple(path for uri in roots if (path := folder_of_root(uri)) is not None)
        return Borders(self.configured, folders, around, real(self.runtime.alive_home))


class Call:
    """One call of a tool, in one of its rounds.

    Args:
        surroundings: what the server keeps.
        context: the call.
        conversation: the same over all its rounds.
    """

    def __init__(self, surroundings: Surroundings, context: Context, conversation: Conversation) -> None:
        self._surroundings = surroundings
        self._context = context
        self._conversation = conversation
        self._client = Client(context, conversation)

    @property
    def runtime(self) -> Runtime:
        """The surroundings of the process."""
        return self._surroundings.runtime

    def inside(self, folder: Path) -> Runtime:
        """The same as if the process stood in a folder: where things belong is looked for around it."""
        return replace(self.runtime, cwd=folder)

    async def borders(self) -> Borders:
        """What may be touched. Raises `AliveP2PError` where the client does not say."""
        asks = self._surroundings.heeds_roots and self._client.has_roots
        return self._surroundings.borders(await self._client.roots() if asks else None)

    # -- two steps ---------------------------------------------------------------------------------------------

    def give(self, act: str, about: dict[str, str], shown: object) -> str:
        """A token for what is shown."""
        return self._surroundings.tokens.give(act, about, shown)

    def take(self, act: str, token: str, about: dict[str, str]) -> Any:  # noqa: ANN401  (each tool knows its own)
        """What a token stands for; it is spent by that. Raises `AliveP2PError`."""
        if self._conversation.taken is None:
            self._conversation.taken = self._surroundings.tokens.take(act, token, about)
        return self._conversation.taken

    async def agree(self, what: str, question: Question, command: Sequence[str]) -> None:
        """Go on only after the person's yes.

        Args:
            what: what is to be done, in words.
            question: what they are asked.
            command: what they can run instead, where the client cannot ask.

        Raises:
            AliveP2PError: they did not agree (`declined`), or could not be asked (`needs-person`, `cannot-ask`).
            InputNeededError: the answer comes with the next call.
        """
        if not self._client.can_ask_person:
            raise NeedsPersonError(what, command)
        question.refuse_no(await self._client.ask_person(question))

    # -- work --------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[Progress], Result]) -> Result:
        """Do something that takes a while in a thread, and tell the client how far it is.

        What has begun is not torn off when the server is to end: it comes to its end, or takes everything back.
        """
        session, clock, told = self._context.session, self.runtime.monotonic, [self.runtime.monotonic()]

        def progress(done: int, total: int) -> None:
            if clock() - told[0] < _PROGRESS_SECONDS:
                return
            told[0] = clock()
            anyio.from_thread.run(session.report_progress, float(done), float(total))

        return await anyio.to_thread.run_sync(lambda: work(progress))
