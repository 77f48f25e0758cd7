"""Recovery as somebody meets it: what is told, what is left alone, and who is believed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, BusyError, FileSystemError, UsageError
from alive_p2p.locks import try_lock, walnut_lock
from alive_p2p.receiving.log_import import LogImport, log_import
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import ShareRequest
from alive_p2p.transactions import recovery
from alive_p2p.transactions.journal import JOURNAL
from alive_p2p.transactions.recovery import Outcome, adopt, settle, settled_lock, unregistered
from crash.scenarios import SCENARIOS, Place
from worlds import ledger_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the child is made by fork, which this system lacks")


def _interrupted(tmp_path: Path, moment: str, name: str = "bundles") -> Place:
    """A receive that is killed as it comes to one of its own moments."""
    place = SCENARIOS[name].prepare(tmp_path / "made").begin(tmp_path / "run")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from alive_p2p import files\n"
        "from alive_p2p.receiving.pipeline import receive\n"
        "from crash.scenarios import Place\n"
        f"place = Place(Path(sys.argv[1]), Path(sys.argv[2]), {place.options!r})\n"
        "def watcher(operation, paths):\n"
        f"    if {moment}:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.watch(watcher)\n"
        "receive(place.request(), place.runtime())\n"
    )
    tests = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, place.root, place.package],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return place


HALF = "operation == 'rename' and paths[1].name == 'shielding-review'"
UNPACKED = "operation == 'flush-tree'"


def _staging(place: Place) -> Path:
    (found,) = [path for path in place.walnut.parent.iterdir() if path.name.startswith(".alive-receive")]
    return found


@pytest.fixture
def half(tmp_path: Path) -> Place:
    """Log, ledger and one bundle are in place, the other is not."""
    place = _interrupted(tmp_path, HALF)
    assert (place.walnut / "launch-window").is_dir()
    assert not (place.walnut / "shielding-review").exists()
    return place


@pytest.fixture
def foreign(half: Place) -> Place:
    """The same, where this home knows nothing of it."""
    _registration(half).unlink()
    return half


def _registration(place: Place) -> Path:
    (found,) = (place.home / ".alive" / "transactions").iterdir()
    return found


def test_half_a_receive_is_finished_by_the_next_share(half: Place) -> None:
    """A share never packs half a receive, and says what it has finished."""
    plan = plan_share(ShareRequest(half.walnut, "full"), half.runtime())
    assert {"launch-window", "shielding-review"} <= {bundle.name for bundle in plan.bundles}
    assert any("was finished" in warning for warning in plan.warnings)
    assert half.left_over() == []


def test_half_a_receive_is_finished_by_the_same_receive(half: Place) -> None:
    """Then there is nothing to do."""
    result = receive(half.request(), half.runtime())
    assert result.status == "noop"
    assert any("was finished" in warning for warning in result.warnings)
    assert len(ledger_of(half.walnut)["imports"]) == 1  # type: ignore[arg-type]


def test_half_a_receive_is_finished_by_whatever_touches_the_walnut(half: Place) -> None:
    """Such as `log-import`, which finds the entry."""
    assert not log_import(LogImport(half.walnut, _import_id(half)), half.runtime())
    assert half.left_over() == []


def _import_id(place: Place) -> str:
    return str(ledger_of(place.walnut)["imports"][0]["import_id"])  # type: ignore[index]


def test_a_dry_run_only_says_that_there_is_something(half: Place) -> None:
    """It changes nothing, and names the command that does."""
    before, left = half.state(), half.left_over()
    plan = preview(half.request(), half.runtime())
    assert any("alive-p2p recover" in warning for warning in plan.warnings)
    assert (half.state(), half.left_over()) == (before, left)


def test_what_had_changed_nothing_is_removed_without_a_word(tmp_path: Path) -> None:
    """Nobody needs to know of a receive that never began to change anything."""
    place = _interrupted(tmp_path, UNPACKED)
    result = receive(place.request(), place.runtime())
    assert (result.status, result.warnings) == ("ok", ())
    assert place.left_over() == []


def test_an_edit_after_the_kill_is_kept(tmp_path: Path) -> None:
    """Log and ledger were edited before recovery looked: the entries are made again on what is there."""
    place = _interrupted(tmp_path, "operation == 'replace' and paths[1].name == 'log.md'", "bundles-with-a-ledger")
    log, ledger = place.walnut / "_kernel" / "log.md", place.walnut / "_kernel" / "imports.json"
    log.write_bytes(log.read_bytes() + b"mine\n")
    ledger.write_bytes(ledger.read_bytes().replace(b"{", b'{"mine": 1, ', 1))
    (settled,) = settle(place.runtime())
    assert settled.outcome is Outcome.FINISHED
    text = log.read_bytes()
    assert (text.count(b"Imported package"), text.count(b"mine\n")) == (1, 1)
    assert ledger_of(place.walnut)["mine"] == 1
    assert len(ledger_of(place.walnut)["imports"]) == 1  # type: ignore[arg-type]


def test_a_folder_in_the_way_takes_the_change_back(half: Place) -> None:
    """Somebody made a folder of that name after the kill: theirs stays, and the walnut is as it was."""
    theirs = half.walnut / "shielding-review" / "mine.md"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    (settled,) = settle(half.runtime())
    assert settled.outcome is Outcome.TAKEN_BACK
    assert "'shielding-review' is in its way" in settled.describe()
    assert theirs.read_bytes() == b"mine"
    assert not (half.walnut / "launch-window").exists()
    assert b"Imported package" not in (half.walnut / "_kernel" / "log.md").read_bytes()
    assert half.left_over() == []


def test_what_can_go_neither_way_is_kept_and_told(half: Place) -> None:
    """In the way, and what is in place was edited: nothing is thrown away, and it has a name that says so."""
    (half.walnut / "shielding-review").mkdir()
    (half.walnut / "shielding-review" / "mine.md").write_bytes(b"mine")
    log = half.walnut / "_kernel" / "log.md"
    log.write_bytes(log.read_bytes() + b"mine\n")
    (settled,) = settle(half.runtime())
    assert settled.outcome is Outcome.KEPT
    assert settled.place is not None
    assert settled.place.name.startswith(".alive-receive-incomplete-")
    assert (settled.place / "tree" / "shielding-review" / "draft.md").is_file()
    assert log.read_bytes().endswith(b"mine\n")
    assert settle(half.runtime()) == ()


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version": 2}',
        b"[" * 100_000,
    ],
    ids=["empty", "cut off", "another shape", "not UTF-8", "another version", "deeply nested"],
)
def test_a_journal_that_cannot_be_read_is_not_obeyed(journal: bytes, half: Place) -> None:
    """It is kept under a name that says so, and the walnut is left as it is."""
    staging = _staging(half)
    (staging / JOURNAL).write_bytes(journal)
    before = half.state()
    (settled,) = settle(half.runtime())
    assert settled.outcome is Outcome.KEPT
    assert half.state() == before
    assert (half.walnut.parent / (settled.place or Path()).name / JOURNAL).read_bytes() == journal


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dst", "../../outside"),
        ("dst", "/etc/outside"),
        ("src", "../../../secret"),
        ("src", "/etc/passwd"),
        ("dst", ""),
        ("dst", 5),
        ("old_sha256", "x"),
        ("rest", "../x"),
        ("unknown", 1),
    ],
)
def test_a_journal_never_reaches_outside(field: str, value: object, half: Place) -> None:
    """Whoever wrote it: a path that leaves staging or the walnut makes it unreadable."""
    path = _staging(half) / JOURNAL
    document = json.loads(path.read_bytes())
    document["operations"][-1][field] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    (settled,) = settle(half.runtime())
    assert settled.outcome is Outcome.KEPT


def test_a_link_on_the_way_stops_it(half: Place, tmp_path: Path) -> None:
    """The kernel became a link to somewhere else: nothing is written there, and it can be tried again."""
    kernel = half.walnut / "_kernel"
    path = _staging(half) / JOURNAL
    elsewhere = tmp_path / "elsewhere"
    kernel.rename(elsewhere)
    kernel.symlink_to(elsewhere)
    before = {one.name: one.read_bytes() for one in elsewhere.iterdir()}
    with pytest.raises(FileSystemError, match="symbolic link"):
        settle(half.runtime())
    assert {one.name: one.read_bytes() for one in elsewhere.iterdir()} == before
    assert path.exists()
    kernel.unlink()
    elsewhere.rename(kernel)
    assert [one.outcome for one in settle(half.runtime())] == [Outcome.FINISHED]


def test_a_staging_folder_that_others_may_enter_is_not_obeyed(half: Place) -> None:
    """Somebody else could have written the journal."""
    staging = _staging(half)
    staging.chmod(0o777)
    before = half.state()
    (settled,) = settle(half.runtime())
    assert (settled.outcome, settled.why) == (Outcome.FOREIGN, "others may enter it")
    assert half.state() == before
    assert staging.is_dir()


def test_a_planted_staging_folder_is_only_reported(half: Place, tmp_path: Path) -> None:
    """A journal that nothing is registered of may come from anybody; a second home sees it like that."""
    for one in (half.home / ".alive" / "transactions").iterdir():
        one.unlink()
    before = half.state()
    assert settle(half.runtime()) == ()
    (told,) = unregistered(half.walnut, half.runtime())
    assert (told.outcome, told.place) == (Outcome.FOREIGN, _staging(half))
    assert half.state() == before


def test_it_can_be_adopted(half: Place) -> None:
    """After somebody has looked at what it would do."""
    for one in (half.home / ".alive" / "transactions").iterdir():
        one.unlink()
    shown: list[str] = []
    settled = adopt(
        _staging(half),
        half.runtime(),
        lambda journal: shown.extend(operation.dst for operation in journal.operations),
    )
    assert settled.outcome is Outcome.FINISHED
    assert shown == ["_kernel/log.md", "_kernel/imports.json", "launch-window", "shielding-review"]
    assert (half.walnut / "shielding-review" / "draft.md").is_file()
    assert half.left_over() == []


def test_only_what_is_foreign_can_be_adopted(half: Place, tmp_path: Path) -> None:
    """Not what is registered here, and nothing that is no staging folder."""
    with pytest.raises(UsageError, match="belongs to a receive of this home"):
        adopt(_staging(half), half.runtime(), lambda _: None)
    for wrong in (tmp_path, half.walnut):
        with pytest.raises(UsageError, match="not a folder that a receive has left"):
            adopt(wrong, half.runtime(), lambda _: None)


def test_no_means_no(half: Place) -> None:
    """Whoever declines finds everything as it was."""
    for one in (half.home / ".alive" / "transactions").iterdir():
        one.unlink()
    before = half.state()

    def decline(_: object) -> None:
        raise AliveP2PError("declined", "stopped, as you asked")

    with pytest.raises(AliveP2PError, match="stopped"):
        adopt(_staging(half), half.runtime(), decline)
    assert half.state() == before
    assert _staging(half).is_dir()


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Place]:
    """A receive that is alive, and stands still in the middle of its change."""
    place = SCENARIOS["bundles"].prepare(tmp_path / "made").begin(tmp_path / "run")
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from alive_p2p import files\n"
        "from alive_p2p.receiving.pipeline import receive\n"
        "from crash.scenarios import Place\n"
        "place = Place(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "def watcher(operation, paths):\n"
        f"    if {HALF}:\n"
        "        print('here', flush=True)\n"
        "        sys.stdin.read(1)\n"
        "files.watch(watcher)\n"
        "receive(place.request(), place.runtime())\n"
    )
    tests = str(Path(__file__).resolve().parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", code, place.root, place.package],
        env={**os.environ, "PYTHONPATH": tests},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        yield place
        assert child.stdin is not None
        child.stdin.write(b"x")
        child.stdin.close()
        assert child.wait() == 0
    assert (place.walnut / "shielding-review").is_dir()
    assert place.left_over() == []


def test_a_living_transaction_is_left_alone(working: Place) -> None:
    """Whoever holds it finishes it; recovery of everything passes it by."""
    before = working.state()
    assert settle(working.runtime()) == ()
    assert unregistered(working.walnut, working.runtime()) == ()
    assert working.state() == before


def test_a_disk_that_is_not_there_now_is_waited_for(half: Place, tmp_path: Path) -> None:
    """The registration stays until the walnut's disk is back."""
    away = tmp_path / "unplugged"
    half.walnut.parent.rename(away)
    assert settle(half.runtime()) == ()
    away.rename(half.walnut.parent)
    assert [one.outcome for one in settle(half.runtime())] == [Outcome.FINISHED]


