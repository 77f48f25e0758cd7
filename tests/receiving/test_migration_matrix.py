"""Packages of older layouts, received: what was shown is done, and no line of any file is lost (receive.md §8)."""

import json
from pathlib import Path

import pytest
from old_packages import CASES, KERNEL, MANIFEST, TASKS, Case, assert_nothing_lost, contents, package_of

from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import MigrationResult, ReceiveRequest
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from worlds import KEY, NOVA, craft, ledger_of, pack, plant, tree_of


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
