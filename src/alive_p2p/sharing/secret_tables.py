"""Secrets in the columns of tables, Markdown or CSV, where the name stands in the heading and not beside the value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alive_p2p.sharing.secret_values import Span, is_believable, line_before, strength_of

_LINE = re.compile(rb"[^\r\n]{0,8192}")
_BREAK = re.compile(rb"\r\n?|\n")
_RULER = re.compile(rb"[ \t>]*\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*(?::?-+:?)?[ \t]*\Z")
_COLUMN_NAME = re.compile(
    rb"[\"']?[A-Za-z\x80-\xff]{1,24}(?:[ _/-][A-Za-z\x80-\xff]{1,24}){0,3}(?:[ _-]?[0-9])?[\"']?\Z"
)
_CELLS = {
    mark: re.compile(rb"(?:[ \t]*\"((?:[^\"]|\"\")*)\"[ \t]*|([^%s]*))(?:[%s]|\Z)" % (mark, mark))
    for mark in (b"|", b",", b";", b"\t")
}
_CELL = re.compile(rb"[ \t\"'`*]*(?P<secret>[^\r\n]*?)[ \t\"'`*]*\Z")
_MISFITS = 3  # lines one after the other that end a table


@dataclass(frozen=True)
class Table:
    """A table with a column of secrets: its heading lines, the secrets, and where it ends."""

    heading: bytes
    cells: "list[re.Match[bytes]]"
    end: int


def cells_of_tables(data: bytes, names: list[int]) -> Iterator["re.Match[bytes]"]:
    """The secrets of all `tables`."""
    for table in tables(data, names):
        yield from table.cells


def tables(data: bytes, names: list[int]) -> Iterator[Table]:
    """The tables (Markdown, CSV) that have a column for passwords or keys; `names` are where one may be headed."""
    done = 0
    for name in names:
        if name >= done:
            low = name - len(line_before(data, name))
            line = _LINE.match(data, low)
            done = line.end() if line else low
            if line and (table := _table(data, low, done)) is not None:
                done = max(done, table.end)  # a row is no heading
                yield table


def judge_cell(match: "re.Match[bytes]", is_code: bool) -> Span | None:
    """A secret among the cells of a table; program code has none."""
    return None if is_code else match.span("secret")


def _table(data: bytes, start: int, end: int) -> Table | None:
    ruler_start = _after_break(data, end)
    ruler = _LINE.match(data, ruler_start)
    if ruler and b"|" in ruler[0] and b"-" in ruler[0] and _RULER.match(ruler[0]):
        mark, rows = b"|", _after_break(data, ruler.end())
    else:
        mark = next((mark for mark in (b"\t", b";", b",") if mark in data[start:end]), b"")
        rows = ruler_start
        names = data[start:end].split(mark) if mark else []
        if not names or not all(_COLUMN_NAME.match(name) for name in names) or _is_row(data, start, mark, len(names)):
            return None
    columns = _cells(data, start, end, mark)
    strengths = [strength_of(data[low:high].strip(b" \t\"'`*").decode("utf-8", "replace")) for low, high in columns]
    if not any(strengths):
        return None
    found: list[re.Match[bytes]] = []
    position, misfits, last = rows, 0, rows
    while position < len(data) and misfits < _MISFITS and (line := _LINE.match(data, position)) is not None:
        cells = _cells(data, position, line.end(), mark) if line[0] else []
        is_row = len(cells) == len(columns)
        for (low, high), strength in zip(cells if is_row else [], strengths, strict=False):
            cell = _CELL.match(data, low, high) if strength else None
            if cell and is_believable(cell["secret"], "weak" if strength == "password" else strength):
                found.append(cell)
        misfits = 0 if is_row else misfits + 1
        last = line.end() if is_row else last
        position = max(_after_break(data, line.end()), position + 1)
    return Table(data[start:rows], found, last)


def _is_row(data: bytes, start: int, mark: bytes, size: int) -> bool:
    """Whether the line before is a row like this one, which is no heading then."""
    before = data[max(start - 400, 0) : start].splitlines()
    return bool(before) and before[-1].count(mark) == size - 1


def _cells(data: bytes, start: int, end: int, mark: bytes) -> list[Span]:
    if mark == b"|":  # the bars at both ends are none between two cells
        while start < end and data[start] in b" \t>":
            start += 1
        while start < end and data[end - 1] in b" \t":
            end -= 1
        start += data[start : start + 1] == mark
        end -= end > start and data[end - 1 : end] == mark
    spans = []
    for cell in _CELLS[mark].finditer(data, start, end):
        spans.append(cell.span(1 if cell[1] is not None else 2))
        if data[cell.end() - 1 : cell.end()] != mark or cell.end() == cell.start():
            break
    return spans


def _after_break(data: bytes, position: int) -> int:
    found = _BREAK.match(data, position)
    return found.end() if found else position
