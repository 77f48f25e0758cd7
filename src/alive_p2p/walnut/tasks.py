"""Task files: `{"tasks": [{"id", "title", "status", "priority", …}]}`, read tolerantly."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.walnut import kernel

Tasks = Mapping[str, Mapping[str, Any]]
"""The tasks of one file by their id."""

_MOST_BYTES = 1 << 20
"""A task file above this is not remembered; an update merges it without knowing what it was."""

_DONE = frozenset(["done", "completed", "complete", "closed", "cancelled"])


@dataclass(frozen=True)
class TaskCounts:
    """How many tasks are in each state; every task counts once."""

    urgent: int = 0
    active: int = 0
    todo: int = 0
    blocked: int = 0
    done: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    def describe(self) -> str:
        """The counts that are not zero, in words: `2 active, 1 done`; `no tasks` where all are."""
        words = [f"{count} {name}" for name, count in self.as_dict().items() if count]
        return ", ".join(words) or "no tasks"


def read_tasks(data: bytes) -> list[dict[str, Any]]:
    """The tasks of a task file; entries that are not objects are passed over.

    Raises:
        ValueError: it is not JSON, or not of this shape.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    tasks = document.get("tasks") if isinstance(document, dict) else document
    if not isinstance(tasks, list):
        raise ValueError("it has no list of tasks")  # noqa: TRY004  (the shape of a file, not of an argument)
    return [task for task in tasks if isinstance(task, dict)]


def state_of(task: dict[str, Any]) -> str:
    """Which of the counted states a task is in."""
    status = str(task.get("status", "")).lower()
    if status in _DONE:
        return "done"
    if status == "blocked":
        return "blocked"
    if str(task.get("priority", "")).lower() == "urgent":
        return "urgent"
    return "active" if status in {"active", "in_progress", "doing"} else "todo"


def count_tasks(tasks: list[dict[str, Any]]) -> TaskCounts:
    """Count tasks by state."""
    counts = TaskCounts().as_dict()
    for task in tasks:
        counts[state_of(task)] += 1
    return TaskCounts(**counts)


def tasks_at(path: Path) -> list[dict[str, Any]]:
    """The tasks in the file at a path; none where it is absent or unreadable."""
    try:
        data = files.read_bytes_if_present(path, limit=kernel.SMALL_FILE_LIMIT)
        return read_tasks(data) if data is not None else []
    except (FileSystemError, ValueError):
        return []


def lists_tasks(path: str) -> bool:
    """Whether a file of this name is merged by task (receive.md §5)."""
    return path.rpartition("/")[2] in {"tasks.json", "completed.json"}


def items_of(document: object, path: str) -> list[Any] | None:
    """The list in a task file: `tasks`, or `completed` in a `completed.json`; None where there is none."""
    if not isinstance(document, dict):
        return None
    items = document.get("completed" if path.endswith("completed.json") else "tasks")
    return items if isinstance(items, list) else None


def remembered(path: Path) -> Tasks | None:
    """The tasks of a file by their id, for updates to come; None where it is no task file that has them.

    Raises:
        FileSystemError: it cannot be read.
    """
    data = files.read_bytes(path, limit=kernel.SMALL_FILE_LIMIT)
    if len(data) > _MOST_BYTES:
        return None
    try:
        items = items_of(json.loads(data), path.name)
    except (ValueError, RecursionError):
        return None
    if items is None:
        return None
    tasks = [one for one in items if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return {task["id"]: task for task in tasks}
