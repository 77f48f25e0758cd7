"""What goes over the wire to a host of these tests: every request kept, every byte counted, failures on demand."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they went over the wire: bodies, headers and first lines.

    Attributes:
        kind: `api`, `upload-pack` or `receive-pack`; asking for references counts with the pack it prepares.
        method: GET and so on.
        path: without a base path and without the query.
        query: what followed the question mark.
        status: what was answered; 0 where the connection was cut before.
        received: bytes from the client.
        sent: bytes to the client.
        login: as whom; empty where nobody was recognised.
    """

    kind: str
    method: str
    path: str
    query: str
    status: int
    received: int
    sent: int
    login: str


@dataclass(frozen=True)
class Traffic:
    """How much went over the wire: bytes the client sent (`up`), bytes it was sent (`down`), in how many requests."""

    up: int
    down: int
    requests: int


@dataclass
class Fault:
    """What happens to requests instead of, or besides, being answered. Made by the methods of `Wire`."""

    method: str
    path: re.Pattern[str]
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    cut_upload_after: int | None = None
    seconds: float = 0
    slow_after: int = 0
    action: Callable[[], object] | None = None
    used: int = 0

    def takes(self, method: str, path: str, query: str) -> bool:
        """Whether it is this request's turn."""
        return (
            (self.times is None or self.used < self.times)
            and self.method in (method, "*")
            and any(self.path.fullmatch(each) for each in (path, f"{path}?{query}"))
        )


class Wire:
    """What is to go wrong, and what went over the wire."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._log: list[Exchange] = []
        self._faults: list[Fault] = []
        self._under_way = 0
        self.stopped = threading.Event()

    def fail(
        self,
        method: str,
        path: str,
        status: int,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
    ) -> Fault:
        """Answer with this status instead.

        `path` is a regular expression for the whole path, without a base path, and with or without the query:
        `/ada/relay.git/info/refs\\?service=git-receive-pack`. `times` of None is for ever. A `body` that is a text goes
        as text, anything else as JSON.
        """
        return self._add(Fault(method, re.compile(path), times, status=status, body=body, headers=headers or {}))

    def cut(self, method: str, path: str, after: int = 0, times: int | None = 1) -> Fault:
        """Close the connection after so many bytes of the answer's body. A body that is not longer does not count."""
        return self._add(Fault(method, re.compile(path), times, cut_after=after))

    def cut_upload(self, method: str, path: str, after: int = 0, times: int | None = 1) -> Fault:
        """Close the connection after so many bytes of the request's body, and end what works on it.

        A body that is not longer does not count: before a large pack, git sends one of four bytes.
        """
        return self._add(Fault(method, re.compile(path), times, cut_upload_after=after))

    def slow(self, method: str, path: str, seconds: float, after: int = 0, times: int | None = 1) -> Fault:
        """Stand still for so long, at once or after so many bytes of the answer's body, until the server is stopped."""
        return self._add(Fault(method, re.compile(path), times, seconds=seconds, slow_after=after))

    def meanwhile(self, method: str, path: str, action: Callable[[], object], times: int | None = 1) -> Fault:
        """Do something when such a request has arrived and before it is looked at: how a race is lost every time."""
        return self._add(Fault(method, re.compile(path), times, action=action))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        with self._state:
            self._faults.clear()

    def _add(self, fault: Fault) -> Fault:
        with self._state:
            self._faults.append(fault)
        return fault

    def faults_of(self, method: str, path: str, query: str) -> list[Fault]:
        """Those whose turn it is: everything that is not an answer, and the first answer."""
        with self._state:
            found: list[Fault] = []
            for fault in self._faults:
                if fault.takes(method, path, query) and not (fault.status and any(each.status for each in found)):
                    fault.used += 1
                    found.append(fault)
            return found

    def give_back(self, unspent: Iterable[Fault]) -> None:
        """What was to be cut, or late, was too short for that."""
        with self._state:
            for fault in unspent:
                if fault.slow_after or fault.cut_after is not None or fault.cut_upload_after is not None:
                    fault.used -= 1

    def begin(self) -> None:
        """A request has arrived."""
        with self._state:
            self._under_way += 1

    def end(self, exchange: Exchange | None) -> None:
        """A request has been answered, or not."""
        with self._state:
            if exchange:
                self._log.append(exchange)
            self._under_way -= 1
            self._state.notify_all()

    def _settled(self) -> list[Exchange]:
        """What was recorded; a client has its answer a moment before the server has written that down."""
        with self._state:
            assert self._state.wait_for(lambda: not self._under_way, timeout=30), "a request is still under way"
            return list(self._log)

    @property
    def log(self) -> list[Exchange]:
        """Every request so far, in the order in which they were finished."""
        return self._settled()

    def forget(self) -> None:
        """Count from here."""
        self._settled()
        with self._state:
            self._log.clear()

    def traffic(self, kind: str | None = None) -> Traffic:
        """The sum of what was exchanged: of one kind, or of all."""
        those = [each for each in self._settled() if kind in (None, each.kind)]
        return Traffic(sum(each.received for each in those), sum(each.sent for each in those), len(those))


def wait_until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something that happens elsewhere; fails when it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
