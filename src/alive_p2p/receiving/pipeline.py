"""The road from a package to a walnut: check, decide, then change, all or nothing (receive.md §2).

Nothing is written until the package has passed every check. What is made ready lies in staging beside the target;
a new walnut appears by one rename, and an existing one is changed by a journal of renames.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError, WalnutError
from alive_p2p.locks import walnut_lock
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.receiving import dedupe, records, targets
from alive_p2p.receiving.journal import Journal, Operation, RollbackFailedError, place, substitute
from alive_p2p.receiving.layout import bundles_in, plan_installation
from alive_p2p.receiving.migration import migrate_task_lists
from alive_p2p.receiving.plan import (
    BundleFate,
    Fate,
    Lineage,
    MigrationResult,
    ReceivePlan,
    ReceiveRequest,
    ReceiveResult,
)
from alive_p2p.receiving.staging import PREPARED, PREVIOUS, TREE, Staging
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.log import ImportRecord, fresh_log, with_entry
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.projection import project
from alive_p2p.walnut.walnut import Walnut
from alive_p2p.walnut.world import find_world


def receive(
    request: ReceiveRequest,
    runtime: Runtime,
    *,
    approve: Callable[[ReceivePlan], None] | None = None,
    progress: Progress | None = None,
) -> ReceiveResult:
    """Receive a package (receive.md §2).

    Args:
        request: what is received, and where to.
        runtime: the surroundings.
        approve: looks at the plan before anything is written, and raises to stop. Not called for a no-op.
        progress: called with bytes done and bytes in all, while checking and again while unpacking.

    Raises:
        UsageError: a path or name does not exist, or options contradict each other.
        PackageError: the file is not a package, or one that must not be received.
        WalnutError: the target cannot take it.
        BusyError: another process holds the walnut.
        FileSystemError: the disk refused; everything is as it was, unless the message says otherwise.
    """
    _check_request(request, runtime)
    limits, notes = _limits(request, runtime)
    with PackageReader(runtime.cwd / request.package, limits) as package:
        contents = package.check(progress)
        plan = decide(request, contents, limits, runtime, notes)
        if plan.is_noop:
            return ReceiveResult("noop", plan, warnings=plan.warnings)
        if approve is not None:
            approve(plan)
        with Staging(plan.target, runtime) as staging:
            package.unpack(contents, staging.tree, _names_in_staging(plan), progress)
            migration = _migrate(plan, staging)
            with walnut_lock(plan.target, "receive", runtime, wait_seconds=request.wait_seconds):
                again = decide(request, contents, limits, runtime, notes)
                if again != plan:
                    raise _changed_meanwhile(plan, again)
                transaction = _Transaction(plan, staging, runtime)
                warnings = transaction.run_new() if plan.manifest.scope != "bundle" else transaction.run_bundles()
                warnings += _regenerate(plan, runtime)
    warnings = [*plan.warnings, *migration.warnings, *warnings]
    shown = migration if plan.installation.migrated_bundles or migration != MigrationResult() else None
    return ReceiveResult("warn" if warnings else "ok", plan, shown, tuple(warnings))


def preview(request: ReceiveRequest, runtime: Runtime, *, progress: Progress | None = None) -> ReceivePlan:
    """Check a package and decide what receiving it would do; writes nothing.

    Raises:
        AliveP2PError: as `receive` does.
    """
    _check_request(request, runtime)
    limits, notes = _limits(request, runtime)
    with PackageReader(runtime.cwd / request.package, limits) as package:
        return decide(request, package.check(progress), limits, runtime, notes)


def _check_request(request: ReceiveRequest, runtime: Runtime) -> None:
    if request.source_layout is not None and not runtime.is_testing:
        raise UsageError("testing-only", "`--source-layout` is for tests; it needs ALIVE_P2P_TESTING=1")


def _limits(request: ReceiveRequest, runtime: Runtime) -> tuple[Limits, tuple[str, ...]]:
    start = runtime.cwd / request.target if request.target is not None else runtime.cwd
    preferences = load_preferences(find_world(start.absolute()))
    limits = Limits(
        request.max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
        request.max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
    )
    return limits, preferences.warnings


# --- deciding -------------------------------------------------------------------------------------------------


def decide(
    request: ReceiveRequest, contents: Contents, limits: Limits, runtime: Runtime, notes: tuple[str, ...] = ()
) -> ReceivePlan:
    """Steps 3 to 5: what is here already, which layout it has, whether the target takes it (receive.md §3–§5, §8).

    Looks at the target and changes nothing; called once for the preview and once more under the lock.

    Raises:
        AliveP2PError: a rule is broken.
    """
    manifest = contents.manifest
    if request.scope is not None and request.scope != manifest.scope:
        raise UsageError(
            "other-scope", f"the package has scope {manifest.scope}, not {request.scope}", untouched="everything"
        )
    if request.bundles and manifest.scope != "bundle":
        raise UsageError(
            "bundle-without-scope",
            f"`--bundle` chooses from a package of scope bundle; this one has scope {manifest.scope}",
            untouched="everything",
        )
    installation = plan_installation(manifest, contents.empty_dirs, forced_layout=request.source_layout)
    warnings = (*notes, *installation.warnings, *_version_warning(manifest.min_plugin_version))
    base = ReceivePlan(
        package=request.package,
        manifest=manifest,
        target=runtime.cwd,
        is_noop=False,
        installation=installation,
        bundles=(),
        lineage=Lineage.NEW,
        walnut_id=manifest.walnut_id,
        broken_ledger=None,
        limits=limits,
        warnings=warnings,
    )
    if manifest.scope == "bundle":
        return _decide_bundles(base, request, runtime)
    return _decide_new(base, request, runtime)


def _decide_new(plan: ReceivePlan, request: ReceiveRequest, runtime: Runtime) -> ReceivePlan:
    target = targets.resolve_new_target(plan.manifest, request.target, runtime)
    fates = tuple(BundleFate(name, name, Fate.APPLY) for name in bundles_in(plan.installation))
    made = targets.made_by(target, plan.manifest)
    if made is not None:
        here = tuple(replace(fate, fate=Fate.ALREADY_APPLIED) for fate in fates)
        return replace(plan, target=target, is_noop=True, bundles=here, lineage=Lineage.SAME_ID)
    targets.check_new_target(target)
    return replace(plan, target=target, bundles=fates)


def _decide_bundles(plan: ReceivePlan, request: ReceiveRequest, runtime: Runtime) -> ReceivePlan:
    requested = dedupe.requested_bundles(plan.manifest, request.bundles)
    state = targets.resolve_bundle_target(plan.manifest, request.target, runtime)
    override = request.into_other_walnut or runtime.is_set("ALIVE_P2P_ALLOW_CROSS_WALNUT")
    lineage = targets.require_lineage(plan.manifest, state, override=override)
    today = runtime.now()
    fates = dedupe.decide_bundles(
        plan.manifest, plan.installation, state, requested, rename=request.rename, today=today
    )
    adopted = plan.manifest.walnut_id if lineage in {Lineage.SAME_KEY_HASH, Lineage.SAME_KEY} else None
    warnings = plan.warnings
    if state.broken_ledger is not None:
        warnings += (f"{state.broken_ledger}; what was received before is not known",)
    return replace(
        plan,
        target=state.walnut.root,
        is_noop=not any(fate.fate is Fate.APPLY for fate in fates),
        bundles=fates,
        lineage=lineage,
        walnut_id=state.ledger.walnut_id or adopted,
        broken_ledger=state.broken_ledger,
        warnings=warnings,
    )


def _version_warning(wanted: str | None) -> tuple[str, ...]:
    """`min_plugin_version` is advisory: a receiver below it says so."""

    def numbers(text: str) -> tuple[int, ...] | None:
        parts = text.split(".")
        return tuple(map(int, parts)) if all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts) else None

    asked, ours = numbers(wanted or ""), numbers(PLUGIN_VERSION)
    if asked is None or ours is None or asked <= ours:
        return ()
    return (f"the package asks for version {wanted} of the plugin; this one follows {PLUGIN_VERSION}",)


def _changed_meanwhile(plan: ReceivePlan, again: ReceivePlan) -> AliveP2PError:
    return WalnutError(
        "changed-meanwhile",
        f"the walnut '{plan.target if plan.target == again.target else again.target}' changed while you were looking",
        untouched="everything",
        hint="run it again",
    )


# --- staging --------------------------------------------------------------------------------------------------


def _names_in_staging(plan: ReceivePlan) -> dict[str, str]:
    """Where each wanted file is unpacked, below `tree`: for bundles under the folder they will have."""
    if plan.manifest.scope != "bundle":
        return dict(plan.installation.names)
    return {
        path: f"{fate.folder}/{rest}"
        for fate in plan.applied
        for path, rest in dedupe.files_of_bundle(plan.installation, fate.name)
    }


def _migrate(plan: ReceivePlan, staging: Staging) -> MigrationResult:
    folders = [fate.folder for fate in plan.applied]
    result = migrate_task_lists(staging.tree, folders)
    return replace(result, bundles_migrated=plan.installation.migrated_bundles)


@dataclass(frozen=True)
class _Records:
    """The new contents of log and ledger, where they could be made."""

    log: bytes | None
    ledger: bytes | None


class _Transaction:
    """Steps 9 to 11: put everything in place, log and ledger included, all or none."""

    def __init__(self, plan: ReceivePlan, staging: Staging, runtime: Runtime) -> None:
        self.plan = plan
        self.staging = staging
        self.runtime = runtime
        self.at = runtime.timestamp()
        self.warnings: list[str] = []

    def _record(self) -> ImportRecord:
        return records.import_record(self.plan, records.applied_names(self.plan), self.at, self.runtime)

    def _with_ledger(self, ledger: Ledger, tree: Path) -> bytes:
        if ledger.walnut_id is None:
            ledger = ledger.with_walnut_id(self.plan.walnut_id or self.runtime.new_uuid())
        return ledger.with_entry(records.ledger_entry(self.plan, tree, self.at)).serialise()

    # -- a new walnut ------------------------------------------------------------------------------------------

    def run_new(self) -> list[str]:
        """Complete the tree in staging and make it appear by one rename.

        Raises:
            WalnutError: something has taken its place.
            FileSystemError: the disk refused; nothing is there.
        """
        tree = self.staging.tree
        walnut = Walnut(tree)
        kernel_folder = tree / kernel.KERNEL
        with files.translating("prepare", kernel_folder):
            self._complete_kernel(tree)
            if not self.runtime.is_set("ALIVE_P2P_SKIP_REGEN"):
                now = project(walnut, at=self.at, session=self.runtime.session_id)
                files.write_new(tree / kernel.NOW, now, mode=files.default_mode(executable=False))
            tree.chmod(files.default_mode(executable=True))
            files.flush_tree(tree)
        try:
            files.rename_exclusive(tree, self.plan.target)
        except FileExistsError:
            raise _changed_meanwhile(self.plan, self.plan) from None
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
        """Log entry, ledger, and what a snapshot does not bring."""
        mode = files.default_mode(executable=False)
        log = tree / kernel.LOG
        old = files.read_bytes_if_present(log, limit=kernel.SMALL_FILE_LIMIT)
        if old is None:
            old = fresh_log(self.plan.target.name, self.at)
        else:
            files.remove_file(log)
        files.write_new(log, with_entry(old, self._record()), mode=mode)
        if self.plan.manifest.scope == "snapshot":
            self._add_empty_work(tree, mode)
        files.write_new(tree / kernel.LEDGER, self._with_ledger(Ledger(), tree), mode=mode)

    @staticmethod
    def _add_empty_work(tree: Path, mode: int) -> None:
        """A snapshot becomes a minimal walnut, with a work queue that is empty (receive.md §3)."""
        for path, content in ((kernel.TASKS, kernel.EMPTY_TASKS), (kernel.COMPLETED, kernel.EMPTY_COMPLETED)):
            if not os.path.lexists(tree / path):
                files.write_new(tree / path, content, mode=mode)

    # -- bundles into an existing one --------------------------------------------------------------------------

    def run_bundles(self) -> list[str]:
        """Rename the bundles, the log and the ledger into place by a journal.

        Raises:
            FileSystemError: the disk refused; everything was put back.
            RollbackFailedError: it could not be put back; recovery finishes it.
        """
        operations = [place(f"{TREE}/{fate.folder}", fate.folder) for fate in self.plan.applied]
        operations += self._log_operation()
        operations += self._ledger_operations()
        journal = Journal(self.staging.path, self.plan.target, self.plan.manifest.import_id, tuple(operations))
        try:
            journal.commit()
        except RollbackFailedError:
            self.staging.keep()
            raise
        return self.warnings

    def _log_operation(self) -> list[Operation]:
        try:
            old = files.read_bytes(self.plan.target / kernel.LOG, limit=kernel.SMALL_FILE_LIMIT)
            return [self._substitute(kernel.LOG, old, with_entry(old, self._record()))]
        except (FileSystemError, OSError) as error:
            why = error.message if isinstance(error, FileSystemError) else error.strerror
            self.warnings.append(
                f"the log entry could not be written ({why}); mend it with `alive-p2p log-import --walnut"
                f" '{self.plan.target}' --import-id {self.plan.manifest.import_id[:16]}`"
            )
            return []

    def _ledger_operations(self) -> list[Operation]:
        path = self.plan.target / kernel.LEDGER
        try:
            old = files.read_bytes_if_present(path, limit=kernel.LEDGER_LIMIT)
            operations = []
            if self.plan.broken_ledger is not None and old is not None:
                aside = f"{kernel.LEDGER}.broken-{self.at.replace(':', '')}"
                source = f"{PREPARED}/imports.json.broken"
                files.link_or_copy(path, self.staging.path / source)
                operations.append(place(source, aside))
                self.warnings.append(f"the broken ledger was set aside as '{aside}'")
            ledger = Ledger() if self.plan.broken_ledger is not None else Ledger.parse(old)
            new = self._with_ledger(ledger, self.staging.tree)
            if old is not None:
                return [*operations, self._substitute(kernel.LEDGER, old, new)]
            source = f"{PREPARED}/imports.json"
            files.write_new(self.staging.path / source, new, mode=files.default_mode(executable=False))
            return [*operations, place(source, kernel.LEDGER, files.sha256(new))]
        except (AliveP2PError, OSError) as error:
            why = error.message if isinstance(error, AliveP2PError) else error.strerror
            self.warnings.append(
                f"the ledger could not be written ({why}); receiving the package again will not be recognised"
            )
            return []

    def _substitute(self, path: str, old: bytes, new: bytes) -> Operation:
        """Prepare the replacement of one of the target's files, keeping its permissions."""
        name = path.rpartition("/")[2]
        prepared = self.staging.path / PREPARED / name
        mode = (self.plan.target / path).stat().st_mode & 0o7777
        files.write_new(prepared, new, mode=mode)
        files.link_or_copy(self.plan.target / path, self.staging.path / PREVIOUS / name)
        return substitute(
            f"{PREPARED}/{name}",
            path,
            new_sha256=files.sha256(new),
            old_sha256=files.sha256(old),
            rest=f"{PREVIOUS}/{name}",
        )


def _regenerate(plan: ReceivePlan, runtime: Runtime) -> list[str]:
    """Step 12, after the commit. A new walnut has its projection already, unless a plugin brings its own."""
    if plan.manifest.scope != "bundle" and not runtime.environ.get("CLAUDE_PLUGIN_ROOT"):
        return []
    try:
        records.write_projection(Walnut(plan.target), runtime)
    except AliveP2PError as error:
        return [f"{error.message}; mend it with `alive-p2p project --walnut '{plan.target}'`"]
    return []
