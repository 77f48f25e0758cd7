"""From git's trees to what lies in a relay (relay.md §4, §8)."""

from collections.abc import Iterable, Mapping, Sequence

from alive_p2p.relay.transports.base import Entry, Listing, refusal
from alive_p2p.relay.transports.git_scratch import Listed, Scratch, TreeEntry
from alive_p2p.relay.transports.git_small import SmallFiles

_FILES = frozenset(["100644", "100755", "100664"])
_LINK = "120000"
_FOLDER = "040000"


class Looked:
    """Places in a commit of which its first levels are here.

    Args:
        scratch: where they are.
        root: the commit's tree.
        places: paths from there; an empty one is everything.
        known: what some of them were called before.

    Attributes:
        found: by place, what is there now, if anything is.
        unchanged: the folders that are called what they were called before, and places where nothing was or is.
    """

    def __init__(self, scratch: Scratch, root: str, places: Sequence[str], known: Mapping[str, str]) -> None:
        self._scratch = scratch
        self.found = {place: _entry_at(scratch, root, place) for place in places}
        self.unchanged = frozenset(
            place
            for place, entry in self.found.items()
            if (entry is None or entry.kind == "tree") and known.get(place) == ("" if entry is None else entry.id)
        )

    def missing(self, levels: int) -> list[str]:
        """The folders that have to be fetched.

        Args:
            levels: how many levels of folders are here already, counted from the root.
        """
        return [
            entry.id
            for place, entry in self._folders().items()
            if place.count("/") + 1 >= levels
            or any(one.kind == "tree" for one in self._scratch.tree(entry.id).values())
        ]

    def _folders(self) -> dict[str, TreeEntry]:
        """The folders that are to be listed."""
        return {
            place: entry
            for place, entry in self.found.items()
            if entry is not None and entry.kind == "tree" and place not in self.unchanged
        }

    def listing(self, tip: str, small: SmallFiles, most: int) -> Listing:
        """What lies there.

        Args:
            tip: the commit.
            small: learns what the folders are called.
            most: how many files are looked at in one place.
        """
        entries: dict[str, Entry] = {}
        odd: dict[str, None] = {}
        for place, entry in self.found.items():
            if entry is not None and entry.kind != "tree":
                folder, _, last = place.rpartition("/")
                listed = _listing([Listed(last, entry)], folder)
            elif entry is not None and place not in self.unchanged:
                below = self._scratch.everything(entry.id, most)
                small.learn(below, place, entry.id)
                listed = _listing(below, place)
            else:
                continue
            entries |= listed.entries
            odd |= dict.fromkeys(listed.oddities)
        versions = {place: "" if entry is None else entry.id for place, entry in self.found.items()}
        return Listing(dict(sorted(entries.items())), tuple(odd), tip, versions, self.unchanged)


def _entry_at(scratch: Scratch, root: str, place: str) -> TreeEntry | None:
    """What a path from the root leads to, if to anything."""
    entry: TreeEntry | None = TreeEntry(_FOLDER, "tree", root)
    for segment in place.split("/") if place else ():
        if entry is None or entry.kind != "tree":
            return None
        entry = scratch.tree(entry.id).get(segment.encode("utf-8", "surrogateescape"))
    return entry


def _listing(found: Iterable[Listed], folder: str) -> Listing:
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
