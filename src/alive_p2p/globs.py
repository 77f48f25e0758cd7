"""The exclusion language (share.md §3).

| pattern           | matches                                                                     |
| ----------------- | --------------------------------------------------------------------------- |
| no `/`            | that name at any depth                                                      |
| with `/`          | the whole path from the package's root                                      |
| `*`, `?`, `[abc]` | within one segment; `[!a]` negates                                          |
| `**`              | any number of segments, also none                                           |
| a directory       | everything beneath it, unless the last segment is just `*`: that one level  |

Matching is case-sensitive and in NFC. It never backtracks over more than one star, so the time is bounded by the
product of the lengths. Forms that other languages have and this one does not are errors: a pattern that is
silently understood differently leaks.
"""

import unicodedata
from dataclasses import dataclass

from alive_p2p.errors import UsageError
from alive_p2p.text import has_unsafe_character


@dataclass(frozen=True)
class _Class:
    """A character class such as `[a-z]` or `[!0]`."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def matches(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


_STAR = "*"
_ANY = "?"
_Token = str | _Class
_Segment = tuple[_Token, ...] | None  # None stands for `**`


@dataclass(frozen=True)
class Pattern:
    """One parsed exclusion pattern; `text` is what the person wrote."""

    text: str
    _segments: tuple[_Segment, ...]
    _one_level: bool

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern.

        Raises:
            UsageError: the pattern is malformed or uses a form this language does not have.
        """
        _refuse_foreign_forms(text)
        body = unicodedata.normalize("NFC", text.removesuffix("/"))
        parts = body.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            raise _malformed(text, "it has an empty, `.` or `..` segment")
        segments = [_parse_segment(text, part) for part in parts]
        if len(parts) == 1:
            segments.insert(0, None)
        return cls(text, tuple(segments), parts[-1] == "*")

    def matches(self, path: str) -> bool:
        """Whether a package path, or a directory above it, is meant by this pattern."""
        return self._matches(tuple(unicodedata.normalize("NFC", path).split("/")))

    def matches_itself(self, path: str) -> bool:
        """Whether this very path is meant, and not only a directory above it."""
        return _match_segments(self._segments, tuple(unicodedata.normalize("NFC", path).split("/")))

    def matches_ignoring_case(self, path: str) -> bool:
        """Whether the pattern would match if upper and lower case were the same."""
        folded = unicodedata.normalize("NFC", path).casefold()
        try:
            folded_pattern = Pattern.parse(self.text.casefold())
        except UsageError:  # a range such as `[Z-a]` runs backwards once its ends are folded
            return False
        return folded_pattern.matches(folded)

    def _matches(self, names: tuple[str, ...]) -> bool:
        if self._one_level:
            return _match_segments(self._segments, names)
        return any(_match_segments(self._segments, names[:n]) for n in range(1, len(names) + 1))


def _malformed(text: str, why: str) -> UsageError:
    return UsageError(
        "bad-pattern",
        f"the pattern '{text}' cannot be used: {why}",
        hint="see `alive-p2p create --help` for the pattern language",
    )


def _refuse_foreign_forms(text: str) -> None:
    if not text or text == "/":
        raise _malformed(text, "it is empty")
    if text.startswith("!"):
        raise _malformed(text, "a leading `!` does not negate here; leave the pattern out instead")
    if text.startswith(("/", "./")):
        raise _malformed(text, "paths start at the package's root without `/` or `./`")
    if "\\" in text:
        raise _malformed(text, "it has a backslash; use `/` between folders and `[*]` for a literal star")
    if has_unsafe_character(text):
        raise _malformed(text, "it has a control or invisible character")


def _parse_segment(text: str, part: str) -> _Segment:
    if part == "**":
        return None
    if "**" in part:
        raise _malformed(text, "`**` has to stand alone between slashes")
    tokens: list[_Token] = []
    i = 0
    while i < len(part):
        char = part[i]
        if char == "[":
            end = part.find("]", i + 1)
            if end < 0:
                raise _malformed(text, "a `[` is not closed")
            tokens.append(_parse_class(text, part[i + 1 : end]))
            i = end
        elif char == "]":
            raise _malformed(text, "a `]` has no `[`")
        elif char in "{}":
            raise _malformed(
                text, "`{a,b}` is not part of this language; give two patterns, or `[{]` for a literal brace"
            )
        else:
            tokens.append(char)
        i += 1
    return tuple(tokens)


def _parse_class(text: str, body: str) -> _Class:
    negated = body.startswith("!")
    body = body.removeprefix("!")
    if not body:
        raise _malformed(text, "a `[]` is empty")
    if body.startswith("^"):
        raise _malformed(text, "`[^a]` is written `[!a]` here")
    ranges: list[tuple[str, str]] = []
    i = 0
    while i < len(body):
        if i + 2 < len(body) and body[i + 1] == "-":
            low, high = body[i], body[i + 2]
            if low > high:
                raise _malformed(text, f"the range `{low}-{high}` runs backwards")
            ranges.append((low, high))
            i += 3
        else:
            literal = body[i]
            ranges.append((literal, literal))
            i += 1
    return _Class(tuple(ranges), negated)


def _match_segments(pattern: tuple[_Segment, ...], names: tuple[str, ...]) -> bool:
    """Match whole segments; `**` is to segments what `*` is to characters."""
    p = n = 0
    star = mark = -1
    while n < len(names):
        segment = pattern[p] if p < len(pattern) else ()
        if p < len(pattern) and segment is None:
            star, mark = p, n
            p += 1
        elif p < len(pattern) and segment is not None and _match_name(segment, names[n]):
            p += 1
            n += 1
        elif star >= 0:
            mark += 1
            p, n = star + 1, mark
        else:
            return False
    return all(rest is None for rest in pattern[p:])


def _match_name(tokens: tuple[_Token, ...], name: str) -> bool:
    """Match one segment, remembering only the latest star: no exponential backtracking."""
    t = n = 0
    star = mark = -1
    while n < len(name):
        token = tokens[t] if t < len(tokens) else ""
        if token == _STAR:
            star, mark = t, n
            t += 1
        elif token and (token.matches(name[n]) if isinstance(token, _Class) else token in (_ANY, name[n])):
            t += 1
            n += 1
        elif star >= 0:
            mark += 1
            t, n = star + 1, mark
        else:
            return False
    return all(rest == _STAR for rest in tokens[t:])


def pattern_for(path: str) -> str:
    """A pattern that matches this path; where the language cannot spell a character, it stands for any (share.md §3).

    A path without `/` is a name, and a name matches at any depth.
    """
    spelled = (f"[{letter}]" if letter in "*?[" else letter for letter in path)
    return "".join("?" if part in _UNSPELLABLE or not part.isprintable() else part for part in spelled)


_UNSPELLABLE = frozenset("]!{}\\")
