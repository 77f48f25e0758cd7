"""The little that has to be understood of Markdown: where lines end, and which lines are headings.

A line inside a fenced code block is never a heading. Everything is linear in the size of the text.
"""

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_SETEXT = re.compile(r" {0,3}(?:(=+)|(-+))[ \t]*$")


def split_lines(text: str) -> list[str]:
    """Split into lines, each with its ending (LF, CRLF or CR) kept. Joining gives the text back."""
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", text)


def line_ending(text: str) -> str:
    """The line ending a text uses, judged by its first line; a line feed where it has none."""
    match = re.search(r"\r\n|\n|\r", text)
    return match.group() if match else "\n"


def headings(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield `(index of line, level)` of every heading, ATX (`## x`) and underlined, outside code fences.

    For an underlined heading the index is that of its text. A fence that is never closed runs to the end, and
    then its opening line is yielded with level 0: what follows cannot be told apart any more.
    """
    fence: str | None = None
    opened_at = -1
    previous_is_text = False
    pending: list[tuple[int, int]] = []
    for index, raw in enumerate(lines):
        line = raw.rstrip("\r\n")
        mark = _FENCE.match(line)
        if fence is not None:
            if mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not line[mark.end() :].strip():
                fence = None
            continue
        if mark and not (mark[1][0] == "`" and "`" in line[mark.end() :]):
            fence, opened_at, previous_is_text = mark[1], index, False
            continue
        atx = _ATX.match(line)
        underline = _SETEXT.match(line) if previous_is_text else None
        if atx:
            pending.append((index, len(atx[1])))
        elif underline:
            pending.append((index - 1, 1 if underline[1] else 2))
        previous_is_text = bool(line.strip()) and not atx and not underline
        yield from pending
        pending.clear()
    if fence is not None:
        yield opened_at, 0
