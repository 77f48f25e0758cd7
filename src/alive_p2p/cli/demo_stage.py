"""Where the demo's story plays: a folder with a home and a world for each person, and the real program run in it."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alive_p2p.cli.columns import fitted
from alive_p2p.cli.screen import Screen
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime

_KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV")
"""What the program needs of our surroundings; nothing that points into a real home."""

_STILL = "held-still"
_LOOK_EVERY = 0.01
_PATIENCE = 60.0
"""Seconds until a process that is to be killed has to be where it is held still."""


@dataclass
class Stage:
    """Runs what the two type, and shows it.

    Attributes:
        folder: everything is in here; its path is shown as `…`.
        screen: where it is shown.
        runtime: our surroundings.
        steps: every command with what it printed, for `--json`.
    """

    folder: Path
    screen: Screen
    runtime: Runtime
    steps: list[dict[str, Any]] = field(default_factory=list)

    def world(self, person: str) -> Path:
        """The world of a person."""
        return self.folder / person / "world"

    def chapter(self, name: str, text: str) -> None:
        """Begin a part of the story."""
        self.screen.say()
        self.screen.strong(name)
        self.narrate(text)

    def tell(self, text: str) -> None:
        """Say what comes next, or what was seen."""
        self.screen.say()
        self.narrate(text)

    def narrate(self, text: str) -> None:
        """Say something as a paragraph."""
        columns = self.screen.columns
        self.screen.lines([text] if columns is None else fitted(text, columns, indent=0), result=True)

    def run(self, person: str, command: str, *, expected: int = 0, typed: str | None = None) -> str:
        """Run one command line as a person, in their world, show what it prints, and return it.

        Args:
            person: who.
            command: what they type after `alive-p2p`.
            expected: the exit code without which the story does not go on.
            typed: what they paste into it.

        Raises:
            AliveP2PError: it ended otherwise.
        """
        self._show_command(person, command)
        done = subprocess.run(
            [sys.executable, "-m", "alive_p2p", *shlex.split(command)],
            cwd=self.world(person),
            env=self._environ(person),
            input=b"" if typed is None else typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = self._show_output(done.stdout)
        self._note(person, command, done.returncode, output)
        if done.returncode != expected:
            raise AliveP2PError(
                "demo-failed",
                f"the demo stopped: `alive-p2p {command}` ended with {done.returncode}, not {expected}",
                hint="run it again with `--keep` and look at the folder",
            )
        return output

    def run_and_kill(self, person: str, command: str, walnut: Path, *, after: int) -> None:
        """Run one command line, hold the process still in the midst of what it changes, and kill it there.

        Args:
            person: who.
            command: what they type after `alive-p2p`.
            walnut: what it changes.
            after: how many files of it are replaced by then.

        Raises:
            AliveP2PError: it ended before.
        """
        self._show_command(person, command)
        still = self.folder / _STILL
        where = [str(still), str(walnut), str(after)]
        process = subprocess.Popen(
            [sys.executable, "-m", "alive_p2p.cli.demo_still", *where, *shlex.split(command)],
            cwd=self.world(person),
            env=self._environ(person),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            was_there = self._wait(lambda: still.exists() or process.poll() is not None) and process.poll() is None
        finally:
            process.kill()
            printed, _ = process.communicate()
        still.unlink(missing_ok=True)
        output = self._show_output(printed)
        self._note(person, command, process.returncode, output)
        if not was_there:
            raise AliveP2PError(
                "demo-failed",
                f"the demo stopped: `alive-p2p {command}` ended before it was killed",
                hint="run it again with `--keep` and look at the folder",
            )
        signal = f"signal {-process.returncode}" if process.returncode < 0 else "force"
        self.screen.say(f"    [ended by {signal}]")

    def _wait(self, is_so: Callable[[], bool]) -> bool:
        end = self.runtime.monotonic() + _PATIENCE
        while not is_so():
            if self.runtime.monotonic() > end:
                return False
            self.runtime.sleep(_LOOK_EVERY)
        return True

    def _environ(self, person: str) -> Mapping[str, str]:
        ours = {name: self.runtime.environ[name] for name in _KEPT if name in self.runtime.environ}
        home = str(self.folder / person)
        return {
            **ours,
            "PYTHONUTF8": "1",
            "HOME": home,
            "USERPROFILE": home,
            "GH_USER": person,
            "ALIVE_SESSION_ID": "demo",
        }

    def _show_command(self, person: str, command: str) -> None:
        self.screen.say()
        whole = f"  {person}$ alive-p2p {command}"
        columns = self.screen.columns
        lines = [whole] if columns is None else fitted(whole, columns - 2)
        for line in lines[:-1]:
            self.screen.strong(f"{line} \\")
        self.screen.strong(lines[-1])

    def _show_output(self, printed: bytes) -> str:
        output = printed.decode("utf-8", "replace").replace(str(self.folder), "…")
        for line in output.splitlines():
            self.screen.say(f"    {line}" if line else "")
        return output

    def _note(self, person: str, command: str, exit_code: int, output: str) -> None:
        self.steps.append({"person": person, "command": command, "exit_code": exit_code, "output": output})
