"""The road from a walnut to a package: decide, then act (share.md §1).

`plan_share` reads and decides; `write_share` looks again whether everything is as it was, and writes exactly the
plan. The walnut's lock is held in both, and not in between, while a person looks at the preview.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.package.envelopes.sealing import sealed
from alive_p2p.package.reader import Progress
from alive_p2p.package.writer import ChangedError, Piece, write_package
from alive_p2p.pending import PendingFile
from alive_p2p.runtime import Runtime, parse_timestamp
from alive_p2p.sharing.contents import stamp_of
from alive_p2p.sharing.gate import GateError, ruling_on
from alive_p2p.sharing.old_layout import placing, refuse_outside_tests
from alive_p2p.sharing.output import Destination, default_name, resolve_output
from alive_p2p.sharing.plan import PlannedFile, Reason, SharePlan, ShareRequest, ShareResult
from alive_p2p.sharing.planning import Planner, check_request
from alive_p2p.sharing.remembering import remember
from alive_p2p.sharing.sent import record, refuse_unrecordable
from alive_p2p.transactions.recovery import settled_lock
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.walnut import open_walnut

RETRIES = 3
"""How often a share is planned again where nobody looked and a file changes meanwhile."""


def plan_share(
    request: ShareRequest, runtime: Runtime, *, wait_seconds: float = 0.0, progress: Progress | None = None
) -> SharePlan:
    """Decide what a share will do. Reads and hashes every file, writes nothing (share.md §1–§5).

    Args:
        request: what to share.
        runtime: the surroundings.
        wait_seconds: how long to wait for the walnut's lock.
        progress: called with bytes done and bytes in all.

    Raises:
        UsageError: the request contradicts itself, or names something that does not exist.
        WalnutError: the walnut cannot be shared.
        PackageError: the package would be one that a receiver refuses.
        BusyError: another process holds the walnut.
        FileSystemError: something cannot be read.
    """
    check_request(request)
    refuse_outside_tests(request, runtime)
    walnut = open_walnut(request.walnut)
    with settled_lock(walnut.root, "create", runtime, wait_seconds=wait_seconds) as notes:
        walnut = open_walnut(request.walnut)  # once more: what was left half done may have been its kernel
        plan = Planner(request, walnut, load_preferences(walnut.world), runtime).plan(progress)
    return replace(plan, warnings=(*notes, *plan.warnings))


def write_share(
    plan: SharePlan,
    runtime: Runtime,
    *,
    agreed: bool = False,
    output: Path | None = None,
    force: bool = False,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
) -> ShareResult:
    """Write the package of a plan, exactly as planned, if the gate lets it pass (share.md §1, §4, §7).

    Args:
        plan: what `plan_share` decided.
        runtime: the surroundings.
        agreed: whether somebody said yes to what the gate asks.
        output: the file to write; by default a new one on the Desktop or in the current folder.
        force: replace `output` where it exists; the old one survives until the new one is complete.
        wait_seconds: how long to wait for the walnut's lock.
        progress: called with bytes done and bytes in all.

    Raises:
        GateError: the gate refuses it, or asks and nobody agreed.
        ChangedError: a file is no longer what was planned.
        UsageError: the output's folder does not exist, or the output exists and `force` is not given.
        WalnutError: the output lies inside the walnut.
        FileSystemError: the disk refused.
    """
    refuse_blocked(plan, agreed=agreed)
    refuse_unrecordable(plan, runtime)
    destination = resolve_output(plan.root, plan_name(plan), runtime, output=output, force=force)
    with settled_lock(plan.root, "create", runtime, wait_seconds=wait_seconds):
        _refuse_changes(plan, runtime)
        with PendingFile(destination.folder) as pending:
            name = str(destination.folder / destination.name)
            mtime = int(parse_timestamp(plan.manifest.created).timestamp())
            with files.translating("write", name), sealed(pending.stream, plan.request.seal, mtime) as stream:
                write_package(
                    stream,
                    plan.manifest,
                    map(_piece_of(plan), plan.files),
                    reproducible=runtime.is_reproducible,
                    name=name,
                    progress=progress,
                )
            if plan.new_walnut_id:
                _record_walnut_id(plan)
            forgotten = remember(plan, runtime)
            final = destination.publish(pending)
    with files.translating("read", final):
        size = final.stat().st_size
    result = ShareResult(final, size, plan, plan.warnings)
    told = [one for one in (forgotten, record(result, runtime)) if one is not None]
    return replace(result, warnings=(*result.warnings, *told))


def refuse_blocked(plan: SharePlan, *, agreed: bool) -> None:
    """Stop what the gate does not let pass.

    Args:
        plan: what `plan_share` decided.
        agreed: whether somebody said yes to what the gate asks.

    Raises:
        GateError: it is refused, has to be acknowledged, holds a secret, or has to be agreed to.
    """
    blocks = [*plan.gate.blocks, *(ruling_on(finding) for finding in plan.blocking_findings)]
    if blocks:
        raise GateError(
            "blocked",
            "this may not leave as it is",
            untouched="everything; nothing was written",
            hint=blocks[0].hint if len(blocks) == 1 else "look at all of it with `--dry-run`",
            details=[f"{block.why}; {block.hint}" if len(blocks) > 1 else block.why for block in blocks],
        )
    if plan.gate.questions and not agreed:
        raise GateError(
            "needs-yes",
            f"this would leave for {plan.readers}, and has to be agreed to",
            untouched="everything; nothing was written",
            hint="look at what would leave, then add `--yes`; or seal it with `--to`",
            details=[question.why for question in plan.gate.questions],
        )


def plan_name(plan: SharePlan) -> str:
    """The default file name of a plan's package."""
    return default_name(plan.root.name, plan.manifest.scope, plan.manifest.created)


