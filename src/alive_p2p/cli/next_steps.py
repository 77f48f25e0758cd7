"""What `alive-p2p` alone says: where somebody is, and what they can do next.

Whoever types the name and nothing else wants one thing to do and not all of them. It reads a few files of ours and
asks nobody, and nothing is imported that takes long.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from alive_p2p.cli.columns import fitted, isolated
from alive_p2p.errors import AliveP2PError
from alive_p2p.receiving.inbox import inbox_of, packages_in
from alive_p2p.relay.glance import Glance, glance
from alive_p2p.runtime import Runtime
from alive_p2p.text import escape, one_line
from alive_p2p.transactions.registry import interrupted
from alive_p2p.walnut.world import find_walnut, find_world, is_world

_WHAT_IT_IS = "alive-p2p hands context to people, and to their agents."
_MORE = "`alive-p2p --help` lists every command; `alive-p2p doctor` looks whether anything is missing."
_NAME = 60
_MOST_LOOKED_AT = 200

Step = tuple[str, str]
"""A command without the program's name, and why."""


def main() -> int:
    """Print it.

    Returns:
        The exit code: 1 where nobody listens any more.
    """
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        print(*_fitted(_lines()), sep="\n", flush=True)  # noqa: T201  (a door prints)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing complains when it is closed
        return 1
    return 0


def _lines() -> list[str]:
    """What to print; something in every case."""
    try:
        runtime = Runtime.from_process()
        where, steps = _where(runtime), [*_unfinished(runtime), *_here(runtime), *_relay(runtime)]
    except AliveP2PError as error:
        where = error.message if error.hint is None else f"{error.message}; try: {error.hint}"
        steps = [("doctor", "look what is wrong")]
    except Exception as error:  # noqa: BLE001  (what nobody has foreseen must not keep anybody from finding help)
        where, steps = f"something was not foreseen ({type(error).__name__})", [("doctor", "look what is wrong")]
    width = max(len(command) for command, _ in steps)
    shown = [f"  alive-p2p {command:<{width}}   {why}" for command, why in steps]
    return [escape(line) for line in (_WHAT_IT_IS, "", where, *shown, "", _MORE)]


def _fitted(lines: list[str]) -> list[str]:
    """The lines as a terminal shows them whole; as they are, where they go anywhere else."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError):
        columns = 0
    return [part for line in lines for part in fitted(isolated(line), columns)] if columns else lines


def _where(runtime: Runtime) -> str:
    walnut, world = find_walnut(runtime.cwd), find_world(runtime.cwd)
    if walnut is not None:
        return f"you are in the walnut {_name(walnut)}"
    return f"you are in the world {_name(world)}" if world is not None else "you are in no world"


def _unfinished(runtime: Runtime) -> Iterator[Step]:
    """What was left half done, and what has come and was not received."""
    try:
        left = interrupted(runtime)
    except AliveP2PError as error:
        yield "doctor", one_line(error.message)
    else:
        if left:
            action, target = left[0]
            more = f" and {len(left) - 1:,} more" if len(left) > 1 else ""
            yield "recover", f"finish or take back an interrupted {action} in {_name(target)}{more}"
    if (world := find_world(runtime.cwd)) is None:
        return
    try:
        waiting = len(packages_in(inbox_of(world)))
    except AliveP2PError as error:
        yield "doctor", one_line(error.message)
    else:
        if waiting:
            yield "receive --inbox", f"{_packages(waiting)} in the inbox of this world"


def _here(runtime: Runtime) -> Iterator[Step]:
    """What can be done where somebody is."""
    if (walnut := find_walnut(runtime.cwd)) is not None:
        yield "share", f"share {_name(walnut)} step by step; nothing leaves before you have seen it"
    elif find_world(runtime.cwd) is not None:
        yield "share", "share a walnut of this world step by step; nothing leaves before you have seen it"
    else:
        for folder in _folders(runtime.cwd):
            if is_world(folder):
                yield "share", f"share something, once you are in your world: cd {shlex.quote(folder.name)}"
                return
        if not (runtime.alive_home / "relay" / "relay.json").exists():
            yield "demo", "see all of it at work, in a folder that is removed again"
        yield "receive FILE --target FOLDER", "bring in a package that somebody has given you"


def _relay(runtime: Runtime) -> Iterator[Step]:
    """What can be done with relays, by what is known of them."""
    try:
        seen = glance(runtime)
    except AliveP2PError as error:
        yield "doctor", one_line(error.message)
        return
    if not seen.is_set_up:
        yield "relay setup", "make a relay, so that packages need not go by hand"
        return
    if seen.pending:
        count = sum(number for _, number in seen.pending)
        yield "relay pull", f"{_packages(count)} waited for you when your relay was last looked at"
    yield from _people(seen, runtime)


def _people(seen: Glance, runtime: Runtime) -> Iterator[Step]:
    outbox = runtime.alive_home / "relay" / "outbox"
    if queued := sum(1 for name in _names(outbox) if name.endswith(".json")):
        yield "relay probe", f"send what waits in the outbox ({_packages(queued)}), and look what has come"
    elif seen.is_due and seen.peers and not seen.pending:
        yield "relay probe", "look what has come, and who has answered"
    if not seen.peers:
        yield "relay invite NAME", "let somebody leave packages in your relay"


def _packages(count: int) -> str:
    return f"{count:,} {'package' if count == 1 else 'packages'}"


def _name(place: Path) -> str:
    return f"'{one_line(place.name or str(place), limit=_NAME)}'"


def _folders(place: Path) -> list[Path]:
    """Some of the folders right below."""
    return [place / name for name in sorted(_names(place))[:_MOST_LOOKED_AT] if not name.startswith(".")]


def _names(place: Path) -> list[str]:
    try:
        return os.listdir(place)  # noqa: PTH208  (names are all that is needed)
    except OSError:
        return []
