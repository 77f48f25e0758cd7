"""Task files, counted tolerantly: every task counts once."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut.tasks import TaskCounts, count_tasks, read_tasks, state_of, tasks_at

_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["tasks", "status", "priority", "title", "id"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("task", "state"),
    [
        ({}, "todo"),
        ({"status": "todo"}, "todo"),
        ({"status": "active"}, "active"),
        ({"status": "In_Progress"}, "active"),
        ({"status": "done"}, "done"),
        ({"status": "completed", "priority": "urgent"}, "done"),
        ({"status": "blocked", "priority": "urgent"}, "blocked"),
        ({"status": "active", "priority": "Urgent"}, "urgent"),
        ({"priority": "high"}, "todo"),
        ({"status": None, "priority": None}, "todo"),
        ({"status": ["done"]}, "todo"),
        ({"status": {"done": True}}, "todo"),
        ({"status": True, "priority": 5}, "todo"),
    ],
)
def test_a_task_is_in_one_state(task: dict[str, Any], state: str) -> None:
    """Done before blocked before urgent before active; anything else is still to do."""
    assert state_of(task) == state


@given(_json)
def test_any_json_is_counted_or_refused(value: Any) -> None:
    """A task file of any shape gives tasks that add up, or `ValueError`."""
    try:
        tasks = read_tasks(json.dumps(value).encode())
    except ValueError:
        return
    counts = count_tasks(tasks)
    assert sum(counts.as_dict().values()) == len(tasks)
    assert counts.describe()


@given(st.binary(max_size=60))
def test_any_bytes_are_tasks_or_refused(data: bytes) -> None:
    """Also what is not JSON, not UTF-8, or UTF-16."""
    with suppress(ValueError):
        count_tasks(read_tasks(data))


def test_both_shapes_are_read() -> None:
    """`{"tasks": […]}` and a bare list; entries that are not objects are passed over."""
    assert read_tasks(b'{"tasks": [{"id": "a"}, 1, null, []]}') == [{"id": "a"}]
    assert read_tasks(b'[{"id": "a"}, "b"]') == [{"id": "a"}]
    assert read_tasks(b'\xef\xbb\xbf{"tasks": []}') == []


@pytest.mark.parametrize("data", [b"{}", b'{"tasks": null}', b'{"tasks": {}}', b"1", b"", b"[" * 100_000])
def test_another_shape_is_refused(data: bytes) -> None:
    """A file without a list of tasks is none."""
    with pytest.raises(ValueError):
        read_tasks(data)


@pytest.mark.parametrize("depth", range(850, 1000, 10))
def test_a_deep_title_is_no_obstacle(depth: int) -> None:
    """Nesting at the edge of what Python bears is refused, or counted."""
    try:
        tasks = read_tasks(b'[{"status":' + b"[" * depth + b"]" * depth + b"}]")
    except ValueError:
        return
    assert count_tasks(tasks).todo == 1


def test_counts_in_words() -> None:
    """Zeros are left out."""
    assert TaskCounts(active=2, done=1).describe() == "2 active, 1 done"
    assert TaskCounts().describe() == "no tasks"


def test_a_file_that_cannot_be_read_has_no_tasks(tmp_path: Path) -> None:
    """Absent, broken, a folder, a link or a FIFO: none, and no waiting."""
    (tmp_path / "good").write_text('[{"id": "a"}]')
    (tmp_path / "broken").write_text("{")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("good")
    os.mkfifo(tmp_path / "fifo")
    for name in ("missing", "broken", "folder", "link", "fifo"):
        assert tasks_at(tmp_path / name) == []
    assert tasks_at(tmp_path / "good") == [{"id": "a"}]
