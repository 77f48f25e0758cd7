"""Where the files of a package lie in staging while a receive is made ready."""

from pathlib import Path

from alive_p2p import files
from alive_p2p.receiving.group_update import GroupUpdate, is_converted
from alive_p2p.receiving.layout import places_of_added
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.receiving.threeway import TAKES, FileFate
from alive_p2p.walnut import kernel
from alive_p2p.walnut.tasks import lists_tasks

THEIRS = ".theirs"
"""Below the tree: what is read and not put in place. No bundle has such a name."""


def names_in_staging(plan: ReceivePlan) -> dict[str, str]:
    """Where each file that is needed is unpacked, below the tree, by its path in the package."""
    if plan.makes_walnut:
        return dict(plan.installation.names)
    names = places_of_added(plan)
    for group in plan.updates:
        names |= _names_of(group)
    return names


def _names_of(group: GroupUpdate) -> dict[str, str]:
    """Of an update: what is taken or put beside lies where it will be; task files are read in any case."""
    names = {
        path: f"{THEIRS}/{path}"
        for path, place in group.places.items()
        if lists_tasks(path) or is_converted(path, place)
    }
    for change in group.changes:
        path = change.package_path
        if path is None or is_converted(path, change.path):
            continue
        if change.fate in TAKES:
            names[path] = change.path
        elif change.fate is FileFate.CONFLICT and change.beside is not None:
            names[path] = change.beside
    return names


def content_of(path: str, names: dict[str, str], tree: Path) -> Path | None:
    """Where the content of a package's file lies in staging as it will be installed; None where it was not needed.

    Args:
        path: in the package.
        names: what `names_in_staging` gave.
        tree: the tree in staging, task lists converted.
    """
    name = names.get(path)
    if name is None:
        return None
    staged = Path(f"{tree}/{name}")  # in a third of the time that joining takes
    if staged.name == kernel.V2_BUNDLE_TASKS:
        converted = staged.with_name(kernel.BUNDLE_TASKS)
        return staged if files.is_taken(staged) or not files.is_file(converted) else converted
    return staged
