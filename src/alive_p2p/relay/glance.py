"""What the start of a session wants to know of relays: read at once, and without a network (agents.md §1).

A session waits for this, so nothing is imported that takes time: `config` and `state` read the same two files for
everybody else, with everything that belongs to them.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime, parse_timestamp

COOL_DOWN_SECONDS = 600
"""So long after a look at the relays the next session does not look again."""
ATTEMPT = "attempt"
"""The field of `state.json` about the last look that a session has begun: `at`, and `error` where it did not work."""

_CONFIG_BYTES = 4 << 20
_STATE_BYTES = 16 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True)
class Glance:
    """What is known of relays.

    Attributes:
        is_set_up: whether we have a relay.
        is_due: whether the relays are to be looked at again.
        pending: the peers of whom something waited when they were last looked at, and how many packages.
        peers: how many people are written down, invited or paired.
    """

    is_set_up: bool
    is_due: bool = False
    pending: tuple[tuple[str, int], ...] = ()
    peers: int = 0

    @property
    def line(self) -> str | None:
        """`2 packages from ben are waiting: /alive:receive`; None where nothing waits.

        An agent reads it: it holds numbers, and names that are nothing but a word.
        """
        count = sum(number for _, number in self.pending)
        if not count:
            return None
        names = [name for name, _ in self.pending if _NAME.fullmatch(name)]
        shown = names if len(names) <= 3 else names[:2]
        others = len(self.pending) - len(shown)
        if others:
            shown = [*shown, f"{others} more" if shown else f"{others} of your peers"]
        who = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
        packages, are = ("package", "is") if count == 1 else ("packages", "are")
        return f"{count:,} {packages} from {who} {are} waiting: /alive:receive"


def glance(runtime: Runtime) -> Glance:
    """Read what is known; changes nothing.

    Raises:
        AliveP2PError: `broken-relay-config`, `broken-relay-state`: the file cannot be read, or is not what this program
            writes; `relay-state-not-writable`: what the next look sees could not be written down.
    """
    folder = runtime.alive_home / "relay"
    config = _document(folder / "relay.json", _CONFIG_BYTES, "broken-relay-config", "mend the file")
    if config is None or not _mapping(config.get("relay")).get("url"):
        return Glance(is_set_up=False)
    path = folder / "state.json"
    hint = "move it away: it only says what was seen last, and is made anew"
    state = _document(path, _STATE_BYTES, "broken-relay-state", hint) or {}
    if not os.access(folder, os.W_OK | os.X_OK) or (os.path.lexists(path) and not os.access(path, os.W_OK)):
        raise AliveP2PError(
            "relay-state-not-writable",
            f"'{path}' cannot be written, so the relays are not looked at",
            untouched="everything",
            hint="check who owns it and its permissions",
        )
    seen = _mapping(state.get("peers"))
    paired = (name for name, peer in _mapping(config.get("peers")).items() if _mapping(peer).get("accepted") is True)
    pending = ((name, _mapping(seen.get(name)).get("pending_packages")) for name in paired)
    return Glance(
        is_set_up=True,
        is_due=not any(
            _is_recent(at, runtime) for at in (state.get("last_probe"), _mapping(state.get(ATTEMPT)).get("at"))
        ),
        pending=tuple((name, count) for name, count in pending if type(count) is int and count > 0),
        peers=len(_mapping(config.get("peers"))),
    )


def _is_recent(at: object, runtime: Runtime) -> bool:
    """Whether a moment is less than the cool-down ago; one that lies ahead of the clock is not."""
    try:
        age = runtime.now() - parse_timestamp(at) if isinstance(at, str) else None
    except ValueError:
        return False
    return age is not None and 0 <= age.total_seconds() < COOL_DOWN_SECONDS


def _document(path: Path, limit: int, code: str, hint: str) -> dict[str, Any] | None:
    """A file of ours; None where there is none."""

    def refuse(why: str) -> NoReturn:
        raise AliveP2PError(code, f"'{path}' cannot be used: {why}", untouched="everything", hint=hint)

    try:
        data = plain_file(path, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        refuse((error.strerror or "it cannot be read").lower())
    if len(data) > limit:
        refuse("it is far too large")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        refuse("it is not JSON")
    if not isinstance(document, dict) or not isinstance(document.get("peers", {}), dict):
        refuse("it is not what this program writes")
    return document


def plain_file(path: Path, limit: int) -> bytes:
    """A file's first bytes, at most one more than the limit; none of what is no file, and a pipe is not waited for.

    Raises:
        OSError: it is not there, is a link, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        parts = []
        while is_file and limit >= 0 and (part := os.read(descriptor, min(limit + 1, 1 << 20))):
            parts.append(part)
            limit -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
