"""Tokens: what was shown, kept until it is done, once (agents.md §2).

A token is a random name for a plan in this process's memory; it says nothing by itself and cannot be made up. What it
stands for is the very object that was shown, so there is nothing to compare but what the caller says it is for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from alive_p2p.errors import AliveP2PError

SECONDS = 15 * 60.0
"""How long a token lives: long enough for a person to make up their mind, short enough that they remember."""
MOST = 16
"""How many there are at once; the oldest goes first. Each holds a plan, with a line for every file."""

Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Kept(Generic[Shown]):
    """What a token stands for.

    Attributes:
        act: the tool that may use it.
        about: what the caller has to name again: the walnut, the package, the peer; by the parameter's name.
        shown: what was shown.
        until: when it ends, by the clock that only runs forward.
    """

    act: str
    about: dict[str, str]
    shown: Shown
    until: float


class Tokens:
    """The tokens of one server.

    Args:
        clock: seconds of a clock that only runs forward.
        random_hex: gives so many random hex digits.
    """

    def __init__(self, clock: Callable[[], float], random_hex: Callable[[int], str]) -> None:
        self._clock = clock
        self._random_hex = random_hex
        self._kept: dict[str, Kept[Any]] = {}
        self._spent: dict[str, str] = {}

    def give(self, act: str, about: dict[str, str], shown: object) -> str:
        """A new token for what was shown."""
        token = f"{act.partition('_')[0]}-{self._random_hex(32)}"
        self._kept[token] = Kept(act, about, shown, self._clock() + SECONDS)
        while len(self._kept) > MOST:
            self._spend(next(iter(self._kept)), "expired")
        return token

    def take(self, act: str, token: str, about: dict[str, str]) -> Any:  # noqa: ANN401  (each tool knows its own)
        """What was shown; from now on the token is spent, whatever comes of it.

        Args:
            act: the tool that is called.
            token: what it was given.
            about: what the caller says it is for.

        Raises:
            AliveP2PError: `bad-token`: it was never given out, is for something else, was used before, or has expired.
        """
        kept = self._kept.get(token)
        if kept is None:
            why = self._spent.get(token)
            raise _refused(f"the token has {why}" if why is not None else "there is no such token")
        self._spend(token, "been used")
        if kept.until < self._clock():
            raise _refused("the token has expired")
        if kept.act != act:
            raise _refused(f"the token is for `{kept.act}`, not for `{act}`")
        if other := next((key for key, value in kept.about.items() if about.get(key) != value), None):
            raise _refused(f"the token is for another {other}")
        return kept.shown

    def _spend(self, token: str, why: str) -> None:
        del self._kept[token]
        self._spent[token] = why
        while len(self._spent) > MOST:
            del self._spent[next(iter(self._spent))]


def _refused(why: str) -> AliveP2PError:
    return AliveP2PError(
        "bad-token", why, untouched="everything", hint="call the preview again, and use the token that it gives, once"
    )
