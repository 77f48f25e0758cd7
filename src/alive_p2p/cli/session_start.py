"""What the plugin's hook calls when a session starts (agents.md §1).

The session waits for it, so it answers within a tenth of a second whatever the network does: it says what the last
look at the relays has seen, and leaves the next look to a process that nobody waits for. `cli.main` calls it without
the rest of the program; nothing here is imported that takes long.

What is printed is read by an agent. It holds nothing that somebody else has written.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.relay.glance import Glance, glance, plain_file
from alive_p2p.runtime import Runtime
from alive_p2p.text import escape

_COMMAND = "alive-p2p hook session-start"
_MOST_INPUT = 1 << 20
_SETTING = b"discovery_hints"
_AS_USUAL = re.compile(rb"^discovery_hints: *(true|false) *(?:#.*)?\r?$", re.MULTILINE)
"""The setting as nearly everybody writes it: YAML takes longer to load than all the rest."""
_INPUT_SECONDS = 0.03
"""So long what starts the session has for saying what it is: it writes at once, or was no session at all."""

_HINT = (
    "hint: packages can come by mail once there is a relay: /alive:relay"
    " (`discovery_hints: false` in .alive/preferences.yaml hides this)"
)


def main() -> int:
    """Run it for this process.

    Returns:
        The exit code: 1 where `relay.json` cannot be read or `state.json` not be written, else 0; never 2, which would
        stop the session.
    """
    try:
        _, lines = start(Runtime.from_process(), said())
    except UsageError:
        return 0  # there is no folder that a session could be in
    except AliveP2PError as error:
        return _failed(error.message, error.hint)
    except Exception as error:  # noqa: BLE001  (what nobody has foreseen is told here as elsewhere, and stops no session)
        return _failed(f"the relays could not be looked at ({type(error).__name__})", f"{_COMMAND} --debug")
    _print(lines, sys.stdout)
    return 0


def _failed(message: str, hint: str | None) -> int:
    _print([f"error: {escape(message)}", *([f"  try: {escape(hint)}"] if hint else [])], sys.stderr)
    return 1


def _print(lines: Sequence[str], stream: TextIO) -> None:
    try:
        print(*lines, sep="\n", end="\n" if lines else "", file=stream, flush=True)
    except (OSError, ValueError):  # nobody listens, and nobody is to complain of that when it is closed
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def start(runtime: Runtime, words: bytes) -> tuple[Glance, list[str]]:
    """Look at what is known, and have the relays looked at where that is due.

    Args:
        runtime: the surroundings.
        words: what the session says of itself, as JSON; what cannot be read says nothing.

    Returns:
        What is known, and the lines that the session gets.

    Raises:
        AliveP2PError: `relay.json` or `state.json` cannot be used.
    """
    seen = glance(runtime)
    if not seen.is_set_up:
        return seen, [_HINT] if _is_hint_wanted(runtime, _mapping(words)) else []
    if seen.is_due:
        _look_later(runtime)
    return seen, [seen.line] if seen.line is not None else []


def said() -> bytes:
    """What the session says of itself on standard input, as far as it comes at once."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    import threading

    parts: list[bytes] = []

    def read() -> None:
        with suppress(OSError, ValueError):
            descriptor = sys.stdin.fileno()
            while sum(map(len, parts)) < _MOST_INPUT and (part := os.read(descriptor, 1 << 16)):
                parts.append(part)

    reader = threading.Thread(target=read, daemon=True)  # a pipe that nobody closes keeps nobody waiting
    reader.start()
    reader.join(_INPUT_SECONDS)
    return b"".join(parts)


def _mapping(words: bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        document = json.loads(words)
        if isinstance(document, dict):
            return document
    return {}


def _is_hint_wanted(runtime: Runtime, session: dict[str, Any]) -> bool:
    """Whether to tell of relays: once in a session, so not where one goes on, and not where hints are off."""
    if session.get("source") == "resume":
        return False
    cwd = session.get("cwd")
    here = runtime.cwd / cwd if isinstance(cwd, str) and "\0" not in cwd else runtime.cwd
    around = (here, *here.parents)
    texts = [_preferences(one) for one in around if os.path.isdir(one / ".alive")]  # noqa: PTH112  (it never raises)
    if not any(_SETTING in text for text in texts):
        return True  # the default
    if texts[0].count(_SETTING) == 1 and (match := _AS_USUAL.search(texts[0])):
        return match[1] == b"true"
    from alive_p2p.walnut.preferences import load_preferences
    from alive_p2p.walnut.world import find_world

    try:
        return load_preferences(find_world(here)).discovery_hints
    except AliveP2PError:
        return False  # the next command that needs them says what is wrong with them


def _preferences(folder: Path) -> bytes:
    with suppress(OSError):
        return plain_file(folder / ".alive" / "preferences.yaml", _MOST_INPUT)
    return b""


def _look_later(runtime: Runtime) -> None:
    """Start `hook probe` in a session of its own: it outlives this one, and nothing of it is waited for."""
    import subprocess

    relay = (runtime.cwd / runtime.alive_home / "relay").absolute()
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with suppress(OSError):
        # `-P`: the session's folder may be anybody's, and what lies in it is not to be imported.
        subprocess.Popen(
            [sys.executable, "-P", "-m", "alive_p2p", "hook", "probe"],
            cwd=relay,
            env={**runtime.environ, "ALIVE_HOME": str(relay.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        )
