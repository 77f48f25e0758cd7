"""Having somebody looked at by `doctor`, and looking that it has changed nothing."""

import stat
from dataclasses import replace
from pathlib import Path

from alive_p2p.api.doctor import Check, examine
from alive_p2p.api.doctor.check import Level
from alive_p2p.runtime import Runtime
from relay.people import Person


def _everything(folder: Path) -> dict[str, object]:
    """Every path below a folder: what it is, its mode, when it was changed, and what it holds."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else None
        found[str(path)] = (state.st_mode, state.st_mtime_ns, content)
    return found


def examined(runtime: Runtime, folder: Path, seconds: float = 10) -> tuple[Check, ...]:
    """What `doctor` finds; nothing below the folder has changed by it."""
    before = _everything(folder)
    found = examine(runtime, seconds=seconds)
    assert _everything(folder) == before
    assert all(one.meaning is not None for one in found if one.level != "ok")
    return found


def of(found: tuple[Check, ...], name: str, level: Level) -> Check:
    """The one check of this name and level."""
    (one,) = (one for one in found if one.name == name and one.level == level)
    return one


def problems(found: tuple[Check, ...]) -> list[Check]:
    return [one for one in found if one.level == "problem"]


def paired(tmp_path: Path) -> Person:
    """Somebody with a world, a mailbox and a peer."""
    alice, ben = Person("alice", tmp_path).set_up(), Person("ben", tmp_path).set_up()
    alice.pair(ben)
    return alice


def settings_of(alice: Person, **environ: str | None) -> Runtime:
    """The same person with other settings; None takes one away."""
    merged = {**alice.runtime.environ, **environ}
    return replace(alice.runtime, environ={name: value for name, value in merged.items() if value is not None})
