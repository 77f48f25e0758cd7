"""What the tests of the interactive flow share: keys to press, questions to wait for, and a world to share from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect

from worlds import NOVA, plant

Run = Callable[..., Any]
Terminal = Callable[..., "pexpect.spawn[str]"]
Host = tuple[str, dict[str, tuple[int, bytes]]]
"""A git host: its address, and what it answers by path."""

DOWN, ENTER, SPACE, CTRL_C, CTRL_D = "\x1b[B", "\r", " ", "\x03", "\x04"

SECRET = "only a test, correct horse"
TASKS = b'{"tasks": [{"id": "t1", "title": "Ask", "status": "active"}, {"id": "t2", "title": "Do", "status": "todo"}]}'


def world_to_share(folder: Path) -> Path:
    """A world with one walnut and a preset, and a folder `out` beside it."""
    root = plant(
        folder / "world",
        {
            ".alive/preferences.yaml": b"p2p:\n  share_presets:\n    outside: {exclude_patterns: [engineering/]}\n",
            **{f"04_Ventures/nova/{path}": content for path, content in NOVA.items()},
            "04_Ventures/nova/shielding-review/tasks.json": TASKS,
        },
    )
    (folder / "out").mkdir()
    return root


def press(child: "pexpect.spawn[str]", question: str, *keys: str) -> None:
    """Wait for a question, and answer it."""
    child.expect(question)
    child.expect("Enter|:")
    for key in keys:
        child.send(key)


def ended(child: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """Wait for the end: the exit code, and what was said since the last thing waited for."""
    child.expect(pexpect.EOF)
    said = child.before or ""
    child.close()
    return child.exitstatus, said


def public_half(private: Path) -> bytes:
    """The public half of a key that `make_ssh_key` made."""
    return Path(f"{private}.pub").read_bytes()
