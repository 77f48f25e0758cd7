"""What taking the last receive back will do, decided before anything is touched (receive.md §5).

Like a receive's plan it is frozen and can be compared: it is made once for the preview and once more under the lock,
and if the two differ nothing is done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from alive_p2p import files, hashing
from alive_p2p.errors import WalnutError
from alive_p2p.package.paths import ancestors
from alive_p2p.receiving.here import folders_of, is_empty_folder, leaves_below, version_at
from alive_p2p.receiving.task_merging import merge_tasks
from alive_p2p.receiving.threeway import ABSENT, IN_THE_WAY, Version, beside
from alive_p2p.transactions.journal import is_inside
from alive_p2p.walnut import kernel, undo_store
from alive_p2p.walnut.below import Found, below
from alive_p2p.walnut.ledger import Ledger, LedgerEntry, UndoNote
from alive_p2p.walnut.log import without_imports
from alive_p2p.walnut.tasks import Tasks
from alive_p2p.walnut.walnut import Walnut

_BEFORE = "before"
"""In the name under which what gave way goes beside a file that was edited since: `draft.before-20260407.md`."""


class UndoFate(Enum):
    """What taking a receive back does to one file; the value is the word for it in `--json`."""

    REMOVE = "removed"
    """The receive put it there, and it is as it was put."""
    PUT_BACK = "put-back"
    """What gave way comes back."""
    MERGE = "merged"
    """A task file that was edited since: what the receive changed is taken back, task by task."""
    KEEP = "kept"
    """It was edited or added since: it stays."""
    KEEP_BOTH = "kept-beside"
    """It was edited since: it stays, and what gave way goes beside it."""


@dataclass(frozen=True)
class UndoChange:
    """What taking a receive back does to one file.

    Attributes:
        path: path in the walnut.
        fate: what becomes of it.
        ours: the SHA-256 of what is here; None where nothing is.
        kept: the name in the undo store of what gave way; None where nothing did.
        was: its SHA-256.
        beside: where it goes, if not to `path`.
        merged: what a task file becomes.
        conflicts: the ids of tasks that were changed by the receive and since.
    """

    path: str
    fate: UndoFate
    ours: str | None = None
    kept: str | None = None
    was: str | None = None
    beside: str | None = None
    merged: bytes | None = field(default=None, repr=False)
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class UndoPlan:
    """Everything that taking the last receive back will do.

    Attributes:
        target: the walnut, absolute.
        entry: the receive, as the ledger has it.
        takes_walnut: the receive made the walnut, and nothing in it is anybody else's: it goes as a whole.
        changes: every file that is touched, or that stays because it was edited or added since.
        folders: folders that go if they are empty by then, the deepest first.
        empty: empty folders that come back.
        store: the folder in the undo store that goes, as a path in the walnut; None where there is none.
    """

    target: Path
    entry: LedgerEntry
    takes_walnut: bool
    changes: tuple[UndoChange, ...] = ()
    folders: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    store: str | None = None

    @property
    def kept(self) -> tuple[UndoChange, ...]:
        """What stays because it was edited or added since."""
        return tuple(one for one in self.changes if one.fate in {UndoFate.KEEP, UndoFate.KEEP_BOTH})


def plan_undo(walnut: Walnut, *, day: str) -> UndoPlan:
    """Decide what taking the last receive back does.

    Args:
        walnut: the walnut.
        day: `YYYYMMDD`, for the names of what goes beside a file.

    Raises:
        WalnutError: nothing was received that can be taken back.
        FileSystemError: something cannot be read.
    """
    ledger = Ledger.parse(walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT))
    if not ledger.entries:
        raise WalnutError(
            "nothing-to-undo",
            f"nothing was received into '{walnut.name}' that could be taken back",
            untouched="everything",
            hint="`alive-p2p info --walnut FOLDER` shows where the bundles of a walnut came from",
        )
    entry = ledger.entries[-1]
    if entry.undo is None:
        raise _cannot(entry, "the program that received it did not note what it put where")
    return _Planner(walnut, entry, entry.undo, day).plan()


def _cannot(entry: LedgerEntry, why: str) -> WalnutError:
    bundles = ", ".join(entry.folder_of(name) for name in entry.applied_bundles)
    return WalnutError(
        "cannot-undo",
        f"the last receive ({entry.import_id[:16]}) cannot be taken back: {why}",
        untouched="everything",
        hint=f"what it brought can be removed by hand: {bundles}" if bundles else None,
    )


@dataclass(frozen=True)
class _Brought:
    """One file that a receive has touched: what was there, what it put there, and what is kept of the former."""

    was: str | None
    now: Version
    kept: str | None = None
    tasks: Tasks | None = None


class _Planner:
    def __init__(self, walnut: Walnut, entry: LedgerEntry, note: UndoNote, day: str) -> None:
        self.root = walnut.root
        self.entry = entry
        self.note = note
        self.day = day
        self._record = None if note.folder is None else undo_store.read(self.root, note.folder)
        self._brought = {path: one for path, one in self._all_brought() if is_inside(path)}
        self._beside: set[str] = set()
        self._removed: set[str] = set()
        self._room: set[str] = set()  # folders that go to make room for a file

    def plan(self) -> UndoPlan:
        everything = list(below(self.root)) if self.note.makes_walnut else []
        if self.note.makes_walnut and self._is_whole(everything):
            return UndoPlan(self.root, self.entry, takes_walnut=True)
        # First what was new then: where that goes, what it took the place of can come back.
        ordered = sorted(self._brought, key=lambda path: (self._brought[path].was is not None, path))
        changes = [change for path in ordered if (change := self._change(path)) is not None]
        changes += [UndoChange(path, UndoFate.KEEP) for path in sorted(self._since(everything))]
        changes = _without_manifests_of_bundles_that_stay(changes)
        store = None if self.note.folder is None else f"{undo_store.UNDO_FOLDER}/{self.note.folder}"
        plan = UndoPlan(self.root, self.entry, takes_walnut=False, changes=tuple(changes), store=store)
        return replace(
            plan, folders=tuple(self._folders(changes, everything)), empty=tuple(self._empty_ones_back(changes))
        )

    # -- what the receive has done -----------------------------------------------------------------------------

    def _all_brought(self) -> Iterator[tuple[str, _Brought]]:
        for group in self.entry.applied_bundles:
            if group not in self.entry.files and group not in self.note.updated:
                raise _cannot(self.entry, "it is too long ago, and which files it brought is not known any more")
        for group, rows in self.entry.files.items():
            if group not in self.note.updated:
                for row in rows.values():
                    compared = self.entry.comparable.get(row.installed)
                    yield row.installed, _Brought(None, _version(row.installed_sha256, compared))
        for path, sha256 in self.note.made.items():
            yield path, _Brought(None, _version(sha256))
        if self.note.folder is None:
            return
        if self._record is None:
            raise _cannot(self.entry, "what it displaced is not kept any more")
        for one in self._record.touched:
            now = ABSENT if one.now is None else _version(one.now, self.entry.comparable.get(one.path))
            yield one.path, _Brought(one.was, now, one.kept, one.tasks)

    def _folders_brought(self) -> list[str]:
        """The folders of the bundles that the receive put in place whole."""
        groups = [name for name in self.entry.applied_bundles if name not in self.note.updated]
        return [folder for name in groups if is_inside(folder := self.entry.folder_of(name))]

    # -- what is here now --------------------------------------------------------------------------------------

    def _look(self, path: str) -> tuple[Version, str | None]:
        """The version that is here, and its plain hash."""
        version, digest = version_at(self.root, path)
        if path != kernel.LOG or digest is None:
            return version, digest
        data = files.read_bytes(self.root / path, limit=kernel.SMALL_FILE_LIMIT)
        return version | {hashing.sha256(without_imports(data))}, digest

    def _is_whole(self, everything: list[Found]) -> bool:
        """Whether everything in the walnut is what the receive put there, or what we keep ourselves."""
        ours = {kernel.LEDGER, kernel.NOW}
        for one in everything:
            if one.is_folder or one.path in ours or one.path.startswith(f"{kernel.PRIVATE}/"):
                continue
            brought = self._brought.get(one.path)
            if brought is None or not (self._look(one.path)[0] & brought.now):
                return False
        return True

    def _since(self, everything: list[Found]) -> Iterator[str]:
        """What was added since, in a bundle or walnut that the receive brought."""
        if self.note.makes_walnut:
            found = [one.path for one in everything if not one.is_folder and not _is_kernel(one.path)]
        else:
            here = [folder for folder in self._folders_brought() if _is_real_folder(self.root / folder)]
            found = [f"{top}/{one.path}" for top in here for one in below(self.root / top) if not one.is_folder]
        return (path for path in found if path not in self._brought)

    # -- deciding ----------------------------------------------------------------------------------------------

    def _change(self, path: str) -> UndoChange | None:
        if self.note.makes_walnut and _is_kernel(path):
            return None  # what is left stays a walnut
        one = self._brought[path]
        ours, digest = self._look(path)
        if (ours == ABSENT and one.was is None) or (one.was is not None and one.was in ours):
            return None
        is_as_put = bool(ours & one.now) and ours != IN_THE_WAY
        if one.was is None:
            if is_as_put:
                self._removed.add(path)
            return UndoChange(path, UndoFate.REMOVE if is_as_put else UndoFate.KEEP, digest)
        self._check_kept(one)
        if ours == IN_THE_WAY and self._makes_room(path):
            ours = ABSENT
        if is_as_put or ours == ABSENT:
            return UndoChange(path, UndoFate.PUT_BACK, digest, one.kept, one.was)
        if digest is not None and one.tasks is not None and (merged := self._merged(path, digest, one)) is not None:
            return merged
        return UndoChange(path, UndoFate.KEEP_BOTH, digest, one.kept, one.was, self._free_beside(path))

    def _makes_room(self, path: str) -> bool:
        """Whether what is in the way goes with this very undo: files that are removed, and empty folders."""
        if not self._removed.isdisjoint(ancestors(path)):
            return True
        place = self.root / path
        if not _is_real_folder(place):
            return False
        leaves = list(leaves_below(place, path))
        if not all(leaf in self._removed or is_empty_folder(leaf) for leaf in leaves):
            return False
        self._room |= folders_of(leaves, path)
        return True

    def _merged(self, path: str, digest: str, one: _Brought) -> UndoChange | None:
        """Take back in a task file what the receive did to it, and leave what was done since."""
        ours = files.read_bytes(self.root / path, limit=kernel.SMALL_FILE_LIMIT)
        before = files.read_bytes(self._in_store(one), limit=kernel.SMALL_FILE_LIMIT)
        merged = merge_tasks(ours, before, [one.tasks or {}], path)
        if merged is None or hashing.sha256(ours) != digest:
            return None
        fate = UndoFate.KEEP if merged.data == ours else UndoFate.MERGE
        return UndoChange(path, fate, digest, one.kept, one.was, None, merged.data, merged.conflicts)

    def _in_store(self, one: _Brought) -> Path:
        return self.root / undo_store.UNDO_FOLDER / str(self.note.folder) / str(one.kept)

    def _check_kept(self, one: _Brought) -> None:
        """Look that what is to come back is what gave way."""
        if self._hash_in_store(one) != one.was:
            raise _cannot(self.entry, "what it displaced is not kept whole any more")

    def _hash_in_store(self, one: _Brought) -> str | None:
        place = self._in_store(one)
        if files.is_link(place) or not files.is_file(place):
            return None
        with files.translating("read", place):
            return files.hash_file(place)[0]

    def _free_beside(self, path: str) -> str:
        blocked = next((up for up in ancestors(path) if self._look(up)[0] not in (ABSENT, IN_THE_WAY)), None)
        if blocked is None:
            blocked = next((up for up in ancestors(path) if files.is_link(self.root / up)), path)
        found = beside(blocked, self.day, self._is_free, _BEFORE) + path.removeprefix(blocked)
        self._beside.add(found)
        return found

    def _is_free(self, path: str) -> bool:
        return not files.is_taken(self.root / path) and path not in self._beside and path not in self._brought

    def _empty_ones_back(self, changes: list[UndoChange]) -> Iterator[str]:
        """The folders that the update removed and that do not come back with a file, where there is room for them."""
        told = self._record.dropped if self._record is not None else ()
        dropped = {one for one in told if is_inside(one) and not _is_kernel(one)}
        removed = {one.path for one in changes if one.fate is UndoFate.REMOVE}
        come = {up for one in changes if one.fate is UndoFate.PUT_BACK for up in ancestors(one.path)}
        come |= {up for path in dropped for up in ancestors(path)}

        def is_free(path: str) -> bool:
            return path in removed or not files.is_taken(self.root / path)

        for folder in sorted(dropped - come):
            if is_free(folder) and all(is_free(up) or _is_real_folder(self.root / up) for up in ancestors(folder)):
                yield folder

    def _folders(self, changes: list[UndoChange], everything: list[Found]) -> Iterator[str]:
        """Folders that may be empty afterwards: those of removed files, and those in bundles that go."""
        found = {up for one in changes if one.fate is UndoFate.REMOVE for up in ancestors(one.path)}
        if self._record is not None:  # an empty folder that the update found stays
            found -= {up for one in self._record.touched for up in ancestors(one.path)} - self._record.folders
        found |= self._room
        found |= {one.path for one in everything if one.is_folder and not _is_kernel(one.path)}
        if not self.note.makes_walnut:
            for top in self._folders_brought():
                if _is_real_folder(self.root / top):
                    found |= {top} | {f"{top}/{one.path}" for one in below(self.root / top) if one.is_folder}
        stays = {up for one in changes if one.fate is not UndoFate.REMOVE for up in ancestors(one.beside or one.path)}
        yield from sorted(found - stays, key=lambda one: (-one.count("/"), one))


def _without_manifests_of_bundles_that_stay(changes: list[UndoChange]) -> list[UndoChange]:
    """Where something of a bundle stays, its manifest does too, so that what is left is still a bundle."""
    staying = {one.path.split("/")[0] for one in changes if one.fate is not UndoFate.REMOVE and "/" in one.path}
    manifests = {f"{top}/{name}" for top in staying for name in kernel.BUNDLE_MANIFESTS}
    return [one for one in changes if one.fate is not UndoFate.REMOVE or one.path not in manifests]


def _version(*hashes: str | None) -> Version:
    return frozenset(one for one in hashes if one is not None)


def _is_kernel(path: str) -> bool:
    return path == kernel.KERNEL or path.startswith(f"{kernel.KERNEL}/")


def _is_real_folder(place: Path) -> bool:
    return files.is_folder(place) and not files.is_link(place)


def kinds(plan: UndoPlan) -> Mapping[UndoFate, int]:
    """How many files each fate has."""
    fates = [one.fate for one in plan.changes]
    return {fate: fates.count(fate) for fate in UndoFate if fate in fates}
