"""Hostile packages made by others, in the categories that `journeys/test_fixtures.py` leaves out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_RUN_ELSEWHERE = frozenset(
    ["name", "type", "meta", "bomb", "container", "manifest", "files", "unlisted", "strings", "scope", "v2", "info"]
)


@pytest.mark.slow
def test_hostile_envelopes_and_signatures_have_their_required_outcome(
    fixtures: Path, program: str, tmp_path: Path
) -> None:
    """Refused with a clear message and nothing written, or accepted safely as stated; no category is left out."""
    index = json.loads((fixtures / "hostile" / "index.json").read_text(encoding="utf-8"))
    names = [one["name"] for one in index["packages"] if one["category"] not in _RUN_ELSEWHERE]
    assert len(names) >= 39
    only = f"^({'|'.join(names)})$"
    command: list[str | Path] = [
        sys.executable,
        fixtures / "run_hostile.py",
        "--cmd",
        program,
        "--work",
        tmp_path / "w",
        "--only",
        only,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    assert len(lines) == len(names)
    assert [line for line in lines if line.startswith("FAIL")] == []
