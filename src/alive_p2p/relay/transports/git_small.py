"""Small files of a relay that were fetched together: whoever reads one delivery note reads the others as well.

One exchange with a host costs more than two hundred notes do. So the first small file that is wanted of a folder brings
all small ones that lie beside it; what is large the host keeps back, and where it does not, files come one by one.
"""

from collections.abc import Iterable

from alive_p2p.relay.transports.base import Entry
from alive_p2p.relay.transports.git_command import QuotaError
from alive_p2p.relay.transports.git_host import Host
from alive_p2p.relay.transports.git_scratch import Listed, Scratch

SMALL = 128 << 10
"""Who wants no more of a file than this wants a note, a receipt or a key."""

_FETCHED = 16 << 10
"""So large a file may be that comes with others; sealed notes have about 1 KB, keys 3 KB."""

_MOST = 8 << 20
"""Bytes of one folder that may come, and stay in memory until the next folder."""


class SmallFiles:
    """What was fetched of the folder that was asked for last."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}
        self._tried: set[str] = set()

    def learn(self, found: Iterable[Listed], folder: str, tree: str) -> None:
        """Remember what the folders of a listing are called as objects."""
        self._folders[folder] = tree
        for one in found:
            if one.entry.kind == "tree":
                self._folders[f"{folder}/{one.name}" if folder else one.name] = one.entry.id

    def content(self, entry: Entry) -> bytes | None:
        """A file's content, where it has come already."""
        return self._contents.get(entry.version)

    def fetch(self, entry: Entry, host: Host, scratch: Scratch) -> bytes | None:
        """Fetch what lies beside a file; its content, where it was among it.

        Raises:
            RelayError: the relay cannot be read.
        """
        tree = self._folders.get(entry.name.rpartition("/")[0])
        if tree is None or tree in self._tried:
            return None
        self._tried.add(tree)
        try:
            if not host.fetch_objects([tree], f"blob:limit={_FETCHED}", quota=_MOST):
                return None
            names = {one.id for one in scratch.tree(tree).values() if one.kind == "blob"}
            self._contents = scratch.small_files(sorted(names), _FETCHED)
        except QuotaError:
            return None
        return self._contents.get(entry.version)
