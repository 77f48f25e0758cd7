"""Runs targets with atheris, which follows what each input reaches in the code.

    python -m fuzz.run                              # every target for a minute
    python -m fuzz.run globs ledger --seconds 600
    python -m fuzz.run --runs 1000000 globs
    python -m fuzz.run globs --input FILE           # one input, without atheris

What was found interesting goes on from run to run in `.fuzz/<target>/corpus`; an input that ended a run is put into
`.fuzz/<target>/found`, and every run has a line in `.fuzz/record.tsv`. An input over which a target is silent for a
second, or uses more than a gibibyte, ends the run as an exception does.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fuzz.surroundings import fast_place
from fuzz.targets import REGRESSIONS, SEEDS, TARGETS

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".fuzz"
RECORD = WORK / "record.tsv"

SILENCE_SECONDS = 1
"""How long one input may take (bars.md §2)."""
MEMORY_MIB = 1024
_GRACE_SECONDS = 120
"""For loading, for reading the corpus, and for a machine that has other things to do."""


@dataclass(frozen=True)
class Run:
    """How a run of one target ended.

    Attributes:
        target: its name.
        executions: how many inputs were tried.
        seconds: the time that was given, or None where the number of runs was.
        is_clean: whether nothing was found.
        log: where all that was said is.
    """

    target: str
    executions: int
    seconds: int | None
    is_clean: bool
    log: Path


def run(target: str, seconds: int | None, runs: int | None) -> Run:
    """Fuzz one target in a process of its own."""
    folder = WORK / target
    corpus, found = folder / "corpus", folder / "found"
    for one in (corpus, found):
        one.mkdir(parents=True, exist_ok=True)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[target].words))
    options = [
        f"-dict={words}",
        f"-max_len={TARGETS[target].max_length}",
        f"-timeout={SILENCE_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        *([f"-runs={runs}"] if runs is not None else []),
    ]
    kept = [str(place / target) for place in (SEEDS, REGRESSIONS) if (place / target).is_dir()]
    command = [sys.executable, "-m", "fuzz.guided", target, *options, str(corpus), *kept]
    log = folder / "log"
    until = None if seconds is None else time.monotonic() + seconds
    executions, is_clean, goes_on = 0, True, True
    while goes_on:
        left = None if until is None else max(round(until - time.monotonic()), 1)
        timed = [*command, *([f"-max_total_time={left}"] if left is not None else [])]
        with tempfile.TemporaryDirectory(prefix="alive-fuzz-", dir=fast_place()) as own, log.open("wb") as output:
            code = _watched(timed, output.fileno(), {**os.environ, "TMPDIR": own}, left)
        executions += _executions(log.read_text("utf-8", "replace"))
        is_clean = code == 0
        goes_on = not is_clean and _only_waited(target, found) and (until is None or time.monotonic() < until)
    done = Run(target, executions, seconds, is_clean, log)
    with RECORD.open("a") as record:
        ended = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record.write(f"{ended}\t{target}\t{executions}\t{seconds or ''}\t{'clean' if done.is_clean else 'found'}\n")
    return done


def _only_waited(target: str, found: Path) -> bool:
    """Whether all that was found are inputs that are slow only because the machine was busy; those are removed."""
    slow = set(found.glob("timeout-*"))
    for path in slow:
        seconds = []
        for _ in range(3):
            command = [sys.executable, "-m", "fuzz.run", target, "--input", str(path)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            took = re.search(r"in ([0-9.]+) s", done.stdout)
            seconds.append(float(took[1]) if took else SILENCE_SECONDS)
        if min(seconds) < SILENCE_SECONDS / 2:
            path.unlink()
    return bool(slow) and not any(found.iterdir())


def _watched(command: list[str], output: int, environ: dict[str, str], seconds: int | None) -> int:
    """Run a command to its end, or end it where it does not by itself."""
    limit = None if seconds is None else seconds + _GRACE_SECONDS
    try:
        return subprocess.run(
            command, stdout=output, stderr=output, cwd=ROOT, env=environ, timeout=limit, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return 1


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}" for byte in word)


def _executions(log: str) -> int:
    """How many inputs were tried: the last number that libFuzzer said."""
    told = re.findall(r"(?:number_of_executed_units: |^#)(\d+)", log, re.MULTILINE)
    return max(map(int, told), default=0)


def _reports(runs: Iterator[Run]) -> Iterator[Run]:
    for done in runs:
        outcome = "clean" if done.is_clean else f"FOUND SOMETHING, see {done.log.relative_to(ROOT)}"
        _say(f"{done.target:20} {done.executions:>12,} executions   {outcome}")
        yield done


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line names; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description="Coverage-guided fuzzing.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one or more of: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, help="how long for each target (60, unless --runs is given)")
    parser.add_argument("--runs", type=int, help="how many inputs for each target")
    parser.add_argument("--jobs", type=int, default=1, help="how many targets at a time")
    parser.add_argument("--input", type=Path, help="run one target with this input only, without atheris")
    options = parser.parse_args()
    chosen = options.targets or list(TARGETS)
    if unknown := sorted(set(chosen) - TARGETS.keys()):
        parser.error(f"there is no target {', '.join(unknown)}")
    if options.input is not None:
        if len(chosen) != 1:
            parser.error("--input needs one target")
        began = time.monotonic()
        taken = TARGETS[chosen[0]].take(options.input.read_bytes())
        _say(f"{'taken' if taken else 'refused'} in {time.monotonic() - began:.3f} s")
        return 0
    if importlib.util.find_spec("atheris") is None:
        _say("atheris is not installed here, and has no wheels for every Python: `pip install -e '.[fuzz]'`")
        _say("the short forms run without it: `pytest tests/fuzz`")
        return 1
    seconds = options.seconds if options.seconds is not None or options.runs is not None else 60
    with ThreadPoolExecutor(max_workers=max(options.jobs, 1)) as pool:
        done = list(_reports(pool.map(lambda target: run(target, seconds, options.runs), chosen)))
    found = [one.target for one in done if not one.is_clean]
    _say(f"{sum(one.executions for one in done):,} executions, {len(found)} targets with findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
