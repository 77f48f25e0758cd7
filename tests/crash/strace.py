"""Runs a program under `strace`, and reads what it says: which calls there were, on what, and with which data."""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CALLS = (
    *("openat", "write", "pwrite64", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat"),
    *("rmdir", "link", "linkat", "fsync", "fdatasync", "syncfs", "fchmod", "chmod", "ftruncate", "flock"),
)
"""The calls that a receive makes on files, by all the names they have on one architecture or another."""

BESIDE = ("fchmodat", "fchmodat2", "truncate", "writev", "pwritev", "sendfile", "copy_file_range", "symlinkat")
"""Calls that change files too, and that the program does not make; they are traced so that it would be noticed."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*?)(?:\) += (-?\d+|\?)(?:<.*?>)?( .*)?| <unfinished \.\.\.>)$", re.ASCII)
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.ASCII)
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?", re.ASCII)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?', re.ASCII)


@dataclass(frozen=True)
class Call:
    """One system call.

    Attributes:
        process: who made it.
        name: what it is called.
        number: the how-manyth of that name it was in its process, from 1: what `strace` calls `when`.
        arguments: as `strace` prints them.
        result: what it returned; None where the process did not live to see it.
        was_injected: whether `strace` made it fail.
        folder: where the program ran, which paths without another beginning are relative to.
    """

    process: int
    name: str
    number: int
    arguments: tuple[str, ...]
    result: int | None
    was_injected: bool
    folder: Path

    @property
    def paths(self) -> tuple[str, ...]:
        """What it is about; absolute, descriptors as the path they stand for, data left out."""
        found: list[str] = []
        base = str(self.folder)
        for argument in self.arguments:
            if match := _DESCRIPTOR.fullmatch(argument):
                base = os.fsdecode(_plain(match[2]))
                if self.name in _BY_DESCRIPTOR:
                    return (base,)
            elif (match := _STRING.fullmatch(argument)) is not None:
                found.append(os.path.normpath(Path(base, os.fsdecode(_plain(match[1])))))
        return tuple(found)

    @property
    def data(self) -> bytes:
        """What was written."""
        match = _STRING.fullmatch(self.arguments[1])
        assert match is not None
        assert not match[2], "cut off by strace"
        return _plain(match[1])

    def is_below(self, root: Path) -> bool:
        """Whether anything it is about lies in a folder."""
        return any(Path(path).is_relative_to(root) for path in self.paths)

    def describe(self, root: Path) -> str:
        """The call with names that do not differ from run to run, for telling runs apart and for messages."""
        shown = [path.removeprefix(f"{root}/") for path in self.paths]
        shown = [
            re.sub(r"[0-9a-f]{16}", "*", re.sub(r"\d{4}-\d\d-\d\dT\d+Z|\d{8}T\d{6}Z|-\d{8}\b", "@", one))
            for one in shown
        ]
        kind = " to write" if self.name == "openat" and self.may_write else ""
        return f"{self.name}({', '.join(shown)}){kind}"

    @property
    def may_write(self) -> bool:
        """Whether it can change anything: every call but an `openat` for reading."""
        return self.name != "openat" or re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", self.arguments[2]) is not None


_BY_DESCRIPTOR = {"write", "pwrite64", "fsync", "fdatasync", "syncfs", "fchmod", "ftruncate", "flock"}


@dataclass(frozen=True)
class Ended:
    """How a traced program ended.

    Attributes:
        code: its exit code; negative where a signal ended it.
        output: what it printed.
        errors: what it printed to the other stream.
        calls: the calls that were traced, in order.
    """

    code: int
    output: str
    errors: str
    calls: tuple[Call, ...]


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    inject: Sequence[str] = (),
    calls: Sequence[str] = CALLS,
    data: int = 0,
) -> Ended:
    """Run a program to its end, traced.

    Args:
        command: the program and its arguments.
        environ: its environment, all of it.
        folder: where it runs.
        inject: what is done to calls, as `strace` understands it (`fsync:error=EIO:when=3`).
        calls: which calls are traced.
        data: how many bytes of written data are kept.
    """
    trace = folder.with_name(f"{folder.name}.trace")
    told = [f"trace={','.join(f'?{name}' for name in calls)}", *(f"inject={one}" for one in inject)]
    done = subprocess.run(
        [
            *("strace", "-f", "-y", "-xx", "-s", str(data), "-o", str(trace)),
            *(part for one in told for part in ("-e", one)),
            *command,
        ],
        env=dict(environ),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    read = tuple(parse(trace.read_text(encoding="ascii"), folder))
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(), read)


def parse(text: str, folder: Path) -> list[Call]:
    """Read a trace, made with `-f -y -xx`, of a program that ran in a folder.

    Raises `ValueError` for a line that is not understood.
    """
    counts: Counter[tuple[int, str]] = Counter()
    begun: dict[int, str] = {}
    found = []
    for line in text.splitlines():
        if " +++ " in line or " --- " in line:
            continue
        whole = line
        if match := _RESUMED.match(line):
            whole = begun.pop(int(match[1])) + match[3]
        elif line.endswith("<unfinished ...>"):
            begun[int(line.split()[0])] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        found.append(_call(whole, counts, folder))
    found += [_call(f"{one}) = ?", counts, folder) for one in begun.values()]
    return found


def _call(line: str, counts: Counter[tuple[int, str]], folder: Path) -> Call:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(line[:300])
    process, name = int(match[1]), match[2]
    counts[process, name] += 1
    result = None if match[4] in {None, "?"} else int(match[4])
    arguments = tuple(match[3].split(", "))
    return Call(process, name, counts[process, name], arguments, result, "(INJECTED)" in (match[5] or ""), folder)


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


# --- whether it can be done here ------------------------------------------------------------------------------

_IS_CI = bool(os.environ.get("CI") or os.environ.get("ALIVE_P2P_CI"))


@functools.cache
def obstacle() -> str | None:
    """Why programs cannot be traced here, or None where they can."""
    if sys.platform != "linux":
        return "strace is a program of Linux"
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"this system forbids tracing: {tried.stderr.decode().strip()[:200]}"


def require() -> None:
    """Skip where programs cannot be traced; fail where that is not to be expected.

    That is on Linux, in CI, or as root with `strace` installed: a suite that is silently left out proves nothing.
    """
    why = obstacle()
    if why is None:
        return
    is_expected = _IS_CI or (shutil.which("strace") is not None and os.geteuid() == 0)
    if sys.platform == "linux" and is_expected:
        pytest.fail(f"this suite was to run here and cannot: {why}")
    pytest.skip(why)
