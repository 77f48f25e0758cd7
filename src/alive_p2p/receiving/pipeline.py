"""The road from a package to a walnut: check, decide, then change, all or nothing (receive.md §2).

Nothing is written until the package has passed every check. What is made ready lies in staging beside the target;
a new walnut appears by one rename, and an existing one is changed by a journal of renames.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, PackageError, UsageError
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.package.signature import check as check_signature
from alive_p2p.receiving import dedupe, targets
from alive_p2p.receiving.differences import differences
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.layout import bundle_names, bundles_in, groups_of, plan_installation
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
from alive_p2p.receiving.staged import names_in_staging
from alive_p2p.receiving.targets import TargetState
from alive_p2p.receiving.transaction import Transaction, changed_meanwhile
from alive_p2p.receiving.updates import GroupUpdate, folder_here, known_states, plan_group
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.text import one_line
from alive_p2p.transactions.recovery import interrupted, settle, settled_lock
from alive_p2p.transactions.staging import Staging
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.regeneration import write_built_in_projection, write_projection
from alive_p2p.walnut.states import read_sent
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
        checked = _check(package, progress)
        notes = _settle_first(request, runtime)
        plan = replace(decide(request, checked, surroundings, runtime), hidden=checked.hidden)
        plan = replace(plan, warnings=(*notes, *plan.warnings))
        if plan.is_noop:
            return ReceiveResult("noop", plan, warnings=plan.warnings)
        if approve is not None:
            approve(plan)
        with Staging(plan.target, runtime) as staging:
            package.unpack(checked.contents, staging.tree, names_in_staging(plan), progress)
            migration = _migrate(plan, staging)
            with settled_lock(plan.target, "receive", runtime, wait_seconds=request.wait_seconds) as more:
                again = decide(request, checked, surroundings, runtime)
                if again.outcome != plan.outcome:
                    raise changed_meanwhile(plan.target)
                transaction = Transaction(again, staging, runtime)
                warnings = transaction.run_new() if plan.makes_walnut else transaction.run_existing()
                try:
                    warnings += _regenerate(plan, runtime)
                except BaseException:  # an interrupt: the receive has happened, so its projection is made all the same
                    write_built_in_projection(Walnut(plan.target), runtime)
                    raise
    warnings = [*plan.warnings, *more, *migration.warnings, *warnings]
    shown = migration if plan.installation.migrated_bundles or migration != MigrationResult() else None
    return ReceiveResult("warn" if warnings else "ok", plan, shown, tuple(warnings))


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
    surroundings = _surroundings(request, runtime)
    with PackageReader(runtime.cwd / request.package, surroundings.limits, request.credentials) as package:
        checked = _check(package, progress)
        plan = replace(decide(request, checked, surroundings, runtime), hidden=checked.hidden)
        if with_differences:
            plan = replace(plan, differences=differences(package, checked.contents, plan))
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


@dataclass(frozen=True)
class _Checked:
    """A checked package, and what was seen in it on the way."""

    contents: Contents
    hidden: tuple[HiddenText, ...]
    comparable: Mapping[str, str]


def _check(package: PackageReader, progress: Progress | None) -> _Checked:
    looking = Looking()
    contents = package.check(progress, looking.watch)
    return _Checked(contents, looking.found(), looking.comparable)


def _check_request(request: ReceiveRequest, runtime: Runtime) -> None:
    if request.source_layout is not None and not runtime.is_testing:
        raise UsageError("testing-only", "`--source-layout` is for tests; it needs ALIVE_P2P_TESTING=1")
    if request.update and request.rename:
        raise UsageError(
            "update-or-rename",
            "`--update` changes what is here and `--rename` puts it beside that; only one of them is possible",
        )
    if request.allow_older and not request.update:
        raise UsageError("older-without-update", "`--allow-older` goes with `--update`")


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


def decide(request: ReceiveRequest, checked: _Checked, surroundings: Surroundings, runtime: Runtime) -> ReceivePlan:
    """Steps 3 to 5: what is here already, which layout it has, whether the target takes it (receive.md §3–§5, §8).

    Looks at the target and changes nothing; called once for the preview and once more under the lock.

    Raises:
        AliveP2PError: a rule is broken.
    """
    contents, manifest = checked.contents, checked.contents.manifest
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
        comparable=checked.comparable,
    )
    if request.update:
        return _decide_update(base, request, runtime)
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
    return _into_walnut(plan, state, lineage, fates)


def _decide_update(plan: ReceivePlan, request: ReceiveRequest, runtime: Runtime) -> ReceivePlan:
    """What of a package of any scope but a snapshot changes what is here, file by file (receive.md §5)."""
    manifest = plan.manifest
    if manifest.scope == "snapshot":
        raise UsageError(
            "snapshot-update",
            "a snapshot holds only key and insights, which an update leaves alone",
            untouched="everything",
            hint="ask for a package of scope full or bundle",
        )
    every = bundle_names(manifest, plan.installation)
    requested = dedupe.requested_bundles(manifest, request.bundles) if manifest.scope == "bundle" else every
    state = targets.resolve_bundle_target(manifest, request.target, runtime)
    override = request.into_other_walnut or runtime.is_set("ALIVE_P2P_ALLOW_CROSS_WALNUT")
    lineage = targets.require_lineage(manifest, state, override=override)
    root = state.walnut.root
    sent = read_sent(root)
    groups = groups_of(manifest, plan.installation)
    known = {name: known_states(state.ledger, sent, name) for name in groups}
    folders = {name: folder for name in groups if (folder := folder_here(root, known[name])) is not None}
    fates = dedupe.decide_bundles(
        manifest, plan.installation, state, requested, rename=False, today=runtime.now(), updatable=folders
    )
    updated = {fate.name: fate.folder for fate in fates if fate.fate is Fate.UPDATE}
    applied = {name for entry in state.ledger.of_import(manifest.import_id) for name in entry.files}
    beside_bundles = {LIVE_CONTEXT: "", kernel.KERNEL: kernel.KERNEL}
    updated |= {name: folder for name, folder in beside_bundles.items() if name in groups and name not in applied}
    updates = tuple(
        plan_group(
            root,
            manifest,
            name,
            groups[name],
            known[name],
            folder,
            comparable=plan.comparable,
            day=f"{runtime.now():%Y%m%d}",
            origin=plan.verdict.pubkey_id or one_line(manifest.sender) or "unknown",
            is_older_wanted=request.allow_older,
        )
        for name, folder in updated.items()
    )
    decided = _into_walnut(plan, state, lineage, fates, updates)
    return replace(decided, warnings=(*decided.warnings, *_not_sent_any_more(decided, state)))


def _not_sent_any_more(plan: ReceivePlan, state: TargetState) -> tuple[str, ...]:
    """Bundles that earlier full packages brought and this one does not; an update leaves them as they are."""
    if plan.manifest.scope != "full":
        return ()
    before = {
        name: entry.folder_of(name)
        for entry in state.ledger.entries
        if entry.scope == "full" and entry.source_walnut_id in {None, plan.manifest.walnut_id}
        for name in entry.applied_bundles
    }
    now = {fate.name for fate in plan.bundles}
    return tuple(
        f"the bundle '{folder}' is not in the package any more; yours stays"
        for name, folder in sorted(before.items())
        if name not in now and files.is_folder(plan.target / folder)
    )


def _into_walnut(
    plan: ReceivePlan,
    state: TargetState,
    lineage: Lineage,
    fates: tuple[BundleFate, ...],
    updates: tuple[GroupUpdate, ...] = (),
) -> ReceivePlan:
    """The plan of a receive into a walnut that is there."""
    adopted = plan.manifest.walnut_id if lineage in {Lineage.SAME_KEY_HASH, Lineage.SAME_KEY} else None
    warnings = plan.warnings
    if state.broken_ledger is not None:
        warnings += (f"{state.broken_ledger}; what was received before is not known",)
    return replace(
        plan,
        target=state.walnut.root,
        is_noop=not updates and not any(fate.fate in {Fate.APPLY, Fate.UPDATE} for fate in fates),
        bundles=fates,
        updates=updates,
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


def _migrate(plan: ReceivePlan, staging: Staging) -> MigrationResult:
    folders = [fate.folder for fate in plan.added]
    result = migrate_task_lists(staging.tree, folders)
    return replace(result, bundles_migrated=plan.installation.migrated_bundles)


def _regenerate(plan: ReceivePlan, runtime: Runtime) -> list[str]:
    """Step 12, after the commit. A new walnut has its projection already, unless a plugin brings its own."""
    if plan.makes_walnut and not runtime.environ.get("CLAUDE_PLUGIN_ROOT"):
        return []
    try:
        write_projection(Walnut(plan.target), runtime)
    except AliveP2PError as error:
        return [f"{error.message}; mend it with `alive-p2p project --walnut {shlex.quote(str(plan.target))}`"]
    return []
