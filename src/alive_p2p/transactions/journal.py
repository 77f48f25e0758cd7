"""The journal of a change to an existing walnut: what will be renamed, written down before it is (receive.md §7).

Everything that is put in place lies complete and flushed in staging first, and so does another link to whatever
gives way. Each operation is one rename or one removal, and doing it again changes nothing. `committing` on disk is
the moment from which the change has happened: recovery finishes it forward (`recovery`). Until then the walnut is
untouched.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError

JOURNAL = ".alive-receive-journal.json"
_VERSION = 1
_LIMIT = 64 << 20


class State(Enum):
    """How far a transaction has come."""

    PREPARED = "prepared"
    COMMITTING = "committing"
    DONE = "done"


class Kind(Enum):
    """What an operation does; told by which of its fields are given."""

    PLACE = "place"
    """A file or folder of staging is renamed to where nothing is."""
    SUBSTITUTE = "substitute"
    """A file of staging is renamed over an older version, of which staging holds another link."""
    REMOVE = "remove"
    """A file, of which staging holds another link, is removed."""
    DROP = "drop"
    """A folder is removed if it is empty by then."""


@dataclass(frozen=True)
class Operation:
    """One step.

    Attributes:
        src: path inside staging; None where nothing is put in place.
        dst: path inside the target.
        new_sha256: the hash of a file that is put in place; None for a folder.
        old_sha256: the hash of the version that gives way; None where nothing may be there.
        rest: path inside staging where the old version rests, from before the first step; None where none does.
    """

    src: str | None
    dst: str
    new_sha256: str | None = None
    old_sha256: str | None = None
    rest: str | None = None

    @property
    def kind(self) -> Kind:
        """What it does."""
        if self.src is None:
            return Kind.DROP if self.rest is None else Kind.REMOVE
        return Kind.PLACE if self.rest is None else Kind.SUBSTITUTE

    def is_sound(self) -> bool:
        """Whether its paths stay inside staging and target, and its hashes come together."""
        hashes: tuple[object, ...] = (self.new_sha256, self.old_sha256)
        inside = [self.dst, *(path for path in (self.src, self.rest) if path is not None)]
        return (
            all(is_inside(path) for path in inside)
            and all(one is None or (isinstance(one, str) and len(one) == 64) for one in hashes)
            and (self.old_sha256 is None) == (self.rest is None)
            and (self.src is not None or self.new_sha256 is None)
        )


class BrokenJournalError(FileSystemError):
    """A journal cannot be understood; nothing of it is obeyed."""


@dataclass(frozen=True)
class Journal:
    """A transaction on one walnut.

    Attributes:
        staging: its folder; absolute.
        target: the walnut; absolute.
        import_id: what is received.
        operations: what is done, in this order.
        records: by the path of a file that is replaced, what is done to it: recovery does the same where somebody
            has edited the file since. For the log the fields of an `ImportRecord`; for the ledger `walnut_id` and
            `entry`, or the entry that goes as `without`.
        state: how far it has come.
    """

    staging: Path
    target: Path
    import_id: str
    operations: tuple[Operation, ...]
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: State = State.PREPARED

    @classmethod
    def read(cls, staging: Path) -> "Journal | None":
        """The journal in a staging folder, or None where there is none.

        Raises:
            BrokenJournalError: it cannot be read, or says something that this program would not have written.
        """
        path = staging / JOURNAL
        try:
            data = files.read_bytes_if_present(path, limit=_LIMIT)
            return None if data is None else cls._from_document(staging, json.loads(data))
        except (ValueError, KeyError, TypeError, RecursionError, FileSystemError):
            raise BrokenJournalError("broken-journal", f"'{path}' is not a journal of this program") from None

    @classmethod
    def _from_document(cls, staging: Path, document: dict[str, Any]) -> "Journal":
        """Raises `ValueError`, `KeyError` or `TypeError` for anything that is not one."""
        operations = tuple(Operation(**fields) for fields in document["operations"])
        target, records = Path(document["target"]), document["records"]
        whole = isinstance(document["import_id"], str) and isinstance(records, dict)
        if document["version"] != _VERSION or not target.is_absolute() or not whole:
            raise ValueError
        if not all(operation.is_sound() for operation in operations):
            raise ValueError
        if not all(isinstance(record, dict) for record in records.values()):
            raise ValueError
        return cls(staging, target, document["import_id"], operations, records, State(document["state"]))

    def write(self) -> None:
        """Write it into staging, atomically and durably.

        Raises:
            FileSystemError: the disk refused.
        """
        document = {
            "version": _VERSION,
            "state": self.state.value,
            "target": str(self.target),
            "import_id": self.import_id,
            "operations": [asdict(operation) for operation in self.operations],
            "records": self.records,
        }
        text = json.dumps(document, indent=1).encode("utf-8", "surrogateescape")
        files.replace_file(self.staging / JOURNAL, text, mode=0o600)

    def commit(self) -> None:
        """Carry out every operation, all or none.

        Raises:
            TargetChangedError: a file to be replaced is not the one that was read; everything was put back.
            FileSystemError: an operation failed and everything was put back.
            RollbackFailedError: something could not be put back; the journal on disk says what is to be done.
        """
        self.check_parents()
        with files.translating("flush", self.staging):
            files.flush_tree(self.staging)
        done: list[Operation] = []
        try:
            replace(self, state=State.COMMITTING).write()
            for operation in self.operations:
                self._check_unchanged(operation)
                done.append(operation)
                self._carry_out(operation)
            self.flush_folders()
        except BaseException as error:
            self._roll_back(done, error)
            if isinstance(error, OSError):
                raise files.file_system_error(error, "change", self.target) from error
            raise
        # From here on nothing can be lost any more; a failure only leaves something for recovery to tidy up.
        with suppress(FileSystemError):
            replace(self, state=State.DONE).write()

    @property
    def state_on_disk(self) -> State:
        """How far it has come, as recovery would see it; where staging is out of reach, nothing is certain."""
        if not files.is_folder(self.staging):
            return State.COMMITTING
        on_disk = Journal.read(self.staging)
        return State.PREPARED if on_disk is None else on_disk.state

    @property
    def is_over(self) -> bool:
        """Whether nothing is half done: by the journal on disk, or because every operation was carried out."""
        if self.state_on_disk is not State.COMMITTING:
            return True
        return files.is_folder(self.staging) and all(self.is_done(operation) for operation in self.operations)

    def is_done(self, operation: Operation) -> bool:
        """Whether an operation was carried out. Raises `OSError`."""
        if operation.src is not None:
            return not files.is_taken(self.staging / operation.src)
        if operation.kind is Kind.REMOVE:
            return hash_of(self.target / operation.dst) != operation.old_sha256
        return True  # a folder that stays is no harm

    def check_parents(self) -> None:
        """Look that no symbolic link is on the way to anything that is changed.

        Raises:
            FileSystemError: one is.
        """
        for operation in self.operations:
            path = self.target
            for step in operation.dst.split("/")[:-1]:
                path /= step
                if files.is_link(path):
                    raise FileSystemError(
                        "symbolic-link",
                        f"'{path}' is a symbolic link",
                        untouched="everything",
                        hint="make it a folder of its own, then run it again",
                    )

    def _check_unchanged(self, operation: Operation) -> None:
        """Look, before the step has begun, that what gives way is what was read."""
        target = self.target / operation.dst
        if operation.rest is not None and hash_of(target) != operation.old_sha256:
            raise TargetChangedError(target)

    def _carry_out(self, operation: Operation) -> None:
        target = self.target / operation.dst
        if operation.kind is Kind.PLACE:
            files.rename_exclusive(self.source_of(operation), target)
        elif operation.kind is Kind.DROP:
            drop(target)
        elif operation.kind is Kind.SUBSTITUTE:
            files.replace(self.source_of(operation), target)
        else:
            files.remove_file(target)

    def source_of(self, operation: Operation) -> Path:
        """Where in staging that lies which an operation puts in place."""
        if operation.src is None:
            raise ValueError("it puts nothing in place")
        return self.staging / operation.src

    def flush_folders(self) -> None:
        """Make the new names durable. Raises `OSError`."""
        for folder in sorted({(self.target / operation.dst).parent for operation in self.operations}):
            if files.is_folder(folder):  # it may have been dropped
                files.flush_folder(folder)

    def _roll_back(self, done: list[Operation], error: BaseException) -> None:
        try:
            self.take_back(done)
        except BaseException:  # noqa: BLE001  (also a second interrupt: the journal stays, and recovery finishes it)
            if isinstance(error, OSError):
                error = files.file_system_error(error, "change", self.target)
            raise RollbackFailedError(self.target) from error

    def take_back(self, done: Sequence[Operation]) -> None:
        """Undo in reverse what was done; each step looks first whether it is needed.

        Raises:
            TargetChangedError: what was put in place was edited since.
            FileSystemError: the disk refused. The journal still says `committing`.
            OSError: as above.
        """
        for operation in reversed(done):
            self._take_back_one(operation)
        self.flush_folders()
        replace(self, state=State.PREPARED).write()  # recovery would discard it now

    def _take_back_one(self, operation: Operation) -> None:
        """Undo one step, so that a kill at any instant of this leaves it either done or not done."""
        target = self.target / operation.dst
        if operation.kind is Kind.DROP:
            if not files.is_taken(target):
                files.make_folder(target)
        elif operation.kind is Kind.REMOVE:
            if not files.is_taken(target):
                files.rename_exclusive(self._another_link(operation), target)
            elif hash_of(target) != operation.old_sha256:
                raise TargetChangedError(target)
        elif operation.kind is Kind.PLACE:
            if not files.is_taken(self.source_of(operation)):
                files.rename_exclusive(target, self.source_of(operation))
        elif operation.kind is Kind.SUBSTITUTE:
            self._take_back_substitute(operation, target)

    def _take_back_substitute(self, operation: Operation, target: Path) -> None:
        now, source = hash_of(target), self.source_of(operation)
        if now not in {operation.new_sha256, operation.old_sha256}:
            if files.is_taken(source):
                return  # this one never happened
            raise TargetChangedError(target)
        if not files.is_taken(source):  # what says that it is not done comes first
            files.rename_exclusive(_link_beside(target, source), source)
        if now == operation.new_sha256:
            files.replace(self._another_link(operation), target)

    def _another_link(self, operation: Operation) -> Path:
        """One more link to the old version: the one that rests stays, for whoever has to begin again."""
        rest = self.staging / str(operation.rest)
        return _link_beside(rest, rest)


def _link_beside(path: Path, name: Path) -> Path:
    """Another link to a file, at a name beside `name`."""
    link = name.with_name(f"{name.name}.back")
    if files.is_taken(link):
        files.remove_file(link)
    files.link_or_copy(path, link)
    return link


def hash_of(path: Path) -> str | None:
    """The SHA-256 of a file, or None where there is none, or something else. Raises `OSError`."""
    if files.is_link(path) or not files.is_file(path):
        return None
    return files.hash_file(path)[0]


def drop(folder: Path) -> None:
    """Remove a folder if it is one, and empty. Raises `OSError`."""
    if files.is_folder(folder) and not files.is_link(folder) and not any(folder.iterdir()):
        files.remove_empty_folder(folder)


def is_inside(path: object) -> bool:
    """Whether it is a path, relative, and does not leave where it begins."""
    if not isinstance(path, str) or "\0" in path:
        return False
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/")


class TargetChangedError(FileSystemError):
    """A file that is to be replaced is no longer the one that was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "changed-meanwhile", f"'{path}' changed meanwhile", untouched="everything", hint="run it again"
        )


class RollbackFailedError(FileSystemError):
    """A change failed half-way and could not be put back; recovery finishes it."""

    def __init__(self, target: Path) -> None:
        super().__init__(
            "interrupted",
            f"the change of '{target}' was interrupted and could not be put back",
            hint=f"run `alive-p2p recover {shlex.quote(str(target))}`, which finishes it",
        )


def place(src: str, dst: str, new_sha256: str | None = None) -> Operation:
    """An operation that puts something where nothing is."""
    return Operation(src, dst, new_sha256)


def substitute(src: str, dst: str, *, new_sha256: str, old_sha256: str, rest: str) -> Operation:
    """An operation that puts a file where an older version is, which rests in staging meanwhile."""
    return Operation(src, dst, new_sha256, old_sha256, rest)


def remove(dst: str, *, old_sha256: str, rest: str) -> Operation:
    """An operation that removes a file, of which staging holds another link."""
    return Operation(None, dst, None, old_sha256, rest)


def drop_folder(dst: str) -> Operation:
    """An operation that removes a folder from which everything has gone."""
    return Operation(None, dst)
