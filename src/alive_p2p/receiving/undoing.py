"""Taking the last receive back, all or nothing (receive.md §5).

A walnut that came with it, and in which nothing is anybody else's, goes by one rename. Everything else is one journal,
as a receive is: files go, what gave way comes back, the ledger forgets the receive, and the log says so.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError
from alive_p2p.receiving.undo_plan import UndoFate, UndoPlan, plan_undo
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.committing import Records, changed_meanwhile, commit, edit
from alive_p2p.transactions.journal import Operation, hash_of
from alive_p2p.transactions.preparing import Preparation
from alive_p2p.transactions.recovery import interrupted_notes, settle, settled_lock
from alive_p2p.transactions.staging import TAKEN_AWAY, Staging
from alive_p2p.walnut import kernel, undo_store
from alive_p2p.walnut.below import below
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.log import ImportRecord, with_entry
from alive_p2p.walnut.regeneration import regenerate
from alive_p2p.walnut.walnut import Walnut, open_walnut


@dataclass(frozen=True)
class UndoResult:
    """A receive that was taken back: what was done, and what a person should know of it."""

    plan: UndoPlan
    warnings: tuple[str, ...] = ()


def preview_undo(walnut: Path, runtime: Runtime) -> tuple[UndoPlan, tuple[str, ...]]:
    """Decide what taking the last receive back would do; changes nothing.

    Args:
        walnut: its folder.
        runtime: the surroundings.

    Returns:
        The plan, and what should be known of earlier commands that did not come to their end.

    Raises:
        AliveP2PError: as `undo` does.
    """
    place = runtime.cwd / walnut
    notes = interrupted_notes(runtime, place=place)
    return _plan(place, runtime), notes


def undo(
    walnut: Path,
    runtime: Runtime,
    *,
    approve: Callable[[UndoPlan], None] | None = None,
    wait_seconds: float = 0.0,
) -> UndoResult:
    """Take back the last receive of any kind.

    What was edited or added since stays.

    Args:
        walnut: its folder.
        runtime: the surroundings.
        approve: looks at the plan before anything is touched, and raises to stop.
        wait_seconds: how long to wait for the walnut's lock.

    Raises:
        UsageError: nothing is there.
        WalnutError: it is not a walnut, or nothing was received that can be taken back.
        BusyError: another process holds the walnut.
        FileSystemError: the disk refused; everything is as it was, unless the message says otherwise.
    """
    place = runtime.cwd / walnut
    notes = [note for one in settle(runtime, place=place, action="undo") for note in one.notes]
    plan = _plan(place, runtime)
    if approve is not None:
        approve(plan)
    with (
        Staging(plan.target, runtime, action="undo") as staging,
        settled_lock(plan.target, "undo", runtime, wait_seconds=wait_seconds) as more,
    ):
        if _plan(place, runtime) != plan:
            raise changed_meanwhile(plan.target)
        if plan.takes_walnut:
            warnings = _take_away(plan, staging, runtime)
        else:
            warnings = [*_change(plan, staging, runtime), *regenerate(plan.target, runtime)]
    return UndoResult(plan, (*notes, *more, *warnings))


def _plan(place: Path, runtime: Runtime) -> UndoPlan:
    return plan_undo(open_walnut(place, allow_archived=True), day=f"{runtime.now():%Y%m%d}")


# --- a whole walnut -------------------------------------------------------------------------------------------


def _take_away(plan: UndoPlan, staging: Staging, runtime: Runtime) -> list[str]:
    """Make the walnut disappear by one rename; staging, and the walnut with it, is removed afterwards."""
    gone = staging.path / TAKEN_AWAY
    try:
        files.rename_exclusive(plan.target, gone)
    except OSError as error:
        raise files.file_system_error(error, "remove", plan.target) from error
    is_same = False
    try:
        with suppress(AliveP2PError):
            is_same = plan_undo(Walnut(gone), day=f"{runtime.now():%Y%m%d}").takes_walnut
    finally:
        if not is_same:  # somebody wrote into it between the look and the rename
            _put_back(gone, plan.target)
    if not is_same:
        raise changed_meanwhile(plan.target)
    try:
        files.flush_folder(plan.target.parent)
    except OSError as error:
        why = files.file_system_error(error, "flush", plan.target.parent).message
        return [f"the walnut has gone, but {why}; check the disk"]
    return []


def _put_back(gone: Path, target: Path) -> None:
    """Under its name, or where that is taken by now under one beside it."""
    with files.translating("put back", target):
        for number in range(1, 100):
            with suppress(FileExistsError):
                files.rename_exclusive(gone, target if number == 1 else target.with_name(f"{target.name}-{number}"))
                return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


# --- what came into one ---------------------------------------------------------------------------------------


def _change(plan: UndoPlan, staging: Staging, runtime: Runtime) -> list[str]:
    """Carry out the plan by a journal, and say what should be known of it."""
    target = plan.target
    warnings = [
        f"'{one.path}': task '{identity}' was changed since as well; what it was before is there as a task of its own"
        for one in plan.changes
        for identity in one.conflicts
    ]
    with files.translating("prepare", staging.path):
        operations = _prepare(plan, Preparation(target, staging))
    record = _record(plan, runtime)
    raw = dict(plan.entry.raw)
    unlogged: list[str] = []

    def make_edits() -> tuple[list[Operation], Records]:
        ledger = files.read_bytes(target / kernel.LEDGER, limit=kernel.LEDGER_LIMIT)
        without = Ledger.parse(ledger).without_entry(raw).serialise()
        with files.translating("prepare", staging.path):
            edits = [edit(staging, target, kernel.LEDGER, ledger, without)]
        records: dict[str, dict[str, Any]] = {kernel.LEDGER: {"without": raw}}
        unlogged.clear()
        try:
            log = files.read_bytes(target / kernel.LOG, limit=kernel.SMALL_FILE_LIMIT)
            with files.translating("prepare", staging.path):
                edits.insert(0, edit(staging, target, kernel.LOG, log, with_entry(log, record)))
            records[kernel.LOG] = asdict(record)
        except FileSystemError as error:
            unlogged.append(f"the log entry could not be written ({error.message})")
        return edits, records

    commit(staging, target, plan.entry.import_id, make_edits, operations)
    return warnings + unlogged


def _prepare(plan: UndoPlan, ready: Preparation) -> list[Operation]:
    """Raises `OSError` or `FileSystemError`."""
    for one in plan.changes:
        if one.fate is UndoFate.REMOVE:
            ready.remove(one.path, str(one.ours))
        elif one.fate is UndoFate.MERGE and one.merged is not None:
            ready.write(one.path, one.merged)
            ready.replace(one.path, str(one.ours))
        elif one.fate in {UndoFate.PUT_BACK, UndoFate.KEEP_BOTH}:
            path = one.beside or one.path
            ready.take(ready.target / str(plan.store) / str(one.kept), path)
            if one.fate is UndoFate.PUT_BACK and one.ours is not None:
                ready.replace(path, one.ours)
            else:
                ready.add(path)
    for folder in plan.empty:
        ready.make_folder(folder)
        ready.add(folder)
    for folder in plan.folders:
        ready.drop(folder)
    if plan.store is not None:
        _remove_store(plan.target, plan.store, ready)
    return ready.operations()


def _remove_store(target: Path, store: str, ready: Preparation) -> None:
    found = list(below(target / store))
    for one in found:
        if one.is_file:
            path = f"{store}/{one.path}"
            ready.remove(path, str(hash_of(target / path)))
    for one in reversed(found):
        if one.is_folder:
            ready.drop(f"{store}/{one.path}")
    for folder in (store, undo_store.UNDO_FOLDER, kernel.PRIVATE):
        ready.drop(folder)


def _record(plan: UndoPlan, runtime: Runtime) -> ImportRecord:
    entry = plan.entry
    signer = entry.raw.get("signer")
    told = signer if isinstance(signer, dict) else {}
    return ImportRecord(
        at=runtime.timestamp(),
        session=runtime.session_id,
        sender=str(entry.raw.get("sender") or "unknown"),
        scope=entry.scope,
        bundles=[entry.folder_of(name) for name in entry.applied_bundles],
        source_layout=str(entry.raw.get("source_layout") or "v3"),
        import_id=entry.import_id,
        signed_by=f"{told['name']} ({told['pubkey_id']})" if told.get("name") and told.get("pubkey_id") else None,
        is_taken_back=True,
    )
