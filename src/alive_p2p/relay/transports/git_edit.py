"""A change of a relay as a change of git's trees: only the folders on the way are made anew (relay.md §8)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.base import taken
from alive_p2p.relay.transports.git_scratch import Scratch, Tree, TreeEntry

_FOLDER = "040000"
_FILE = "100644"


@dataclass(frozen=True)
class Added:
    """A file to be put somewhere: its content as an object, and whether another may give way to it."""

    blob: str
    replaces: bool


class _Removed:
    """A file is to be removed."""


_REMOVED = _Removed()

Plan = dict[str, "Added | _Removed | Plan"]
"""What is to become of the names in a folder."""


def plan_of(puts: Mapping[str, Added], removes: Collection[str]) -> Plan:
    """Sort a change by folders.

    Raises:
        RelayError: `relay-hostile`: a name would be a file and a folder.
    """
    plan: Plan = {}
    removed: dict[str, Added | _Removed] = {name: _REMOVED for name in removes if name not in puts}
    for name, what in (dict(puts) | removed).items():
        *folders, last = name.split("/")
        here = _inside(plan, folders)
        if here is not None and not isinstance(here.get(last), dict):
            here[last] = what
        elif isinstance(what, Added):  # else it is not there to be removed
            raise _in_the_way(name)
    return plan


def _inside(plan: Plan, folders: Sequence[str]) -> Plan | None:
    for folder in folders:
        below = plan.setdefault(folder, {})
        if not isinstance(below, dict):
            return None
        plan = below
    return plan


def second_level(scratch: Scratch, root: str, plan: Plan) -> Iterator[str]:
    """The folders in folders that a change touches, as far as they exist: what two levels of a tree do not show."""
    top = scratch.tree(root)
    for name, below in plan.items():
        entry = top.get(name.encode())
        if entry is None or entry.kind != "tree" or not isinstance(below, dict):
            continue
        inner = scratch.tree(entry.id) if any(isinstance(what, dict) for what in below.values()) else {}
        for inner_name, what in below.items():
            found = inner.get(inner_name.encode())
            if isinstance(what, dict) and found is not None and found.kind == "tree":
                yield found.id


def edited(scratch: Scratch, folder: str | None, plan: Plan, path: str = "") -> str | None:
    """Make a folder anew.

    Args:
        scratch: where the trees on the way are, and where new ones are made.
        folder: as it is; None where it does not exist.
        plan: what is to become of it.
        path: its name with a slash behind it, for errors.

    Returns:
        The new folder, the old one where nothing changes, or None where nothing is in it.

    Raises:
        RelayError: `relay-taken`, `relay-hostile`.
    """
    before = scratch.tree(folder) if folder else {}
    after: Tree = dict(before)
    for name, what in plan.items():
        key = name.encode()
        here = before.get(key)
        if isinstance(what, dict):
            _edit_folder(scratch, after, key, what, f"{path}{name}/")
        elif isinstance(what, _Removed):
            if here is not None and here.kind != "tree":
                del after[key]
        else:
            if here is not None and not what.replaces:
                raise taken(f"{path}{name}")
            if here is not None and here.kind == "tree":
                raise _in_the_way(f"{path}{name}")
            after[key] = TreeEntry(_FILE, "blob", what.blob)
    if after == before:
        return folder
    return scratch.add_tree(after) if after else None


def _edit_folder(scratch: Scratch, after: Tree, key: bytes, plan: Plan, path: str) -> None:
    here = after.get(key)
    if here is not None and here.kind != "tree":
        if any(True for _ in _added(plan)):
            raise _in_the_way(path.rstrip("/"))
        return
    new = edited(scratch, here.id if here else None, plan, path)
    if new is not None:
        after[key] = TreeEntry(_FOLDER, "tree", new)
    else:
        after.pop(key, None)


def _added(plan: Plan) -> Iterator[Added]:
    for what in plan.values():
        if isinstance(what, dict):
            yield from _added(what)
        elif isinstance(what, Added):
            yield what


def _in_the_way(name: str) -> RelayError:
    return RelayError(
        "relay-hostile",
        f"'{name}' in the relay is not what a relay has there: a file where a folder belongs, or the other way round",
        untouched="everything",
        hint="let the relay's owner look at it, and at who may write there",
    )
