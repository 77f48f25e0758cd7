"""The installed program, killed or refused by the system at any one of its system calls on files.

Beneath the seam that `at_every_operation` uses: also what Python itself does between two of our operations, such as
removing a tree file by file, is a place to be killed at.
"""

import errno
import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crash import strace
from crash.scenarios import ENVIRON, MADE_HERE, SCENARIOS, Place, Prepared

WAYS = ("kill", "EIO", "ENOSPC", "EACCES")
"""What happens at a call: the process is killed before it, or the system refuses it."""

_ATTEMPTS = 3


@contextmanager
def quick_folder(otherwise: Path) -> Iterator[Path]:
    """A folder on a disk in memory, where there is one: being killed takes nothing away from any disk.

    Thousands of runs wait for the real disk otherwise, and for whatever else is being written to it.
    """
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix="alive-p2p-crash-", dir=memory) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Point:
    """A call to be disturbed at: its name, its `when`, and what it is about, the same in every run."""

    name: str
    number: int
    about: str
    occurrence: int


@dataclass
class Report:
    """What came of disturbing one scenario."""

    points: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


PARTIAL_PROJECTION = "new, with a projection that lacks what could not be read"
"""A projection takes what it cannot read for absent; it is made anew by every later change."""


class Subject:
    """One kind of receive, done by the installed program as often as needed.

    Args:
        program: the installed console script.
        name: of the scenario.
        folder: where there is room.
        is_first: whether this home has never received anything.
    """

    def __init__(self, program: str, name: str, folder: Path, *, is_first: bool = True) -> None:
        self.program = program
        self.is_first = is_first
        self.prepared: Prepared = SCENARIOS[name].prepare(folder / "made")
        self.root = folder / "run"
        self.place = self.begin()
        old = self.place.state()
        self.trace = self.traced()
        if self.trace.code != 0:
            raise AssertionError(f"not even undisturbed: {self.trace.errors}")
        self.ends = {"old": old, "new": self.place.state()}
        self._converged: set[str] = set()

    def begin(self) -> Place:
        """A fresh place."""
        self.place = self.prepared.begin(self.root)
        if not self.is_first:
            for name in ("transactions", "locks"):
                (self.place.home / ".alive" / name).mkdir(mode=0o700, parents=True)
        return self.place

    @property
    def environ(self) -> dict[str, str]:
        """All that the program is told of its surroundings."""
        return {
            **ENVIRON,
            "HOME": str(self.place.home),
            "PATH": os.environ.get("PATH", ""),
            "PYTHONDONTWRITEBYTECODE": "1",  # nor may the number of calls depend on who ran it before
            "PYTHONHASHSEED": "0",
        }

    def traced(
        self,
        *inject: str,
        arguments: Sequence[str] | None = None,
        calls: Sequence[str] = strace.CALLS,
        data: int = 0,
    ) -> strace.Ended:
        """Receive, or whatever the arguments say, traced."""
        command = [self.program, *(self.place.arguments() if arguments is None else arguments)]
        return strace.run(command, self.environ, self.root, inject=inject, calls=calls, data=data)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program undisturbed."""
        return subprocess.run(
            [self.program, *arguments],
            env=self.environ,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def points(self, way: str) -> list[Point]:
        """Where it can be disturbed: every call on something below the root.

        To be killed before reading leaves nothing but what being killed before the next change leaves; so that is
        only a point for the other ways.
        """
        return _points(self.trace, self.root, is_kill=way == "kill")

    # -- one point ---------------------------------------------------------------------------------------------

    def disturb(self, point: Point, way: str) -> str:
        """Disturb at one point and look at all that has to hold; says what came of it.

        Raises:
            AssertionError: something does not hold.
        """
        ended = self.hit(point, way)
        if way == "kill":
            if ended.code != -signal.SIGKILL:
                raise AssertionError(f"it was to be killed, and ended with {ended.code}")
            return self._check_killed()
        return self._check_refused(ended, way)

    def _is_read_refused(self, ended: strace.Ended) -> bool:
        return not any(call.was_injected and call.may_write for call in ended.calls)

    def hit(self, point: Point, way: str) -> strace.Ended:
        """Receive from the beginning, disturbed at this call and no other."""
        for _ in range(_ATTEMPTS):
            self.begin()
            how = "signal=SIGKILL" if way == "kill" else f"error={way}"
            ended = self.traced(f"{point.name}:{how}:when={point.number}")
            reached = [call for call in ended.calls if (call.name, call.number) == (point.name, point.number)]
            if reached and reached[0].describe(self.root) == point.about:
                return ended
            # The program itself has changed since the calls were counted: somebody is working on it.
            self.begin()
            self.trace = self.traced()
            again = [one for one in self.points(way) if (one.about, one.occurrence) == (point.about, point.occurrence)]
            if not again:
                raise AssertionError("the program does not make this call any more")
            point = again[0]
        raise AssertionError("the program makes other calls every time")

    def _check_killed(self) -> str:
        """Before recovery a new walnut is absent or complete; afterwards it is old or new, and stays so."""
        self._expect_whole_if_new()
        recovered = self.run("recover")
        if recovered.returncode != 0:
            raise AssertionError(f"recover ended with {recovered.returncode}: {recovered.stderr}")
        outcome = self._expect_end("after recovery")
        self._expect_agreement()
        before = fingerprint(self.root)
        again = self.run("recover")
        if again.returncode != 0 or again.stdout != "nothing was interrupted\n":
            raise AssertionError(f"a second recovery finds something: {again.stdout}{again.stderr}")
        if fingerprint(self.root) != before:
            raise AssertionError("a second recovery changes something")
        self._expect_nothing_left()
        self._receive_again()
        return outcome

    def _check_refused(self, ended: strace.Ended, way: str) -> str:
        """It says what happened in our words, and what it says is so; what could not be tidied up is by `recover`."""
        if ended.code not in {0, 1}:
            raise AssertionError(f"it ended with {ended.code}: {ended.errors}")
        if "Traceback" in ended.errors or "internal error" in ended.errors:
            raise AssertionError(f"not one of our messages: {ended.errors}")
        if ended.code == 1 and not ended.errors.startswith("error: "):
            raise AssertionError(f"it failed without saying so: {ended.errors!r}")
        if os.strerror(getattr(errno, way)) in ended.errors:
            raise AssertionError(f"the system's words are not ours: {ended.errors}")
        if ended.code == 0:
            return self._check_done(ended)
        self._expect_whole_if_new()
        if "could not be put back" not in ended.errors:
            outcome = self._expect_end("after an error")
            if "nothing was changed" in ended.errors and outcome != "old":
                raise AssertionError(f"it says that nothing was changed: {ended.errors}")
        if self.place.left_over():
            recovered = self.run("recover")
            if recovered.returncode != 0:
                raise AssertionError(f"recover ended with {recovered.returncode}: {recovered.stderr}")
        outcome = self._expect_end("after recovery")
        self._expect_agreement()
        self._expect_nothing_left()
        self._receive_again()
        return f"{outcome}, refused"

    def _check_done(self, ended: strace.Ended) -> str:
        """It is new; with a warning, but for what records the receive."""
        is_warned = "warning: " in ended.errors
        state, new = self.place.state(), self.ends["new"]
        wrong = sorted(path for path in {*state, *new} if state.get(path) != new.get(path))
        if is_warned:
            wrong = [path for path in wrong if not path.startswith(MADE_HERE)]
        if wrong == ["_kernel/now.json"] and self._is_read_refused(ended):
            return PARTIAL_PROJECTION
        if wrong:
            raise AssertionError(f"it says it is done, and is not: {wrong}; {ended.errors}")
        if self.place.is_logged_twice():
            raise AssertionError("the log has the entry twice")
        if self.place.left_over():
            recovered = self.run("recover")
            if recovered.returncode != 0:
                raise AssertionError(f"recover ended with {recovered.returncode}: {recovered.stderr}")
        self._expect_nothing_left()
        if not is_warned:
            self._expect_end("after recovery")
            self._receive_again()
        return "new, with a warning" if is_warned else "new, done"

    # -- what has to hold --------------------------------------------------------------------------------------

    def _expect_whole_if_new(self) -> None:
        if not all(self.ends.values()) and self.place.state() not in self.ends.values():
            raise AssertionError(
                f"a walnut that comes or goes is neither absent nor complete: {sorted(self.place.state())}"
            )

    def _expect_end(self, when: str) -> str:
        state = self.place.state()
        told = []
        for name, end in self.ends.items():
            wrong = sorted(path for path in {*state, *end} if state.get(path) != end.get(path))
            if not wrong:
                return name
            told.append(f"not {name}: {wrong}")
        raise AssertionError(f"{when}: {'; '.join(told)}")

    def _expect_agreement(self) -> None:
        """The log has the entry exactly once if the ledger has it, and not at all if it has not."""
        ledger = self.place.walnut / "_kernel" / "imports.json"
        entries = 0
        if ledger.is_file() and ledger.read_bytes().startswith(b"{\n"):
            entries = len(json.loads(ledger.read_bytes())["imports"])
        if self._times_in_log() != entries:
            raise AssertionError(f"the log has {self._times_in_log()} entries, the ledger {entries}")

    def _times_in_log(self) -> int:
        log = self.place.walnut / "_kernel" / "log.md"
        data = log.read_bytes() if log.is_file() else b""
        return data.count(b"Imported package") - data.count(b"Took back")

    def _expect_nothing_left(self) -> None:
        if left := self.place.left_over():
            raise AssertionError(f"left over: {left}")

    def _receive_again(self) -> None:
        """It ends in new; tried once from each state, for it depends on nothing else."""
        here = hashlib.sha256(repr((sorted(self.place.state().items()), sorted(self._beside()))).encode()).hexdigest()
        if here in self._converged:
            return
        if self.place.is_undo and self.place.state() == self.ends["new"]:
            return  # it would take back the one before
        again = self.run(*self.place.arguments())
        if again.returncode != 0:
            raise AssertionError(f"received again: {again.returncode}, {again.stderr}")
        if self._expect_end("received again") != "new":
            raise AssertionError("received again, and it is as before")
        self._expect_nothing_left()
        self._converged.add(here)

    def _beside(self) -> list[tuple[str, int]]:
        """What there is besides the walnut, with its sizes."""
        found = [path for path in self.root.rglob("*") if not path.is_relative_to(self.place.walnut)]
        return [(str(path), path.stat().st_size if path.is_file() else 0) for path in found]


def disturb_all(subject: Subject, way: str, points: Sequence[Point]) -> Report:
    """Disturb at each of these points, and gather what did not hold."""
    report = Report()
    for point in points:
        report.points += 1
        try:
            report.outcomes[subject.disturb(point, way)] += 1
        except AssertionError as error:
            report.failures.append(f"{way} at {point.about} (number {point.occurrence} of these): {error}")
    return report


def sample(points: Sequence[Point], count: int) -> list[Point]:
    """That many points, evenly spread, the first and the last among them."""
    if len(points) <= count:
        return list(points)
    return [points[round(index * (len(points) - 1) / (count - 1))] for index in range(count)]


def fingerprint(root: Path) -> str:
    """A hash over everything below a folder: names, kinds, permissions, contents."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        digest.update(repr((str(path), path.lstat().st_mode, data)).encode())
    return digest.hexdigest()


def _points(trace: strace.Ended, root: Path, *, is_kill: bool) -> list[Point]:
    seen: Counter[str] = Counter()
    found = []
    for call in trace.calls:
        if not call.is_below(root) or (is_kill and not call.may_write):
            continue
        about = call.describe(root)
        seen[about] += 1
        found.append(Point(call.name, call.number, about, seen[about]))
    return found
