"""One question to a web host, whose answer is hostile until it was read.

It has so much time, so much room, and no say in where else is asked: a redirect is an answer like any other, so that
nothing that was meant for one host, such as a token, is ever shown to another.
"""

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime

THREAD_NAME = "ask-a-web-host"

_MEGABYTE = 1 << 20
_POLL_SECONDS = 0.05
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        url: where; see `is_safe_address`.
        method: GET and so on.
        headers: sent along, and never shown.
        body: sent along.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class WebAnswer:
    """What came back, whatever its status; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebError(AliveP2PError):
    """No answer, or none that was read to its end.

    The message is to follow the name of the host and a colon. The code is `slow`, `cut`, `too-large`, `not-http`,
    `no-address` (the name is not known), `not-answering` (nobody listens there), `bad-certificate`, or `network`.
    """


def is_safe_address(url: str) -> bool:
    """Whether something may be fetched from there: over https, or over http on this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        is_near = parts.hostname in _THIS_MACHINE
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_near)


def ask_host(question: Question, runtime: Runtime, *, seconds: float, megabytes: int = 1) -> WebAnswer:
    """Ask once.

    Args:
        question: what is asked, and where.
        runtime: for the time that passes.
        seconds: for the whole answer, from looking the host's name up to the last byte.
        megabytes: how large an answer may be.

    Raises:
        WebError: there is no answer.
    """
    if not is_safe_address(question.url):
        raise WebError("network", "its address is not one that is asked")
    return _Exchange(question, seconds, megabytes).run(runtime)


class _EveryAnswer(urllib.request.HTTPErrorProcessor):
    """Every status is an answer: no redirect is followed, and nothing is tried again with a password."""

    def http_response(self, request: urllib.request.Request, response: http.client.HTTPResponse) -> Any:  # noqa: ANN401, ARG002
        """Hand it on."""
        return response

    https_response = http_response


class _Exchange:
    """One exchange, in a thread that can be given up on.

    A name look-up, or a header that comes drop by drop, is ended in no other way.
    """

    def __init__(self, question: Question, seconds: float, megabytes: int) -> None:
        self._question = question
        self._seconds = seconds
        self._megabytes = megabytes
        self._outcome: WebAnswer | BaseException | None = None
        self._is_given_up = False

    def run(self, runtime: Runtime) -> WebAnswer:
        """What the host answers. Raises `WebError`."""
        deadline = runtime.monotonic() + self._seconds
        thread = threading.Thread(target=self._keep_outcome, name=THREAD_NAME, daemon=True)
        thread.start()
        while thread.is_alive() and runtime.monotonic() < deadline:
            thread.join(_POLL_SECONDS)
        outcome = self._outcome  # taken before the thread is told to stop, which ends an answer early
        self._is_given_up = True
        if outcome is None:
            raise WebError("slow", f"it took longer than {self._seconds:g} seconds")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _keep_outcome(self) -> None:
        try:
            self._outcome = self._exchange()
        except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
            self._outcome = error

    def _exchange(self) -> WebAnswer:
        asked = self._question
        headers = {"User-Agent": "alive-p2p", **asked.headers}
        try:
            request = urllib.request.Request(asked.url, asked.body, headers, method=asked.method)  # noqa: S310  (checked)
            # A proxy is for what lies beyond this machine, whatever the settings say.
            is_near = asked.url.lower().startswith("http:")
            opener = urllib.request.build_opener(_EveryAnswer, *([urllib.request.ProxyHandler({})] if is_near else []))
            with opener.open(request, timeout=self._seconds) as answer:
                return WebAnswer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, self._body(answer))
        except http.client.IncompleteRead:
            raise WebError("cut", "its answer was cut off") from None
        except http.client.RemoteDisconnected:
            raise WebError("cut", "it ended the connection, and does not answer as a web server does") from None
        except http.client.HTTPException:
            raise WebError("not-http", "it does not answer as a web server does") from None
        except (OSError, ValueError) as error:
            raise _problem(getattr(error, "reason", None) or error) from None

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        promised = answer.length  # None where the host does not say
        data = b""
        while not self._is_given_up and (piece := answer.read1(1 << 16)):
            data += piece
            if len(data) > self._megabytes * _MEGABYTE:
                most = "a megabyte" if self._megabytes == 1 else f"{self._megabytes} megabytes"
                raise WebError("too-large", f"its answer is larger than {most}")
        if promised is not None and len(data) < promised:
            raise WebError("cut", "its answer was cut off")
        return data


def _problem(reason: object) -> WebError:
    """The error for what the library, or the system, says is the reason."""
    words = (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
    if isinstance(reason, ssl.SSLError):
        return WebError("bad-certificate", f"the connection cannot be trusted ({reason.reason or words})")
    if isinstance(reason, TimeoutError):
        return WebError("slow", "it takes too long")
    kinds = {socket.gaierror: "no-address", ConnectionRefusedError: "not-answering", ConnectionError: "cut"}
    return WebError(next((kind for cause, kind in kinds.items() if isinstance(reason, cause)), "network"), words)
