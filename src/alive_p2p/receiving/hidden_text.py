"""Text that a person does not see and an agent reads: found, decoded where it can be, and reported (receive.md §13).

A file comes in pieces as it is read and is cut again at places that only its content decides, mostly ends of lines,
so what is found does not depend on the pieces. Every look is one pass: patterns are literals and possessive runs,
and what goes on beyond a cut (a comment, an embedding) is carried as a small state.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from alive_p2p.receiving.hidden_characters import HiddenCharacters, excerpt_of
from alive_p2p.receiving.hidden_markup import HiddenMarkup

KINDS = {
    "tag-characters": "invisible tag characters",
    "zero-width": "zero-width characters that can hold a message",
    "variation-selectors": "a run of variation selectors, which can hold a message",
    "bidi-override": "direction controls that show the text in another order than it has",
    "addressed-comment": "a comment that addresses an assistant",
    "invisible-style": "invisible HTML that addresses an assistant",
}
"""What is reported, and how it is called for people."""

BLOCK_BYTES = 1 << 16
"""How much is looked at together: it stays in the processor's cache between the passes."""

HEAD_BYTES = 8192
"""Where a binary file shows itself by a zero byte, unless its name says that it is text."""

_TEXT = frozenset({
    "", ".md", ".txt", ".yaml", ".yml", ".json", ".html", ".htm", ".csv", ".toml", ".ini", ".py", ".js", ".ts",
    ".sh", ".rst", ".org", ".tex", ".xml", ".svg",
})  # fmt: skip
"""Suffixes of text, and none at all: an agent reads such a file whatever is in it, so a zero byte is a character."""

_MAX_OPEN_TAG = 4096
"""How far back from a cut a tag is looked for that would be cut in two."""

MAX_COUNT = 1000
"""Where counting ends: more is no news to anybody, and a file made of nothing else stays cheap."""

_LAST_SPACE = re.compile(rb"(?s:.*)[!-~](?= [!-~])")
_LAST_PLAIN = re.compile(rb"(?s:.*)[!-~](?=[!-~])")
"""Where a long line is cut: before the last space, else between the last two characters, that nothing hides at."""

