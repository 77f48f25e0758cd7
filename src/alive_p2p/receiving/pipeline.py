"""The road from a package to a walnut: check, decide, then change, all or nothing (receive.md §2).

Nothing is written outside our own staging beside the target until the package has passed every check. A new walnut
appears by one rename, and an existing one is changed by a journal of renames.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError
from alive_p2p.package.making import WORTH_A_THREAD
from alive_p2p.package.reader import Begin, PackageReader, Progress
from alive_p2p.receiving.ahead import Ahead
from alive_p2p.receiving.deciding import Checked, decide, surroundings_of
from alive_p2p.receiving.kept import keep_unpacked
from alive_p2p.receiving.looking import Looking
from alive_p2p.receiving.migration import convert_task_lists
from alive_p2p.receiving.plan import (
    ReceivePlan,
    ReceiveRequest,
    ReceiveResult,
)
from alive_p2p.receiving.transaction import Transaction
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.committing import changed_meanwhile
from alive_p2p.transactions.recovery import interrupted_notes, settle, settled_lock
from alive_p2p.walnut.regeneration import regenerate, write_built_in_projection
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
        approve: looks at the plan before anything is changed, and raises to stop; before anything is written as well,
            unless the request says that it is agreed. Not called for a no-op.
        progress: called with bytes done and bytes in all, while checking, and again where unpacking is a second pass.

    Raises:
        UsageError: a path or name does not exist, or options contradict each other.
        PackageError: the file is not a package, or one that must not be received.
        WalnutError: the target cannot take it.
        BusyError: another process holds the walnut.
        FileSystemError: the disk refused; everything is as it was, unless the message says otherwise.
    """
    _check_request(request, runtime)
    surroundings = surroundings_of(request, runtime)
    with (
        PackageReader(runtime.cwd / request.package, surroundings.limits, request.credentials) as package,
        Ahead(request, surroundings, runtime) as ahead,
    ):
        # Somebody who is asked, and may say no, finds nothing in their world yet.
        checked = _check(package, progress, ahead.begin if request.is_agreed or approve is None else None)
        notes = _settle_first(request, runtime)
        decided = decide(request, checked, surroundings, runtime, ahead.installation)
        plan = replace(decided, hidden=checked.hidden)
        plan = replace(plan, warnings=(*notes, *plan.warnings))
        if plan.is_noop:
            return ReceiveResult("noop", plan, warnings=plan.warnings)
        if approve is not None:
            approve(plan)
        if plan.migration.errors:
            raise keep_unpacked(package, checked.contents, plan, runtime, progress)
        staging = ahead.staging(plan, package, checked.contents, progress)
        if len(plan.manifest.files) >= WORTH_A_THREAD:
            files.begin_flush(staging.tree)
        convert_task_lists(staging.tree, plan.converted)
        with settled_lock(plan.target, "receive", runtime, wait_seconds=request.wait_seconds) as more:
            again = decide(request, checked, surroundings, runtime, plan.installation)
            if again.outcome != plan.outcome:
                raise changed_meanwhile(plan.target)
            transaction = Transaction(again, staging, runtime)
            warnings = transaction.run_new() if plan.makes_walnut else transaction.run_existing()
            try:
                warnings += _regenerate(plan, runtime)
            except BaseException:  # an interrupt: the receive has happened, so its projection is made all the same
                write_built_in_projection(Walnut(plan.target), runtime)
                raise
    warnings = [*plan.warnings, *more, *warnings]
    return ReceiveResult("warn" if warnings else "ok", plan, tuple(warnings))


def preview(
    request: ReceiveRequest,
    runtime: Runtime,
    *,
    progress: Progress | None = None,
    with_differences: bool = False,
) -> ReceivePlan:
    """Check a package and decide what receiving it would do; writes nothing.

    Args:
        request: what would be received.
        runtime: the surroundings.
        progress: called with bytes done and bytes in all.
        with_differences: show what an update changes in text files, line by line.

    Raises:
        AliveP2PError: as `receive` does.
    """
    _check_request(request, runtime)
    surroundings = surroundings_of(request, runtime)
    with PackageReader(runtime.cwd / request.package, surroundings.limits, request.credentials) as package:
        checked = _check(package, progress)
        plan = replace(decide(request, checked, surroundings, runtime), hidden=checked.hidden)
        if with_differences:
            from alive_p2p.receiving.differences import differences

            plan = replace(plan, differences=differences(package, checked.contents, plan))
        return replace(plan, warnings=(*_interrupted_before(request, runtime), *plan.warnings))


def _place(request: ReceiveRequest, runtime: Runtime) -> Path | None:
    """Where it goes, or else the world, which will be searched for that."""
    return runtime.cwd / request.target if request.target is not None else find_world(runtime.cwd)


def _interrupted_before(request: ReceiveRequest, runtime: Runtime) -> tuple[str, ...]:
    """What a look, which changes nothing, says of earlier receives that did not come to their end."""
    place = _place(request, runtime)
    return interrupted_notes(runtime, place=place) if place is not None else ()


def _settle_first(request: ReceiveRequest, runtime: Runtime) -> tuple[str, ...]:
    """Put right what was left of earlier receives, so that the plan is made on whole walnuts."""
    place = _place(request, runtime)
    settlements = settle(runtime, place=place, action="receive") if place is not None else ()
    return tuple(note for one in settlements for note in one.notes)


def _check(package: PackageReader, progress: Progress | None, begin: Begin | None = None) -> Checked:
    looking = Looking()
    contents = package.check(progress, looking.watch, begin)
    return Checked(contents, looking.found(), looking.comparable, looking.task_lists)


def _check_request(request: ReceiveRequest, runtime: Runtime) -> None:
    if request.source_layout is not None and not runtime.is_testing:
        raise UsageError("testing-only", "`--source-layout` is for tests; it needs ALIVE_P2P_TESTING=1")
    if request.update and request.rename:
        raise UsageError(
            "update-or-rename",
            "`--update` changes what is here and `--rename` puts it beside that; only one of them is possible",
            hint="leave out one of the two",
        )
    if request.allow_older and not request.update:
        raise UsageError("older-without-update", "`--allow-older` goes with `--update`", hint="add `--update`")


def _regenerate(plan: ReceivePlan, runtime: Runtime) -> list[str]:
    """Step 12, after the commit. A new walnut has its projection already, unless a plugin brings its own."""
    if plan.makes_walnut and not runtime.environ.get("CLAUDE_PLUGIN_ROOT"):
        return []
    return regenerate(plan.target, runtime)
