"""Doing something with many relays at the same time, each within a time limit (relay.md §6, probe).

A relay that does not answer keeps nobody waiting for longer than that: what is under way with it is ended, as far as
its transport can be stopped, and where it cannot, it does not keep the program from ending.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.transports.base import Stoppable, Transport
from alive_p2p.runtime import Runtime

MOST_AT_ONCE = 64
"""Each is a thread, and with git a process or three."""
_LAST_SECONDS = 2.0
"""So long we wait for what was ended to be gone: it looks fifty times a second whether it is to end."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of one of them: a value, or why there is none."""

    value: T | None = None
    error: str | None = None


def at_once(
    actions: Mapping[K, Callable[[Reach], T]], reach: Reach, runtime: Runtime, *, seconds: float
) -> dict[K, Outcome[T]]:
    """Carry out actions at the same time, and be done with each within a time limit.

    Args:
        actions: by any name; each reaches relays by what it is given, and by nothing else.
        reach: gives access to relays.
        runtime: the surroundings.
        seconds: how long each may take, from its own beginning.

    Returns:
        By the same names, in the same order, what became of them.

    Raises:
        Exception: what an action raises besides `AliveP2PError`, which is its outcome.
    """
    done: SimpleQueue[_Action[K, T]] = SimpleQueue()
    waiting = deque(_Action(key, action, reach, done) for key, action in actions.items())
    outcomes: dict[K, Outcome[T]] = {}
    running: dict[_Action[K, T], float] = {}
    late: list[_Action[K, T]] = []
    try:
        while waiting or running:
            while waiting and len(running) < MOST_AT_ONCE:
                one = waiting.popleft()
                one.start()
                running[one] = runtime.monotonic() + seconds
            try:
                one = done.get(timeout=max(0.0, min(running.values()) - runtime.monotonic()))
            except Empty:
                now = runtime.monotonic()
                for one in [one for one, until in running.items() if until <= now]:
                    del running[one]
                    late.append(one)
                    one.stop()
                    outcomes[one.key] = Outcome(error=f"no answer within {seconds:g} seconds")
                continue
            if running.pop(one, None) is not None:
                outcomes[one.key] = one.outcome()
    finally:
        for one in running:
            one.stop()
        until = runtime.monotonic() + _LAST_SECONDS
        for one in (*late, *running):
            one.join(max(0.0, until - runtime.monotonic()))
    return {key: outcomes[key] for key in actions}


class _Action(threading.Thread, Generic[K, T]):
    """One of them; a thread that keeps no program from ending."""

    def __init__(self, key: K, action: Callable[[Reach], T], reach: Reach, done: "SimpleQueue[_Action[K, T]]") -> None:
        super().__init__(name=f"relay {key}", daemon=True)
        self.key = key
        self._action = action
        self._reach = reach
        self._done = done
        self._relays: list[Transport] = []
        self._is_stopped = False
        self._lock = threading.Lock()
        self._value: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Carry it out."""
        try:
            self._value = self._action(self._reached)
        except BaseException as error:  # noqa: BLE001  (whoever asks for the outcome gets it)
            self._error = error
        self._done.put(self)

    def outcome(self) -> Outcome[T]:
        """What became of it, once it is done. Raises what it has raised besides `AliveP2PError`."""
        if isinstance(self._error, AliveP2PError):
            return Outcome(error=self._error.message)
        if self._error is not None:
            raise self._error
        return Outcome(self._value)

    def _reached(self, url: str) -> Transport:
        relay = self._reach(url)
        with self._lock:
            self._relays.append(relay)
            is_stopped = self._is_stopped
        if is_stopped:
            _stop(relay)
        return relay

    def stop(self) -> None:
        """End what it is doing, as far as that is possible."""
        with self._lock:
            self._is_stopped = True
            relays = list(self._relays)
        for relay in relays:
            _stop(relay)


def _stop(relay: Transport) -> None:
    if isinstance(relay, Stoppable):
        relay.stop()
