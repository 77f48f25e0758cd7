"""Characters that are not drawn, or that change the order of others, and what they hold (receive.md §13).

Tag characters, runs of zero-width characters and of variation selectors are read as the letters, bits or bytes that
they can stand for. What scripts and emoji need of them (joiners, flags, closed direction controls) is passed over.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from alive_p2p.text import escape, one_line

_EXCERPT = 80
_DECODED = 4096
"""How much of a hidden message is decoded for its excerpt."""

_ZERO_WIDTH = (
    "\u115f\u1160\u3164\uffa0"  # fillers of Hangul
    "\u180e"  # the Mongolian vowel separator
    "\u200b\u200c\u200d\u2060\ufeff"  # zero-width space, non-joiner, joiner, word joiner, no-break space
    "\u2061-\u2064"  # invisible function application, times, separator, plus
    "\u206a-\u206f"  # deprecated format controls
    "\u00ad\u034f\u200e\u200f\u061c\u17b4\u17b5"  # soft hyphen, grapheme joiner, direction marks, Khmer vowels
)
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d\u180f"
_TAGS = "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
_ANY = _ZERO_WIDTH + "\u180b-\u180d\u180f\ufe00-\ufe0f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff"
"""All of it. The fewer ranges, the quicker every look."""

_BETWEEN_LETTERS = "\u200b\u200c\u200d\u2060-\u2064\ufeff\u180e\u3164\uffa0\u115f\u1160"
"""What splits a word without a trace; a soft hyphen or a direction mark between letters has its use."""

_ALONE = f"(?<=[{_TAGS}\u202a-\u202e\u2066-\u2069])"
_IN_A_ROW = f"[{_ANY}]{{2}}|(?<=[{_SELECTORS}])[{_SELECTORS}]"
_SPLITTING = f"(?<=[A-Za-z][{_BETWEEN_LETTERS}])(?=[A-Za-z])"
_SUSPECT = re.compile(f"[{_ANY}](?:{_IN_A_ROW}|{_ALONE}|{_SPLITTING})")
"""The one look at text that is not ASCII; a single joiner, mark or selector is passed over without leaving it."""

_TAG_RUN = re.compile(f"[{_TAGS}]++")
_FLAG = "\U0001f3f4"
_FLAG_TAGS = re.compile("[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}\U000e007f")
"""What follows a black flag: a country and a part of it, such as `gbeng`, and the end."""

_SELECTOR_RUN = re.compile(f"[{_SELECTORS}]{{2,}}+")
_EMOJI_TWICE = "\ufe0f\ufe0f"
"""Some keyboards write it twice; it holds nothing."""

_INVISIBLE_RUN = re.compile(f"[{_ZERO_WIDTH}{_SELECTORS}]{{3,}}+")
_ZERO_WIDTH_CHARACTER = re.compile(f"[{_ZERO_WIDTH}]")
_IN_WORD = re.compile(f"(?<=[A-Za-z])[{_BETWEEN_LETTERS}](?=[A-Za-z])")
_LETTERS_APART = 3
_MIN_IN_LINE = 4
"""Three places in one word at most so many letters apart, or so many in a line of more than one kind."""

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BIDI_OR_END = re.compile("[\u202a-\u202e\u2066-\u2069\n\u2029]")
_LINE_ENDS = "\n\u2029"
_LINE_END = re.compile(f"[{_LINE_ENDS}]")
_OVERRIDES = "\u202d\u202e"
_ISOLATES = "\u2066\u2067\u2068"
_POP_EMBEDDING = "\u202c"
_POP_ISOLATE = "\u2069"
_ASCII_WORD = re.compile("[A-Za-z0-9]")
_LATIN = re.compile("[A-Za-z]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_MAX_DEPTH = 125
"""How deep direction controls can be nested before they have no effect (Unicode Annex 9)."""

_REACH = 120
"""How much of what a direction control governs is looked at."""

_ANY_INVISIBLE = re.compile(f"[{_ANY}]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]++")
_ASCII = bytes(range(0x80))


@dataclass(slots=True)
class _Opened:
    """A direction control that waits for its end: where it stands in the block, or what it governs if further back."""

    is_isolate: bool
    is_override: bool
    line: int
    at: int
    excerpt: str | None = None


class Findings(Protocol):
    """Where what is found is kept, by kind."""

    def is_full(self, kind: str) -> bool:
        """Whether more places of this kind would be no news."""

    def add(self, kind: str, line: Callable[[], int], excerpt: Callable[[], str]) -> None:
        """Add a place; its line and its excerpt are worked out only if they are wanted."""

    def add_shown(self, kind: str, line: int, text: str) -> None:
        """Add a place whose text is known already, as it stands in the file."""


class HiddenCharacters:
    """Looks for invisible characters, block by block. Only direction controls reach beyond a block.

    Args:
        findings: where they are added.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: list[_Opened] = []
        self._isolates = 0

    def may_concern(self, block: bytes) -> bool:
        """Whether a block can hold any of this, or the end of what was begun before."""
        if self._open:
            return True
        if block.isascii():
            return False
        # Without the ASCII most text is short, and what is left of it is quickly looked through.
        rest = block.translate(None, _ASCII)
        return _ANY_INVISIBLE.search(rest.decode("utf-8", "ignore")) is not None

    def look(self, text: str, line: int, *, invalid_bytes: int) -> None:
        """Look at a block, which begins in this line; so many of its bytes are not UTF-8."""
        if not self._open and _SUSPECT.search(text) is None:
            return
        is_foreign = invalid_bytes > sum(map(len, _NOT_ASCII.findall(text)))
        for kind, found in (
            ("tag-characters", partial(_tag_runs, shortest=3 if is_foreign else 1)),
            ("variation-selectors", _selector_runs),
            ("zero-width", _zero_width_runs),
            ("zero-width", _in_words),
        ):
            if not self._findings.is_full(kind):
                for start, excerpt in found(text):
                    self._findings.add(kind, partial(_line_of, text, start, line), excerpt)
        self._look_for_direction(text, line)

    def _look_for_direction(self, text: str, line: int) -> None:
        if self._findings.is_full("bidi-override") or not (self._open or _BIDI.search(text)):
            return
        for found in _BIDI_OR_END.finditer(text):
            char, at = found[0], found.start()
            if char in _LINE_ENDS:
                if self._open:
                    self._end_line(text)
                line += char == "\n"
            elif char == _POP_EMBEDDING:
                if self._open and not self._open[-1].is_isolate:
                    self._open.pop()
            elif char == _POP_ISOLATE:
                self._close_isolate()
            else:
                if char in _OVERRIDES and _ASCII_WORD.search(_governed(text, at)):
                    self._findings.add_shown("bidi-override", line, _around(text, at))
                if len(self._open) < _MAX_DEPTH:
                    self._open.append(_Opened(char in _ISOLATES, char in _OVERRIDES, line, at))
                    self._isolates += char in _ISOLATES
        for opened in self._open:
            _keep(opened, text)

    def _close_isolate(self) -> None:
        """The end of an isolate ends the embeddings that were begun in it as well."""
        while self._isolates:
            if self._open.pop().is_isolate:
                self._isolates -= 1
                return

    def _end_line(self, text: str) -> None:
        """A paragraph ends, and with it what was not closed."""
        for opened in self._open:
            _keep(opened, text)
            if opened.excerpt:
                self._findings.add_shown("bidi-override", opened.line, opened.excerpt)
                break
        self._open.clear()
        self._isolates = 0

    def finish(self) -> None:
        """The file ends, and with it its last line."""
        self._end_line("")


