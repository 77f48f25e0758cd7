"""A power cut after every call of a receive: whatever the disk has lost of what was not flushed, it can be recovered.

The real program is recorded; what a disk may have kept is worked out, and made; then recovery has to cope with it.
"""

import os
import sys
from pathlib import Path

import pytest

from alive_p2p import files
from crash import strace
from crash.lost_writes import Content, Fate, Names, Recording, fates
from crash.power_cut import Machine, PowerCuts
from crash.scenarios import SCENARIOS

MACHINES = {
    "one-disk": Machine(),
    "home-on-another-disk": Machine(is_home_apart=True),
    "first-receive": Machine(is_first=True),
    "first-receive-with-home-on-another-disk": Machine(is_first=True, is_home_apart=True),
    "without-syncfs": Machine(has_syncfs=False),
}


@pytest.fixture(autouse=True)
def _without_waiting(_traceable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # The model says what is durable; to wait for the disk on which the model's disks are made tells nothing.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(files, "_flush_file_system", lambda _: True)


@pytest.mark.crash
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_was_lost_it_happened_or_it_did_not(name: str, machine: str, program: str, room: Path) -> None:
    """The walnut is old or new once recovery has looked at it; that converges, and leaves nothing.

    A new walnut is absent or complete before as well. Once the program has said that it is done, it is new.
    """
    report = PowerCuts(program, name, room, MACHINES[machine]).try_all(seeds=range(12), each=True)
    print(f"{name}, {machine}: {report}"[:4000])  # noqa: T201  (for `pytest -rA`)
    assert report.failures == []
    assert report.points >= 40
    assert report.states >= 400
    assert min(report.outcomes["old"], report.outcomes["new"]) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_was_mostly_lost_it_happened_or_it_did_not(name: str, program: str, room: Path) -> None:
    """The same with fewer disks: everything lost, everything kept, names without content, and one at random."""
    report = PowerCuts(program, name, room, MACHINES["home-on-another-disk"]).try_all(seeds=range(1), each=False)
    assert report.failures == []
    assert min(report.outcomes["old"], report.outcomes["new"]) >= 5


HALF = "renameat2(place/.alive-receive-*/tree/shielding-review, place/nova/shielding-review)"


@pytest.mark.crash
@pytest.mark.parametrize("machine", ["one-disk", "home-on-another-disk", "without-syncfs"])
@pytest.mark.parametrize("name", ["bundles", "bundles-with-a-ledger", "bundles-beside-a-broken-ledger"])
def test_whatever_a_recovery_has_lost_another_one_finishes(name: str, machine: str, program: str, room: Path) -> None:
    """A receive is killed half-way, and the power is cut while `recover` finishes it."""
    cuts = PowerCuts(program, name, room, MACHINES[machine], killed_at=HALF)
    report = cuts.try_all(seeds=range(12), each=True)
    print(f"{name}, {machine}: {report}"[:4000])  # noqa: T201  (for `pytest -rA`)
    assert report.failures == []
    assert report.states >= 50
    assert set(report.outcomes) == {"new"}


@pytest.mark.slow
def test_the_first_registration_of_a_home_is_not_lost(program: str, room: Path) -> None:
    """A half-done change is finished by recovery also where this home has never received anything before.

    With the home on another disk than the walnut, where flushing the walnut's disk does not reach it.
    """
    machine = MACHINES["first-receive-with-home-on-another-disk"]
    report = PowerCuts(program, "bundles", room, machine).try_all(seeds=(), each=False)
    assert report.failures == []


@pytest.mark.slow
def test_staging_is_not_lost_without_syncfs(program: str, room: Path) -> None:
    """A half-done change has its journal also where every file and folder is flushed on its own."""
    report = PowerCuts(program, "bundles", room, MACHINES["without-syncfs"]).try_all(seeds=(), each=False)
    assert report.failures == []


# --- the model ------------------------------------------------------------------------------------------------


_BEGIN = "import os\n"
_WRITE = _BEGIN + "a = os.open('a', os.O_WRONLY | os.O_CREAT, 0o644)\nos.write(a, b'abcdef\\n')\n"
_FLUSH_FOLDER = "os.fsync(os.open('.', os.O_RDONLY))\n"


def _recorded(root: Path, script: str) -> Recording:
    """What a small program does in a folder."""
    root.mkdir()
    recording = Recording(root)
    calls = (*strace.CALLS, *strace.BESIDE)
    done = strace.run([sys.executable, "-ISc", script], {}, root, calls=calls, data=1000)
    assert done.code == 0, done.errors
    recording.follow(done.calls)
    return recording


@pytest.fixture
def renamed(tmp_path: Path) -> Recording:
    """A file is written, renamed, and then its folder is flushed but never the file."""
    return _recorded(tmp_path / "root", _WRITE + "os.rename('a', 'b')\n" + _FLUSH_FOLDER)


def test_the_model_keeps_names_apart_from_content(renamed: Recording) -> None:
    """Flushing a folder makes its names durable, and nothing of what is in the files."""
    *_, (count, durable, pending) = renamed.crash_points()
    assert count == len(renamed.steps)
    assert [type(renamed.steps[index].effect) for index in durable] == [Names, Names]
    assert [type(renamed.steps[index].effect) for index in pending] == [Content]
    found = {what: renamed.image(fate)["b"][2] for what, fate in fates(renamed, durable, pending, seeds=(), each=False)}
    assert found == {
        "everything lost": b"",
        "everything kept": b"abcdef\n",
        "all names, no content": b"",
        "all names, content cut off": b"abc",
        "all names, content zeros": bytes(7),
    }


def test_the_model_renames_in_one_step(renamed: Recording) -> None:
    """Before the folder is flushed there is the old name or the new one, or neither where making it is lost too."""
    states = set()
    for _, durable, pending in list(renamed.crash_points())[:-1]:
        for _, fate in fates(renamed, durable, pending, seeds=range(20), each=True):
            states.add(frozenset(renamed.image(fate)) - {""})
    assert states == {frozenset(), frozenset({"a"}), frozenset({"b"})}


def test_the_model_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    """With file and folder flushed there is one state."""
    recording = _recorded(tmp_path / "root", _WRITE + "os.fsync(a)\n" + _FLUSH_FOLDER)
    *_, (_, durable, pending) = recording.crash_points()
    assert pending == []
    assert recording.image(dict.fromkeys(durable, Fate.KEPT))["a"][2] == b"abcdef\n"
