"""Packages of older layouts, received: what was shown is done, and no line of any file is lost (receive.md §8)."""

import json
import string
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.package.paths import refusal
from alive_p2p.receiving.migration import TASK_LIST_LIMIT
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import MigrationResult, ReceiveRequest
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from alive_p2p.text import fold
from alive_p2p.walnut.agent_files import disarmed
from worlds import KEY, LOG, NOVA, craft, ledger_of, pack, plant, tree_of

MANIFEST = b"goal: x\n"
KERNEL = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "_kernel/insights.md": b"---\na: 1\n---\n",
    "_kernel/tasks.json": b'{"tasks": []}\n',
}
TASKS = b"""---
type: tasks
---
# Tasks

Intro.

- [ ] ask Ben @squirrel:abc
* [~] urgent
  - [x] nested
    with a remark

Between.

+ [ ] another bullet
1. [ ] numbered
- [-] cancelled
```
- [ ] an example
```
- [X] done
"""


@dataclass(frozen=True)
class Case:
    """A package of layout v2 and what becomes of it.

    Attributes:
        tree: what it holds besides its kernel; a path that ends in `/` is an empty folder.
        final: where a file of `tree` is afterwards, if not under its own name at the root.
        bundles: `bundles_migrated`.
        tasks: `tasks_converted`.
        warns: whether there are warnings.
    """

    tree: Mapping[str, bytes]
    final: Mapping[str, str]
    bundles: tuple[str, ...] = ()
    tasks: int = 0
    warns: bool = False


CASES = {
    "one bundle": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/x.md": b"x"},
        {"bundles/a/context.manifest.yaml": "a/context.manifest.yaml", "bundles/a/x.md": "a/x.md"},
        ("a",),
    ),
    "several bundles": Case(
        {f"bundles/{name}/context.manifest.yaml": MANIFEST for name in ("a", "b", "ノート", "c d")},
        {
            f"bundles/{name}/context.manifest.yaml": f"{name}/context.manifest.yaml"
            for name in ("a", "b", "ノート", "c d")
        },
        ("a", "b", "c d", "ノート"),
    ),
    "raw and observations": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/raw/deep/data.bin": bytes(range(256)),
            "bundles/a/observations.md": b"- [ ] not a task list\r\n",
            "bundles/a/empty.md": b"",
            "bundles/a/hollow/": b"",
        },
        {
            "bundles/a/raw/deep/data.bin": "a/raw/deep/data.bin",
            "bundles/a/observations.md": "a/observations.md",
            "bundles/a/empty.md": "a/empty.md",
            "bundles/a/hollow/": "a/hollow/",
        },
        ("a",),
    ),
    "a nested walnut": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/inner/_kernel/key.md": KEY,
            "bundles/a/inner/bundles/b/context.manifest.yaml": MANIFEST,
            "bundles/a/inner/bundles/b/tasks.md": TASKS,
        },
        {
            "bundles/a/inner/_kernel/key.md": "a/inner/_kernel/key.md",
            "bundles/a/inner/bundles/b/context.manifest.yaml": "a/inner/bundles/b/context.manifest.yaml",
            "bundles/a/inner/bundles/b/tasks.md": "a/inner/bundles/b/tasks.md",
        },
        ("a",),
    ),
    "a name that is taken": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "a/mine.md": b"live",
            "bundles/A-2/context.manifest.yaml": MANIFEST,
            "a-2": b"f",
        },
        {
            "bundles/a/context.manifest.yaml": "a-imported/context.manifest.yaml",
            "bundles/A-2/context.manifest.yaml": "A-2-imported/context.manifest.yaml",
        },
        ("A-2-imported", "a-imported"),
    ),
    "a long name that is taken": Case(
        {f"bundles/{'b' * 255}/context.manifest.yaml": MANIFEST, f"{'b' * 255}/mine.md": b"live"},
        {f"bundles/{'b' * 255}/context.manifest.yaml": f"{'b' * 246}-imported/context.manifest.yaml"},
        ("b" * 246 + "-imported",),
    ),
    "a bundle of the container's name": Case(
        {"bundles/bundles/x/context.manifest.yaml": MANIFEST, "bundles/a/context.manifest.yaml": MANIFEST},
        {
            "bundles/bundles/x/context.manifest.yaml": "bundles-imported/x/context.manifest.yaml",
            "bundles/a/context.manifest.yaml": "a/context.manifest.yaml",
        },
        ("a",),
    ),
    "a task list": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": TASKS}, {}, ("a",), tasks=4
    ),
    "a task list of Windows": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": b"\xef\xbb\xbf" + TASKS.replace(b"\n", b"\r\n"),
        },
        {},
        ("a",),
        tasks=4,
    ),
    "a task list beside a task file": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": TASKS,
            "bundles/a/tasks.json": b'{"tasks": []}',
        },
        {"bundles/a/tasks.md": "a/tasks.md", "bundles/a/tasks.json": "a/tasks.json"},
        ("a",),
        warns=True,
    ),
    "a task list beside an earlier rest": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": TASKS,
            "bundles/a/tasks.md.migrated": b"old",
        },
        {"bundles/a/tasks.md": "a/tasks.md", "bundles/a/tasks.md.migrated": "a/tasks.md.migrated"},
        ("a",),
        warns=True,
    ),
    "a task list that is not UTF-8": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"- [ ] caf\xe9\n"},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
        warns=True,
    ),
    "a task list that is large": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"- [ ] a\n" * (TASK_LIST_LIMIT // 8 + 1)},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
        warns=True,
    ),
    "prose that is called a task list": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"prose\n"},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
    ),
    "loose files and folders": Case(
        {"bundles/note.md": b"n", "bundles/CLAUDE.md": b"obey", "bundles/stuff/x.md": b"x", "note.md": b"mine"},
        {
            "bundles/note.md": "note.md-imported",
            "bundles/CLAUDE.md": "CLAUDE.md.received",
            "bundles/stuff/x.md": "stuff/x.md",
        },
        warns=True,
    ),
    "an empty container": Case({"bundles/": b"", "a/context.manifest.yaml": MANIFEST, "a/x.md": b"x"}, {}),
    "a container that is a file": Case({"bundles": b"my list of bundles\n", "a/context.manifest.yaml": MANIFEST}, {}),
    "an old projection in a folder": Case({"_kernel/_generated/now.json": b"{}", "notes.md": b"n"}, {}),
    "an old projection in a file": Case({"_kernel/_generated": b"{}", "notes.md": b"n"}, {}),
    "kept history": Case(
        {"_kernel/history/2025.md": b"old\n", "bundles/a/context.manifest.yaml": MANIFEST},
        {"bundles/a/context.manifest.yaml": "a/context.manifest.yaml"},
        ("a",),
    ),
    "task lists of flat bundles": Case({"a/context.manifest.yaml": MANIFEST, "a/tasks.md": TASKS}, {}, tasks=4),
}


