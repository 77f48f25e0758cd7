"""The walnuts of the bench: the same bytes every time, of the size that was asked for, and such as notes are."""

import hashlib
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zlib_ng import gzip_ng

from bench import corpora
from bench.bombs import BOMBS, LIMIT
from worlds import tree_of

MAKERS = {
    "A": lambda root: corpora.notes("A", root, files=200, size=400_000),
    "C": lambda root: corpora.incompressible("C", root, files=2, each=300_000),
    "D": lambda root: corpora.one_bundle("D", root),
    "tiny": lambda root: corpora.tiny("tiny", root, files=250),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_walnut_is_the_same_every_time(name: str, tmp_path: Path) -> None:
    """Every path and every byte."""
    MAKERS[name](tmp_path / "one")
    MAKERS[name](tmp_path / "two")
    assert tree_of(tmp_path / "one") == tree_of(tmp_path / "two")


def test_the_seed_gives_these_very_bytes() -> None:
    """On every machine and every Python: otherwise two results would not be of the same thing."""
    text = corpora.text(random.Random("a fixed seed"), 5000)
    assert hashlib.sha256(text).hexdigest()[:16] == "14cd63f43da22576"
    noise = b"".join(corpora.noise(12_345, 5000))
    assert hashlib.sha256(noise).hexdigest()[:16] == "506763ea8e5f5815"


def test_sizes_add_up(tmp_path: Path) -> None:
    """As many files and bytes as were asked for, without what makes it a walnut."""
    made = MAKERS["A"](tmp_path / "a")
    assert (made.files, made.size) == (200, 400_000)
    assert made.detail == "200 files, 400 KB"


def test_notes_compress_as_notes_do() -> None:
    """About three to one, as real ones."""
    text = corpora.text(random.Random("notes"), 400_000)
    assert 2.7 < len(text) / len(zlib.compress(text, 6)) < 3.7


@given(st.integers(0, 1 << 30), st.integers(0, 200_000))
def test_noise_does_not_compress(offset: int, size: int) -> None:
    """Whatever its offset is, and it has the size that was asked for."""
    data = b"".join(corpora.noise(offset, size))
    assert len(data) == size
    assert len(zlib.compress(data, 1)) >= size


@given(st.integers(0, 3000))
def test_a_text_has_its_size(size: int) -> None:
    """To the byte."""
    assert len(corpora.text(random.Random(size), size)) == size


def test_what_a_program_leaves_in_a_walnut_is_removed(tmp_path: Path) -> None:
    """So that everybody packs the same."""
    made = MAKERS["D"](tmp_path / "d")
    before = tree_of(made.root)
    (made.root / "_kernel" / ".p2p").mkdir()
    (made.root / "_kernel" / ".p2p" / "sent").write_text("x")
    made.restore()
    assert tree_of(made.root) == before


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one(name: str, tmp_path: Path) -> None:
    """It unpacks to more than the limit, and begins as a package does."""
    path = tmp_path / "bomb"
    with path.open("wb") as output:
        BOMBS[name](output)
    unpacked = 0
    with gzip_ng.open(path) as source:
        start = source.read(512)
        while unpacked <= LIMIT and (data := source.read(1 << 20)):
            unpacked += len(data)
    assert start.startswith((b"manifest.yaml\0", b"00000.txt\0"))
    assert unpacked > LIMIT
