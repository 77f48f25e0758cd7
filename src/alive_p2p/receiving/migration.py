"""Bringing what arrives in an older layout forward, without losing a line (receive.md §8).

Folders are flattened while a package is unpacked (`layout.plan_installation`) or where they lie (`tree_migration`);
here the task lists of bundles become task files.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.markdown import Fence, split_lines

LEFTOVERS = "tasks.md.migrated"

TASK_LIST_LIMIT = 1 << 20
"""Bytes up to which a task list is converted: ten thousand tasks, and each takes some hundred bytes of memory."""

_TASK = re.compile(r"[ \t]*[-*][ \t]+\[([ ~xX])\][ \t]+(\S.*)")
_SESSION = re.compile(r"@[\w.:-]+")
_STATES = {" ": ("active", "normal"), "~": ("active", "high"), "x": ("done", "normal"), "X": ("done", "normal")}


@dataclass(frozen=True)
class ConvertedTasks:
    """The tasks of a `tasks.md`, and the lines that are not tasks, with their endings."""

    tasks: tuple[dict[str, Any], ...]
    leftovers: str


def convert_tasks(text: str, bundle: str) -> ConvertedTasks:
    """Turn the items of a Markdown task list into tasks; every other line that is not blank is kept.

    Lines inside code fences are not tasks. Linear in the size of the text.
    """
    tasks: list[dict[str, Any]] = []
    leftovers: list[str] = []
    for line, match in _lines(text):
        if match is None:
            if line.strip():
                leftovers.append(line)
            continue
        status, priority = _STATES[match[1]]
        title, session = _split_session(match[2])
        task = {"id": f"t-{len(tasks) + 1:03d}", "title": title, "status": status, "priority": priority}
        tasks.append(task | {"session": session, "bundle": bundle})
    return ConvertedTasks(tuple(tasks), "".join(leftovers))


def _lines(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Every line with its ending, and what makes it a task, if it is one."""
    fence = Fence(in_lists=True)
    for line in split_lines(text.removeprefix("\ufeff")):
        yield line, None if fence.takes(line.rstrip("\r\n")) else _TASK.fullmatch(line.rstrip())


def _split_session(title: str) -> tuple[str, str | None]:
    """Take a trailing `@name` off a title, unless that is all there is."""
    *rest, last = title.rsplit(None, 1)
    if rest and _SESSION.fullmatch(last):
        return rest[0].rstrip(), last[1:]
    return title, None


@dataclass(frozen=True)
class TaskList:
    """What was seen of a `tasks.md`.

    Attributes:
        tasks: how many tasks it holds.
        others: how many lines that are not tasks and not blank.
        problem: why it cannot be converted, or None.
    """

    tasks: int = 0
    others: int = 0
    problem: str | None = None


def look_at_list(data: bytes) -> TaskList:
    """See what a `tasks.md` holds, whose bytes may have been cut off just above `TASK_LIST_LIMIT`."""
    if len(data) > TASK_LIST_LIMIT:
        return TaskList(problem=f"is larger than {TASK_LIST_LIMIT:,} bytes")
    try:
        lines = list(_lines(data.decode("utf-8")))
    except UnicodeDecodeError:
        return TaskList(problem="is not UTF-8")
    return TaskList(
        tasks=sum(match is not None for _, match in lines),
        others=sum(match is None and bool(line.strip()) for line, match in lines),
    )


@dataclass(frozen=True)
class ListFate:
    """What becomes of a bundle's `tasks.md`: what is done, or what is said of its staying, or nothing at all."""

    action: str | None = None
    warning: str | None = None


def decide_list(folder: str, names: Iterable[str], seen: TaskList) -> ListFate:
    """Decide whether a task list becomes a task file; the lines that are no tasks go beside it.

    Args:
        folder: the bundle's final folder.
        names: what lies in it.
        seen: what was seen of the list.
    """
    source = f"{folder}/{kernel.V2_BUNDLE_TASKS}"
    taken = set(map(fold, names))
    if kernel.BUNDLE_TASKS in taken:
        return ListFate(
            warning=f"'{folder}' has a {kernel.BUNDLE_TASKS}, so its {kernel.V2_BUNDLE_TASKS} stays as it is"
        )
    if seen.problem is not None:
        return ListFate(warning=f"'{source}' {seen.problem} and stays as it is")
    if not seen.tasks:
        return ListFate()  # prose that only happens to be called so
    if seen.others and LEFTOVERS in taken:
        return ListFate(
            warning=f"'{folder}/{LEFTOVERS}' is there already, so its {kernel.V2_BUNDLE_TASKS} stays as it is"
        )
    return ListFate(action=f"{source} → {kernel.BUNDLE_TASKS}: {counted(seen)}")


def counted(seen: TaskList) -> str:
    """How many tasks a list holds, and where its other lines are kept."""
    tasks = f"{seen.tasks:,} task{'' if seen.tasks == 1 else 's'}"
    if not seen.others:
        return tasks
    lines = "1 other line is" if seen.others == 1 else f"{seen.others:,} other lines are"
    return f"{tasks}; {lines} kept in {LEFTOVERS}"


def convert_task_lists(tree: Path, bundles: Sequence[str]) -> None:
    """Carry out what was decided of task lists. The lists go when what they became is safe on the disk.

    Interrupted and done again it ends the same: what is there already with the right content is not written again.

    Args:
        tree: the tree, already flat.
        bundles: the folders whose lists are converted.

    Raises:
        FileSystemError: something cannot be read or written.
    """
    if not bundles:
        return
    for bundle in bundles:
        folder = tree / bundle
        data = files.read_bytes(folder / kernel.V2_BUNDLE_TASKS, limit=TASK_LIST_LIMIT)
        converted = convert_tasks(data.decode("utf-8"), bundle)
        with files.translating("convert the tasks in", folder):
            if converted.leftovers:
                _put(folder / LEFTOVERS, converted.leftovers.encode("utf-8"))
            _put(folder / kernel.BUNDLE_TASKS, task_file(converted))
    with files.translating("convert the tasks in", tree):
        files.flush_tree(tree)
        for bundle in bundles:
            files.remove_file(tree / bundle / kernel.V2_BUNDLE_TASKS)


def _put(path: Path, data: bytes) -> None:
    """Let a file appear complete, under a name that is free; it is fine if it is there already. Raises `OSError`."""
    if not files.is_taken(path):
        temporary = files.temporary_beside(path)
        files.write_new(temporary, data, mode=files.default_mode(executable=False))
        files.rename_exclusive(temporary, path)


def task_file(result: ConvertedTasks) -> bytes:
    """The `tasks.json` of converted tasks."""
    text = json.dumps({"tasks": list(result.tasks)}, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "replace")
