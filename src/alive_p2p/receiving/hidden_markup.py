"""Where HTML and Markdown do not show text: comments, invisible elements, titles of link definitions (receive.md §13).

Only what can begin such a stretch is looked for, and in it the words to an assistant. A stretch that goes on beyond
a block is carried as what it began with and how deep its element is nested, not as its text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from alive_p2p.receiving.hidden_phrases import PhraseSearch

_HIDING = tuple(
    (stem, re.compile(stem + rest))
    for stem, rest in (
        ("display", r"\s*+:\s*+none"),
        ("visibility", r"\s*+:\s*+(?:hidden|collapse)"),
        ("font-size", r"\s*+:\s*+(?:0+(?:\.0*+)?(?![.\d])|1p[xt]\b)"),
        ("opacity", r"\s*+:\s*+0(?:\.0\d*+)?(?![.\d])"),
        ("height", r"\s*+:\s*+0(?![.\d])"),
        ("text-indent", r"\s*+:\s*+-\d{3}"),
        ("left", r"\s*+:\s*+-\d{3}"),
        ("top", r"\s*+:\s*+-\d{3}"),
        ("hidden", r"(?:(?<=\shidden)(?=[\s=/>])|(?<=type=hidden)|(?<=type=[\"']hidden)|(?<=visually-hidden))"),
        ("sr-only", ""),
        ("color", r"(?<![-\w]color)\s*+[:=]\s*+[\"']?(?:white|#fff(?:fff)?\b|transparent|rgba?\(255,\s*+255,\s*+255)"),
    )
)
"""What makes an element invisible: patterns that begin with the word that is looked for first."""

_STYLED = (b"style", b"hidden", b"color", b"sr-only")
_COMMENT = re.compile("<(?:!--|[!?])")
_REFERENCE = re.compile(r"\]:[ \t]*+\S++[ \t]++[\"'(]")
"""The definition of a link with a title, which Markdown does not show: `[//]: # (text)`."""

_MAX_LABEL = 200
_MAX_TAG = 4096
"""How far back from what hides an element the beginning of its tag is looked for."""

_ENDS = {
    "<!--": re.compile("--!?>"),
    "<!": re.compile(">"),
    "<?": re.compile(">"),
    "]:": re.compile(r"[\"')][ \t]*+\r?(?:\n|\Z)|\n[ \t]*+\r?\n"),
}
_TAG = re.compile("<([a-z][a-z0-9:-]*+)(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+>")
_TAG_NAME = re.compile("<(/?)([a-z][a-z0-9:-]*+)")
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_NEVER_NESTED = frozenset(["p", "li", "td", "th", "tr", "dt", "dd", "option"])


@dataclass(slots=True)
class _Region:
    """A stretch that is not shown: what it is reported as, where it begins, how, and what is in it."""

    kind: str
    line: int
    mark: str
    name: str
    depth: int = 1
    phrases: PhraseSearch = field(default_factory=PhraseSearch)


_Opener = tuple[int, int, str, str]
"""Where a stretch that is not shown begins, where its text does, and by what: a mark or `<` and a tag's name."""


class HiddenMarkup:
    """Looks for comments and invisible elements, and in them for words to an assistant, block by block.

    Args:
        report: called with the kind, the line where the stretch begins, and the text from the first telling word on.
    """

    def __init__(self, report: Callable[[str, int, str], None]) -> None:
        self._report = report
        self._region: _Region | None = None

    def may_concern(self, block: bytes) -> bool:
        """Whether a block can hold any of this; a few quick searches."""
        if self._region is not None or (b"]" in block and b"]:" in block):
            return True
        if b"<" not in block:
            return False
        if b"<!" in block or b"<?" in block:
            return True
        lower = block.lower()
        return any(word in lower for word in _STYLED)

    def look(self, text: str, line: int) -> None:
        """Look at a block, which begins in this line and cuts no tag in two."""
        lower = text.lower()
        if len(lower) != len(text):  # a capital that becomes two characters would shift the places
            text = lower
        position = self._go_on(text, lower, 0)
        counted = 0
        for start, after, mark, name in sorted(_openers(lower, position)):
            if start < position:
                continue
            line += lower.count("\n", counted, start)
            counted = start
            region = _Region("invisible-style" if mark == "<" else "addressed-comment", line, mark, name)
            if name in _VOID:  # it has no text of its own, but attributes
                self._feed(region, text[start:after], is_last=True)
                position = after
            else:
                self._region = region
                position = self._go_on(text, lower, after)

    def _go_on(self, text: str, lower: str, position: int) -> int:
        """Search the open stretch from here to its end, or to the end of the block. Returns where that is."""
        region = self._region
        if region is None:
            return position
        end = _end(region, lower, position)
        self._feed(region, text[position:end], is_last=end is not None)
        if end is None:
            return len(text)
        self._region = None
        return end

    def _feed(self, region: _Region, portion: str, *, is_last: bool) -> None:
        if region.phrases.feed(portion, is_last=is_last):
            self._report(region.kind, region.line, region.phrases.excerpt)


def _end(region: _Region, lower: str, position: int) -> int | None:
    """Where a stretch ends, or None if not in this block."""
    if region.mark != "<":
        found = _ENDS[region.mark].search(lower, position)
        return None if found is None else found.start()
    for tag in _TAG_NAME.finditer(lower, position):
        if not region.name or tag[2] != region.name:
            if not region.name and tag[1]:
                return tag.start()
            continue
        region.depth += -1 if tag[1] or region.name in _NEVER_NESTED else 1
        if region.depth == 0:
            return tag.start()
    return None


def _openers(lower: str, position: int) -> Iterator[_Opener]:
    """Everything in a block that begins a stretch that is not shown."""
    for found in _COMMENT.finditer(lower, position):
        yield found.start(), found.end(), found[0], ""
    if "]:" in lower:
        for found in _REFERENCE.finditer(lower, position):
            # A definition stands at the beginning of a line, at most in a quotation or a list.
            line = lower[max(0, found.start() - _MAX_LABEL) : found.start()].rpartition("\n")[2]
            if line.lstrip(" \t>").startswith("["):
                yield found.start(), found.end(), "]:", ""
    if "<" not in lower:
        return
    seen = -1
    for stem, pattern in _HIDING:
        if stem not in lower:
            continue
        for found in pattern.finditer(lower, position):
            start = lower.rfind("<", max(0, found.start() - _MAX_TAG), found.start())
            if start == seen or start < position or not lower[start + 1 : start + 2].isalpha():
                continue
            seen = start
            tag = _TAG.match(lower, start)
            if tag is None:  # quotes do not match: what follows is taken for the element, up to any end tag
                yield start, found.end(), "<", ""
            elif tag.end() > found.start() and not (stem == "color" and "background" in tag[0]):
                yield start, tag.end(), "<", tag[1]
