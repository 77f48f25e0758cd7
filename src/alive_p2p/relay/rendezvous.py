"""A client of a rendezvous server: magic-wormhole's mailbox messages over a WebSocket (relay.md §5).

The server gives a number to whoever comes first, lets a second one in by it, and hands messages from one to the other.
It is hostile until shown otherwise: what it sends is bounded in size, and every wait in time; it can refuse, and what
it says is not believed for anything else. It is the one that was named: no redirect is followed.
"""

import json
import logging
import re
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.relay.whisper import APP, MOST_BYTES, Message
from alive_p2p.runtime import Runtime
from alive_p2p.text import has_unsafe_character, one_line

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PUBLIC = "ws://relay.magic-wormhole.io:4000/v1"
"""The server that magic-wormhole's author runs for everybody; proposed where nothing else is, and never just used."""

_CONNECT_SECONDS = 15.0
_ANSWER_SECONDS = 20.0
_CLOSE_SECONDS = 2.0
_MOST_FRAME = 4 * MOST_BYTES
"""A message is written in hexadecimal, with some words around it."""
_MOST_WAITING = 64
_NUMBER = re.compile(r"[1-9][0-9]{0,6}")
_NAME = re.compile(r"[!-~]{1,100}")
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def refuse_bad_server(url: str) -> None:
    """Refuse what cannot be the address of a rendezvous server.

    `ws://` will do: what is said there is sealed from the server itself, and so from everybody on the way.

    Raises:
        UsageError: `bad-rendezvous`.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and not parts.fragment
        is_address = is_address and parts.username is None and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or has_unsafe_character(url) or not url.isascii() or " " in url:
        raise UsageError(
            "bad-rendezvous",
            f"'{one_line(url)}' is not the address of a rendezvous server",
            untouched="everything",
            hint=f"it looks like {PUBLIC}, without a login in it",
        )


class Rendezvous:
    """A place at a rendezvous server where two leave messages for each other; implements `whisper.Box`.

    Made by `at_server`; then `allocate` on one side, and `claim` on both.

    Attributes:
        side: what we are called there, by chance.
    """

    def __init__(self, socket: "ClientConnection", runtime: Runtime) -> None:
        self.side = secrets.token_hex(5)
        self._socket = socket
        self._runtime = runtime
        self._early: list[Message] = []
        self._is_open = False

    def greet(self) -> None:
        """Wait for the server's welcome, and say which program we are. Raises `RelayError`."""
        said = self._answer("welcome").get("welcome")
        problem = said.get("error") if isinstance(said, dict) else None
        if problem is not None:
            raise _refused(f"the rendezvous server lets nobody in: '{one_line(str(problem))}'")
        self._say("bind", appid=APP, side=self.side)

    def allocate(self) -> str:
        """A number that nobody else uses now. Raises `RelayError`."""
        self._say("allocate")
        number = self._answer("allocated").get("nameplate")
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise _nonsense()
        return number

    def claim(self, number: str) -> None:
        """Enter the place of a number.

        Raises:
            RelayError: `rendezvous-crowded`: two are there already.
        """
        self._say("claim", nameplate=number)
        place = self._answer("claimed").get("mailbox")
        if not isinstance(place, str) or not _NAME.fullmatch(place):
            raise _nonsense()
        self._say("open", mailbox=place)
        self._is_open = True

    def send(self, phase: str, body: bytes) -> None:
        """Leave a message. Raises `RelayError`."""
        self._say("add", phase=phase, body=body.hex())

    def receive(self, seconds: float) -> Message | None:
        """The next message, of either side; None where none comes in this time. Raises `RelayError`."""
        if self._early:
            return self._early.pop(0)
        ends = self._runtime.monotonic() + seconds
        while (said := self._hear(ends - self._runtime.monotonic())) is not None:
            if (message := _message_in(said)) is not None:
                return message
        return None

    def release(self) -> None:
        """Give the number back: the two have met. Raises `RelayError`."""
        self._say("release")

    def close(self, mood: str) -> None:
        """Leave; never raises."""
        with suppress(RelayError):
            if self._is_open:
                self._say("close", mood=mood)
                self._answer("closed", seconds=_CLOSE_SECONDS)

    # -- one message to the server, and one from it ------------------------------------------------------------

    def _say(self, kind: str, **fields: str) -> None:
        from websockets.exceptions import WebSocketException

        try:
            self._socket.send(json.dumps({"type": kind, **fields}))
        except (WebSocketException, OSError):
            raise _lost() from None

    def _answer(self, kind: str, *, seconds: float | None = None) -> dict[str, Any]:
        """What the server answers; messages that come before it are kept."""
        ends = self._runtime.monotonic() + (_ANSWER_SECONDS if seconds is None else seconds)
        while (said := self._hear(ends - self._runtime.monotonic())) is not None:
            if said.get("type") == kind:
                return said
            if (message := _message_in(said)) is not None and len(self._early) < _MOST_WAITING:
                self._early.append(message)
        raise RelayError(
            "rendezvous-slow", "the rendezvous server does not answer", untouched="everything", hint=_ELSEWHERE
        )

    def _hear(self, seconds: float) -> dict[str, Any] | None:
        from websockets.exceptions import WebSocketException

        if seconds <= 0:
            return None
        try:
            data = self._socket.recv(timeout=seconds)
        except TimeoutError:
            return None
        except (WebSocketException, OSError):
            raise _lost() from None
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            raise _nonsense() from None
        if not isinstance(said, dict):
            raise _nonsense()
        if said.get("type") == "error":
            raise _error_in(said)
        return said


