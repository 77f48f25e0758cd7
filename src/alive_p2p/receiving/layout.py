"""Which layout a package has, and where each of its files goes (receive.md §3, §8; format.md §6).

Pure functions over lists of paths: everything is decided before a byte is written, and what is forbidden is
decided on the final names.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from alive_p2p.errors import PackageError
from alive_p2p.package import paths
from alive_p2p.package.manifest import SKELETON, Manifest
from alive_p2p.package.paths import bundle_name_refusal
from alive_p2p.receiving.flattening import PREFIX, places_at_root
from alive_p2p.receiving.plan import Dropped, Installation, ReceivePlan
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.agent_files import disarmed
from alive_p2p.walnut.ledger import LIVE_CONTEXT

_KERNEL_FILES = frozenset(
    ["key.md", "log.md", "insights.md", "tasks.json", "completed.json", "config.yaml", "links.yaml", "people.yaml"]
)
_KERNEL_DROPPED = frozenset(["now.json", "imports.json", "_generated"])
DROPPED_ANYWHERE = frozenset([".alive", ".walnut", ".git", "__macosx"])
"""Names that are not installed at any depth, folded."""
BELONGS_ELSEWHERE = "belongs to a world, a repository or an archiver, not to a walnut"


def plan_installation(
    manifest: Manifest,
    empty_dirs: Iterable[str],
    *,
    forced_layout: str | None = None,
    agent_files: Iterable[str] = (),
    are_agent_files_trusted: bool = False,
    system: str = sys.platform,
) -> Installation:
    """Decide where every file and empty folder of a package goes.

    Args:
        manifest: the checked manifest.
        empty_dirs: the empty folders the package brings.
        forced_layout: a layout that overrides what the package says; for tests.
        agent_files: further names that agents obey on sight (`p2p.agent_files`).
        are_agent_files_trusted: install them under their own names.
        system: the platform, as `sys.platform` names it.

    Raises:
        PackageError: the layout cannot be told, the shape is not that of the scope, or this system cannot hold
            the names.
    """
    listed = [entry.path for entry in manifest.files]
    folders = sorted(empty_dirs)
    everything = [*listed, *folders]
    layout = infer_layout(manifest, listed, forced_layout)
    warnings: list[str] = []
    if layout == "v3" and any(_is_v2_bundle_manifest(path) for path in listed):
        warnings.append("the package says layout v3 but keeps bundles in `bundles/`; it is brought forward like v2")
        layout = "v2"
    dropped: list[Dropped] = []
    if layout == "v2" and kernel.V2_CONTAINER in folders:
        everything.remove(kernel.V2_CONTAINER)
        dropped.append(Dropped(kernel.V2_CONTAINER, "the container of an older layout, and empty"))
    unchanged = {path: path for path in everything}
    extra = frozenset(map(fold, agent_files))
    inert = str if are_agent_files_trusted else partial(disarmed, extra=extra)
    flat = _flatten(everything, inert) if layout == "v2" else _Flat(unchanged)
    _refuse_kernel_lookalikes(flat.paths.values())
    _check_shape(manifest, flat.paths)
    names: dict[str, str] = {}
    for path, final in (unchanged if flat.errors else flat.paths).items():
        reason = _dropped_because(final, path, manifest)
        if reason is not None:
            dropped.append(Dropped(path, reason))
        else:
            names[path] = final
    safe = {path: inert(name) for path, name in names.items()}
    _refuse_double_names(safe)
    _refuse_names_of_system(safe.values(), system)
    return Installation(
        layout=layout,
        names=safe,
        dropped=tuple(dropped),
        renamed_agent_files=tuple(sorted(_renamed(names, safe, inert))),
        warnings=(
            *warnings,
            *(loose_warning(name, safe[PREFIX + name]) for name in flat.loose if PREFIX + name in safe),
        ),
        errors=flat.errors,
    )


def infer_layout(manifest: Manifest, listed: list[str], forced: str | None) -> str:
    """`v2`, `v3` or `agnostic`: what was forced, what the manifest states, what the tree looks like (§8).

    Raises:
        PackageError: none of the three tells.
    """
    if forced is not None:
        return forced
    if manifest.source_layout in {"v2", "v3"}:
        return str(manifest.source_layout)
    if any(_is_v2_bundle_manifest(path) or path.startswith("_kernel/_generated/") for path in listed):
        return "v2"
    if any(path.count("/") == 1 and path.endswith("/" + kernel.BUNDLE_MANIFEST) for path in listed):
        return "v3"
    own = {manifest.primer or paths.README}
    if all(path.startswith("_kernel/") or path in own for path in listed):
        return "agnostic"
    raise PackageError(
        "unknown-layout",
        "the package does not say which layout it has, and it does not look like one that is known",
        untouched="everything",
        hint="ask the sender to make it again with a current version",
    )


def _is_v2_bundle_manifest(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == kernel.V2_CONTAINER and parts[2] == kernel.BUNDLE_MANIFEST


@dataclass(frozen=True)
class _Flat:
    """Every path of a package with the one it has outside the container, loose files there, and why it cannot be."""

    paths: dict[str, str]
    loose: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def _flatten(everything: list[str], inert: Callable[[str], str]) -> _Flat:
    """Move what lies in `bundles/` to the root; only its immediate children, whole (receive.md §8).

    Args:
        everything: the paths of the package.
        inert: the name under which something is installed so that no agent obeys it.
    """
    in_container = [path.split("/") for path in everything if path.startswith(PREFIX)]
    inside = [parts for parts in in_container if fold(parts[1]) not in DROPPED_ANYWHERE]
    bundles = {path.split("/")[1] for path in everything if _is_v2_bundle_manifest(path)}
    folders = {parts[1] for parts in inside if len(parts) > 2}
    taken = {inert(path.split("/")[0]) for path in everything if not path.startswith(PREFIX)} - {kernel.V2_CONTAINER}
    names, errors = places_at_root({parts[1]: inert(parts[1]) for parts in inside}, bundles, taken)
    flat = {path: path for path in everything}
    flat |= {"/".join(parts): "/".join([names[parts[1]], *parts[2:]]) for parts in inside}
    return _Flat(flat, tuple(sorted(names.keys() - folders)), errors)


def loose_warning(name: str, final: str) -> str:
    """What is said of a file in the container that belongs to no bundle."""
    return f"the loose file '{PREFIX}{name}' goes to '{final}'"


def _refuse_kernel_lookalikes(finals: Iterable[str]) -> None:
    for final in finals:
        root = final.split("/")[0]
        if root != kernel.KERNEL and fold(root) == kernel.KERNEL:
            raise _bad_shape(f"'{final}' only looks like the kernel")


def _check_shape(manifest: Manifest, flat: dict[str, str]) -> None:
    """The shape each scope has (format.md §6, "When reading")."""
    listed = manifest.hashes
    if kernel.KEY not in listed:
        raise _bad_shape("it has no `_kernel/key.md`")
    for path, final in flat.items():
        parts = final.split("/")
        if parts[0] != kernel.KERNEL:
            continue
        if path != final:
            raise _bad_shape(f"'{path}' would become part of the kernel")
        if len(parts) == 1 or (len(parts) == 2 and path not in listed):
            if parts[-1] in _KERNEL_DROPPED | {kernel.KERNEL, "history"}:
                continue
            raise _bad_shape(f"'{path}' does not belong in a kernel")
        is_known = (len(parts) == 2 and parts[1] in _KERNEL_FILES) or (len(parts) > 2 and parts[1] == "history")
        if not is_known and parts[1] not in _KERNEL_DROPPED:
            raise _bad_shape(f"'{path}' does not belong in a kernel")
    if manifest.scope == "snapshot":
        _check_snapshot(manifest, flat)
    if manifest.scope == "bundle":
        _check_bundle_scope(manifest, flat, listed)


def _check_snapshot(manifest: Manifest, flat: dict[str, str]) -> None:
    allowed = {kernel.KEY, kernel.INSIGHTS, manifest.primer or paths.README, paths.README}
    for path, final in flat.items():
        root, _, rest = final.partition("/")
        if path not in allowed and not (root == kernel.KERNEL and rest.split("/")[0] in _KERNEL_DROPPED):
            raise _bad_shape(f"a snapshot cannot hold '{path}'")


def _check_bundle_scope(manifest: Manifest, flat: dict[str, str], listed: Collection[str]) -> None:
    """Its bundles, the key, the primer and nothing else; each bundle named and with a manifest."""
    named = set(manifest.bundles)
    allowed = {kernel.KEY, manifest.primer or paths.README, paths.README}
    present: set[str] = set()
    for path, final in flat.items():
        root, _, rest = final.partition("/")
        if path in allowed or (root == kernel.KERNEL and rest.split("/")[0] in _KERNEL_DROPPED):
            continue
        name = path.split("/")[1] if path.startswith(kernel.V2_CONTAINER + "/") else root
        if not rest and path in listed:
            raise _bad_shape(f"'{path}' is in no bundle")
        if name not in named:
            raise _bad_shape(f"'{path}' is in none of the bundles that it names")
        if rest == kernel.BUNDLE_MANIFEST and path in listed:
            present.add(name)
    for name in sorted(named - present):
        raise _bad_shape(f"the bundle '{name}' has no `{kernel.BUNDLE_MANIFEST}`")


def _bad_shape(why: str) -> PackageError:
    return PackageError(
        "bad-shape",
        f"the package does not have the shape of its scope: {why}",
        untouched="everything",
        hint="ask the sender to make it again with alive-p2p",
    )


def _dropped_because(final: str, path: str, manifest: Manifest) -> str | None:
    parts = final.split("/")
    if parts[0] == kernel.KERNEL and len(parts) > 1 and parts[1] in _KERNEL_DROPPED:
        return "computed on each machine, never taken from a package"
    if not DROPPED_ANYWHERE.isdisjoint(fold(final).split("/")):
        return BELONGS_ELSEWHERE
    if path == manifest.primer:
        return "written for readers of the package"
    if path == paths.README and manifest.scope == "bundle":
        return "written for readers of the package"
    if path == kernel.KEY and manifest.scope == "bundle":
        return "only says which walnut the bundles come from"
    return None


def _renamed(names: dict[str, str], safe: dict[str, str], inert: Callable[[str], str]) -> Iterator[str]:
    """Where agent files go: under another name than they would, or than one that flattening made inert already."""
    for path, final in names.items():
        if safe[path] != final or (final != path and inert(path) != path):
            yield safe[path]


def _refuse_double_names(names: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    for path, final in names.items():
        if final in seen:
            raise _bad_shape(f"'{seen[final]}' and '{path}' would both become '{final}'")
        seen[final] = path
    for final in paths.folders_of(seen) & seen.keys():
        raise _bad_shape(f"'{final}' would be a file and a folder")


def _refuse_names_of_system(finals: Iterable[str], system: str) -> None:
    """Names that this file system cannot hold are found before anything is written."""
    if system not in {"win32", "darwin", "cygwin"}:
        return
    finals = list(finals)
    problems = [f"{' and '.join(map(repr, group))} are one name here" for group in paths.colliding(finals)]
    if system != "darwin":
        problems += [f"'{final}': {why}" for final in finals if (why := paths.windows_refusal(final))]
    if problems:
        raise PackageError(
            "names-of-other-systems",
            f"this system cannot hold {len(problems)} of the package's names: {problems[0]}",
            untouched="everything",
            hint="ask the sender to rename them, or receive it on Linux",
            details=problems if len(problems) > 1 else (),
        )


def bundles_in(installation: Installation) -> list[str]:
    """The top-level bundles that an installation brings, by their folder."""
    suffix = "/" + kernel.BUNDLE_MANIFEST
    found = (final.removesuffix(suffix) for final in installation.names.values() if final.endswith(suffix))
    return sorted(name for name in found if "/" not in name and bundle_name_refusal(name) is None)


def folder_in_package(installation: Installation, bundle: str) -> str:
    """The folder that a bundle of the package is unpacked to, before any renaming."""
    for path in (f"{bundle}/{kernel.BUNDLE_MANIFEST}", f"{kernel.V2_CONTAINER}/{bundle}/{kernel.BUNDLE_MANIFEST}"):
        if path in installation.names:
            return installation.names[path].split("/")[0]
    return bundle


def files_of_bundle(installation: Installation, name: str) -> Iterable[tuple[str, str]]:
    """The files and empty folders of a bundle: package path, and path inside the bundle's folder."""
    return installation.by_folder.get(folder_in_package(installation, name), ())


