"""The Python interface: the two roads as two functions, and looking at a package (cli.md, "Python").

No printing, no prompting; progress by callback; every failure is an `AliveP2PError`.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.reader import Progress
from alive_p2p.receiving import inspection
from alive_p2p.receiving import pipeline as receiving
from alive_p2p.receiving.inspection import PackageInfo, Verification
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import pipeline as sharing
from alive_p2p.sharing.plan import KeyForm, Scope, SharePlan, ShareRequest, ShareResult

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
    sender: str = "unknown",
    description: str = "",
    note: str = "",
    max_files: int | None = None,
    max_bytes: int | None = None,
    wait_seconds: float = 0.0,
    approve: Callable[[SharePlan], None] | None = None,
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
        sender: the sender's handle, one line.
        description: one line for the receiver.
        note: one line for the receiver.
        max_files: raises (or lowers) the limit of files and empty folders.
        max_bytes: raises (or lowers) the limit of content, in bytes.
        wait_seconds: how long to wait for the walnut's lock.
        approve: looks at the plan before anything is written, and raises to stop.
        progress: called with bytes done and bytes in all.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: it could not be done; `code` and `hint` say why and what to do.
    """
    request = ShareRequest(
        walnut=Path(walnut),
        scope=scope,
        bundles=tuple(bundles),
        excludes=tuple(exclude),
        peer_excludes=dict(peer_excludes or {}),
        presets=tuple(presets),
        includes=tuple(include),
        full_history=full_history,
        nested=nested,
        key=key,
        sender=sender,
        description=description,
        note=note,
        max_files=max_files,
        max_bytes=max_bytes,
    )
    where = Path(output) if output is not None else None
    surroundings = runtime or Runtime.from_process()
    return sharing.share(
        request,
        surroundings,
        approve=approve,
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
    into_other_walnut: bool = False,
    max_files: int | None = None,
    max_bytes: int | None = None,
    wait_seconds: float = 0.0,
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
        into_other_walnut: add bundles to a walnut they do not come from.
        max_files: raises (or lowers) the limit of files and empty folders.
        max_bytes: raises (or lowers) the limit of content, in bytes.
        wait_seconds: how long to wait for the walnut's lock.
        approve: looks at the plan before anything is written, and raises to stop.
        progress: called with bytes done and bytes in all.
        runtime: the surroundings; by default those of this process.

    Raises:
        AliveP2PError: it could not be done; everything is as it was.
    """
    request = ReceiveRequest(
        package=Path(package),
        target=Path(target) if target is not None else None,
        scope=scope,
        bundles=tuple(bundles),
        rename=rename,
        into_other_walnut=into_other_walnut,
        max_files=max_files,
        max_bytes=max_bytes,
        wait_seconds=wait_seconds,
    )
    return receiving.receive(request, runtime or Runtime.from_process(), approve=approve, progress=progress)


def inspect(package: AnyPath) -> PackageInfo:
    """Read what a package says of itself, without checking its files.

    Raises:
        AliveP2PError: there is no such file, or it is not a package.
    """
    return inspection.inspect(Path(package), DEFAULT_LIMITS)


def verify(package: AnyPath, *, progress: Progress | None = None) -> Verification:
    """Check a package as a receive would, without writing anything.

    Raises:
        AliveP2PError: there is no such file, or it is sealed.
    """
    return inspection.verify(Path(package), DEFAULT_LIMITS, progress)
