"""Running the installed program as a person would."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Ran:
    """What a run printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def run(program: str, home: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs `alive-p2p` with arguments, in `tmp_path` unless told otherwise, without a terminal."""

    def call(*arguments: object, cwd: Path | None = None, **environ: str) -> Ran:
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
        assert "Traceback" not in ran.err, ran.err
        return ran

    return call
