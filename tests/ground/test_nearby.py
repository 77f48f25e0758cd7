"""A mistyped path names what lies beside it, and nothing that is not there."""

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
