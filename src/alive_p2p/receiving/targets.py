"""Where a package may go, and whether it belongs there (receive.md §3, §4)."""

import os
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError, WalnutError
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.paths import is_safe_segment
from alive_p2p.receiving.plan import Lineage
from alive_p2p.runtime import Runtime
from alive_p2p.walnut import frontmatter, kernel
from alive_p2p.walnut.ledger import BrokenLedgerError, Ledger
from alive_p2p.walnut.walnut import Walnut, open_walnut
from alive_p2p.walnut.world import find_world, looks_like_walnut, walnuts_in


@dataclass(frozen=True)
class TargetState:
    """An existing walnut as it is at this moment.

    Attributes:
        walnut: the walnut.
        ledger: its ledger; empty where it is broken.
        broken_ledger: why it cannot be used, or None.
        key_sha256: the hash of its `key.md`.
    """

    walnut: Walnut
    ledger: Ledger
    broken_ledger: str | None
    key_sha256: str


def look_at(walnut: Walnut) -> TargetState:
    """Read what the rules need to know of a walnut.

    Raises:
        FileSystemError: its key or ledger cannot be read.
    """
    broken = None
    try:
        ledger = Ledger.parse(walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT))
    except BrokenLedgerError as error:
        ledger, broken = Ledger(), error.message
    return TargetState(walnut, ledger, broken, hashing.sha256(walnut.key.data))


# --- full and snapshot: a new walnut --------------------------------------------------------------------------


def resolve_new_target(manifest: Manifest, requested: Path | None, runtime: Runtime) -> Path:
    """The absolute path of the walnut to make; its parent's links are resolved, the last name is not.

    Raises:
        UsageError: there is no default, or the parent does not exist.
        WalnutError: the walnut's name cannot be used as a folder's.
    """
    if requested is None:
        return _default_inbox(manifest, runtime)
    path = runtime.cwd / requested
    if path.name in {"", ".", ".."}:
        path = path.resolve()
    try:
        parent = path.parent.resolve(strict=True)
    except (OSError, RuntimeError):
        raise UsageError(
            "no-parent",
            f"the folder '{path.parent}' does not exist",
            untouched="everything",
            hint="make it first, or choose another `--target`",
        ) from None
    return parent / path.name


def _default_inbox(manifest: Manifest, runtime: Runtime) -> Path:
    world = find_world(runtime.cwd)
    if world is None:
        raise UsageError(
            "no-target",
            "no world is around the current folder, so there is no inbox to receive into",
            untouched="everything",
            hint="name the new walnut with `--target FOLDER`, or run it inside a world",
        )
    if not is_safe_segment(manifest.walnut):
        raise WalnutError(
            "bad-name",
            "the package's name for its walnut cannot be used as a folder's name",
            untouched="everything",
            hint="name the new walnut with `--target FOLDER`",
        )
    inbox = world / kernel.INBOX
    if not files.is_folder(inbox):
        raise UsageError(
            "no-inbox",
            f"the world '{world}' has no `{kernel.INBOX}` folder",
            untouched="everything",
            hint="make it, or name the new walnut with `--target FOLDER`",
        )
    return inbox.resolve() / manifest.walnut


