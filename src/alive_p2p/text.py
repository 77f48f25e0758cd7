"""Which characters are safe to show, to store in one line, and to use in a name.

Text from packages, relays and file names is hostile until it has passed through here: it may hold escape codes
for the terminal, line breaks that forge an entry in a log, or characters that nobody can see.
"""

import unicodedata

_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiner and non-joiner: invisible, but emoji, Persian and Hindi cannot be written without them."""

_VISIBLE_FORMAT = frozenset(
    [*map(chr, range(0x0600, 0x0606)), "\u06dd", "\u070f", "\u0890", "\u0891", "\u08e2", "\U000110bd", "\U000110cd"]
)
"""Characters that Unicode counts as format characters although they are drawn (Arabic number signs and the like)."""

_ALSO_UNSAFE = frozenset("\ufffe\uffff\u115f\u1160\u3164\uffa0\u17b4\u17b5")
"""Not characters at all and not allowed in YAML; and letters that nobody can see."""

_LINE_BREAKING = frozenset(["Cc", "Zl", "Zp", "Cs"])
_NOT_IN_YAML = frozenset("\ufffe\uffff")

_FORBIDDEN_CATEGORIES = frozenset(["Cc", "Cf", "Zl", "Zp", "Cs"])


def is_unsafe_character(char: str) -> bool:
    """Whether a character is a control, a bidi control, invisible, a line separator or half a surrogate pair.

    The rule of format.md §1 for member names (item 5), used for every one-line text as well.
    """
    if char.isascii():
        return char < " " or char == "\x7f"
    if char in _ALSO_UNSAFE:
        return True
    if unicodedata.category(char) not in _FORBIDDEN_CATEGORIES:
        return False
    return char not in _JOINERS and char not in _VISIBLE_FORMAT


def has_unsafe_character(text: str) -> bool:
    """Whether any character of `text` is unsafe (see `is_unsafe_character`)."""
    if text.isascii() and text.isprintable():
        return False
    return any(map(is_unsafe_character, text))


def breaks_the_line(text: str) -> bool:
    """Whether a text has a line break, a control character, or one that YAML cannot hold (format.md §2)."""
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(char) in _LINE_BREAKING or char in _NOT_IN_YAML for char in text)


def escape(text: str) -> str:
    """Make text safe to print: unsafe characters become visible escapes, everything else stays.

    Line breaks and tabs are escaped as well; split multi-line text before.
    """
    if not has_unsafe_character(text):
        return text
    return "".join(_escape_character(c) if is_unsafe_character(c) else c for c in text)


def _escape_character(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if char in named:
        return named[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, smuggled through by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def fold(name: str) -> str:
    """The form in which names are compared where case and Unicode form must not matter: case-folded, NFC."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def one_line(text: str, *, limit: int = 200) -> str:
    """Reduce text to one safe line of at most `limit` characters, for a log or a ledger.

    Unsafe characters become spaces, runs of spaces become one, and what is too long is cut with an ellipsis.
    """
    text = text.strip()
    clean = "".join(" " if is_unsafe_character(c) else c for c in text[: limit * 8])
    clean = " ".join(clean.split())
    is_whole = len(clean) <= limit and len(text) <= limit * 8
    return clean if is_whole else clean[: limit - 1].rstrip() + "…"


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that is closest to a mistyped one, or None if none is close."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None
