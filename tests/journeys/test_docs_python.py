"""docs/python.md: its examples run, and it tells of every public name and of nothing else."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import alive_p2p
from worlds import NOVA, make_world, plant

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_work_as_printed(home: Path) -> None:
    """One after the other, in a home with the world that the page speaks of."""
    plant(make_world(home / "world") / "04_Ventures" / "nova-station", NOVA)
    blocks = _BLOCK.findall(_PAGE)
    assert len(blocks) >= 8
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "USERPROFILE": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no-such-file" in done.stdout


def test_the_page_tells_of_every_public_name() -> None:
    """In its table, and of no other that would be taken for one."""
    rows = [line.split("|")[1] for line in _PAGE.splitlines() if line.startswith("|")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(alive_p2p.__all__) <= told
    assert set(re.findall(r"alive_p2p\.(\w+)", _PAGE)) <= {*alive_p2p.__all__, "__all__", "api"}


def test_the_public_interface_is_small_and_documented() -> None:
    """Every name has a docstring, and every parameter of a function is told of in it."""
    assert len(alive_p2p.__all__) <= 20
    assert sorted(alive_p2p.__all__) == alive_p2p.__all__
    for name in set(alive_p2p.__all__) - {"__version__"}:
        public = getattr(alive_p2p, name)
        assert inspect.getdoc(public), name
        if inspect.isfunction(public):
            text = inspect.getdoc(public) or ""
            missing = [one for one in inspect.signature(public).parameters if f"\n    {one}: " not in text]
            assert not missing, f"{name}: {missing}"
    for name, method in inspect.getmembers(alive_p2p.Relay, inspect.isfunction):
        assert name.startswith("_") or inspect.getdoc(method), name