def lines_of(tree: Mapping[str, bytes]) -> Counter[str]:
    """Every line that is not blank, of every file, without its ending."""
    found: Counter[str] = Counter()
    for content in tree.values():
        text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        found += Counter(line.strip() for line in text.splitlines() if line.strip())
    return found


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a tree."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def as_lines(tasks_json: bytes) -> bytes:
    """A task file as the list it was made from, in one way of writing it."""
    lines = []
    for task in json.loads(tasks_json)["tasks"]:
        mark = {"done": "x"}.get(task["status"], "~" if task["priority"] == "high" else " ")
        session = f" @{task['session']}" if task["session"] else ""
        lines.append(f"- [{mark}] {task['title']}{session}")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def normalised(line: str) -> str:
    """A task's line in that way of writing it."""
    return line.replace("* [", "- [").replace("- [X]", "- [x]")


def assert_nothing_lost(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Every line of every file is somewhere in what came of it."""
    held = Counter(map(normalised, lines_of(after).elements()))
    for path, content in after.items():
        if path.endswith("/tasks.json") and b'"bundle"' in content:
            held += lines_of({path: as_lines(content)})
    missing = Counter(map(normalised, lines_of(before).elements())) - held
    assert not missing, missing


def package_of(case: Case, folder: Path, layout: str = "v2") -> Path:
    tree = {**KERNEL, **{path: content for path, content in case.tree.items() if not path.endswith("/")}}
    empty = [path.rstrip("/") for path in case.tree if path.endswith("/")]
    more = {"empty_dirs": empty} if empty else {}
    return craft(folder / "p.walnut", tree, source_layout=layout, **more)


@pytest.mark.parametrize("name", CASES)
def test_every_old_package_arrives_as_it_was_shown(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Everything is where it belongs, no line is lost, and what was done is what the preview said."""
    case = CASES[name]
    package, target = package_of(case, tmp_path), tmp_path / "there"
    shown = preview(ReceiveRequest(package, target=target), runtime)
    assert not target.exists()
    result = receive(ReceiveRequest(package, target=target), runtime)
    assert result.plan.migration == shown.migration
    assert result.plan.converted == shown.converted
    assert shown.migration.bundles_migrated == case.bundles
    assert shown.migration.tasks_converted == case.tasks
    assert bool(shown.migration.warnings) is case.warns
    assert shown.migration.errors == ()
    assert set(shown.migration.warnings) <= set(shown.warnings) <= set(result.warnings)
    here = contents(target)
    for path, content in case.tree.items():
        final = case.final.get(path, path.removeprefix("bundles/") or path)
        if path.startswith("_kernel/_generated"):
            assert path not in here
        elif case.tasks and path.endswith("/tasks.md"):
            assert len(json.loads(here[final.replace("tasks.md", "tasks.json")])["tasks"]) == case.tasks
            assert final not in here
        elif path.endswith("/"):
            assert (target / final).is_dir() or path == "bundles/"
        else:
            assert here[final] == content
    assert not (target / "bundles").is_dir()
    assert_nothing_lost({p: c for p, c in case.tree.items() if "_generated" not in p}, here)


@pytest.mark.parametrize("name", CASES)
def test_a_tree_is_brought_forward_like_a_package(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """`migrate` on the unpacked tree does and says what a receive does and says; twice is once."""
    case = CASES[name]
    shown = preview(ReceiveRequest(package_of(case, tmp_path), target=tmp_path / "there"), runtime).migration
    tree = plant(tmp_path / "tree", {**KERNEL, **case.tree})
    before = contents(tree)
    result, notes = migrate_tree(tree, runtime)
    assert (result, notes) == (shown, ())
    after = tree_of(tree)
    assert_nothing_lost({p: c for p, c in before.items() if "_generated" not in p}, contents(tree))
    again, _ = migrate_tree(tree, runtime)
    assert again.actions == ()
    assert again.bundles_migrated == ()
    assert again.tasks_converted == 0
    assert tree_of(tree) == after


def test_every_action_is_named(tmp_path: Path, runtime: Runtime) -> None:
    """What goes, what moves, and what becomes of tasks and of the other lines, in this order."""
    tree = {
        "_kernel/_generated/now.json": b"{}",
        "bundles/review/context.manifest.yaml": MANIFEST,
        "bundles/review/tasks.md": TASKS,
        "bundles/plan/context.manifest.yaml": MANIFEST,
        "bundles/plan/tasks.md": b"- [ ] one\n",
        "plan/mine.md": b"live",
        "bundles/note.md": b"n",
    }
    shown = preview(ReceiveRequest(package_of(Case(tree, {}), tmp_path), target=tmp_path / "there"), runtime).migration
    assert shown == MigrationResult(
        actions=(
            "_kernel/_generated/ is dropped: it is computed on each machine",
            "bundles/note.md → note.md",
            "bundles/plan/ → plan-imported/",
            "bundles/review/ → review/",
            "plan-imported/tasks.md → tasks.json: 1 task",
            "review/tasks.md → tasks.json: 4 tasks; 13 other lines are kept in tasks.md.migrated",
        ),
        warnings=("the loose file 'bundles/note.md' goes to 'note.md'",),
        bundles_migrated=("plan-imported", "review"),
        tasks_converted=5,
    )


def test_what_says_v3_and_has_the_container_is_brought_forward_with_a_warning(tmp_path: Path, runtime: Runtime) -> None:
    """The tree tells, not the word."""
    package = package_of(CASES["one bundle"], tmp_path, layout="v3")
    result = receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert result.plan.migration.bundles_migrated == ("a",)
    assert any("says layout v3" in warning for warning in result.plan.migration.warnings)


def test_only_what_is_put_in_place_is_told_of(tmp_path: Path, runtime: Runtime) -> None:
    """Of a bundle package: the chosen bundles under their final names; of a no-op nothing."""
    tree = {
        "_kernel/key.md": KEY,
        "bundles/a/context.manifest.yaml": MANIFEST,
        "bundles/a/tasks.md": b"- [ ] one\n",
        "bundles/b/context.manifest.yaml": MANIFEST,
        "bundles/b/tasks.md": b"- [ ] one\n- [ ] two\n",
    }
    package = craft(tmp_path / "p.walnut", tree, scope="bundle", bundles=["a", "b"], source_layout="v2")
    target = plant(tmp_path / "place" / "nova", {**NOVA, "_kernel/key.md": KEY, "b/mine.md": b"mine"})
    request = ReceiveRequest(package, target=target, bundles=("b",), rename=True)
    folder = "b-imported-20260407"
    result = receive(request, runtime)
    assert result.migration == MigrationResult(
        (f"bundles/b/ → {folder}/", f"{folder}/tasks.md → tasks.json: 2 tasks"), (), (folder,), 2
    )
    assert [task["bundle"] for task in json.loads((target / folder / "tasks.json").read_bytes())["tasks"]] == [
        folder
    ] * 2
    again = receive(request, runtime)
    assert again.status == "noop"
    assert again.migration is None


def test_the_ledger_tells_a_task_list_from_a_task_file(tmp_path: Path, runtime: Runtime) -> None:
    """Where both are there each is recorded as itself."""
    package = package_of(CASES["a task list beside a task file"], tmp_path)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    (entry,) = ledger_of(tmp_path / "there")["imports"]  # type: ignore[misc]
    rows = entry["files"]["a"]
    assert rows.keys() == {f"bundles/a/{name}" for name in ("context.manifest.yaml", "tasks.json", "tasks.md")}
    assert "a/tasks.json" not in json.dumps(rows["bundles/a/tasks.md"])


# --- updates ------------------------------------------------------------------------------------------------------


@pytest.fixture
def updated(tmp_path: Path, runtime: Runtime) -> Callable[..., tuple[Path, MigrationResult]]:
    """Receives a bundle, then another package of it as an update; the walnut, and what the update's migration did."""

    def run(first: Mapping[str, bytes], second: Mapping[str, bytes]) -> tuple[Path, MigrationResult]:
        target = plant(tmp_path / "place" / "nova", {**KERNEL})
        for day, tree in enumerate((first, second), 1):
            package = craft(
                tmp_path / f"{day}.walnut",
                {"_kernel/key.md": KEY, "a/context.manifest.yaml": MANIFEST, **tree},
                scope="bundle",
                bundles=["a"],
                created=f"2026-04-0{day}T00:00:00Z",
            )
            request = ReceiveRequest(package, target=target, update=day > 1)
            shown = preview(request, runtime)
            result = receive(request, runtime)
            assert result.plan.migration == shown.migration
        return target, result.plan.migration

    return run


def test_a_task_list_that_comes_with_an_update_becomes_a_task_file(
    updated: Callable[..., tuple[Path, MigrationResult]],
) -> None:
    """Also where there was none before."""
    target, migration = updated({}, {"a/tasks.md": b"- [ ] one\nremark\n"})
    assert migration.actions == ("a/tasks.md → tasks.json: 1 task; 1 other line is kept in tasks.md.migrated",)
    assert [task["title"] for task in json.loads((target / "a" / "tasks.json").read_bytes())["tasks"]] == ["one"]
    assert (target / "a" / "tasks.md.migrated").read_bytes() == b"remark\n"
    assert not (target / "a" / "tasks.md").exists()


def test_a_task_list_that_changed_is_told_of(updated: Callable[..., tuple[Path, MigrationResult]]) -> None:
    """It is merged into the task file; one that did not change is not mentioned."""
    first = {"a/tasks.md": b"- [ ] one\n", "a/x.md": b"x"}
    target, migration = updated(first, {**first, "a/tasks.md": b"- [ ] one\n- [ ] two\n"})
    assert migration.actions == ("a/tasks.md → tasks.json: 2 tasks",)
    assert migration.tasks_converted == 2
    titles = [task["title"] for task in json.loads((target / "a" / "tasks.json").read_bytes())["tasks"]]
    assert titles == ["one", "two"]


def test_a_task_list_that_did_not_change_is_not_told_of(updated: Callable[..., tuple[Path, MigrationResult]]) -> None:
    """Nothing is done about it."""
    first = {"a/tasks.md": b"- [ ] one\n", "a/x.md": b"x"}
    _, migration = updated(first, {**first, "a/x.md": b"y"})
    assert migration == MigrationResult()


def test_an_update_loses_no_byte_of_a_task_list_that_cannot_be_read(
    updated: Callable[..., tuple[Path, MigrationResult]],
) -> None:
    """What is not UTF-8 arrives as it is, also where an earlier list became a task file."""
    target, _ = updated({"a/tasks.md": b"- [ ] one\n"}, {"a/tasks.md": b"- [ ] caf\xe9\n"})
    assert (target / "a" / "tasks.md").read_bytes() == b"- [ ] caf\xe9\n"


# --- the oldest layout --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["full", "bundle"])
def test_a_walnut_of_the_oldest_layout_is_shared_flat_and_received(
    scope: str, tmp_path: Path, runtime: Runtime
) -> None:
    """`_core/_capsules/a` with `companion.md` arrives as a bundle with a manifest; nothing of it is lost."""
    capsule = {
        "companion.md": b"---\ngoal: Old work\n---\n\n# A\n",
        "tasks.md": TASKS,
        "raw/x.bin": bytes(range(256)),
        "draft.md": b"draft\n",
    }
    tree = {**KERNEL, **{f"_core/_capsules/a/{path}": content for path, content in capsule.items()}}
    source = plant(tmp_path / "old", tree)
    bundles = ("a",) if scope == "bundle" else ()
    package = pack(source, tmp_path / "p.walnut", runtime, scope=scope, bundles=bundles, key="full")
    target = tmp_path / "place" / "nova"
    if scope == "bundle":
        plant(target, KERNEL)
    target.parent.mkdir(exist_ok=True)
    result = receive(ReceiveRequest(package, target=target), runtime)
    assert result.plan.installation.layout == "v3"
    assert result.plan.migration.tasks_converted == 4
    here = {path.removeprefix("a/"): content for path, content in contents(target).items() if path.startswith("a/")}
    assert b"Old work" in here["context.manifest.yaml"]
    assert here["raw/x.bin"] == capsule["raw/x.bin"]
    assert_nothing_lost(capsule, contents(target))


# --- any tree -----------------------------------------------------------------------------------------------------

_names = (
    st.one_of(
        st.text(alphabet=string.ascii_letters + " -_#'", min_size=1, max_size=6),
        st.text(min_size=1, max_size=5),
        st.sampled_from(
            ["CLAUDE.md", "日本語", "ملاحظة", "a", "A", "a-imported", "bundles", "tasks.md", "tasks.json", "é"]
        ),
    )
    .map(lambda name: unicodedata.normalize("NFC", name))
    .filter(lambda name: refusal(name) is None and "/" not in name and not name.startswith("."))
    .filter(lambda name: fold(name) not in {"_kernel", "__macosx", "manifest.yaml", "readme.md"})
)
_bodies = st.sampled_from([b"", b"one line\n", TASKS, b"- [ ] a task\n", b"\xff\xfe\n", b"# T\r\n* [x] y @z\r\n"])


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, bytes]:
    """A tree of layout v2: bundles, loose files and folders in the container, and live context."""
    tree: dict[str, bytes] = {}
    used: dict[str, str] = {}

    def put(path: str, content: bytes) -> None:
        parts = path.split("/")
        ways = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if any(used.get(fold(way), f"{way}/") != f"{way}/" for way in ways[:-1]) or fold(path) in used:
            return
        for way in ways[:-1]:
            used[fold(way)] = f"{way}/"
        used[fold(path)] = path
        tree[path] = content

    for name in draw(st.lists(_names, max_size=4)):
        put(f"bundles/{name}/context.manifest.yaml", MANIFEST)
        for inner in draw(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=4)):
            put(f"bundles/{name}/{'/'.join(inner)}", draw(_bodies))
    for parts in draw(st.lists(st.lists(_names, min_size=1, max_size=2), max_size=4)):
        put(f"bundles/{'/'.join(parts)}", draw(_bodies))
    for parts in draw(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=4)):
        put("/".join(parts), draw(_bodies))
    return tree


