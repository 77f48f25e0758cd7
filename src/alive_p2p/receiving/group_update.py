"""What an update does to one group of files, decided before anything is written (receive.md §5).

Looks at the walnut and changes nothing.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError
from alive_p2p.globs import Pattern
from alive_p2p.package import paths
from alive_p2p.package.manifest import Manifest
from alive_p2p.receiving.here import folders_of, is_empty_folder, leaves_below, version_at
from alive_p2p.receiving.threeway import (
    ABSENT,
    IN_THE_WAY,
    FileFate,
    Version,
    beside,
    family,
    fate_of,
    settle_family,
)
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.states import State
from alive_p2p.walnut.tasks import Tasks, lists_tasks

_PER_PEER = "(per-peer)"


@dataclass(frozen=True)
class FileChange:
    """What an update does to one file.

    Attributes:
        path: path in the walnut.
        fate: what becomes of it.
        package_path: the package's file, or None where it has none.
        beside: where theirs goes, or lies already, in a conflict.
        ours: the SHA-256 of what is here, or None where nothing is.
        bases: what a task file held in the states that both sides know.
        replaces_folder: a folder in which nothing is left makes room for it.
    """

    path: str
    fate: FileFate
    package_path: str | None = None
    beside: str | None = None
    ours: str | None = None
    bases: tuple[Tasks, ...] = field(default=(), compare=False)
    replaces_folder: bool = False


@dataclass(frozen=True)
class Incoming:
    """A file of the package: its path there, its path inside the bundle there, where it would go, what it is.

    Attributes:
        tasks: how many tasks it holds, where it is a task list that can become a task file; else None.
    """

    package_path: str
    inner: str
    final: str
    version: Version
    sha256: str
    tasks: int | None = None


@dataclass(frozen=True)
class GroupUpdate:
    """What an update does to one bundle, to the live context, or to the kernel's tasks.

    Attributes:
        name: the bundle as the package calls it, `.` for the live context, `_kernel` for the kernel's tasks.
        folder: where it lies here; "" for the live context.
        changes: every file about which there is something to say.
        places: for every file of the package, its path in the walnut.
        dropped: folders that go, because they are empty afterwards or make room for a file; deepest first.
    """

    name: str
    folder: str
    changes: tuple[FileChange, ...]
    places: Mapping[str, str]
    dropped: tuple[str, ...]


def is_converted(package_path: str, place: str) -> bool:
    """Whether a task list of an older layout becomes a task file here."""
    return package_path.endswith(f"/{kernel.V2_BUNDLE_TASKS}") and place.endswith(f"/{kernel.BUNDLE_TASKS}")


class GroupPlanner:
    """Decides about the files of one group.

    Args:
        root: the walnut.
        name: of the group.
        folder: where the group lies in it; "" for the live context.
        incoming: the package's files.
        bases: the states that both sides know.
        manifest: the package's.
        day: `YYYYMMDD`, for the names of what is put beside.
        in_use: the folders of all groups that are updated, which stay even if nothing is in them.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        folder: str,
        incoming: Sequence[Incoming],
        bases: Sequence[State],
        manifest: Manifest,
        day: str,
        in_use: Collection[str] = (),
    ) -> None:
        self.root = root
        self.name = name
        self.folder = folder
        self.bases = bases
        self.manifest = manifest
        self.day = day
        self.in_use = in_use
        self._patterns = _patterns(manifest.exclusions)
        self._is_kept_for_peers = _PER_PEER in manifest.exclusions
        self._theirs: dict[str, Incoming] = {}
        for one in incoming:
            self._theirs.setdefault(self._place(one, {other.inner for other in incoming}), one)
        self._ours: dict[str, tuple[Version, str | None]] = {}
        self._fates: dict[str, FileFate] = {}
        self._beside: dict[str, str] = {}
        self._room: dict[str, set[str]] = {}  # by path, the folders that would go to make room for it

    def plan(self) -> GroupUpdate:
        """Decide.

        Raises:
            FileSystemError: something cannot be read.
        """
        known = {path for base in self.bases for path in (*base.there, *base.here)}
        for path in sorted(known - self._theirs.keys()):
            self._fates[path] = self._fate_of_missing(path)
        removed = {path for path, fate in self._fates.items() if fate is FileFate.REMOVE}
        for path in sorted(self._theirs):
            self._fates[path] = self._fate_of_incoming(path, removed)
        self._settle_families()
        for path in sorted(self._theirs):
            if self._fates[path] in {FileFate.CONFLICT, FileFate.MERGE}:
                self._put_beside(path)
        changes = tuple(
            self._change(path, fate) for path, fate in sorted(self._fates.items()) if fate is not FileFate.SAME
        )
        places = {one.package_path: self._full(path) for path, one in self._theirs.items()}
        return GroupUpdate(self.name, self.folder, changes, places, tuple(self._emptied()))

    # -- what is here ------------------------------------------------------------------------------------------

    def _full(self, path: str) -> str:
        return f"{self.folder}/{path}" if self.folder else path

    def _look(self, path: str) -> tuple[Version, str | None]:
        """The version that is here, and its plain hash."""
        if path not in self._ours:
            self._ours[path] = version_at(self.root / self.folder, path)
        return self._ours[path]

    # -- where each file of theirs belongs ---------------------------------------------------------------------

    def _place(self, one: Incoming, inner: set[str]) -> str:
        """Its path here: where it was put before, else where something of that name is, else where it would go."""
        choices = [one.final, one.inner]
        may_become_tasks = one.tasks is not None and kernel.BUNDLE_TASKS not in inner
        if may_become_tasks:
            choices.append(kernel.BUNDLE_TASKS)
        for choice in choices:
            if any(choice in base.there for base in self.bases):
                return choice
        for choice in choices:
            if files.is_taken(self.root / self._full(choice)):
                return choice
        return kernel.BUNDLE_TASKS if may_become_tasks and one.tasks else one.final

    def _is_guarded(self, path: str) -> bool:
        """Whether ours is a file that agents obey: nothing that arrives takes its place."""
        one = self._theirs[path]
        return path == one.inner and path != one.final

    # -- deciding ----------------------------------------------------------------------------------------------

    def _fate_of_missing(self, path: str) -> FileFate:
        """Of a file that both sides knew and the package does not hold."""
        ours = self._look(path)[0]
        fate = fate_of(path, ours, ABSENT, self.bases)
        if fate is FileFate.REMOVE and (ours == IN_THE_WAY or self._may_be_unsent(path)):
            return FileFate.KEEP_UNSENT
        return fate

    def _may_be_unsent(self, path: str) -> bool:
        """Whether the sender may have the file and only not send it."""
        if self._is_kept_for_peers:
            return True
        if self.manifest.sensitivity == "restricted" and "raw" in map(fold, path.split("/")[:-1]):
            return True
        return any(pattern.matches(self._full(path)) or pattern.matches(path) for pattern in self._patterns)

    def _fate_of_incoming(self, path: str, removed: set[str]) -> FileFate:
        one = self._theirs[path]
        ours = self._look(path)[0]
        if ours == IN_THE_WAY and self._makes_room(path, removed):
            self._ours[path] = ours, _ = ABSENT, None
        fate = fate_of(path, ours, one.version, self.bases)
        if fate in {FileFate.SAME, FileFate.KEEP}:
            return fate
        if self._is_guarded(path) or ours == IN_THE_WAY:
            return FileFate.CONFLICT
        return fate

    def _makes_room(self, path: str, removed: set[str]) -> bool:
        """Whether what is in the way goes with this very update: files that are removed, and empty folders."""
        if any(parent in removed for parent in paths.ancestors(path)):
            return True
        place = self.root / self._full(path)
        if files.is_link(place) or not files.is_folder(place):
            return False
        found = list(leaves_below(place, path))
        if not all(below in removed or (is_empty_folder(below) and self.name != kernel.KERNEL) for below in found):
            return False
        room = folders_of(found, path)
        if not {fold(self._full(one)) for one in room}.isdisjoint(map(fold, self.in_use)):
            return False
        self._room[path] = room
        return True

    def _settle_families(self) -> None:
        conflicts: dict[str, list[str]] = {}
        for path, fate in self._fates.items():
            if fate is FileFate.CONFLICT and not self._is_guarded(path):
                conflicts.setdefault(family(path), []).append(path)
        for name, members in conflicts.items():
            if any(self._look(path)[0] == IN_THE_WAY for path in members):
                continue  # what is no file here cannot change its name with one
            theirs = {path: one.sha256 for path, one in self._theirs.items() if family(path) == name}
            ours = {path: sha for path in self._family_here(name) if (sha := self._look(path)[1]) is not None}
            if (fates := settle_family(ours, theirs, members)) is not None:
                self._fates |= fates

    def _family_here(self, name: str) -> list[str]:
        """A file and what lies beside it, as far as it is here."""
        folder = name.rpartition("/")[0]
        try:
            names = os.listdir(self.root / self._full(folder) if folder else self.root / self.folder)  # noqa: PTH208
        except OSError:
            return []
        beside_it = [f"{folder}/{one}" if folder else one for one in names]
        return sorted(path for path in beside_it if family(path) == name)

    def _put_beside(self, path: str) -> None:
        one = self._theirs[path]
        for lying in self._family_here(family(path)):
            gives_way = self._fates.get(lying) in {FileFate.REPLACE, FileFate.REMOVE, FileFate.MERGE}
            is_there = lying != path and not gives_way and self._look(lying)[1] == one.sha256
            if is_there and self._fates[path] is FileFate.CONFLICT:
                self._fates[path], self._beside[path] = FileFate.KNOWN_CONFLICT, lying
                return
        if self._is_guarded(path) and self._is_free(one.final):
            self._beside[path] = one.final
            return
        blocked = next((up for up in paths.ancestors(path) if self._look(up)[0] not in (ABSENT, IN_THE_WAY)), None)
        if blocked is None:
            blocked = next((up for up in paths.ancestors(path) if files.is_link(self.root / self._full(up))), None)
        if blocked is not None:
            self._beside[path] = beside(blocked, self.day, self._is_free) + path.removeprefix(blocked)
            return
        self._beside[path] = beside(one.final if self._is_guarded(path) else path, self.day, self._is_free)

    def _is_free(self, path: str) -> bool:
        taken = files.is_taken(self.root / self._full(path)) or path in self._theirs or path in self._beside.values()
        return not taken and not any(other.startswith(f"{path}/") for other in self._theirs)

    def _change(self, path: str, fate: FileFate) -> FileChange:
        one = self._theirs.get(path)
        lying = self._beside.get(path)
        bases = tuple(base.tasks[path] for base in self.bases if path in base.tasks) if lists_tasks(path) else ()
        return FileChange(
            self._full(path),
            fate,
            None if one is None else one.package_path,
            None if lying is None else self._full(lying),
            self._look(path)[1],
            bases,
            fate is FileFate.ADD and path in self._room,
        )

    # -- folders that go ---------------------------------------------------------------------------------------

    def _emptied(self) -> Iterator[str]:
        """The folders inside the group from which everything goes, or which make room, deepest first."""
        removed = {path for path, fate in self._fates.items() if fate is FileFate.REMOVE}
        added = {path for path, fate in self._fates.items() if fate is FileFate.ADD} | set(self._beside.values())
        folders = {parent for path in removed for parent in paths.ancestors(path)}
        room = {folder for path, making in self._room.items() if path in added for folder in making}
        for folder in sorted(folders | room, key=lambda one: (-one.count("/"), one)):
            if folder in room:
                yield self._full(folder)
                continue
            stays = any(path.startswith(f"{folder}/") for path in added)
            place = self.root / self._full(folder)
            if not stays and all(below in removed for below in leaves_below(place, folder)):
                yield self._full(folder)


def _patterns(texts: Sequence[str]) -> list[Pattern]:
    """The sender's exclusions; one that this version cannot read matches nothing."""
    found = []
    for text in texts:
        try:
            found.append(Pattern.parse(text))
        except UsageError:
            continue
    return found
