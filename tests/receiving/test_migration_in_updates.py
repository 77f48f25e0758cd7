"""Task lists of older layouts that come with an update (receive.md §5, §8)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from old_packages import KERNEL, MANIFEST

from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import MigrationResult, ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import KEY, craft, plant


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