def _keep(opened: _Opened, text: str) -> None:
    """Note what a control governs, while that can be seen, if it is mostly Latin and reordered by it."""
    if opened.excerpt is None:
        governed = "" if opened.is_override else _governed(text, opened.at)
        is_latin = len(_LATIN.findall(governed)) > len(_RIGHT_TO_LEFT.findall(governed))
        opened.excerpt = _around(text, opened.at) if is_latin else ""


def _governed(text: str, at: int) -> str:
    """The control at this place and the rest of its line, as far as it is looked at."""
    return _LINE_END.split(text[at : at + _REACH], maxsplit=1)[0]


def _around(text: str, at: int) -> str:
    """A control with what it governs and a little of what stands before it in its line."""
    return _LINE_END.split(text[max(0, at - 20) : at])[-1] + _governed(text, at)


_Places = Iterator[tuple[int, Callable[[], str]]]
"""Where something begins, and what makes the excerpt if it is wanted."""


def _line_of(text: str, at: int, line: int) -> int:
    return line + text.count("\n", 0, at)


def _tag_runs(text: str, *, shortest: int) -> _Places:
    """Runs of tag characters. In text of another encoding one or two of them are only letters, read wrongly."""
    for run in _TAG_RUN.finditer(text):
        if len(run[0]) < shortest:
            continue
        if text[run.start() - 1 : run.start()] == _FLAG and _FLAG_TAGS.fullmatch(run[0]):
            continue
        yield run.start(), partial(_shown, _tag_letters, run[0][:_DECODED])


