"""Killed, or refused by the system, at every durable operation of every kind of receive, and of its recovery."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crash.at_every_operation import WAYS
from crash.scenarios import SCENARIOS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork, which this system lacks")


def _report(*arguments: object) -> dict[str, Any]:
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, here / "at_every_operation.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.crash
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_happened_or_it_did_not(name: str, way: str, tmp_path: Path) -> None:
    """The walnut is old or new once the next command has looked at it; that converges, and leaves nothing.

    Also where the recovery is killed, at each of its operations.
    """
    report = _report(name, way, tmp_path)
    assert report["failures"] == []
    assert report["points"] >= 15
    assert way != "kill" or report["recoveries"] >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere_it_happened_or_it_did_not(name: str, tmp_path: Path) -> None:
    """The same, killed once."""
    report = _report(name, "kill", tmp_path, "once")
    assert report["failures"] == []
    assert report["points"] >= 15


@pytest.mark.slow
@pytest.mark.parametrize("way", ["kill", "EIO"])
def test_it_is_the_same_where_a_thread_makes_the_files(way: str, tmp_path: Path) -> None:
    """As it is in a package of many: killed or refused in the thread or beside it."""
    report = _report("full", way, tmp_path, "once", "thread")
    assert report["failures"] == []
    assert report["points"] >= 15
