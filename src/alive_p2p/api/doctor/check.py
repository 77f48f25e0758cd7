"""What a check has found: one line, what that means, and what mends it (cli.md, "Commands")."""

from dataclasses import dataclass
from typing import Literal

from alive_p2p.errors import AliveP2PError

Level = Literal["ok", "note", "problem"]
"""`note`: nothing is broken, and something is not there, or waits; `problem`: something fails until it is mended."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Texts may hold what stands in files, or what a host said: whoever shows them escapes them.

    Attributes:
        name: what was looked at, such as `git`; stable, and several may have the same.
        level: `ok`, `note` or `problem`.
        found: what is there.
        meaning: what that means for whoever shares or receives; None where nothing needs saying.
        mend: what mends it, a command where there is one.
    """

    name: str
    level: Level
    found: str
    meaning: str | None = None
    mend: str | None = None


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, "ok", found)


def note(name: str, found: str, meaning: str, mend: str | None = None) -> Check:
    """Nothing is broken; something is not there, or waits."""
    return Check(name, "note", found, meaning, mend)


def problem(name: str, found: str, meaning: str, mend: str | None = None) -> Check:
    """Something will fail."""
    return Check(name, "problem", found, meaning, mend)


def failed(name: str, error: AliveP2PError, meaning: str, mend: str | None = None) -> Check:
    """A problem, in the words of an error; `mend` where the error knows of nothing to do."""
    return Check(name, "problem", "; ".join([error.message, *error.details]), meaning, error.hint or mend)
