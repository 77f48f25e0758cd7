"""The YAML block at the top of a Markdown file, read tolerantly and edited in place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.frontmatter import set_scalar

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("bom", [b"", BOM], ids=["", "bom"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_block_is_found_and_taken_apart(bom: bytes, ending: bytes) -> None:
    """The YAML and the body lie where the offsets say, with every line ending and a byte-order mark."""
    data = bom + ending.join([b"---", b"a: 1", b"b: [x]", b"---", b"# Body", b"---", b""])
    block = frontmatter.read(data)
    assert block.is_present
    assert block.problem is None
    assert block.fields == {"a": 1, "b": ["x"]}
    assert data[block.start : block.end] == ending.join([b"a: 1", b"b: [x]", b""])
    assert data[block.body :] == ending.join([b"# Body", b"---", b""])


@pytest.mark.parametrize("data", [b"", b"# Title\n", b"- a\n", b"caf\xe9", BOM + b"text"])
def test_a_file_without_a_block_is_all_body(data: bytes) -> None:
    """No frontmatter is not a problem; a byte-order mark is not part of the body."""
    block = frontmatter.read(data)
    assert not block.is_present
    assert block.fields == {}
    assert block.problem is None
    assert data[block.body :] == data.removeprefix(BOM)


@pytest.mark.parametrize(
    "yaml", [b"a: [", b"a: 1\na: 2", b"- list", b"a: &x 1", b"a: \xff", b'a: "', b"\ta: 1", b"a: 1\x00"]
)
def test_a_block_that_cannot_be_parsed_is_still_a_block(yaml: bytes) -> None:
    """Its place is known, its fields are none, and the problem is told."""
    data = b"---\n" + yaml + b"\n---\nbody\n"
    block = frontmatter.read(data)
    assert block.is_present
    assert block.fields == {}
    assert block.problem
    assert data[block.body :] == b"body\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\n---\na: 1\n---\n",
        b" ---\na: 1\n---\n",
        b"----\na: 1\n----\n",
        b"---\ra: 1\r---\r",
        "---\na: 1\n---\n".encode("utf-16"),
    ],
    ids=["a blank line before", "a space before", "four dashes", "old line endings", "UTF-16"],
)
def test_a_block_that_others_may_see_is_a_problem(data: bytes) -> None:
    """What looks like frontmatter and is not read as such is not taken for a file that has none."""
    block = frontmatter.read(data)
    assert not block.is_present
    assert block.fields == {}
    assert block.problem


def test_a_block_that_is_never_closed_is_a_problem() -> None:
    """It is told apart from a file without frontmatter."""
    block = frontmatter.read(b"---\na: 1\n# Title\n")
    assert not block.is_present
    assert block.problem


def test_three_dots_close_a_block_and_an_empty_one_is_empty() -> None:
    """YAML's own end mark is understood; nothing between the marks is no field."""
    assert frontmatter.read(b"---\na: 1\n...\nbody").fields == {"a": 1}
    empty = frontmatter.read(b"---\n---\nbody")
    assert empty.is_present
    assert empty.fields == {}
    assert frontmatter.read(b"---\na: 1\n---").fields == {"a": 1}


MARKDOWNISH = st.lists(
    st.sampled_from([b"---", b"...", b"a: 1", b"b: [", b"# x", b"## y", b"", b"\r", b"\n", b"\xff", b" ", BOM, b"- z"]),
    max_size=14,
).flatmap(lambda parts: st.sampled_from([b"", b"\n", b"\r\n"]).map(lambda ending: ending.join(parts)))


@given(st.one_of(st.binary(max_size=80), MARKDOWNISH))
def test_any_bytes_are_taken_apart(data: bytes) -> None:
    """Reading never raises, and the offsets lie in order within the file."""
    block = frontmatter.read(data)
    assert 0 <= block.body <= len(data)
    if block.is_present:
        assert block.start <= block.end <= block.body
    else:
        assert (block.start, block.end) == (-1, -1)
    set_scalar(data, "a", "2")


# --- editing -------------------------------------------------------------------------------------------------

VALUE = "2026-04-07T10:16:00Z"
OLD = st.text("abcXYZ019:.-_", min_size=1, max_size=12).filter(
    lambda t: t[0] not in "-:.?" and not t.endswith(":") and not re.fullmatch(r"-+|\.+", t)
)
QUOTES = st.sampled_from(["", '"', "'"])
COMMENTS = st.sampled_from(["", " # set by hand", "\t# a: b", "   "])


