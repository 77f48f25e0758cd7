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
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_LINES)
        threading.Thread(target=self._read, name="mcp-wire", daemon=True).start()

    def __aiter__(self) -> "Lines":
        return self

    async def __anext__(self) -> str:
        line = await self._queue.get()
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")

    def _read(self) -> None:
        held = b""
        with suppress(OSError, RuntimeError, asyncio.CancelledError):  # the loop has ended, or the descriptor
            while piece := os.read(self._descriptor, 1 << 16):
                *lines, held = (held + piece).split(b"\n")
                for line in lines:
                    self._hand_over(line + b"\n")
        with suppress(RuntimeError, asyncio.CancelledError):
            if held:
                self._hand_over(held)
            self._hand_over(b"")

    def _hand_over(self, line: bytes) -> None:
        asyncio.run_coroutine_threadsafe(self._queue.put(line), self._loop).result()


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
