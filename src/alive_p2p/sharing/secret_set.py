"""All rules as one set: which of them may find something in a text, and what they find there.

One automaton reads the text once and tells whose triggers fire; only those rules look for the place and judge it.
Without re2 the standard library asks every rule by itself, which is slower and comes to the same.
"""

import bisect
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from alive_p2p.sharing.secret_rules import RULES, Rule


@dataclass(frozen=True)
class Hit:
    """A secret that a rule has found: `start` and `end` are its place in the text that was matched."""

    rule: Rule
    start: int
    end: int
    match: "re.Match[bytes]"

    @property
    def secret(self) -> bytes:
        """The secret's bytes; what only says that one follows, such as a key's first line, is none of it."""
        start = self.match.end("header") if "header" in self.match.re.groupindex else self.start
        return self.match.string[start : self.end]


def hits(data: bytes, fired: Iterable[int], *, is_code: bool, is_text: bool) -> list[Hit]:
    """What the rules find, in order of place; where two overlap, the rule that comes first has it."""
    starts: list[int] = []
    taken: list[Hit] = []
    anchors: dict[bytes, list[int]] = {}  # several rules have the same
    for index in sorted(fired):
        rule = RULES[index]
        if rule.in_text_only and not is_text:
            continue
        fresh = [hit for hit in _judged(rule, data, is_code, anchors) if _is_free(hit, starts, taken)]
        if fresh:
            taken = sorted([*taken, *fresh], key=lambda hit: hit.start)
            starts = [hit.start for hit in taken]
    return taken


def _judged(rule: Rule, data: bytes, is_code: bool, anchors: dict[bytes, list[int]]) -> Iterator[Hit]:
    free = 0  # where the last hit ended
    for match in _matches(rule, data, anchors):
        if match.start() >= free and (span := rule.judge(match, is_code)) is not None:
            yield Hit(rule, *span, match)
            free = match.end()


def _matches(rule: Rule, data: bytes, anchors: dict[bytes, list[int]]) -> Iterator["re.Match[bytes]"]:
    if not rule.anchor:
        return rule.compiled.finditer(data)
    if (places := anchors.get(rule.anchor)) is None:
        places = anchors[rule.anchor] = [anchor.start() for anchor in _finder(rule.anchor)(data.lower())]
    return rule.find(data, places) if rule.find is not None else _anchored(rule, data, places)


def _anchored(rule: Rule, data: bytes, places: list[int]) -> Iterator["re.Match[bytes]"]:
    """Matches at every anchor, also inside others: in `token: secret: …` the first value is the second name."""
    for place in places:
        if (match := rule.compiled.match(data, place)) is not None:
            yield match


def _is_free(hit: Hit, starts: list[int], taken: list[Hit]) -> bool:
    """Whether a place overlaps none of those taken."""
    place = bisect.bisect_left(starts, hit.end)
    return place == 0 or taken[place - 1].end <= hit.start


# --- the automaton ------------------------------------------------------------------------------------------------


@functools.cache
def triggers(*, in_text: bool = True) -> Callable[[bytes], list[int]]:
    """A function that tells which rules may find something in a text: their indices, a superset.

    Args:
        in_text: whether rules that mean nothing in binary data are among them; it reads faster without.
    """
    try:
        import re2
    except ImportError:
        return slow_triggers() if in_text else slow_triggers(in_text=False)
    chosen = [index for index, rule in enumerate(RULES) if in_text or not rule.in_text_only]
    automaton = re2.Set.SearchSet(_options(re2))
    for index in chosen:
        automaton.Add(RULES[index].trigger)
    automaton.Compile()
    return lambda data: [chosen[place] for place in automaton.Match(data) or ()]


@functools.cache
def _finder(pattern: bytes) -> Callable[[bytes], Iterable["re.Match[bytes]"]]:
    """A function that finds a pattern, by re2 if it is there: five times as fast."""
    try:
        import re2
    except ImportError:
        return re.compile(pattern).finditer
    find: Callable[[bytes], Iterable[re.Match[bytes]]] = re2.compile(pattern, _options(re2)).finditer
    return find


def _options(re2: Any) -> Any:  # noqa: ANN401 - a module without types
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are
    options.never_capture = True
    options.log_errors = False  # the text is private, and a log is not
    options.max_mem = 64 << 20
    return options


@functools.cache
def slow_triggers(*, in_text: bool = True) -> Callable[[bytes], list[int]]:
    """The same with the standard library alone."""
    compiled = [
        (index, re.compile(rule.anchor or rule.trigger), bool(rule.anchor))
        for index, rule in enumerate(RULES)
        if in_text or not rule.in_text_only
    ]

    def fired(data: bytes) -> list[int]:
        lower = data.lower()
        return [index for index, pattern, is_anchor in compiled if pattern.search(lower if is_anchor else data)]

    return fired