@contextmanager
def at_server(url: str, runtime: Runtime) -> Iterator[Rendezvous]:
    """Be connected with a rendezvous server.

    Args:
        url: the server; see `refuse_bad_server`.
        runtime: for the time that passes.

    Raises:
        UsageError: it is no address.
        RelayError: it cannot be reached, or does not let us in.
    """
    from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
    from websockets.sync.client import ClientConnection, connect

    refuse_bad_server(url)

    class Connection(ClientConnection):
        """A connection to the server that was named: a redirect is a refusal like any other."""

        def handshake(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (the library's)
            try:
                super().handshake(*arguments, **options)
            except InvalidStatus as error:
                raise InvalidHandshake(f"it answers with {error.response.status_code}") from None

    is_near = urlsplit(url).hostname in _THIS_MACHINE
    try:
        connection = connect(
            url,
            proxy=None if is_near else True,  # one is for what lies beyond this machine, whatever the settings say
            compression=None,
            open_timeout=_CONNECT_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            max_size=_MOST_FRAME,
            max_queue=_MOST_WAITING,
            create_connection=Connection,
            logger=_silent(),
        )
        socket = connection.__enter__()
    except (WebSocketException, OSError, ValueError, ImportError) as error:
        raise _unreachable(url, error) from None
    with _leaving(connection):
        rendezvous = Rendezvous(socket, runtime)
        rendezvous.greet()
        yield rendezvous


def _silent() -> logging.Logger:
    """For what the library would log: what goes wrong is told where it matters."""
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL + 1)
    return logger


@contextmanager
def _leaving(connection: Any) -> Iterator[None]:  # noqa: ANN401  (a connection, or what makes one; by version)
    """End a connection, however that goes."""
    try:
        yield
    finally:
        with suppress(Exception):  # what was done is done, and nothing more is sent
            connection.__exit__(None, None, None)


_ELSEWHERE = "once more, or meet at another server with `--via URL`, the same on both sides"


def _message_in(said: dict[str, Any]) -> Message | None:
    """A message of one of the two, if it can be one; others are passed over."""
    if said.get("type") != "message":
        return None
    side, phase, body = (said.get(name) for name in ("side", "phase", "body"))
    if not (isinstance(side, str) and isinstance(phase, str) and isinstance(body, str)):
        return None
    if not _NAME.fullmatch(side) or not _NAME.fullmatch(phase):
        return None
    try:
        data = bytes.fromhex(body)
    except ValueError:
        return None
    return Message(side, phase, data) if len(data) <= MOST_BYTES else None


def _unreachable(url: str, error: Exception) -> RelayError:
    host = urlsplit(url).hostname
    if isinstance(error, TimeoutError):
        why = "it takes too long"
    elif isinstance(error, ssl.SSLError):
        why = f"the connection cannot be trusted ({error.reason})"
    elif isinstance(error, OSError):
        why = error.strerror or type(error).__name__
    else:
        why = one_line(str(error)) or type(error).__name__
    return RelayError(
        "rendezvous-unreachable",
        f"the rendezvous server at {host} cannot be reached: {why}",
        untouched="everything",
        hint=_ELSEWHERE,
    )


def _error_in(said: dict[str, Any]) -> RelayError:
    words = said.get("error")
    if words == "crowded":
        return RelayError(
            "rendezvous-crowded",
            "two others are meeting with this code already, or somebody has come in between",
            untouched="everything; the code is used up",
            hint="begin again with a new code",
        )
    return _refused(f"the rendezvous server refuses: '{one_line(str(words))}'")


def _refused(message: str) -> RelayError:
    return RelayError("rendezvous-refused", message, untouched="everything", hint=_ELSEWHERE)


def _lost() -> RelayError:
    return RelayError(
        "rendezvous-lost",
        "the connection to the rendezvous server broke off",
        untouched="everything; the code is used up",
        hint="begin again with a new code",
    )


def _nonsense() -> RelayError:
    return RelayError(
        "rendezvous-nonsense",
        "the rendezvous server does not speak as one does",
        untouched="everything",
        hint=_ELSEWHERE,
    )
