"""What a receive will do, decided from a checked package and a look at the target (receive.md §3 to §5, §8).

Changes nothing. Called once for the preview and once more under the lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from alive_p2p import files
from alive_p2p.errors import PackageError, UsageError
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.reader import Contents
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.package.signature import check as check_signature
from alive_p2p.receiving import dedupe, targets
from alive_p2p.receiving.group_update import GroupUpdate
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.layout import bundle_names, bundles_in, groups_of, plan_installation
from alive_p2p.receiving.migrating import with_migration
from alive_p2p.receiving.migration import TaskList
from alive_p2p.receiving.plan import (
    BundleFate,
    Fate,
    Installation,
    Lineage,
    ReceivePlan,
    ReceiveRequest,
)
from alive_p2p.receiving.targets import TargetState
from alive_p2p.receiving.updates import folder_here, known_states, plan_group
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.states import read_sent
from alive_p2p.walnut.world import find_world


@dataclass(frozen=True)
class Checked:
    """A checked package, and what was seen in it on the way."""

    contents: Contents
    hidden: tuple[HiddenText, ...]
    comparable: Mapping[str, str]
    task_lists: Mapping[str, TaskList]


@dataclass(frozen=True)
class Surroundings:
    """What the world's settings add to a request: limits, names that agents obey, and what to say about them."""

    limits: Limits
    agent_files: tuple[str, ...]
    require_signature: bool
    notes: tuple[str, ...]


def surroundings_of(request: ReceiveRequest, runtime: Runtime) -> Surroundings:
    """Read what the world around the target (or around the current folder) says about receiving."""
    start = runtime.cwd / request.target if request.target is not None else runtime.cwd
    preferences = load_preferences(find_world(start.absolute()))
    limits = Limits(
        request.max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
        request.max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
    )
    return Surroundings(limits, preferences.agent_files, preferences.require_signature, preferences.warnings)


def decide(
    request: ReceiveRequest,
    checked: Checked,
    surroundings: Surroundings,
    runtime: Runtime,
    installation: Installation | None = None,
) -> ReceivePlan:
    """Steps 3 to 6: what is here already, which layout it has, whether the target takes it (receive.md §3–§5, §8).

    Looks at the target and changes nothing; called once for the preview and once more under the lock.

    Args:
        request: what is received.
        checked: the package.
        surroundings: what the world says about receiving.
        runtime: the surroundings.
        installation: where everything goes, where that was decided before for the same request and package.

    Returns:
        The plan. Where its migration has errors, the package cannot be received and the plan only says where to.

    Raises:
        AliveP2PError: a rule is broken.
    """
    contents, manifest = checked.contents, checked.contents.manifest
    if request.scope is not None and request.scope != manifest.scope:
        raise UsageError(
            "other-scope",
            f"the package has scope {manifest.scope}, not {request.scope}",
            untouched="everything",
            hint="leave out `--scope`",
        )
    if request.bundles and manifest.scope != "bundle":
        raise UsageError(
            "bundle-without-scope",
            f"`--bundle` chooses from a package of scope bundle; this one has scope {manifest.scope}",
            untouched="everything",
            hint="leave out `--bundle`",
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
    installation = installation or plan_installation(
        manifest,
        contents.empty_dirs,
        forced_layout=request.source_layout,
        agent_files=surroundings.agent_files,
        are_agent_files_trusted=request.trust_agent_files,
    )
    warnings = (*surroundings.notes, *_version_warning(manifest.min_plugin_version))
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
    if installation.errors:
        plan = _decide_where(base, request, runtime)
    elif request.update:
        plan = _decide_update(base, request, checked.task_lists, runtime)
    elif manifest.scope == "bundle":
        plan = _decide_bundles(base, request, runtime)
    else:
        plan = _decide_new(base, request, runtime)
    return with_migration(plan, checked.task_lists)


def _decide_where(plan: ReceivePlan, request: ReceiveRequest, runtime: Runtime) -> ReceivePlan:
    """Where something would go that cannot be brought forward."""
    if request.update or plan.manifest.scope == "bundle":
        state = targets.resolve_bundle_target(plan.manifest, request.target, runtime)
        return replace(plan, target=state.walnut.root, lineage=Lineage.SAME_ID)
    target = targets.resolve_new_target(plan.manifest, request.target, runtime)
    targets.check_new_target(target)
    return replace(plan, target=target)


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


def _decide_update(
    plan: ReceivePlan, request: ReceiveRequest, lists: Mapping[str, TaskList], runtime: Runtime
) -> ReceivePlan:
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
            lists=lists,
            day=f"{runtime.now():%Y%m%d}",
            origin=plan.verdict.pubkey_id or one_line(manifest.sender) or "unknown",
            is_older_wanted=request.allow_older,
            in_use=updated.values(),
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
