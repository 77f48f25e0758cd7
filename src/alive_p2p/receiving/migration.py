"""Bringing what arrives in an older layout forward, without losing a line (receive.md §8).

Folders are flattened while the package is unpacked (`layout.plan_installation`); here the task lists of bundles
become task files.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.receiving.plan import MigrationResult
from alive_p2p.walnut import kernel
from alive_p2p.walnut.markdown import Fence, split_lines

LEFTOVERS = "tasks.md.migrated"

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
    fence = Fence(in_lists=True)
    for line in split_lines(text.removeprefix("\ufeff")):
        match = None if fence.takes(line.rstrip("\r\n")) else _TASK.fullmatch(line.rstrip())
        if match is None:
            if line.strip():
                leftovers.append(line)
            continue
        status, priority = _STATES[match[1]]
        title, session = _split_session(match[2])
        task = {"id": f"t-{len(tasks) + 1:03d}", "title": title, "status": status, "priority": priority}
        tasks.append(task | {"session": session, "bundle": bundle})
    return ConvertedTasks(tuple(tasks), "".join(leftovers))


def _split_session(title: str) -> tuple[str, str | None]:
    """Take a trailing `@name` off a title, unless that is all there is."""
    *rest, last = title.rsplit(None, 1)
    if rest and _SESSION.fullmatch(last):
        return rest[0].rstrip(), last[1:]
    return title, None


def migrate_task_lists(tree: Path, bundles: list[str]) -> MigrationResult:
    """Convert `tasks.md` of each bundle that has no `tasks.json`; the lines that are no tasks go beside it.

    Args:
        tree: a tree in staging, already flat.
        bundles: folders of the bundles to look at.

    Raises:
        FileSystemError: something cannot be read or written.
    """
    actions: list[str] = []
    warnings: list[str] = []
    converted = 0
    for bundle in bundles:
        source = tree / bundle / kernel.V2_BUNDLE_TASKS
        if not files.is_file(source) or files.is_link(source):
            continue
        if files.is_taken(tree / bundle / kernel.BUNDLE_TASKS):
            warnings.append(f"'{bundle}' has a tasks.json, so its tasks.md stays as it is")
            continue
        data = files.read_bytes(source, limit=kernel.SMALL_FILE_LIMIT)
        try:
            result = convert_tasks(data.decode("utf-8"), bundle)
        except UnicodeDecodeError:
            warnings.append(f"'{bundle}/{kernel.V2_BUNDLE_TASKS}' is not UTF-8 and stays as it is")
            continue
        if not result.tasks:
            continue  # prose that only happens to be called so
        if result.leftovers and files.is_taken(tree / bundle / LEFTOVERS):
            warnings.append(f"'{bundle}/{LEFTOVERS}' is there already, so its tasks.md stays as it is")
            continue
        _write(tree / bundle, result)
        converted += len(result.tasks)
        actions.append(f"{bundle}/{kernel.V2_BUNDLE_TASKS}: {len(result.tasks)} tasks to tasks.json")
    return MigrationResult(tuple(actions), tuple(warnings), (), converted)


def task_file(result: ConvertedTasks) -> bytes:
    """The `tasks.json` of converted tasks."""
    text = json.dumps({"tasks": list(result.tasks)}, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "replace")


def _write(folder: Path, result: ConvertedTasks) -> None:
    mode = files.default_mode(executable=False)
    with files.translating("convert the tasks in", folder):
        files.write_new(folder / kernel.BUNDLE_TASKS, task_file(result), mode=mode)
        if result.leftovers:
            files.write_new(folder / LEFTOVERS, result.leftovers.encode("utf-8"), mode=mode)
        files.remove_file(folder / kernel.V2_BUNDLE_TASKS)
