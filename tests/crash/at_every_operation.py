"""Disturbs one kind of receive at every durable operation, one after the other; prints what went wrong as JSON.

A process of its own with a single thread, so that it can fork:
`python at_every_operation.py SCENARIO WAY FOLDER [once] [thread]`; with `once`, recovery is not disturbed as well, and
with `thread` files are made by one of their own, as it is where there are many.
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.package import making
from alive_p2p.transactions.recovery import settle
from crash.scenarios import MADE_HERE, SCENARIOS, Place, Prepared

MOST = 400
"""No receive of these scenarios has more operations; more would mean that it does not end."""

Disturbance = Callable[[], None]


def kill() -> None:
    """End the process as `kill -9` does: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def failing(code: int) -> Disturbance:
    """The system refuses."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    return fail


WAYS: dict[str, tuple[Disturbance, bool]] = {
    "kill": (kill, False),
    "EIO": (failing(errno.EIO), False),
    "ENOSPC-for-good": (failing(errno.ENOSPC), True),
    "EACCES-for-good": (failing(errno.EACCES), True),
}
"""By name: what happens at the operation, and whether at every later one as well."""


WARNED = 3
"""The exit code of a child that did what it was to do, and warned."""


def disturbed(run: Callable[[], object], at: int, way: str) -> tuple[bool, int]:
    """Run something in a child process that is disturbed at its `at`-th operation.

    Returns:
        Whether it came that far, and its exit code.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _in_child(run, at, way, write)
    os.close(write)
    reached = os.read(read, 1) == b"!"
    os.close(read)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1, WARNED, -signal.SIGKILL):
        raise AssertionError(f"ended with {code}")
    return reached, code


def _in_child(run: Callable[[], object], at: int, way: str, report: int) -> None:
    disturb, for_good = WAYS[way]
    count = 0

    def watcher(_operation: str, _paths: tuple[Path, ...]) -> None:
        nonlocal count
        count += 1
        if count == at or (for_good and count > at):
            if count == at:
                os.write(report, b"!")
            disturb()

    files.watch(watcher)
    try:
        result = run()
    except AliveP2PError:
        os._exit(1)
    except BaseException:  # noqa: BLE001  (the parent reads it)
        import traceback

        traceback.print_exc()
        os._exit(70)
    os._exit(WARNED if result == "warn" else 0)


def check(place: Place, ends: dict[str, dict[str, str]], *, is_warned: bool = False) -> None:
    """Before recovery a new walnut is absent or complete; afterwards everything is old or new, and stays so.

    With a warning, what is recorded of the receive (log, ledger, projection) may lack it, each on its own.
    """
    if is_warned:
        _check_warned(place, ends)
        return
    if not all(ends.values()) and place.state() not in ends.values():
        raise AssertionError(f"a walnut that comes or goes is neither absent nor complete: {sorted(place.state())}")
    settle(place.runtime())
    if place.state() not in ends.values():
        raise AssertionError(_difference(place.state(), ends))
    if left := place.left_over():
        raise AssertionError(f"left over: {left}")
    if settle(place.runtime()):
        raise AssertionError("a second recovery finds something")
    if not place.is_undo or place.state() == ends["old"]:
        place.act()
    if place.state() != ends["new"]:
        raise AssertionError("done again: " + _difference(place.state(), ends))
    if left := place.left_over():
        raise AssertionError(f"left over the second time: {left}")


def _check_warned(place: Place, ends: dict[str, dict[str, str]]) -> None:
    settle(place.runtime())
    state, new = place.state(), ends["new"]
    wrong = [path for path in {*state, *new} if state.get(path) != new.get(path) and not path.startswith(MADE_HERE)]
    if wrong:
        raise AssertionError(f"with a warning: {sorted(wrong)}")
    if place.is_logged_twice():
        raise AssertionError("with a warning: the log has the entry twice")
    if left := place.left_over():
        raise AssertionError(f"left over, with a warning: {left}")


def _difference(state: dict[str, str], ends: dict[str, dict[str, str]]) -> str:
    told = []
    for name, end in ends.items():
        wrong = sorted(path for path in {*state, *end} if state.get(path) != end.get(path))
        told.append(f"not {name}: {wrong}")
    return "; ".join(told)


def ends_of(prepared: Prepared, root: Path) -> dict[str, dict[str, str]]:
    """The two states that there may be."""
    place = prepared.begin(root)
    old = place.state()
    place.act()
    return {"old": old, "new": place.state()}


def main(name: str, way: str, folder: Path, *, once: bool) -> dict[str, object]:
    """Disturb at every operation; and where it was killed half-way, kill the recovery at every operation too."""
    prepared = SCENARIOS[name].prepare(folder / "made")
    root = folder / "run"
    ends = ends_of(prepared, root)
    failures: list[str] = []
    points = recoveries = 0
    for at in range(1, MOST):
        place = prepared.begin(root)
        reached, code = disturbed(place.act, at, way)
        if not reached:
            break
        points += 1
        try:
            check(place, ends, is_warned=code == WARNED)
        except (AssertionError, AliveP2PError) as error:
            failures.append(f"at operation {at}: {error}")
        for again in range(1, MOST if way == "kill" and not once else 1):
            place = prepared.begin(root)
            disturbed(place.act, at, way)
            if not disturbed(lambda: settle(place.runtime()), again, way)[0]:  # noqa: B023
                break
            recoveries += 1
            try:
                check(place, ends)
            except (AssertionError, AliveP2PError) as error:
                failures.append(f"at operation {at}, recovery killed at {again}: {error}")
    else:
        failures.append("it does not end")
    return {"points": points, "recoveries": recoveries, "failures": failures}


if __name__ == "__main__":
    if "thread" in sys.argv:
        making.WORTH_A_THREAD = 1
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), once="once" in sys.argv)))