def test_a_torn_registration_is_removed(half: Place) -> None:
    """It was cut off while it was written, so no staging was made yet."""
    torn = half.home / ".alive" / "transactions" / "0123456789abcdef.json"
    torn.write_bytes(b'{"target": "/x')
    settle(half.runtime())
    assert not torn.exists()


def test_only_what_lies_below_a_place_is_settled(half: Place, tmp_path: Path) -> None:
    """`recover PATH` leaves other worlds alone."""
    assert settle(half.runtime(), place=tmp_path / "elsewhere") == ()
    assert settle(half.runtime(), place=half.walnut / "below") == ()
    assert len(settle(half.runtime(), place=half.walnut.parent)) == 1


def test_a_failing_projection_does_not_undo_a_recovery(half: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning: `now.json` can always be made again."""

    def fail(*_: object) -> None:
        raise AliveP2PError("projection-failed", "no projection today")

    monkeypatch.setattr(recovery, "write_projection", fail)
    (settled,) = settle(half.runtime())
    assert (settled.outcome, settled.warning) == (Outcome.FINISHED, "no projection today")


def test_a_rename_in_two_steps_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no exclusive rename, a kill between claiming a name and taking it is finished too."""
    place = _interrupted(tmp_path, HALF)
    (place.walnut / "shielding-review").mkdir()  # the claim
    (settled,) = settle(place.runtime())
    assert settled.outcome is Outcome.FINISHED
    assert (place.walnut / "shielding-review" / "draft.md").is_file()


def test_the_watcher_sees_every_step_of_a_recovery(half: Place) -> None:
    """Nothing durable happens beside the seam that the crash tests use."""
    seen: list[str] = []
    files.watch(lambda operation, _: seen.append(operation))
    try:
        settle(half.runtime())
    finally:
        files.watch(None)
    assert {"rename", "flush-folder", "replace", "remove-tree", "remove"} <= set(seen)


def _in_one_home(tmp_path: Path) -> tuple[Place, Place]:
    """Two walnuts with half a receive each, registered in the home of the first; recovery comes to the first first."""
    first, second = (_interrupted(tmp_path / name, HALF) for name in ("one", "two"))
    _registration(first).rename(_registration(first).with_name("0000000000000000.json"))
    _registration(second).rename(_registration(first).with_name("1111111111111111.json"))
    return first, second


def test_one_that_is_elsewhere_does_not_hide_another(tmp_path: Path) -> None:
    """Only the one that was asked for is settled, and then the other one."""
    first, second = _in_one_home(tmp_path)
    runtime = first.runtime()
    (note,) = recovery.interrupted_notes(runtime, place=second.walnut)
    assert f"'{second.walnut}' was interrupted" in note
    (settled,) = settle(runtime, place=second.walnut)
    assert (settled.target, settled.outcome) == (second.walnut, Outcome.FINISHED)
    assert (first.walnut / "launch-window").is_dir()
    assert not (first.walnut / "shielding-review").exists()
    (settled,) = settle(runtime)
    assert settled.target == first.walnut


def test_one_that_is_in_use_does_not_hide_another(tmp_path: Path) -> None:
    """Whoever works there settles it."""
    first, second = _in_one_home(tmp_path)
    with walnut_lock(first.walnut, "receive", first.runtime()):
        assert [one.target for one in settle(first.runtime())] == [second.walnut]
    assert [one.target for one in settle(first.runtime())] == [first.walnut]


def test_all_that_was_settled_is_told(tmp_path: Path) -> None:
    """Not only the last of them."""
    first, second = _in_one_home(tmp_path)
    assert {one.target for one in settle(first.runtime())} == {first.walnut, second.walnut}


def test_what_has_begun_nothing_cannot_be_adopted(tmp_path: Path) -> None:
    """Staging without a journal says of no change."""
    place = _interrupted(tmp_path, UNPACKED)
    for one in (place.home / ".alive" / "transactions").iterdir():
        one.unlink()
    with pytest.raises(UsageError, match="no change that had begun"):
        adopt(_staging(place), place.runtime(), lambda _: None)


def test_a_link_to_staging_is_not_adopted(half: Place, tmp_path: Path) -> None:
    """It may lead anywhere by the time it is followed."""
    for one in (half.home / ".alive" / "transactions").iterdir():
        one.unlink()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / _staging(half).name
    link.symlink_to(_staging(half), target_is_directory=True)
    with pytest.raises(UsageError, match="not a folder that a receive has left"):
        adopt(link, half.runtime(), lambda _: None)


def test_staging_of_another_walnut_is_not_reported_here(half: Place) -> None:
    """Its journal names the walnut that it is for."""
    for one in (half.home / ".alive" / "transactions").iterdir():
        one.unlink()
    other = half.walnut.parent / "other"
    other.mkdir()
    (found,) = unregistered(half.walnut, half.runtime())
    assert (found.target, found.outcome, found.place) == (half.walnut, Outcome.FOREIGN, _staging(half))
    assert unregistered(other, half.runtime()) == ()


def test_a_ledger_that_lost_its_id_gets_it_again(tmp_path: Path) -> None:
    """Somebody put an empty ledger there after the kill; one that has an id keeps its own."""
    moment = "operation == 'replace' and paths[1].name == 'log.md'"
    place = _interrupted(tmp_path / "empty", moment, "bundles-with-a-ledger")
    ledger = place.walnut / "_kernel" / "imports.json"
    walnut_id = ledger_of(place.walnut)["walnut_id"]
    ledger.write_bytes(b'{"imports": []}')
    settle(place.runtime())
    assert ledger_of(place.walnut)["walnut_id"] == walnut_id
    place = _interrupted(tmp_path / "other", moment, "bundles-with-a-ledger")
    ledger = place.walnut / "_kernel" / "imports.json"
    ledger.write_bytes(b'{"walnut_id": "11111111-2222-4333-8444-555555555555", "imports": []}')
    settle(place.runtime())
    assert ledger_of(place.walnut)["walnut_id"] == "11111111-2222-4333-8444-555555555555"


def test_a_ledger_that_was_broken_meanwhile_stays(tmp_path: Path) -> None:
    """Nothing can be added to it, so the change is taken back."""
    place = _interrupted(tmp_path, "operation == 'replace' and paths[1].name == 'log.md'", "bundles-with-a-ledger")
    (place.walnut / "_kernel" / "imports.json").write_bytes(b"{mine")
    (settled,) = settle(place.runtime())
    assert settled.outcome is Outcome.TAKEN_BACK
    assert (place.walnut / "_kernel" / "imports.json").read_bytes() == b"{mine"


def test_whether_it_was_complete_is_told_apart(tmp_path: Path) -> None:
    """A new walnut that is there, and one that is not."""
    there = _interrupted(tmp_path / "there", "operation == 'remove-tree'", "full")
    (settled,) = settle(there.runtime())
    assert settled.outcome is (Outcome.COMPLETE if there.walnut.is_dir() else Outcome.DISCARDED)
    assert there.walnut.is_dir()
    absent = _interrupted(tmp_path / "absent", UNPACKED, "full")
    (settled,) = settle(absent.runtime())
    assert settled.outcome is Outcome.DISCARDED


# --- what somebody did before it is taken back ------------------------------------------------------------------


def _put_in_the_way(place: Place, name: str = "shielding-review") -> Path:
    theirs = place.walnut / name / "mine.md"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    return theirs


@pytest.mark.parametrize(
    "edit",
    [
        lambda bundle: (bundle / "mine.md").write_bytes(b"mine"),
        lambda bundle: (bundle / "windows.md").write_bytes(b"mine"),
        lambda bundle: (bundle / "windows.md").unlink(),
        lambda bundle: (bundle / "windows.md").chmod(0o600),
        lambda bundle: (bundle / "mine").mkdir(),
        lambda bundle: (bundle / "mine").symlink_to("nowhere"),
    ],
    ids=["a new file", "an edit", "a removal", "permissions", "a folder", "a link"],
)
def test_a_bundle_that_was_worked_on_is_not_taken_back(edit: Callable[[Path], object], half: Place) -> None:
    """One bundle is in place and somebody works on it, the other is blocked: their work stays, and all is kept."""
    _put_in_the_way(half)
    time.sleep(0.05)  # a file system tells moments apart by some milliseconds
    edit(half.walnut / "launch-window")
    before = half.state()
    (settled,) = settle(half.runtime())
    assert settled.outcome is Outcome.KEPT
    assert settled.why == "'shielding-review' is in its way, and 'launch-window' was changed meanwhile"
    assert half.state() == before


ALMOST_UPDATED = "operation == 'rename' and paths[1].name == 'raw.md'"
"""What an update removes is gone, what it replaces is replaced, and of what is new one file is not in place."""


@pytest.fixture
def updating(tmp_path: Path) -> Place:
    """An update that was killed before its last step."""
    place = _interrupted(tmp_path, ALMOST_UPDATED, "update")
    bundle = place.walnut / "shielding-review"
    assert not (bundle / "raw").exists()
    assert (bundle / "new" / "deep" / "plan.md").is_file()
    assert not (bundle / "raw.md").exists()
    return place


@pytest.fixture
def almost(updating: Place) -> Place:
    """The same, and the last step is blocked now."""
    (updating.walnut / "shielding-review" / "raw.md").write_bytes(b"mine")
    return updating


def test_an_update_that_is_blocked_is_taken_back(almost: Place, tmp_path: Path) -> None:
    """All of it: what it removed is there again, what it replaced is the old one, what was new is gone."""
    (settled,) = settle(almost.runtime())
    assert settled.outcome is Outcome.TAKEN_BACK
    before = Place(tmp_path / "made" / "beginning", almost.package).state()
    assert almost.state() == {**before, "shielding-review/raw.md": hashing.sha256(b"mine")}
    assert almost.left_over() == []


@pytest.mark.parametrize(
    "name",
    ["raw/dose.csv", "draft.md", "tasks.json", "notes.theirs-20260407.md", "new/deep/plan.md", "new/mine.md"],
    ids=["removed", "replaced", "merged", "put beside", "in a new folder", "beside what is new"],
)
def test_an_update_that_was_worked_on_is_not_taken_back(name: str, almost: Place) -> None:
    """Blocked, and somebody has edited what it did: nothing is touched, and all is kept."""
    time.sleep(0.05)
    edited = almost.walnut / "shielding-review" / name
    edited.parent.mkdir(exist_ok=True)
    edited.write_bytes(b"edited")
    before = almost.state()
    (settled,) = settle(almost.runtime())
    assert settled.outcome is Outcome.KEPT
    assert settled.why.endswith(" was changed meanwhile")
    assert almost.state() == before
    assert settled.place is not None
    assert (settled.place / "tree" / "shielding-review" / "raw.md").is_file()


@pytest.mark.parametrize("name", ["draft.md", "notes.theirs-20260407.md", "new/deep/plan.md"])
def test_an_edit_that_keeps_the_moment_is_an_edit(name: str, almost: Place) -> None:
    """Such as a copy that keeps the moment of what was copied."""
    time.sleep(0.05)
    edited = almost.walnut / "shielding-review" / name
    moment = edited.stat().st_mtime_ns
    edited.write_bytes(b"edited")
    os.utime(edited, ns=(moment, moment))
    assert [one.outcome for one in settle(almost.runtime())] == [Outcome.KEPT]
    assert edited.read_bytes() == b"edited"


def test_a_file_that_has_both_its_names_is_finished(updating: Place) -> None:
    """Where the system has no exclusive rename, a kill between a link and the removal of the old name is finished."""
    waiting, there = _staging(updating) / "tree" / "shielding-review" / "raw.md", updating.walnut / "shielding-review"
    (there / "raw.md").hardlink_to(waiting)
    assert [one.outcome for one in settle(updating.runtime())] == [Outcome.FINISHED]
    assert (there / "raw.md").read_bytes() == b"new\n"
    assert updating.left_over() == []


def test_a_link_to_what_waits_is_in_its_way(updating: Place) -> None:
    """It leads to the same file, but would lead nowhere when staging is gone."""
    link = updating.walnut / "shielding-review" / "raw.md"
    link.symlink_to(_staging(updating) / "tree" / "shielding-review" / "raw.md")
    assert [one.outcome for one in settle(updating.runtime())] == [Outcome.TAKEN_BACK]
    assert link.is_symlink()
    assert (updating.walnut / "shielding-review" / "raw" / "dose.csv").is_file()


# --- log and ledger, edited after the kill ----------------------------------------------------------------------

BEFORE_THE_LOG = "operation == 'replace' and paths[1].name == 'log.md'"


@pytest.mark.parametrize("name", ["bundles-with-a-ledger", "update"])
def test_an_entry_is_added_once_however_often_it_is_tried(name: str, tmp_path: Path) -> None:
    """Recovery itself is stopped after it has added to an edited file, before it has noted that."""
    place = _interrupted(tmp_path, BEFORE_THE_LOG, name)
    log, ledger = place.walnut / "_kernel" / "log.md", place.walnut / "_kernel" / "imports.json"
    imports, entries = len(ledger_of(place.walnut)["imports"]), log.read_bytes().count(b"Imported package")  # type: ignore[arg-type]
    log.write_bytes(log.read_bytes() + b"mine\n")
    ledger.write_bytes(ledger.read_bytes().replace(b"{", b'{"mine": 1, ', 1))

    def stop_at(name: str) -> Callable[[str, tuple[Path, ...]], None]:
        def watcher(operation: str, paths: tuple[Path, ...]) -> None:
            if operation == "remove" and paths[0].name == name:
                raise KeyboardInterrupt

        return watcher

    for stop in ("log.md", "log.md", "imports.json", "imports.json"):
        files.watch(stop_at(stop))
        try:
            with pytest.raises(KeyboardInterrupt):
                settle(place.runtime())
        finally:
            files.watch(None)
    assert [one.outcome for one in settle(place.runtime())] == [Outcome.FINISHED]
    assert len(ledger_of(place.walnut)["imports"]) == imports + 1  # type: ignore[arg-type]
    assert log.read_bytes().count(b"Imported package") == entries + 1
    assert (b"mine\n" in log.read_bytes(), ledger_of(place.walnut)["mine"]) == (True, 1)


@pytest.mark.parametrize("name", ["log.md", "imports.json"])
@pytest.mark.parametrize("kind", ["a link", "a folder"])
def test_what_is_no_file_any_more_is_in_the_way(kind: str, name: str, tmp_path: Path) -> None:
    """Nothing can be added to it, and it does not give way."""
    place = _interrupted(tmp_path, BEFORE_THE_LOG, "bundles-with-a-ledger")
    path = place.walnut / "_kernel" / name
    elsewhere = path.rename(tmp_path / "elsewhere")
    if kind == "a link":
        path.symlink_to(elsewhere)
    else:
        path.mkdir()
    before, content = place.state(), elsewhere.read_bytes()
    (settled,) = settle(place.runtime())
    assert (settled.outcome, settled.why) == (Outcome.TAKEN_BACK, f"'_kernel/{name}' is in its way")
    assert (place.state(), elsewhere.read_bytes()) == (before, content)
    assert place.left_over() == []


def test_a_log_that_was_removed_meanwhile_is_there_again(tmp_path: Path) -> None:
    """Nothing of anybody's is replaced by it."""
    place = _interrupted(tmp_path, BEFORE_THE_LOG)
    log = place.walnut / "_kernel" / "log.md"
    log.unlink()
    assert [one.outcome for one in settle(place.runtime())] == [Outcome.FINISHED]
    assert b"Imported package" in log.read_bytes()


# --- while somebody looks at what would be adopted --------------------------------------------------------------


def test_what_was_settled_meanwhile_is_not_adopted(almost: Place) -> None:
    """The home that it belongs to takes it back while the question is asked: yes does not remove what is back."""
    registration = _registration(almost)
    aside = registration.rename(almost.home / registration.name)
    after: list[dict[str, str]] = []

    def settle_then_say_yes(_: object) -> None:
        aside.rename(registration)
        assert [one.outcome for one in settle(almost.runtime())] == [Outcome.TAKEN_BACK]
        after.append(almost.state())

    with pytest.raises(FileSystemError, match="changed while you were looking") as caught:
        adopt(_staging(almost), almost.runtime(), settle_then_say_yes)
    assert (caught.value.code, caught.value.untouched) == ("changed-meanwhile", "everything")
    assert "shielding-review/raw/dose.csv" in almost.state()
    assert [almost.state()] == after
    assert almost.left_over() == []


@pytest.mark.parametrize("way", ["another journal", "no journal", "others may enter"])
def test_only_what_was_shown_is_adopted(way: str, foreign: Place, tmp_path: Path) -> None:
    """Whatever becomes of the folder between the question and the answer."""
    staging, before = _staging(foreign), foreign.state()

    def change(_: object) -> None:
        journal = staging / JOURNAL
        if way == "another journal":
            journal.write_bytes(journal.read_bytes().replace(b'"dst": "shielding-review"', b'"dst": "elsewhere"'))
        elif way == "no journal":
            journal.unlink()
        else:
            staging.chmod(0o777)

    with pytest.raises(FileSystemError, match="changed while you were looking"):
        adopt(staging, foreign.runtime(), change)
    assert foreign.state() == before
    assert staging.is_dir()


# --- what is kept, and what is not ours -------------------------------------------------------------------------


def test_what_was_kept_is_reported_from_then_on(half: Place) -> None:
    """It stays until somebody has looked at it, and is not adopted."""
    (_staging(half) / JOURNAL).write_bytes(b"{")
    (settled,) = settle(half.runtime())
    (told,) = unregistered(half.walnut, half.runtime())
    assert (told.target, told.outcome, told.place) == (half.walnut, Outcome.FOREIGN, settled.place)
    assert told.why == "it was kept by an earlier receive or recovery"
    with pytest.raises(UsageError, match="not a folder that a receive has left"):
        adopt(told.place or Path(), half.runtime(), lambda _: None)


def _kept(place: Place, number: int) -> Path:
    ending = f"-{number}" if number > 1 else ""
    return place.walnut.parent / f".alive-receive-incomplete-20260407T101500Z{ending}"


def test_what_is_kept_never_takes_a_name_that_is_in_use(half: Place) -> None:
    """What was kept in the same second, or a link of that name, stays what it is."""
    staging = _staging(half)
    (staging / JOURNAL).write_bytes(b"{")
    _kept(half, 1).mkdir()
    _kept(half, 2).symlink_to("nowhere")
    (settled,) = settle(half.runtime())
    assert (settled.target, settled.outcome, settled.place) == (half.walnut, Outcome.KEPT, _kept(half, 3))
    assert settled.why == f"'{staging / JOURNAL}' is not a journal of this program"
    assert list(_kept(half, 1).iterdir()) == []
    assert _kept(half, 2).is_symlink()


def test_a_name_that_is_taken_at_the_last_moment_is_not_replaced(half: Place) -> None:
    """Then the next one is used."""
    (_staging(half) / JOURNAL).write_bytes(b"{")

    def take(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[-1] == _kept(half, 1):
            _kept(half, 1).mkdir()

    files.watch(take)
    try:
        (settled,) = settle(half.runtime())
    finally:
        files.watch(None)
    assert settled.place == _kept(half, 2)
    assert list(_kept(half, 1).iterdir()) == []


def test_where_no_name_is_free_it_stays_where_it_is(half: Place) -> None:
    """And is still known, so that it can be tried again."""
    staging = _staging(half)
    (staging / JOURNAL).write_bytes(b"{")
    for number in range(1, 100):
        _kept(half, number).mkdir()
    with pytest.raises(FileSystemError, match="no free name") as caught:
        settle(half.runtime())
    assert caught.value.code == "name-taken"
    assert (staging / JOURNAL).read_bytes() == b"{"
    _kept(half, 99).rmdir()
    assert [one.place for one in settle(half.runtime())] == [_kept(half, 99)]


def test_a_journal_about_another_walnut_is_not_obeyed(half: Place) -> None:
    """What is registered and what the journal says have to be the same."""
    other = half.walnut.parent / "other"
    other.mkdir()
    path = _staging(half) / JOURNAL
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "target": str(other)}), encoding="utf-8")
    before = half.state()
    (settled,) = settle(half.runtime())
    assert (settled.target, settled.outcome) == (half.walnut, Outcome.KEPT)
    assert "is about another walnut" in settled.why
    assert half.state() == before
    assert list(other.iterdir()) == []