_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How a file begins that is not in UTF-8; the longer mark first, because it begins with the shorter."""
_MARKS = tuple(mark for mark, _ in _ENCODINGS)


@dataclass(frozen=True)
class HiddenText:
    """Hidden text of one kind in one file.

    Attributes:
        path: the file's path in the package.
        line: the line of the first place, from 1.
        kind: one of `KINDS`.
        what: the kind, for people.
        excerpt: what the first place says, decoded where it can be; one line, safe to print.
        count: in how many places of the file, at most `MAX_COUNT`.
    """

    path: str
    line: int
    kind: str
    what: str
    excerpt: str
    count: int


def hides_nothing(content: bytes) -> bool:
    """Whether a file that is only this is sure to hide nothing: ASCII, in which nothing can begin that is not shown."""
    # One byte is found ten times as fast as two.
    return content.isascii() and b"<" not in content and (b"]" not in content or b"]:" not in content)


class HiddenTextScan:
    """Looks for hidden text in one file (receive.md §13). Its content is fed in pieces of any size; never raises.

    Args:
        path: the file's path in the package.
    """

    def __init__(self, path: str) -> None:
        self._findings = _Findings(path)
        self._characters = HiddenCharacters(self._findings)
        self._markup = HiddenMarkup(self._findings.add_shown)
        self._pieces: list[bytes] = []
        self._held = 0
        self._begun = False
        self._path = path
        self._is_binary = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._line = 1

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the file."""
        if self._is_binary:
            return
        self._pieces.append(piece if self._decoder is None else self._decode(piece))
        self._held += len(self._pieces[-1])
        if self._held > BLOCK_BYTES:
            self._look_at_held(at_end=False)

    def finish(self) -> list[HiddenText]:
        """What was found, by line; one for each kind. Call it once, after the last piece."""
        if self._decoder is not None:
            self._pieces.append(self._decode(b"", final=True))
        self._look_at_held(at_end=True)
        self._characters.finish()
        return self._findings.listed()

    def _look_at_held(self, *, at_end: bool) -> None:
        """Look at the blocks that are complete, and at the end at the rest. Keep what is left."""
        held = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if not self._begun:
            held = self._begin(held, at_end=at_end)
        start = 0
        while len(held) - start > BLOCK_BYTES:
            # Where a block ends is decided by the content alone, never by how much happens to be here.
            end = _cut(held, start)
            self._look(held[start:end])
            self._line += held.count(b"\n", start, end)
            start = end
        if at_end:
            self._look(held[start:])
            start = len(held)
        self._pieces = [held[start:]]
        self._held = len(held) - start

    def _begin(self, held: bytes, *, at_end: bool) -> bytes:
        """Tell from the beginning of the file how it is encoded, and whether it is text. Returns it in UTF-8."""
        self._begun = True
        if held.startswith(_MARKS):
            encoding = next(name for mark, name in _ENCODINGS if held.startswith(mark))
            self._decoder = codecs.getincrementaldecoder(encoding)("ignore")
            held = self._decode(held, final=at_end)
        elif b"\0" in held[:HEAD_BYTES] and PurePosixPath(self._path).suffix.lower() not in _TEXT:
            self._is_binary = True
            held = b""
        return held.removeprefix(codecs.BOM_UTF8)

    def _decode(self, piece: bytes, *, final: bool = False) -> bytes:
        """The piece in UTF-8, in which everything is looked for."""
        assert self._decoder is not None  # noqa: S101  (for the type checker)
        return self._decoder.decode(piece, final).encode("utf-8", "ignore")

    def _look(self, block: bytes) -> None:
        text = None
        if self._characters.may_concern(block):
            text = block.decode("utf-8", "ignore")
            self._characters.look(text, self._line, invalid_bytes=len(block) - len(text.encode("utf-8")))
        if self._markup.may_concern(block):
            self._markup.look(block.decode("utf-8", "ignore") if text is None else text, self._line)


def _cut(held: bytes, start: int) -> int:
    """Where a full block is cut: after a line, or in a long line where that divides nothing; never in a tag."""
    full = start + BLOCK_BYTES
    end = held.rfind(b"\n", start, full) + 1
    if not end:
        begins = max(start, full - _MAX_OPEN_TAG)
        plain = _LAST_SPACE.match(held, begins, full) or _LAST_PLAIN.match(held, begins, full)
        end = full if plain is None else plain.end()
    while end > full - 4 and 0x80 <= held[end] < 0xC0:  # within a character
        end -= 1
    tag = held.rfind(b"<", max(start + 1, end - _MAX_OPEN_TAG), end)
    return tag if tag > 0 and held.find(b">", tag, end) < 0 else end


class _Findings:
    """What was found in a file, by kind: the first place in full, the others counted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._first: dict[str, tuple[int, str]] = {}
        self._counts: dict[str, int] = {}

    def is_full(self, kind: str) -> bool:
        return self._counts.get(kind, 0) >= MAX_COUNT

    def add(self, kind: str, line: Callable[[], int], excerpt: Callable[[], str]) -> None:
        if kind not in self._first:
            self._first[kind] = (line(), excerpt())
        if not self.is_full(kind):
            self._counts[kind] = self._counts.get(kind, 0) + 1

    def add_shown(self, kind: str, line: int, text: str) -> None:
        """Add a place whose text is known already, as it stands in the file."""
        self.add(kind, lambda: line, lambda: excerpt_of(text))

    def listed(self) -> list[HiddenText]:
        return sorted(
            (
                HiddenText(self._path, line, kind, KINDS[kind], excerpt, self._counts[kind])
                for kind, (line, excerpt) in self._first.items()
            ),
            key=lambda found: (found.line, found.kind),
        )
