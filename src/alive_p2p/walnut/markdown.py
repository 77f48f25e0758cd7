"""The little that has to be understood of Markdown: where lines end, and which lines are headings.

A line inside a fenced code block is never a heading. Everything is linear in the size of the text.
"""

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FENCE_IN_LIST = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_SETEXT = re.compile(r" {0,3}(?:(=+)|(-+))[ \t]*$")


def split_lines(text: str) -> list[str]:
    """Split into lines, each with its ending (LF, CRLF or CR) kept. Joining gives the text back."""
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", text)


def line_ending(text: str) -> str:
    """The line ending a text uses, judged by its first line; a line feed where it has none."""
    match = re.search(r"\r\n|\n|\r", text)
    return match.group() if match else "\n"


class Fence:
    """Follows fenced code blocks from line to line.

    Args:
        in_lists: a fence may be indented as far as its list item is, not only by three blanks.
    """

    def __init__(self, *, in_lists: bool = False) -> None:
        self._mark: str | None = None
        self._pattern = _FENCE_IN_LIST if in_lists else _FENCE

    @property
    def is_open(self) -> bool:
        """Whether the next line is inside a block."""
        return self._mark is not None

    def takes(self, line: str) -> bool:
        """Whether a line, without its ending, is part of a block: its opening, its content or its closing."""
        match = self._pattern.match(line)
        rest = line[match.end() :] if match else ""
        if self._mark is not None:
            if match and match[1][0] == self._mark[0] and len(match[1]) >= len(self._mark) and not rest.strip():
                self._mark = None
            return True
        if match and not (match[1][0] == "`" and "`" in rest):
            self._mark = match[1]
            return True
        return False


def headings(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield `(index of line, level)` of every heading, ATX (`## x`) and underlined, outside code fences and comments.

    For an underlined heading the index is that of the first line of its text. A fence that is never closed runs to
    the end, and then its opening line is yielded with level 0: what follows cannot be told apart any more.
    """
    fence = Fence()
    opened_at = paragraph = -1
    in_comment = False
    for index, raw in enumerate(lines):
        line = raw.rstrip("\r\n")
        if in_comment or (not fence.is_open and line.lstrip().startswith("<!--")):
            in_comment = "-->" not in line
            paragraph = -1
            continue
        was_open = fence.is_open
        if fence.takes(line):
            opened_at, paragraph = (opened_at if was_open else index), -1
            continue
        atx = _ATX.match(line)
        underline = _SETEXT.match(line) if paragraph >= 0 else None
        if atx:
            yield index, len(atx[1])
        elif underline:
            yield paragraph, 1 if underline[1] else 2
        if atx or underline or not line.strip():
            paragraph = -1
        elif paragraph < 0:
            paragraph = index
    if fence.is_open:
        yield opened_at, 0
