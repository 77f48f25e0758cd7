"""`receive --update`: what changed there is taken, what changed here stays, and both where both did."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p import files
from alive_p2p.errors import FileSystemError, UsageError, WalnutError
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import Fate, ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.receiving.threeway import FileFate
from alive_p2p.runtime import Runtime
from worlds import NOVA, craft, ledger_of, nothing_left, pack, plant, tree_of

REVIEW = "shielding-review"


class Pair:
    """Alice's walnut and Ben's copy of it, and packages that go between them."""

    def __init__(self, base: Path, runtime: Runtime, *, scope: str = "bundle") -> None:
        self.base = base
        self.runtime = runtime
        self.scope = scope
        self.count = 0
        self.alice = plant(base / "alice" / "nova", NOVA)
        self.ben = base / "ben" / "nova"
        self.ben.parent.mkdir()
        first = pack(self.alice, base / "first.walnut", runtime, scope="full")
        receive(ReceiveRequest(first, target=self.ben), runtime)

    def package(self, walnut: Path) -> Path:
        self.count += 1
        names = (REVIEW,) if self.scope == "bundle" else ()
        return pack(walnut, self.base / f"{self.count}.walnut", self.runtime, scope=self.scope, bundles=names)

    def request(self, package: Path, target: Path, **options: object) -> ReceiveRequest:
        return ReceiveRequest(package, target=target, update=True, **options)  # type: ignore[arg-type]

    def to_ben(self, **options: object) -> ReceiveResult:
        return receive(self.request(self.package(self.alice), self.ben, **options), self.runtime)

    def to_alice(self, **options: object) -> ReceiveResult:
        return receive(self.request(self.package(self.ben), self.alice, **options), self.runtime)


@pytest.fixture
def pair(tmp_path: Path, runtime: Runtime) -> Pair:
    return Pair(tmp_path, runtime)


@pytest.fixture
def full(tmp_path: Path, runtime: Runtime) -> Pair:
    return Pair(tmp_path, runtime, scope="full")


def fates(plan: ReceivePlan) -> dict[str, FileFate]:
    return {change.path: change.fate for change in plan.changes}


def test_what_changed_there_is_taken(pair: Pair) -> None:
    """Changed, added and removed; nothing else is touched."""
    (pair.alice / REVIEW / "draft.md").write_bytes(b"Alice's second draft\n")
    (pair.alice / REVIEW / "new" / "deep").mkdir(parents=True)
    (pair.alice / REVIEW / "new" / "deep" / "notes.md").write_bytes(b"new\n")
    (pair.alice / REVIEW / "raw" / "dose.csv").unlink()
    before = tree_of(pair.ben)
    result = pair.to_ben()
    assert result.status == "ok"
    assert fates(result.plan) == {
        f"{REVIEW}/draft.md": FileFate.REPLACE,
        f"{REVIEW}/new/deep/notes.md": FileFate.ADD,
        f"{REVIEW}/raw/dose.csv": FileFate.REMOVE,
    }
    after = tree_of(pair.ben)
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"Alice's second draft\n"
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    ours = {path for path in changed if not path.startswith("_kernel/")}
    assert f"{REVIEW}/new/deep/notes.md" in ours
    assert not (pair.ben / REVIEW / "raw" / "dose.csv").exists()
    assert {path for path in changed if path.startswith("_kernel/") and ".p2p" not in path} == {
        "_kernel/log.md",
        "_kernel/imports.json",
        "_kernel/now.json",
    }
    assert nothing_left(pair.ben.parent, pair.ben)


def test_what_gave_way_is_kept_for_undo(pair: Pair) -> None:
    """Byte for byte, with a record of what was done; no more than three of them."""
    old = (pair.ben / REVIEW / "draft.md").read_bytes()
    for number in range(5):
        (pair.alice / REVIEW / "draft.md").write_bytes(b"version %d\n" % number)
        assert pair.to_ben().status == "ok"
        folders = sorted((pair.ben / "_kernel" / ".p2p" / "undo").iterdir())
        if number == 0:
            record = json.loads((folders[0] / "record.json").read_bytes())
            (row,) = record["files"]
            assert row["path"] == f"{REVIEW}/draft.md"
            assert (folders[0] / row["kept"]).read_bytes() == old
    assert len(folders) == 3


def test_what_changed_here_stays(pair: Pair) -> None:
    """Also after it was sent nowhere, and where a file was removed there."""
    (pair.ben / REVIEW / "draft.md").write_bytes(b"Ben's draft\n")
    (pair.ben / REVIEW / "raw" / "dose.csv").write_bytes(b"Ben's numbers\n")
    (pair.ben / REVIEW / "mine.md").write_bytes(b"Ben's own\n")
    (pair.alice / REVIEW / "raw" / "dose.csv").unlink()
    (pair.alice / REVIEW / "other.md").write_bytes(b"x\n")
    result = pair.to_ben()
    assert fates(result.plan)[f"{REVIEW}/draft.md"] is FileFate.KEEP
    assert fates(result.plan)[f"{REVIEW}/raw/dose.csv"] is FileFate.KEEP_REMOVED
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"Ben's draft\n"
    assert (pair.ben / REVIEW / "raw" / "dose.csv").read_bytes() == b"Ben's numbers\n"
    assert (pair.ben / REVIEW / "mine.md").read_bytes() == b"Ben's own\n"


def test_changed_on_both_sides(pair: Pair) -> None:
    """Ours stays, theirs lies beside it under the day's name; a second one that day gets a number."""
    draft = pair.ben / REVIEW / "draft.md"
    for number, name in enumerate(("draft.theirs-20260407.md", "draft.theirs-20260407-2.md")):
        draft.write_bytes(b"Ben %d\n" % number)
        (pair.alice / REVIEW / "draft.md").write_bytes(b"Alice %d\n" % number)
        result = pair.to_ben()
        (change,) = [one for one in result.plan.changes if one.path.endswith("draft.md")]
        assert change.fate is FileFate.CONFLICT
        assert change.beside == f"{REVIEW}/{name}"
        assert draft.read_bytes() == b"Ben %d\n" % number
        assert (pair.ben / REVIEW / name).read_bytes() == b"Alice %d\n" % number


