"""What is seen of a package's files in the same pass that checks them (receive.md §5, §8, §13).

Hidden instructions, what a manifest says without the sessions that it lists, and what task lists of an older layout
hold. Of every file no more is remembered than that.
"""

from collections.abc import Callable

from alive_p2p import hashing
from alive_p2p.receiving.hidden_text import HiddenText, HiddenTextScan, hides_nothing
from alive_p2p.receiving.migration import TASK_LIST_LIMIT, TaskList, look_at_list
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import is_manifest
from alive_p2p.walnut.sessions import comparable_sha256

_DEPTH_OF_A_LIST = 2
"""How many folders a bundle's task list lies in at most: the bundle, and the container around it."""


class Looking:
    """Sees every file of one package, one after the other."""

    def __init__(self) -> None:
        self._found: list[HiddenText] = []
        self._path = ""
        self._plain = b""  # the beginning of the file, in which nothing is hidden
        self._scan: HiddenTextScan | None = None
        self._read: tuple[str, bytearray] | None = None
        self.comparable: dict[str, str] = {}
        """The hash without its sessions of every manifest that lists some, by path; whole once `found` was called."""
        self.task_lists: dict[str, TaskList] = {}
        """What was seen of every `tasks.md` that lies in a bundle, by path; whole once `found` was called."""

    def watch(self, path: str) -> Callable[[bytes], None]:
        """Begin with the next file; what comes back takes its content piece by piece."""
        self._end()
        self._path = path
        limit = _limit_of(path)
        if not limit:
            return self._see
        self._read = path, (content := bytearray())

        def see(piece: bytes) -> None:
            self._see(piece)
            content.extend(piece[: limit + 1 - len(content)])

        return see

    def _see(self, piece: bytes) -> None:
        if self._scan is None:
            if not self._plain and hides_nothing(piece):  # most files, in their only piece
                self._plain = piece
                return
            self._scan = HiddenTextScan(self._path)
            self._scan.feed(self._plain)
        self._scan.feed(piece)

    def found(self) -> tuple[HiddenText, ...]:
        """What was found in all of them, in the order of the package. Called once, at the end."""
        self._end()
        return tuple(self._found)

    def _end(self) -> None:
        if self._read is not None:
            path, content = self._read
            self._read = None
            self._judge(path, bytes(content))
        self._plain = b""
        if self._scan is not None:
            self._found += self._scan.finish()
            self._scan = None

    def _judge(self, path: str, data: bytes) -> None:
        if _name(path) == kernel.V2_BUNDLE_TASKS:
            self.task_lists[path] = look_at_list(data)
        elif len(data) <= kernel.SMALL_FILE_LIMIT and (sha := comparable_sha256(data, path)) != hashing.sha256(data):
            self.comparable[path] = sha


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _limit_of(path: str) -> int:
    """How many bytes of a file are read here; 0 where it is only looked through."""
    if is_manifest(_name(path)):
        return kernel.SMALL_FILE_LIMIT
    is_list = _name(path) == kernel.V2_BUNDLE_TASKS and 0 < path.count("/") <= _DEPTH_OF_A_LIST
    return TASK_LIST_LIMIT if is_list else 0
