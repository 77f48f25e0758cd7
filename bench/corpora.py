"""Walnuts to measure with, the same bytes every time: text that compresses as notes do, and some files that do not."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SEED = 20260407

MB = 1_000_000

_KEY = """---
type: venture
goal: Measure how long {name} takes
people:
  - name: Ben Okafor
    email: ben@example.org
---

# {name}

What the bench works on.
"""
_LOG = """---
walnut: {name}
created: 2025-11-02
last-entry: 2026-04-01T09:00:00Z
entry-count: 1
---

## 2026-04-01T09:00:00Z - squirrel:spring

Began to measure.

signed: squirrel:spring

"""
_BLOCK = 16 << 20
_NEAR = 1 << 15
"""How far back gzip looks: what repeats further away than that does not compress."""
_BINARY_EACH = 10
_LARGEST_BINARY = 12_000


@dataclass(frozen=True)
class Corpus:
    """A walnut that was made.

    Attributes:
        name: A, B, …
        root: the walnut's folder.
        files: how many files the person has in it, `_kernel/` and bundle manifests apart.
        size: how many bytes those have.
        own: every path that was made, to know afterwards what was not.
    """

    name: str
    root: Path
    files: int
    size: int
    own: frozenset[str]

    @property
    def detail(self) -> str:
        """For a table."""
        return f"{self.files:,} file{'' if self.files == 1 else 's'}, {amount(self.size)}"

    def restore(self) -> None:
        """Remove what a program has put into `_kernel/` meanwhile: everybody works on the same walnut."""
        from bench.measuring import remove

        kernel = self.root / "_kernel"
        remove(*(path for path in kernel.iterdir() if f"_kernel/{path.name}" not in self.own))


def amount(size: float) -> str:
    """A number of bytes as a person says it, in powers of ten."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


@cache
def _sentences() -> Sequence[str]:
    """Sentences of invented words, some words more often than others."""
    rng = random.Random(f"{SEED}/words")  # noqa: S311 -- nothing here is a secret
    onsets, vowels = (*"bcdfghlmnprstvw", "st", "tr", "pl", "ch", "sh"), (*"aeiou", "ea", "ou")
    codas = ["", "", "n", "r", "s", "t", "l", "nd", "ck"]

    def word() -> str:
        size = rng.choices((1, 2, 3, 4), (3, 5, 3, 1))[0]
        return "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(size))

    words = sorted({word() for _ in range(6000)})
    rng.shuffle(words)
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    made = []
    for _ in range(20_000):
        chosen = rng.choices(words, cum_weights=weights, k=rng.randint(4, 18))
        made.append(chosen[0].capitalize() + " " + " ".join(chosen[1:]) + rng.choice((".", ".", ".", "?", ":")))
    return made


def text(rng: random.Random, size: int) -> bytes:
    """A note in Markdown, of exactly so many bytes."""
    sentences = _sentences()
    parts, length = [], 0
    while length < size:
        kind = rng.random()
        if kind < 0.06:
            part = f"\n\n## {rng.choice(sentences)[:40].rstrip()}\n\n"
        elif kind < 0.14:
            part = f"\n- {rng.choice(sentences)}"
        elif kind < 0.18:
            day = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            part = f"\n| {rng.randint(1, 9999)} | {rng.random():.3f} | {day} |"
        else:
            part = rng.choice(sentences) + " "
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()[: max(size - 1, 0)] + b"\n" * (size > 0)


@cache
def _noise() -> bytes:
    return random.Random(f"{SEED}/noise").randbytes(_BLOCK)  # noqa: S311


def noise(offset: int, size: int) -> Iterator[bytes]:
    """Bytes that do not compress: a block that is longer than gzip's memory, over and over.

    Args:
        offset: where in the block it begins, so that files differ.
        size: how many bytes in all.
    """
    block = _noise()
    at = offset % (_BLOCK - _NEAR)
    while size > 0:
        piece = block[at : at + size]
        yield piece
        size -= len(piece)
        at = 0


