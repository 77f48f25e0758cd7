"""Looking for hidden instructions in the same pass that checks a package's files (receive.md §13)."""

from collections.abc import Callable

from alive_p2p.receiving.hidden_text import HiddenText, HiddenTextScan


class Looking:
    """Sees every file of one package, one after the other."""

    def __init__(self) -> None:
        self._found: list[HiddenText] = []
        self._scan: HiddenTextScan | None = None

    def watch(self, path: str) -> Callable[[bytes], None]:
        """Begin with the next file; what comes back takes its content piece by piece."""
        self._end()
        self._scan = HiddenTextScan(path)
        return self._scan.feed

    def found(self) -> tuple[HiddenText, ...]:
        """What was found in all of them, in the order of the package. Called once, at the end."""
        self._end()
        return tuple(self._found)

    def _end(self) -> None:
        if self._scan is not None:
            self._found += self._scan.finish()
            self._scan = None
