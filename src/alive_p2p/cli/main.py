"""The entry point of the program `alive-p2p`.

A bare `--version` is answered here: nothing else is imported for it. Nor is more than is needed for what sessions wait
for when they start, and for what somebody sees who types the name alone.
"""

import gc
import os
import sys


def run() -> None:
    """Run the program and end the process with its exit code."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: PTH123, SIM115  (it stays open for good)
    try:
        # What a command makes lives until it ends; to look for garbage all the time costs a tenth of all time.
        gc.set_threshold(100_000, 20, 20)
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:  # before the program could see to it
        sys.exit(130)
    except RuntimeError as error:
        from alive_p2p.cli.interrupts import is_interrupt

        if not is_interrupt(error):
            raise
        sys.exit(130)


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from alive_p2p import __version__

        try:
            print(f"alive-p2p {__version__}", flush=True)  # noqa: T201  (a door prints)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing complains when it is closed
            return 1
        return 0
    if "_ALIVE_P2P_COMPLETE" in os.environ:  # a shell asks, because somebody has pressed TAB
        from alive_p2p.cli import completing

        return completing.main()
    if arguments == ["hook", "session-start"]:
        from alive_p2p.cli import session_start

        return session_start.main()
    if not arguments:
        from alive_p2p.cli import next_steps

        return next_steps.main()
    from alive_p2p.cli.program import main

    return main(arguments)
