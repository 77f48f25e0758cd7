"""How lines fit a terminal: nothing is lost, nothing is wider, and names from right to left stay where they are."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alive_p2p.cli.columns import cut, fitted, isolated, padded, width_of
from alive_p2p.text import escape

ARABIC, HEBREW, CHINESE, EMOJI, COMBINED = "محطة نوفا", "תחנה", "日本語の駅", "👩‍🚀🛡️", "cafe\u0301"
NAMES = [ARABIC, HEBREW, CHINESE, EMOJI, COMBINED, "x" * 90, "plain"]
WORDS = st.one_of(
    st.sampled_from(NAMES), st.text(min_size=1, max_size=12).map(lambda text: escape(text).strip() or "x")
)
LINES = st.builds(
    lambda indent, words, gaps: (
        " " * indent + "".join(word + " " * gap for word, gap in zip(words, gaps, strict=False)).rstrip(" ")
    ),
    st.integers(0, 12),
    st.lists(WORDS, min_size=1, max_size=12),
    st.lists(st.integers(1, 3), min_size=12, max_size=12),
)


@given(LINES, st.sampled_from([60, 80, 200]))
@example("0 " + "x" * 90, 60)
def test_nothing_is_wider_but_what_cannot_be_broken(line: str, columns: int) -> None:
    """A line fits, or is one word, or something in quotes, after its indent or what is no wider than another indent."""
    for part in fitted(line, columns):
        quoted = re.sub(r"(['\"`]).*\1", "x", part.strip())
        first, _, rest = quoted.partition(" ")
        assert width_of(part) <= columns or " " not in (rest.strip() if width_of(first) <= 2 else quoted), part


@given(LINES, st.sampled_from([60, 80, 200]))
def test_nothing_is_lost(line: str, columns: int) -> None:
    """The parts hold every word in order, and a line that fits is left as it is."""
    parts = fitted(line, columns)
    assert " ".join(" ".join(parts).split(" ")).split() == line.split()
    if width_of(line) <= columns:
        assert parts == [line]


@given(LINES)
def test_isolating_adds_only_what_nobody_sees(line: str) -> None:
    """Without the isolates it is the very same text, each is closed, and its width is the same."""
    shown = isolated(line)
    assert re.sub("[\u2066\u2068\u2069]", "", shown) == line
    assert len(re.findall("[\u2066\u2068]", shown)) == shown.count("\u2069")
    assert width_of(shown) == width_of(line)


@pytest.mark.parametrize("name", [ARABIC, HEBREW])
@pytest.mark.parametrize("line", ["{} 12 files", "'{}', 3 of 4", "a/{}/{}/b.md (7)", "{}: {}", "x {}"])
def test_what_is_from_right_to_left_reaches_nothing_else(line: str, name: str) -> None:
    """Outside the isolates there is no character that has a direction from right to left."""
    shown = isolated(line.format(name, name))
    outside = re.sub("\u2068[^\u2069]*\u2069", "", shown)
    assert {unicodedata.bidirectional(char) for char in outside}.isdisjoint({"R", "AL", "AN"})
    assert shown.count("\u2068") == line.count("{}")


def test_a_command_is_copied_as_it_has_to_be_typed() -> None:
    """Nothing stands inside the backticks that is not part of the command, and it is not broken."""
    command = f"`alive-p2p create --exclude '{ARABIC}/' --walnut 'my {CHINESE}'`"
    shown = isolated(f"leave it out with {command}, or fix it")
    assert command in shown
    assert any(command in part for part in fitted(shown, 60))


@pytest.mark.parametrize("name", [*NAMES[:-2], "plain", "a\x1b[31mb", ""])
def test_columns_are_counted_as_a_terminal_counts(name: str) -> None:
    """What stands behind a padded name begins at one and the same column."""
    assert width_of(padded(name, 40)) == 40


def test_what_is_broken_off_goes_on_under_its_column() -> None:
    """A labelled value, a list, a table: the eye stays in the column; what would be too far in goes under the label."""
    value = "  fingerprint   " + " ".join(["abcd"] * 16)
    assert [part.index("a") for part in fitted(value, 60)[1:]] == [16]
    assert fitted("  deposit       " + "x" * 50, 60) == ["  deposit", "    " + "x" * 50]
    listed = fitted("  - " + "word " * 20, 60)
    assert all(part.startswith("    word") for part in listed[1:])


def test_an_apostrophe_is_no_quote() -> None:
    """Only what begins with a mark and ends with it is kept together."""
    assert len(fitted("it isn't 'x' and it's not so " * 4, 60)) > 1
    assert len(fitted("a lone ' and " * 12, 60)) > 1


@given(LINES, st.integers(20, 80))
def test_what_is_cut_fits_and_is_whole(line: str, columns: int) -> None:
    """Where nothing may be wider, every part fits, and together they are the line."""
    parts = cut(line, columns)
    assert "".join(parts) == line
    assert all(width_of(part) <= columns for part in parts)