def test_binary_files_are_files(pair: Pair) -> None:
    """Whatever is in them."""
    (pair.alice / REVIEW / "raw" / "dose.csv").write_bytes(bytes(range(256)))
    pair.to_ben()
    assert (pair.ben / REVIEW / "raw" / "dose.csv").read_bytes() == bytes(range(256))


def test_a_rename_is_a_removal_and_an_addition(pair: Pair) -> None:
    """What somebody renames there has its new name here."""
    (pair.alice / REVIEW / "draft.md").rename(pair.alice / REVIEW / "final.md")
    result = pair.to_ben()
    assert set(fates(result.plan).values()) == {FileFate.ADD, FileFate.REMOVE}
    assert sorted(path.name for path in (pair.ben / REVIEW).glob("*.md")) == ["final.md"]


def test_a_file_becomes_a_folder_and_back(pair: Pair) -> None:
    """In one transaction each."""
    thing = pair.alice / REVIEW / "thing"
    thing.write_bytes(b"file\n")
    pair.to_ben()
    thing.unlink()
    thing.mkdir()
    (thing / "inside.md").write_bytes(b"folder\n")
    pair.to_ben()
    assert (pair.ben / REVIEW / "thing" / "inside.md").read_bytes() == b"folder\n"
    shutil.rmtree(thing)
    thing.write_bytes(b"file again\n")
    pair.to_ben()
    assert (pair.ben / REVIEW / "thing").read_bytes() == b"file again\n"


def test_the_answer_comes_back(pair: Pair) -> None:
    """Alice, who never received the bundle, takes Ben's changes: what she sent is what both had."""
    (pair.ben / REVIEW / "draft.md").write_bytes(b"Ben's draft\n")
    (pair.alice / REVIEW / "mine.md").write_bytes(b"Alice's\n")
    result = pair.to_alice()
    assert fates(result.plan)[f"{REVIEW}/draft.md"] is FileFate.REPLACE
    assert (pair.alice / REVIEW / "draft.md").read_bytes() == b"Ben's draft\n"
    assert (pair.alice / REVIEW / "mine.md").read_bytes() == b"Alice's\n"


