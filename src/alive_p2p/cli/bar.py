"""A progress bar on a terminal: how far something has come, or only that something is being done.

It appears after half a second, so that what is quick shows nothing, and is gone when the work is done, when something
else is printed, or while a person is asked.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TextIO

from alive_p2p.cli.columns import width_of

_AFTER = 0.5
"""Seconds until something is shown."""

_EVERY = 0.1
_WIDEST = 30
_NARROWEST = 8
_BESIDE = 8
"""What stands beside a bar besides its label: blanks, `100 %`, and the column that makes a terminal scroll."""

_MOVING = 6


class Bar:
    """One bar; call it with what is done and what there is in all, of whatever it counts.

    As a context manager it also moves while nobody calls it: while nothing can be counted, or between two things that
    can. Everything else that writes to the terminal meanwhile does so inside `hidden`.

    Args:
        label: what is being done.
        stream: the terminal.
        clock: seconds of a clock that only runs forward.
        columns: how wide the terminal is.
    """

    def __init__(self, label: str, stream: TextIO, clock: Callable[[], float], columns: int | None) -> None:
        self._label = label
        self._stream = stream
        self._clock = clock
        self._width = min(_WIDEST, (columns or 80) - width_of(label) - _BESIDE)
        self._full, self._empty = ("█", "░") if _can_write("█░", stream) else ("#", ".")
        self._began = clock()
        self._percent: int | None = None
        self._ticks = 0
        self._shown = ""
        self._writing = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, done: int, total: int) -> None:
        """Say how far it has come; with a total of 0 that cannot be said."""
        percent = min(100, done * 100 // total) if total > 0 else None
        if percent == self._percent:
            return
        with self._writing:
            self._percent = percent
            if percent == 100:
                self._percent = None  # what comes now, if anything does, is counted anew
                self._clear()
            else:
                self._draw()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._move, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.clear()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away, and keep it away, while something else is written or asked."""
        with self._writing:
            self._clear()
            yield

    def clear(self) -> None:
        """Take the bar away, for a line that comes where it stands."""
        with self._writing:
            self._clear()

    def _move(self) -> None:
        while not self._over.wait(_EVERY):
            with self._writing:
                if self._percent is None and not self._over.is_set():
                    self._ticks += 1
                    self._draw()

    def _draw(self) -> None:
        if self._clock() - self._began < _AFTER or self._width < _NARROWEST:
            return
        text = f"{self._label} {self._bar()}"
        if text != self._shown:
            # One write: a terminal never shows the line half drawn.
            self._write(f"\r{text}" if len(text) >= len(self._shown) else f"\r\x1b[2K{text}")
            self._shown = text

    def _bar(self) -> str:
        if self._percent is None:
            room = self._width - _MOVING
            step = self._ticks % (2 * room)
            at = step if step <= room else 2 * room - step
            return self._empty * at + self._full * _MOVING + self._empty * (room - at)
        filled = self._percent * self._width // 100
        return f"{self._full * filled}{self._empty * (self._width - filled)} {self._percent:3d} %"

    def _clear(self) -> None:
        if self._shown:
            self._shown = ""
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal has gone; the work goes on
            self._width = 0


def _can_write(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
