"""Finishing a journal's change forward, or taking it back where something stands in its way (receive.md §7).

Whatever instant it was interrupted at, also in the middle of this: every step looks first whether it is needed.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError
from alive_p2p.transactions.journal import JOURNAL, Journal, Kind, Operation, TargetChangedError, drop, hash_of
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.log import ImportRecord, has_entry, with_entry


class InTheWayError(FileSystemError):
    """A change can neither be finished nor taken back; nothing that somebody wrote meanwhile was touched."""


def finish(journal: Journal) -> str | None:
    """Finish a change that had begun.

    Returns:
        None where everything is in place now; or why it could not be, and then everything was taken back.

    Raises:
        InTheWayError: neither is possible, because of what somebody did meanwhile.
        FileSystemError: the disk refused; it can be tried again.
    """
    journal.check_parents()
    with files.translating("finish the change of", journal.target):
        blocked = _first_blocked(journal)
        if blocked is not None:
            _take_back(journal, blocked)
            return f"'{blocked.dst}' is in its way"
        for operation in journal.operations:
            _do(journal, operation)
        journal.flush_folders()
    return None


def _first_blocked(journal: Journal) -> Operation | None:
    """The first operation that cannot be carried out, counting as gone what earlier ones remove."""
    vacated: set[str] = set()
    for operation in journal.operations:
        if operation.dst not in vacated and not _can_be_done(journal, operation):
            return operation
        if operation.kind is Kind.REMOVE or (
            operation.kind is Kind.DROP and _will_be_empty(journal, operation, vacated)
        ):
            vacated.add(operation.dst)
    return None


def _will_be_empty(journal: Journal, operation: Operation, vacated: set[str]) -> bool:
    """Whether a folder can be dropped once what is removed from it has gone: somebody may have filled it since."""
    folder = journal.target / operation.dst
    if files.is_link(folder) or not files.is_folder(folder):
        return False
    return all(f"{operation.dst}/{path.name}" in vacated for path in folder.iterdir())


def _is_all_done_at(journal: Journal, path: str) -> bool:
    """Whether what is put in place at a path is there already, so that it is not what is to be removed."""
    placed = [one for one in journal.operations if one.dst == path and one.src is not None]
    return bool(placed) and all(journal.is_done(one) for one in placed)


def _can_be_done(journal: Journal, operation: Operation) -> bool:
    target = journal.target / operation.dst
    if operation.kind is Kind.DROP or not files.is_taken(target):
        return True
    if operation.kind is Kind.REMOVE:
        return _is_all_done_at(journal, operation.dst) or hash_of(target) == operation.old_sha256
    source = journal.source_of(operation)
    if not files.is_taken(source):
        return True
    if operation.kind is Kind.SUBSTITUTE:
        is_known = hash_of(target) in {operation.old_sha256, operation.new_sha256}
        return is_known or (operation.dst in journal.records and _takes_records(target, operation.dst))
    return _is_half_renamed(source, target)


def _takes_records(target: Path, path: str) -> bool:
    """Whether a file that somebody has edited is still one that an entry can be added to."""
    if path == kernel.LOG:
        return files.is_file(target) and not files.is_link(target)
    try:
        Ledger.parse(files.read_bytes(target, limit=kernel.LEDGER_LIMIT))
    except AliveP2PError:
        return False
    return True


def _is_half_renamed(source: Path, target: Path) -> bool:
    """Whether a rename in two steps stopped between them (see `files.rename_exclusive`)."""
    if files.is_folder(source):
        return not files.is_link(target) and files.is_folder(target) and not any(target.iterdir())
    return target.samefile(source) and not files.is_link(target)


def _do(journal: Journal, operation: Operation) -> None:
    target = journal.target / operation.dst
    if operation.kind is Kind.DROP:
        drop(target)
        return
    if operation.kind is Kind.REMOVE:
        if hash_of(target) == operation.old_sha256:  # what lies there by now may be what an operation has placed
            files.remove_file(target)
        return
    source = journal.source_of(operation)
    if not files.is_taken(source):
        return  # it was done
    if operation.kind is Kind.PLACE:
        _place(source, target)
        return
    now = hash_of(target)
    if now in {None, operation.old_sha256, operation.new_sha256}:
        files.replace(source, target)
        return
    _add_record(target, operation.dst, journal.records[operation.dst])
    files.remove_file(source)


def _place(source: Path, target: Path) -> None:
    if files.is_taken(target):
        if files.is_folder(source):
            files.remove_empty_folder(target)
        else:
            files.remove_file(source)
            return
    files.rename_exclusive(source, target)


def _add_record(target: Path, path: str, record: Mapping[str, Any]) -> None:
    """Do to a file that somebody has edited what the transaction does to it, once."""
    data = files.read_bytes(target, limit=kernel.LEDGER_LIMIT)
    if path == kernel.LOG:
        entry = ImportRecord(**record)
        if not has_entry(data, entry):
            files.replace_file(target, with_entry(data, entry))
        return
    ledger = Ledger.parse(data)
    if "without" in record:
        if (without := ledger.without_entry(record["without"])) != ledger:
            files.replace_file(target, without.serialise())
        return
    if ledger.walnut_id is None:
        ledger = ledger.with_walnut_id(record["walnut_id"])
    if record["entry"] not in [dict(entry.raw) for entry in ledger.entries]:
        files.replace_file(target, ledger.with_entry(record["entry"]).serialise())


def _take_back(journal: Journal, blocked: Operation) -> None:
    """Put everything back that was done, after having looked that all of it can be."""
    for operation in journal.operations:
        if not _can_be_taken_back(journal, operation):
            raise InTheWayError(
                "in-the-way",
                f"'{blocked.dst}' is in its way, and '{operation.dst}' was changed meanwhile",
            )
    try:
        journal.take_back(journal.operations)
    except TargetChangedError as error:
        raise InTheWayError("in-the-way", f"'{blocked.dst}' is in its way, and {error.message}") from None


def _can_be_taken_back(journal: Journal, operation: Operation) -> bool:
    target = journal.target / operation.dst
    if operation.kind is Kind.DROP:
        is_ours = not files.is_taken(target) or files.is_folder(target)
        return is_ours or _is_all_done_at(journal, operation.dst)
    if operation.kind is Kind.REMOVE:
        is_ours = not files.is_taken(target) or hash_of(target) == operation.old_sha256
        return is_ours or _is_all_done_at(journal, operation.dst)
    if files.is_taken(journal.source_of(operation)):
        return True  # it never happened
    if operation.new_sha256 is not None:
        return hash_of(target) == operation.new_sha256
    return files.is_taken(target) and not _was_worked_on(target, (journal.staging / JOURNAL).lstat().st_mtime_ns)


def _was_worked_on(placed: Path, since: int) -> bool:
    """Whether anything of a folder that was put in place is younger than the journal, which was written just before.

    Everything below it was complete and flushed by then; putting it in place changed its own entry and nothing else.
    """
    below = (Path(folder, name) for folder, folders, names in os.walk(placed) for name in (*folders, *names))
    return placed.lstat().st_mtime_ns > since or any(_changed_at(path.lstat()) > since for path in below)


def _changed_at(state: os.stat_result) -> int:
    """When somebody changed it; a file with other names, as undo's have, changes also when one of those goes."""
    is_shared = stat.S_ISREG(state.st_mode) and state.st_nlink > 1
    return state.st_mtime_ns if is_shared else max(state.st_mtime_ns, state.st_ctime_ns)
