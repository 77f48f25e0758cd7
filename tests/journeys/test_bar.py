"""Progress: seen where something takes long and somebody looks, and nowhere else."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.cli.bar import Bar
from alive_p2p.cli.screen import Screen
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import plan_share, share
from alive_p2p.sharing.plan import ShareRequest
from worlds import NOVA, plant

Run = Callable[..., Any]
ON_THE_SPOT = """
import sys
from alive_p2p.cli import bar
bar._AFTER, bar._EVERY = 0.0, 0.001
from alive_p2p.cli.program import main
sys.exit(main(sys.argv[1:]))
"""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    """Keeps what was written, and knows what stands in the last line."""

    encoding = "utf-8"

    @property
    def line(self) -> str:
        """What a person sees in the last line now."""
        return re.split(r"\r(?:\x1b\[2K)?", self.getvalue())[-1].split("\n")[-1]


def make(columns: int = 80, *, encoding: str = "utf-8") -> tuple[Bar, Terminal, Clock]:
    stream, clock = Terminal(), Clock()
    stream.encoding = encoding
    return Bar("packing", stream, clock, columns), stream, clock


def test_what_is_quick_shows_nothing() -> None:
    """Nothing is written before half a second has gone."""
    bar, stream, clock = make()
    for percent in range(100):
        clock.seconds = percent * 0.0049
        bar(percent, 100)
    bar(100, 100)
    bar.clear()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("columns", [20, 24, 60, 80, 200])
def test_a_bar_stays_in_its_line(columns: int) -> None:
    """It fits, grows, and is gone at the end; where there is no room there is none."""
    bar, stream, clock = make(columns)
    clock.seconds = 1.0
    seen = []
    for done in range(0, 101, 5):
        bar(done, 100)
        seen.append(stream.line)
    assert seen[-1] == ""
    assert all(len(line) < columns for line in seen)
    filled = [line.count("█") for line in seen[:-1]]
    assert filled == sorted(filled)
    assert (filled[-1] > 0) is (columns >= 24)


def test_a_terminal_without_blocks_gets_signs() -> None:
    """What the encoding cannot hold is not written as escapes."""
    bar, stream, clock = make(encoding="ascii")
    clock.seconds = 1.0
    bar(50, 100)
    assert stream.line == "packing ###############...............  50 %"


def test_what_is_written_meanwhile_stands_alone() -> None:
    """While something else is written or asked there is no bar, however often it is called; then it comes back."""
    bar, stream, clock = make()
    clock.seconds = 1.0
    bar(10, 100)
    with bar.hidden():
        assert stream.line == ""
        stream.write("receive it? [y/N] y\n")
    bar(11, 100)
    assert "\n\rpacking" in stream.getvalue()
    bar.clear()
    assert stream.line == ""


def test_one_piece_of_work_after_another_is_counted_anew() -> None:
    """At 100 % the bar goes; the next count begins at the beginning."""
    bar, stream, clock = make()
    clock.seconds = 1.0
    bar(100, 100)
    assert stream.line == ""
    bar(3, 100)
    assert stream.line.endswith("  3 %")


def test_a_terminal_that_has_gone_stops_nothing() -> None:
    """The work goes on."""
    bar, stream, clock = make()
    clock.seconds = 1.0
    stream.close()
    bar(10, 100)
    with bar:
        pass


def test_work_inside_of_work_goes_on_with_its_bar() -> None:
    """There is never more than one bar, and it is gone only when the outer piece of work is done."""
    stream = Terminal()
    screen = Screen(
        Runtime(environ={}, cwd=Path()),
        as_json=False,
        quiet=False,
        debug=False,
        out=stream,
        err=stream,
        colour=False,
        is_interactive=False,
        has_bar=True,
    )
    with screen.working("outer") as outer:
        with screen.working("inner") as inner:
            assert inner is outer
        assert screen.progress("other") is outer
        screen.say("a line")
    assert stream.getvalue().endswith("a line\n")
    assert screen.progress("after") is not outer


def test_reading_and_writing_are_both_counted(tmp_path: Path, runtime: Runtime) -> None:
    """A share tells how far it is while it reads everything, and once more while it writes."""
    request = ShareRequest(walnut=plant(tmp_path / "nova", NOVA), scope="full")
    told: list[tuple[int, int]] = []
    plan = plan_share(request, runtime, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == sum(total for _, total in told[-1:])
    reading = len(told)
    told.clear()
    share(
        request,
        runtime,
        agreed=True,
        output=tmp_path / "p.walnut",
        progress=lambda done, total: told.append((done, total)),
    )
    assert next(at for at, (done, total) in enumerate(told) if done == total) == reading - 1
    assert told[-1] == (plan.total_size, plan.total_size)


@pytest.fixture
def on_the_spot(tmp_path: Path, home: Path) -> Run:
    """Runs the program on a terminal, with a bar that does not wait."""
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are POSIX")
    import pexpect

    def run(*arguments: object, **environ: str) -> tuple[int, str]:
        env = {"HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", "GH_USER": "alice", **environ}
        child = pexpect.spawn(
            sys.executable,
            ["-c", ON_THE_SPOT, *map(str, arguments)],
            cwd=str(tmp_path),
            env=env,  # type: ignore[arg-type]
            encoding="utf-8",
            timeout=30,
            dimensions=(24, 80),
        )
        child.expect(pexpect.EOF)
        child.close()
        return int(child.exitstatus or 0), str(child.before)

    return run


def test_every_long_command_shows_that_it_works(on_the_spot: Run, tmp_path: Path, home: Path) -> None:
    """Each draws a bar with a label of its own, takes it away, and ends with its words."""
    (home / ".alive").mkdir()
    nova = plant(tmp_path / "nova", {**NOVA, "large.bin": bytes(3_000_000)})
    (tmp_path / "unpacked").mkdir()
    commands = {
        "making a key": ("keys", "generate"),
        "reading": ("create", "--scope", "full", "--walnut", nova, "--dry-run"),
        "packing": ("create", "--scope", "full", "--walnut", nova, "-o", "p.walnut", "--yes"),
        "verifying": ("verify", "p.walnut"),
        "checking": ("receive", "p.walnut", "--target", "there", "--dry-run"),
        "receiving": ("receive", "p.walnut", "--target", "there", "--yes"),
        "taking back": ("undo", "--walnut", "there", "--yes"),
    }
    for label, command in commands.items():
        code, text = on_the_spot(*command)
        assert code == 0, text
        assert re.search(rf"\r(?:\x1b\[2K)?{label} [█░]{{8,30}}", text), (label, text)
        left = text.rpartition("\x1b[2K")[2]
        assert "█" not in left, text


@pytest.mark.parametrize(
    ("more", "environ", "is_shown"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, True),
        ((), {"TERM": "dumb"}, False),
        (("--quiet",), {}, False),
        (("--json",), {}, False),
    ],
)
def test_a_bar_is_where_it_is_wanted(
    more: tuple[str, ...], environ: dict[str, str], is_shown: bool, on_the_spot: Run, tmp_path: Path
) -> None:
    """Not with --quiet or --json, not on a terminal that can do nothing; with NO_COLOR without any colour."""
    nova = plant(tmp_path / "nova", {**NOVA, "large.bin": bytes(3_000_000)})
    code, text = on_the_spot("create", "--scope", "full", "--walnut", nova, "--dry-run", *more, **environ)
    assert code == 0
    assert ("█" in text) is is_shown
    if environ:
        assert not re.search(r"\x1b\[[0-9;]*m", text)
    if more == ("--json",):
        json.loads(text)


def test_a_pipe_gets_none(tmp_path: Path, home: Path) -> None:
    """Neither on standard output nor on standard error, not even an escape."""
    nova = plant(tmp_path / "nova", {**NOVA, "large.bin": bytes(3_000_000)})
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_SPOT, "create", "--scope", "full", "--walnut", nova, "--dry-run"],
        env={"HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color"},
        capture_output=True,
        check=True,
    )
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr
    assert "█".encode() not in done.stdout + done.stderr
