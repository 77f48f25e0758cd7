"""The two roads in two steps: a plan that somebody looks at, and later exactly that plan, or nothing (agents.md §2).

`share` and `receive` ask in between, by a callback. These are for a door at which asking takes a while and something
else may happen meanwhile: what was planned is kept, and what is carried out is compared with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from alive_p2p import files
from alive_p2p.api.roads import find_signer, own_key
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.published import fetch_published_keys, is_published_name
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.reader import Progress
from alive_p2p.receiving import pipeline as receiving
from alive_p2p.receiving.inbox import RECEIVED_FOLDER, inbox_of, put_away
from alive_p2p.receiving.kept import refusal
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.relay import outbox
from alive_p2p.relay.config import kept_from, own_handle, read_config
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import pipeline as sharing
from alive_p2p.sharing.gate import KeyForm
from alive_p2p.sharing.plan import Scope, SharePlan, ShareRequest, ShareResult
from alive_p2p.sharing.recipients import Addressee, envelope_for, from_keyring, from_keys, refuse_revoked, seal_for
from alive_p2p.sharing.signing import choose_signing_key
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_LOCK_SECONDS = 10.0
"""How long either step waits for a walnut that another process holds."""


# --- sharing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedShare:
    """A share that was looked at and can be carried out.

    Attributes:
        plan: what leaves.
        output: the file to write, or an existing folder; None where the package is only made to be pushed, and lies in
            our outbox until then.
        peers: those of the recipients that a relay carries it to.
        patterns: what was kept from the recipients, by peer.
        warnings: the plan's, and what else there is to say.
    """

    plan: SharePlan
    output: Path | None
    peers: tuple[str, ...]
    patterns: Mapping[str, tuple[str, ...]] = field(repr=False)
    warnings: tuple[str, ...]


def plan_share(
    walnut: Path,
    runtime: Runtime,
    *,
    scope: Scope = "full",
    bundles: Sequence[str] = (),
    to: Sequence[str] = (),
    encrypt: Literal["none", "rsa", "age"] | None = None,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    presets: Sequence[str] = (),
    full_history: bool = False,
    nested: bool = False,
    key: KeyForm | None = None,
    acknowledge: Sequence[str] = (),
    allow_findings: Sequence[str] = (),
    description: str = "",
    note: str = "",
    output: Path | None = None,
) -> PlannedShare:
    """Decide what a share will do; writes nothing. Most options are those of `share`.

    Args:
        walnut: the walnut's folder.
        runtime: the surroundings.
        scope: `full`, `bundle` or `snapshot`.
        bundles: names, with scope `bundle`.
        to: peers by name; or `github:LOGIN` and `gitlab:LOGIN`, for the keys that somebody publishes there, which
            nobody has vouched for. Nobody makes a package that is not sealed.
        encrypt: the envelope; by default what all recipients can read.
        exclude: patterns of what to leave out.
        include: patterns that bring back what is left out by default.
        presets: names of presets from the world's preferences.
        full_history: share the real log and insights.
        nested: take nested walnuts along.
        key: `full` or `reduced` `key.md`; None leaves it to the gate.
        acknowledge: names of restricted or personal things that may leave.
        allow_findings: ids of findings that may leave.
        description: one line for the receiver.
        note: one line for the receiver.
        output: the file to write, or an existing folder; by default the folder around the walnut, or nowhere (see
            `PlannedShare.output`) where all recipients are peers with a relay.

    Raises:
        AliveP2PError: it cannot be shared; `code` and `hint` say why and what to do.
    """
    handle = own_handle(runtime)
    keyring = Keyring.load(runtime)
    people = _people(to, keyring, runtime)
    chosen = Envelope(encrypt) if encrypt else envelope_for(people, has_passphrase=False)
    if bool(people) is (chosen is Envelope.PLAIN):
        what = "does not seal for people" if people else "needs somebody that it is sealed for"
        raise UsageError(
            "usage",
            f"the envelope '{chosen.value}' {what}",
            untouched="everything",
            hint="leave out the envelope, and the one that fits is used",
        )
    seal, recipients = seal_for(people, chosen) if people else (Seal(), ())
    patterns = kept_from(runtime, [one.name for one in recipients if one.is_peer], exclude_from=())
    signing = choose_signing_key(lambda: keyring, load_preferences(find_world(walnut)), sign=None, handle=handle)
    request = ShareRequest(
        walnut=walnut,
        scope=scope,
        bundles=tuple(bundles),
        excludes=tuple(exclude),
        peer_excludes=patterns,
        presets=tuple(presets),
        includes=tuple(include),
        full_history=full_history,
        nested=nested,
        key=key,
        acknowledged=tuple(acknowledge),
        allowed_findings=tuple(allow_findings),
        sender=handle or "unknown",
        seal=seal,
        recipients=recipients,
        signing_key=signing.key,
        description=description,
        note=note,
    )
    peers = _by_relay(request, runtime)
    if output is None and (not peers or len(peers) < len(recipients)):
        output = walnut.parent
    if output is not None:
        sharing.check_output(request, runtime, output=output, force=False)
    plan = sharing.plan_share(request, runtime, wait_seconds=_LOCK_SECONDS)
    more = (*keyring.warnings, *([signing.warning] if signing.warning is not None else []))
    return PlannedShare(plan, output, peers, patterns, (*plan.warnings, *more))


def carry_out_share(planned: PlannedShare, runtime: Runtime, progress: Progress | None = None) -> ShareResult:
    """Write the package of a plan, exactly as planned. Somebody has agreed to what the gate asks.

    Raises:
        GateError: the gate does not let it pass.
        ChangedError: a file is no longer what was planned.
        AliveP2PError: a recipient is no longer who they were (`changed-meanwhile`), or it cannot be written.
    """
    _refuse_other_people(planned, runtime)
    output = planned.output
    if output is None:
        folder = outbox.folder_of(runtime)
        files.ensure_private_folder(folder)
        output = folder / f"made-{runtime.random_hex(8)}.walnut"
    return sharing.write_share(
        planned.plan, runtime, agreed=True, output=output, wait_seconds=_LOCK_SECONDS, progress=progress
    )


def _people(names: Sequence[str], keyring: Keyring, runtime: Runtime) -> list[Addressee]:
    """Peers, and somebody by the keys that they publish; a key that was revoked is not sealed for."""
    found = from_keyring(keyring, [name for name in names if not is_published_name(name)])
    for name in filter(is_published_name, names):
        found += from_keys(name, fetch_published_keys(name, runtime))
    refuse_revoked(found, keyring)
    return found


def _by_relay(request: ShareRequest, runtime: Runtime) -> tuple[str, ...]:
    """The recipients who have a relay that takes what we leave; it takes only what is signed by whom they know."""
    config = read_config(runtime)
    if config.url is None or request.signing_key is None or request.sender != config.username:
        return ()
    names = (one.name for one in request.recipients if one.is_peer)
    return tuple(name for name in names if name in config.peers and config.peers[name].is_accepted)


def _refuse_other_people(planned: PlannedShare, runtime: Runtime) -> None:
    """Between the look and the act nobody's key, standing or patterns may have changed."""
    keyring = Keyring.load(runtime)
    recipients = planned.plan.request.recipients
    peers = [one for one in recipients if one.is_peer]
    now = [one.shown for one in from_keyring(keyring, [one.name for one in peers])]
    if now != peers or kept_from(runtime, [one.name for one in peers], exclude_from=()) != planned.patterns:
        raise _changed("what is known of a recipient")