@st.composite
def _edits(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A file, and what it should be afterwards."""
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    quote, key_quote = draw(QUOTES), draw(QUOTES)
    before_colon, after_colon = draw(st.sampled_from(["", " ", "  "])), draw(st.sampled_from([" ", "   "]))
    lead = f"{key_quote}last-entry{key_quote}{before_colon}:{after_colon}"
    comment = draw(COMMENTS)
    old = draw(OLD)
    # nested lines need the line above them; blocks of lines are shuffled as wholes
    blocks = [["walnut: nova"], ["# last-entry: in a comment"], ["nested:", "  last-entry: not this one"], [""]]
    blocks += [["'summary': 'it''s'"], ["last-entry-old: x"], ["x-last-entry: y"], ["list:", "- last-entry: nor this"]]
    chosen = draw(st.permutations(draw(st.lists(st.sampled_from(blocks), unique_by=str, max_size=6))))
    at = draw(st.integers(0, len(chosen)))
    bom = draw(st.sampled_from([b"", BOM]))
    body = draw(st.sampled_from(["", "last-entry: in the body", "# T\n\x00\udcff"]))

    def whole(value: str) -> bytes:
        rows = [row for block in chosen[:at] for row in block]
        rows.append(f"{lead}{quote}{value}{quote}{comment}")
        rows += [row for block in chosen[at:] for row in block]
        return bom + ending.join(["---", *rows, "---", body]).encode("utf-8", "surrogateescape")

    return whole(old), whole(VALUE)


@given(_edits())
def test_setting_a_value_changes_only_the_value(edit: tuple[bytes, bytes]) -> None:
    """Order, comments, quotes, spacing, line endings, the byte-order mark and the body stay, byte by byte."""
    before, after = edit
    assert set_scalar(before, "last-entry", VALUE) == after
    assert frontmatter.read(after).fields["last-entry"] == VALUE


@pytest.mark.parametrize(
    "yaml",
    [
        "other: x",
        "last-entry: [x]",
        "last-entry: {x: y}",
        "last-entry: |\n  x",
        "last-entry: >-\n  x",
        "last-entry:\n  - x",
        "last-entry:\n  nested: x",
        'last-entry: "two\n  lines"',
        "last-entry: 'it''s'",
        'last-entry: "a\\"b"',
        "nested:\n  last-entry: x",
        "# last-entry: x",
        "last-entry: one\n  two",
        "last-entry: one\n\n  two",
        "? last-entry\n: x",
        "{last-entry: x}",
    ],
)
def test_a_value_that_is_no_plain_scalar_is_left_alone(yaml: str) -> None:
    """None says that nothing could be changed with certainty."""
    assert set_scalar(f"---\n{yaml}\n---\nbody\n".encode(), "last-entry", VALUE) is None


@pytest.mark.parametrize("data", [b"", b"last-entry: x\n", b"---\nlast-entry: x\n", b"text\n---\nlast-entry: x\n---\n"])
def test_a_file_without_a_block_is_left_alone(data: bytes) -> None:
    """What looks like a field outside a block is none."""
    assert set_scalar(data, "last-entry", VALUE) is None


@pytest.mark.parametrize("yaml", ["last-entry: 2026-04-07 10:16", "last-entry: a#b", "last-entry: written by hand # c"])
def test_a_plain_value_of_several_words_is_set(yaml: str) -> None:
    """A date with a space is a plain one-line scalar like any other."""
    edited = set_scalar(f"---\n{yaml}\n---\n".encode(), "last-entry", VALUE)
    assert edited is not None
    assert frontmatter.read(edited).fields["last-entry"] == VALUE


@pytest.mark.parametrize(
    "yaml",
    [
        'summary: "a\nlast-entry: inside\nb"',
        "{\nlast-entry: x,\nb: 1}",
        "{\nb: 1,\nlast-entry: x}",
    ],
    ids=["inside a text", "flow, in the middle", "flow, at the end"],
)
def test_a_line_that_only_looks_like_the_field_is_left_alone(yaml: str) -> None:
    """What is edited is either exactly the value, or nothing."""
    data = f"---\n{yaml}\n---\n".encode()
    before = frontmatter.read(data).fields
    assert before
    edited = set_scalar(data, "last-entry", VALUE)
    assert edited is None or frontmatter.read(edited).fields == {**before, "last-entry": VALUE}


def test_an_empty_value_is_filled_in() -> None:
    """A field that waits for its first value gets it."""
    assert set_scalar(b"---\nlast-entry:\n---\n", "last-entry", "x") == b"---\nlast-entry: x\n---\n"
    assert set_scalar(b"---\r\nlast-entry:  # c\r\na: b\r\n---\r\n", "last-entry", "x") is not None


def test_a_very_long_line_finishes() -> None:
    """No line makes the search go back and forth."""
    for filler in (b" " * 200_000, b"a" * 200_000, b"a#" * 100_000, b'"' * 200_000, b" #" * 100_000):
        set_scalar(b"---\nlast-entry: " + filler + b"x!\n---\n", "last-entry", VALUE)
        set_scalar(b"---\nlast-entry" + filler + b"\n---\n", "last-entry", VALUE)


@pytest.mark.parametrize("value", [b"a" + b" " * 900_000 + b"b", b" " * 900_000 + b"'"])
def test_a_value_full_of_blanks_finishes(value: bytes) -> None:
    """A megabyte of spaces in a log that came in a package does not stop the receive."""
    set_scalar(b"---\nlast-entry: " + value + b"\n---\n", "last-entry", VALUE)
