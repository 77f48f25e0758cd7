"""Reading YAML of others: refuse early, finish always, never fail with anything but our own error."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alive_p2p.safe_yaml import RELAXED, Dialect, UnsafeYamlError, decode, load, load_mapping, top_level_lines

STRICT = Dialect(max_size=1 << 20, max_depth=6, max_scalars=1_000, strict=True)


# --- the strict dialect --------------------------------------------------------------------------------------


def test_the_strict_dialect_reads_what_the_format_writes() -> None:
    """Block mappings and lists, quoted strings on one line, whole numbers, `[]` and `{}` when empty."""
    text = 'a: "x"\nb:\n  - path: "p"\n    size: 12\n  - "q"\nc: []\nd: {}\ne: 0\nf: \'it\'\'s\'\n'
    assert load(text, STRICT).value == {
        "a": "x",
        "b": [{"path": "p", "size": 12}, "q"],
        "c": [],
        "d": {},
        "e": 0,
        "f": "it's",
    }


FORBIDDEN = {
    "an alias": 'a: "x"\nb: *a\n',
    "an anchor": 'a: &x "x"\n',
    "an anchor on a mapping": 'a: &x\n  b: "c"\n',
    "an anchor on a key": '&x a: "b"\n',
    "a tag": 'a: !!str "x"\n',
    "a tag of one's own": 'a: !mine "x"\n',
    "a tag that runs code": "a: !!python/object/apply:os.system ['true']\n",
    "a non-specific tag": 'a: ! "x"\n',
    "a merge key": '<<: "x"\n',
    "a key given twice": 'a: "x"\na: "y"\n',
    "a key given twice in other quotes": 'a: "x"\n\'a\': "y"\n',
    "a key given twice, once escaped": 'a: "x"\n"\\x61": "y"\n',
    "a flow list": 'a: ["x"]\n',
    "a flow mapping": 'a: {b: "c"}\n',
    "a nested flow list": "a: [[]]\n",
    "a flow mapping at the top": '{a: "b"}\n',
    "a flow list over several lines": 'a: [\n  "x"\n]\n',
    "a literal block": "a: |\n  x\n",
    "a folded block": "a: >\n  x\n",
    "a double-quoted text on two lines": 'a: "x\n  y"\n',
    "a single-quoted text on two lines": "a: 'x\n  y'\n",
    "an escaped line break": 'a: "x\\\n  y"\n',
    "a key on two lines": '? "x\n  y"\n: "z"\n',
    "a block as a key": '? |\n  x\n: "z"\n',
    "a plain text": "a: x\n",
    "a boolean": "a: true\n",
    "a null": "a: null\n",
    "a tilde": "a: ~\n",
    "nothing": "a:\n",
    "a decimal": "a: 1.5\n",
    "a negative number": "a: -1\n",
    "a signed number": "a: +1\n",
    "an octal number": "a: 012\n",
    "a hexadecimal number": "a: 0x1f\n",
    "an underscored number": "a: 1_000\n",
    "an exponent": "a: 1e3\n",
    "infinity": "a: .inf\n",
    "a date": "a: 2026-04-07\n",
    "a sexagesimal number": "a: 1:30\n",
    "a number in another script": "a: \u0661\n",
    "a number too large": f"a: {2**63}\n",
    "a number of a thousand digits": f"a: {'9' * 1000}\n",
    "two documents": 'a: "x"\n---\nb: "y"\n',
    "two empty documents": "---\n---\n",
    "a version directive": '%YAML 1.1\n---\na: "x"\n',
    "a tag directive": '%TAG ! tag:x,2000:\n---\na: "x"\n',
    "a list as a key": '? ["x"]\n: "y"\n',
    "a mapping as a key": '? {a: "b"}\n: "y"\n',
    "deep nesting": "".join(f"{'  ' * n}a:\n" for n in range(7)) + "  " * 7 + 'a: "x"\n',
    "too many values": "".join(f'k{n}: "x"\n' for n in range(501)),
    "a tab as indentation": 'a:\n\tb: "x"\n',
    "an unclosed quote": 'a: "x\n',
    "an unclosed flow": "a: [",
    "a control character": 'a: "\x01"\n',
    "an unknown escape": 'a: "\\q"\n',
    "half a surrogate pair": 'a: "\\ud800"\n',
}


@pytest.mark.parametrize("text", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_strict_dialect_refuses(text: str) -> None:
    """Each construct outside the manifest's dialect is an error with a stable code."""
    with pytest.raises(UnsafeYamlError) as refused:
        load(text, STRICT)
    assert refused.value.code == "bad-yaml"


