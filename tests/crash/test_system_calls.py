"""The installed program, killed or refused by the system at every system call on files of every kind of receive."""

from pathlib import Path

import pytest

from crash import strace
from crash.scenarios import SCENARIOS
from crash.system_calls import WAYS, Subject, disturb_all, sample

pytestmark = pytest.mark.usefixtures("_traceable")


@pytest.mark.crash
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_at_every_call_it_happened_or_it_did_not(name: str, way: str, program: str, room: Path) -> None:
    """Killed: the walnut is old or new once `recover` has looked at it; that converges, and leaves nothing.

    Refused: the program says so in its own words, and what it says is so; log, ledger and projection may be missing
    where it has warned of that.
    """
    subject = Subject(program, name, room)
    report = disturb_all(subject, way, subject.points(way))
    print(f"{name}, {way}: {report.points} points, {dict(report.outcomes)}")  # noqa: T201  (for `pytest -rP`)
    assert report.failures == []
    assert report.points >= 50


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_at_some_calls_it_happened_or_it_did_not(name: str, program: str, room: Path) -> None:
    """The same at a few calls, evenly spread: killed at six of them, refused at three."""
    subject = Subject(program, name, room)
    assert disturb_all(subject, "kill", sample(subject.points("kill"), 6)).failures == []
    for way, point in zip(WAYS[1:], sample(subject.points("EIO"), 5)[1:-1], strict=True):
        assert disturb_all(subject, way, [point]).failures == []


def test_a_trace_is_read(tmp_path: Path) -> None:
    """Calls on what lies below a folder are told from the rest, with the numbers that `strace` counts."""
    inside = tmp_path / "inside"
    inside.mkdir()
    done = strace.run(["sh", "-c", "echo abc > a; exec mv a b"], {"PATH": "/usr/bin:/bin"}, inside, data=100)
    assert done.code == 0, done.errors
    calls = [call for call in done.calls if call.is_below(inside) and call.may_write and call.name != "write"]
    assert calls[0].describe(inside) == "openat(a) to write"
    assert calls[-1].name.startswith("rename")
    assert calls[-1].paths == (str(inside / "a"), str(inside / "b"))
    assert [call.data for call in done.calls if call.name == "write" and call.is_below(inside)] == [b"abc\n"]
