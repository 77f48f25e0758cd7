"""Where lines end and which lines are headings."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut.markdown import headings, line_ending, split_lines

ANY = st.text(st.one_of(st.sampled_from("\n\r\x0b\x0c\x85\u2028#`~=- \t"), st.characters()), max_size=60)


@given(ANY)
def test_lines_join_to_the_text_they_came_from(text: str) -> None:
    """Nothing is lost; each line ends with LF, CRLF or CR, and holds none of them before its end."""
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(re.fullmatch(r"[^\r\n]*(?:\r\n|\r|\n)", line) for line in lines[:-1])
    assert all(lines)


def test_the_ending_is_that_of_the_first_line() -> None:
    """A text without a line break gets a line feed."""
    assert line_ending("a\r\nb\n") == "\r\n"
    assert line_ending("a\rb\n") == "\r"
    assert line_ending("\n\r\n") == "\n"
    assert line_ending("a") == "\n"
    assert line_ending("") == "\n"


CASES = {
    "six levels": ("# a\n## b\n###### c\n####### d\n", [(0, 1), (1, 2), (2, 6)]),
    "a space is needed": ("#a\n##\n## \n##\tb\n", [(1, 2), (2, 2), (3, 2)]),
    "up to three spaces before": ("   ## a\n\n    ## code\n", [(0, 2)]),
    "windows endings": ("## a\r\ntext\r\n\r\nb\r\n---\r\n", [(0, 2), (3, 2)]),
    "old mac endings": ("## a\rtext\r## b\r", [(0, 2), (2, 2)]),
    "underlined": ("a\n===\nb\n---\n", [(0, 1), (2, 2)]),
    "a rule is no underline": ("---\n\n---\n", []),
    "a rule after a heading": ("# a\n---\n", [(0, 1)]),
    "in a fence": ("```\n## a\nb\n---\n```\n## c\n", [(5, 2)]),
    "in a tilde fence": ("~~~ md\n## a\n```\n~~~\n## c\n", [(4, 2)]),
    "a fence is closed by one as long": ("````\n```\n## a\n`````\n## b\n", [(4, 2)]),
    "a fence is not closed by a line with text": ("```\n``` x\n## a\n```\n## b\n", [(4, 2)]),
    "a fence of the other kind does not close": ("```\n~~~\n## a\n```\n## b\n", [(4, 2)]),
    "an indented fence is none": ("    ```\n## a\n", [(1, 2)]),
    "inline code is no fence": ("``` a ```\n## b\n", [(1, 2)]),
    "text before a fence is not underlined": ("a\n```\nx\n```\n---\n", []),
    "a fence that is never closed": ("# a\n```\n## b\n", [(0, 1), (1, 0)]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_headings(text: str, expected: list[tuple[int, int]]) -> None:
    """The lines that are headings, with their levels, and no others."""
    assert list(headings(split_lines(text))) == expected


def test_an_underlined_heading_of_two_lines_begins_at_its_first() -> None:
    """The whole paragraph above the line is the heading."""
    assert list(headings(split_lines("intro\n\nBen Miller\nben@example.org\n---\n"))) == [(2, 2)]


@given(ANY)
def test_headings_of_any_text_are_lines_of_it(text: str) -> None:
    """Indices rise and lie within the text; levels are one to six, and zero for a fence that never ends."""
    lines = split_lines(text)
    found = list(headings(lines))
    assert all(0 <= index < len(lines) and 0 <= level <= 6 for index, level in found)
    assert [index for index, _ in found[:-1]] == sorted({index for index, _ in found[:-1]})


def test_a_large_text_finishes() -> None:
    """Lines that could make a search go back and forth do not."""
    for line in (
        "-" * 300_000 + "x",
        "a\n" + "-" * 300_000 + " " * 300_000 + "x",
        " " * 300_000,
        "`" * 300_000,
        "\r" * 300_000,
    ):
        list(headings(split_lines(f"a\n{line}\n")))
    assert len(split_lines("\n" * 300_000)) == 300_000
    assert len(split_lines("x" * 3_000_000)) == 1
