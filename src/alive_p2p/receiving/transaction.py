"""Putting everything in place, log and ledger included, all or none (receive.md §2, steps 9 to 11).

A new walnut is completed in staging and appears by one rename. An existing one is changed by a journal of renames.
"""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, FileSystemError
from alive_p2p.receiving import records
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.committing import Records, changed_meanwhile, commit, edit
from alive_p2p.transactions.journal import Operation, place
from alive_p2p.transactions.staging import PREPARED, TREE, Staging
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.log import ImportRecord, fresh_log, with_entry
from alive_p2p.walnut.projection import project
from alive_p2p.walnut.walnut import Walnut


class Transaction:
    """One receive, from staging to the target. The walnut's lock is held by the caller.

    Args:
        plan: what is received, decided under the lock.
        staging: where the package is unpacked.
        runtime: the surroundings.

    Attributes:
        warnings: what could not be recorded, with the command that mends it.
    """

    def __init__(self, plan: ReceivePlan, staging: Staging, runtime: Runtime) -> None:
        self.plan = plan
        self.staging = staging
        self.runtime = runtime
        self.at = runtime.timestamp()
        self.warnings: list[str] = []
        self._records: dict[str, dict[str, Any]] = {}  # what the journal says is added to log and ledger
        self._undo_folder: str | None = None  # where what an update displaces is kept

    def _record(self) -> ImportRecord:
        return records.import_record(self.plan, records.applied_names(self.plan), self.at, self.runtime)

    def _with_ledger(self, ledger: Ledger, tree: Path) -> bytes:
        if ledger.walnut_id is None:
            ledger = ledger.with_walnut_id(self.plan.walnut_id or self.runtime.new_uuid())
        entry = records.ledger_entry(self.plan, tree, self.at, self._undo_folder)
        self._records[kernel.LEDGER] = {"walnut_id": ledger.walnut_id, "entry": entry}
        return ledger.with_entry(entry).serialise()

    # -- a new walnut ------------------------------------------------------------------------------------------

    def run_new(self) -> list[str]:
        """Complete the tree in staging and make it appear by one rename.

        Returns:
            The warnings.

        Raises:
            WalnutError: something has taken its place.
            FileSystemError: the disk refused; nothing is there.
        """
        tree = self.staging.tree
        self._complete_kernel(tree)
        with files.translating("prepare", tree):
            tree.chmod(files.default_mode(executable=True))
            files.flush_tree(tree)
        try:
            files.rename_exclusive(tree, self.plan.target)
        except FileExistsError:
            raise changed_meanwhile(self.plan.target) from None
        except OSError as error:
            raise files.file_system_error(error, "create", self.plan.target) from error
        try:
            files.flush_folder(self.plan.target.parent)
        except OSError as error:
            # It is there and complete; only whether it outlives a power cut is not certain.
            why = files.file_system_error(error, "flush", self.plan.target.parent).message
            self.warnings.append(f"the walnut is in place, but {why}; check the disk")
        return self.warnings

    def _complete_kernel(self, tree: Path) -> None:
        """Log entry, ledger, what a snapshot does not bring, and the projection; each on its own.

        They are flushed with the tree around them.
        """
        target = self.plan.target
        mode = files.default_mode(executable=False)
        if self.plan.manifest.scope == "snapshot":
            for path, content in ((kernel.TASKS, kernel.EMPTY_TASKS), (kernel.COMPLETED, kernel.EMPTY_COMPLETED)):
                if not files.is_taken(tree / path):
                    with files.translating("prepare", tree / path):
                        files.write_new(tree / path, content, mode=mode)
        try:
            old = files.read_bytes_if_present(tree / kernel.LOG, limit=kernel.SMALL_FILE_LIMIT)
            new = with_entry(old if old is not None else fresh_log(target.name, self.at), self._record())
            files.replace_file(tree / kernel.LOG, new, mode=mode, durable=False)
        except FileSystemError as error:
            self._warn_of_log(error)
        try:
            files.replace_file(tree / kernel.LEDGER, self._with_ledger(Ledger(), tree), mode=mode, durable=False)
        except FileSystemError as error:
            self._warn_of_ledger(error)
        if self.runtime.is_set("ALIVE_P2P_SKIP_REGEN"):
            return
        try:
            now = project(Walnut(tree), at=self.at, session=self.runtime.session_id)
            files.replace_file(tree / kernel.NOW, now, mode=mode, durable=False)
        except FileSystemError as error:
            self.warnings.append(
                f"{error.message}; mend it with `alive-p2p project --walnut {shlex.quote(str(target))}`"
            )

    def _warn_of_log(self, error: AliveP2PError) -> None:
        self.warnings.append(
            f"the log entry could not be written ({error.message}); mend it with `alive-p2p log-import --walnut"
            f" {shlex.quote(str(self.plan.target))} --import-id {self.plan.manifest.import_id[:16]}`"
        )

    def _warn_of_ledger(self, error: AliveP2PError) -> None:
        self.warnings.append(
            f"the ledger could not be written ({error.message}); receiving the package again will not be recognised"
        )

    # -- bundles into an existing one --------------------------------------------------------------------------

    def run_existing(self) -> list[str]:
        """Change a walnut by a journal: its log, its ledger, new bundles, and what an update changes.

        Returns:
            The warnings.

        Raises:
            WalnutError: somebody edits log or ledger all the time.
            FileSystemError: the disk refused; everything was put back.
            RollbackFailedError: it could not be put back; recovery finishes it.
        """
        from alive_p2p.receiving.applying import Changes
        from alive_p2p.walnut import undo_store

        changes = Changes(self.plan, self.staging, self.at)
        operations = changes.operations()
        operations += [place(f"{TREE}/{fate.folder}", fate.folder) for fate in self.plan.added]
        self._undo_folder = changes.undo_folder

        def make_edits() -> tuple[list[Operation], Records]:
            self.warnings[:] = changes.warnings
            self._records.clear()
            return [*self._log_operations(), *self._ledger_operations()], dict(self._records)

        commit(self.staging, self.plan.target, self.plan.manifest.import_id, make_edits, operations)
        undo_store.forget_oldest(self.plan.target)
        return self.warnings

    def _log_operations(self) -> list[Operation]:
        try:
            old = files.read_bytes(self.plan.target / kernel.LOG, limit=kernel.SMALL_FILE_LIMIT)
            with files.translating("prepare", self.staging.path):
                record = self._record()
                self._records[kernel.LOG] = asdict(record)
                return [edit(self.staging, self.plan.target, kernel.LOG, old, with_entry(old, record))]
        except FileSystemError as error:
            self._warn_of_log(error)
            return []

    def _ledger_operations(self) -> list[Operation]:
        path = self.plan.target / kernel.LEDGER
        try:
            old = files.read_bytes_if_present(path, limit=kernel.LEDGER_LIMIT)
            with files.translating("prepare", self.staging.path):
                if self.plan.broken_ledger is None or old is None:
                    return [self._new_ledger(old, Ledger.parse(old))]
                return [self._set_aside(path), self._new_ledger(old, Ledger())]
        except AliveP2PError as error:
            self._warn_of_ledger(error)
            return []

    def _set_aside(self, path: Path) -> Operation:
        """A ledger that cannot be parsed keeps its bytes, under another name."""
        aside = f"{kernel.LEDGER}.broken-{self.at.replace(':', '')}"
        source = f"{PREPARED}/imports.json.broken"
        files.link_or_copy(path, self.staging.path / source)
        self.warnings.append(f"the broken ledger was set aside as '{aside}'")
        return place(source, aside)

    def _new_ledger(self, old: bytes | None, ledger: Ledger) -> Operation:
        new = self._with_ledger(ledger, self.staging.tree)
        if old is not None:
            return edit(self.staging, self.plan.target, kernel.LEDGER, old, new)
        source = f"{PREPARED}/imports.json"
        files.write_new(self.staging.path / source, new, mode=files.default_mode(executable=False))
        return place(source, kernel.LEDGER, hashing.sha256(new))