def places_of_added(plan: ReceivePlan) -> dict[str, str]:
    """Where the files of bundles that are put in place whole go in the walnut, by their path in the package."""
    return {
        path: f"{fate.folder}/{rest}"
        for fate in plan.added
        for path, rest in files_of_bundle(plan.installation, fate.name)
    }


def bundle_names(manifest: Manifest, installation: Installation) -> tuple[str, ...]:
    """The bundles of a package, as the ledger names them."""
    return manifest.bundles if manifest.scope == "bundle" else tuple(bundles_in(installation))


def groups_of(manifest: Manifest, installation: Installation) -> dict[str, list[tuple[str, str]]]:
    """What the ledger lists and an update merges: per bundle, for the live context, and for the kernel's tasks.

    Returns:
        Per group the files: package path, and path inside the group's folder.
    """
    if manifest.scope == "snapshot":
        return {}
    listed = manifest.hashes
    names = bundle_names(manifest, installation)
    groups = {
        name: [(path, rest) for path, rest in files_of_bundle(installation, name) if path in listed] for name in names
    }
    if manifest.scope == "bundle":
        return groups
    rest: dict[str, list[tuple[str, str]]] = {LIVE_CONTEXT: [], kernel.KERNEL: []}
    for path, final in installation.names.items():
        top, _, inside = final.partition("/")
        if path not in listed or (top in groups and inside):
            continue
        if top != kernel.KERNEL:
            rest[LIVE_CONTEXT].append((path, final))
        elif final in kernel.WORK and manifest.substitutions.get(path) != SKELETON:
            rest[kernel.KERNEL].append((path, inside))
    return groups | {name: held for name, held in rest.items() if held}