def test_the_same_update_twice(pair: Pair) -> None:
    """The second time there is nothing to do."""
    (pair.alice / REVIEW / "draft.md").write_bytes(b"Alice's second draft\n")
    package = pair.package(pair.alice)
    assert receive(pair.request(package, pair.ben), pair.runtime).status == "ok"
    before = tree_of(pair.ben)
    assert receive(pair.request(package, pair.ben), pair.runtime).status == "noop"
    assert tree_of(pair.ben) == before


def test_an_older_package(pair: Pair, make_runtime: Callable[..., Runtime]) -> None:
    """Is refused, unless somebody wants to go back."""
    (pair.alice / REVIEW / "draft.md").write_bytes(b"version one\n")
    old = pair.package(pair.alice)
    pair.to_ben()
    (pair.alice / REVIEW / "draft.md").write_bytes(b"version two\n")
    pair.to_ben()
    assert receive(pair.request(old, pair.ben), pair.runtime).status == "noop"
    (pair.alice / REVIEW / "extra.md").write_bytes(b"x\n")
    third = pair.package(pair.alice)
    (pair.alice / REVIEW / "draft.md").write_bytes(b"version three\n")
    pair.to_ben()
    before = tree_of(pair.ben)
    with pytest.raises(WalnutError) as caught:
        receive(pair.request(third, pair.ben), pair.runtime)
    assert caught.value.code == "older-package"
    assert tree_of(pair.ben) == before
    assert receive(pair.request(third, pair.ben, allow_older=True), pair.runtime).status == "ok"
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"version two\n"


def test_a_bundle_that_arrived_under_another_name(tmp_path: Path, runtime: Runtime) -> None:
    """Is updated where it is."""
    pair = Pair(tmp_path, runtime)
    shutil.rmtree(pair.ben / REVIEW)
    (pair.ben / REVIEW).mkdir()
    (pair.ben / REVIEW / "other.md").write_bytes(b"something else\n")
    (pair.alice / REVIEW / "draft.md").write_bytes(b"second\n")
    package = pair.package(pair.alice)
    receive(ReceiveRequest(package, target=pair.ben, rename=True), pair.runtime)
    name = f"{REVIEW}-imported-20260407"
    (pair.alice / REVIEW / "draft.md").write_bytes(b"third\n")
    pair.to_ben()
    assert (pair.ben / name / "draft.md").read_bytes() == b"third\n"
    assert sorted(path.name for path in (pair.ben / REVIEW).iterdir()) == ["other.md"]


def test_a_bundle_that_was_deleted_here_comes_back(pair: Pair) -> None:
    """Whole, as a new one."""
    shutil.rmtree(pair.ben / REVIEW)
    (pair.alice / REVIEW / "draft.md").write_bytes(b"second\n")
    result = pair.to_ben()
    assert [one.fate for one in result.plan.bundles] == [Fate.APPLY]
    assert (pair.ben / REVIEW / "draft.md").read_bytes() == b"second\n"


def test_a_bundle_nobody_received_is_not_updated(tmp_path: Path, runtime: Runtime) -> None:
    """A folder that only has the same name is refused, and the way out is named."""
    pair = Pair(tmp_path, runtime)
    plant(pair.alice, {"fresh/context.manifest.yaml": b"goal: x\n", "fresh/a.md": b"a\n"})
    plant(pair.ben, {"fresh/a.md": b"Ben's\n"})
    package = pack(pair.alice, tmp_path / "fresh.walnut", runtime, scope="bundle", bundles=("fresh",))
    with pytest.raises(WalnutError) as caught:
        receive(pair.request(package, pair.ben), runtime)
    assert caught.value.code == "name-taken"


