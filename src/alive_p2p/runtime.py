"""Everything ambient, in one injectable place: the clock, the environment, names made by chance, who we are.

No other module reads the clock, `os.environ` or the current folder. A pipeline takes a `Runtime`; a test makes
one with a fixed clock and an environment of its own.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from alive_p2p.errors import UsageError

PLUGIN_VERSION = "3.1.0"
"""The plugin generation whose conventions packages made here follow (`source.plugin_version`)."""


_TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def format_timestamp(moment: datetime) -> str:
    """Write a moment as the format does: UTC, seconds, `Z` (format.md §2)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """Read a timestamp written by `format_timestamp`. Raises `ValueError` for any other form."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("not a timestamp such as 2026-04-07T10:15:00Z")
    year, month, day, hour, minute, second = map(int, match.groups())  # `strptime` takes longer to import than to run
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _random_hex(digits: int) -> str:
    import secrets

    return secrets.token_hex((digits + 1) // 2)[:digits]


def _new_uuid() -> str:
    import uuid

    return str(uuid.uuid4())


@dataclass(frozen=True)
class Runtime:
    """The surroundings of one command.

    Attributes:
        environ: environment variables, a snapshot.
        cwd: the current folder, absolute.
        clock: returns the present moment, timezone-aware.
        random_hex: returns `n` random lowercase hex digits; names only, never key material.
        new_uuid: returns a fresh UUID4 as text.
        monotonic: seconds of a clock that only runs forward, for waiting.
        sleep: waits for so many seconds.
    """

    environ: Mapping[str, str]
    cwd: Path
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    random_hex: Callable[[int], str] = field(default=_random_hex)
    new_uuid: Callable[[], str] = field(default=_new_uuid)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def from_process(cls) -> "Runtime":
        """Take the surroundings of this process.

        Raises:
            UsageError: the current folder has been deleted.
        """
        try:
            cwd = Path.cwd()
        except OSError:
            raise UsageError("no-current-folder", "the current folder does not exist any more", hint="cd") from None
        return cls(environ=dict(os.environ), cwd=cwd)

    def now(self) -> datetime:
        """The present moment in UTC, to the second."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def timestamp(self) -> str:
        """The present moment as text (`2026-04-07T10:15:00Z`)."""
        return format_timestamp(self.now())

    @property
    def is_reproducible(self) -> bool:
        """Whether `SOURCE_DATE_EPOCH` asks for byte-for-byte reproducible packages."""
        return bool(self.environ.get("SOURCE_DATE_EPOCH"))

    def created(self) -> str:
        """The `created` stamp of a new package: now, or `SOURCE_DATE_EPOCH` (format.md §2).

        Raises:
            UsageError: `SOURCE_DATE_EPOCH` is not a number of seconds between the years 1970 and 9999.
        """
        epoch = self.environ.get("SOURCE_DATE_EPOCH")
        if not epoch:
            return self.timestamp()
        latest = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment four digits of year can hold
        if not (epoch.isascii() and epoch.isdigit() and len(epoch) <= 12 and int(epoch) <= latest):
            raise UsageError(
                "bad-source-date-epoch",
                "SOURCE_DATE_EPOCH is not a number of seconds since 1970",
                hint="unset it, or set it to a whole number such as 1767225600",
            )
        return format_timestamp(datetime.fromtimestamp(int(epoch), UTC))

    @property
    def home(self) -> Path:
        """The person's home folder."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        return Path(home) if home else Path.home()

    @property
    def alive_home(self) -> Path:
        """Where this tool keeps its own state: `ALIVE_HOME`, by default `~/.alive`."""
        chosen = self.environ.get("ALIVE_HOME")
        return Path(chosen) if chosen else self.home / ".alive"

    @property
    def session_id(self) -> str:
        """The session that acts: `ALIVE_SESSION_ID`, by default `manual`."""
        return self.environ.get("ALIVE_SESSION_ID") or "manual"

    @property
    def engine(self) -> str:
        """The agent that acts: `ALIVE_ENGINE`, by default `unknown`."""
        return self.environ.get("ALIVE_ENGINE") or "unknown"

    def is_set(self, name: str) -> bool:
        """Whether a switch in the environment is on (`1`, `true`, `yes`, `on`)."""
        return self.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}

    @property
    def is_testing(self) -> bool:
        """Whether options meant for tests only are allowed (`ALIVE_P2P_TESTING`)."""
        return self.is_set("ALIVE_P2P_TESTING")
