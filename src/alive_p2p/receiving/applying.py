"""Making an update ready: what of the walnut's files gives way, and what comes in its place (receive.md §5).

Everything is prepared in staging; the journal carries it out. What is displaced is kept in the walnut's undo folder.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.package.paths import ancestors
from alive_p2p.receiving.group_update import FileChange, is_converted
from alive_p2p.receiving.migration import LEFTOVERS, convert_tasks, task_file
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.receiving.staged import THEIRS
from alive_p2p.receiving.task_merging import merge_tasks
from alive_p2p.receiving.threeway import FileFate, beside
from alive_p2p.transactions.journal import Operation, drop_folder, place, remove, substitute
from alive_p2p.transactions.staging import TREE, Staging
from alive_p2p.walnut import kernel

UNDO_FOLDER = f"{kernel.PRIVATE}/undo"
UNDO_KEPT = 3
"""How many receives can be taken back, one after the other."""
_RECORD = "record.json"
_DISPLACED = "displaced"


class Changes:
    """The operations of one update.

    Args:
        plan: what is received, decided under the lock.
        staging: where the package is unpacked.
        at: when, as the ledger has it.

    Attributes:
        warnings: what a person should know of the merging.
    """

    def __init__(self, plan: ReceivePlan, staging: Staging, at: str) -> None:
        self.plan = plan
        self.target = plan.target
        self.staging = staging
        self.tree = staging.tree
        self.at = at
        self.warnings: list[str] = []
        self._removes: list[Operation] = []
        self._substitutes: list[Operation] = []
        self._adds: list[str] = []
        self._undo: list[dict[str, Any]] = []
        self._leftovers: dict[str, str] = {}  # of task lists that were converted, by path in the package

    def operations(self) -> list[Operation]:
        """Prepare everything in staging.

        Raises:
            FileSystemError: the disk refused.
        """
        if not self.plan.updates:
            return []
        with files.translating("prepare", self.staging.path):
            files.make_folder(self.staging.path / _DISPLACED, 0o700)
            self._convert()
            for change in self.plan.changes:
                self._prepare(change)
            self._keep_for_undo()
            gone = {one.dst for one in self._removes}
            dropped = [folder for group in self.plan.updates for folder in group.dropped]
            roots = sorted({self._root_of(path, gone | set(dropped)) for path in self._adds})
        return [
            *self._removes,
            *map(drop_folder, dropped),
            *self._substitutes,
            *(place(f"{TREE}/{path}", path, self._hash_if_file(path)) for path in roots),
        ]

    def _prepare(self, change: FileChange) -> None:
        if change.fate is FileFate.REMOVE:
            self._removes.append(self._remove(change.path, str(change.ours)))
        elif change.fate is FileFate.MERGE:
            self._merge(change)
        elif change.fate is FileFate.CONFLICT and change.beside is not None:
            self._add(change.beside)
        elif change.fate in {FileFate.ADD, FileFate.REPLACE}:
            if change.package_path is not None and is_converted(change.package_path, change.path):
                self._write(change.path, self._converted(change.package_path, change.path))
            if change.fate is FileFate.ADD:
                self._add(change.path)
            else:
                self._replace(change.path, str(change.ours))

    # -- one file ----------------------------------------------------------------------------------------------

    def _add(self, path: str) -> None:
        self._adds.append(path)
        self._undo.append({"path": path, "was": None, "now": files.hash_file(self.tree / path)[0]})

    def _remove(self, path: str, old: str) -> Operation:
        rest = self._rest(path, old, None)
        return remove(path, old_sha256=old, rest=rest)

    def _replace(self, path: str, old: str) -> None:
        staged = self.tree / path
        staged.chmod((self.target / path).stat().st_mode & 0o7777)
        new = files.hash_file(staged)[0]
        rest = self._rest(path, old, new)
        self._substitutes.append(substitute(f"{TREE}/{path}", path, new_sha256=new, old_sha256=old, rest=rest))

    def _rest(self, path: str, old: str, new: str | None) -> str:
        """Another link to what gives way: one for taking the change back, one for undo."""
        number = str(len(self._undo))
        files.link_or_copy(self.target / path, self.staging.path / _DISPLACED / number)
        self._undo.append({"path": path, "was": old, "now": new, "kept": number})
        return f"{_DISPLACED}/{number}"

    def _merge(self, change: FileChange) -> None:
        ours = files.read_bytes(self.target / change.path, limit=kernel.SMALL_FILE_LIMIT)
        theirs = self._theirs(change)
        merged = merge_tasks(ours, theirs, change.bases, change.path)
        if merged is None:
            if change.beside is not None:
                self._write(change.beside, theirs)
                self._add(change.beside)
                self.warnings.append(
                    f"'{change.path}' is no list of tasks with an id each, so theirs was put beside it as"
                    f" '{change.beside}'"
                )
            return
        for identity in merged.conflicts:
            self.warnings.append(
                f"'{change.path}': task '{identity}' was changed on both sides; theirs is there as a task of its own"
            )
        if merged.data != ours:
            self._write(change.path, merged.data)
            self._replace(change.path, files.sha256(ours))

    def _theirs(self, change: FileChange) -> bytes:
        path = str(change.package_path)
        if is_converted(path, change.path):
            return self._converted(path, change.path)
        return files.read_bytes(self.tree / THEIRS / path, limit=kernel.SMALL_FILE_LIMIT)

    def _convert(self) -> None:
        """Make a task file beside every task list of theirs that becomes one here."""
        for group in self.plan.updates:
            for path, here in group.places.items():
                if is_converted(path, here):
                    self._leftovers[path], data = self._convert_one(path, here)
                    files.write_new(self._beside_theirs(path), data, mode=files.default_mode(executable=False))

    def _convert_one(self, path: str, here: str) -> tuple[str, bytes]:
        data = files.read_bytes(self.tree / THEIRS / path, limit=kernel.SMALL_FILE_LIMIT)
        converted = convert_tasks(data.decode("utf-8", "replace"), here.rpartition("/")[0])
        return converted.leftovers, task_file(converted)

    def _beside_theirs(self, path: str) -> Path:
        return (self.tree / THEIRS / path).with_name(kernel.BUNDLE_TASKS)

    def _converted(self, path: str, here: str) -> bytes:
        """A task list of theirs as a task file; the lines that are no tasks go beside it, if they are new."""
        if self._leftovers[path]:
            self._keep_leftovers(f"{here.rpartition('/')[0]}/{LEFTOVERS}", self._leftovers[path].encode())
        return files.read_bytes(self._beside_theirs(path), limit=kernel.SMALL_FILE_LIMIT)

    def _keep_leftovers(self, path: str, data: bytes) -> None:
        if (self.target / path).is_file():
            if files.hash_file(self.target / path)[0] == files.sha256(data):
                return
            day = self.at[:10].replace("-", "")
            path = beside(path, day, lambda one: not files.is_taken(self.target / one) and one not in self._adds)
        self._write(path, data)
        self._add(path)

    def _write(self, path: str, data: bytes) -> None:
        for parent in ancestors(path):
            if not files.is_taken(self.tree / parent):
                files.make_folder(self.tree / parent, files.default_mode(executable=True))
        files.write_new(self.tree / path, data, mode=files.default_mode(executable=False))

    # -- all of them -------------------------------------------------------------------------------------------

    def _root_of(self, path: str, gone: set[str]) -> str:
        """What is renamed to make a path appear: the outermost folder that is not there, or the file itself."""
        for parent in ancestors(path):
            if parent in gone or not files.is_taken(self.target / parent):
                return parent
        return path

    def _hash_if_file(self, path: str) -> str | None:
        staged = self.tree / path
        return files.hash_file(staged)[0] if files.is_file(staged) else None

    def _keep_for_undo(self) -> None:
        """Put what is displaced, and what was done, into the walnut's undo folder along with everything else."""
        if not self._undo:
            return
        moment = self.at.replace(":", "").replace("-", "")
        folder = f"{UNDO_FOLDER}/{moment}-{self.plan.manifest.import_id[:16]}"
        record = {
            "version": 1,
            "import_id": self.plan.manifest.import_id,
            "at": self.at,
            "files": self._undo,
            "folders": [one for group in self.plan.updates for one in group.dropped],
        }
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        self._write(f"{folder}/{_RECORD}", text.encode("utf-8", "backslashreplace"))
        for one in self._undo:
            if "kept" in one:
                displaced = self.staging.path / _DISPLACED / one["kept"]
                files.link_or_copy(displaced, self.tree / folder / one["kept"])
        self._adds.append(folder)


def forget_oldest(walnut: Path) -> None:
    """Keep no more than the last few of what was displaced. The walnut's lock is held by the caller.

    The receive has happened by then, so what cannot be forgotten now is forgotten the next time.
    """
    folder = walnut / UNDO_FOLDER
    if files.is_link(walnut / kernel.PRIVATE) or files.is_link(folder) or not files.is_folder(folder):
        return
    with suppress(OSError):
        for old in sorted(path for path in folder.iterdir() if files.is_folder(path))[:-UNDO_KEPT]:
            files.remove_tree(old)
