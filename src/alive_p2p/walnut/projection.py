"""`_kernel/now.json`: what a walnut looks like at this moment, computed from the rest (receive.md §10).

It can always be made again and is never shared. This is the built-in projection; an ALIVE plugin may bring its
own. It reads tolerantly: a file of an unexpected shape contributes nothing.
"""

import json
import re
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle, discover
from alive_p2p.walnut.key import Key, read_key
from alive_p2p.walnut.markdown import headings, split_lines
from alive_p2p.walnut.tasks import count_tasks, state_of, tasks_at
from alive_p2p.walnut.walnut import Walnut
from alive_p2p.walnut.world import walnuts_in

_ENTRY = re.compile(r"## (\S+)(?: - squirrel:(\S+))?")
_RECENT = 5
_INACTIVE = frozenset(["done", "archived", "published", "closed"])


def project(walnut: Walnut, *, at: str, session: str) -> bytes:
    """Compute `now.json`.

    Args:
        walnut: the walnut; may be one that is still in staging.
        at: the moment, for `updated`.
        session: the session that caused it, for `squirrel`.

    Returns:
        The JSON text, in UTF-8, ending in a line feed.
    """
    key = walnut.key
    bundles = [b for b in discover(walnut) if b.is_top_level]
    own_tasks = tasks_at(walnut.root / kernel.TASKS)
    open_tasks: list[tuple[str | None, dict[str, Any]]] = [(None, task) for task in own_tasks]
    for bundle in bundles:
        open_tasks += [(bundle.name, task) for task in tasks_at(bundle.path / kernel.BUNDLE_TASKS)]
    entries = _log_entries(walnut.root / kernel.LOG)
    active = [b for b in bundles if str(b.fields.get("status", "")).lower() not in _INACTIVE]
    document = {
        "phase": key.text_field("phase") or "active",
        "updated": at,
        "squirrel": session,
        "next": _next_task(open_tasks),
        "bundles": {
            "active": {b.name: _describe(b) for b in active},
            "recent": [b.name for b in sorted(bundles, key=_modified, reverse=True)[:_RECENT]],
            "summary": {"total": len(bundles), "active": len(active)},
        },
        "unscoped_tasks": count_tasks(own_tasks).as_dict(),
        "recent_sessions": entries[:_RECENT],
        "children": _children(walnut.root),
        "blockers": [_title(task) for _, task in open_tasks if state_of(task) == "blocked"],
        "context": _goal(key),
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _goal(key: Key) -> str:
    return one_line(key.text_field("goal"), limit=400)


def _describe(bundle: Bundle) -> dict[str, Any]:
    def field(name: str) -> str:
        value = bundle.fields.get(name)
        return "" if value is None or isinstance(value, (list, dict)) else one_line(str(value), limit=400)

    return {"goal": field("goal"), "status": field("status"), "tasks": bundle.tasks.as_dict()}


def _title(task: dict[str, Any]) -> str:
    return one_line(str(task.get("title", "")))


def _next_task(tasks: list[tuple[str | None, dict[str, Any]]]) -> str | None:
    """The task to do next: urgent ones first, then active, then the rest; None where nothing is open."""
    for state in ("urgent", "active", "todo"):
        for bundle, task in tasks:
            if state_of(task) == state:
                return f"{_title(task)} ({bundle})" if bundle else _title(task)
    return None


def _modified(bundle: Bundle) -> tuple[int, str]:
    try:
        return ((bundle.path / bundle.manifest_name).stat().st_mtime_ns, bundle.name)
    except OSError:
        return (0, bundle.name)


def _log_entries(path: Path) -> list[dict[str, str]]:
    """The latest entries of the log: when, by which session, and their first line."""
    try:
        data = files.read_bytes_if_present(path, limit=kernel.SMALL_FILE_LIMIT) or b""
    except FileSystemError:
        return []
    lines = split_lines(data.decode("utf-8", "replace"))
    found: list[dict[str, str]] = []
    for index, level in headings(lines):
        match = _ENTRY.match(lines[index]) if level == 2 else None
        if match is None:
            continue
        following = (one_line(line) for line in lines[index + 1 : index + 6])
        summary = next((line for line in following if line), "")
        found.append({"at": one_line(match[1]), "squirrel": one_line(match[2] or ""), "summary": summary})
        if len(found) == _RECENT:
            break
    return found


def _children(root: Path) -> dict[str, Any]:
    """The walnuts nested in this one, with their goals."""
    children: dict[str, Any] = {}
    for child in walnuts_in(root):
        if child == root:
            continue
        try:
            key = read_key(files.read_bytes(child / kernel.KEY, limit=kernel.SMALL_FILE_LIMIT))
        except FileSystemError:
            continue
        children[child.relative_to(root).as_posix()] = {"goal": _goal(key)}
    return children