def _register(place: Place, staging: Path) -> None:
    path = _registration(place)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "staging": str(staging)}), encoding="utf-8")


def test_a_registration_cannot_name_any_folder(half: Place, tmp_path: Path) -> None:
    """Whoever wrote it: a folder that is not named as staging is not removed, and the registration goes."""
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (precious / "mine.md").write_bytes(b"mine")
    _register(half, precious)
    (settled,) = settle(half.runtime())
    assert (settled.target, settled.outcome, settled.place) == (half.walnut, Outcome.FOREIGN, precious)
    assert settled.why == "it has another name"
    assert settled.notes == (settled.describe(),)
    assert (precious / "mine.md").read_bytes() == b"mine"
    assert settle(half.runtime()) == ()


@pytest.mark.parametrize("kind", ["a file", "a link to it"])
def test_staging_that_is_no_folder_is_left_alone(kind: str, half: Place, tmp_path: Path) -> None:
    """A link is not followed, wherever it leads."""
    staging = _staging(half)
    real = staging.rename(tmp_path / staging.name)
    if kind == "a file":
        staging.write_bytes(b"mine")
    else:
        staging.symlink_to(real, target_is_directory=True)
    before = half.state()
    (settled,) = settle(half.runtime())
    assert (settled.outcome, settled.why) == (Outcome.FOREIGN, "it is not a folder")
    assert half.state() == before
    assert (real / JOURNAL).is_file()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a folder away")
