"""Making an update ready: what of the walnut's files gives way, and what comes in its place (receive.md §5).

Everything is prepared in staging; the journal carries it out. What is displaced is kept in the walnut's undo folder.
"""

from pathlib import Path

from alive_p2p import files, hashing
from alive_p2p.package.paths import folders_of
from alive_p2p.receiving.group_update import FileChange, is_converted
from alive_p2p.receiving.migration import LEFTOVERS, convert_tasks, task_file
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.receiving.staged import THEIRS
from alive_p2p.receiving.task_merging import merge_tasks
from alive_p2p.receiving.threeway import FileFate, beside
from alive_p2p.transactions.journal import Operation
from alive_p2p.transactions.preparing import Preparation
from alive_p2p.transactions.staging import Staging
from alive_p2p.walnut import kernel, undo_store
from alive_p2p.walnut.tasks import lists_tasks, remembered
from alive_p2p.walnut.undo_store import Touched


class Changes:
    """The operations of one update.

    Args:
        plan: what is received, decided under the lock.
        staging: where the package is unpacked.
        at: when, as the ledger has it.

    Attributes:
        undo_folder: the name in the undo store of what gives way; None where nothing changes.
        warnings: what a person should know of the merging.
    """

    def __init__(self, plan: ReceivePlan, staging: Staging, at: str) -> None:
        self.plan = plan
        self.target = plan.target
        self.staging = staging
        self.tree = staging.tree
        self.at = at
        self.undo_folder: str | None = None
        self.warnings: list[str] = []
        self._touched: list[Touched] = []
        self._at_rest: dict[str, str] = {}  # by the name in the undo store, where in staging it rests
        self._leftovers: dict[str, str] = {}  # of task lists that were converted, by path in the package

    def operations(self) -> list[Operation]:
        """Prepare everything in staging.

        Raises:
            FileSystemError: the disk refused.
        """
        if not self.plan.updates:
            return []
        with files.translating("prepare", self.staging.path):
            self.ready = Preparation(self.target, self.staging)
            self._convert()
            for change in self.plan.changes:
                self._prepare(change)
            self._keep_for_undo()
            for group in self.plan.updates:
                for folder in group.dropped:
                    self.ready.drop(folder)
            return self.ready.operations()

    def _prepare(self, change: FileChange) -> None:
        if change.fate is FileFate.REMOVE:
            self._remove(change.path, str(change.ours))
        elif change.fate is FileFate.MERGE:
            self._merge(change)
        elif change.fate is FileFate.CONFLICT and change.beside is not None:
            self._add(change.beside)
        elif change.fate in {FileFate.ADD, FileFate.REPLACE}:
            if change.package_path is not None and is_converted(change.package_path, change.path):
                self.ready.write(change.path, self._converted(change.package_path, change.path))
            if change.fate is FileFate.ADD:
                self._add(change.path)
            else:
                self._replace(change.path, str(change.ours))

    # -- one file ----------------------------------------------------------------------------------------------

    def _add(self, path: str) -> None:
        self.ready.add(path)
        self._touched.append(Touched(path, None, files.hash_file(self.tree / path)[0]))

    def _remove(self, path: str, old: str) -> None:
        self._displaced(path, old, None, self.ready.remove(path, old))

    def _replace(self, path: str, old: str) -> None:
        staged = self.tree / path
        staged.chmod((self.target / path).stat().st_mode & 0o7777)
        new = files.hash_file(staged)[0]
        self._displaced(path, old, new, self.ready.replace(path, old))

    def _displaced(self, path: str, old: str, new: str | None, rest: str) -> None:
        """Remember what gives way, for undo; of a task file also what comes, to tell it from later edits."""
        kept = str(len(self._at_rest))
        self._at_rest[kept] = rest
        tasks = remembered(self.tree / path) if new is not None and lists_tasks(path) else None
        self._touched.append(Touched(path, old, new, kept, tasks))

    def _merge(self, change: FileChange) -> None:
        ours = files.read_bytes(self.target / change.path, limit=kernel.SMALL_FILE_LIMIT)
        theirs = self._theirs(change)
        merged = merge_tasks(ours, theirs, change.bases, change.path)
        if merged is None:
            if change.beside is not None:
                self.ready.write(change.beside, theirs)
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
            self.ready.write(change.path, merged.data)
            self._replace(change.path, hashing.sha256(ours))

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
            if files.hash_file(self.target / path)[0] == hashing.sha256(data):
                return
            day = self.at[:10].replace("-", "")
            path = beside(path, day, lambda one: not files.is_taken(self.target / one) and one not in self.ready.added)
        self.ready.write(path, data)
        self._add(path)

    # -- all of them -------------------------------------------------------------------------------------------

    def _keep_for_undo(self) -> None:
        """Put what is displaced, and what was done, into the walnut's undo store along with everything else."""
        if not self._touched:
            return
        moment = self.at.replace(":", "").replace("-", "")
        self.undo_folder = f"{moment}-{self.plan.manifest.import_id[:16]}"
        folder = f"{undo_store.UNDO_FOLDER}/{self.undo_folder}"
        dropped = {one for group in self.plan.updates for one in group.dropped}
        record = undo_store.serialise(
            self.plan.manifest.import_id, self.at, self._touched, self._folders_made(), dropped
        )
        self.ready.write(f"{folder}/{undo_store.RECORD}", record)
        for kept, rest in self._at_rest.items():
            self.ready.take(self.staging.path / rest, f"{folder}/{kept}")
        self.ready.add(folder)

    def _folders_made(self) -> set[str]:
        """The folders that come into being with what is added; an empty one that was here is not among them."""
        return {up for up in folders_of(self.ready.added) if not files.is_folder(self.target / up)}
