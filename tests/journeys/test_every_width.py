"""What the commands say, on real terminals of every width, with names in every script."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.cli.columns import width_of
from worlds import plant

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pexpect

Run = Callable[..., Any]
WALNUT = "محطة نوفا 2026"
BUNDLES = ["تقرير الدرع", "シールド調査報告書", "🛡️-shield", "cafe\u0301", "x" * 70, "plain"]
ISOLATES = re.compile("[\u2066\u2068\u2069]")
TOKEN = "gh" + "p_" + "demoDEMO0123456789" * 2


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut whose names are in many scripts, and in which the gate finds something."""
    tree: dict[str, bytes] = {
        "_kernel/key.md": "---\ntype: venture\ngoal: هدف 12 (x)\n---\n\n# نوفا\n".encode(),
        "_kernel/log.md": b"---\nwalnut: nova\nentry-count: 0\n---\n",
        "pricing عقد 7.md": b"x",
        ".مخفي": b"x",
    }
    for name in BUNDLES:
        tree[f"{name}/context.manifest.yaml"] = b"goal: g\nsensitivity: private\nactive_sessions:\n  - a\n"
        tree[f"{name}/عقد 12.md"] = b"two words\n"
    tree["plain/secret.md"] = f"token: {TOKEN}\n".encode()
    return plant(tmp_path / WALNUT, tree)


def commands(nova: Path) -> list[tuple[int, tuple[object, ...]]]:
    """What is run, in this order, and how it ends."""
    full = ("create", "--scope", "full", "--walnut", nova)
    out = ("--exclude", "secret.md", "--description", "وصف 3 (x)", "-o", "حزمة.walnut", "--force", "--yes")
    return [
        (0, (*full, "--dry-run")),
        (1, (*full, "--yes")),
        (0, (*full, *out)),
        (0, ("info", "حزمة.walnut")),
        (0, ("verify", "حزمة.walnut")),
        (0, ("receive", "حزمة.walnut", "--target", "هنا 5", "--dry-run")),
        (0, ("list-bundles", "--walnut", nova)),
        (2, ("create", "--scope", "bundle", "--bundle", "تقرير", "--walnut", nova)),
        (2, ("list-bundles", "--walnut", "لا 9")),
        (0, ("relay", "--help")),
        (0, ()),
    ]


def shown_on(child: "pexpect.spawn[str]") -> tuple[int, list[str]]:
    """How it ended, and the lines that stand there in the end."""
    child.expect(pexpect.EOF)
    child.close()
    text = re.sub(r"\r[^\r\n]*\r\x1b\[2K", "", str(child.before).replace("\r\n", "\n"))
    return int(child.exitstatus or 0), re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


@pytest.mark.parametrize("columns", [60, 200])
def test_it_can_be_read(columns: int, nova: Path, terminal: Run, run: Run, tmp_path: Path) -> None:
    """No line is wider than the terminal but for one name; nothing is lost, and nothing is drawn over by a name.

    A pipe gets the same words, in lines as they are, without anything that only a terminal needs.
    """
    for code, command in commands(nova):
        ended, lines = shown_on(terminal(*command, columns=columns))
        assert ended == code, lines
        for line in lines:
            quoted = re.sub(r"'[^']*'|`[^`]*`", "x", line.strip())
            assert width_of(line) <= columns or " " not in ISOLATES.sub("", quoted), line
            outside = re.sub("\u2068[^\u2069]*\u2069|\u2066[^\u2069]*\u2069", "", line)
            assert not re.search("[\u0590-\u06ff]", outside), line
        piped = run(*command)
        assert piped.code == code
        plain = piped.out + piped.err
        assert not ISOLATES.search(plain)
        assert "\x1b" not in plain
        if "--help" not in command:
            seen = ISOLATES.sub("", " ".join(lines)).split()
            told = set(re.findall(r"\S+", plain))
            moving = re.compile(r"[0-9a-f]{16}|\d{4}-\d\d-\d\d")
            assert {word for word in told - set(seen) if not moving.search(word)} == set()


def test_columns_stand_under_each_other(nova: Path, terminal: Run) -> None:
    """In a list with wide, combining and right-to-left names, every second column begins at the same place."""
    _, lines = shown_on(terminal("list-bundles", "--walnut", nova, columns=200))
    begins = {width_of(line[: line.index("private")]) for line in lines if "x" * 70 not in line}
    assert len(begins) == 1
    _, lines = shown_on(terminal("create", "--scope", "full", "--walnut", nova, "--dry-run", columns=200))
    tree = [line for line in lines if re.search(r"/ {2,}\d+ files?, ", line) and "x" * 70 not in line]
    assert len(tree) == len(BUNDLES)
    assert len({width_of(re.split(r"\d+ files?, ", line)[0]) for line in tree}) == 1


def test_json_is_never_broken(nova: Path, terminal: Run) -> None:
    """Also on a narrow terminal a JSON document is one, with the names as they are."""
    _, lines = shown_on(terminal("list-bundles", "--walnut", nova, "--json", columns=60))
    assert {one["name"] for one in json.loads("\n".join(lines))} == set(BUNDLES)
