"""Taking the last receive back: what it brought goes, what gave way comes back, what was done since stays."""

import json
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, BusyError, WalnutError
from alive_p2p.locks import walnut_lock
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest, ReceiveResult
from alive_p2p.receiving.undo_plan import UndoFate
from alive_p2p.receiving.undoing import UndoResult, preview_undo, undo
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.ledger import LISTS_KEPT
from worlds import NOVA, Clock, craft, ledger_of, nothing_left, pack, plant, tree_of

REVIEW = "shielding-review"
OURS = ("_kernel/log.md", "_kernel/imports.json", "_kernel/now.json")
TASKS = b'{"tasks": [{"id": "t-001", "title": "measure", "status": "todo"}]}\n'


@dataclass
class Pair:
    """Alice's walnut, and Ben's copy of it; time passes between what Ben does."""

    base: Path
    runtime: Runtime
    clock: Clock
    count: int = 0

    @property
    def alice(self) -> Path:
        return self.base / "alice" / "nova"

    @property
    def ben(self) -> Path:
        return self.base / "ben" / "nova"

    def later(self) -> None:
        self.clock.moment += timedelta(minutes=5)

    def packed(self, **options: Any) -> Path:
        self.count += 1
        self.later()
        return pack(self.alice, self.base / f"{self.count}.walnut", self.runtime, **options)

    def receive(self, package: Path, **options: Any) -> ReceiveResult:
        self.later()
        return receive(ReceiveRequest(package, target=self.ben, **options), self.runtime)

    def update(self, **tree: bytes | None) -> ReceiveResult:
        """Alice changes files of the bundle, and Ben receives that."""
        for name, content in tree.items():
            path = self.alice / REVIEW / name
            if content is None:
                path.unlink()
            else:
                plant(path.parent, {path.name: content})
        return self.receive(self.packed(scope="bundle", bundles=(REVIEW,)), update=True)

    def undo(self) -> UndoResult:
        self.later()
        return undo(self.ben, self.runtime)

    def fates(self, result: UndoResult) -> dict[str, UndoFate]:
        return {one.path: one.fate for one in result.plan.changes}


