"""Measures this program beside the standard tools (docs/performance.md).

    python -m bench.run                              # everything; takes hours
    python -m bench.run --quick                      # a few rounds of smaller things
    python -m bench.run create receive               # some parts

`ALIVE_P2P_BEFORE` names the executable of another build, `ALIVE_P2P_PEER` the script of another implementation of the
format; both are measured in the same run. Everything happens in one temporary folder, with homes of its own.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from bench import bombs, growth, machine, memory, relays, report, roads, startup, tables
from bench.bench import FULL, QUICK, Bench
from bench.contestants import OURS, Stage, found
from bench.corpora import SEED
from bench.measuring import FailedError, Meter
from bench.results import Case

ROOT = Path(__file__).resolve().parent.parent

PAGE = ROOT / "docs" / "performance.md"

Part = Callable[[Bench], Iterator[Case]]

PARTS: Mapping[str, Part] = {
    "create": roads.create,
    "receive": roads.receive,
    "verify": roads.verify,
    "info": roads.info,
    "startup": startup.startup,
    "memory": memory.memory,
    "bombs": bombs.bombs,
    "relay": relays.relay,
    "growth": growth.growth,
}
"""The parts in the order in which they run."""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure_part(bench: Bench, name: str) -> dict[str, Any]:
    """Run a part; what came of it, as JSON. What it did not get to is missing there, and told at the end."""
    began = time.monotonic()
    cases = []
    try:
        for case in PARTS[name](bench):
            cases.append(case.document)
            if OURS in case.left_out:
                bench.failed.append(f"{name} {case.name} {case.variant}".strip())
    except FailedError as problem:
        bench.failed.append(f"{name}, which was not finished: {problem}")
    _say("")
    if cases:
        _say(tables.plain(tables.rows(cases)))
    _say("")
    return {
        "mode": bench.scale.mode,
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "took_seconds": round(time.monotonic() - began),
        "cases": cases,
    }


def merged(old: Mapping[str, Any] | None, here: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """New parts in place of older ones; those that were not measured now stay, of the same machine and as thorough."""
    is_alike = old is not None and old.get("machine") == here and old.get("seed") == SEED
    modes = {part["mode"] for part in parts.values()}
    kept = {name: part for name, part in old["parts"].items() if part["mode"] in modes} if old and is_alike else {}
    together = {**kept, **parts}
    return {
        "version": 1,
        "seed": SEED,
        "machine": dict(here),
        "parts": {name: together[name] for name in PARTS if name in together},
    }


def write(results: Path, here: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what was measured."""
    old = json.loads(results.read_text(encoding="utf-8")) if results.exists() else None
    document = merged(old, here, parts)
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return document


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Measure what the command line names; 1 where this program failed at something."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure alive-p2p beside standard tools.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a few rounds, and nothing that takes long")
    parser.add_argument("--rounds", type=int, help="how many rounds of every case instead")
    parser.add_argument("--pause", type=float, help="seconds of quiet before each run (0.3; 0.05 with --quick)")
    parser.add_argument("--walnuts", default="ABCD", help="which of the four are packed and received (ABCD)")
    parser.add_argument("--out", type=Path, help="where results go (docs/bench; build/bench with --quick)")
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - PARTS.keys()):
        parser.error(f"there is no part {', '.join(unknown)}")
    if not hasattr(os, "wait4"):
        _say("the bench needs a POSIX system: it asks for the peak memory of what it runs")
        return 1
    chosen = [name for name in PARTS if not options.parts or name in options.parts]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        root = Path(tempfile.mkdtemp(prefix="alive-bench-", dir=os.environ.get("BENCH_DIR") or None))
    except OSError as problem:
        _say(f"error: there is no place to work in: {problem.strerror}; BENCH_DIR names one")
        return 1
    try:
        return _measure(root, chosen, options)
    except FailedError as problem:
        _say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        _sweep(root)
        _say("stopped; nothing is left behind, and the parts that were finished are kept")
        return 130
    finally:
        _sweep(root)


def _measure(root: Path, chosen: list[str], options: argparse.Namespace) -> int:
    scale = QUICK if options.quick else FULL
    if options.rounds:
        from dataclasses import replace

        scale = replace(
            scale, rounds=options.rounds, many_rounds=options.rounds, few_rounds=min(options.rounds, scale.few_rounds)
        )
    out = options.out or ROOT / ("build/bench" if options.quick else "docs/bench")
    pause = options.pause if options.pause is not None else 0.05 if options.quick else 0.3
    here = machine.described(root)
    for name in machine.missing():
        _say(f"{name} is not installed here: what needs it is left out")
    stage = Stage(root, found(os.environ))
    bench = Bench(stage, Meter(stage.scratch, pause, _say), scale, _say, options.walnuts)
    for name in chosen:
        _say(f"{name} ({scale.mode})")
        document = write(out / "results.json", here, {name: measure_part(bench, name)})
        report.write(_page(out), PAGE, out, document)
    _tell(document)
    _say(f"written to {_shown(out)}")
    for failure in bench.failed:
        _say(f"error: this program failed at: {failure}")
    return 1 if bench.failed else 0


def _sweep(root: Path) -> None:
    """Remove the folder, whoever interrupts; what was just killed may still be ending, and writing."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(20):
        shutil.rmtree(root, ignore_errors=True)
        if not root.exists():
            return
        time.sleep(0.1)
    shutil.rmtree(root)


def _page(out: Path) -> Path:
    """The page beside the project's other pages, or beside the results where those go elsewhere."""
    return PAGE if out.resolve() == PAGE.parent / "bench" else out / PAGE.name


def _tell(document: Mapping[str, Any]) -> None:
    _say(tables.plain(report.bar_rows(document)))
    _say("")


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
