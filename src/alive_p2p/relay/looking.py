"""Looking at a relay again: only at what may have changed since it was seen last (relay.md §6, probe)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alive_p2p.relay.transports.base import Listing, Transport, Watchable


@dataclass(frozen=True)
class Sight:
    """How far a relay was seen, as `state.json` remembers it.

    Attributes:
        url: where it was.
        tip: what the whole of it was called then; None where that is not known.
        versions: by each place that was looked at, what it was called; empty where nothing was there.
    """

    url: str
    tip: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: object, url: str) -> "Sight":
        """What was remembered of the relay at an address; of another one it says nothing."""
        if not isinstance(stored, dict) or stored.get("url") != url:
            return cls(url)
        tip, versions = stored.get("tip"), stored.get("versions")
        known = versions if isinstance(versions, dict) else {}
        known = {place: version for place, version in known.items() if isinstance(version, str)}
        return cls(url, tip if isinstance(tip, str) else None, known)

    def stored(self, places: Sequence[str] | None = None) -> dict[str, Any]:
        """The same as it is stored, all of it or for some places only."""
        kept = self.versions if places is None else {one: self.versions[one] for one in places if one in self.versions}
        return {"url": self.url, "tip": self.tip, "versions": dict(kept)}


@dataclass(frozen=True)
class Look:
    """What a look has shown.

    Attributes:
        listing: what lies at those places that have changed, or may have.
        sight: what is to be remembered.
        unchanged: the places at which everything is as it was seen before.
    """

    listing: Listing
    sight: Sight
    unchanged: frozenset[str]


def look(
    relay: Transport,
    before: Sight,
    folders: Sequence[str],
    files: Sequence[str] = (),
    *,
    always: Collection[str] = (),
) -> Look:
    """Look at some places in a relay.

    Args:
        relay: the relay.
        before: how far it was seen.
        folders: paths of folders, which do not lie in each other.
        files: paths of files.
        always: those of the folders that are listed unless nothing at all has changed.

    Raises:
        RelayError: it cannot be read.
    """
    if not isinstance(relay, Watchable):
        return Look(_listed(relay, folders, files), Sight(before.url), frozenset())
    places = [*folders, *files]
    if before.tip is not None and set(places) <= before.versions.keys() and relay.tip() == before.tip:
        return Look(Listing(), before, frozenset(places))
    known = {place: version for place, version in before.versions.items() if place not in always}
    listing = relay.look(places, known)
    return Look(listing, Sight(before.url, listing.tip, listing.versions), listing.unchanged)


def _listed(relay: Transport, folders: Sequence[str], files: Sequence[str]) -> Listing:
    """The same from a relay that can only be listed: as few folders as can be, and none of what is not asked for."""
    parents = Counter(folder.rpartition("/")[0] for folder in folders)
    asked = {parent if parents[parent := folder.rpartition("/")[0]] > 1 and parent else folder for folder in folders}
    asked |= {file.rpartition("/")[0] for file in files}
    if not asked:
        return Listing()
    found = relay.list(*([] if "" in asked else sorted(asked)))  # nothing named is everything
    within = tuple(f"{folder}/" for folder in folders)
    entries = {name: one for name, one in found.entries.items() if name.startswith(within) or name in files}
    return Listing(entries, found.oddities)
