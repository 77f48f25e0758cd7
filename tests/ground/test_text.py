"""Text that is shown, logged or used as a name (house.md: nothing leaves or arrives unseen)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.text import escape, has_unsafe_character, is_unsafe_character, nearest, one_line

ANY_TEXT = st.text(st.characters())
"""Every code point, lone surrogates included: what a file name can hold."""

CONTROLS = [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0))]
BIDI = [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
INVISIBLE = [*"\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\ufff9\ufffa\ufffb", "\U0001d173", "\U000e0001"]
TAGS = [*map(chr, range(0xE0020, 0xE0080))]
SEPARATORS = [*"\u2028\u2029"]
NONCHARACTERS = ["\ufffe", "\uffff"]
SURROGATES = ["\ud800", "\udc80", "\udcff", "\udfff"]
HOSTILE = [*CONTROLS, *BIDI, *INVISIBLE, *TAGS, *SEPARATORS, *NONCHARACTERS, *SURROGATES]

NAMES = [
    "Ben",
    "Zoë Müller-Łukasz",
    "Αθηνά",
    "Дмитрий",
    "שרה כהן",
    "محمد علي",
    "می‌خواهم",  # Persian needs the zero-width non-joiner
    "क्‍ष",  # Hindi needs the zero-width joiner
    "சுப்பிரமணியன்",
    "ဒေါ်အောင်ဆန်း",
    "สมชาย",
    "山田太郎",
    "葛\U000e0100城",  # an ideographic variant, as in Japanese family names
    "김민수",
    "ნინო",
    "Նարեկ",
    "አበበ",
    "ᏣᎳᎩ",
    "👩‍👩‍👧‍👦 family",
    "🏳️‍🌈",
    "résumé — final (v2) “x”",
    "\u0600\u0661",  # the Arabic number sign is drawn although it is a format character
    "a\u0301",
]


@pytest.mark.parametrize("char", HOSTILE, ids=lambda c: f"U+{ord(c):04X}")
def test_a_control_bidi_or_invisible_character_is_unsafe(char: str) -> None:
    """Each of them is recognised, alone and inside a text, and never survives `escape` or `one_line`."""
    assert is_unsafe_character(char)
    assert has_unsafe_character(f"a{char}b")
    assert char not in escape(f"a{char}b")
    assert char not in one_line(f"a{char}b")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_script_survives(name: str) -> None:
    """People's names are shown and stored exactly as they are written."""
    assert not has_unsafe_character(name)
    assert escape(name) == name
    assert one_line(name) == name


@pytest.mark.parametrize("char", [*"\u115f\u1160\u3164\uffa0\u17b4\u17b5"], ids=lambda c: f"U+{ord(c):04X}")
def test_a_letter_that_nobody_can_see_is_unsafe(char: str) -> None:
    """Hangul fillers and the Khmer inherent vowels are invisible: two names could look the same."""
    assert is_unsafe_character(char)


@given(ANY_TEXT)
def test_escaped_text_holds_nothing_unsafe(text: str) -> None:
    """After `escape` no character is a control, a bidi control, invisible or half a pair."""
    escaped = escape(text)
    assert not has_unsafe_character(escaped)
    assert not set(escaped) & set(HOSTILE)
    escaped.encode()


@given(ANY_TEXT)
def test_escaping_twice_changes_nothing_more(text: str) -> None:
    """`escape` is idempotent, and leaves text that is safe as it is."""
    once = escape(text)
    assert escape(once) == once
    if not any(unicodedata.category(c) in {"Cc", "Cf", "Cn", "Zl", "Zp", "Cs"} for c in text):
        assert once == text


@given(ANY_TEXT)
def test_a_text_is_unsafe_when_one_of_its_characters_is(text: str) -> None:
    """The short cut for ASCII text gives the same answer as looking at every character."""
    assert has_unsafe_character(text) is any(is_unsafe_character(c) for c in text)


def test_escapes_are_readable() -> None:
    """A person can tell what was there: the usual letters, the byte, or the code point."""
    assert escape("a\nb\r\tc") == "a\\nb\\r\\tc"
    assert escape("\x1b[31m") == "\\x1b[31m"
    assert escape("\u202e") == "\\u{202e}"
    assert escape(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\\xe9"


@given(ANY_TEXT, st.integers(1, 300))
def test_one_line_is_one_safe_line_within_its_limit(text: str, limit: int) -> None:
    """No line break of any kind, nothing unsafe, no run of spaces, never longer than the limit."""
    line = one_line(text, limit=limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
    assert not has_unsafe_character(line)
    assert line == " ".join(line.split())
    line.encode()


@given(ANY_TEXT)
def test_one_line_of_a_line_is_the_line(text: str) -> None:
    """`one_line` is idempotent."""
    line = one_line(text)
    assert one_line(line) == line


@pytest.mark.parametrize(
    "forged",
    ["Ben\n## 2026-01-01 - squirrel:x", "Ben\r\n## x", "Ben\u2028## x", "Ben\x85## x", "Ben\x0b## x", "Ben\x1b[2J"],
)
def test_a_line_break_in_a_name_becomes_a_space(forged: str) -> None:
    """A sender cannot start a new line in a log."""
    assert one_line(forged).startswith("Ben ")


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    """A cut text says that it was cut."""
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert one_line("x" * 200) == "x" * 200


@pytest.mark.parametrize("text", [" " * 1600 + "Ben", "a" + " " * 1700 + "b", ("a" + " " * 100) * 50])
def test_text_behind_a_long_run_of_spaces_is_not_lost_silently(text: str) -> None:
    """Either it is there, or an ellipsis says that something was cut."""
    assert one_line(text) == " ".join(text.split()) or one_line(text).endswith("…")


def test_a_very_long_text_finishes() -> None:
    """Ten million characters of anything are reduced without looking at all of them."""
    assert one_line("a\n" * 5_000_000).endswith("…")


def test_the_nearest_word_is_suggested() -> None:
    """A slip suggests what was meant; something else suggests nothing."""
    assert nearest("shielding-reveiw", ["engineering", "shielding-review"]) == "shielding-review"
    assert nearest("zzz", ["engineering", "shielding-review"]) is None
    assert nearest("x", []) is None
