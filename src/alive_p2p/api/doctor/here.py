"""Where we stand: the world around the current folder, its preferences, its inbox, and what was interrupted."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from alive_p2p import files
from alive_p2p.api.doctor.check import Check, failed, note, ok, problem
from alive_p2p.api.looking import worlds
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.locks import lock_path, noted_locks
from alive_p2p.receiving.inbox import inbox_of, packages_in
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.registry import interrupted as interrupted_transactions
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world, walnuts_in

_SHOWN = 3


def world(runtime: Runtime) -> Iterator[Check]:
    """Whether the current folder lies in a world."""
    found = find_world(runtime.cwd)
    if found is not None:
        yield ok("world", f"'{found}'")
        return
    below = worlds(runtime.cwd)
    means = "the default settings count, and a new walnut needs `--target`"
    if below:
        yield note("world", f"you are not in a world; one is '{below[0]}'", means, f"cd {_q(below[0])}")
    else:
        make = "cd into your world; `mkdir .alive 03_Inbox` makes the current folder one"
        yield note("world", f"'{runtime.cwd}' is in no world", means, make)


def preferences(runtime: Runtime) -> Iterator[Check]:
    """Whether the world's preferences can be used."""
    found = find_world(runtime.cwd)
    if found is None:
        return
    try:
        read = load_preferences(found)
    except AliveP2PError as error:
        yield failed("preferences", error, "nothing can be shared or received here until that is mended")
        return
    for warning in read.warnings:
        yield note("preferences", warning, "it has no effect", f"edit {_q(read.path or found)}")
    path = read.signing_key_path
    if path is not None and not files.is_file(Path(path).expanduser()):
        what = f"there is no file '{path}' (`p2p.signing_key_path`)"
        yield problem("preferences", what, "nothing that is to be signed can be shared from here", "mend the path")
    elif not read.warnings:
        yield ok("preferences", f"'{read.path}'" if read.path is not None else "none, so the defaults count")


def inbox(runtime: Runtime) -> Iterator[Check]:
    """Packages that lie in the world's inbox."""
    found = find_world(runtime.cwd)
    if found is None:
        return
    try:
        packages = packages_in(inbox_of(found))
    except AliveP2PError as error:
        yield failed("inbox", error, "nothing that arrives is seen", f"chmod u+rwx {_q(inbox_of(found))}")
        return
    if packages:
        what = f"{len(packages):,} in the inbox: {_some([one.name for one in packages])}"
        yield note("inbox", what, "packages that were not received yet", "alive-p2p receive --inbox")
    else:
        yield ok("inbox", "nothing waits in it")


def interrupted(runtime: Runtime) -> Iterator[Check]:
    """What killed processes have left half done."""
    try:
        found = interrupted_transactions(runtime)
    except AliveP2PError as error:
        means = "whether something was left half done cannot be told"
        yield failed("interrupted", error, means, f"look at {_q(runtime.alive_home / 'transactions')}")
        return
    for action, target in found[:_SHOWN]:
        yield problem(
            "interrupted",
            f"{'an' if action[0] in 'aeiou' else 'a'} {action} in '{target}' did not come to its end",
            "it is finished or taken back before anything else is done there",
            f"alive-p2p recover {_q(target)}",
        )
    if len(found) > _SHOWN:
        what = f"{len(found) - _SHOWN:,} more did not come to their end"
        yield problem("interrupted", what, "they are finished or taken back", "alive-p2p recover")
    if not found:
        yield ok("interrupted", "nothing was left half done")


def locks(runtime: Runtime) -> Iterator[Check]:
    """Who holds a lock, and what is left of locks; those are in nobody's way."""
    try:
        found = noted_locks(runtime)
    except AliveP2PError as error:
        yield failed(
            "locks", error, "no walnut can be shared or received", f"chmod u+rwx {_q(runtime.alive_home / 'locks')}"
        )
        return
    names = _targets(runtime) if found else {}
    for path, holder, is_alive in found[:_SHOWN]:
        target = names.get(path)
        where = f"'{target}'" if target is not None else "a folder that is not here"
        if is_alive:
            what = f"process {holder.pid} works in {where} ({holder.action}, since {holder.since})"
            yield note(
                "locks", what, "whoever comes meanwhile has to wait", "--wait 60, with the command that has to wait"
            )
        else:
            what = f"a process that is gone has left its lock on {where} ({holder.action}, since {holder.since})"
            mend = None if target is None else f"alive-p2p unlock --walnut {_q(target)}"
            yield note("locks", what, "it is in nobody's way: the next command there takes it", mend)
    if not found:
        yield ok("locks", "nobody holds one")


def _targets(runtime: Runtime) -> dict[Path, Path]:
    """What lies around here, and what we have of our own, by its lock."""
    found = find_world(runtime.cwd)
    targets = [runtime.alive_home / "relay", Keyring.load(runtime).folder, runtime.cwd]
    targets += walnuts_in(found) if found is not None else []
    return {lock_path(target, runtime): target for target in targets}


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{name[:80]}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _q(path: Path) -> str:
    return shlex.quote(str(path))
