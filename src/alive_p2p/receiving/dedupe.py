"""What of a package is here already, and under which names the rest goes (receive.md §5)."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.package.entries import bundle_digest
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.paths import MAX_SEGMENT_BYTES
from alive_p2p.receiving.layout import bundle_names, files_of_bundle, folder_in_package
from alive_p2p.receiving.plan import BundleFate, Fate, Installation
from alive_p2p.receiving.targets import TargetState
from alive_p2p.text import fold, nearest
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LedgerEntry


def requested_bundles(manifest: Manifest, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The bundles of a package that were asked for; all where nothing was.

    Raises:
        UsageError: a name is not in the package.
    """
    for name in wanted:
        if name not in manifest.bundles:
            closest = nearest(name, list(manifest.bundles))
            raise UsageError(
                "unknown-bundle",
                f"the package has no bundle '{name}'; it has: {', '.join(manifest.bundles)}",
                hint=f"did you mean `--bundle {shlex.quote(closest)}`?" if closest else None,
            )
    return tuple(name for name in manifest.bundles if not wanted or name in wanted)


def decide_bundles(
    manifest: Manifest,
    installation: Installation,
    state: TargetState,
    requested: tuple[str, ...],
    *,
    rename: bool,
    today: datetime,
    updatable: Mapping[str, str] | None = None,
) -> tuple[BundleFate, ...]:
    """What happens to each bundle of a package.

    Args:
        manifest: the package's.
        installation: where its files go.
        state: the walnut.
        requested: the bundles that are wanted.
        rename: put one whose name is taken under another.
        today: for that name.
        updatable: the folders here of the bundles that can be updated, by name; None where no update is asked for.

    Raises:
        WalnutError: names are taken and `rename` is not given; every one of them is listed.
    """
    fates: dict[str, BundleFate] = {}
    conflicts: list[str] = []
    taken: set[str] = set()
    names = bundle_names(manifest, installation)
    for name in names:
        if name not in requested:
            fates[name] = BundleFate(name, name, Fate.NOT_REQUESTED)
            continue
        known = already_here(manifest, name, state)
        if known is not None:
            fates[name] = known
            continue
        if updatable is not None and name in updatable:
            fates[name] = BundleFate(name, updatable[name], Fate.UPDATE)
            continue
        folder = folder_in_package(installation, name)
        place = occupied(state.walnut.root, folder)
        if place is not None and _is_same_content(manifest, installation, name, place):
            fates[name] = BundleFate(name, place.name, Fate.SAME_CONTENT)
        elif place is None and fold(folder) not in taken:
            fates[name] = BundleFate(name, folder, Fate.APPLY)
        elif rename:
            fates[name] = BundleFate(name, _free_name(state.walnut.root, folder, taken, today), Fate.APPLY)
        else:
            conflicts.append(f"'{name}' ({place})")
        if name in fates:
            taken.add(fold(fates[name].folder))
    if conflicts:
        raise WalnutError(
            "name-taken",
            f"{len(conflicts)} bundle{'s' if len(conflicts) > 1 else ''} of the package would take a name that is"
            f" in use: {', '.join(conflicts)}",
            untouched="everything",
            hint="`--rename` puts them beside the ones that are there"
            if updatable is not None
            else "`--update` merges what changed into what came before; `--rename` puts them beside it",
        )
    return tuple(fates[name] for name in names)


def already_here(manifest: Manifest, name: str, state: TargetState) -> BundleFate | None:
    """A bundle that earlier receives applied and that is still there; None where it is to be applied.

    The same package counts whatever was edited since; the same content from another package counts as long as the
    files are still as they were put.
    """
    root = state.walnut.root
    for entry in state.ledger.of_import(manifest.import_id):
        if name in entry.applied_bundles and files.is_folder(root / entry.folder_of(name)):
            return BundleFate(name, entry.folder_of(name), Fate.ALREADY_APPLIED)
    last = state.ledger.last_of_bundle(name, manifest.walnut_id)
    if last is None or last.bundle_digests.get(name) != digest_of(manifest, name):
        return None
    if files.is_folder(root / last.folder_of(name)) and _files_are_as_installed(root, last, name):
        return BundleFate(name, last.folder_of(name), Fate.SAME_CONTENT)
    return None


def digest_of(manifest: Manifest, name: str) -> str:
    """The digest of a bundle, whichever layout the package has."""
    folder = name if manifest.below(name) else f"{kernel.V2_CONTAINER}/{name}"
    return bundle_digest(manifest.below(folder), folder)


def _files_are_as_installed(root: Path, entry: LedgerEntry, name: str) -> bool:
    rows = entry.files.get(name)
    if not rows:
        return False
    return all(_hash_or_none(root / row.installed) == row.installed_sha256 for row in rows.values())


def _hash_or_none(path: Path) -> str | None:
    try:
        return files.hash_file(path)[0]
    except OSError:
        return None


def occupied(root: Path, name: str) -> Path | None:
    """Where a bundle's name is in use in a walnut of any layout; None where it is free."""
    for container in ("", kernel.V2_CONTAINER, kernel.V1_CONTAINER):
        place = root / container / name
        if files.is_taken(place):
            return place
    return None


def _is_same_content(manifest: Manifest, installation: Installation, name: str, place: Path) -> bool:
    """Whether a folder holds exactly what the package's bundle would put there."""
    hashes = manifest.hashes
    expected = {rest: hashes[path] for path, rest in files_of_bundle(installation, name) if path in hashes}
    if place.is_symlink() or not place.is_dir():
        return False
    present = [path for path in place.rglob("*") if path.is_symlink() or not path.is_dir()]
    if len(present) != len(expected):
        return False
    return all(_hash_or_none(place / rest) == sha256 for rest, sha256 in expected.items())


def _free_name(root: Path, folder: str, taken: set[str], today: datetime) -> str:
    """`<name>-imported-<YYYYMMDD>`, then `-2`, `-3` and so on."""
    number = 1
    while True:
        suffix = f"-imported-{today:%Y%m%d}" + (f"-{number}" if number > 1 else "")
        stem = folder.encode()[: MAX_SEGMENT_BYTES - len(suffix)].decode("utf-8", "ignore")
        name = stem + suffix
        if occupied(root, name) is None and fold(name) not in taken:
            return name
        number += 1
