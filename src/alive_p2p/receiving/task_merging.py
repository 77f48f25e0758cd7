"""Merging two versions of a task file, task by task and field by field (receive.md §5).

Pure functions over bytes. Nothing that either side wrote is lost: where both changed the same, ours stays and theirs
becomes a task of its own that names the one it disagrees with.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alive_p2p import hashing
from alive_p2p.walnut.tasks import Tasks, items_of

CONFLICTS_WITH = "conflicts_with"
"""The field in which a task that was added because of a conflict names the task that it disagrees with."""
ALSO_KNOWN_AS = "also_known_as"
"""The field in which a task that got another id here has the ids that it has elsewhere."""
_OUR_FIELDS = frozenset([ALSO_KNOWN_AS])

Task = Mapping[str, Any]
_NOTHING = object()
_NUMBERED = re.compile(r"(?P<stem>.*?)(?P<number>[0-9]{1,9})", re.DOTALL)


@dataclass(frozen=True)
class MergedTasks:
    """What came out of it.

    Attributes:
        data: the file; the very bytes of one side where that says it all.
        conflicts: the ids of tasks that both sides changed differently.
    """

    data: bytes
    conflicts: tuple[str, ...] = ()


def merge_tasks(ours: bytes, theirs: bytes, bases: Sequence[Tasks], path: str) -> MergedTasks | None:
    """Merge two versions of a task file.

    Args:
        ours: the version here.
        theirs: the version of the package.
        bases: what it held in the states that both sides know; none where nothing is known.
        path: its path, whose name says whether it lists tasks or completed ones.

    Returns:
        The merged file; None where one of the two is no list of tasks with ids of their own.
    """
    mine, yours = _read(ours, path), _read(theirs, path)
    if mine is None or yours is None:
        return None
    our_document, our_tasks = mine
    their_document, their_tasks = yours
    if _contents(our_tasks) == _contents(their_tasks):  # only ids or order differ: one side wins, the same on both
        return MergedTasks(min(ours, theirs, key=hashing.sha256))
    merge = _Merge(our_tasks, their_tasks, bases)
    merged = merge.run()
    document = {**their_document, **our_document, _list_name(our_document, path): merged}
    if merged == list(our_tasks.values()) and document == our_document:
        return MergedTasks(ours, tuple(merge.conflicts))
    if merged == list(their_tasks.values()) and document == their_document:
        return MergedTasks(theirs, tuple(merge.conflicts))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return MergedTasks(text.encode("utf-8", "backslashreplace"), tuple(merge.conflicts))


def _read(data: bytes, path: str) -> tuple[dict[str, Any], dict[str, Task]] | None:
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    items = items_of(document, path)
    if items is None or not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in items):
        return None
    tasks = {one["id"]: one for one in items}
    return (document, tasks) if len(tasks) == len(items) else None


def _list_name(document: Mapping[str, Any], path: str) -> str:
    return "completed" if path.endswith("completed.json") and "completed" in document else "tasks"


def _content(task: Task) -> str:
    """What a task says, whatever it is called."""
    said = {name: value for name, value in task.items() if name not in {"id", CONFLICTS_WITH, ALSO_KNOWN_AS}}
    return json.dumps(said, sort_keys=True)


def _contents(tasks: Mapping[str, Task]) -> list[str]:
    return sorted(map(_content, tasks.values()))


def _aliases(task: Task) -> frozenset[str]:
    """The ids under which a task is known on other sides."""
    names = task.get(ALSO_KNOWN_AS)
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _names(task: Task) -> frozenset[str]:
    """Every id of a task."""
    return _aliases(task) | {str(task.get("id"))}


def _grouped(tasks: Tasks, names: Callable[[Task], Iterable[str]]) -> dict[str, list[str]]:
    """The ids of tasks by whatever they are found by."""
    found: dict[str, list[str]] = {}
    for identity, task in tasks.items():
        for name in names(task):
            found.setdefault(name, []).append(identity)
    return found


class _Merge:
    def __init__(self, ours: Mapping[str, Task], theirs: Mapping[str, Task], bases: Sequence[Tasks]) -> None:
        self.ours = ours
        self.theirs = theirs
        self._bases = [
            {name: [base[one] for one in found] for name, found in _grouped(base, _names).items()} for base in bases
        ]
        self.conflicts: list[str] = []
        self._used = ours.keys() | theirs.keys() | {identity for base in bases for identity in base}
        self._pairs = self._match()
        self._merged: list[Task] = []
        self._wanted: list[tuple[Task, Task]] = []  # tasks of theirs to be added under another id, and more fields

    def run(self) -> list[Task]:
        for identity, task in self.ours.items():
            if identity in self._pairs:
                self._both(identity, task, self.theirs[self._pairs[identity]])
            elif not self._is_removed(task):
                self._merged.append(task)
        matched = set(self._pairs.values())
        for identity, task in self.theirs.items():
            if identity in matched or self._is_removed(task):
                continue
            if identity in self.ours:  # the same id, and another task
                self._wanted.append((task, {ALSO_KNOWN_AS: sorted(_aliases(task) | {identity})}))
            else:
                self._merged.append(task)
        for task, more in self._wanted:
            self._add(task, more)
        return self._merged

    # -- which task of theirs is which of ours -----------------------------------------------------------------

    def _match(self) -> dict[str, str]:
        """By the id here, the id there of the same task.

        Two who made tasks under the same id at the same time each know the other's by another id. So what says the
        same is the same, then what one side knows by the other's id; and an id that stands for two tasks by now says
        nothing.
        """
        pairs: dict[str, str] = {}
        left = dict(self.theirs)

        def pair(ours: str, candidates: Iterable[str]) -> None:
            theirs = next((one for one in candidates if one in left), None)
            if ours not in pairs and theirs is not None:
                pairs[ours] = theirs
                del left[theirs]

        by_content, by_alias = _grouped(self.theirs, lambda one: [_content(one)]), _grouped(self.theirs, _aliases)
        for identity, task in self.ours.items():
            if identity in left and _content(left[identity]) == _content(task):
                pair(identity, [identity])
        for identity, task in self.ours.items():
            pair(identity, by_content.get(_content(task), ()))
        for identity, task in self.ours.items():
            pair(identity, [*by_alias.get(identity, ()), *sorted(_aliases(task))])
        ambiguous = {alias for task in (*self.ours.values(), *self.theirs.values()) for alias in _aliases(task)}
        for identity, task in self.ours.items():
            if identity in left and identity not in ambiguous:
                is_one = self._known(task) or left[identity].get("title") == task.get("title")
                pair(identity, [identity] if is_one else ())
        return pairs

    def _known(self, *tasks: Task) -> list[Task]:
        """What both sides know under any of the ids of a task; under one that is ambiguous also another task."""
        names = sorted({name for task in tasks for name in _names(task)})
        return [one for base in self._bases for name in names for one in base.get(name, ())]

    # -- deciding ----------------------------------------------------------------------------------------------

    def _is_removed(self, left: Task) -> bool:
        """Whether a task that only one side has was removed by the other, and not changed since by the one."""
        said = _content(left)
        return any(_content(one) == said for one in self._known(left))

    def _both(self, identity: str, ours: Task, theirs: Task) -> None:
        if _content(ours) == _content(theirs):
            self._merged.append(ours)
            return
        known = self._known(ours, theirs)
        if theirs["id"] != identity:  # an id of the two may stand for another task in a base
            titles = [ours.get("title"), theirs.get("title")]
            known = [one for one in known if one.get("title") in titles] or known
        merged, is_conflict = _merge_fields(ours, {**theirs, "id": identity}, known)
        self._merged.append(merged)
        if is_conflict:
            self.conflicts.append(identity)
            self._wanted.append((theirs, {CONFLICTS_WITH: identity}))

    def _add(self, task: Task, more: Task) -> None:
        """Add a task of theirs under the next free id, unless one that comes out of the merge says the same."""
        said = _content(task)
        if any(_content(one) == said for one in self._merged):
            return
        identity = _next_id(task["id"], self._used)
        self._used.add(identity)
        self._merged.append({**task, "id": identity, **more})


def _merge_fields(ours: Task, theirs: Task, known: Sequence[Task]) -> tuple[Task, bool]:
    merged: dict[str, Any] = {}
    is_conflict = False
    for name in [*ours, *(one for one in theirs if one not in ours)]:
        if name in _OUR_FIELDS:
            if name in ours:
                merged[name] = ours[name]
            continue
        mine, yours = ours.get(name, _NOTHING), theirs.get(name, _NOTHING)
        was = [one.get(name, _NOTHING) for one in known]
        value = mine
        if mine != yours:
            is_unchanged_here, is_unchanged_there = mine in was, yours in was
            if is_unchanged_here and not is_unchanged_there:
                value = yours
            elif not is_unchanged_there or is_unchanged_here:
                is_conflict = True
        if value is not _NOTHING:
            merged[name] = value
    return merged, is_conflict


def _next_id(wanted: str, used: set[str]) -> str:
    """The next free id in the manner of one that is taken: `t-007` after `t-006`."""
    match = _NUMBERED.fullmatch(wanted)
    stem, width = (match["stem"], len(match["number"])) if match else (f"{wanted}-", 1)
    numbers = [
        int(found["number"])
        for one in used
        if (found := _NUMBERED.fullmatch(one)) is not None and found["stem"] == stem
    ]
    return f"{stem}{max(numbers, default=1) + 1:0{width}d}"
