"""How long it takes until something is said: the version, the help, and what a session waits for when it starts."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.bench import Bench
from bench.contestants import BEFORE, OURS, plain_python
from bench.measuring import Contest, Contestant
from bench.results import Case, timed

_OTHERS = {
    "git --version": ("git", "--version"),
    "age --version": ("age", "--version"),
    "python -c pass": (plain_python(), "-c", "pass"),
}


def startup(bench: Bench) -> Iterator[Case]:
    """Everybody in one contest, in rounds of all commands."""
    stage = bench.stage
    homes = {state: stage.root / "homes" / state for state in ("nothing-set-up", "nothing-pending", "pending")}
    for state, home in homes.items():
        _set_up(home, state)
    empty = homes["nothing-set-up"]
    hook = ("hook", "session-start")
    commands: dict[str, tuple[tuple[str, ...], Path, Callable[[], object]]] = {
        "--version": (("--version",), empty, _nothing),
        "--help": (("--help",), empty, _nothing),
        "session-start hook, nothing set up": (hook, empty, _nothing),
        "session-start hook, nothing pending": (
            hook,
            homes["nothing-pending"],
            lambda: _look_recent(homes["nothing-pending"], 0),
        ),
        "session-start hook, something pending": (hook, homes["pending"], lambda: _look_recent(homes["pending"], 2)),
    }
    contestants = []
    for title, (arguments, home, prepare) in commands.items():
        environ = stage.environ("alice", HOME=str(home), ALIVE_HOME=str(home / ".alive"))
        for build, program in stage.programs.builds.items():
            contestants.append(Contestant(f"{build}: {title}", [*program, *arguments], environ, stage.world, prepare))
    left_out = {}
    for title, command in _OTHERS.items():
        if shutil.which(command[0]):
            contestants.append(Contestant(title, command, stage.environ("alice"), stage.world))
        else:
            left_out[title] = f"{command[0]} not installed here"
    bench.say("  start-up")
    done = bench.meter.contest(contestants, bench.scale.many_rounds)
    for title in commands:
        keys = {OURS: f"{OURS}: {title}", BEFORE: f"{BEFORE}: {title}", **{other: other for other in _OTHERS}}
        own = Contest(
            {who: done.runs[key] for who, key in keys.items() if key in done.runs},
            {who: done.left_out[key] for who, key in keys.items() if key in done.left_out},
        )
        yield timed("startup", title, own, left_out=left_out)


def _nothing() -> None:
    pass


def _set_up(home: Path, state: str) -> None:
    """A home with a relay, or without; only what the hook reads is there."""
    relay = home / ".alive" / "relay"
    if state == "nothing-set-up":
        home.mkdir(parents=True)
        return
    relay.mkdir(parents=True, mode=0o700)
    peer = {"url": "file:///nowhere", "added_at": "2026-04-01T09:00:00Z", "accepted": True, "exclude_patterns": []}
    own = {"url": "file:///nowhere", "username": "alice", "created_at": "2026-04-01T09:00:00Z"}
    config = {"version": 1, "relay": own, "peers": {f"peer-{number}": peer for number in range(10)}}
    (relay / "relay.json").write_text(json.dumps(config), encoding="utf-8")


def _look_recent(home: Path, pending: int) -> None:
    """Let the relays have been looked at just now, so that the hook starts nothing in the background."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    seen = {"reachable": True, "last_probe": now, "pending_packages": pending, "error": None}
    state = {"version": 1, "last_probe": now, "peers": {f"peer-{number}": seen for number in range(10)}}
    (home / ".alive" / "relay" / "state.json").write_text(json.dumps(state), encoding="utf-8")