def test_sessions_are_not_compared(pair: Pair) -> None:
    """Who works on a bundle here is nobody's change."""
    manifest = pair.ben / REVIEW / "context.manifest.yaml"
    manifest.write_bytes(manifest.read_bytes() + b"active_sessions:\n  - one\n")
    (pair.alice / REVIEW / "draft.md").write_bytes(b"second\n")
    result = pair.to_ben()
    assert fates(result.plan) == {f"{REVIEW}/draft.md": FileFate.REPLACE}
    assert b"active_sessions" in manifest.read_bytes()


def test_tasks_are_merged_one_by_one(pair: Pair) -> None:
    """By id and field; the warning names what both changed."""

    def write(walnut: Path, *tasks: dict[str, str]) -> None:
        (walnut / REVIEW / "tasks.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")

    write(pair.alice, {"id": "t-001", "title": "measure"}, {"id": "t-002", "title": "write"})
    pair.to_ben()
    write(pair.alice, {"id": "t-001", "title": "measure", "status": "done"}, {"id": "t-002", "title": "write it"})
    write(pair.ben, {"id": "t-001", "title": "measure twice"}, {"id": "t-002", "title": "write now"})
    result = pair.to_ben()
    tasks = {t["id"]: t for t in json.loads((pair.ben / REVIEW / "tasks.json").read_bytes())["tasks"]}
    assert tasks["t-001"] == {"id": "t-001", "title": "measure twice", "status": "done"}
    assert tasks["t-002"]["title"] == "write now"
    assert tasks["t-003"] == {"id": "t-003", "title": "write it", "conflicts_with": "t-002"}
    assert any("t-002" in warning for warning in result.warnings)


def test_a_preview_changes_nothing(pair: Pair) -> None:
    """And shows the lines that differ, if asked."""
    (pair.alice / REVIEW / "draft.md").write_bytes(b"Alice's second draft\n")
    before = tree_of(pair.ben)
    plan = preview(pair.request(pair.package(pair.alice), pair.ben), pair.runtime, with_differences=True)
    assert "+Alice's second draft" in plan.differences
    assert tree_of(pair.ben) == before


def test_a_full_package_updates_the_walnut_it_came_from(full: Pair) -> None:
    """Bundles, live context and tasks; key, log, insights and config stay ours."""
    (full.alice / REVIEW / "draft.md").write_bytes(b"second\n")
    plant(full.alice, {"live.md": b"live\n", "fresh/context.manifest.yaml": b"goal: x\n", "fresh/a.md": b"a\n"})
    (full.alice / "_kernel" / "insights.md").write_bytes(b"---\n---\nAlice's insight\n")
    insights = (full.ben / "_kernel" / "insights.md").read_bytes()
    result = full.to_ben()
    assert result.status in {"ok", "warn"}
    assert (full.ben / REVIEW / "draft.md").read_bytes() == b"second\n"
    assert (full.ben / "live.md").read_bytes() == b"live\n"
    assert (full.ben / "fresh" / "a.md").read_bytes() == b"a\n"
    assert (full.ben / "_kernel" / "insights.md").read_bytes() == insights


def test_a_bundle_that_is_gone_from_a_full_package_stays(full: Pair) -> None:
    """With a word about it."""
    plant(full.alice, {"more/context.manifest.yaml": b"goal: x\n"})
    full.to_ben()
    shutil.rmtree(full.alice / REVIEW)
    result = full.to_ben()
    assert (full.ben / REVIEW / "draft.md").is_file()
    assert any(REVIEW in warning for warning in result.warnings)


def test_a_snapshot_updates_nothing(pair: Pair, tmp_path: Path, runtime: Runtime) -> None:
    """And neither do options that contradict each other."""
    snapshot = pack(pair.alice, tmp_path / "s.walnut", runtime, scope="snapshot")
    with pytest.raises(UsageError):
        receive(pair.request(snapshot, pair.ben), runtime)
    with pytest.raises(UsageError):
        pair.to_ben(rename=True)
    with pytest.raises(UsageError):
        receive(ReceiveRequest(snapshot, target=pair.ben, allow_older=True), runtime)


