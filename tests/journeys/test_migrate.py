"""Older layouts at the terminal: what is shown above the preview, and `migrate` (receive.md §8, cli.md)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from worlds import KEY, craft, plant, tree_of

Run = Callable[..., "object"]
TREE = {
    "_kernel/key.md": KEY,
    "_kernel/_generated/now.json": b"{}",
    "bundles/review/context.manifest.yaml": b"goal: x\n",
    "bundles/review/tasks.md": b"# Tasks\n- [ ] ask Ben @abc\n- [x] read\n",
    "bundles/note.md": b"n",
}
BLOCK = """\
brought forward from an older layout
  _kernel/_generated/ is dropped: it is computed on each machine
  bundles/note.md → note.md
  bundles/review/ → review/
  review/tasks.md → tasks.json: 2 tasks; 1 other line is kept in tasks.md.migrated
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of layout v2."""
    return craft(tmp_path / "p.walnut", TREE, source_layout="v2")


def test_what_is_brought_forward_stands_above_the_preview(package: Path, run: Run) -> None:
    """Everything that happens, then the preview; as data it is the same before and after."""
    looked = run("receive", package, "--target", "there", "--dry-run")
    assert looked.out.startswith(f"{BLOCK}\nwould receive 'nova' into ")
    assert looked.err == "warning: the loose file 'bundles/note.md' goes to 'note.md'\n"
    shown = json.loads(run("receive", package, "--target", "there", "--dry-run", "--json").out)["migration"]
    refused = run("receive", package, "--target", "there")
    assert refused.code == 1
    assert BLOCK in refused.err
    done = run("receive", package, "--target", "there", "--yes", "--json")
    assert done.code == 0
    assert json.loads(done.out)["migration"] == shown
    assert shown["tasks_converted"] == 2
    assert len(shown["actions"]) == 4


def test_a_receive_says_afterwards_what_it_brought_forward(package: Path, run: Run) -> None:
    """Where nobody looked before."""
    done = run("receive", package, "--target", "there", "--yes")
    assert BLOCK in done.err


def test_a_package_of_today_says_nothing_of_it(tmp_path: Path, run: Run) -> None:
    """No block, and no migration in the data."""
    package = craft(tmp_path / "p.walnut", {"_kernel/key.md": KEY, "review/context.manifest.yaml": b"goal: x\n"})
    assert run("receive", package, "--target", "there", "--dry-run").out.startswith("would receive")
    assert json.loads(run("receive", package, "--target", "there", "--yes", "--json").out)["migration"] is None


def test_migrate_says_what_it_did_and_then_that_there_is_nothing_to_do(tmp_path: Path, run: Run) -> None:
    """In words, and as the result object itself."""
    tree = plant(tmp_path / "tree", TREE)
    done = run("migrate", "--staging", tree)
    assert done.code == 0
    assert done.out == BLOCK.replace("brought forward from an", f"brought '{tree}' forward from an")
    assert done.err == "warning: the loose file 'bundles/note.md' goes to 'note.md'\n"
    assert run("migrate", "--staging", tree).out == f"nothing to do: '{tree}' is not of an older layout\n"
    other = plant(tmp_path / "other", TREE)
    found = json.loads(run("migrate", "--staging", other, "--json").out)
    assert found.keys() == {"actions", "warnings", "bundles_migrated", "tasks_converted", "errors"}
    assert (found["bundles_migrated"], found["tasks_converted"], found["errors"]) == (["review"], 2, [])
    assert tree_of(tree) == tree_of(other)


def test_migrate_refuses_and_touches_nothing(tmp_path: Path, run: Run) -> None:
    """A collision is 1 and in the result object's `errors`; a folder that is not there is 2."""
    tree = plant(tmp_path / "tree", {**TREE, "review/x": b"x", "review-imported/x": b"x"})
    before = tree_of(tree)
    ran = run("migrate", "--staging", tree, "--json")
    found = json.loads(ran.out)
    assert ran.code == 1
    assert found["errors"] == [
        "'bundles/review' cannot be moved to the root: 'review' and 'review-imported' are there already"
    ]
    assert found["error"]["code"] == "migration-collision"
    assert found["actions"] == []
    assert tree_of(tree) == before
    assert run("migrate", "--staging", tmp_path / "nowhere").code == 2


def test_a_package_that_collides_is_kept_and_the_way_on_is_told(tmp_path: Path, run: Run) -> None:
    """Only where somebody said yes; the command that is told works."""
    package = craft(tmp_path / "p.walnut", {**TREE, "review/x": b"x", "review-imported/x": b"x"}, source_layout="v2")
    place = tmp_path / "place of mine"
    place.mkdir()
    looked = run("receive", package, "--target", place / "nova", "--dry-run", "--json")
    assert looked.code == 1
    assert json.loads(looked.out)["plan"]["migration"]["errors"]
    unasked = run("receive", package, "--target", place / "nova")
    assert unasked.code == 1
    assert "its older layout cannot be brought forward" in unasked.err
    assert list(place.iterdir()) == []
    refused = run("receive", package, "--target", place / "nova", "--yes")
    assert refused.code == 1
    (kept,) = place.iterdir()
    assert kept.name.startswith(".alive-receive-incomplete-")
    assert f"alive-p2p migrate --staging '{kept}'" in refused.err
    (kept / "review").rename(kept / "live")
    assert run("migrate", "--staging", kept).code == 0
    assert (kept / "review" / "tasks.json").is_file()


def test_old_packages_can_be_made_for_tests(tmp_path: Path, run: Run) -> None:
    """A hidden option; without the variable it is wrong usage."""
    nova = plant(tmp_path / "nova", {"_kernel/key.md": KEY, "review/context.manifest.yaml": b"goal: x\n"})
    command = ("create", "--scope", "full", "--walnut", nova, "--source-layout", "v2", "--yes", "-o", "old.walnut")
    assert run(*command).code == 2
    assert run(*command, ALIVE_P2P_TESTING="1").code == 0
    assert json.loads(run("info", "old.walnut", "--json").out)["source_layout"] == "v2"
    assert "--source-layout" not in run("create", "--help").out
