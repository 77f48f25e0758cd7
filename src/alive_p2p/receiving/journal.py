"""The journal of a change to an existing walnut: what will be renamed, written down before it is (receive.md §7).

Everything that is put in place lies complete and flushed in staging first. Each operation is one rename, and
doing it again changes nothing. `committing` on disk is the moment from which the change has happened: recovery
finishes it forward. Until then the walnut is untouched.
"""

import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path

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


@dataclass(frozen=True)
class Operation:
    """One rename.

    Attributes:
        src: path inside staging.
        dst: path inside the target.
        new_sha256: the hash of a file that is put in place; None for a folder.
        old_sha256: the hash of the version it replaces; None where nothing may be there.
        rest: path inside staging where the old version rests; None where nothing is replaced.
    """

    src: str
    dst: str
    new_sha256: str | None = None
    old_sha256: str | None = None
    rest: str | None = None

    @property
    def replaces(self) -> bool:
        """Whether something is there already and gives way."""
        return self.old_sha256 is not None


@dataclass(frozen=True)
class Journal:
    """A transaction on one walnut; both paths absolute."""

    staging: Path
    target: Path
    import_id: str
    operations: tuple[Operation, ...]
    state: State = State.PREPARED

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
        self._check_parents()
        with files.translating("flush", self.staging):
            files.flush_tree(self.staging)
        done: list[Operation] = []
        try:
            replace(self, state=State.COMMITTING).write()
            for operation in self.operations:
                done.append(operation)
                self._carry_out(operation)
            for folder in self._changed_folders():
                files.flush_folder(folder)
        except BaseException as error:
            self._roll_back(done, error)
            if isinstance(error, OSError):
                raise files.file_system_error(error, "change", self.target) from error
            raise
        # From here on nothing can be lost any more; a failure only leaves something for recovery to tidy up.
        with suppress(FileSystemError):
            replace(self, state=State.DONE).write()

    @property
    def is_clean(self) -> bool:
        """Whether the journal on disk says that nothing was begun, or there is none."""
        data = files.read_bytes_if_present(self.staging / JOURNAL, limit=_LIMIT)
        return data is None or json.loads(data).get("state") == State.PREPARED.value

    def _check_parents(self) -> None:
        """No symbolic link on the way to anything that is changed."""
        for operation in self.operations:
            path = self.target
            for step in operation.dst.split("/")[:-1]:
                path /= step
                if files.is_link(path):
                    raise FileSystemError("symbolic-link", f"'{path}' is a symbolic link", untouched="everything")

    def _carry_out(self, operation: Operation) -> None:
        source, target = self.staging / operation.src, self.target / operation.dst
        if not operation.replaces:
            files.rename_exclusive(source, target)
            return
        if _hash(target) != operation.old_sha256:
            raise TargetChangedError(target)
        files.replace(source, target)

    def _changed_folders(self) -> Sequence[Path]:
        return sorted({(self.target / operation.dst).parent for operation in self.operations})

    def _roll_back(self, done: list[Operation], error: BaseException) -> None:
        """Undo in reverse what was done; each step looks first whether it is needed."""
        try:
            for operation in reversed(done):
                source, target = self.staging / operation.src, self.target / operation.dst
                if files.is_taken(source):
                    continue  # this one never happened
                if operation.rest is None:
                    files.rename_exclusive(target, source)
                elif _hash(target) == operation.new_sha256:
                    files.replace(self.staging / operation.rest, target)
                else:
                    raise TargetChangedError(target)
            for folder in self._changed_folders():
                files.flush_folder(folder)
            self.write()  # `prepared` again: recovery would discard it
        except BaseException:  # noqa: BLE001  (also a second interrupt: the journal stays, and recovery finishes it)
            raise RollbackFailedError(self.target) from error


def _hash(path: Path) -> str | None:
    try:
        return files.hash_file(path)[0]
    except FileNotFoundError:
        return None


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
