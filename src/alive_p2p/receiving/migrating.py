"""What bringing a package of an older layout forward does, as part of the decision to receive it (receive.md §8).

Pure: everything is told from where the files of the package go and what was seen of its task lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from alive_p2p.receiving.flattening import PREFIX
from alive_p2p.receiving.group_update import is_converted
from alive_p2p.receiving.layout import files_of_bundle, places_of_added
from alive_p2p.receiving.migration import TaskList, counted, decide_list
from alive_p2p.receiving.plan import MigrationResult, ReceivePlan
from alive_p2p.receiving.threeway import FileFate
from alive_p2p.walnut import kernel

DROPPED_PROJECTION = f"{kernel.GENERATED}/ is dropped: it is computed on each machine"
EMPTY_CONTAINER = f"{PREFIX} is dropped: it is empty"
_BROUGHT = frozenset([FileFate.ADD, FileFate.REPLACE, FileFate.MERGE])


def with_migration(plan: ReceivePlan, lists: Mapping[str, TaskList]) -> ReceivePlan:
    """A decided plan together with what is done to bring it forward; its warnings become the plan's.

    Args:
        plan: what is received, where to.
        lists: what was seen of every `tasks.md` of a bundle, by its path in the package.
    """
    if plan.is_noop:
        return plan
    if plan.installation.errors:
        return replace(plan, migration=MigrationResult(errors=plan.installation.errors))
    moves = _moves(plan)
    actions = [*_dropped(plan), *(f"{source} → {final}" for source, final in sorted(moves.items()))]
    warnings = list(plan.installation.warnings)
    converted: list[str] = []
    tasks = 0
    for folder, names, seen in _new_lists(plan, lists):
        fate = decide_list(folder, names, seen)
        if fate.action is not None:
            actions.append(fate.action)
            converted.append(folder)
            tasks += seen.tasks
        if fate.warning is not None:
            warnings.append(fate.warning)
    for path, seen in _merged_lists(plan, lists):
        actions.append(f"{path}: {counted(seen)}")
        tasks += seen.tasks
    result = MigrationResult(tuple(actions), tuple(warnings), _bundles(plan, moves), tasks)
    return replace(plan, migration=result, converted=tuple(converted), warnings=(*plan.warnings, *result.warnings))


def _places(plan: ReceivePlan) -> dict[str, str]:
    """Where everything that comes into the walnut goes, by its path in the package."""
    if plan.makes_walnut:
        return dict(plan.installation.names)
    places = places_of_added(plan)
    for group in plan.updates:
        places |= group.places if group.changes else {}
    return places


def _moves(plan: ReceivePlan) -> dict[str, str]:
    """What leaves the container: as it is called there, and at the root; folders end in `/`."""
    listed = plan.manifest.hashes
    moves: dict[str, str] = {}
    if plan.installation.layout != "v2":
        return moves
    for path, place in _places(plan).items():
        if path.startswith(PREFIX):
            child = path.split("/")[1]
            mark = "" if path in listed and path.count("/") == 1 else "/"
            moves[f"{PREFIX}{child}{mark}"] = place.split("/")[0] + mark
    return moves


def _bundles(plan: ReceivePlan, moves: Mapping[str, str]) -> tuple[str, ...]:
    listed = plan.manifest.hashes
    found = (final for source, final in moves.items() if f"{source}{kernel.BUNDLE_MANIFEST}" in listed)
    return tuple(sorted(final.rstrip("/") for final in found))


def _dropped(plan: ReceivePlan) -> Iterator[str]:
    if plan.installation.layout != "v2":
        return
    paths = [one.path for one in plan.installation.dropped]
    if any(path == kernel.GENERATED or path.startswith(f"{kernel.GENERATED}/") for path in paths):
        yield DROPPED_PROJECTION
    if kernel.V2_CONTAINER in paths:
        yield EMPTY_CONTAINER


def _new_lists(plan: ReceivePlan, lists: Mapping[str, TaskList]) -> Iterator[tuple[str, set[str], TaskList]]:
    """The task lists of bundles that are put in place whole: the folder, what lies in it, and what was seen."""
    for fate in plan.added:
        inside = {rest: path for path, rest in files_of_bundle(plan.installation, fate.name)}
        seen = lists.get(inside.get(kernel.V2_BUNDLE_TASKS, ""))
        if seen is not None:
            yield fate.folder, {rest.split("/")[0] for rest in inside}, seen


def _merged_lists(plan: ReceivePlan, lists: Mapping[str, TaskList]) -> Iterator[tuple[str, TaskList]]:
    """The task lists that an update merges into task files, and what was seen of them."""
    for change in plan.changes:
        path = change.package_path
        if path is not None and change.fate in _BROUGHT and is_converted(path, change.path) and path in lists:
            folder = change.path.removesuffix(f"/{kernel.BUNDLE_TASKS}")
            yield f"{folder}/{kernel.V2_BUNDLE_TASKS} → {kernel.BUNDLE_TASKS}", lists[path]