def test_the_largest_number_that_is_allowed() -> None:
    """Whole numbers reach to 2^63 - 1, and no further."""
    assert load(f"a: {2**63 - 1}", STRICT).value == {"a": 2**63 - 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a: "x"\n\n# c\nb: true\n', 4),
        ('a: "x"\nb:\n  - "y"\n  - *z\n', 4),
        ('a: "x"\r\nb: "y"\r\na: "z"\r\n', 3),
        ('a:\n  - "x"\n  - "y\n     z"\n', 3),
        ('a: "x"\nb: [1]\n', 2),
        ('a: "x"\n---\nb: "y"\n', 2),
        ('a: "x"\nb: "\n', 3),
    ],
)
def test_a_refusal_names_the_line(text: str, line: int) -> None:
    """Lines are counted from 1, also after comments and with Windows line endings."""
    with pytest.raises(UnsafeYamlError) as refused:
        load(text, STRICT)
    assert refused.value.line == line


# --- the relaxed dialect -------------------------------------------------------------------------------------

HAND_WRITTEN = """\
# my settings
name: Nova Station   # the venture
goal: 'it''s a "test"'
"quoted key": "tab\\tand \\u00e9"
tags: [alpha, "beta, gamma", 'd', 7, ]
people:
- name: Ben
  email: ben@example.org

- {name: Anna, roles: [a, b]}
created: 2026-04-07
time: 10:15
nothing:
tilde: ~
yes_it_is: yes
off_it_is: Off
text_yes: "yes"
n: n
count: 12
negative: -3
price: 1.5
half: .5
literal: |
  two
  lines
folded: >-
  one
  line
empty list: []
url: https://example.org/#x
"""


def test_the_relaxed_dialect_reads_what_people_write() -> None:
    """Every quoting style, lists at column 0, flow style, block texts, booleans and numbers; dates stay text."""
    assert load(HAND_WRITTEN, RELAXED).value == {
        "name": "Nova Station",
        "goal": 'it\'s a "test"',
        "quoted key": "tab\tand é",
        "tags": ["alpha", "beta, gamma", "d", 7],
        "people": [{"name": "Ben", "email": "ben@example.org"}, {"name": "Anna", "roles": ["a", "b"]}],
        "created": "2026-04-07",
        "time": "10:15",
        "nothing": None,
        "tilde": None,
        "yes_it_is": True,
        "off_it_is": False,
        "text_yes": "yes",
        "n": "n",
        "count": 12,
        "negative": -3,
        "price": 1.5,
        "half": 0.5,
        "literal": "two\nlines\n",
        "folded": "one line",
        "empty list": [],
        "url": "https://example.org/#x",
    }


def test_a_syntax_error_names_the_line() -> None:
    """A hand-written file that is not YAML says where."""
    with pytest.raises(UnsafeYamlError) as refused:
        load(HAND_WRITTEN + "plain over\n: no\n", RELAXED)
    assert refused.value.line == len(HAND_WRITTEN.splitlines()) + 2


def test_every_value_has_its_line() -> None:
    """For each key path the line it stands on, counted from 1."""
    text = "a: 1\n\n# c\np2p:\n  relay:\n    url: x\n  list:\n    - a\n\n    - b: 1\n      c: 2\nlast: [x,\n  y]\n"
    assert load(text, RELAXED).lines == {
        ("a",): 1,
        ("p2p",): 4,
        ("p2p", "relay"): 5,
        ("p2p", "relay", "url"): 6,
        ("p2p", "list"): 7,
        ("p2p", "list", 0): 8,
        ("p2p", "list", 1): 10,
        ("p2p", "list", 1, "b"): 10,
        ("p2p", "list", 1, "c"): 11,
        ("last",): 12,
        ("last", 0): 12,
        ("last", 1): 13,
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x\n",
        "a: !!str 1\n",
        "<<: {a: 1}\n",
        "a: {<<: {b: 1}}\n",
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "a: 1\n---\nb: 2\n",
        "%YAML 1.2\n---\na: 1\n",
        "? [a]\n: 1\n",
    ],
)
def test_the_relaxed_dialect_refuses_what_can_hurt(text: str) -> None:
    """Aliases, anchors, tags, merge keys, keys given twice, further documents and directives stay out."""
    with pytest.raises(UnsafeYamlError):
        load(text, RELAXED)


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    """Only the plain `<<` merges."""
    assert load('"<<": 1\n', RELAXED).value == {"<<": 1}


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "-" + "9" * 5000, "1" * 30 + ".5", "1." + "1" * 50])
def test_a_huge_number_stays_text(number: str) -> None:
    """Thousands of digits are neither converted nor an error of Python's."""
    assert load(f"a: {number}\n", RELAXED).value == {"a": number}


