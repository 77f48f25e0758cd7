"""The exclusion language (share.md §3): what is misunderstood here leaves the machine."""

import unicodedata
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import UsageError
from alive_p2p.globs import Pattern, pattern_for

EXAMPLES = [
    # no `/`: that name at any depth
    ("notes.md", "notes.md", True),
    ("notes.md", "a/notes.md", True),
    ("notes.md", "a/b/notes.md", True),
    ("notes.md", "a/notes.md/b", True),
    ("notes.md", "xnotes.md", False),
    ("notes.md", "notes.mdx", False),
    ("notes.md", "a/notes.md.bak", False),
    ("*.md", "a/b/c.md", True),
    ("*.md", "a/b.md/c.txt", True),
    ("*.md", ".md", True),
    ("*.md", "md", False),
    # with `/`: the whole path from the root
    ("a/b", "a/b", True),
    ("a/b", "a/b/c/d", True),
    ("a/b", "x/a/b", False),
    ("a/b", "a", False),
    ("a/b", "a/bc", False),
    # `*`, `?` and classes stay within one segment
    ("a/*.md", "a/b.md", True),
    ("a/*.md", "a/b/c.md", False),
    ("a*b", "a/b", False),
    ("a?b", "a/b", False),
    ("a?b", "axb", True),
    ("a?b", "ab", False),
    ("a[!x]b", "a/b", False),
    ("a[bc]d", "abd", True),
    ("a[bc]d", "aed", False),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "aee", False),
    ("a[!b-d]e", "axe", True),
    ("a[!b-d]e", "ace", False),
    ("[*]", "*", True),
    ("[*]", "a", False),
    ("[?]", "?", True),
    ("[?]", "a", False),
    ("[[]x", "[x", True),
    ("[a-]", "-", True),
    ("[-a]", "-", True),
    ("[a!]", "!", True),
    # `**`: any number of segments, also none
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/x/y/b/z", True),
    ("a/**/b", "x/a/b", False),
    ("**/b", "b", True),
    ("**/b", "a/x/b", True),
    ("a/**", "a/x", True),
    ("a/**", "a/x/y", True),
    ("a/**", "ab/x", False),
    ("**", "anything/at/all", True),
    ("**/a/**/b/**", "x/a/y/b/z", True),
    ("**/a/**/b/**", "x/b/y/a/z", False),
    # a directory means everything beneath it, with or without a trailing `/`
    ("drafts", "drafts/x/y", True),
    ("drafts/", "drafts/x/y", True),
    ("drafts/", "a/drafts/x", True),
    ("a/drafts/", "a/drafts/x/y", True),
    ("dra*", "drafts/x", True),
    # … but a last segment of just `*` means that one level
    ("a/*", "a/b", True),
    ("a/*", "a/b/c", False),
    ("a/*/", "a/b/c", False),
    ("a/*/c", "a/b/c/d", True),
    ("a/**/*", "a/b/c", True),
    # case-sensitive
    ("Notes.md", "notes.md", False),
    ("[A-Z]", "a", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), EXAMPLES)
def test_every_row_of_the_pattern_language(pattern: str, path: str, *, expected: bool) -> None:
    """The table of share.md §3, example by example."""
    assert Pattern.parse(pattern).matches(path) is expected


def test_the_form_that_a_refusal_recommends_works() -> None:
    """The refusal of `{a,b}` says to write `[{]` for a literal brace: then that has to be a pattern."""
    with pytest.raises(UsageError, match=r"`\[\{\]` for a literal brace"):
        Pattern.parse("{x}")
    assert Pattern.parse("[{]x[}]").matches("{x}")


@pytest.mark.parametrize(
    "pattern",
    [
        "!a",
        "!",
        "{a,b}",
        "a{b",
        "a}",
        "/a",
        "/",
        "//",
        "./a",
        "a\\b",
        "\\*",
        "",
        "a//b",
        "a//",
        ".",
        "..",
        "a/./b",
        "a/../b",
        "../a",
        "a**",
        "**a",
        "a/**b/c",
        "***",
        "[",
        "[a",
        "a]",
        "[]",
        "[!]",
        "[^a]",
        "[z-a]",
        "a[b/c]d",
        "a\nb",
        "a\x00b",
        "a\u200bb",
        "a\u202eb",
        "a\udc80b",
    ],
)
def test_a_malformed_or_foreign_pattern_is_refused(pattern: str) -> None:
    """Guessing wrong leaks: what this language does not have is an error that names the pattern."""
    with pytest.raises(UsageError) as refused:
        Pattern.parse(pattern)
    assert refused.value.code == "bad-pattern"
    assert refused.value.hint


# --- against an independent matcher --------------------------------------------------------------------------

Token = tuple[str, ...]
Segment = tuple[Token, ...] | None  # None is `**`


def reference(segments: tuple[Segment, ...], path: str) -> bool:
    """A slow matcher written from the table: recursive, over structure instead of text."""

    def matches_one(token: Token, char: str) -> bool:
        kind = token[0]
        if kind == "literal":
            return token[1] == char
        if kind == "any":
            return True
        members = set(token[2:])
        return (char in members) is (token[1] == "plain")

    def matches_name(tokens: tuple[Token, ...], name: str) -> bool:
        @cache
        def go(t: int, n: int) -> bool:
            if t == len(tokens):
                return n == len(name)
            if tokens[t][0] == "star":
                return go(t + 1, n) or (n < len(name) and go(t, n + 1))
            return n < len(name) and matches_one(tokens[t], name[n]) and go(t + 1, n + 1)

        return go(0, 0)

    def matches_path(parts: tuple[Segment, ...], names: tuple[str, ...]) -> bool:
        if not parts:
            return not names
        if parts[0] is None:
            return matches_path(parts[1:], names) or (bool(names) and matches_path(parts, names[1:]))
        return bool(names) and matches_name(parts[0], names[0]) and matches_path(parts[1:], names[1:])

    whole = segments if len(segments) > 1 else (None, *segments)
    names = tuple(path.split("/"))
    if segments[-1] == (("star",),):
        return matches_path(whole, names)
    return any(matches_path(whole, names[:n]) for n in range(1, len(names) + 1))


