"""The road from a package to a walnut: check, decide, then change, all or nothing (receive.md §2).

Nothing is written until the package has passed every check. What is made ready lies in staging beside the target;
a new walnut appears by one rename, and an existing one is changed by a journal of renames.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, PackageError, UsageError
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.package.signature import check as check_signature
from alive_p2p.receiving import dedupe, targets
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.layout import bundles_in, plan_installation
from alive_p2p.receiving.looking import Looking
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
from alive_p2p.receiving.transaction import Transaction, changed_meanwhile
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.transactions.recovery import interrupted, settle, settled_lock
from alive_p2p.transactions.staging import Staging
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.regeneration import write_built_in_projection, write_projection
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
    surroundings = _surroundings(request, runtime)
    with PackageReader(runtime.cwd / request.package, surroundings.limits, request.credentials) as package:
        contents, hidden = _check(package, progress)
        notes = _settle_first(request, runtime)
        plan = replace(decide(request, contents, surroundings, runtime), hidden=hidden)
        plan = replace(plan, warnings=(*notes, *plan.warnings))
        if plan.is_noop:
            return ReceiveResult("noop", plan, warnings=plan.warnings)
        if approve is not None:
            approve(plan)
        with Staging(plan.target, runtime) as staging:
            package.unpack(contents, staging.tree, _names_in_staging(plan), progress)
            migration = _migrate(plan, staging)
            with settled_lock(plan.target, "receive", runtime, wait_seconds=request.wait_seconds) as more:
                again = decide(request, contents, surroundings, runtime)
                if again.outcome != plan.outcome:
                    raise changed_meanwhile(plan.target)
                transaction = Transaction(again, staging, runtime)
                warnings = transaction.run_new() if plan.manifest.scope != "bundle" else transaction.run_bundles()
                try:
                    warnings += _regenerate(plan, runtime)
                except BaseException:  # an interrupt: the receive has happened, so its projection is made all the same
                    write_built_in_projection(Walnut(plan.target), runtime)
                    raise
    warnings = [*plan.warnings, *more, *migration.warnings, *warnings]
    shown = migration if plan.installation.migrated_bundles or migration != MigrationResult() else None
    return ReceiveResult("warn" if warnings else "ok", plan, shown, tuple(warnings))


def preview(request: ReceiveRequest, runtime: Runtime, *, progress: Progress | None = None) -> ReceivePlan:
    """Check a package and decide what receiving it would do; writes nothing.

    Raises:
        AliveP2PError: as `receive` does.
    """
    _check_request(request, runtime)
    surroundings = _surroundings(request, runtime)
    with PackageReader(runtime.cwd / request.package, surroundings.limits, request.credentials) as package:
        contents, hidden = _check(package, progress)
        plan = replace(decide(request, contents, surroundings, runtime), hidden=hidden)
        return replace(plan, warnings=(*_interrupted_before(request, runtime), *plan.warnings))


def _place(request: ReceiveRequest, runtime: Runtime) -> Path | None:
    """Where it goes, or else the world, which will be searched for that."""
    return runtime.cwd / request.target if request.target is not None else find_world(runtime.cwd)


def _interrupted_before(request: ReceiveRequest, runtime: Runtime) -> tuple[str, ...]:
    """What a look, which changes nothing, says of earlier receives that did not come to their end."""
    place = _place(request, runtime)
    left = interrupted(runtime, place=place) if place is not None else ()
    return tuple(
        f"an earlier receive into '{one}' was interrupted; `alive-p2p recover {shlex.quote(str(one))}` puts it right"
        for one in left
    )


def _settle_first(request: ReceiveRequest, runtime: Runtime) -> tuple[str, ...]:
    """Put right what was left of earlier receives, so that the plan is made on whole walnuts."""
    place = _place(request, runtime)
    settlements = settle(runtime, place=place, action="receive") if place is not None else ()
    return tuple(note for one in settlements for note in one.notes)


def _check(package: PackageReader, progress: Progress | None) -> tuple[Contents, tuple[HiddenText, ...]]:
    looking = Looking()
    return package.check(progress, looking.watch), looking.found()


def _check_request(request: ReceiveRequest, runtime: Runtime) -> None:
    if request.source_layout is not None and not runtime.is_testing:
        raise UsageError("testing-only", "`--source-layout` is for tests; it needs ALIVE_P2P_TESTING=1")


@dataclass(frozen=True)
class Surroundings:
    """What the world's settings add to a request: limits, names that agents obey, and what to say about them."""

    limits: Limits
    agent_files: tuple[str, ...]
    require_signature: bool
    notes: tuple[str, ...]