@pytest.fixture
def pair(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> Pair:
    clock = Clock()
    made = Pair(tmp_path, make_runtime(clock=clock), clock)
    plant(made.alice, {**NOVA, f"{REVIEW}/tasks.json": TASKS, f"{REVIEW}/notes.md": b"notes\n"})
    made.ben.parent.mkdir()
    return made


def theirs(walnut: Path) -> dict[str, str]:
    """The tree without what every change rewrites, and without our own bookkeeping."""
    return {path: what for path, what in tree_of(walnut).items() if path not in OURS and "/.p2p" not in path}


# --- exactly as before ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["full", "snapshot"])
def test_a_walnut_that_came_goes_whole(pair: Pair, scope: str) -> None:
    """Nothing of it is left, and nothing beside it; received again it is as the first time."""
    package = pair.packed(scope=scope)
    pair.receive(package)
    before = theirs(pair.ben)
    assert pair.undo().plan.takes_walnut
    assert not pair.ben.exists()
    assert list(pair.ben.parent.iterdir()) == []
    pair.receive(package)
    assert theirs(pair.ben) == before


def test_bundles_that_came_go(pair: Pair) -> None:
    """Empty folders and all; the walnut, its permissions included, is as before."""
    pair.receive(pair.packed(scope="snapshot"))
    plant(pair.ben, {"mine.md": b"mine\n", "empty/": b""})
    plant(pair.alice, {f"{REVIEW}/deep/er/empty/": b"", f"{REVIEW}/run.sh": b"#!/bin/sh\n"})
    (pair.alice / REVIEW / "run.sh").chmod(0o755)
    before, ids = theirs(pair.ben), ledger_of(pair.ben)
    package = pair.packed(scope="bundle", bundles=(REVIEW, "launch-window"))
    pair.receive(package)
    after = theirs(pair.ben)
    result = pair.undo()
    assert theirs(pair.ben) == before
    assert ledger_of(pair.ben) == ids
    assert set(pair.fates(result).values()) == {UndoFate.REMOVE}
    assert nothing_left(pair.ben.parent)
    pair.receive(package)
    assert theirs(pair.ben) == after


def test_an_update_is_taken_back_to_the_byte(pair: Pair) -> None:
    """What it replaced, removed, added, merged and put beside: all is as before, and the store is empty."""
    pair.receive(pair.packed(scope="full"))
    plant(pair.ben, {f"{REVIEW}/notes.md": b"mine\n", f"{REVIEW}/tasks.json": TASKS.replace(b"todo", b"done")})
    (pair.ben / REVIEW / "draft.md").chmod(0o600)
    before, ledger = theirs(pair.ben), ledger_of(pair.ben)
    (pair.alice / REVIEW / "raw" / "dose.csv").unlink()
    tasks = b'{"tasks": [{"id": "t-001", "title": "measure twice", "status": "todo"}]}\n'
    plant(pair.alice, {f"{REVIEW}/new/deep/plan.md": b"new\n", f"{REVIEW}/tasks.json": tasks})
    pair.update(**{"draft.md": b"theirs\n", "notes.md": b"theirs\n"})
    assert theirs(pair.ben) != before
    result = pair.undo()
    assert theirs(pair.ben) == before
    assert ledger_of(pair.ben) == ledger
    assert not (pair.ben / "_kernel" / ".p2p").exists()
    assert result.plan.kept == ()
    assert result.warnings == ()


def test_a_file_that_became_a_folder_and_back(pair: Pair) -> None:
    """Both directions are taken back."""
    plant(pair.alice, {f"{REVIEW}/a": b"file\n", f"{REVIEW}/b/c.md": b"in a folder\n"})
    pair.receive(pair.packed(scope="full"))
    before = theirs(pair.ben)
    (pair.alice / REVIEW / "a").unlink()
    (pair.alice / REVIEW / "b" / "c.md").unlink()
    (pair.alice / REVIEW / "b").rmdir()
    plant(pair.alice, {f"{REVIEW}/a/in.md": b"in\n", f"{REVIEW}/b": b"file\n"})
    pair.update()
    assert (pair.ben / REVIEW / "b").is_file()
    pair.undo()
    assert theirs(pair.ben) == before


def test_empty_folders_that_made_room_come_back(pair: Pair) -> None:
    """All of them, below one that the update emptied as well."""
    plant(pair.alice, {f"{REVIEW}/b/c.md": b"in a folder\n"})
    pair.receive(pair.packed(scope="full"))
    plant(pair.ben, {f"{REVIEW}/a/deep/er/": b"", f"{REVIEW}/a/two/": b"", f"{REVIEW}/b/mine/": b""})
    before = theirs(pair.ben)
    (pair.alice / REVIEW / "b" / "c.md").unlink()
    (pair.alice / REVIEW / "b").rmdir()
    pair.update(a=b"file\n", b=b"file\n")
    assert (pair.ben / REVIEW / "a").is_file()
    assert (pair.ben / REVIEW / "b").is_file()
    plan = pair.undo().plan
    assert plan.empty == tuple(f"{REVIEW}/{one}" for one in ("a/deep/er", "a/two", "b/mine"))
    assert theirs(pair.ben) == before


def test_empty_folders_come_back_only_where_there_is_room(pair: Pair) -> None:
    """A file that was edited since stays, and so does what was put in its place; what is free is used."""
    pair.receive(pair.packed(scope="full"))
    plant(pair.ben, {f"{REVIEW}/{name}/deep/": b"" for name in "abcd"})
    pair.update(**dict.fromkeys("abcd", b"file\n"))
    here = pair.ben / REVIEW
    (here / "a").write_bytes(b"edited\n")
    (here / "b").unlink()
    (here / "c").unlink()
    (here / "c").symlink_to(here / "raw", target_is_directory=True)
    (here / "d").unlink()
    plant(here, {"d/deep": b"mine\n"})
    pair.undo()
    assert (here / "a").read_bytes() == b"edited\n"
    assert (here / "b" / "deep").is_dir()
    assert (here / "c").is_symlink()
    assert not (here / "raw" / "deep").exists()
    assert (here / "d" / "deep").read_bytes() == b"mine\n"


def test_folders_that_a_record_names_elsewhere_are_not_made(pair: Pair) -> None:
    """Not outside the walnut, not in its kernel, not through a link."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"notes.md": b"theirs\n"})
    [record] = (pair.ben / "_kernel" / ".p2p" / "undo").glob("*/record.json")
    outside = plant(pair.base / "outside", {})
    (pair.ben / "link").symlink_to(outside, target_is_directory=True)
    named = ["../out", f"{pair.base}/absolute", "_kernel/new", "link/new", f"{REVIEW}/notes.md/new", "fine//new/"]
    record.write_text(json.dumps({**json.loads(record.read_bytes()), "dropped": named}), encoding="utf-8")
    pair.undo()
    assert not (pair.base / "ben" / "out").exists()
    assert not (pair.base / "absolute").exists()
    assert not (pair.ben / "_kernel" / "new").exists()
    assert list(outside.iterdir()) == []
    assert (pair.ben / REVIEW / "notes.md").read_bytes() == b"notes\n"


def test_an_empty_folder_where_a_file_was_makes_room_for_it(pair: Pair) -> None:
    """What the update removed comes back although somebody has made an empty folder of that name since."""
    pair.receive(pair.packed(scope="full"))
    before = theirs(pair.ben)
    pair.update(**{"notes.md": None})
    plant(pair.ben, {f"{REVIEW}/notes.md/deep/": b""})
    result = pair.undo()
    assert pair.fates(result)[f"{REVIEW}/notes.md"] is UndoFate.PUT_BACK
    assert theirs(pair.ben) == before


def test_everything_is_taken_back_one_after_the_other(pair: Pair) -> None:
    """A walnut, a bundle and two updates; at the end nothing is left of it."""
    states = []
    pair.receive(pair.packed(scope="full"))
    for number in range(3):
        states.append(theirs(pair.ben))
        pair.update(**{"draft.md": b"round %d\n" % number, f"new-{number}.md": b"new\n"})
    for state in reversed(states):
        pair.undo()
        assert theirs(pair.ben) == state
    assert pair.undo().plan.takes_walnut
    assert not pair.ben.exists()


def test_only_the_last_three_updates_are_kept(pair: Pair) -> None:
    """The fourth is refused, with the reason, and nothing is touched."""
    pair.receive(pair.packed(scope="full"))
    for number in range(4):
        pair.update(**{"draft.md": b"round %d\n" % number})
    assert len(list((pair.ben / "_kernel/.p2p/undo").iterdir())) == 3
    for _ in range(3):
        pair.undo()
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"round 0\n"
    before = tree_of(pair.ben)
    with pytest.raises(WalnutError, match="not kept any more"):
        pair.undo()
    assert tree_of(pair.ben) == before


def test_a_receive_of_which_no_list_is_left_is_refused(pair: Pair) -> None:
    """The same bundle came again and again, each time under a new name: the first is forgotten, and said to be."""
    pair.receive(pair.packed(scope="snapshot"))
    package = None
    for number in range(LISTS_KEPT + 2):
        plant(pair.alice, {f"{REVIEW}/draft.md": b"%d\n" % number})
        package = pair.packed(scope="bundle", bundles=(REVIEW,))
        pair.receive(package, rename=True)
    for _ in range(LISTS_KEPT + 1):
        pair.undo()
    before = tree_of(pair.ben)
    with pytest.raises(WalnutError, match="too long ago, and which files it brought is not known any more") as caught:
        pair.undo()
    assert (caught.value.code, caught.value.hint) == (
        "cannot-undo",
        f"what it brought can be removed by hand: {REVIEW}",
    )
    assert tree_of(pair.ben) == before


def test_a_renamed_bundle_goes_and_the_one_in_its_way_stays(pair: Pair) -> None:
    """Under the name it has here."""
    pair.receive(pair.packed(scope="snapshot"))
    plant(pair.ben, {f"{REVIEW}/context.manifest.yaml": b"goal: mine\n"})
    before = theirs(pair.ben)
    pair.receive(pair.packed(scope="bundle", bundles=(REVIEW,)), rename=True)
    assert theirs(pair.ben) != before
    pair.undo()
    assert theirs(pair.ben) == before


def test_what_a_migration_wrote_goes_too(pair: Pair, tmp_path: Path) -> None:
    """Task files, and the lines that were no tasks, are the receive's."""
    pair.receive(pair.packed(scope="snapshot"))
    before = theirs(pair.ben)
    old = {
        "_kernel/key.md": NOVA["_kernel/key.md"],
        "bundles/alpha/context.manifest.yaml": b"goal: x\n",
        "bundles/alpha/tasks.md": b"- [ ] one\nnot a task\n",
    }
    package = craft(tmp_path / "old.walnut", old, scope="bundle", bundles=["alpha"], source_layout="v2")
    pair.receive(package, into_other_walnut=True)
    assert (pair.ben / "alpha" / "tasks.md.migrated").exists()
    pair.undo()
    assert theirs(pair.ben) == before


# --- what was done since -------------------------------------------------------------------------------------


def test_what_was_edited_since_stays_and_its_former_version_goes_beside(pair: Pair) -> None:
    """Nothing of three versions is lost that is nowhere else."""
    pair.receive(pair.packed(scope="full"))
    plant(pair.ben, {f"{REVIEW}/raw/dose.csv": b"material,cm\nwater,40\n"})
    pair.update(**{"draft.md": b"theirs\n", "plan.md": b"new\n", "raw/dose.csv": None})
    plant(pair.ben, {f"{REVIEW}/draft.md": b"mine since\n", f"{REVIEW}/plan.md": b"mine too\n"})
    plant(pair.ben, {f"{REVIEW}/raw/dose.csv": b"again, by me\n"})
    result = pair.undo()
    review = pair.ben / REVIEW
    assert (review / "draft.md").read_bytes() == b"mine since\n"
    assert (review / "draft.before-20260407.md").read_bytes() == NOVA[f"{REVIEW}/draft.md"]
    assert (review / "plan.md").read_bytes() == b"mine too\n"
    assert (review / "raw/dose.csv").read_bytes() == b"again, by me\n"
    assert (review / "raw/dose.before-20260407.csv").read_bytes() == NOVA[f"{REVIEW}/raw/dose.csv"]
    assert {one.path for one in result.plan.kept} == {f"{REVIEW}/{n}" for n in ("draft.md", "plan.md", "raw/dose.csv")}


def test_a_name_beside_that_is_taken_gets_a_number(pair: Pair) -> None:
    """Nothing there is replaced."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"theirs\n"})
    plant(pair.ben, {f"{REVIEW}/draft.md": b"mine\n", f"{REVIEW}/draft.before-20260407.md": b"there\n"})
    pair.undo()
    assert (pair.ben / REVIEW / "draft.before-20260407.md").read_bytes() == b"there\n"
    assert (pair.ben / REVIEW / "draft.before-20260407-2.md").read_bytes() == NOVA[f"{REVIEW}/draft.md"]


def test_a_file_that_was_removed_since_comes_back_as_it_was_before(pair: Pair) -> None:
    """Its version of before would be lost otherwise; what only the receive had brought stays away."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"theirs\n", "plan.md": b"new\n"})
    (pair.ben / REVIEW / "draft.md").unlink()
    (pair.ben / REVIEW / "plan.md").unlink()
    pair.undo()
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == NOVA[f"{REVIEW}/draft.md"]
    assert not (pair.ben / REVIEW / "plan.md").exists()


def test_tasks_are_taken_back_one_by_one(pair: Pair) -> None:
    """What the update did goes; what was done since, to the same task and to others, stays."""
    pair.receive(pair.packed(scope="full"))
    pair.update(
        **{"tasks.json": b'{"tasks": [{"id":"t-001","title":"twice","status":"todo"},{"id":"t-002","title":"b"}]}'}
    )
    path = pair.ben / REVIEW / "tasks.json"
    tasks = json.loads(path.read_bytes())
    tasks["tasks"][0]["status"] = "done"
    tasks["tasks"].append({"id": "t-003", "title": "mine"})
    path.write_text(json.dumps(tasks), encoding="utf-8")
    result = pair.undo()
    assert pair.fates(result) == {f"{REVIEW}/tasks.json": UndoFate.MERGE}
    assert json.loads(path.read_bytes())["tasks"] == [
        {"id": "t-001", "title": "measure", "status": "done"},
        {"id": "t-003", "title": "mine"},
    ]


def test_a_task_that_was_changed_since_is_there_twice(pair: Pair) -> None:
    """Ours stays as it is; what it was before comes back beside it, and that is said."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"tasks.json": TASKS.replace(b"measure", b"measure twice")})
    path = pair.ben / REVIEW / "tasks.json"
    path.write_bytes(path.read_bytes().replace(b"measure twice", b"measure thrice"))
    result = pair.undo()
    first, second = json.loads(path.read_bytes())["tasks"]
    assert (first["id"], first["title"]) == ("t-001", "measure thrice")
    assert (second["title"], second["conflicts_with"]) == ("measure", "t-001")
    (told,) = result.warnings
    assert told.startswith(
        f"'{REVIEW}/tasks.json': task 't-001' was changed since as well; what it was before is there"
    )


def test_a_task_file_that_is_none_any_more_stays(pair: Pair) -> None:
    """The former one goes beside it."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"tasks.json": b'{"tasks": []}'})
    plant(pair.ben, {f"{REVIEW}/tasks.json": b"{broken"})
    pair.undo()
    assert (pair.ben / REVIEW / "tasks.json").read_bytes() == b"{broken"
    assert (pair.ben / REVIEW / "tasks.before-20260407.json").read_bytes() == TASKS


def test_a_walnut_in_which_something_was_done_stays_one(pair: Pair) -> None:
    """What is edited or added stays, with the kernel and the manifest of its bundle; the rest goes."""
    pair.receive(pair.packed(scope="full"))
    plant(pair.ben, {f"{REVIEW}/draft.md": b"mine\n", "mine.md": b"mine\n"})
    result = pair.undo()
    assert not result.plan.takes_walnut
    left = {path for path in theirs(pair.ben) if not path.startswith("_kernel") and not path.endswith("/")}
    assert left == {"mine.md", f"{REVIEW}/draft.md", f"{REVIEW}/context.manifest.yaml"}
    assert (pair.ben / "_kernel" / "key.md").exists()
    assert ledger_of(pair.ben)["imports"] == []
    with pytest.raises(WalnutError, match="nothing was received"):
        pair.undo()


@pytest.mark.parametrize("path", ["_kernel/key.md", "_kernel/insights.md", "_kernel/log.md", "_kernel/notes.md"])
def test_a_kernel_that_was_edited_keeps_the_walnut(pair: Pair, path: str) -> None:
    """A word of the receiver's anywhere in it is enough."""
    pair.receive(pair.packed(scope="full"))
    place = pair.ben / path
    place.write_bytes((place.read_bytes() if place.exists() else b"") + b"\nmine\n")
    edited = place.read_bytes()
    assert not pair.undo().plan.takes_walnut
    assert edited in place.read_bytes() or path == "_kernel/log.md"
    assert b"mine" in place.read_bytes()


def test_an_entry_of_ones_own_in_the_log_keeps_the_walnut(pair: Pair) -> None:
    """Also one that only begins like ours."""
    pair.receive(pair.packed(scope="full"))
    log = pair.ben / "_kernel" / "log.md"
    said = b"Imported package from ben via P2P.\n\nI also sold it.\n\n"
    entry = b"## 2026-04-07T11:00:00Z - squirrel:x\n\n" + said + b"signed: squirrel:x\n\n"
    head, _, rest = log.read_bytes().partition(b"\n## ")
    log.write_bytes(head + b"\n" + entry + b"## " + rest)
    assert not pair.undo().plan.takes_walnut


def test_sessions_in_a_manifest_are_no_edit(pair: Pair) -> None:
    """An agent that has looked at a bundle does not make it the receiver's."""
    pair.receive(pair.packed(scope="full"))
    manifest = pair.ben / REVIEW / "context.manifest.yaml"
    manifest.write_bytes(manifest.read_bytes() + b"active_sessions:\n  - spring\n")
    assert pair.undo().plan.takes_walnut


def test_a_link_or_folder_in_the_way_stays(pair: Pair, tmp_path: Path) -> None:
    """What a link leads to is neither read nor written; the former version goes beside it."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"theirs\n", "notes.md": b"theirs\n", "plan/x.md": b"new\n"})
    outside = plant(tmp_path / "outside", {"x.md": b"new\n", "draft.md": b"theirs\n"})
    for name in ("draft.md", "notes.md"):
        (pair.ben / REVIEW / name).unlink()
    (pair.ben / REVIEW / "draft.md").symlink_to(outside / "draft.md")
    plant(pair.ben, {f"{REVIEW}/notes.md/mine.md": b"mine\n"})
    (pair.ben / REVIEW / "plan" / "x.md").unlink()
    (pair.ben / REVIEW / "plan").rmdir()
    (pair.ben / REVIEW / "plan").symlink_to(outside, target_is_directory=True)
    before = tree_of(outside)
    pair.undo()
    assert tree_of(outside) == before
    assert (pair.ben / REVIEW / "draft.md").is_symlink()
    assert (pair.ben / REVIEW / "draft.before-20260407.md").read_bytes() == NOVA[f"{REVIEW}/draft.md"]
    assert (pair.ben / REVIEW / "notes.before-20260407.md").read_bytes() == b"notes\n"
    assert (pair.ben / REVIEW / "notes.md" / "mine.md").read_bytes() == b"mine\n"
    assert (pair.ben / REVIEW / "plan").is_symlink()


# --- what cannot be taken back -------------------------------------------------------------------------------


def test_a_receive_of_another_program_is_refused(pair: Pair) -> None:
    """Nobody noted what it put where; the bundles are named."""
    pair.receive(pair.packed(scope="full"))
    ledger = pair.ben / "_kernel" / "imports.json"
    document = json.loads(ledger.read_bytes())
    del document["imports"][0]["undo"]
    ledger.write_text(json.dumps(document), encoding="utf-8")
    before = tree_of(pair.ben)
    with pytest.raises(WalnutError, match="did not note") as refused:
        pair.undo()
    assert REVIEW in str(refused.value.hint)
    assert tree_of(pair.ben) == before


@pytest.mark.parametrize(
    "how", ["gone", "other content", "a link", "no record", "a record of nonsense", "store is a link"]
)
def test_a_store_that_is_not_whole_is_refused(pair: Pair, tmp_path: Path, how: str) -> None:
    """Nothing is touched, and nothing but what gave way is ever put back."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"theirs\n"})
    (store,) = (pair.ben / "_kernel/.p2p/undo").iterdir()
    kept, secret = store / "0", plant(tmp_path / "out", {"s": NOVA[f"{REVIEW}/draft.md"]}) / "s"
    if how in {"gone", "a link"}:
        kept.unlink()
    if how == "a link":
        kept.symlink_to(secret)
    if how == "other content":
        kept.write_bytes(b"planted\n")
    if how == "no record":
        (store / "record.json").unlink()
    if how == "a record of nonsense":
        row = {"path": 3, "was": None, "now": None}
        (store / "record.json").write_text(json.dumps({"version": 1, "folders": [], "files": [row]}), encoding="utf-8")
    if how == "store is a link":
        store.parent.rename(tmp_path / "elsewhere")
        store.parent.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = tree_of(pair.ben)
    with pytest.raises(WalnutError, match="not kept"):
        pair.undo()
    assert tree_of(pair.ben) == before
    assert nothing_left(pair.ben.parent)


@pytest.mark.parametrize("path", ["../outside.md", "/outside.md", "a/../../outside.md", ""])
def test_a_ledger_that_names_files_elsewhere_reaches_none(pair: Pair, path: str) -> None:
    """A ledger that something has tampered with removes nothing outside the walnut."""
    outside = plant(pair.ben.parent, {"outside.md": b"new\n"}) / "outside.md"
    pair.receive(pair.packed(scope="snapshot"))
    pair.receive(pair.packed(scope="bundle", bundles=(REVIEW,)))
    ledger = pair.ben / "_kernel" / "imports.json"
    document = json.loads(ledger.read_bytes())
    document["imports"][-1]["undo"]["made"] = {path: hashing.sha256(b"new\n")}
    document["imports"][-1]["files"][REVIEW]["x"] = ["0" * 64, path, hashing.sha256(b"new\n")]
    ledger.write_text(json.dumps(document), encoding="utf-8")
    pair.undo()
    assert outside.read_bytes() == b"new\n"


def test_nothing_is_done_where_something_changed_meanwhile(pair: Pair) -> None:
    """Between the preview and the yes."""
    pair.receive(pair.packed(scope="full"))

    def edit(_plan: object) -> None:
        plant(pair.ben, {"mine.md": b"mine\n"})

    with pytest.raises(WalnutError, match="changed while you were looking"):
        undo(pair.ben, pair.runtime, approve=edit)
    assert (pair.ben / "mine.md").exists()
    assert (pair.ben / REVIEW / "draft.md").exists()
    assert nothing_left(pair.ben.parent)


def test_what_is_written_at_the_very_last_moment_is_not_lost(pair: Pair) -> None:
    """After the walnut was looked at for the last time, and before it goes."""
    pair.receive(pair.packed(scope="full"))

    def watcher(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[0] == pair.ben:
            plant(pair.ben, {"mine.md": b"mine\n"})

    files.watch(watcher)
    try:
        with pytest.raises(WalnutError, match="changed while you were looking"):
            pair.undo()
    finally:
        files.watch(None)
    assert (pair.ben / "mine.md").read_bytes() == b"mine\n"
    assert (pair.ben / REVIEW / "draft.md").exists()
    assert nothing_left(pair.ben.parent)


def test_a_walnut_that_is_in_use_is_not_touched(pair: Pair) -> None:
    """Another process holds its lock."""
    pair.receive(pair.packed(scope="full"))
    before = tree_of(pair.ben)
    with walnut_lock(pair.ben, "receive", pair.runtime), pytest.raises(BusyError):
        pair.undo()
    assert tree_of(pair.ben) == before


def test_a_look_changes_nothing(pair: Pair) -> None:
    """The preview is what will be done."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"theirs\n"})
    before = tree_of(pair.base)
    plan, notes = preview_undo(pair.ben, pair.runtime)
    assert tree_of(pair.base) == before
    assert notes == ()
    assert pair.undo().plan == plan


def test_the_log_keeps_the_history(pair: Pair) -> None:
    """It says that it came, and that it was taken back."""
    pair.receive(pair.packed(scope="snapshot"))
    pair.receive(pair.packed(scope="bundle", bundles=(REVIEW,)))
    pair.undo()
    log = (pair.ben / "_kernel" / "log.md").read_text("utf-8")
    assert log.index("Took back the package from unknown") < log.index("Imported package from unknown")
    assert "entry-count: 3" in log


def test_a_log_that_is_gone_is_a_warning(pair: Pair) -> None:
    """It is taken back all the same."""
    pair.receive(pair.packed(scope="snapshot"))
    pair.receive(pair.packed(scope="bundle", bundles=(REVIEW,)))
    (pair.ben / "_kernel" / "log.md").unlink()
    result = pair.undo()
    assert not (pair.ben / REVIEW).exists()
    assert any("log entry" in warning for warning in result.warnings)


def test_after_taking_back_the_other_side_goes_on(pair: Pair) -> None:
    """The next update is compared with what was there before the one that was taken back."""
    pair.receive(pair.packed(scope="full"))
    pair.update(**{"draft.md": b"one\n", "plan.md": b"plan\n"})
    pair.undo()
    pair.update(**{"draft.md": b"two\n"})
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"two\n"
    assert (pair.ben / REVIEW / "plan.md").read_bytes() == b"plan\n"
    assert not [path for path in (pair.ben / REVIEW).iterdir() if "theirs" in path.name]


# --- whatever happens in between -----------------------------------------------------------------------------

_NAMES = ["draft.md", "notes.md", "raw/dose.csv", "deep/er/plan.md", "deep", "tasks.json", "CLAUDE.md"]
_edits = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(["write", "write", "remove"])), max_size=5)


class _Writer:
    """Writes texts that are never the same, and knows them all."""

    def __init__(self, walnut: Path, name: str) -> None:
        self.bundle = walnut / REVIEW
        self.name = name
        self.count = 0

    def edit(self, edits: list[tuple[str, str]]) -> None:
        for name, kind in edits:
            path = self.bundle / name
            if path.is_dir() or any(parent.is_file() for parent in path.parents):
                continue
            path.unlink(missing_ok=True)
            if kind == "write":
                self.count += 1
                text = f"{self.name} {self.count:03d}"
                path.parent.mkdir(parents=True, exist_ok=True)
                as_tasks = json.dumps({"tasks": [{"id": f"t-{self.count:03d}", "title": text}]})
                path.write_text(as_tasks if name == "tasks.json" else text + "\n", encoding="utf-8")

    def texts(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.bundle.rglob("*") if path.is_file()}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@example(ours=[("raw/dose.csv", "remove")], theirs_=[("raw/dose.csv", "write")], since=[])
@given(ours=_edits, theirs_=_edits, since=_edits)
def test_undo_gives_back_what_was_and_keeps_what_is(
    make_runtime: Callable[..., Runtime],
    ours: list[tuple[str, str]],
    theirs_: list[tuple[str, str]],
    since: list[tuple[str, str]],
) -> None:
    """Without edits since, every byte is as before the update; with edits since, they and what was before are there."""
    with tempfile.TemporaryDirectory() as name:
        clock = Clock()
        pair = Pair(Path(name), make_runtime(clock=clock), clock)
        plant(pair.alice, NOVA)
        pair.ben.parent.mkdir()
        pair.receive(pair.packed(scope="full"))
        alice, ben = _Writer(pair.alice, "alice"), _Writer(pair.ben, "ben")
        ben.edit(ours)
        alice.edit(theirs_)
        before, texts_before = theirs(pair.ben), ben.texts()
        if pair.update().status == "noop":
            return
        after = ben.texts()
        ben.edit(since)
        edited = {path: data for path, data in ben.texts().items() if after.get(path) != data}
        pair.undo()
        now = ben.texts()
        if not since:
            assert theirs(pair.ben) == before
        everything = b"\n".join(now.values())
        for path, data in edited.items():
            assert now.get(path) == data or json.loads(data)["tasks"][0]["title"].encode() in everything, path
        displaced = {path: data for path, data in texts_before.items() if after.get(path) != data}
        for path, data in displaced.items():
            assert data in now.values() or b'"title"' in data, path


def test_any_number_of_receives_and_undos_ends_where_it_began(pair: Pair) -> None:
    """A stack: whatever was pushed is popped."""
    dice = random.Random(7)
    pair.receive(pair.packed(scope="full"))
    stack = [theirs(pair.ben)]
    for number in range(24):
        if len(stack) > 3 or (len(stack) > 1 and dice.random() < 0.5):
            pair.undo()
            stack.pop()
            assert theirs(pair.ben) == stack[-1]
        else:
            pair.update(**{dice.choice(["draft.md", "notes.md", "deep/plan.md"]): b"%d\n" % number})
            stack.append(theirs(pair.ben))
    assert nothing_left(pair.ben.parent)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_walnut_that_cannot_be_moved_stays(pair: Pair) -> None:
    """Its parent is read-only: our error, and nothing has happened."""
    pair.receive(pair.packed(scope="full"))
    pair.ben.parent.chmod(0o500)
    try:
        with pytest.raises(AliveP2PError):
            pair.undo()
    finally:
        pair.ben.parent.chmod(0o700)
    assert (pair.ben / REVIEW).exists()
