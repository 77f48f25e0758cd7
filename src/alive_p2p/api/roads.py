"""The two roads as two functions, and looking at a package (cli.md, "Python").

No printing, no prompting; progress by callback; every failure is an `AliveP2PError`.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from alive_p2p.errors import UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.package.envelopes.base import Addressees, Credentials, Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.reader import Progress
from alive_p2p.package.signature import Signer
from alive_p2p.receiving import inspection, undoing
from alive_p2p.receiving import pipeline as receiving
from alive_p2p.receiving.inspection import PackageInfo, Verification
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.receiving.signers import signers
from alive_p2p.receiving.undo_plan import UndoPlan
from alive_p2p.receiving.undoing import UndoResult
from alive_p2p.relay.config import kept_from, own_handle
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import pipeline as sharing
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.gate import KeyForm
from alive_p2p.sharing.plan import Scope, SharePlan, ShareRequest, ShareResult
from alive_p2p.sharing.recipients import envelope_for, from_keyring, seal_for
from alive_p2p.sharing.signing import choose_signing_key
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

AnyPath = str | PathLike[str]


def share(
    walnut: AnyPath,
    *,
    scope: Scope = "full",
    bundles: Sequence[str] = (),
    output: AnyPath | None = None,
    force: bool = False,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    presets: Sequence[str] = (),
    peer_excludes: Mapping[str, tuple[str, ...]] | None = None,
    full_history: bool = False,
    nested: bool = False,
    key: KeyForm | None = None,
    recipients: Sequence[str] = (),
    passphrase: bytes | None = None,
    encrypt: Literal["none", "passphrase", "rsa", "age"] | None = None,
    sign: bool | None = None,
    acknowledge: Sequence[str] = (),
    allow_findings: Sequence[str] = (),
    yes: bool = False,
    sender: str | None = None,
    description: str = "",
    note: str = "",
    max_files: int | None = None,
    max_bytes: int | None = None,
    wait_seconds: float = 0.0,
    approve: Callable[[SharePlan], bool] | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> ShareResult:
    """Pack a walnut, some of its bundles, or a snapshot into a `.walnut` file (share.md).

    Args:
        walnut: the walnut's folder.
        scope: `full`, `bundle` or `snapshot`.
        bundles: names, with scope `bundle`.
        output: the file to write, or an existing folder; by default on the Desktop or in the current folder.
        force: replace `output` where it exists.
        exclude: patterns of the exclusion language (share.md §3).
        include: patterns that bring back what is left out by default.
        presets: names of presets from the world's preferences.
        peer_excludes: patterns kept for a peer, by the peer's name.
        full_history: share the real log and insights.
        nested: take nested walnuts along.
        key: `full` or `reduced` `key.md`; None leaves it to the gate.
        recipients: peers in the keyring, by name; the patterns kept for them apply as well.
        passphrase: seals the package, where it is for nobody by name.
        encrypt: the envelope; by default what the recipients can read, or what there is a passphrase for.
        sign: yes, no, or None for what the preferences say; a key with a passphrase cannot be used here.
        acknowledge: names of restricted or personal things that may leave (share.md §4).
        allow_findings: ids of findings that may leave.
        yes: agree to what the gate asks; never overrides what it refuses.
        sender: our handle, one line; by default that of the surroundings.
        description: one line for the receiver.
        note: one line for the receiver.
        max_files: raises (or lowers) the limit of files and empty folders.
        max_bytes: raises (or lowers) the limit of content, in bytes.
        wait_seconds: how long to wait for the walnut's lock.
        approve: looks at the plan before anything is written; returns whether it agrees to what the gate asks, and
            raises to stop.
        progress: called with bytes done and bytes in all.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: it could not be done; `code` and `hint` say why and what to do.
    """
    _check_arguments(
        {"scope": (scope, ("full", "bundle", "snapshot")), "key": (key, (None, "full", "reduced"))},
        bundles=bundles,
        exclude=exclude,
        include=include,
        presets=presets,
        recipients=recipients,
        acknowledge=acknowledge,
        allow_findings=allow_findings,
        **{f"peer_excludes[{name!r}]": patterns for name, patterns in (peer_excludes or {}).items()},
    )
    surroundings = runtime or Runtime.from_process()
    handle = sender or own_handle(surroundings)
    seal, people = _seal(recipients, passphrase, encrypt, surroundings)
    signing = choose_signing_key(
        lambda: Keyring.load(surroundings), load_preferences(find_world(Path(walnut))), sign=sign, handle=handle
    )
    request = ShareRequest(
        walnut=Path(walnut),
        scope=scope,
        bundles=tuple(bundles),
        excludes=tuple(exclude),
        peer_excludes={**kept_from(surroundings, recipients, exclude_from=()), **(peer_excludes or {})},
        presets=tuple(presets),
        includes=tuple(include),
        full_history=full_history,
        nested=nested,
        key=key,
        acknowledged=tuple(acknowledge),
        allowed_findings=tuple(allow_findings),
        sender=handle or "unknown",
        seal=seal,
        recipients=people,
        signing_key=signing.key,
        description=description,
        note=note,
        max_files=max_files,
        max_bytes=max_bytes,
    )
    where = Path(output) if output is not None else None
    return sharing.share(
        request,
        surroundings,
        approve=approve,
        agreed=yes,
        output=where,
        force=force,
        wait_seconds=wait_seconds,
        progress=progress,
    )


def receive(
    package: AnyPath,
    *,
    target: AnyPath | None = None,
    scope: Scope | None = None,
    bundles: Sequence[str] = (),
    rename: bool = False,
    update: bool = False,
    allow_older: bool = False,
    into_other_walnut: bool = False,
    max_files: int | None = None,
    max_bytes: int | None = None,
    wait_seconds: float = 0.0,
    credentials: Credentials | None = None,
    require_signature: bool = False,
    trust_agent_files: bool = False,
    approve: Callable[[ReceivePlan], None] | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> ReceiveResult:
    """Bring a package into a world, all of it or nothing (receive.md).

    Args:
        package: the `.walnut` file.
        target: the walnut to make, or to add bundles to; by default the inbox, or the walnut of the same lineage.
        scope: refuse a package of another scope.
        bundles: of a bundle package, only these.
        rename: put a bundle whose name is taken under another name.
        update: merge what changed into what earlier packages brought.
        allow_older: with `update`, go back to a package that is older than what was applied last.
        into_other_walnut: add bundles to a walnut they do not come from.
        max_files: raises (or lowers) the limit of files and empty folders.
        max_bytes: raises (or lowers) the limit of content, in bytes.
        wait_seconds: how long to wait for the walnut's lock.
        credentials: what a sealed package is opened with; by default our own key, where it has no passphrase.
        require_signature: refuse everything but a valid signature of a known peer.
        trust_agent_files: install what agents obey under its own name; only with such a signature.
        approve: looks at the plan before anything is written, and raises to stop.
        progress: called with bytes done and bytes in all.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: it could not be done; everything is as it was.
    """
    surroundings = runtime or Runtime.from_process()
    request = ReceiveRequest(
        package=Path(package),
        target=Path(target) if target is not None else None,
        scope=scope,
        bundles=tuple(bundles),
        rename=rename,
        update=update,
        allow_older=allow_older,
        into_other_walnut=into_other_walnut,
        max_files=max_files,
        max_bytes=max_bytes,
        wait_seconds=wait_seconds,
        credentials=credentials or own_key(surroundings),
        find_signer=find_signer(surroundings),
        require_signature=require_signature,
        trust_agent_files=trust_agent_files,
    )
    return receiving.receive(request, surroundings, approve=approve, progress=progress)


def undo(
    walnut: AnyPath,
    *,
    wait_seconds: float = 0.0,
    approve: Callable[[UndoPlan], None] | None = None,
    runtime: Runtime | None = None,
) -> UndoResult:
    """Take back the last receive into a walnut; what was edited or added since stays (receive.md §5).

    Args:
        walnut: its folder.
        wait_seconds: how long to wait for the walnut's lock.
        approve: looks at the plan before anything is touched, and raises to stop.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: it could not be done; everything is as it was.
    """
    surroundings = runtime or Runtime.from_process()
    return undoing.undo(Path(walnut), surroundings, approve=approve, wait_seconds=wait_seconds)


def inspect(package: AnyPath, *, credentials: Credentials | None = None, runtime: Runtime | None = None) -> PackageInfo:
    """Read what a package says of itself, without checking its files.

    A sealed package that the credentials do not open gives its envelope and its size.

    Args:
        package: the `.walnut` file.
        credentials: what a sealed package is opened with; by default our own key, where it has no passphrase.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: there is no such file, or it is not a package.
    """
    surroundings = runtime or Runtime.from_process()
    opened_with = credentials or own_key(surroundings)
    return inspection.inspect(Path(package), DEFAULT_LIMITS, opened_with, find_signer(surroundings))


def verify(
    package: AnyPath,
    *,
    credentials: Credentials | None = None,
    require_signature: bool = False,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> Verification:
    """Check a package as a receive would, without writing anything.

    Args:
        package: the `.walnut` file.
        credentials: what a sealed package is opened with; by default our own key, where it has no passphrase.
        require_signature: everything but a valid signature of a known peer counts as a failure.
        progress: called with bytes done and bytes in all.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: there is no such file, or it is sealed and the credentials do not open it.
    """
    surroundings = runtime or Runtime.from_process()
    return inspection.verify(
        Path(package),
        DEFAULT_LIMITS,
        progress,
        credentials or own_key(surroundings),
        find_signer(surroundings),
        require_signature=require_signature,
    )


def _check_arguments(choices: Mapping[str, tuple[object, Sequence[object]]], **lists: object) -> None:
    """A text where a list is meant would be taken letter by letter, and would keep back nothing that was meant."""
    for name, (value, known) in choices.items():
        if value not in known:
            words = ", ".join(str(one) for one in known)
            raise UsageError("usage", f"`{name}` is {value!r}; it can be {words}", untouched="everything")
    for name, values in lists.items():
        if isinstance(values, str | bytes):
            raise UsageError("usage", f"`{name}` is one text, where a list of texts is meant", untouched="everything")


def _seal(
    recipients: Sequence[str], passphrase: bytes | None, encrypt: str | None, runtime: Runtime
) -> tuple[Seal, tuple[Recipient, ...]]:
    people = from_keyring(Keyring.load(runtime), recipients) if recipients else []
    _check_arguments({"encrypt": (encrypt, (None, "none", "passphrase", "rsa", "age"))})
    chosen = Envelope(encrypt) if encrypt else envelope_for(people, has_passphrase=passphrase is not None)
    if people and passphrase is not None:
        raise UsageError(
            "usage",
            "a package is sealed for people or with a passphrase, not both",
            untouched="everything",
            hint="leave out one of the two",
        )
    if people and chosen in {Envelope.RSA, Envelope.AGE}:
        return seal_for(people, chosen)
    if passphrase and not people and chosen in {Envelope.PASSPHRASE, Envelope.AGE}:
        return Seal(chosen, passphrase), ()
    if chosen is not Envelope.PLAIN or people or passphrase is not None:
        raise UsageError(
            "usage",
            f"the envelope '{chosen.value}' does not go with what is given to seal it",
            untouched="everything",
            hint="leave out the envelope, and the one that fits is used",
        )
    return Seal(), ()


def own_key(runtime: Runtime) -> Credentials:
    """What a sealed package is opened with where nothing is said: our own keys, as far as they have no passphrase."""

    def private_keys(_: Addressees) -> Sequence[PrivateKey]:
        keyring = Keyring.load(runtime)
        own = keyring.own()
        return [*([own] if own is not None else []), *keyring.retired()]

    return Credentials(None, private_keys)


def find_signer(runtime: Runtime) -> Callable[[str], Signer | None]:
    """Looks signers up in the keyring."""
    return signers(lambda: Keyring.load(runtime), lambda: own_handle(runtime))