def _surroundings(request: ReceiveRequest, runtime: Runtime) -> Surroundings:
    start = runtime.cwd / request.target if request.target is not None else runtime.cwd
    preferences = load_preferences(find_world(start.absolute()))
    limits = Limits(
        request.max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
        request.max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
    )
    return Surroundings(limits, preferences.agent_files, preferences.require_signature, preferences.warnings)


# --- deciding -------------------------------------------------------------------------------------------------


def decide(request: ReceiveRequest, contents: Contents, surroundings: Surroundings, runtime: Runtime) -> ReceivePlan:
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
    verdict = check_signature(manifest, request.find_signer)
    refuse_signature(verdict, is_required=request.require_signature or surroundings.require_signature)
    if request.trust_agent_files and verdict.outcome is not Outcome.VALID:
        raise PackageError(
            "untrusted-agent-files",
            "`--trust-agent-files` takes only a package with a valid signature of a known peer, and this has none",
            untouched="everything",
            hint="receive it without; what agents obey arrives under another name, and you can read it first",
        )
    installation = plan_installation(
        manifest,
        contents.empty_dirs,
        forced_layout=request.source_layout,
        agent_files=surroundings.agent_files,
        are_agent_files_trusted=request.trust_agent_files,
    )
    warnings = (*surroundings.notes, *installation.warnings, *_version_warning(manifest.min_plugin_version))
    base = ReceivePlan(
        package=request.package,
        manifest=manifest,
        verdict=verdict,
        target=runtime.cwd,
        is_noop=False,
        installation=installation,
        bundles=(),
        lineage=Lineage.NEW,
        walnut_id=manifest.walnut_id,
        broken_ledger=None,
        limits=surroundings.limits,
        warnings=warnings,
    )
    if manifest.scope == "bundle":
        return _decide_bundles(base, request, runtime)
    return _decide_new(base, request, runtime)


def refuse_signature(verdict: Verdict, *, is_required: bool) -> None:
    """Refuse what a signature makes unacceptable (format.md §4).

    Raises:
        PackageError: it is invalid or its key revoked; or a valid one is required and this is not.
    """
    who = f"{verdict.signer} ({verdict.pubkey_id})" if verdict.signer else f"the key {verdict.pubkey_id}"
    if verdict.outcome is Outcome.INVALID:
        raise _bad_signature(
            "bad-signature", "the package's signature is not valid: it was altered after it was signed"
        )
    if verdict.outcome is Outcome.REVOKED:
        raise _bad_signature("revoked-signer", f"the package is signed with a key that was revoked: {who}")
    if not is_required or verdict.outcome is Outcome.VALID:
        return
    what = {
        Outcome.UNSIGNED: "it is not signed",
        Outcome.UNKNOWN: f"nobody you know has signed it ({who})",
        Outcome.OTHER_SIGNER: f"it is signed by {who}, who is not its sender",
    }[verdict.outcome]
    raise _bad_signature("signature-required", f"a valid signature is required: {what}")


def _bad_signature(code: str, message: str) -> PackageError:
    return PackageError(
        code, message, untouched="everything", hint="ask the sender, over another channel, what they have sent"
    )


def _decide_new(plan: ReceivePlan, request: ReceiveRequest, runtime: Runtime) -> ReceivePlan:
    target = targets.resolve_new_target(plan.manifest, request.target, runtime)
    fates = tuple(BundleFate(name, name, Fate.APPLY) for name in bundles_in(plan.installation))
    made = targets.made_by(target, plan.manifest)
    if made is not None:
        here = tuple(replace(fate, fate=Fate.ALREADY_APPLIED) for fate in fates)
        gone = [fate.folder for fate in fates if not files.is_folder(target / fate.folder)]
        missing = tuple(
            f"the bundle '{name}' came with this package and is not there any more; to have it back,"
            " receive the package into another `--target` and copy it"
            for name in gone
        )
        return replace(
            plan,
            target=target,
            is_noop=True,
            bundles=here,
            lineage=Lineage.SAME_ID,
            warnings=plan.warnings + missing,
        )
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


def _regenerate(plan: ReceivePlan, runtime: Runtime) -> list[str]:
    """Step 12, after the commit. A new walnut has its projection already, unless a plugin brings its own."""
    if plan.manifest.scope != "bundle" and not runtime.environ.get("CLAUDE_PLUGIN_ROOT"):
        return []
    try:
        write_projection(Walnut(plan.target), runtime)
    except AliveP2PError as error:
        return [f"{error.message}; mend it with `alive-p2p project --walnut {shlex.quote(str(plan.target))}`"]
    return []
