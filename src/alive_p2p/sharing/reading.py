"""How far the reading of a walnut's files is, while several of them are read side by side."""

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from alive_p2p.package.reader import Progress

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_LOOK_SECONDS = 0.1


class Reading:
    """How far the reading of all files is, those included that are read side by side.

    Args:
        total: bytes in all.
        progress: told of it, always from the thread that waits for the files.
    """

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._begun: dict[str, int] = {}
        self._is_stopped = False

    def count(self, path: str, size: int) -> None:
        """So many bytes more of a file were read, by whatever thread. Raises where the reading was given up."""
        if self._is_stopped:
            raise InterruptedError
        self._begun[path] = self._begun.get(path, 0) + size

    def finish(self, path: str, size: int) -> None:
        """A file of this size was read."""
        self._begun.pop(path, None)
        self._done += size
        self._tell()

    def wait_for(self, one: "Future[T]") -> T:
        """What a thread makes, telling meanwhile how far it is."""
        while self._progress is not None and not one.done():
            with suppress(TimeoutError):
                return one.result(_LOOK_SECONDS)
            self._tell()
        return one.result()

    def stop(self) -> None:
        """Have whoever still reads end."""
        self._is_stopped = True

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(min(self._done + sum(list(self._begun.values())), self._total), self._total)