def check_output(request: ShareRequest, runtime: Runtime, *, output: Path | None, force: bool) -> Destination:
    """Where the package will go; an output that cannot be used is refused before anything is read for it.

    Raises:
        AliveP2PError: as `write_share` would.
    """
    root = open_walnut(request.walnut).root
    name = default_name(root.name, request.scope, runtime.created())
    return resolve_output(root, name, runtime, output=output, force=force)


def share(
    request: ShareRequest,
    runtime: Runtime,
    *,
    approve: Callable[[SharePlan], bool] | None = None,
    agreed: bool = False,
    retries: int | None = None,
    output: Path | None = None,
    force: bool = False,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
) -> ShareResult:
    """Plan, let `approve` look at the plan, and write.

    Args:
        request: what to share.
        runtime: the surroundings.
        approve: looks at the plan; returns whether somebody agrees to what the gate asks, and raises to stop.
        agreed: whether somebody agreed beforehand.
        retries: how often to plan where a file changes meanwhile; by default once where `approve` looked at the plan.
        output: as in `write_share`.
        force: as in `write_share`.
        wait_seconds: as in `write_share`.
        progress: called while everything is read, and again while it is written.

    Raises:
        AliveP2PError: as `plan_share` and `write_share` do.
    """
    check_output(request, runtime, output=output, force=force)
    attempts = retries or (1 if approve is not None else RETRIES)
    while True:
        attempts -= 1
        plan = plan_share(request, runtime, wait_seconds=wait_seconds, progress=progress)
        if approve is not None:
            agreed = approve(plan) or agreed
        try:
            return write_share(
                plan, runtime, agreed=agreed, output=output, force=force, wait_seconds=wait_seconds, progress=progress
            )
        except ChangedError:
            if attempts <= 0:
                raise


def _piece_of(plan: SharePlan) -> Callable[[PlannedFile], Piece]:
    place = placing(plan.request.source_layout, [one.name for one in plan.bundles])

    def piece(planned: PlannedFile) -> Piece:
        path = place(planned.entry.path)
        entry = planned.entry if path == planned.entry.path else replace(planned.entry, path=path)
        content, origin = planned.content, planned.origin
        if content is not None:
            return Piece(entry, lambda: io.BytesIO(content))
        if origin is None:
            raise ChangedError(planned.entry.path)
        return Piece(entry, lambda: files.open_regular(origin))

    return piece


def _refuse_changes(plan: SharePlan, runtime: Runtime) -> None:
    """Look whether the walnut is still as it was when it was planned; names and stamps, not contents."""
    walnut = open_walnut(plan.root)
    there, decision = Planner(plan.request, walnut, load_preferences(walnut.world), runtime).select_again()
    for planned in plan.files:
        if planned.origin is None:
            continue
        try:
            now = there[planned.entry.path] if planned.entry.path in there else stamp_of(planned.origin)
        except OSError:
            raise ChangedError(planned.entry.path) from None
        if now != planned.stamp:
            raise ChangedError(planned.entry.path)
    if decision != plan.gate:
        raise ChangedError(decision.rulings[0].name if decision.rulings else kernel.KEY)
    planned_paths = {one.entry.path for one in plan.files if one.origin is not None}
    known = planned_paths | {one.path for one in plan.left_out if one.reason is Reason.UNREADABLE}
    gone = {path for path in planned_paths - there.keys() if not path.startswith(f"{kernel.KERNEL}/")}
    if changed := sorted((there.keys() - known) | gone):
        raise ChangedError(changed[0])


def _record_walnut_id(plan: SharePlan) -> None:
    """Give the walnut its id: from now on it is known by it, whatever happens to its key."""
    walnut_id = plan.manifest.walnut_id
    path = plan.root / kernel.LEDGER
    ledger = Ledger.parse(files.read_bytes_if_present(path, limit=kernel.LEDGER_LIMIT))
    if ledger.walnut_id is not None:
        if ledger.walnut_id != walnut_id:
            raise ChangedError(kernel.LEDGER)
        return
    if walnut_id is not None:
        files.replace_file(path, ledger.with_walnut_id(walnut_id).serialise())