@settings(max_examples=60)
@given(tree=_trees())
def test_any_old_tree_is_brought_forward_without_loss(
    tree: dict[str, bytes], make_runtime: Callable[[], Runtime]
) -> None:
    """Received or in place: shown is done, nothing is lost, twice is once; or it is refused and everything kept."""
    runtime = make_runtime()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        package = craft(base / "p.walnut", {**KERNEL, **tree}, source_layout="v2")
        unpacked = plant(base / "tree", {**KERNEL, **tree})
        before = contents(unpacked)
        shown = preview(ReceiveRequest(package, target=base / "there"), runtime)
        done, _ = migrate_tree(unpacked, runtime)
        if done.errors:
            assert contents(unpacked) == before
            return
        after = tree_of(unpacked)
        assert_nothing_lost(before, contents(unpacked))
        assert migrate_tree(unpacked, runtime)[0].actions == ()
        assert tree_of(unpacked) == after
        result = receive(ReceiveRequest(package, target=base / "there"), runtime)
        assert result.plan.migration == shown.migration
        assert_nothing_lost(tree, contents(base / "there"))
        here = {p: c for p, c in contents(base / "there").items() if not p.startswith("_kernel/")}
        alone = {disarmed(p): c for p, c in contents(unpacked).items() if not p.startswith("_kernel/")}
        assert here == alone