def test_what_the_sender_leaves_out_is_not_removed(pair: Pair, tmp_path: Path, runtime: Runtime) -> None:
    """An exclusion is no removal."""
    package = pack(
        pair.alice, tmp_path / "x.walnut", runtime, scope="bundle", bundles=(REVIEW,), excludes=("**/dose.csv",)
    )
    result = receive(pair.request(package, pair.ben), runtime)
    assert fates(result.plan)[f"{REVIEW}/raw/dose.csv"] is FileFate.KEEP_UNSENT
    assert (pair.ben / REVIEW / "raw" / "dose.csv").is_file()


def test_the_ledger_stays_small(pair: Pair) -> None:
    """One hash per file, where it lies as it came."""
    rows = ledger_of(pair.ben)["imports"][0]["files"][REVIEW]  # type: ignore[index]
    assert all(isinstance(row, str) for row in rows.values())


def test_a_task_file_that_is_none_is_put_beside(pair: Pair) -> None:
    """Nothing of it is merged, and nothing is lost."""
    ours, theirs = pair.ben / REVIEW / "tasks.json", pair.alice / REVIEW / "tasks.json"
    theirs.write_bytes(b'{"tasks": [{"id": "t-001", "title": "x"}]}')
    ours.write_bytes(b"{broken")
    result = pair.to_ben()
    assert ours.read_bytes() == b"{broken"
    assert (pair.ben / REVIEW / "tasks.theirs-20260407.json").read_bytes() == theirs.read_bytes()
    assert any("put beside it" in warning for warning in result.warnings)


def test_a_link_or_a_folder_in_the_way_stays(pair: Pair, tmp_path: Path) -> None:
    """What it leads to is not touched; theirs goes beside it."""
    (tmp_path / "outside.md").write_bytes(b"outside\n")
    (pair.ben / REVIEW / "draft.md").unlink()
    (pair.ben / REVIEW / "draft.md").symlink_to(tmp_path / "outside.md")
    (pair.ben / REVIEW / "new.md").mkdir()
    (pair.ben / REVIEW / "new.md" / "mine.md").write_bytes(b"mine\n")
    (pair.ben / REVIEW / "folder").symlink_to(tmp_path, target_is_directory=True)
    plant(pair.alice, {f"{REVIEW}/draft.md": b"new\n", f"{REVIEW}/new.md": b"file\n", f"{REVIEW}/folder/x.md": b"x\n"})
    pair.to_ben()
    assert (tmp_path / "outside.md").read_bytes() == b"outside\n"
    assert not (tmp_path / "x.md").exists()
    assert (pair.ben / REVIEW / "draft.md").is_symlink()
    assert (pair.ben / REVIEW / "draft.theirs-20260407.md").read_bytes() == b"new\n"
    assert (pair.ben / REVIEW / "new.theirs-20260407.md").read_bytes() == b"file\n"
    assert (pair.ben / REVIEW / "new.md" / "mine.md").read_bytes() == b"mine\n"
    assert (pair.ben / REVIEW / "folder.theirs-20260407" / "x.md").read_bytes() == b"x\n"


@pytest.mark.parametrize("here", ["thing/", "thing/deep/er/", "thing/a/", "thing/b/c/"])
def test_folders_with_nothing_in_them_make_room_for_a_file(pair: Pair, here: str) -> None:
    """Nothing in them could be lost, so theirs is taken; what will happen is seen before, and done only after."""
    plant(pair.ben, {f"{REVIEW}/{here}": b"", f"{REVIEW}/thing/x/y/": b""})
    plant(pair.alice, {f"{REVIEW}/thing": b"file\n"})
    package, before = pair.package(pair.alice), tree_of(pair.ben)
    plan = preview(pair.request(package, pair.ben), pair.runtime)
    [change] = plan.changes
    assert (change.path, change.fate, change.replaces_folder) == (f"{REVIEW}/thing", FileFate.ADD, True)
    assert tree_of(pair.ben) == before
    receive(pair.request(package, pair.ben), pair.runtime)
    assert (pair.ben / REVIEW / "thing").read_bytes() == b"file\n"
    assert nothing_left(pair.ben.parent)
    assert pair.to_alice().status == "noop" or tree_of(pair.alice / REVIEW) == tree_of(pair.ben / REVIEW)


