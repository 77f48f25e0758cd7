"""Ctrl-C and its kin: the first signal interrupts, wherever it meets the program; the cleaning up is left in peace."""

import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_minded: set[int] = set()
"""Those that interrupt, or did."""

_SOON = 0.02
"""Seconds until an interrupt that was lost comes again."""


def mind_signals() -> None:
    """The first SIGINT, SIGTERM or SIGHUP interrupts; the cleaning up that follows is not interrupted again.

    What whoever started us has us ignore (`nohup`, a script's job in the background) stays ignored.
    """
    with suppress(ValueError):  # only the main thread may
        for name in _SIGNALS:
            number = getattr(signal, name)
            if number in _minded or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
                _minded.add(number)
        sys.unraisablehook = _again


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is an interrupt that Python wrapped.

    Below 3.12 it wraps whatever is raised while a class is being made, as happens in every import.
    """
    return isinstance(error, RuntimeError) and isinstance(error.__cause__, KeyboardInterrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the signal module's interface)
    for number in _minded:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _again(lost: "UnraisableHookArgs") -> None:
    """Nothing can be raised out of a finalizer or the callback of a weak reference: interrupt once more after it."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    from _thread import interrupt_main
    from threading import Timer

    mind_signals()
    later = Timer(_SOON, interrupt_main)
    later.daemon = True
    later.start()
