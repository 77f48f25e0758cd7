"""How wide a text is on a terminal, and how a line is broken so that it fits.

Lines are broken, and words isolated, only for a terminal: what goes into a pipe or a file keeps its lines, and gets no
character that was not in them. Text has been escaped before it comes here (see `alive_p2p.text`).
"""

import re
import unicodedata

from alive_p2p.text import escape

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PIECE = re.compile(r" *[^ ]+")
_COLUMN = re.compile(r"\S  +(?=\S)")
"""Before the second column of a line, and every further one: two spaces or more."""

_FIRST, _LATER = 60, 40
"""How far in, in hundredths of the width, the second column may begin for what is broken off to go under it; and the
others, which begin at another place in every line."""

_OPENING = "([{«“\u2066\u2068"
_CLOSING = ")]}.,:;!?»”…\u2069"
_MARKS = "'`\""

_COMMAND = re.compile(r"(`[^`]*`)")

_ISOLATE, _ISOLATE_FROM_LEFT, _ISOLATED = "\u2068", "\u2066", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_INDENT = 2
_DEEP = 8
"""A line that begins so far in goes on under a column, and so does what is broken off it."""
_NARROWEST = 20
"""A terminal that is narrower shows nothing a person could read, however it is broken."""


def width_of(text: str) -> int:
    """How many columns a terminal needs for a text: two for what is wide, none for what combines."""
    if text.isascii() and "\x1b" not in text:
        return len(text)
    from wcwidth import wcswidth

    plain = _COLOUR.sub("", text)
    wide = wcswidth(plain)
    return wide if wide >= 0 else len(plain)


def padded(text: str, columns: int) -> str:
    """A text, escaped, with blanks behind it, so that what follows begins at a column."""
    text = escape(text)
    return text + " " * max(0, columns - width_of(text))


def isolated(text: str) -> str:
    """Keep words that are written from right to left from drawing over what stands beside them.

    A terminal that follows the Unicode bidirectional algorithm would else put a number, a slash or a bracket after
    such a word before it, and turn a line that begins with one round. Words that belong together stay together. A
    command in backticks is isolated as a whole, so that it is copied without these characters.
    """
    if text.isascii() or not any(map(_is_from_right, text)):
        return text
    return "".join(
        _isolated_command(part) if part.startswith("`") else _isolated_words(part) for part in _COMMAND.split(text)
    )


def _isolated_command(text: str) -> str:
    return f"{_ISOLATE_FROM_LEFT}{text}{_ISOLATED}" if any(map(_is_from_right, text)) else text


def _isolated_words(text: str) -> str:
    made: list[str] = []
    run: list[str] = []  # a run of such words, and the blanks after it, which may turn out to be inside it
    for char in text:
        if _is_from_right(char) or (run and (char == " " or _belongs_to_the_last(char))):
            run.append(char)
            continue
        made += _closed(run)
        run = []
        made.append(char)
    return "".join([*made, *_closed(run)])


def _is_from_right(char: str) -> bool:
    return not char.isascii() and unicodedata.bidirectional(char) in _RIGHT_TO_LEFT


def _belongs_to_the_last(char: str) -> bool:
    return unicodedata.bidirectional(char) == "NSM" or char in "\u200c\u200d"


def _closed(run: list[str]) -> list[str]:
    text = "".join(run)
    words = text.rstrip(" ")
    return [_ISOLATE, words, _ISOLATED, text[len(words) :]] if words else []


def fitted(line: str, columns: int, *, indent: int = _INDENT) -> list[str]:
    """Break a line between words so that every part fits into so many columns.

    What a person copies stays in one piece: a command in backticks, a name in quotes, a path. Where one alone is wider
    than the terminal, it is left to the terminal. What follows is put under the second column where there is one.

    Args:
        line: the line.
        columns: how wide the terminal is.
        indent: how much further in than the line what is broken off begins, where there is no second column.
    """
    if columns < _NARROWEST or width_of(line) <= columns:
        return [line]
    under, shallow = _hanging(line, columns, indent)
    made, current, used = [], "", 0
    for piece in _pieces(line):
        word = piece.lstrip(" ")
        hang = under if under + width_of(word) <= columns else shallow
        if current.strip() and used > hang and used + width_of(piece) > columns:
            made.append(current.rstrip(" "))
            current, used = " " * hang + word, hang + width_of(word)  # the break stands for the blanks
        else:
            current, used = current + piece, used + width_of(piece)
    return [*made, current]


def cut(line: str, columns: int) -> list[str]:
    """Break a line wherever it comes to an end, for what shows nothing of a word that is too wide."""
    made = [""]
    for char in line:
        if width_of(made[-1] + char) > columns:
            made.append("")
        made[-1] += char
    return made


def _hanging(line: str, columns: int, indent: int) -> tuple[int, int]:
    """The columns at which every part but the first begins: under the second column, and where that is too far in."""
    begins = len(line) - len(line.lstrip(" "))
    shallow = min(begins if begins >= _DEEP else begins + indent, columns // 2)
    under = shallow
    for at, column in enumerate(_COLUMN.finditer(line)):
        wide = width_of(line[: column.end()])
        if wide <= columns * (_FIRST if at == 0 else _LATER) // 100:
            under = wide
    return under, shallow


def _pieces(line: str) -> list[str]:
    """The words of a line, each with the blanks before it; what stands in quotes or backticks is one."""
    words = _PIECE.findall(line)
    pieces: list[str] = []
    at = 0
    while at < len(words):
        end = _end_of_quoted(words, at)
        pieces.append("".join(words[at : end + 1]))
        at = end + 1
    return pieces


def _end_of_quoted(words: list[str], at: int) -> int:
    """The index of the word that ends what a word begins to quote; the word itself where it quotes nothing."""
    opened = words[at].strip().lstrip(_OPENING)
    mark = opened[:1]
    if mark not in _MARKS or not mark:
        return at
    for index in range(at, len(words)):
        text = words[index].strip()
        if index == at:
            text = opened[1:]
        if text.rstrip(_CLOSING).endswith(mark) or (index == at and mark in text):
            return index
    return at
