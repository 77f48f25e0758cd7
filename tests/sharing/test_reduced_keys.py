"""A reduced `key.md` is what a careful person would let leave the machine (share.md §4): golden data and properties.

In the golden keys everything that has to stay at home says Quill: a person, an address or a link.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_reduced_keys import FOLDER, UNTYPEABLE, WALNUT

from alive_p2p.sharing.reduced_key import KEPT_FIELDS, REDUCED_MARK, reduced_key
from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.key import Sensitivity, read_key

STAYS = b"quill"

NAMES = sorted(path.name.removesuffix(".key.md") for path in FOLDER.glob("*.key.md"))


def reduced(key: str | bytes) -> bytes:
    return reduced_key(read_key(key.encode() if isinstance(key, str) else key), WALNUT)


def plain(data: bytes) -> bytes:
    """Comparable whatever the case and the encoding."""
    return data.replace(b"\0", b"").lower()


def fields(data: bytes) -> dict[str, Any]:
    block = frontmatter.read(data)
    assert block.is_present
    assert block.problem is None
    return dict(block.fields)


def golden(name: str, kind: str) -> bytes:
    return (FOLDER / f"{name}.{kind}.md").read_bytes()


# --- golden keys ---------------------------------------------------------------------------------------------


def test_the_golden_data_is_there_and_complete() -> None:
    """At least forty keys, each with what becomes of it, and those that are made by the script as the script has them.

    A checkout that changed line endings would test something else.
    """
    assert len(NAMES) >= 40
    assert {path.name for path in FOLDER.glob("*.reduced.md")} == {f"{name}.reduced.md" for name in NAMES}
    assert {name: golden(name, "key") for name in UNTYPEABLE} == UNTYPEABLE


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_key_is_reduced_to_what_a_person_accepted(name: str) -> None:
    """Byte for byte."""
    assert reduced(golden(name, "key")).decode() == golden(name, "reduced").decode()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_person_accepted_names_nobody(name: str) -> None:
    """No golden holds what has to stay, and it is a key that can be read, as private as the one it was made of."""
    accepted = golden(name, "reduced")
    assert STAYS not in plain(accepted)
    assert set(fields(accepted)) <= set(KEPT_FIELDS)
    assert read_key(accepted).sensitivity is read_key(golden(name, "key")).sensitivity
    assert accepted.count(REDUCED_MARK.encode()) == 1


def test_the_golden_keys_hold_something_to_lose() -> None:
    """A key in which nothing has to stay would show nothing."""
    assert {name for name in NAMES if STAYS not in plain(golden(name, "key"))} == {"empty"}


@pytest.mark.parametrize("name", NAMES)
def test_reducing_a_golden_key_again_changes_nothing(name: str) -> None:
    """What was reduced is reduced already, whatever the walnut is called where it arrives."""
    once = reduced(golden(name, "key"))
    assert STAYS not in plain(once)
    assert reduced_key(read_key(once), "another-name") == once


ADDRESSES = {
    "in the title": "# Ferry of Ann <ann.quill@example.org>\n",
    "in the text": "# Ferry\n\nBook with ann.quill@example.org.\n",
    "in two ways": "# Ferry\n\n[ann@quill.example](mailto:ann@quill.example?cc=bea@quill.example)\n",
    "in a link": "# Ferry\n\nhttps://example.org/?to=ann.quill@example.org\n",
    "in bold": "# Ferry\n\n**ann.quill@example.org**\n",
    "as an entity": "# Ferry\n\nann.quill&#64;example.org\n",
    "percent-encoded": "# Ferry\n\n[Ann](MAILTO:ann.quill%40example.org)\n",
    "with an unseen character": '---\nname: "ann.quill\\u200b@example.org"\n---\n# Ferry\n',
    "wide": "# Ferry\n\nann.quill\uff20example.org\n",
    "in the goal": "---\ngoal: Help ann.quill@example.org cross\n---\n# Ferry\n",
    "as the name": "---\nname: ann.quill@example.org\n---\n# Ferry\n",
    "in the tags": "---\ntags: [sea, ann.quill@example.org]\n---\n# Ferry\n",
}


@pytest.mark.parametrize("key", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_no_address_leaves_in_what_is_kept(key: str) -> None:
    """What stands around it does, and is not reduced further."""
    made = reduced(key)
    assert STAYS not in plain(made)
    assert b"(address left out)" in made
    assert b"# Ferry" in made
    assert reduced(made) == made


@pytest.mark.parametrize(
    "text",
    [
        "[Timetable](https://example.org/times)",
        "<https://example.org/@ferry>",
        "A part of [[shipping]].",
        "Two @ a time, or at 3 p.m. @ the quay.",
    ],
)
def test_a_link_in_what_is_kept_stays_in_it(text: str) -> None:
    """The owner wrote it into the opening; the mark promises nothing about it."""
    assert reduced(f"# Ferry\n\n{text}\n").endswith(f"\n\n# Ferry\n\n{text}\n".encode())


SECTIONS = {
    "without a blank": "##Quill",
    "with a wide blank": "##\u3000Quill",
    "deep": "######Quill",
    "in a list": "- ## Quill",
    "in a numbered list": "12) ## Quill",
    "in a quote in a list": "* > 1. ### Quill",
    "far to the right": "          ## Quill",
    "after tabs": "\t\u00a0## Quill",
    "after a byte-order mark": "\ufeff## Quill",
    "with something unseen inside": "#\u200b#\u2060 Quill",
    "after a Hangul filler": "\u3164## Quill",
    "in HTML": "text <H3 class='x'>Quill</H3>",
    "a second title in HTML": "<h1>Quill</h1>",
    "a second title in a quote": "> # Quill",
    "in a code block": "```\nx\n## Quill\n```",
    "underlined in a code block": "```\nQuill\n---\n```",
    "underlined in a quote": "> Quill\n> ---",
    "in a definition list": ":   ## Quill",
}


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS.keys())
@pytest.mark.parametrize("ending", ["\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_a_section_in_any_dialect_ends_what_is_kept(section: str, ending: str) -> None:
    """Whatever somebody takes for a heading, with any line ending."""
    body = f"# Ferry\n\nEvery hour.\n\n{section}\n\nQuill\n\nMore of Quill.\n".replace("\n", ending)
    made = reduced("---\nname: Ferry\n---\n" + body)
    assert made.endswith(b"\n\n# Ferry\n\nEvery hour.\n")
    assert reduced(made) == made


BLOCKS = {
    "fields": "owner: Quill\n\n# Ferry\n",
    "fields of two words": "full name: Quill\n\n# Ferry\n",
    "fields after blank lines": "\n \u200b\n\nowner: Quill\n",
    "fields in quotes": '"owner": Quill\n',
    "fields in a list": "- owner: Quill\n",
    "TOML": "+++\nowner = 'Quill'\n+++\n# Ferry\n",
    "TOML without a fence": "owner = 'Quill'\n# Ferry\n",
    "JSON": '{\n"owner": "Quill"\n}\n# Ferry\n',
    "dashes": "---\nQuill\n\n---\n# Ferry\n",
    "dashes after a byte-order mark": "\ufeff---\nQuill\n---\n# Ferry\n",
    "dashes behind a comment": "<!-- key -->\n---\nQuill\n---\n",
    "dashes behind a definition": "[x]: y\n\n---\nQuill\n---\n",
    "a title block": "% Ferry\n% Quill\n",
    "a code block": "```yaml\nowner: Quill\n```\n# Ferry\n",
}


@pytest.mark.parametrize("body", BLOCKS.values(), ids=BLOCKS.keys())
@pytest.mark.parametrize("head", ["", "---\nname: harbour\n---\n"], ids=["alone", "below"])
def test_of_a_body_that_begins_with_a_block_nothing_is_kept(body: str, head: str) -> None:
    """With frontmatter above it or without; the second block is no text either."""
    if head or not body.removeprefix("\ufeff").startswith("---"):  # else that block is the frontmatter
        assert reduced(head + body).endswith(REDUCED_MARK.encode() + b"\n\n")
    assert STAYS not in plain(reduced(head + body))


HIDDEN = {
    "a link definition": "[x]: https://quill.example\n  'Quill'\n",
    "a label on two lines": "[x\ny]: https://quill.example\n",
    "a footnote": "[^1]: Quill\n\n    and more of Quill\n",
    "in a quote": "> [//]: # (Quill)\n",
    "a comment in a comment": "<!-<!-- a -->- Quill -->\n",
    "a comment that may be code": "`<!--`\n\n## Quill\n\n`-->` Quill\n",
    "a comment in a code block": "```\n<!--\n```\n## Quill\n```\n-->\n```\nQuill\n",
    "a comment that is short for some": "<!-->\n## Quill\n-->\nQuill\n",
    "a definition before a section": "[x]: y\n## Quill\n\nQuill\n",
    "comments without end": "<!-" * 40 + "<!-- a -->" + "- -->" * 39 + "\n## Quill\n",
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_text_stays(hidden: str) -> None:
    """What no reader sees, and what only some do not see."""
    made = reduced(f"# Ferry\n\n{hidden}")
    assert STAYS not in plain(made)
    assert reduced(made) == made


@pytest.mark.parametrize("name", ["", "' '", '"\\u200b"', "{a: b}", "[[a]]", "[]", "~"])
def test_a_name_that_says_nothing_gives_way_to_the_walnuts(name: str) -> None:
    """So that the result has one, and is not given another where it arrives."""
    assert fields(reduced(f"---\nname: {name}\n---\n"))["name"] == WALNUT


@pytest.mark.parametrize("value", ["1.10", "007", "yes", "1.0e300", "-0.0", "2026-04-07", "+5"])
def test_a_value_is_spelled_as_in_the_file(value: str) -> None:
    """A version is not shortened to a number."""
    assert f"created: {value}\n" in reduced(f"---\ncreated: {value}  # x\n---\n").decode().replace('"', "")


# --- how private it is ---------------------------------------------------------------------------------------

SPELLINGS = [
    ("sensitivity: open", Sensitivity.OPEN),
    ("sensitivity: OPEN", Sensitivity.OPEN),
    ("sensitivity: ' Open '", Sensitivity.OPEN),
    ('"sensitivity": "open"', Sensitivity.OPEN),
    ("sensitivity : open # but not for Quill", Sensitivity.OPEN),
    ("? sensitivity\n: open", Sensitivity.OPEN),
    ("sensitivity: >\n  open", Sensitivity.OPEN),
    ("sensitivity: opened", Sensitivity.PRIVATE),
    ("sensitivity: public", Sensitivity.PRIVATE),
    ("sensitivity: [open]", Sensitivity.PRIVATE),
    ("sensitivity: {level: open}", Sensitivity.PRIVATE),
    ("sensitivity: open, later private", Sensitivity.PRIVATE),
    ("sensitivity: private", Sensitivity.PRIVATE),
    ("sensitivity: Normal", Sensitivity.PRIVATE),
    ("sensitivity: shared", Sensitivity.PRIVATE),
    ("sensitivity:", Sensitivity.PRIVATE),
    ("sensitivity: ~", Sensitivity.PRIVATE),
    ("sensitivity: false", Sensitivity.PRIVATE),
    ("sensitivity: 0", Sensitivity.PRIVATE),
    ("meta: {sensitivity: open}", Sensitivity.PRIVATE),
    ("# sensitivity: open", Sensitivity.PRIVATE),
    ("sensitivity: open\nsensitivity: open", Sensitivity.PRIVATE),
    ("sensitivity: &level open", Sensitivity.PRIVATE),
    ("sensitivity: restricted", Sensitivity.RESTRICTED),
    ("sensitivity: Restricted", Sensitivity.RESTRICTED),
    ("sensitivity: 'RESTRICTED'", Sensitivity.RESTRICTED),
    ("'sensitivity': |\n  restricted", Sensitivity.RESTRICTED),
    ("sensitivity: restricted!", Sensitivity.RESTRICTED),
    ("sensitivity: [restricted]", Sensitivity.RESTRICTED),
    ("sensitivity: {level: restricted}", Sensitivity.RESTRICTED),
    ("sensitivity: open\nsensitivity: restricted", Sensitivity.RESTRICTED),
    ("sensitivity: !word restricted", Sensitivity.RESTRICTED),
    ("\tsensitivity: restricted", Sensitivity.RESTRICTED),
    ("Sensitivity: restricted", Sensitivity.RESTRICTED),
    ("SENSITIVITY: Restricted", Sensitivity.RESTRICTED),
]


@pytest.mark.parametrize(("line", "expected"), SPELLINGS)
def test_a_reduced_key_is_as_private_as_the_key_says_in_any_spelling(line: str, expected: Sensitivity) -> None:
    """Never less private, and the word stands in the result for whoever shares it on."""
    key = read_key(f"---\nname: Ferry\n{line}\n---\n# Ferry\n".encode())
    assert key.sensitivity is expected
    assert fields(reduced_key(key, WALNUT))["sensitivity"] == expected.word


# --- properties ----------------------------------------------------------------------------------------------

SECRET = "ZQX7MARKER"
"""Nothing that is generated below can spell it by accident."""

_word = st.text(st.characters(categories=["L", "N", "So"]), min_size=1, max_size=8)
_sentence = st.lists(_word, min_size=1, max_size=5).map(" ".join)
_secret = st.tuples(_word, _word).map(lambda around: f"{around[0]} {SECRET} {around[1]}")
_other_name = st.one_of(
    st.sampled_from(
        ["people", "email", "e-mail", "links", "repo", "parent", "phone", "url", "owner", "notes", "Name", "GOAL"]
    ),
    st.text(st.characters(categories=["L"]), min_size=1, max_size=10).filter(lambda name: name not in KEPT_FIELDS),
)


def _in_every_style(name: str, secret: str) -> list[str]:
    quoted = f'"{secret}"'
    return [
        f"{name}: {quoted}\n",
        f"'{name}': '{secret}'\n",
        f"{name}: |\n  {secret}\n\n  more\n",
        f"{name}: >-\n  {secret}\n  more\n",
        f"{name}: [{quoted}, {{name: {quoted}}}]\n",
        f"{name}: {{{quoted}: [1, 2]}}\n",
        f"{name}:\n  - name: {quoted}\n    email: {quoted}\n",
        f"{name}:\n- - {quoted}\n",
        f"{name}:\n  {quoted}:\n    role: baker\n",
        f"? {name}\n: - {quoted}\n",
        f"{name}: 1 # {secret}\n",
        f"# {name}: {secret}\n",
        f"{name}: &{SECRET} x\n",
        f"{name}:\n\t- {secret}\n",
        f"{name}: [{secret}\n",
    ]


_planted_field = st.builds(_in_every_style, _other_name, _secret).flatmap(st.sampled_from)
_kept_field = st.sampled_from(
    ['type: "venture"\n', "name: Ferry\n", "goal: >\n  Cross the sound\n", "tags: [a, b]\n", "rhythm:\n- daily\n"]
)
_heading = st.builds(
    lambda indent, hashes, blank, text: f"{' ' * indent}{hashes}{blank}{text}\n",
    st.integers(0, 3),
    st.sampled_from(["##", "###", "######"]),
    st.sampled_from([" ", "  ", "\t"]),
    _sentence,
)
_underlined = st.builds(lambda text, dashes: f"\n{text}\n{'-' * dashes}\n", _secret, st.integers(1, 20))
_quiet_block = st.one_of(
    _sentence.map(lambda text: f"{text}\n\n"),
    st.just("- one\n- two\n\n"),
    st.just("```sh\nmake\n```\n\n"),
    st.just("~~~~\n```\nmake\n~~~~\n\n"),
    st.just("***\n\n"),
    st.just("| a | b |\n| --- | --- |\n\n"),
)
_comment = st.builds(
    lambda before, secret, after: f"<!--{before}{secret}{after}-->",
    st.sampled_from(["", "\n", "\n## ", "\n---\n", "\n```\n", " <!-- "]),
    _secret,
    st.sampled_from(["", "\n", "\n```\n", "\n# x\n"]),
)
_ending = st.sampled_from(["\n", "\r\n", "\r"])


def _sound(data: bytes, sensitivity: Sensitivity) -> None:
    """What holds for every reduced key."""
    assert SECRET.encode() not in data
    assert set(fields(data)) <= set(KEPT_FIELDS)
    assert read_key(data).sensitivity is sensitivity
    assert data.count(REDUCED_MARK.encode()) == 1
    data.decode()
    assert reduced_key(read_key(data), "another-name") == data


@given(st.permutations([0, 1, 2]), st.lists(_kept_field, unique=True), _planted_field, _planted_field, _ending)
def test_a_marker_in_any_other_field_stays(
    order: list[int], kept: list[str], one: str, other: str, ending: str
) -> None:
    """In any YAML style, before, between and after what is kept; with any line ending, and where it is no YAML."""
    parts = ["".join(kept), one, other]
    key = f"---\n{''.join(parts[index] for index in order)}---\n# Ferry\n\nText.\n".replace("\n", ending)
    _sound(reduced(key), read_key(key.encode()).sensitivity)


@given(st.lists(_quiet_block, max_size=4), st.one_of(_heading, _underlined), st.lists(_quiet_block), _secret, _ending)
def test_a_marker_in_any_section_stays(
    opening: list[str], heading: str, before: list[str], secret: str, ending: str
) -> None:
    """Behind the first heading below the title nothing leaves, whatever stands before it; what stands there does."""
    start = f"# Ferry\n\n{''.join(opening)}"
    key = f"---\nname: Ferry\n---\n{start}{heading}{''.join(before)}{secret}\n\n# {secret}\n\n{secret}\n"
    head, _, body = key.partition("---\n# ")
    made = reduced(f"{head}---\n# {body.replace(chr(10), ending)}")
    _sound(made, Sensitivity.PRIVATE)
    assert made.decode().split(REDUCED_MARK)[1].strip("\n") == start.strip("\n")


@given(st.lists(st.one_of(_comment, _quiet_block), max_size=6), _comment, st.booleans(), st.booleans())
def test_a_marker_in_any_comment_stays(blocks: list[str], last: str, closed: bool, in_title: bool) -> None:
    """Wherever it begins, however many lines it has, and also where it never ends."""
    text = "".join(blocks) + (last if closed else last.removesuffix("-->"))
    key = f"---\nname: Ferry\n---\n# Ferry {text if in_title else ''}\n\n{text}\n"
    _sound(reduced(key), Sensitivity.PRIVATE)


@given(st.sampled_from(list(Sensitivity)), st.lists(_kept_field, unique=True), st.lists(_quiet_block), _planted_field)
def test_a_reduced_key_is_stable(level: Sensitivity, kept: list[str], blocks: list[str], planted: str) -> None:
    """The same bytes each time, of the same sensitivity, and reduced again it is the same."""
    head = f"{''.join(kept)}sensitivity: {level.word}\n{planted}"
    key = f"---\n{head}---\n# Ferry\n\n{''.join(blocks)}## Crew\n\n{SECRET}\n"
    read = read_key(key.encode())
    made = reduced(key)
    assert made == reduced(key)
    assert read.sensitivity in (level, Sensitivity.PRIVATE)  # what cannot be parsed is private, unless restricted
    assert level is not Sensitivity.RESTRICTED or read.sensitivity is level
    _sound(made, read.sensitivity)


def test_a_number_as_a_value_is_stable() -> None:
    """Also one whose shortest form is no number in YAML."""
    for value in ("1", "-7", "2.5", "1.10", "1e3", "007"):
        once = reduced(f"---\nname: {value}\n---\n# T\n")
        assert reduced(once) == once


@pytest.mark.parametrize("value", ["1.0e300", "1.0e-9", "9.9e999"])
def test_a_very_large_number_as_a_value_is_stable(value: str) -> None:
    """What a number is written as is read as the same number."""
    once = reduced(f"---\nname: {value}\n---\n# T\n")
    assert reduced(once) == once