def test_staging_of_another_user_is_left_alone(half: Place) -> None:
    """They could have written the journal."""
    os.chown(_staging(half), 12_345, -1)
    before = half.state()
    (settled,) = settle(half.runtime())
    assert (settled.outcome, settled.why) == (Outcome.FOREIGN, "it belongs to another user")
    assert half.state() == before


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o1700, 0o500])
def test_what_others_may_enter_is_not_adopted(mode: int, foreign: Place) -> None:
    """Not even after somebody has looked at it; nor is any other mode than the one that we give."""
    staging, before = _staging(foreign), foreign.state()
    staging.chmod(mode)
    with pytest.raises(UsageError, match="cannot be adopted: others may enter it") as caught:
        adopt(staging, foreign.runtime(), lambda _: None)
    assert (caught.value.code, caught.value.untouched) == ("not-ours", "everything")
    assert foreign.state() == before


def test_staging_that_somebody_works_in_is_left_alone(half: Place) -> None:
    """Its owner's lock tells, whatever became of the registration's."""
    before = half.state()
    with (_staging(half) / "owner").open("r+b") as owner:
        assert try_lock(owner.fileno())
        assert settle(half.runtime()) == ()
        assert half.state() == before
        assert _staging(half).is_dir()
    assert [one.outcome for one in settle(half.runtime())] == [Outcome.FINISHED]


