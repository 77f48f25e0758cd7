"""The real program, held still in the midst of a change, so that the demo can kill it there and nowhere else.

`python -m alive_p2p.cli.demo_still MARK WALNUT COUNT COMMAND…` runs the command as `alive-p2p` does. Before the file
after COUNT replaced ones of the walnut gives way, it makes the file MARK and waits for what is to come. It is the seam
of the crash tests: every other operation goes on as ever.
"""

import sys
import threading
from pathlib import Path

from alive_p2p import files
from alive_p2p.cli.program import main


def hold_still(mark: Path, walnut: Path, count: int) -> None:
    """Have this process wait for good once so many files of a walnut were replaced."""
    replaced = 0

    def watcher(operation: str, paths: tuple[Path, ...]) -> None:
        nonlocal replaced
        place = paths[-1]
        if operation != "replace" or not place.is_relative_to(walnut) or place.is_relative_to(walnut / "_kernel"):
            return
        if replaced == count:
            mark.touch()
            threading.Event().wait()
        replaced += 1

    files.watch(watcher)


if __name__ == "__main__":
    mark, walnut, count, *command = sys.argv[1:]
    hold_still(Path(mark), Path(walnut), int(count))
    sys.exit(main(command))
