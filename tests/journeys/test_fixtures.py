"""The packages of the earlier implementation, and hostile ones, judged by the scripts that come with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PLAIN = [
    "name",
    "type",
    "meta",
    "bomb",
    "container",
    "manifest",
    "files",
    "unlisted",
    "strings",
    "scope",
    "v2",
    "info",
]


def test_every_plain_package_of_the_earlier_implementation_arrives(fixtures: Path, program: str) -> None:
    """Exactly what the index asks for, nothing besides, and a second receive changes nothing."""
    done = subprocess.run(
        [sys.executable, fixtures / "run_valid.py", "--cmd", program, "--only", "none"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    assert len(lines) >= 20
    assert [line for line in lines if line.startswith("FAIL")] == []


@pytest.mark.slow
@pytest.mark.parametrize("category", _PLAIN)
def test_hostile_packages_have_their_required_outcome(
    category: str, fixtures: Path, program: str, tmp_path: Path
) -> None:
    """Refused with a clear message and nothing written, or accepted safely as stated."""
    index = json.loads((fixtures / "hostile" / "index.json").read_text(encoding="utf-8"))
    names = [entry["name"] for entry in index["packages"] if entry["category"] == category]
    assert names
    done = subprocess.run(
        [
            sys.executable,
            fixtures / "run_hostile.py",
            "--cmd",
            program,
            "--work",
            tmp_path / "work",
            "--only",
            f"^({'|'.join(names)})$",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    assert len(lines) == len(names)
    assert [line for line in lines if line.startswith("FAIL")] == []
