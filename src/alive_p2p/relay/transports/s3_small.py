"""Small files of a bucket that are fetched together: whoever reads one delivery note reads the others as well.

A request takes as long as the way to the store and back, and two hundred notes one after the other take two hundred
times as long. So whoever reads two files that lie side by side gets those behind them at the same time.
"""

from collections.abc import Callable, Iterable, Sequence

from alive_p2p.relay.transports.base import Entry

SMALL = 128 << 10
"""Who wants no more of a file than this wants a note, a receipt or a key."""

_FETCHED = 16 << 10
"""So large a file may be that comes with others; sealed notes have about 1 KB, keys 3 KB."""

_MOST = 32
"""So many come together."""


class ReadAhead:
    """What was listed last, and what of it has been fetched before anybody asked.

    Args:
        fetch: fetches several files at once; what cannot be had it gives no content for.
    """

    def __init__(self, fetch: Callable[[Sequence[Entry]], Sequence[bytes | None]]) -> None:
        self._fetch = fetch
        self._places: dict[tuple[str, str], tuple[Sequence[Entry], int]] = {}
        self._contents: dict[tuple[str, str], bytes] = {}
        self._last: tuple[str, str] | None = None

    def learn(self, entries: Iterable[Entry]) -> None:
        """Remember which small files lie side by side: those of one folder with one ending."""
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            if entry.size is not None and entry.size <= _FETCHED:
                folder, _, name = entry.name.rpartition("/")
                groups.setdefault((folder, name.rpartition(".")[2]), []).append(entry)
        self._places = {_key(entry): (group, at) for group in groups.values() for at, entry in enumerate(group)}

    def content(self, entry: Entry) -> bytes | None:
        """A file's content, where it came with others, or does now. None where it has to be fetched by itself."""
        key = _key(entry)
        last, self._last = self._last, key
        if key not in self._contents and key in self._places:
            group, at = self._places[key]
            if at > 0 and last == _key(group[at - 1]):
                wanted = group[at : at + _MOST]
                found = zip(wanted, self._fetch(wanted), strict=True)
                self._contents = {_key(one): data for one, data in found if data is not None}
        return self._contents.pop(key, None)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.name, entry.version
