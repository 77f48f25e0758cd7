"""Running programs and taking their time: everybody in turn, each from the same quiet state."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.arithmetic import order

_LAUNCHER = Path(__file__).with_name("launcher.py")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""`ru_maxrss` is in bytes on macOS and in kibibytes elsewhere."""
_LONGEST_SECONDS = 3600
"""Whoever takes longer hangs, as far as a bench is concerned."""


class FailedError(Exception):
    """What was measured did not do what it was measured for."""


@dataclass(frozen=True)
class Ran:
    """How one program ran.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: of all processors, with everything it waited for.
        peak_bytes: the most memory that it, or the largest process it waited for, had.
        code: how it ended.
        output: what it said on standard output, where it was kept.
        problem: the end of what it said on standard error.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    code: int
    output: bytes = b""
    problem: str = ""


@dataclass(frozen=True)
class Contestant:
    """One of those who are compared in a case.

    Attributes:
        name: as in `bench.contestants`.
        command: what is run; a shell script is `["sh", "-ec", script]`.
        environ: all its environment.
        cwd: where it runs.
        prepare: makes the state it starts from; nobody's time.
        check: raises `FailedError` where it did not do its work; nobody's time.
        clean: removes what it made.
        codes: how it may end.
        keep_output: whether what it prints is kept.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path
    prepare: Callable[[], object] = lambda: None
    check: Callable[[Ran], object] = lambda _: None
    clean: Callable[[], object] = lambda: None
    codes: frozenset[int] = frozenset({0})
    keep_output: bool = False


@dataclass
class Contest:
    """What came of a case, round by round.

    Attributes:
        runs: for everybody who went through all rounds, each round in order.
        left_out: why somebody is missing.
    """

    runs: dict[str, list[Ran]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class Meter:
    """Measures, in a folder for what it needs on the way.

    Args:
        scratch: where its own small files go.
        pause_seconds: how long it waits after flushing the disk, before each run.
        say: what happens is told there.
    """

    def __init__(self, scratch: Path, pause_seconds: float, say: Callable[[str], object]) -> None:
        self._scratch = scratch
        self._pause = pause_seconds
        self._say = say

    def settle(self) -> None:
        """Flush everything and wait a moment, so that nobody pays for the pages that another one left dirty."""
        os.sync()
        time.sleep(self._pause)

    def run(self, contestant: Contestant) -> Ran:
        """Run one contestant once, and check what it did.

        Raises:
            FailedError: it ended otherwise than it may, or did not do its work.
        """
        contestant.prepare()
        try:
            self.settle()
            ran = self._start(contestant)
            if ran.code not in contestant.codes:
                raise FailedError(f"ended with {ran.code}: {ran.problem or 'without a word'}")
            contestant.check(ran)
            return ran
        finally:
            contestant.clean()

    def once(self, contestant: Contestant, take: Callable[[], Path]) -> Path:
        """Run a contestant for what it makes, without measuring; `take` gets it before it is removed.

        Raises:
            FailedError: as `run`.
        """
        contestant.prepare()
        try:
            ran = self._start(contestant)
            if ran.code not in contestant.codes:
                raise FailedError(f"ended with {ran.code}: {ran.problem or 'without a word'}")
            contestant.check(ran)
            return take()
        finally:
            contestant.clean()

    def contest(self, contestants: Sequence[Contestant], rounds: int, warm: int = 1) -> Contest:
        """Let everybody have a turn in every round, each round in another order.

        Who fails is left out from then on, and the case goes on without.

        Args:
            contestants: in the order of the first round.
            rounds: how many are counted.
            warm: how many before them are not.
        """
        by_name = {one.name: one for one in contestants}
        done = Contest({name: [] for name in by_name})
        for number in range(-warm, rounds):
            for name in order(list(by_name), number):
                if name in done.left_out:
                    continue
                try:
                    ran = self.run(by_name[name])
                except FailedError as problem:
                    done.left_out[name] = str(problem)
                    self._say(f"    {name} is left out: {problem}")
                    continue
                if number >= 0:
                    done.runs[name].append(ran)
        done.runs = {name: runs for name, runs in done.runs.items() if name not in done.left_out}
        return done

    def _start(self, contestant: Contestant) -> Ran:
        report, said, problem = (self._scratch / name for name in ("report", "stdout", "stderr"))
        report.unlink(missing_ok=True)
        command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(report), *contestant.command]
        with said.open("wb") as output, problem.open("wb") as error:
            process = subprocess.Popen(
                command,
                cwd=contestant.cwd,
                env=dict(contestant.environ),
                stdin=subprocess.DEVNULL,
                stdout=output if contestant.keep_output else subprocess.DEVNULL,
                stderr=error,
                start_new_session=True,
            )
            with ended_with_us(process):
                try:
                    process.wait(_LONGEST_SECONDS)
                except subprocess.TimeoutExpired:
                    stop(process)
                    raise FailedError(f"did not end within {_LONGEST_SECONDS:,} seconds") from None
        last = problem.read_bytes()[-2000:].decode("utf-8", "replace").strip().splitlines()[-3:]
        if not report.exists():
            raise FailedError(f"could not be started: {' '.join(last)}")
        seconds, cpu, peak, code = report.read_text(encoding="ascii").split()
        return Ran(float(seconds), float(cpu), int(peak) * _RSS_UNIT, int(code), said.read_bytes(), " / ".join(last))


@contextlib.contextmanager
def ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever stops us stops the process, and those it has started."""
    try:
        yield
    except BaseException:
        stop(process)
        raise


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the leader of a group and everybody in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def remove(*paths: Path) -> None:
    """Remove files and folders, as far as they are there."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