def _tag_letters(run: str) -> str:
    """The ASCII text that tag characters repeat."""
    return "".join(chr(ord(c) & 0x7F) for c in run)


def _selector_runs(text: str) -> _Places:
    for run in _SELECTOR_RUN.finditer(text):
        if run[0] != _EMOJI_TWICE:
            yield run.start(), partial(_shown, _selected_bytes, run[0][:_DECODED])


def _selected_bytes(run: str) -> str:
    """The text that a run of selectors holds if each of the 256 stands for a byte."""
    numbers = [ord(c) - (0xFE00 if c < "\U000e0100" else 0xE0100 - 16) for c in run if not "\u180b" <= c <= "\u180f"]
    return bytes(numbers).decode("utf-8", "replace")


def _zero_width_runs(text: str) -> _Places:
    for run in _INVISIBLE_RUN.finditer(text):
        hidden = _ZERO_WIDTH_CHARACTER.findall(run[0])
        if len(hidden) >= 3:
            yield run.start(), partial(_shown, _bits, "".join(hidden[:_DECODED]))


def _in_words(text: str) -> _Places:
    """Lines in which Latin words are strewn with zero-width characters; a break or two is good typography."""
    places: list[int] = []
    for found in _IN_WORD.finditer(text):
        if places and text.find("\n", places[-1], found.start()) >= 0:
            yield from _strewn(text, places)
            places = []
        places.append(found.start())
    yield from _strewn(text, places)


def _strewn(text: str, places: list[int]) -> _Places:
    close = [b - a <= _LETTERS_APART + 1 and text[a + 1 : b].isalpha() for a, b in itertools.pairwise(places)]
    are_of_many = len(places) >= _MIN_IN_LINE and len({text[at] for at in places}) > 1
    if are_of_many or any(a and b for a, b in itertools.pairwise(close)):
        hidden = "".join(text[at] for at in places)
        first = places[0]
        around = text[max(0, first - 20) : first + _EXCERPT]
        yield first, lambda: _bits(hidden) or excerpt_of(around)


def _bits(hidden: str) -> str:
    """The text in zero-width characters of two kinds, each a bit, or nothing."""
    kinds = sorted(set(hidden))
    if len(kinds) != 2 or len(hidden) < 16:
        return ""
    for zero in kinds:
        bits = "".join("0" if char == zero else "1" for char in hidden)
        for size in (8, 7, 16):
            codes = [int(bits[at : at + size], 2) for at in range(0, len(bits) - size + 1, size)]
            if all(0x20 <= code < 0x7F or code == 0x0A for code in codes):
                return one_line("".join(map(chr, codes)), limit=_EXCERPT)
    return ""


def _shown(decode: Callable[[str], str], run: str) -> str:
    """What a run says if it can be decoded and read, else how many of which characters there are."""
    decoded = decode(run)
    readable = one_line(decoded.replace("\ufffd", " "), limit=_EXCERPT)
    if readable and len(readable) * 2 >= min(len(decoded), _EXCERPT) and all(map(str.isprintable, readable)):
        return readable
    counts = Counter(run).most_common(3)
    return _shortened(", ".join(f"{count} × {unicodedata.name(c, f'U+{ord(c):04X}').lower()}" for c, count in counts))


def excerpt_of(text: str) -> str:
    """The beginning of a text as it stands in the file, with nothing invisible left in it."""
    return _shortened(_visible(text))


def _visible(text: str) -> str:
    """The text with everything that is invisible escaped, also what is safe to show elsewhere."""
    return _ANY_INVISIBLE.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", escape(text))


def _shortened(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"