def test_what_is_removed_with_the_update_does_not_fill_a_folder(pair: Pair) -> None:
    """Neither for the folder itself nor for an empty one beside it."""
    plant(pair.alice, {f"{REVIEW}/thing/old.md": b"old\n"})
    pair.to_ben()
    plant(pair.ben, {f"{REVIEW}/thing/mine/": b""})
    shutil.rmtree(pair.alice / REVIEW / "thing")
    plant(pair.alice, {f"{REVIEW}/thing": b"file\n"})
    plan = pair.to_ben().plan
    assert fates(plan) == {f"{REVIEW}/thing": FileFate.ADD, f"{REVIEW}/thing/old.md": FileFate.REMOVE}
    assert (pair.ben / REVIEW / "thing").read_bytes() == b"file\n"


@pytest.mark.parametrize(
    "here",
    ["thing/kept.md", "thing/deep/.DS_Store", "thing/.hidden/", "thing/deep/_kernel/", "thing/deep/_Kernel/", "link"],
)
def test_a_folder_with_anything_in_it_makes_no_room(pair: Pair, here: str) -> None:
    """A file of ours, one that is never sent, what is hidden, a kernel, a link: theirs goes beside it."""
    plant(pair.ben, {f"{REVIEW}/thing/empty/": b"", f"{REVIEW}/{here}": b""})
    if here == "link":
        (pair.ben / REVIEW / "thing" / "link").symlink_to(pair.ben / REVIEW / "thing" / "empty")
    plant(pair.alice, {f"{REVIEW}/thing": b"file\n"})
    before = tree_of(pair.ben / REVIEW)
    [change] = pair.to_ben().plan.changes
    assert (change.fate, change.replaces_folder) == (FileFate.CONFLICT, False)
    (pair.ben / REVIEW / "thing.theirs-20260407").unlink()
    assert tree_of(pair.ben / REVIEW) == before


def test_an_empty_folder_of_theirs_takes_no_place(pair: Pair) -> None:
    """Where ours is a file it stays, changed or not; and where theirs has files in it, they go beside."""
    plant(pair.alice, {f"{REVIEW}/one/deep/": b"", f"{REVIEW}/two/in.md": b"in\n"})
    plant(pair.ben, {f"{REVIEW}/one": b"mine\n", f"{REVIEW}/two": b"mine\n"})
    pair.to_ben()
    assert (pair.ben / REVIEW / "one").read_bytes() == (pair.ben / REVIEW / "two").read_bytes() == b"mine\n"
    assert (pair.ben / REVIEW / "two.theirs-20260407" / "in.md").read_bytes() == b"in\n"


def test_a_folder_that_is_filled_while_somebody_looks_stays(pair: Pair) -> None:
    """Whether it was filled before the last look at it, or just before it would go."""
    plant(pair.ben, {f"{REVIEW}/thing/deep/": b""})
    plant(pair.alice, {f"{REVIEW}/thing": b"file\n"})
    request = pair.request(pair.package(pair.alice), pair.ben)
    mine = pair.ben / REVIEW / "thing" / "deep" / "mine.md"
    late = mine.parent.parent / "late.md"
    with pytest.raises(WalnutError, match="changed while you were looking"):
        receive(request, pair.runtime, approve=lambda _: mine.touch())
    mine.unlink()
    before = tree_of(pair.ben)

    def fill(_operation: str, paths: tuple[Path, ...]) -> None:
        if paths[0] == late.parent and not mine.parent.exists():
            late.write_bytes(b"late\n")

    files.watch(fill)
    try:
        with pytest.raises(FileSystemError):
            receive(request, pair.runtime)
    finally:
        files.watch(None)
    assert late.read_bytes() == b"late\n"
    late.unlink()
    assert tree_of(pair.ben) == before