# --- attacks that have to finish -----------------------------------------------------------------------------


def merge_bomb() -> str:
    rows = ["a0: &a0 {k: v}"]
    rows += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    return "\n".join(rows)


SIZE = RELAXED.max_size
BOMBS = {
    "merge keys": merge_bomb(),
    "a billion laughs": "a: &a [x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a]\n" for n in range(50)),
    "an alias of itself": "&a [*a]\n",
    "flow lists": "[" * SIZE,
    "flow lists on lines": "[\n" * (SIZE // 2),
    "flow mappings": "{a: " * (SIZE // 4),
    "flow mappings as keys": "{" * SIZE,
    "block lists": "- " * (SIZE // 2),
    "block mappings": "\n".join(f"{' ' * n}a:" for n in range(1_000)),
    "explicit keys": "? " * (SIZE // 2),
    "colons": ": " * (SIZE // 2),
    "quotes": '"' * SIZE,
    "an open quote": '"' + "a\n" * (SIZE // 2 - 1),
    "exclamation marks": "!" * SIZE,
    "ampersands": "&" * SIZE,
    "stars": "*" * SIZE,
    "percent signs": "%" * SIZE,
    "tag directives": "".join(f"%TAG !a{n}! x\n" for n in range(3_000)),
    "unknown directives": "%FOO bar\n" * (SIZE // 9),
    "commas": "[" + "," * (SIZE - 2) + "]",
    "values": "[" + "a," * (SIZE // 2 - 1) + "]",
    "keys": "".join(f"k{n}: v\n" for n in range(60_000)),
    "keys alike": "a: 1\n" * (SIZE // 5),
    "documents": "---\n" * (SIZE // 4),
    "too long": "a" * (SIZE + 1),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("dialect", [STRICT, RELAXED], ids=["strict", "relaxed"])
def test_a_bomb_is_refused(text: str, dialect: Dialect) -> None:
    """Each is refused in both dialects; that the test ends is the point."""
    with pytest.raises(UnsafeYamlError):
        load(text, dialect)


@pytest.mark.parametrize(
    "text",
    [
        'a: "' + "\\\n" * (SIZE // 2 - 3) + '"',
        "\n" * SIZE,
        "#" * SIZE,
        "a " * (SIZE // 2),
        "a\n " * (SIZE // 3),
        "a: |\n" + "  \n" * (SIZE // 4),
        " " * SIZE,
    ],
    ids=[
        "escaped line breaks",
        "blank lines",
        "a comment",
        "one plain text",
        "a plain text on lines",
        "a block of blanks",
        "spaces",
    ],
)
def test_a_large_harmless_text_is_read(text: str) -> None:
    """A megabyte of nothing in particular is read to its end."""
    load(text, RELAXED)


# --- anything at all -----------------------------------------------------------------------------------------

YAMLISH = st.text("ab01 :-?,[]{}#&*!|>'\"%@`~<.\\=\n\r\t\x85\u2028\ufeffé", max_size=60)


@given(st.one_of(YAMLISH, st.text(max_size=60)))
@example("\ufeff")
@example("\ufeff\ufeffa: 1")
@example("--- |")
@example("? ")
@example("a: 'b\n--- c'")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `UnsafeYamlError` is ever raised, in either dialect."""
    for dialect in (STRICT, RELAXED):
        with contextlib.suppress(UnsafeYamlError):
            json.dumps(load(text, dialect).value)
    with contextlib.suppress(UnsafeYamlError):
        top_level_lines(text)


@given(st.one_of(st.binary(max_size=80), YAMLISH.map(str.encode), YAMLISH.map(lambda t: t.encode("utf-16"))))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Bytes of any kind give a mapping or `UnsafeYamlError`."""
    with contextlib.suppress(UnsafeYamlError):
        assert isinstance(load_mapping(data).value, dict)


def test_directives_without_end_are_refused() -> None:
    """Directives are not allowed at all, so they need not reach the parser."""
    dialect = Dialect(max_size=64 << 20, max_depth=6, max_scalars=200_000, strict=True)
    with pytest.raises(UnsafeYamlError):
        load("".join(f"%TAG !a{n}! x\n" for n in range(500_000)), dialect)


def test_half_a_surrogate_pair_is_refused() -> None:
    """Text that came from a file name or from JSON can hold one; it is not YAML, and no other error may leave."""
    with pytest.raises(UnsafeYamlError):
        load("a: \ud800", RELAXED)


_words = st.text(st.characters(codec="utf-8", categories=["L", "Nd", "Po", "Sm", "Zs"]), max_size=12)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**17), 10**17), _words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_words, inner, max_size=4)),
    max_leaves=12,
)


@given(_json)
def test_json_is_read_as_what_it_says(value: Any) -> None:
    """JSON is YAML in flow style: what is read is what was meant."""
    assert load(json.dumps(value, ensure_ascii=False), RELAXED).value == value


@given(st.dictionaries(_words.filter(bool), st.one_of(_words, st.integers(0, 2**63 - 1)), max_size=6))
def test_a_quoted_mapping_is_read_in_the_strict_dialect(value: dict[str, Any]) -> None:
    """Double-quoted strings with only `\\` and `"` escaped come back as they were."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    rows = [f"{quoted(k)}: {quoted(v) if isinstance(v, str) else v}\n" for k, v in value.items()]
    assert load_mapping("".join(rows).encode(), STRICT).value == value


def test_an_empty_document_is_an_empty_mapping() -> None:
    """A file that holds nothing says nothing."""
    for data in (b"", b"\n\n", b"# only a comment\n", b"---\n", b"\xef\xbb\xbf", b"~\n"):
        assert load_mapping(data).value == {}


@pytest.mark.parametrize("data", [b"- a\n", b"text\n", b"12\n", b"[]\n", b'""\n'])
def test_a_document_that_is_no_mapping_is_refused(data: bytes) -> None:
    """Where keys are expected, a list or a text is an error."""
    with pytest.raises(UnsafeYamlError, match="not a mapping"):
        load_mapping(data)


def test_bytes_that_are_not_utf_8_name_their_line() -> None:
    """The line of the first wrong byte is told; one byte-order mark is dropped."""
    with pytest.raises(UnsafeYamlError) as refused:
        decode(b"a: 1\nb: \xff\n")
    assert refused.value.line == 2
    assert decode(b"\xef\xbb\xbfa") == "a"


# --- which lines a key covers --------------------------------------------------------------------------------

STYLES = {
    "plain": ["KEY: x"],
    "comment behind": ["KEY: x # y"],
    "quoted": ['"KEY": "x"'],
    "space before the colon": ["KEY : x"],
    "nothing": ["KEY:"],
    "plain on lines": ["KEY: x", "  y", "  z"],
    "quoted on lines": ['KEY: "x', "", '  y"'],
    "literal": ["KEY: |", "  x", "", "  y"],
    "folded": ["KEY: >-", "  x"],
    "flow": ["KEY: [x, {y: z}]"],
    "flow on lines": ["KEY: [x,", "  # inside", "", "  y", "  ]"],
    "flow, closed at the margin": ["KEY: {x: 1", "}"],
    "list": ["KEY:", "  - x", "", "  # inside", "  - y"],
    "list at the margin": ["KEY:", "- x", "# inside", "- y: 1", "  z: 2"],
    "mapping": ["KEY:", "  x: 1", "  y:", "    - z"],
    "explicit": ["? KEY", ": - x", "  - y"],
    "ends in nothing": ["KEY:", "  - x:"],
}
_block = st.tuples(
    st.sampled_from(sorted(STYLES)), st.lists(st.sampled_from(["", "# a comment", "  # another"]), max_size=2)
)


@given(
    st.lists(_block, min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([[], ["---"], ["# first", ""]]),
)
def test_the_lines_of_a_key_are_those_of_its_value(
    blocks: list[tuple[str, list[str]]], ending: str, head: list[str]
) -> None:
    """Comments and blank lines inside a value belong to it; those after it do not."""
    lines = [*head]
    expected = {}
    for number, (style, gap) in enumerate(blocks):
        rows = [row.replace("KEY", f"key{number}") for row in STYLES[style]]
        expected[f"key{number}"] = (len(lines), len(lines) + len(rows) - 1)
        # blank lines behind a block text are part of it, so a comment comes first
        lines += rows + (["# a comment", *gap] if gap or style in {"literal", "folded"} else [])
    assert top_level_lines(ending.join([*lines, ""])) == expected


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "{a: 1}\n", "text\n"])
def test_only_a_block_mapping_has_lines_of_its_own(text: str) -> None:
    """A top level of another kind gives nothing."""
    assert top_level_lines(text) == {}


def test_a_key_without_a_value_covers_only_its_own_line() -> None:
    """`? key` alone is one line; what comes after belongs to somebody else."""
    assert top_level_lines("? a\n# comment\nb: 1\n") == {"a": (0, 0), "b": (2, 2)}


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_lines_that_cannot_be_counted_for_certain_are_not_counted(separator: str) -> None:
    """YAML ends a line with separators that editors do not, so a text that has one is refused."""
    with pytest.raises(UnsafeYamlError, match="separators"):
        top_level_lines(f'a: "x{separator}y"\nb: 1\n')
