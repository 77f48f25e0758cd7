"""Killed anywhere, a push, pull, rotation or pairing is done once by whatever is done next (relay.md §5, §6)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork, which this system lacks")
@pytest.mark.parametrize("what", ["push", "pull", "rotate", "pair"])
def test_killed_anywhere_it_is_done_once(what: str, tmp_path: Path) -> None:
    """Nothing is lost and nothing comes twice; the sender is told what happened."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, here / "killed.py", what, tmp_path],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["failures"] == []
    assert report["points"] >= 10
