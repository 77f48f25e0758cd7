"""Starts one program, and says how long it took and what it needed.

On Linux a child takes over the maximum of whoever forked it, so what is measured has to be started by something small:
this file is run as a program of its own, without site packages, and imports next to nothing. What it says of a shell is
the largest of the processes that the shell waited for.

    python -I -S launcher.py REPORT COMMAND ARGUMENT...

Standard input, output and error are the caller's. The report is one line: seconds, processor seconds, `ru_maxrss`,
and how the command ended.
"""

import os
import sys
import time


def main() -> int:
    """Run the command, write the report, and end with 0 whatever became of the command."""
    report, command = sys.argv[1], sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w", encoding="ascii") as output:  # noqa: PTH123 -- pathlib takes two megabytes
        output.write(f"{seconds!r} {used.ru_utime + used.ru_stime!r} {used.ru_maxrss} {code}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