def check_new_target(target: Path) -> None:
    """A new walnut's place has to be free, and its parent has to take it.

    Raises:
        WalnutError: something is there.
        FileSystemError: the parent cannot be written to.
    """
    if files.is_taken(target):
        what = (
            "a symbolic link"
            if files.is_link(target)
            else "a walnut"
            if looks_like_walnut(target)
            else "a folder"
            if files.is_folder(target)
            else "a file"
        )
        raise WalnutError(
            "target-exists",
            f"'{target}' exists already: it is {what}",
            untouched="everything",
            hint="choose a `--target` that does not exist yet",
        )
    if not files.is_folder(target.parent):
        raise UsageError(
            "no-parent",
            f"the folder '{target.parent}' does not exist",
            untouched="everything",
            hint="make it first, or choose another `--target`",
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise FileSystemError(
            "no-permission",
            f"cannot write to the folder '{target.parent}'",
            untouched="everything",
            hint="choose another `--target`, or change the folder's permissions",
        )


def made_by(target: Path, manifest: Manifest) -> TargetState | None:
    """The walnut at `target`, where receiving this very package has made it; else None (receive.md §5)."""
    if files.is_link(target) or not looks_like_walnut(target):
        return None
    try:
        state = look_at(Walnut(target))
    except AliveP2PError:
        return None
    scopes = {entry.scope for entry in state.ledger.of_import(manifest.import_id)}
    return state if manifest.scope in scopes else None


def received_before(import_id: str, runtime: Runtime) -> Path | None:
    """The walnut around us that a package was received into before, wherever it lies now; by what the ledgers say.

    Args:
        import_id: the package.
        runtime: the surroundings; the world around its current folder is looked through.
    """
    world = find_world(runtime.cwd)
    states = _readable_walnuts(world) if world is not None else []
    return next((one.walnut.root for one in states if any(one.ledger.of_import(import_id))), None)


# --- bundles: an existing walnut ------------------------------------------------------------------------------


def resolve_bundle_target(manifest: Manifest, requested: Path | None, runtime: Runtime) -> TargetState:
    """The walnut that bundles go into, checked.

    Raises:
        UsageError: the path does not exist, or there is no world to search.
        WalnutError: it is not a walnut that can take them, or none or several of the world's could.
    """
    if requested is not None:
        walnut = open_walnut(runtime.cwd / requested)
        _check_kernel(walnut)
        return look_at(walnut)
    world = find_world(runtime.cwd)
    if world is None:
        raise UsageError(
            "no-target",
            "no world is around the current folder to find the walnut in",
            untouched="everything",
            hint="name the walnut with `--target FOLDER`",
        )
    found = [state for state in _readable_walnuts(world) if lineage_of(manifest, state) is not None]
    if len(found) != 1:
        names = ", ".join(f"'{state.walnut.root.relative_to(world)}'" for state in found)
        raise WalnutError(
            "no-target" if not found else "several-targets",
            f"several walnuts could take these bundles: {names}"
            if found
            else f"no walnut in '{world}' is the one these bundles come from ('{manifest.walnut}')",
            untouched="everything",
            hint="name one with `--target FOLDER`"
            + ("" if found else ", with `--into-other-walnut` if it is another one on purpose"),
        )
    _check_kernel(found[0].walnut)
    return found[0]


def _readable_walnuts(world: Path) -> list[TargetState]:
    states = []
    for root in walnuts_in(world):
        try:
            states.append(look_at(Walnut(root.resolve())))
        except AliveP2PError:
            continue
    return states


def _check_kernel(walnut: Walnut) -> None:
    block = walnut.key.block
    if not block.is_present or block.problem:
        why = block.problem or "it has no frontmatter"
        raise WalnutError(
            "bad-key",
            f"the walnut '{walnut.root}' has no valid `_kernel/key.md`: {why}",
            untouched="everything",
            hint="mend it, then receive again",
        )
    log = walnut.read_kernel(kernel.LOG)
    if log is None or not frontmatter.read(log).is_present:
        why = "no `_kernel/log.md`" if log is None else "a `_kernel/log.md` without frontmatter"
        raise WalnutError(
            "bad-log",
            f"the walnut '{walnut.root}' has {why}, so what arrives could not be recorded",
            untouched="everything",
            hint="give it a log that begins with a `---` block, then receive again",
        )
    if not os.access(walnut.root, os.W_OK | os.X_OK) or not os.access(walnut.root / kernel.KERNEL, os.W_OK | os.X_OK):
        raise FileSystemError(
            "no-permission",
            f"cannot write to the walnut '{walnut.root}'",
            untouched="everything",
            hint="check who owns it and its permissions",
        )


def lineage_of(manifest: Manifest, state: TargetState) -> Lineage | None:
    """How a package is recognised as coming from a walnut, or None where it is another one (receive.md §4)."""
    if manifest.walnut_id is not None and manifest.walnut_id in state.ledger.known_walnut_ids():
        return Lineage.SAME_ID
    known_keys = state.ledger.known_key_hashes() | {state.key_sha256}
    if manifest.key_sha256 is not None and manifest.key_sha256 in known_keys:
        return Lineage.SAME_KEY_HASH
    packed = next((entry.sha256 for entry in manifest.files if entry.path == kernel.KEY), None)
    return Lineage.SAME_KEY if packed == state.key_sha256 else None


def require_lineage(manifest: Manifest, state: TargetState, *, override: bool) -> Lineage:
    """Like `lineage_of`, but another walnut is refused unless the person insists.

    Raises:
        WalnutError: the bundles come from another walnut.
    """
    found = lineage_of(manifest, state)
    if found is not None:
        return found
    if override:
        return Lineage.OVERRIDDEN
    raise WalnutError(
        "other-walnut",
        f"this bundle comes from another walnut: the package is from '{manifest.walnut}',"
        f" the target is '{state.walnut.name}'",
        untouched="everything",
        hint="if that is what you want, add `--into-other-walnut`; it is asked only once",
    )
