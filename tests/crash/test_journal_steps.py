"""A journal stopped after any of its steps: finished it is all there, taken back it is all as before."""

import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p import files, hashing
from alive_p2p.errors import FileSystemError
from alive_p2p.transactions.finishing import InTheWayError, finish
from alive_p2p.transactions.journal import (
    JOURNAL,
    BrokenJournalError,
    Journal,
    Operation,
    RollbackFailedError,
    State,
    TargetChangedError,
    drop,
    drop_folder,
    place,
    remove,
    substitute,
)

_OLD = [None, b"old one\n", b"old two\n"]
_NEW = [None, b"new one\n", b"new two\n"]
_PATHS = ["keep.md", "draft.md", "a/x", "a/y", "b/c/z", "f", "f/g"]


@st.composite
def _trees(draw: st.DrawFn) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What is there before and after; `f` can be a file before and a folder after, or the other way round."""
    before = {path: one for path in _PATHS if (one := draw(st.sampled_from(_OLD))) is not None}
    after = {path: one for path in _PATHS if (one := draw(st.sampled_from(_NEW))) is not None}
    for tree in (before, after):
        if "f" in tree:
            tree.pop("f/g", None)
    return {"stays.md": b"stays\n", **before}, {"stays.md": b"stays\n", **after}


def _plant(root: Path, tree: dict[str, bytes]) -> None:
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _prepare(base: Path, before: dict[str, bytes], after: dict[str, bytes]) -> Journal:
    target, staging = base / "walnut", base / "staging"
    for folder in (target, staging, staging / "rest"):
        folder.mkdir()
    _plant(target, before)
    changed = {path: content for path, content in after.items() if before.get(path) != content}
    _plant(staging / "new", changed)
    removes: list[Operation] = []
    others: list[Operation] = []
    gone = {path for path in before if path not in after}
    for number, path in enumerate(sorted(before)):
        if before[path] == after.get(path):
            continue
        (staging / "rest" / str(number)).hardlink_to(target / path)
        old = hashing.sha256(before[path])
        if path in gone:
            removes.append(remove(path, old_sha256=old, rest=f"rest/{number}"))
        else:
            new = hashing.sha256(after[path])
            step = substitute(f"new/{path}", path, new_sha256=new, old_sha256=old, rest=f"rest/{number}")
            others.append(step)
    above = {parent for path in gone for parent in _parents(path)}
    drops = sorted((one for one in above if not any(p.startswith(f"{one}/") for p in after)), key=lambda one: -len(one))
    places = {
        next((up for up in _parents(path) if up in {*gone, *drops} or not (target / up).exists()), path)
        for path in after
        if path not in before
    }
    others += [place(f"new/{path}", path) for path in sorted(places)]
    return Journal(staging, target, "0" * 64, (*removes, *map(drop_folder, drops), *others))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _each_stop(before: dict[str, bytes], after: dict[str, bytes]) -> int:
    base = Path(tempfile.mkdtemp())
    try:
        return len(_prepare(base, before, after).operations)
    finally:
        shutil.rmtree(base)


def _stopped(base: Path, before: dict[str, bytes], after: dict[str, bytes], steps: int) -> Journal:
    journal = replace(_prepare(base, before, after), state=State.COMMITTING)
    journal.write()
    for operation in journal.operations[:steps]:
        journal._carry_out(operation)
    return journal


@given(_trees())
def test_whatever_step_it_stopped_after(trees: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    """Forwards it becomes the new tree, backwards the old one; doing either twice changes nothing more."""
    before, after = trees
    for steps in range(_each_stop(before, after) + 1):
        for direction in ("forwards", "backwards"):
            with tempfile.TemporaryDirectory() as name:
                journal = _stopped(Path(name), before, after, steps)
                read = Journal.read(journal.staging)
                assert read == journal
                if direction == "forwards":
                    assert finish(journal) is None
                    assert finish(journal) is None
                    assert _tree(journal.target) == after
                    assert journal.is_over
                else:
                    journal.take_back(journal.operations)
                    journal.take_back(journal.operations)
                    assert _tree(journal.target) == before
                    assert journal.state_on_disk is State.PREPARED


@given(_trees(), st.lists(st.sampled_from(_PATHS), min_size=1, max_size=3, unique=True), st.data())
def test_what_somebody_writes_meanwhile_is_never_lost(
    trees: tuple[dict[str, bytes], dict[str, bytes]], paths: list[str], data: st.DataObject
) -> None:
    """Between the stop and the recovery somebody writes files: they are there afterwards, whatever else is decided."""
    before, after = trees
    steps = data.draw(st.integers(0, _each_stop(before, after)))
    with tempfile.TemporaryDirectory() as name:
        journal = _stopped(Path(name), before, after, steps)
        time.sleep(0.02)  # a file system tells moments apart by some milliseconds
        written = {content for path in paths if (content := _write_meanwhile(journal.target / path)) is not None}
        why: str | None = "refused"
        with suppress(FileSystemError):
            why = finish(journal)
        tree = _tree(journal.target)
        assert written <= set(tree.values())
        if why is None:
            assert {path: tree.get(path) for path in after if path not in paths} == {
                path: content for path, content in after.items() if path not in paths
            }


def _write_meanwhile(path: Path) -> bytes | None:
    if path.is_dir() or any(parent.is_file() for parent in path.parents):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    content = f"{path.name}, written meanwhile\n".encode()
    path.write_bytes(content)
    return content


@given(_trees(), st.booleans(), st.data())
def test_what_is_blocked_is_taken_back(
    trees: tuple[dict[str, bytes], dict[str, bytes]], by_folder: bool, data: st.DataObject
) -> None:
    """Somebody has put something where a step would put something new: that stays, and the rest is as before."""
    before, after = trees
    steps = data.draw(st.integers(0, _each_stop(before, after)))
    with tempfile.TemporaryDirectory() as name:
        journal = _stopped(Path(name), before, after, steps)
        taken = {*before, *(parent for path in before for parent in _parents(path))}
        new = [one.dst for one in journal.operations[steps:] if one.src and not one.rest and one.dst not in taken]
        if not new:
            return
        blocked = data.draw(st.sampled_from(new))
        mine = f"{blocked}/mine.md" if by_folder else blocked
        _plant(journal.target, {mine: b"mine\n"})
        assert finish(journal) == f"'{blocked}' is in its way"
        assert _tree(journal.target) == {**before, mine: b"mine\n"}
        assert journal.state_on_disk is State.PREPARED


@pytest.mark.parametrize(("old", "new"), [("f", "f/g"), ("f/g", "f"), ("f/g/h", "f"), ("f", "f/g/h")])
def test_a_file_that_became_a_folder_is_taken_back(old: str, new: str, tmp_path: Path) -> None:
    """Or a folder that became a file: what took its place goes, and it comes back."""
    before = {old: b"old\n"}
    journal = _prepare(tmp_path, before, {new: b"new\n", "last.md": b"new\n"})
    journal = replace(journal, state=State.COMMITTING)
    journal.write()
    for operation in journal.operations[:-1]:
        journal._carry_out(operation)
    assert _tree(journal.target) == {new: b"new\n"}
    _plant(journal.target, {"last.md": b"mine\n"})
    assert finish(journal) == "'last.md' is in its way"
    assert _tree(journal.target) == {**before, "last.md": b"mine\n"}


class _Stop(BaseException):
    """The process ends here."""


def _refusing(at: int, error: BaseException, *, for_good: bool = False) -> Callable[[str, tuple[Path, ...]], None]:
    """A watcher that raises at the `at`-th operation, and if asked to at every later one."""
    counting = itertools.count(1)

    def watcher(_operation: str, _paths: tuple[Path, ...]) -> None:
        number = next(counting)
        if number == at or (for_good and number > at):
            raise error

    return watcher


@contextmanager
def _watched(watcher: Callable[[str, tuple[Path, ...]], None]) -> Iterator[None]:
    files.watch(watcher)
    try:
        yield
    finally:
        files.watch(None)


@pytest.mark.parametrize("old", ["f/g", "f/g/h"])
@pytest.mark.parametrize("steps", range(4))
def test_a_folder_that_somebody_fills_does_not_give_way_to_a_file(steps: int, old: str, tmp_path: Path) -> None:
    """It cannot be dropped any more, so the file has no place: nothing of either is lost."""
    before = {old: b"old\n"}
    journal = _stopped(tmp_path, before, {"f": b"new\n"}, min(steps, len(_parents(old))))
    _plant(journal.target, {"f/mine.md": b"mine\n"})
    assert finish(journal) == "'f' is in its way"
    assert _tree(journal.target) == {**before, "f/mine.md": b"mine\n"}
    assert (journal.staging / "new" / "f").read_bytes() == b"new\n"


@pytest.mark.parametrize("old", ["f/g", "f/g/h"])
def test_a_file_in_the_place_of_a_dropped_folder_stops_both_ways(old: str, tmp_path: Path) -> None:
    """The new file has no place, and what was in the folder cannot come back: nothing at all is touched."""
    journal = _prepare(tmp_path, {old: b"old\n", "edited.md": b"old\n"}, {"f": b"new\n", "edited.md": b"new\n"})
    journal = replace(journal, state=State.COMMITTING)
    journal.write()
    for operation in journal.operations[:-1]:
        journal._carry_out(operation)
    _plant(journal.target, {"f": b"mine\n"})
    with pytest.raises(InTheWayError, match="'f' is in its way, and 'f' was changed meanwhile"):
        finish(journal)
    assert _tree(journal.target) == {"f": b"mine\n", "edited.md": b"new\n"}
    assert (journal.staging / "new" / "f").read_bytes() == b"new\n"


def test_an_edit_in_the_midst_of_taking_back_is_kept(tmp_path: Path) -> None:
    """Somebody writes after the look at whether all can go back: their version stays, and the old one is kept."""
    before = {"a.md": b"old a\n", "b.md": b"old b\n"}
    journal = _stopped(tmp_path, before, {"a.md": b"new a\n", "b.md": b"new b\n", "last.md": b"new\n"}, 2)
    _plant(journal.target, {"last.md": b"mine\n"})
    assert _tree(journal.target)["a.md"] == b"new a\n"

    def edit(_operation: str, _paths: tuple[Path, ...]) -> None:
        (journal.target / "a.md").write_bytes(b"meanwhile\n")

    with _watched(edit), pytest.raises(InTheWayError) as caught:
        finish(journal)
    edited = journal.target / "a.md"
    assert (caught.value.code, caught.value.message) == (
        "in-the-way",
        f"'last.md' is in its way, and '{edited}' changed meanwhile",
    )
    assert _tree(journal.target) == {"a.md": b"meanwhile\n", "b.md": b"old b\n", "last.md": b"mine\n"}
    assert b"old a\n" in {path.read_bytes() for path in journal.staging.rglob("*") if path.is_file()}


_OF_EVERY_KIND = (
    {"edited.md": b"old\n", "removed/x": b"old\n", "f": b"old\n"},
    {"edited.md": b"new\n", "new/x": b"new\n", "f/g": b"new\n", "last.md": b"new\n"},
)


@pytest.mark.parametrize("forwards", [True, False], ids=["forwards", "backwards"])
@pytest.mark.parametrize("steps", range(8))
def test_a_recovery_that_is_stopped_at_any_of_its_operations(steps: int, forwards: bool) -> None:
    """Twice at the same one: the next one ends it, and it is the new tree, or the old one."""
    before, after = _OF_EVERY_KIND
    for at in itertools.count(1):
        with tempfile.TemporaryDirectory() as name:
            journal = _stopped(Path(name), before, after, steps)
            recover = (lambda: finish(journal)) if forwards else (lambda: journal.take_back(journal.operations))  # noqa: B023
            reached = 0
            for _ in range(2):
                with _watched(_refusing(at, _Stop())):
                    try:
                        recover()
                    except _Stop:
                        reached += 1
            recover()
            assert _tree(journal.target) == (after if forwards else before)
            assert (journal.state_on_disk is State.COMMITTING) == forwards
        if not reached:
            break
    assert at > 1


@given(_trees(), st.integers(1, 40), st.booleans())
def test_a_disk_that_refuses_any_step(
    trees: tuple[dict[str, bytes], dict[str, bytes]], at: int, for_good: bool
) -> None:
    """All of it has happened or none of it; or, where it cannot be put back, the journal says how to finish it."""
    before, after = trees
    with tempfile.TemporaryDirectory() as name:
        journal = _prepare(Path(name), before, after)
        failed: FileSystemError | None = None
        with _watched(_refusing(at, OSError(5, "Input/output error"), for_good=for_good)):
            try:
                journal.commit()
            except FileSystemError as error:
                failed = error
        if failed is None:
            assert _tree(journal.target) == after
            assert journal.is_over
            return
        assert failed.code == ("interrupted" if isinstance(failed, RollbackFailedError) else "io-error")
        if isinstance(failed, RollbackFailedError):
            assert for_good
            assert str(journal.target) in failed.message
            assert str(journal.target) in (failed.hint or "")
            assert isinstance(failed.__cause__, FileSystemError)
            assert failed.__cause__.code == "io-error"
        else:
            assert journal.state_on_disk is State.PREPARED
        if journal.state_on_disk is State.PREPARED:
            assert _tree(journal.target) == before
            return
        assert finish(journal) is None
        assert _tree(journal.target) == after


@given(_trees(), st.data())
def test_what_changed_since_it_was_read_is_not_replaced(
    trees: tuple[dict[str, bytes], dict[str, bytes]], data: st.DataObject
) -> None:
    """Nor removed: whichever of the steps finds it, the steps before it are taken back."""
    before, after = trees
    given_way = [path for path in before if after.get(path) != before[path]]
    if not given_way:
        return
    edited = data.draw(st.sampled_from(given_way))
    with tempfile.TemporaryDirectory() as name:
        journal = _prepare(Path(name), before, after)
        (journal.target / edited).unlink()
        (journal.target / edited).write_bytes(b"edited\n")
        with pytest.raises(TargetChangedError) as caught:
            journal.commit()
        assert _tree(journal.target) == {**before, edited: b"edited\n"}
        assert journal.state_on_disk is State.PREPARED
        told = (caught.value.code, caught.value.message, caught.value.untouched, caught.value.hint)
        assert told == (
            "changed-meanwhile",
            f"'{journal.target / edited}' changed meanwhile",
            "everything",
            "run it again",
        )


@given(_trees())
def test_it_is_carried_out_whole(trees: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    """And says so."""
    before, after = trees
    with tempfile.TemporaryDirectory() as name:
        journal = _prepare(Path(name), before, after)
        journal.commit()
        assert _tree(journal.target) == after
        assert journal.state_on_disk is State.DONE


def test_committing_is_on_disk_before_anything_changes(tmp_path: Path) -> None:
    """Whoever looks from the first change to the last sees a journal that says so, whole."""
    before, after = {"a": b"old\n", "b": b"gone\n"}, {"a": b"new\n", "c/d": b"more\n"}
    journal = _prepare(tmp_path, before, after)
    seen: list[object] = []

    def look(_operation: str, paths: tuple[Path, ...]) -> None:
        if any(journal.target in path.parents for path in paths):
            seen.append(Journal.read(journal.staging))

    files.watch(look)
    try:
        journal.commit()
    finally:
        files.watch(None)
    assert seen
    assert set(map(repr, seen)) == {repr(replace(journal, state=State.COMMITTING))}


@pytest.mark.parametrize("way", ["commit", "finish", "take back"])
def test_names_are_flushed_before_the_journal_says_so(way: str, tmp_path: Path) -> None:
    """Otherwise a power cut could lose a step that nothing would do again; the content is flushed before the first."""
    journal = _prepare(tmp_path, *_OF_EVERY_KIND)
    if way != "commit":
        journal = replace(journal, state=State.COMMITTING)
        journal.write()
    for operation in journal.operations if way == "take back" else ():
        journal._carry_out(operation)
    seen: list[tuple[str, tuple[Path, ...]]] = []
    with _watched(lambda operation, paths: seen.append((operation, paths))):
        if way == "commit":
            journal.commit()
        elif way == "finish":
            assert finish(journal) is None
        else:
            journal.take_back(journal.operations)
    if way == "commit":
        assert seen[0] == ("flush-tree", (journal.staging,))
    if way != "finish":
        assert seen.pop() == ("flush-folder", (journal.staging,))
        last = max(at for at, (_, paths) in enumerate(seen) if paths[-1] == journal.staging / JOURNAL)
        assert all(journal.target not in path.parents for _, paths in seen[last:] for path in paths)
        del seen[last:]
    changed = {
        path.parent: at
        for at, (operation, paths) in enumerate(seen)
        if not operation.startswith("flush")
        for path in paths
        if journal.target in path.parents and path.parent.is_dir()
    }
    assert journal.target in changed
    assert all(("flush-folder", (folder,)) in seen[at:] for folder, at in changed.items())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_nobody_else_may_read_or_write_the_journal(tmp_path: Path) -> None:
    """It is obeyed, and it says what somebody receives."""
    journal = _prepare(tmp_path, {"a": b"old\n"}, {"a": b"new\n"})
    for state in State:
        replace(journal, state=state).write()
        assert (journal.staging / JOURNAL).stat().st_mode & 0o7777 == 0o600


def test_a_step_that_fails_takes_the_others_back(tmp_path: Path) -> None:
    """The disk refuses one of them: everything is as before, and the journal says that nothing happened."""
    before, after = {"a": b"old\n", "b": b"gone\n"}, {"a": b"new\n", "c/d": b"more\n"}
    journal = _prepare(tmp_path, before, after)

    def refuse(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[-1] == journal.target / "c":
            raise OSError(28, "No space left on device")

    files.watch(refuse)
    try:
        with pytest.raises(FileSystemError, match="change") as caught:
            journal.commit()
    finally:
        files.watch(None)
    assert str(journal.target) in str(caught.value)
    assert _tree(journal.target) == before
    assert journal.state_on_disk is State.PREPARED
    assert journal.is_over


def test_only_an_empty_folder_is_dropped(tmp_path: Path) -> None:
    """What somebody has put there meanwhile stays, and a link is no folder; that is no failure."""
    for name in ("empty", "full", "behind"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.md").write_bytes(b"mine\n")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("behind", target_is_directory=True)
    for name in ("empty", "full", "file", "link", "absent"):
        drop(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["behind", "file", "full", "link"]


def test_a_link_on_the_way_is_not_followed(tmp_path: Path) -> None:
    """At whatever depth it lies; a link that is itself what gives way is another matter."""
    journal = _prepare(tmp_path, {"a/b/x": b"old\n"}, {"a/b/x": b"new\n"})
    journal.check_parents()
    shutil.move(journal.target / "a" / "b", tmp_path / "elsewhere")
    (journal.target / "a" / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(FileSystemError, match="symbolic link"):
        journal.commit()
    assert (tmp_path / "elsewhere" / "x").read_bytes() == b"old\n"


def test_a_link_at_the_end_of_the_way_is_no_link_on_the_way(tmp_path: Path) -> None:
    """What is put in place beside one does not go through it."""
    journal = _prepare(tmp_path, {"a/x": b"old\n"}, {"a/x": b"new\n"})
    (journal.target / "a" / "x").unlink()
    (journal.target / "a" / "x").symlink_to(tmp_path)
    journal.check_parents()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"target": "relative"},
        {"import_id": 3},
        {"records": []},
        {"records": {"_kernel/log.md": 1}},
        {"state": "other"},
        {"operations": [{"src": "../x", "dst": "a", "new_sha256": None, "old_sha256": None, "rest": None}]},
    ],
)
def test_a_journal_that_is_wrong_in_one_thing_is_not_read(tmp_path: Path, change: dict[str, object]) -> None:
    """Nothing of it is obeyed."""
    journal = _prepare(tmp_path, {"a": b"old\n"}, {"a": b"new\n"})
    journal.write()
    document = json.loads((journal.staging / JOURNAL).read_bytes())
    (journal.staging / JOURNAL).write_text(json.dumps({**document, **change}), encoding="utf-8")
    with pytest.raises(BrokenJournalError):
        Journal.read(journal.staging)


@pytest.mark.parametrize(
    "fields",
    [
        {"src": "../x", "dst": "a"},
        {"src": "x", "dst": "/a"},
        {"src": "x", "dst": "a/../../b"},
        {"src": "x", "dst": "a", "old_sha256": "0" * 64},
        {"src": "x", "dst": "a", "old_sha256": "0" * 64, "rest": "../r"},
        {"src": "x", "dst": "a", "new_sha256": "0"},
        {"src": None, "dst": "a", "new_sha256": "0" * 64},
        {"src": 3, "dst": "a"},
        {"src": "x\0", "dst": "a"},
    ],
)
def test_what_leaves_its_folders_is_not_sound(fields: dict[str, str]) -> None:
    """A journal that says so is not obeyed."""
    assert not Operation(**fields).is_sound()  # type: ignore[arg-type]
