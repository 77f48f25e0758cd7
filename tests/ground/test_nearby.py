"""A mistyped path names what lies beside it, and nothing that is not there."""

import subprocess
from pathlib import Path

import pytest

from alive_p2p.nearby import name_beside
from worlds import plant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ventures/gardn", "garden"),
        ("ventures/garden/noets.md", "notes.md"),
        ("ventrues/garden", "ventures"),
        ("ventrues/nowhere/else", "ventures"),
        ("ventures/quite-other", None),
        ("ventures/garden/x\0", None),
        ("", None),
    ],
)
def test_the_name_that_is_most_like_it_is_told(typed: str, meant: str | None, tmp_path: Path) -> None:
    """At the first part of the path that is not there; where nothing is like it, nothing."""
    plant(tmp_path, {"ventures/garden/notes.md": b"", "ventures/.gardn": b""})
    assert name_beside(tmp_path / typed) == meant


def test_in_a_large_folder_nothing_is_guessed(tmp_path: Path) -> None:
    """Neither for what is not there nor for what is, whichever names the system tells first."""
    plant(tmp_path, {f"notes/a-note-{number:04d}.md": b"" for number in range(2_010)})
    assert name_beside(tmp_path / "notes" / "a-note-0000.m") is None
    assert name_beside(tmp_path / "notes" / "a-note-2009.md") is None


def test_recover_says_that_nothing_is_there(program: str, tmp_path: Path) -> None:
    """Nothing was interrupted at a mistyped path, and that it is one is said as well."""
    plant(tmp_path, {"world/.alive/x": b"", "world/garden/_kernel/key.md": b"# G\n"})
    done = subprocess.run(
        [program, "recover", "gardn"], cwd=tmp_path / "world", capture_output=True, check=True, text=True
    )
    assert done.stdout == "nothing was interrupted\n"
    assert done.stderr == "and nothing is at 'gardn'; did you mean 'garden'?\n"
