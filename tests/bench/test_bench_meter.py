"""Taking the time of programs: everybody in turn, and nothing is left when it is stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.measuring import Contestant, FailedError, Meter, Ran

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the bench needs a POSIX system")

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Meter:
    monkeypatch.setattr(os, "sync", lambda: None)  # other tests write
    return Meter(tmp_path, 0, lambda _: None)


def shell(name: str, script: str, place: Path, **more: object) -> Contestant:
    return Contestant(name, ["sh", "-ec", script], ENVIRON, place, **more)  # type: ignore[arg-type]


def test_turns_alternate_and_each_is_prepared_and_cleaned(meter: Meter, tmp_path: Path) -> None:
    """What is made before and removed after belongs to nobody; a round to warm up does not count."""
    happened: list[str] = []

    def one(name: str) -> Contestant:
        return shell(
            name,
            f"echo {name}",
            tmp_path,
            prepare=lambda: happened.append(f"prepare {name}"),
            check=lambda ran: happened.append(ran.output.decode().strip()),
            clean=lambda: happened.append(f"clean {name}"),
            keep_output=True,
        )

    done = meter.contest([one("a"), one("b")], rounds=2, warm=1)
    turns = [name for first in ("ba", "ab", "ba") for name in first]
    assert happened == [line for name in turns for line in (f"prepare {name}", name, f"clean {name}")]
    assert {name: len(runs) for name, runs in done.runs.items()} == {"a": 2, "b": 2}


def test_who_fails_is_left_out_with_a_reason(meter: Meter, tmp_path: Path) -> None:
    """The others go on; nothing is compared with half a contest."""

    def refuse(_: Ran) -> None:
        raise FailedError("wrote no package")

    contestants = [
        shell("good", "true", tmp_path),
        shell("bad", "echo it broke >&2; exit 3", tmp_path),
        shell("idle", "true", tmp_path, check=refuse),
        Contestant("absent", ["there-is-no-such-program"], ENVIRON, tmp_path),
    ]
    done = meter.contest(contestants, rounds=2)
    assert list(done.runs) == ["good"]
    assert done.left_out["bad"] == "ended with 3: it broke"
    assert done.left_out["idle"] == "wrote no package"
    assert done.left_out["absent"].startswith("could not be started")


@pytest.mark.skipif(sys.platform != "linux", reason="that a child inherits its parent's maximum is Linux's own")
def test_memory_is_that_of_the_program_and_not_of_the_bench(meter: Meter, tmp_path: Path) -> None:
    """However much we have held ourselves."""
    held = bytearray(200 << 20)
    held[::4096] = b"x" * len(held[::4096])
    small = meter.run(shell("small", "true", tmp_path)).peak_bytes
    code = "x = bytearray(64 << 20); x[::4096] = b'x' * len(x[::4096])"
    large = meter.run(Contestant("large", [sys.executable, "-c", code], ENVIRON, tmp_path)).peak_bytes
    assert small < 32 << 20
    assert 64 << 20 < large < 128 << 20
    del held


def test_nothing_stays_when_it_is_stopped(tmp_path: Path) -> None:
    """Neither its folder nor a program it has started."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BENCH_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "bench.run", "--quick", "--out", str(tmp_path / "out"), "startup"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) as bench:
        while not list(tmp_path.glob("alive-bench-*/homes")):
            assert bench.poll() is None, "it ended by itself"
            time.sleep(0.01)
        bench.send_signal(signal.SIGTERM)
        said, _ = bench.communicate(timeout=60)
    assert bench.returncode == 130
    assert b"nothing is left behind" in said
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_what_was_started(meter: Meter, tmp_path: Path) -> None:
    """A whole pipeline, not only its shell."""
    before = signal.getsignal(signal.SIGALRM)

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1)
        with pytest.raises(KeyboardInterrupt):
            meter.run(shell("long", f"echo $$ > {tmp_path}/pid; sleep 60 | sleep 60", tmp_path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    group = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the pipeline is still there")
