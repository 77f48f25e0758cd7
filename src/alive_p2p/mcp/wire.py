"""Standard input and output as the wire of the protocol, and nothing else on it.

The library keeps the wire's output to itself and lets everything else that is printed go to standard error. Its reader
cannot be interrupted, so a signal would have no effect until the client says something; ours can.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_MOST_LINES = 64
"""Lines that are read ahead."""


class Lines:
    """Lines of a descriptor, read by a thread that nobody waits for. For one reader, within one event loop.

    Args:
        descriptor: what is read; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(_MOST_LINES)
        threading.Thread(target=self._read, name="mcp-wire", daemon=True).start()

    def __aiter__(self) -> "Lines":
        return self

    async def __anext__(self) -> str:
        line = await self._queue.get()
        self._room.release()
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")

    def _read(self) -> None:
        held = b""
        with suppress(OSError, RuntimeError):  # the descriptor has ended, or the loop
            while piece := os.read(self._descriptor, 1 << 16):
                *lines, held = (held + piece).split(b"\n")
                for line in lines:
                    self._hand_over(line + b"\n")
        with suppress(RuntimeError):
            if held:
                self._hand_over(held)
            self._hand_over(b"")

    def _hand_over(self, line: bytes) -> None:
        self._room.acquire()
        # No coroutine: one that a loop at its end does not come to would be complained of on standard error.
        self._loop.call_soon_threadsafe(self._queue.put_nowait, line)


def tell_no_interruption() -> None:
    """Have the running event loop complain of everything but an interruption, which is told by who started it."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        others = error.split(KeyboardInterrupt)[1] if isinstance(error, BaseExceptionGroup) else error
        is_interruption = error is not None and (others is None or isinstance(others, KeyboardInterrupt))
        if not is_interruption:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(handle)


@contextmanager
def standard_input() -> Iterator[int]:
    """The wire's input, which no program that is started from here inherits: they find nothing to read."""
    wire = os.dup(sys.stdin.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(nothing, sys.stdin.fileno())
    finally:
        os.close(nothing)
    yield wire


@contextmanager
def nothing_printed() -> Iterator[None]:
    """Let what is printed by mistake go to standard error, and what is still held back as well."""
    before = sys.stdout
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = before