def test_an_owner_that_is_a_link_owns_nothing(half: Place, tmp_path: Path) -> None:
    """It does not hold a recovery up that a file elsewhere is locked."""
    owner = _staging(half) / "owner"
    owner.unlink()
    owner.symlink_to(tmp_path / "elsewhere")
    with (tmp_path / "elsewhere").open("w+b") as elsewhere:
        assert try_lock(elsewhere.fileno())
        assert [one.outcome for one in settle(half.runtime())] == [Outcome.FINISHED]


def test_what_is_in_the_way_of_an_adoption_is_told(foreign: Place) -> None:
    """It goes neither way: nothing is touched, and staging stays."""
    _put_in_the_way(foreign)
    (foreign.walnut / "_kernel" / "log.md").write_bytes(b"mine\n")
    before, staging = foreign.state(), _staging(foreign)
    with pytest.raises(FileSystemError, match="was changed meanwhile") as caught:
        adopt(staging, foreign.runtime(), lambda _: None)
    assert caught.value.code == "in-the-way"
    assert caught.value.message == "'shielding-review' is in its way, and '_kernel/log.md' was changed meanwhile"
    assert foreign.state() == before
    assert (staging / JOURNAL).is_file()


def test_every_reason_not_to_adopt_has_a_code(half: Place, tmp_path: Path) -> None:
    """Programs tell them apart by it."""
    for place, code in ((tmp_path, "not-staging"), (_staging(half), "registered")):
        with pytest.raises(UsageError) as caught:
            adopt(place, half.runtime(), lambda _: None)
        assert caught.value.code == code
    assert caught.value.hint == "run `alive-p2p recover`"
    _registration(half).unlink()
    path = _staging(half) / JOURNAL
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "state": "prepared"}), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        adopt(_staging(half), half.runtime(), lambda _: None)
    assert (caught.value.code, caught.value.untouched) == ("nothing-to-adopt", "everything")


