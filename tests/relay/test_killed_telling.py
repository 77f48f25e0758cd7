"""Killed at any durable operation, what a sender is told is told once by whatever pull comes next (relay.md §6)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork, which this system lacks")
@pytest.mark.parametrize("what", ["fetch", "refuse", "decline"])
def test_killed_anywhere_it_is_told_once(what: str, tmp_path: Path) -> None:
    """Fetched, refused or declined: one receipt, and nothing removed that was not to be."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, here / "killed_telling.py", what, tmp_path],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["failures"] == []
    assert report["points"] >= 8