def render(segments: tuple[Segment, ...]) -> str:
    def one(token: Token) -> str:
        if token[0] == "class":
            return f"[{'!' if token[1] == 'negated' else ''}{''.join(token[2:])}]"
        return {"star": "*", "any": "?"}.get(token[0]) or token[1]

    return "/".join("**" if segment is None else "".join(map(one, segment)) for segment in segments)


LETTERS = "abé"
_token = st.one_of(
    st.sampled_from(LETTERS).map(lambda c: ("literal", c)),
    st.just(("any",)),
    st.just(("star",)),
    st.builds(
        lambda kind, members: ("class", kind, *sorted(members)),
        st.sampled_from(["plain", "negated"]),
        st.sets(st.sampled_from(LETTERS), min_size=1),
    ),
)
_name_pattern = (
    st.lists(_token, min_size=1, max_size=6)
    .map(tuple)
    .filter(lambda tokens: all(a != b for a, b in pairwise(tokens) if a == ("star",)))
)
_segments = st.lists(st.one_of(_name_pattern, st.none()), min_size=1, max_size=4).map(tuple)
_path = st.lists(st.text(LETTERS, min_size=1, max_size=5), min_size=1, max_size=5).map("/".join)


@given(_segments, _path)
def test_matching_agrees_with_an_independent_matcher(segments: tuple[Segment, ...], path: str) -> None:
    """For every pattern and path the quick matcher and the plain recursive one say the same."""
    assert Pattern.parse(render(segments)).matches(path) is reference(segments, path)


@given(_segments, _path)
def test_a_pattern_matches_what_lies_below_what_it_matches(segments: tuple[Segment, ...], path: str) -> None:
    """Whatever matches as a directory matches with everything beneath it, but for a last `*`."""
    pattern = Pattern.parse(render(segments))
    if segments[-1] != (("star",),) and pattern.matches(path):
        assert pattern.matches(f"{path}/below/it")
    if pattern.matches_itself(path):
        assert pattern.matches(path)


@given(_segments, _path)
def test_composed_and_decomposed_names_are_the_same(segments: tuple[Segment, ...], path: str) -> None:
    """A pattern typed on one system meets a name stored by another: both are compared in NFC."""
    text = render(segments)
    expected = Pattern.parse(text).matches(path)
    decomposed = unicodedata.normalize("NFD", path)
    assert Pattern.parse(text).matches(decomposed) is expected
    assert Pattern.parse(unicodedata.normalize("NFD", text)).matches(path) is expected


@given(st.text(st.characters(), max_size=20), st.text(st.characters(), min_size=1, max_size=20))
def test_any_text_is_a_pattern_or_a_usage_error(text: str, path: str) -> None:
    """Nothing but our own error leaves the parser, and a pattern that parses can be matched with any path."""
    try:
        pattern = Pattern.parse(text)
    except UsageError:
        return
    assert pattern.matches(path) in {True, False}
    assert pattern.matches_ignoring_case(path) in {True, False}


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda t: "/" not in t))
def test_a_name_without_special_characters_matches_itself(name: str) -> None:
    """Where a name is accepted as a pattern and has no wildcard, it means exactly that name."""
    try:
        pattern = Pattern.parse(name)
    except UsageError:
        return
    assert pattern.matches(name) or set(name) & set("*?[")
    assert pattern.matches(f"a/{name}/b") or set(name) & set("*?[")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a*" * 30 + "b", "a" * 255),
        ("*a" * 127 + "*b", "a" * 255),
        ("/".join(["**", "a"] * 30) + "/b", "/".join(["a"] * 127)),
        ("/".join(["**", "*a*a*a"] * 10) + "/b", "/".join(["a" * 20] * 12)),
        ("[!b]*" * 25 + "b", "a" * 255),
    ],
)
def test_a_pattern_full_of_stars_finishes(pattern: str, path: str) -> None:
    """Patterns that make a backtracking matcher run for ever are answered: they do not match."""
    assert not Pattern.parse(pattern).matches(path)


def test_a_different_case_does_not_match_but_can_be_noticed() -> None:
    """The hint 'would match if case were ignored' is what stands between a slip and a leak."""
    pattern = Pattern.parse("Drafts/*.MD")
    assert not pattern.matches("drafts/a.md")
    assert pattern.matches_ignoring_case("drafts/a.md")
    assert not pattern.matches_ignoring_case("drafts/a.txt")
    assert Pattern.parse("STRASSE").matches_ignoring_case("straße")
    assert Pattern.parse("[A-C]x").matches_ignoring_case("bX")
    assert not Pattern.parse("[Z-a]").matches_ignoring_case("q")


def test_what_the_person_wrote_is_kept() -> None:
    """Messages name the pattern as it was typed."""
    assert Pattern.parse("a/drafts/").text == "a/drafts/"


_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(_names.filter(lambda name: name not in {".", ".."}), min_size=1).map("/".join))
def test_any_path_can_be_spelled_as_a_pattern(path: str) -> None:
    """It parses, and matches the path it was made for."""
    assert Pattern.parse(pattern_for(path)).matches(path)
