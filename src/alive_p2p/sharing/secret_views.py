"""Other ways to read a window of text: what it says is not always what its bytes say.

A person does not see zero bytes and invisible characters, takes a table for one thing wherever it is cut, and may have
text of one byte a character where there should be two.
"""

import bisect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alive_p2p.sharing.secret_set import Hit

_INVISIBLE = re.compile(rb"\0+|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf|\xc2\xad")
_INVISIBLE_ONES = ("\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00ad")
_INVISIBLE_BYTES = tuple(one.encode() for one in _INVISIBLE_ONES)
_ZEROS = re.compile(rb"\0+")

_TWO_IN_ONE = re.compile(rb"(?:[\xe2-\xe7][\x80-\xbf]{2}){8}")
"""What text of one byte a character looks like (in UTF-8) after it was read as if it had two."""

Found = tuple[int, int, Hit]


@dataclass(frozen=True)
class View:
    """A window read in another way, and where in the window a place of it is."""

    data: bytes
    place: Callable[[int], int]


def views_of(data: bytes, *, wide: str = "", heading: bytes = b"") -> Iterator[View]:
    """The other ways to read a window, none for most.

    Args:
        data: the window.
        wide: the encoding, where the file has two bytes a character.
        heading: of the table that the window goes on with.
    """
    is_marked = not data.isascii() and any(data.find(one, 1) > 0 for one in _INVISIBLE_BYTES)
    if is_marked or b"\0" in data:
        yield _without(data, _INVISIBLE)
    if wide and _TWO_IN_ONE.search(data):
        yield _narrow(data, wide)
    if heading:
        yield View(heading + data, lambda place: place - len(heading))


def _without(data: bytes, pattern: "re.Pattern[bytes]") -> View:
    """The text without what a person does not see in it."""
    kept: list[int] = []  # where in the view something was left out, and how much by then
    gone: list[int] = []

    def place(position: int) -> int:
        if not kept:
            spans = [match.span() for match in pattern.finditer(data)]
            gone.extend(itertools.accumulate((end - start for start, end in spans), initial=0))
            kept.extend(start - lost for (start, _), lost in zip(spans, gone, strict=False))
        return position + gone[bisect.bisect_right(kept, position)]

    return View(pattern.sub(b"", data), place)


def _narrow(data: bytes, encoding: str) -> View:
    """The text of one byte a character in what was read as if all of it had two."""
    lead = len(data) - len(data.lstrip(bytes(range(0x80, 0xC0))))  # the rest of a character that the window cuts
    wide = data[lead:].decode("utf-8", "ignore").encode(encoding)
    view = _without(wide, _ZEROS)

    def place(position: int) -> int:
        return lead + len(wide[: view.place(position) & ~1].decode(encoding, "ignore").encode())

    return View(view.data, place)


def merged(found: list[Found], more: list[Found]) -> list[Found]:
    """What was found, in order of place, and what overlaps none of it."""
    starts = [start for start, _, _ in found]
    fresh = []
    for one in more:
        place = bisect.bisect_left(starts, one[1])
        if place == 0 or found[place - 1][1] <= one[0]:
            fresh.append(one)
    return sorted([*found, *fresh], key=lambda one: one[:2])
