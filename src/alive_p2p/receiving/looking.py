"""What is seen of a package's files in the same pass that checks them (receive.md §5, §13).

Hidden instructions, and what a manifest says without the sessions that it lists.
"""

from collections.abc import Callable

from alive_p2p import files
from alive_p2p.receiving.hidden_text import HiddenText, HiddenTextScan
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import is_manifest
from alive_p2p.walnut.sessions import comparable_sha256


class Looking:
    """Sees every file of one package, one after the other."""

    def __init__(self) -> None:
        self._found: list[HiddenText] = []
        self._scan: HiddenTextScan | None = None
        self._manifest: tuple[str, bytearray] | None = None
        self.comparable: dict[str, str] = {}
        """The hash without its sessions of every manifest that lists some, by path; whole once `found` was called."""

    def watch(self, path: str) -> Callable[[bytes], None]:
        """Begin with the next file; what comes back takes its content piece by piece."""
        self._end()
        self._scan = scan = HiddenTextScan(path)
        if not is_manifest(path.rpartition("/")[2]):
            return scan.feed
        self._manifest = path, (content := bytearray())

        def see(piece: bytes) -> None:
            scan.feed(piece)
            if len(content) <= kernel.SMALL_FILE_LIMIT:
                content.extend(piece)

        return see

    def found(self) -> tuple[HiddenText, ...]:
        """What was found in all of them, in the order of the package. Called once, at the end."""
        self._end()
        return tuple(self._found)

    def _end(self) -> None:
        if self._manifest is not None:
            path, content = self._manifest
            self._manifest = None
            data = bytes(content)
            if len(data) <= kernel.SMALL_FILE_LIMIT and (sha := comparable_sha256(data, path)) != files.sha256(data):
                self.comparable[path] = sha
        if self._scan is not None:
            self._found += self._scan.finish()
            self._scan = None