# --- what is told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "outcome"), [("prepared", Outcome.DISCARDED), ("done", Outcome.COMPLETE)])
def test_what_is_not_half_done_is_tidied_up_in_silence(state: str, outcome: Outcome, half: Place) -> None:
    """A change that was taken back, or that had happened, before the process was killed."""
    path = _staging(half) / JOURNAL
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "state": state}), encoding="utf-8")
    before = half.state()
    (settled,) = settle(half.runtime())
    assert (settled.target, settled.outcome, settled.place, settled.notes) == (half.walnut, outcome, None, ())
    assert {path for path in half.state() if "now.json" not in path} == set(before)
    assert half.left_over() == []


def _typed(program: str, place: Place) -> tuple[int, str]:
    """`recover` by the installed program at a place: its code, and what it said."""
    done = subprocess.run(
        [program, "recover"],
        cwd=place.root,
        env={"PATH": os.environ["PATH"], "HOME": str(place.home), "LANG": "C.UTF-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


def test_a_person_reads_what_became_of_it(program: str, half: Place, tmp_path: Path) -> None:
    """Whether anything had changed, what was removed, and where lies what a person has to decide about."""
    into = "an interrupted receive into "
    absent, there = (
        _interrupted(tmp_path / name, moment, "full")
        for name, moment in (("absent", UNPACKED), ("there", "operation == 'remove-tree'"))
    )
    assert _typed(program, absent) == (
        0,
        f"{into}'{absent.walnut}' had changed nothing; what it had made ready was removed\n",
    )
    assert _typed(program, there) == (0, f"{into}'{there.walnut}' was complete; what it had left over was removed\n")
    log = half.walnut / "_kernel" / "log.md"
    theirs = _put_in_the_way(half)
    log.write_bytes(log.read_bytes() + b"mine\n")
    before = half.state()
    code, said = _typed(program, half)
    kept = _staging(half)
    why = "'shielding-review' is in its way, and '_kernel/log.md' was changed meanwhile"
    where = f"the walnut stays as it is, and what had been made ready lies in '{kept}'"
    told = f"{into}'{half.walnut}' can neither be finished nor taken back: {why}; {where}\n"
    assert (code, said) == (0, told)
    assert (kept / "tree" / "shielding-review" / "draft.md").is_file()
    assert (theirs.read_bytes(), half.state()) == (b"mine", before)
    assert (absent.left_over(), there.left_over()) == ([], [])


def test_nothing_had_happened_where_nothing_was_unpacked(tmp_path: Path) -> None:
    """Neither the walnut nor its tree is there: that is not complete."""
    moment = "operation == 'make-folder' and paths[0].name == 'tree'"
    for name in ("full", "bundles"):
        place = _interrupted(tmp_path / name, moment, name)
        (settled,) = settle(place.runtime())
        assert settled.target == place.walnut
        assert settled.outcome is (Outcome.DISCARDED if name == "full" else Outcome.COMPLETE)
        assert place.left_over() == []


def test_bundles_that_were_only_unpacked_are_discarded(tmp_path: Path) -> None:
    """Although the walnut that they were for is there."""
    place = _interrupted(tmp_path, UNPACKED)
    assert [one.outcome for one in settle(place.runtime())] == [Outcome.DISCARDED]


def test_a_share_is_told_of_a_projection_that_failed(half: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Besides that something was finished."""

    def fail(*_: object) -> None:
        raise AliveP2PError("projection-failed", "no projection today")

    monkeypatch.setattr(recovery, "write_projection", fail)
    with settled_lock(half.walnut, "create", half.runtime()) as notes:
        assert notes == (f"an interrupted receive into '{half.walnut}' was finished", "no projection today")


def test_only_the_walnut_that_is_worked_on_is_settled(tmp_path: Path) -> None:
    """By whatever name it is reached; another one waits for its turn."""
    first, second = _in_one_home(tmp_path)
    (tmp_path / "by-another-name").symlink_to(second.walnut)
    with settled_lock(tmp_path / "by-another-name", "create", first.runtime()) as notes:
        assert notes == (f"an interrupted receive into '{second.walnut}' was finished",)
    assert not (first.walnut / "shielding-review").exists()
    (settled,) = settle(first.runtime())
    assert settled.target == first.walnut


def test_a_place_is_the_same_by_any_name(half: Place, tmp_path: Path) -> None:
    """A link to a world leads to what was interrupted there, for looking as for settling."""
    (tmp_path / "world").symlink_to(half.walnut.parent)
    (note,) = recovery.interrupted_notes(half.runtime(), place=tmp_path / "world")
    assert note.startswith(f"an earlier receive into '{half.walnut}' was interrupted; `alive-p2p recover ")
    assert recovery.interrupted_notes(half.runtime(), place=tmp_path / "elsewhere") == ()
    assert [one.target for one in settle(half.runtime(), place=tmp_path / "world")] == [half.walnut]
    assert recovery.interrupted_notes(half.runtime(), place=tmp_path / "world") == ()


def test_a_registration_whose_staging_is_gone_is_not_told(half: Place) -> None:
    """Nothing is left of it that a look would have to speak of; settling forgets it."""
    files.remove_tree(_staging(half))
    assert recovery.interrupted_notes(half.runtime(), place=half.walnut) == ()
    assert settle(half.runtime()) == ()
    assert half.left_over() == []


def test_staging_inside_a_walnut_is_reported_as_well(foreign: Place) -> None:
    """There it lies where the walnut is a mount point; a parent that is not there does not hide it."""
    staging = _staging(foreign)
    inside = staging.rename(foreign.walnut / staging.name)
    (told,) = unregistered(foreign.walnut, foreign.runtime())
    assert (told.place, told.why) == (inside, "nothing is registered of it")


def test_staging_without_a_journal_is_reported_as_well(tmp_path: Path) -> None:
    """Nobody can tell which walnut beside it it was for."""
    place = _interrupted(tmp_path, UNPACKED)
    _registration(place).unlink()
    assert [one.place for one in unregistered(place.walnut, place.runtime())] == [_staging(place)]


def test_a_folder_that_cannot_be_listed_hides_no_other(foreign: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staging inside the walnut is found although its parent may not be read."""
    staging = _staging(foreign)
    inside = staging.rename(foreign.walnut / staging.name)
    list_folder = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path == foreign.walnut.parent:
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [one.place for one in unregistered(foreign.walnut, foreign.runtime())] == [inside]


def test_what_was_finished_is_not_done_again(half: Place) -> None:
    """Its staging could not be removed, so the next command comes to it as well: nothing is left to do or to tell."""

    def refuse(operation: str, _paths: tuple[Path, ...]) -> None:
        if operation == "remove-tree":
            raise OSError(5, "Input/output error")

    files.watch(refuse)
    try:
        assert [one.outcome for one in settle(half.runtime())] == [Outcome.FINISHED]
    finally:
        files.watch(None)
    assert _staging(half).is_dir()
    assert [one.outcome for one in settle(half.runtime())] == [Outcome.COMPLETE]
    assert half.left_over() == []


def test_a_walnut_that_others_hold_is_waited_for(half: Place) -> None:
    """For as long as was asked, and not at all otherwise."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        held.close()

    runtime = replace(half.runtime(), sleep=sleep)
    with ExitStack() as held:
        held.enter_context(walnut_lock(half.walnut, "receive", half.runtime()))
        with pytest.raises(BusyError), settled_lock(half.walnut, "create", runtime):
            pass
        assert waited == []
        with settled_lock(half.walnut, "create", runtime, wait_seconds=60) as notes:
            assert len(notes) == 1
    assert len(waited) == 1