def _write(path: Path, pieces: Iterator[bytes] | Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as output:
        for piece in pieces:
            output.write(piece)


def _sizes(rng: random.Random, count: int, total: int) -> list[int]:
    """Sizes as notes have them, many small and few large, that add up to the total."""
    drawn = [rng.lognormvariate(0, 1.0) for _ in range(count)]
    scale = total / sum(drawn)
    sizes = [max(int(one * scale), 1) for one in drawn]
    sizes[sizes.index(max(sizes))] += total - sum(sizes)
    return sizes


class _Walnut:
    """Writes a walnut and remembers what it wrote."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.own: set[str] = set()
        self.put("_kernel/key.md", [_KEY.format(name=name).encode()])
        self.put("_kernel/log.md", [_LOG.format(name=name).encode()])
        self.put("_kernel/insights.md", [f"---\nwalnut: {name}\n---\n\n## Speed\n\nMeasure first.\n".encode()])
        self.put("_kernel/tasks.json", [b'{"tasks": []}\n'])
        self.put("_kernel/completed.json", [b'{"completed": []}\n'])

    def put(self, path: str, pieces: Iterator[bytes] | Sequence[bytes]) -> None:
        """Write a file."""
        _write(self.root / path, pieces)
        self.own.add(path)

    def bundle(self, name: str) -> None:
        """Make a bundle."""
        self.put(f"{name}/context.manifest.yaml", [b"goal: Be measured\nstatus: draft\nsensitivity: private\n"])


def notes(name: str, root: Path, *, files: int, size: int) -> Corpus:
    """Small files: nine in ten are notes, the others do not compress; in bundles, and in folders beside them."""
    rng = random.Random(f"{SEED}/{name}")  # noqa: S311
    walnut = _Walnut(root, name)
    groups = max(files // 100, 1)
    for group in range(0, groups, 2):
        walnut.bundle(f"work-{group:03}")
    sizes = _sizes(rng, files, size)
    for number in range(_BINARY_EACH - 1, files, _BINARY_EACH):
        too_large = max(sizes[number] - _LARGEST_BINARY, 0)
        sizes[number] -= too_large
        sizes[number - 1] += too_large
    for number, length in enumerate(sizes):
        group = number % groups
        folder = f"work-{group:03}" if group % 2 == 0 else f"area-{group:03}/part-{number % 7}"
        if number % _BINARY_EACH == _BINARY_EACH - 1:
            walnut.put(f"{folder}/picture-{number:05}.png", noise(rng.randrange(_BLOCK), length))
        else:
            walnut.put(f"{folder}/note-{number:05}.md", [text(rng, length)])
    return _done(name, walnut)


def incompressible(name: str, root: Path, *, files: int, each: int) -> Corpus:
    """Large files that do not compress, as pictures and films are."""
    walnut = _Walnut(root, name)
    for number in range(files):
        walnut.put(f"film-{number:03}.mp4", noise(number * 777_777, each))
    return _done(name, walnut)


def tiny(name: str, root: Path, *, files: int) -> Corpus:
    """Many files of a few bytes, a hundred in a folder."""
    walnut = _Walnut(root, name)
    for number in range(files):
        walnut.put(f"area-{number // 10_000}/part-{number // 100 % 100:02}/{number:06}.md", [b"note %d\n" % number])
    return _done(name, walnut)


def one_bundle(name: str, root: Path, *, files: int = 20) -> Corpus:
    """One bundle of a few notes."""
    rng = random.Random(f"{SEED}/{name}")  # noqa: S311
    walnut = _Walnut(root, name)
    walnut.bundle("shielding-review")
    for number in range(files):
        walnut.put(f"shielding-review/note-{number:02}.md", [text(rng, rng.randint(500, 6000))])
    return _done(name, walnut)


def _done(name: str, walnut: _Walnut) -> Corpus:
    counted = [
        walnut.root / path
        for path in walnut.own
        if not path.startswith("_kernel/") and not path.endswith("/context.manifest.yaml")
    ]
    return Corpus(name, walnut.root, len(counted), sum(path.stat().st_size for path in counted), frozenset(walnut.own))


def world(root: Path, walnuts: int = 0) -> Path:
    """A world, with so many small walnuts in it."""
    (root / ".alive").mkdir(parents=True)
    (root / ".alive" / "preferences.yaml").write_text("discovery_hints: false\n", encoding="utf-8")
    for folder in ("03_Inbox", "04_Ventures"):
        (root / folder).mkdir()
    for number in range(walnuts):
        one = _Walnut(root / "04_Ventures" / f"venture-{number:04}", f"venture-{number:04}")
        one.bundle("plan")
        one.put("plan/note.md", [b"a note\n"])
    return root
