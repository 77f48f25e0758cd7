"""What a walnut remembers of a share, so that the answer to it can be merged file by file (receive.md §5)."""

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.plan import PlannedFile, SharePlan
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT
from alive_p2p.walnut.states import SentState, read_sent, write_sent
from alive_p2p.walnut.tasks import Tasks, lists_tasks, remembered


def group_of(path: str, bundles: Container[str]) -> str | None:
    """The group that a file of a package belongs to; None for what no update touches."""
    top = path.partition("/")[0]
    if top == kernel.KERNEL:
        return kernel.KERNEL if path in kernel.WORK else None
    return top if top in bundles and "/" in path else LIVE_CONTEXT


@dataclass(frozen=True)
class Group:
    """One group as it lies in the walnut: its folder there, and its files by their path inside that."""

    folder: str
    files: Mapping[str, PlannedFile]

    @property
    def hashes(self) -> dict[str, str]:
        """Path to SHA-256."""
        return {path: one.entry.sha256 for path, one in sorted(self.files.items())}


def groups_here(
    root: Path, planned: Iterable[PlannedFile], bundles: Iterable[str], primer: str | None
) -> dict[str, Group]:
    """What a package holds, by group.

    Args:
        root: the walnut.
        planned: the files of the package.
        bundles: the names of the bundles in it.
        primer: the path of the README for strangers, which nobody wrote and nobody updates.
    """
    names = frozenset(bundles)
    inside: dict[str, dict[str, PlannedFile]] = {}
    for one in planned:
        path = one.entry.path
        group = None if path == primer else group_of(path, names)
        if group is not None:
            inside.setdefault(group, {})[path if group == LIVE_CONTEXT else path.partition("/")[2]] = one
    groups = {}
    for name, held in inside.items():
        folder = _folder_of(root, name, held)
        groups[name] = Group(folder, {_place(root, one, folder, path): one for path, one in held.items()})
    return groups


def remember(plan: SharePlan, runtime: Runtime) -> str | None:
    """Keep what a share is about to send. The walnut's lock is held by the caller.

    What goes wrong is returned as a warning: the package is none the worse for it.
    """
    manifest = plan.manifest
    if manifest.scope == "snapshot":
        return None
    groups = groups_here(plan.root, plan.files, [one.name for one in plan.bundles], manifest.primer)
    try:
        state = SentState(
            (manifest.import_id,),
            runtime.timestamp(),
            manifest.based_on,
            {name: (group.folder, group.hashes) for name, group in groups.items()},
            {name: _tasks(group) for name, group in groups.items()},
        )
        write_sent(plan.root, state, read_sent(plan.root))
    except AliveP2PError as error:
        return f"what was sent is not remembered, so an answer to it cannot be merged by itself: {error.message}"
    return None


def _folder_of(root: Path, name: str, inside: Mapping[str, PlannedFile]) -> str:
    """Where a group lies in the walnut: a bundle of an older layout lies in a container."""
    if name == LIVE_CONTEXT:
        return ""
    for path, one in inside.items():
        if one.origin is not None and one.origin.name == path:
            return _below(root, one.origin.parent)
    return name


def _place(root: Path, one: PlannedFile, folder: str, path: str) -> str:
    """A file's path inside its group's folder here; it may travel under another name."""
    if one.origin is None:
        return path
    place = _below(root, one.origin)
    return place.removeprefix(f"{folder}/") if folder else place


def _below(root: Path, path: Path) -> str:
    """A path that lies in the walnut, from there; asked of every file, so that making paths would take long."""
    return os.fspath(path)[len(os.fspath(root)) + 1 :].replace(os.sep, "/")


def _tasks(group: Group) -> dict[str, Tasks]:
    found: dict[str, Tasks] = {}
    for path, one in group.files.items():
        if lists_tasks(path) and one.origin is not None and (tasks := remembered(one.origin)) is not None:
            found[path] = tasks
    return found
