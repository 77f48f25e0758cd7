"""Running git so that nothing happens but what we ask for (relay.md §4, §8).

The person's own settings stay: how they log in, how ssh reaches a host, which proxy there is. Everything else that
could run a program, ask a question, or fetch what nobody asked for is switched off on every command.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.git_address import Address
from alive_p2p.relay.transports.git_hardening import environment, settings_for
from alive_p2p.runtime import Runtime

OLDEST = (2, 39)
"""Of this version we know what a partial fetch does, and what a push then asks for."""

REMOTE = "alive-p2p-relay"
"""What the relay is called in our settings; a name that nobody has in their own."""

STANDSTILL_SECONDS = 60.0
"""So long nothing may arrive, be sent or be said before we give up, where the caller sets no limit of its own."""

MOST_SAID = 48 << 20
"""More than this git does not get to say: 20,000 names of 1 KB each are less than half of it."""

_CPU_SECONDS = 60
_CPU_BYTES = 10 << 20
"""How long git may compute over what it is sent: so many seconds, and one more for so many bytes. What was packed to
explode is small on the way and never stands still."""

_END = 64 << 10
"""Of what git and a host complain about, the beginning and the end are read; a host may say anything, at any length."""

_DIED = re.compile(r"(?s)(?!.*(?:early EOF|fsck|(?:fatal|error):.*(?:fatal|error):)).*invalid index-pack output")
"""What takes a pack in was ended, and has nothing to complain of: neither of the connection nor of what came."""

_TICK = 0.02
_VERSION_SECONDS = 20


class QuotaError(Exception):
    """More came than was to come; git was ended."""


class OvertimeError(Exception):
    """Git was ended because it took too long; the text says what was too long."""


@dataclass(frozen=True)
class Done:
    """What became of a command: its code (negative: ended by that signal), what it printed, and what it said."""

    code: int
    out: bytes
    err: str


class Git:
    """The person's git, for one relay.

    Args:
        address: where the relay is.
        runtime: the surroundings.
        timeout_seconds: how long one command that talks to the host may take; None for as long as it gets on.

    Attributes:
        is_far_side_ours: what runs at the other side runs on this machine, and is told how; over ssh until a host
            turns out to run fixed commands only: then it is somebody else's account, with rules of its own.

    Raises:
        RelayError: `git-missing`, `git-too-old`.
    """

    def __init__(self, address: Address, runtime: Runtime, timeout_seconds: float | None) -> None:
        self.address = address
        self.runtime = runtime
        self.timeout_seconds = timeout_seconds
        self.is_far_side_ours = address.is_this_machine and address.protocol in {"file", "ssh"}
        self._program, _ = installed_git(runtime)
        self._environ = environment(runtime.environ)
        self._is_ssh_settled = address.protocol == "file"
        self._is_stopped = False

    def stop(self) -> None:
        """End the command that is under way in another thread, and let none begin any more."""
        self._is_stopped = True

    def refuse_stopped(self) -> None:
        """Go no further where we were stopped.

        Raises:
            RelayError: we were.
        """
        if self._is_stopped:
            raise RelayError(
                "relay-unreachable",
                f"{self.address.place} kept us waiting",
                untouched="everything",
                hint="nothing is lost; run it again later",
            )

    def local(self, folder: Path, *arguments: str, data: bytes = b"", source: IO[bytes] | None = None) -> Done:
        """Run a command that needs nobody, on the repository in a folder. No way to any host is open to it.

        Args:
            folder: what belongs to the repository: it lies in `repository`, and what git says beside it.
            arguments: the command.
            data: what it reads.
            source: a file that it reads instead.

        Raises:
            QuotaError: it said too much.
            OSError: the disk refused.
        """
        return self._run(folder, arguments, {"GIT_ALLOW_PROTOCOL": ""}, source or data, _Watch(self, folder, None))

    def network(
        self, folder: Path, *arguments: str, quota: int, on_tick: Callable[[int, bytes], None] | None = None
    ) -> Done:
        """Run a command that talks to the relay's host, watched.

        Args:
            folder: as for `local`.
            arguments: the command.
            quota: how many bytes of objects may arrive.
            on_tick: called now and then with the bytes that have arrived and the end of what git has said so far.

        Raises:
            QuotaError: more arrived, or it said too much.
            OvertimeError: it took too long, or nothing happened any more.
            OSError: the disk refused.
        """
        self._settle_ssh(folder)
        return self._run(folder, arguments, {}, b"", _Watch(self, folder, quota, on_tick))

    def stream(self, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that needs nobody; what it prints is read from its `stdout`. To be ended with `end`."""
        return subprocess.Popen(
            self._command(folder, arguments),
            cwd=folder,
            env={**self._environ, "GIT_ALLOW_PROTOCOL": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _command(self, folder: Path, arguments: Sequence[str]) -> list[str]:
        options = [part for setting in settings_for(self.address) for part in ("-c", setting)]
        return [self._program, *options, f"--git-dir={folder / 'repository'}", *arguments]

    def _run(
        self,
        folder: Path,
        arguments: Sequence[str],
        environ: dict[str, str],
        source: IO[bytes] | bytes,
        watch: "_Watch",
    ) -> Done:
        # Files instead of pipes: what git leaves running (a login that is kept, a shared connection) may hold a pipe
        # open for hours, and a file shows how much was said without being read.
        out, err, given = folder / "out", folder / "err", folder / "in"
        if isinstance(source, bytes):
            given.write_bytes(source)
        with (
            out.open("w+b") as said,
            err.open("w+b") as complained,
            given.open("rb") if isinstance(source, bytes) else _Lent(source) as stdin,
        ):
            process = subprocess.Popen(
                self._command(folder, arguments),
                cwd=folder,
                env={**self._environ, **environ},
                stdin=stdin,
                stdout=said,
                stderr=complained,
                start_new_session=True,  # one group to be ended, and no terminal on which ssh could ask anything
            )
            try:
                watch.limit(process.pid)
                while True:
                    with suppress(subprocess.TimeoutExpired):
                        code = process.wait(_TICK)
                        break
                    watch.look()
                watch.look()
            except BaseException:
                end(process)
                raise
            said.seek(0)
            done = Done(code, said.read(MOST_SAID), _both_ends(complained).decode("utf-8", "replace"))
            if code != 0 and _DIED.match(done.err):
                raise QuotaError
            return done

    def _settle_ssh(self, folder: Path) -> None:
        """Keep ssh from asking, unless the person has said how it is to be run."""
        if not self._is_ssh_settled:
            self._is_ssh_settled = True
            is_theirs = any(self._environ.get(name) for name in ("GIT_SSH_COMMAND", "GIT_SSH"))
            if not is_theirs and self.local(folder, "config", "--get", "core.sshCommand").code != 0:
                self._environ["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"


class _Lent:
    """A file that somebody else closes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __enter__(self) -> IO[bytes]:
        return self._stream

    def __exit__(self, *_: object) -> None:
        pass


class _Watch:
    """Looks whether a command still gets on, and whether too much comes."""

    def __init__(
        self, git: Git, folder: Path, quota: int | None, on_tick: Callable[[int, bytes], None] | None = None
    ) -> None:
        self._git = git
        self._folder = folder
        self._packs = folder / "repository" / "objects" / "pack"
        self._quota = quota
        self._on_tick = on_tick
        self._clock = git.runtime.monotonic
        self._limit = git.timeout_seconds
        self._before = size_below(self._packs)
        self._begun = self._moved = self._clock()
        self._state = (0, 0)

    def limit(self, process: int) -> None:
        """Limit how long a command may compute, where the system can do that from outside."""
        if sys.platform == "linux" and self._quota is not None:
            import resource

            seconds = _CPU_SECONDS + self._quota // _CPU_BYTES
            with suppress(OSError):
                resource.prlimit(process, resource.RLIMIT_CPU, (seconds, seconds + 1))

    def look(self) -> None:
        """Raises `QuotaError`, `OvertimeError`, and `RelayError` where we were stopped."""
        self._git.refuse_stopped()
        said = (self._folder / "out").stat().st_size + (self._folder / "err").stat().st_size
        if said > MOST_SAID:
            raise QuotaError
        if self._quota is None:
            return
        arrived = size_below(self._packs) - self._before
        if arrived > self._quota:
            raise QuotaError
        now = self._clock()
        if (arrived, said) != self._state:
            self._state, self._moved = (arrived, said), now
            if self._on_tick is not None:
                self._on_tick(arrived, self._last_words())
        if self._limit is not None and now - self._begun > self._limit:
            raise OvertimeError(f"it took longer than {self._limit:g} seconds")
        if now - self._moved > STANDSTILL_SECONDS:
            raise OvertimeError(f"nothing happened for {STANDSTILL_SECONDS:g} seconds")

    def _last_words(self) -> bytes:
        with (self._folder / "err").open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 200))
            return stream.read(200)


def _both_ends(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    begin = stream.read(_END)
    stream.seek(max(_END, stream.seek(0, os.SEEK_END) - _END))
    return begin + stream.read(_END)


def size_below(folder: Path) -> int:
    """The bytes of the files in a folder; a pack that gets its name meanwhile, and is seen under both, counts once."""
    sizes: dict[int, int] = {}
    with suppress(OSError), os.scandir(folder) as found:
        for one in found:
            with suppress(OSError):  # it may have got its name at this moment
                about = os.lstat(one.path)  # scandir's own knows of no identity where the system is Windows
                sizes[about.st_ino] = about.st_size
    return sum(sizes.values())


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command, and everything it has started."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def installed_git(runtime: Runtime) -> tuple[str, tuple[int, ...]]:
    """The git that relays are reached with: where it is, and the first two numbers of its version.

    Raises:
        RelayError: `git-missing`, `git-too-old`.
    """
    program = shutil.which("git", path=runtime.environ.get("PATH"))
    hint = "install git 2.39 or newer: https://git-scm.com/downloads"
    if program is None:
        raise RelayError(
            "git-missing", "git is not installed, and this relay needs it", untouched="everything", hint=hint
        )
    version = _version_of(program)
    if version < OLDEST:
        found = ".".join(map(str, version)) or "of an unknown version"
        raise RelayError("git-too-old", f"git is {found}, and this relay needs 2.39", untouched="everything", hint=hint)
    return program, version


@functools.cache
def _version_of(program: str) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [program, "version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(rb"git version (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match else ()