def _changed(what: str) -> AliveP2PError:
    return AliveP2PError(
        "changed-meanwhile",
        f"{what} changed while you were looking",
        untouched="everything",
        hint="look at it again",
    )


# --- receiving ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedReceive:
    """A receive that was looked at and can be carried out; with nothing to do it does nothing."""

    plan: ReceivePlan
    request: ReceiveRequest = field(repr=False)


def plan_receive(
    package: Path,
    runtime: Runtime,
    *,
    target: Path | None = None,
    bundles: Sequence[str] = (),
    rename: bool = False,
    update: bool = False,
    allow_older: bool = False,
    into_other_walnut: bool = False,
    with_differences: bool = False,
    progress: Progress | None = None,
) -> PlannedReceive:
    """Check a package and decide what receiving it would do; writes nothing. Most options are those of `receive`.

    Args:
        package: the `.walnut` file.
        runtime: the surroundings; without a `target` the world around its current folder is meant.
        target: the walnut to make, or to add bundles to.
        bundles: of a bundle package, only these.
        rename: put a bundle whose name is taken under another name.
        update: merge what changed into what earlier packages brought.
        allow_older: with `update`, go back to a package that is older than what was applied last.
        into_other_walnut: add bundles to a walnut they do not come from.
        with_differences: show what an update changes in text files, line by line.
        progress: called with bytes done and bytes in all.

    Raises:
        AliveP2PError: it cannot be received.
    """
    request = ReceiveRequest(
        package=package,
        target=target,
        bundles=tuple(bundles),
        rename=rename,
        update=update,
        allow_older=allow_older,
        into_other_walnut=into_other_walnut,
        wait_seconds=_LOCK_SECONDS,
        credentials=own_key(runtime),
        find_signer=find_signer(runtime),
    )
    plan = receiving.preview(request, runtime, progress=progress, with_differences=with_differences)
    if plan.migration.errors:
        raise refusal(plan)
    return PlannedReceive(plan, request)


def carry_out_receive(planned: PlannedReceive, runtime: Runtime, progress: Progress | None = None) -> ReceiveResult:
    """Receive a package exactly as planned. A file that lies in an inbox moves to `.received` there.

    Raises:
        AliveP2PError: the package, its signer's standing, or the target is not as it was (`changed-meanwhile`), or it
            cannot be received; everything is as it was.
    """
    request = replace(planned.request, is_agreed=True)
    result = receiving.receive(
        request, runtime, approve=lambda plan: refuse_other_plan(planned, plan), progress=progress
    )
    world = find_world(planned.request.package.parent)
    if world is not None and _lies_in(planned.request.package, inbox_of(world).resolve()):
        put_away(planned.request.package, inbox_of(world))
    return result


def _lies_in(package: Path, inbox: Path) -> bool:
    """Whether a package lies in an inbox or in a folder right below it (receive.md §11)."""
    return inbox in {package.parent, package.parent.parent} and package.parent.name != RECEIVED_FOLDER


def refuse_other_plan(planned: PlannedReceive, now: ReceivePlan) -> None:
    """Refuse a plan that is not the one that somebody has looked at.

    Raises:
        AliveP2PError: `changed-meanwhile`.
    """
    if _looked_at(planned.plan) != _looked_at(now):
        raise _changed("the package, its target, or what is known of its signer")


def _looked_at(plan: ReceivePlan) -> ReceivePlan:
    """The plan without what does not count: where the file lies, and what was told beside it."""
    return replace(plan, package=Path(), warnings=(), differences=())