def test_the_place_of_a_bundle_is_not_taken(full: Pair) -> None:
    """A bundle that came under another name and was emptied is still there for what is put into it."""
    plant(full.alice, {"fresh/context.manifest.yaml": b"goal: x\n", "fresh/a.md": b"a\n"})
    plant(full.ben, {"fresh/mine.md": b"mine\n"})
    package = pack(full.alice, full.base / "fresh.walnut", full.runtime, scope="bundle", bundles=("fresh",))
    [fate] = receive(ReceiveRequest(package, target=full.ben, rename=True), full.runtime).plan.applied
    for path in (full.ben / fate.folder).iterdir():
        path.unlink()
    plant(full.alice, {"fresh/b.md": b"b\n", fate.folder: b"a file of that very name\n", "other": b"other\n"})
    plant(full.ben, {"other/": b""})
    plan = full.to_ben().plan
    assert (full.ben / fate.folder / "b.md").read_bytes() == b"b\n"
    assert fates(plan)[fate.folder] is FileFate.CONFLICT
    assert (full.ben / "other").read_bytes() == b"other\n"


def test_the_kernel_makes_no_room(full: Pair) -> None:
    """Also not with an empty folder that is called like one of its files."""
    (full.alice / "_kernel" / "completed.json").unlink()
    full.to_ben()
    plant(full.alice, {"_kernel/completed.json": b'{"completed": [{"id": "t-001", "title": "x"}]}\n'})
    plant(full.ben, {"_kernel/completed.json/": b""})
    assert fates(full.to_ben().plan) == {"_kernel/completed.json": FileFate.CONFLICT}
    assert (full.ben / "_kernel" / "completed.json").is_dir()


def test_what_agents_obey_never_takes_the_place_of_ours(pair: Pair) -> None:
    """Ours stays under its name; theirs is inert, also when it changes."""
    plant(pair.ben, {f"{REVIEW}/CLAUDE.md": b"mine\n"})
    for number in range(2):
        plant(pair.alice, {f"{REVIEW}/CLAUDE.md": b"obey %d\n" % number})
        pair.to_ben()
        assert (pair.ben / REVIEW / "CLAUDE.md").read_bytes() == b"mine\n"
        inert = sorted(path.name for path in (pair.ben / REVIEW).glob("CLAUDE*") if path.name != "CLAUDE.md")
        assert any((pair.ben / REVIEW / name).read_bytes() == b"obey %d\n" % number for name in inert)
        assert all(name.endswith(".received") or ".received" in name for name in inert), inert


def test_a_task_list_of_an_older_layout(pair: Pair, tmp_path: Path, runtime: Runtime) -> None:
    """What became `tasks.json` here is merged with what its `tasks.md` says now; other lines are kept."""
    fields = {"bundles": ["alpha"], "source": {"walnut": "nova"}}

    def package(name: str, text: bytes, day: int) -> Path:
        tree = {
            "_kernel/key.md": NOVA["_kernel/key.md"],
            "alpha/context.manifest.yaml": b"goal: x\n",
            "alpha/tasks.md": text,
        }
        created = f"2026-04-{day:02}T00:00:00Z"
        return craft(tmp_path / name, tree, scope="bundle", created=created, **fields)

    first = package("1.walnut", b"- [ ] one\n", 1)
    receive(ReceiveRequest(first, target=pair.ben, into_other_walnut=True), runtime)
    ours = pair.ben / "alpha" / "tasks.json"
    edited = json.loads(ours.read_bytes())
    edited["tasks"].append({"id": "t-009", "title": "mine"})
    ours.write_text(json.dumps(edited), encoding="utf-8")
    second = package("2.walnut", b"- [x] one\n- [ ] two\na remark\n", 2)
    receive(pair.request(second, pair.ben, into_other_walnut=True), runtime)
    tasks = {one["title"]: one for one in json.loads(ours.read_bytes())["tasks"]}
    assert tasks.keys() == {"one", "two", "mine"}
    assert tasks["one"]["status"] == "done"
    assert (pair.ben / "alpha" / "tasks.md.migrated").read_bytes() == b"a remark\n"
    third = package("3.walnut", b"- [x] one\n- [ ] two\na remark\n- [ ] three\n", 3)
    receive(pair.request(third, pair.ben, into_other_walnut=True), runtime)
    assert {one["title"] for one in json.loads(ours.read_bytes())["tasks"]} == {"one", "two", "mine", "three"}
