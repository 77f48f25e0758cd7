"""From git's trees to what lies in a relay (relay.md §4, §8)."""

from collections.abc import Iterable

from alive_p2p.relay.transports.base import Entry, Listing, refusal
from alive_p2p.relay.transports.git_scratch import Listed, Scratch

_FILES = frozenset(["100644", "100755", "100664"])
_LINK = "120000"


def folder_at(scratch: Scratch, root: str, folder: str) -> str | None:
    """The tree of a folder, by its path from the root; None where it does not exist, or is no folder."""
    tree = root
    for segment in folder.split("/") if folder else ():
        entry = scratch.tree(tree).get(segment.encode("utf-8", "surrogateescape"))
        if entry is None or entry.kind != "tree":
            return None
        tree = entry.id
    return tree


def listing(found: Iterable[Listed], folder: str) -> Listing:
    """What of it are files under names that are accepted; folders need no mention."""
    entries: dict[str, Entry] = {}
    odd: list[str] = []
    for one in found:
        if one.entry.kind == "tree":
            continue
        name = f"{folder}/{one.name}" if folder else one.name
        why = refusal(name)
        if why is None and one.entry.mode == _LINK:
            why = "it is a link"
        elif why is None and one.entry.mode not in _FILES:
            why = "it stands for another repository"
        if why is not None:
            odd.append(f"'{name}': {why}")
        else:
            entries[name] = Entry(name, one.entry.id)
    return Listing(dict(sorted(entries.items())), tuple(odd))
