"""Every command block in the README and the docs is run as it stands."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from worlds import NOVA, make_world, plant

Run = Callable[..., "object"]
ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ELSEWHERE = ("make ", "pipx ")
"""Blocks that set the project up; the CI's first steps run them for real."""

_TOLD = re.compile(r"^```sh(?P<who> ben)?\n(?P<block>.*?)^```", re.MULTILINE | re.DOTALL)
_STORY = ROOT / "docs" / "quickstart.md"
"""A page whose blocks are one story of two people, each in the home that the ones before have left."""


def _blocks() -> list[tuple[str, str]]:
    pages = [(page.name, page.read_text(encoding="utf-8")) for page in PAGES if page != _STORY]
    return [(name, block) for name, text in pages for block in _BLOCK.findall(text) if not block.startswith(_ELSEWHERE)]


def test_there_are_examples() -> None:
    """Or this file would show nothing."""
    assert len(_blocks()) >= 3


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
@pytest.mark.parametrize(("page", "block"), _blocks())
def test_a_block_works_as_printed(page: str, block: str, program: str, home: Path, run: Run) -> None:
    """In a home with the worlds and packages that the page speaks of; `yes` answers what would be asked."""
    ventures = make_world(home / "world") / "04_Ventures"
    nova = plant(ventures / "nova-station", NOVA)
    make_world(home / "other-world")
    if "receive nova-station.walnut" in block:
        run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", ventures / "nova-station.walnut")
    if "nova-station-bundle-2026-04-07.walnut" in block:
        # The example's date is not today's, so the package is called as it is there.
        block = block.replace("--walnut nova-station", "--walnut nova-station -o nova-station-bundle-2026-04-07.walnut")
    if "--staging unpacked" in block:
        plant(ventures / "unpacked", {"_kernel/key.md": b"", "bundles/a/context.manifest.yaml": b"goal: x\n"})
    if "review-2.walnut" in block:
        first, copy = ventures / "first.walnut", home / "other-world" / "nova"
        run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", first)
        run("receive", "--yes", first, "--target", copy)
        (copy / "shielding-review" / "draft.md").write_bytes(b"changed there\n")
        output = ("-o", ventures / "review-2.walnut")
        run("create", "--yes", "--scope", "bundle", "--bundle", "shielding-review", "--walnut", copy, *output)
        first.unlink()
    if "undo --walnut" in block:
        package = ventures / "nova.walnut"
        run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", package)
        nova.rename(home / "moved")
        run("receive", "--yes", package, "--target", nova)
        package.unlink()
    stand_in = home / "bin" / "alive-p2p"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/sh\n[ $1 = receive ] && set -- "$@" --yes\nexec \'{program}\' "$@"\n', encoding="utf-8"
    )
    stand_in.chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", block],
        cwd=ventures,
        env={"PATH": f"{stand_in.parent}:{os.environ['PATH']}", "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {done.stderr.decode()}"


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
def test_the_quickstart_works_as_printed(program: str, tmp_path: Path) -> None:
    """Block after block, for two people who have nothing yet; Ben pastes the line that the invitation prints."""
    people = {name: tmp_path / name for name in ("alice", "ben")}
    (tmp_path / "team").mkdir()
    for home in people.values():
        stand_in = home / "bin" / "alive-p2p"
        stand_in.parent.mkdir(parents=True)
        answer = '[ "$1 $2" = "relay accept" ] && set -- "$@" - --yes'
        stand_in.write_text(f"#!/bin/sh\n{answer}\nexec '{program}' \"$@\"\n", encoding="utf-8")
        stand_in.chmod(0o755)
    blocks = list(_TOLD.finditer(_STORY.read_text(encoding="utf-8")))
    assert sum(match["who"] is not None for match in blocks) >= 3
    code = told = ""
    for match in blocks:
        if match["block"].startswith(_ELSEWHERE):
            continue
        home = people["ben" if match["who"] else "alice"]
        done = subprocess.run(
            ["sh", "-euc", match["block"].replace("/srv/team", str(tmp_path / "team"))],
            cwd=home,
            env={"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home)},
            input=code,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{match['block']}: {done.stderr}"
        told += done.stdout
        code = next((line for line in done.stdout.splitlines() if line.startswith("alive1-")), code)
    assert "applied by ben" in told
    assert "Tomatoes" in told
