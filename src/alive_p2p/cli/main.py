"""The program `alive-p2p`: its commands, and the one place where errors become words and exit codes.

Commands are imported when they are used; what a bare `--version` or `--help` needs is written down here.
"""

import sys


def run() -> None:
    """Entry point of the console script."""
    if sys.argv[1:] == ["--version"]:
        from alive_p2p import __version__  # noqa: PLC0415  (nothing else is needed for this)

        print(f"alive-p2p {__version__}")  # noqa: T201  (a door prints)
        return
    from alive_p2p.cli.program import main  # noqa: PLC0415  (click takes 25 ms to import)

    sys.exit(main(sys.argv[1:]))
