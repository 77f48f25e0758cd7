"""What takes the place of something private (share.md §2, §4, §5): nothing planted may survive."""

import contextlib
import re
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from alive_p2p import safe_yaml
from alive_p2p.errors import WalnutError
from alive_p2p.safe_yaml import UnsafeYamlError
from alive_p2p.sharing.reduced_key import REDUCED_MARK, reduced_key
from alive_p2p.sharing.stubs import (
    insights_stub,
    log_stub,
    manifest_from_companion,
    primer,
)
from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.key import read_key
from alive_p2p.walnut.sessions import without_active_sessions

AT = "2026-04-07T10:15:00Z"
ANY_NAME = st.text(st.characters(), max_size=30)


def fields(data: bytes) -> dict[str, Any]:
    block = frontmatter.read(data)
    assert block.is_present
    assert block.problem is None
    return dict(block.fields)


# --- stubs ---------------------------------------------------------------------------------------------------


def test_the_stubs_word_for_word() -> None:
    """The wording is part of what a receiver sees: it changes on purpose or not at all."""
    assert log_stub("nova-station", AT, "abc123", "ben").decode() == (
        "---\n"
        'walnut: "nova-station"\n'
        "stubbed_at: 2026-04-07T10:15:00Z\n"
        "stubbed_by: squirrel:abc123\n"
        'reason: "history is not part of a share unless its owner asks for it"\n'
        "entry-count: 0\n"
        "---\n\n"
        "The history of this walnut stayed at home. If you need it, ask ben.\n"
    )
    assert insights_stub("nova-station", AT, "unknown").decode() == (
        "---\n"
        'walnut: "nova-station"\n'
        "stubbed_at: 2026-04-07T10:15:00Z\n"
        'reason: "insights are not part of a share unless their owner asks for it"\n'
        "---\n\n"
        "The insights of this walnut stayed at home. If you need them, ask whoever sent it to you.\n"
    )


@given(ANY_NAME, ANY_NAME, ANY_NAME)
def test_a_stub_of_any_walnut_is_one_block_and_one_paragraph(walnut: str, session: str, sender: str) -> None:
    """Its frontmatter parses, nothing in it is a heading, and the same inputs give the same bytes."""
    log, insights = log_stub(walnut, AT, session, sender), insights_stub(walnut, AT, sender)
    assert log == log_stub(walnut, AT, session, sender)
    assert insights == insights_stub(walnut, AT, sender)
    assert list(fields(log)) == ["walnut", "stubbed_at", "stubbed_by", "reason", "entry-count"]
    assert list(fields(insights)) == ["walnut", "stubbed_at", "reason"]
    assert fields(log)["stubbed_by"].startswith("squirrel:")
    assert fields(log)["entry-count"] == 0
    assert fields(log)["stubbed_at"] == AT
    for stub in (log, insights):
        assert not stub.decode()[frontmatter.read(stub).body :].strip().count("\n")
        assert b"\n#" not in stub


# --- a reduced key -------------------------------------------------------------------------------------------

SECRET = "MARKER"
"""Planted in everything that must not leave, here and in the keys below."""

KEPT_HEAD = 'type: "venture"\nname: "Nova"\ngoal: "Build it"\n'
HEAD = "type: venture\nname: Nova\ngoal: Build it\n"
BODY = "# Nova\n\nA station in orbit.\n\n## People\n\nBen MARKER <marker@MARKER.example>\n"
OPENING = "# Nova\n\nA station in orbit.\n"


def reduced(key: str | bytes) -> str:
    return reduced_key(read_key(key.encode() if isinstance(key, str) else key), "nova-station").decode()


def expected(head: str = KEPT_HEAD, opening: str = OPENING, sensitivity: str = "private") -> str:
    return f'---\n{head}sensitivity: "{sensitivity}"\n---\n\n{REDUCED_MARK}\n\n{opening}'


PRIVATE_FIELDS = {
    "people as a block list": "people:\n  - MARKER Miller\n  - name: MARKER\n    email: m@MARKER.org\n",
    "people at the margin": "people:\n- MARKER\n- MARKER <m@MARKER.org>\n",
    "people in flow style": "people: [MARKER, {name: MARKER, email: 'm@MARKER.org'}]\n",
    "people in flow style on lines": 'people: [\n  "MARKER",\n  # MARKER\n\n  MARKER,\n]\n',
    "people as a mapping": "people:\n  MARKER:\n    role: MARKER\n",
    "people as one text": "people: MARKER, MARKER\n",
    "people as a block text": "people: |\n  MARKER\n\n  MARKER\n",
    "people as a folded text": "people: >-\n  MARKER\n  MARKER\n",
    "people in quotes": "\"people\": \"MARKER\"\n'email': 'm@MARKER.org'\n",
    "people on two lines": 'people: "MARKER\n  MARKER"\n',
    "an explicit key": "? people\n: - MARKER\n",
    "links": "links: [https://MARKER.example]\nrepo: git@MARKER\nparent: MARKER\nurl: https://MARKER\n",
    "a comment": "# MARKER: call Ben\n",
    "a comment behind a kept value": "created: 2026-01-01 # MARKER\n",
    "capitals": "People: [MARKER]\nTYPE: MARKER\n",
    "people inside tags": "rhythm: {who: MARKER}\n",
}


@pytest.mark.parametrize("private", PRIVATE_FIELDS.values(), ids=PRIVATE_FIELDS.keys())
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
def test_people_in_every_style_stay_at_home(private: str, ending: str, bom: str) -> None:
    """Whatever YAML style they are written in, before or after the fields that are kept."""
    for head in (private + HEAD, HEAD + private):
        key = bom + f"---\n{head}---\n{BODY}".replace("\n", ending)
        text = reduced(key)
        assert SECRET not in text
        assert text.replace('created: "2026-01-01"\n', "") == expected()


def test_what_is_kept_is_written_anew_in_a_fixed_order() -> None:
    """Type, name, goal, created, rhythm, tags and sensitivity, each on one line."""
    key = (
        "---\nsensitivity: open\ntags: [a, 'b: c', 5, yes]\nrhythm: |\n  weekly\n  or so\ncreated: 2026-01-01\n"
        'goal: "say \\"hi\\" \\\\ bye"\nname: Zoë\ntype: venture\n---\n# T\n'
    )
    assert reduced(key) == (
        '---\ntype: "venture"\nname: "Zoë"\ngoal: "say \\"hi\\" \\\\ bye"\ncreated: "2026-01-01"\n'
        'rhythm: "weekly or so"\ntags: ["a", "b: c", "5", "True"]\nsensitivity: "open"\n---\n\n'
        f"{REDUCED_MARK}\n\n# T\n"
    )


def test_a_key_without_a_name_gets_the_walnuts() -> None:
    """So that a reduced key always says what it is about."""
    assert reduced("# T\n") == expected('name: "nova-station"\n', "# T\n")


BODIES = {
    "sections": ("# N\n\nIntro.\n\n## MARKER\n\nMARKER\n", "# N\n\nIntro.\n"),
    "no title": ("Intro.\n\n## MARKER\n", "Intro.\n"),
    "a section at once": ("## MARKER\nMARKER\n", ""),
    "a title and a section": ("# N\n## MARKER\n", "# N\n"),
    "a deeper section": ("# N\nIntro.\n### MARKER\nMARKER\n", "# N\nIntro.\n"),
    "a second title": ("# N\nIntro.\n# MARKER\nMARKER\n", "# N\nIntro.\n"),
    "an indented section": ("# N\nIntro.\n   ## MARKER\n", "# N\nIntro.\n"),
    "a section after a tab": ("# N\nIntro.\n##\tMARKER\n", "# N\nIntro.\n"),
    "a section without a name": ("# N\nIntro.\n##\nMARKER\n", "# N\nIntro.\n"),
    "an underlined title": ("N\n=\n\nIntro.\n\nMARKER\n------\nMARKER\n", "N\n=\n\nIntro.\n"),
    "an underlined section": ("# N\n\nIntro.\n\nMARKER\n-\n", "# N\n\nIntro.\n"),
    "a second underlined title": ("# N\n\nIntro.\n\nMARKER\n===\n", "# N\n\nIntro.\n"),
    "old mac endings": ("# N\rIntro.\r## MARKER\rMARKER\r", "# N\nIntro.\n"),
    "a comment": ("# N <!-- MARKER -->\nIntro.<!--\n## MARKER\n-->\n## MARKER\n", "# N \nIntro.\n"),
    "a comment that never ends": ("# N\nIntro.\n<!-- MARKER\n", "# N\nIntro.\n"),
    "a comment around the section": (
        "# N\nIntro.\n<!-- MARKER\n## MARKER -->\nMore.\n## MARKER\n",
        "# N\nIntro.\n\nMore.\n",
    ),
    "comments in each other": ("# N\n<!-- MARKER <!-- MARKER --> more\n## MARKER\n", "# N\n more\n"),
    "a heading in a code block": (
        "# N\n```\n## MARKER\n```\nMARKER.\n## MARKER\n",
        "# N\n",
    ),
    "a code block with tildes": ("# N\n~~~\nx\n```\n~~~\n## MARKER\n", "# N\n~~~\nx\n```\n~~~\n"),
    "a code block that never ends": ("# N\nIntro.\n```\n## MARKER\nMARKER\n", "# N\nIntro.\n"),
    "a code block opened twice": ("# N\n```\nx\n```\n```\n## MARKER\n", "# N\n```\nx\n```\n"),
    "a rule": ("# N\n\n---\n\nIntro.\n\n## MARKER\n", "# N\n\n---\n\nIntro.\n"),
    "nothing": ("", ""),
    "blank lines": ("\n\n\n## MARKER\n", ""),
    "bytes that are not UTF-8": (b"# N \xff\n## MARKER\n", "# N �\n"),
}


@pytest.mark.parametrize(("body", "opening"), BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_sections_stay_at_home(body: str | bytes, opening: str, ending: str) -> None:
    """Only the title and the text before the next heading leave, without comments."""
    data = body if isinstance(body, bytes) else body.encode()
    text = reduced((f"---\n{HEAD}---\n".encode() + data).replace(b"\n", ending.encode()))
    assert SECRET not in text
    assert text == expected(opening=opening)


def test_an_underlined_section_of_two_lines_stays_at_home() -> None:
    """The paragraph above the dashes is the heading, all of it."""
    assert SECRET not in reduced(f"---\n{HEAD}---\n# N\n\nIntro.\n\nBen MARKER\nand Anna\n---\n\nText.\n")


@pytest.mark.parametrize(
    "head",
    [
        "people: [MARKER\n" + HEAD,
        HEAD + "goal: MARKER\ngoal: MARKER\n",
        "goal: &x MARKER\n",
        "goal: !!str MARKER\n",
        "- MARKER\n",
        'goal: "MARKER\n',
        "\tgoal: MARKER\n",
    ],
)
def test_a_block_that_cannot_be_parsed_stays_at_home(head: str) -> None:
    """Nothing of it is kept but how private it is."""
    text = reduced(f"---\n{head}sensitivity: restricted\n---\n{BODY}")
    assert SECRET not in text
    assert text == expected('name: "nova-station"\n', sensitivity="restricted")


@pytest.mark.parametrize(
    "key",
    [
        f"---\npeople: MARKER\nsensitivity: restricted\n{BODY}",
        f"\n---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
        f"  \n\n---\npeople:\n- MARKER\nsensitivity: restricted\n---\n{BODY}",
        f" ---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
        f"----\npeople: MARKER\nsensitivity: restricted\n----\n{BODY}",
        f"---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}".replace("\n", "\r"),
        f"---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}".encode("utf-16"),
        f"\ufeff\n---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
    ],
    ids=[
        "never closed",
        "a blank line before",
        "blank lines before",
        "a space before",
        "four dashes",
        "old line endings",
        "UTF-16",
        "a mark and a blank line",
    ],
)
def test_a_block_that_is_not_recognised_stays_at_home(key: str | bytes) -> None:
    """What cannot be told apart from the body does not leave with it, and it is as private as it says."""
    text = reduced(key)
    assert SECRET not in text.replace("\0", "")
    assert 'sensitivity: "restricted"' in text


@pytest.mark.parametrize(
    "key",
    [
        f"<!-- key -->\n---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
        f"\u200b---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
        f"\ufeff\ufeff---\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
        f"```yaml\npeople: MARKER\nsensitivity: restricted\n```\n{BODY}",
        f"type: person\npeople: MARKER\nsensitivity: restricted\n---\n{BODY}",
    ],
    ids=["after a comment", "after an invisible space", "after two marks", "in a code block", "first dashes missing"],
)
def test_a_block_that_is_hidden_further_stays_at_home(key: str) -> None:
    """A key that says restricted somewhere, and has no frontmatter, gives nothing away before its first section."""
    assert SECRET not in reduced(key)


@given(st.one_of(st.binary(max_size=120), st.text('---\n#:ab"[]<!>`=\r \\', max_size=60).map(str.encode)))
def test_any_key_is_reduced_to_one_that_can_be_read(data: bytes) -> None:
    """The result parses, has only the fields that are kept, the marker, and is reduced no further."""
    for key in (data, b"---\n" + data, b"---\n" + data + b"\n---\n# T\n", b"---\ngoal: x\n---\n" + data):
        once = reduced_key(read_key(key), "nova")
        assert set(fields(once)) <= {"type", "name", "goal", "created", "rhythm", "tags", "sensitivity"}
        assert once.count(REDUCED_MARK.encode()) == 1
        assert b"\r" not in once
        assert once == reduced_key(read_key(key), "nova")
        assert reduced_key(read_key(once), "another") == once


_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.just(SECRET)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)
_private_names = st.sampled_from(["people", "email", "links", "repo", "parent", "notes", "contact", "Type", "x-goal"])


@given(st.dictionaries(_private_names, _value), st.sampled_from([None, True, False]), st.booleans())
def test_no_value_of_another_field_survives(private: dict[str, Any], flow: bool | None, after: bool) -> None:
    """Written by another YAML library in its own styles: what is not on the list does not leave."""
    planted = {name: [SECRET, value] for name, value in private.items()}
    text = yaml.safe_dump(planted, default_flow_style=flow, allow_unicode=True) if planted else ""
    assume("&id" not in text)  # anchors: the block is then refused as a whole, shown above
    assume(flow is not True or not planted)
    key = f"---\n{HEAD}{text}---\n{BODY}" if after else f"---\n{text}{HEAD}---\n{BODY}"
    assert SECRET not in reduced(key)


def test_a_value_with_a_non_character_does_not_break_the_reduced_key() -> None:
    """YAML can spell it as an escape; written out it is not YAML any more."""
    fields(reduced('---\ngoal: "a\\uFFFFb"\n---\n').encode())


# --- active sessions -----------------------------------------------------------------------------------------

SESSION_STYLES = {
    "a list": "active_sessions:\n  - MARKER\n  - id: MARKER\n    since: 2026-04-07\n",
    "a list at the margin": "active_sessions:\n- MARKER\n- MARKER\n",
    "flow style": "active_sessions: [MARKER, {id: MARKER}]\n",
    "flow style on lines": "active_sessions: [\n  MARKER,\n\n  # MARKER\n  MARKER\n]\n",
    "a double-quoted key": '"active_sessions":\n  - MARKER\n',
    "a single-quoted key": "'active_sessions': [MARKER]\n",
    "a space before the colon": "active_sessions : [MARKER]\n",
    "comments inside": "active_sessions: # MARKER\n  # MARKER\n  - MARKER # MARKER\n  # MARKER\n  - MARKER\n",
    "blank lines inside": "active_sessions:\n\n  - MARKER\n\n\n  - MARKER\n",
    "a mapping": "active_sessions:\n  MARKER:\n    at: MARKER\n",
    "a block text": "active_sessions: |\n  MARKER\n\n  MARKER\n",
    "a folded text": "active_sessions: >-\n  MARKER\n",
    "a text on two lines": 'active_sessions: "MARKER\n  MARKER"\n',
    "an empty list": "active_sessions: []\n",
    "nothing": "active_sessions:\n",
    "a null": "active_sessions: ~\n",
    "an explicit key": "? active_sessions\n: - MARKER\n",
    "an escaped key": '"active\\x5fsessions": [MARKER]\n',
}
AROUND = {
    "alone": ("", ""),
    "first": ("", "# about the goal\ngoal: 'x'   # y\n"),
    "last": ("goal: 'x'\n\n# done\n", ""),
    "between": ("# top\n\ngoal: x\n# before\n", "# after\n\nstatus: 'draft'\nlist:\n- a\n\n- b\n"),
    "after a document mark": ("---\n", "goal: x\n"),
    "with a namesake inside": ("meta:\n  active_sessions: [kept]\n", "active_sessions_old: [kept]\n"),
}


@pytest.mark.parametrize(("before", "after"), AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("style", SESSION_STYLES.values(), ids=SESSION_STYLES.keys())
def test_active_sessions_are_taken_out_and_nothing_else(style: str, before: str, after: str) -> None:
    """In every style YAML has for it, with every line ending and byte-order mark; all other bytes stay."""
    for bom, ending in product(["", "\ufeff"], ["\n", "\r\n", "\r"]):
        data = (bom + (before + style + after).replace("\n", ending)).encode()
        expected = (bom + (before + after).replace("\n", ending)).encode()
        assert without_active_sessions(data, "a/context.manifest.yaml") == expected


def test_the_last_line_may_lack_its_ending() -> None:
    """A file that ends in the middle of a line is a file."""
    assert without_active_sessions(b"goal: x\nactive_sessions: [a]", "p") == b"goal: x\n"
    assert without_active_sessions(b"active_sessions: [a]\ngoal: x", "p") == b"goal: x"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"goal: x\n",
        b"goal: [\n",
        b"caf\xe9: \xff\n",
        b"# active_sessions: [a]\ngoal: x\n",
        b"goal: active_sessions\n",
        b"meta:\n  active_sessions: [a]\n",
        b"goal: 'a\\b'\n",
    ],
)
def test_a_manifest_without_sessions_keeps_every_byte(data: bytes) -> None:
    """Also one that only mentions them, and one that cannot be read and does not."""
    assert without_active_sessions(data, "p") == data


@pytest.mark.parametrize(
    "data",
    [
        b"{goal: x, active_sessions: [a]}\n",
        b"{\ngoal: x,\nactive_sessions: [a]\n}\n",
        b"active_sessions: [a]\nactive_sessions: [b]\n",
        b"active_sessions: &a [x]\ngoal: *a\n",
        b"active_sessions: !!set {x}\n",
        b"active_sessions: [a\n",
        b"active_sessions: [a]\n---\ngoal: x\n",
        b"- active_sessions: [a]\n",
    ],
)
def test_where_it_is_uncertain_the_share_stops(data: bytes) -> None:
    """The file is named, nothing was touched, and there is a way on."""
    with pytest.raises(WalnutError) as refused:
        without_active_sessions(data, "review/context.manifest.yaml")
    assert refused.value.code == "active-sessions"
    assert "review/context.manifest.yaml" in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_a_rare_line_separator_does_not_cost_a_comment(separator: str) -> None:
    """What follows the value stays, or the share stops."""
    data = f"active_sessions:\n  - a # x{separator}  - b\n# kept\ngoal: x\n".encode()
    with contextlib.suppress(WalnutError):
        assert b"# kept" in without_active_sessions(data, "p")


def test_a_key_without_a_value_does_not_cost_a_comment() -> None:
    """What follows the value stays, or the share stops."""
    with contextlib.suppress(WalnutError):
        assert b"# kept" in without_active_sessions(b"? active_sessions\n# kept\n", "p")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_sessions_in_another_encoding_stop_the_share(encoding: str) -> None:
    """A file that other programs read as YAML must not carry them out."""
    with pytest.raises(WalnutError):
        without_active_sessions("goal: x\nactive_sessions: [a]\n".encode(encoding), "p")


def test_an_escaped_key_in_a_file_that_cannot_be_parsed_stops_the_share() -> None:
    """Other programs read anchors; refused here, the key is still in the file."""
    with pytest.raises(WalnutError):
        without_active_sessions(b'goal: &g x\n"active\\x5fsessions": [a]\n', "p")


_line = st.sampled_from(
    [
        "active_sessions:",
        "active_sessions: [a, b]",
        '"active_sessions": x',
        "active_sessions: |",
        "? active_sessions",
        ": - z",
        "  - a",
        "- b",
        "    c: d",
        "  active_sessions: inner",
        "goal: x",
        "status: 'a",
        "  b'",
        "more: {",
        "}",
        "# comment",
        "  # indented",
        "",
        "---",
        "...",
    ]
)
_manifests = st.tuples(st.lists(_line, max_size=9), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))


@given(_manifests, st.booleans())
def test_after_the_removal_the_yaml_is_the_same_without_the_key(
    manifest: tuple[list[str], str, str], ends: bool
) -> None:
    """Either the file says what it said, minus the key, with only whole lines gone; or the share stops."""
    lines, ending, bom = manifest
    data = (bom + ending.join([*lines, ""] if ends else lines)).encode()
    try:
        before = safe_yaml.load_mapping(data).value
    except UnsafeYamlError:
        before = None
    try:
        edited = without_active_sessions(data, "p")
    except WalnutError:
        assert b"active_sessions" in data
        return
    if not isinstance(before, dict):
        assert edited == data
        assert b"active_sessions" not in data
        return
    after = safe_yaml.load_mapping(edited).value
    assert after == {key: value for key, value in before.items() if key != "active_sessions"}
    if "active_sessions" not in before:
        assert edited == data
    rest = iter(re.findall(rb"[^\n]*\n|[^\n]+\Z", data.removeprefix(b"\xef\xbb\xbf")))
    kept = re.findall(rb"[^\n]*\n|[^\n]+\Z", edited.removeprefix(b"\xef\xbb\xbf"))
    assert all(line in rest for line in kept)


# --- what is generated ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["full", "bundle", "snapshot"])
def test_the_primer_explains_the_package(scope: str) -> None:
    """To somebody who has never heard of it: what it is, what is inside, how to open it."""
    text = primer("nova\nstation", "Build it", scope, ["review"], AT).decode()
    assert text.startswith("# nova station\n")
    assert "> Build it\n" in text
    assert "`tar xzf FILE.walnut`" in text
    assert "packed on 2026-04-07" in text
    assert "- `review/`: a bundle\n" in text
    assert ("log.md" in text) is (scope == "full")


@given(ANY_NAME, ANY_NAME, st.lists(ANY_NAME, max_size=3))
def test_a_primer_of_any_names_keeps_its_shape(walnut: str, goal: str, bundles: list[str]) -> None:
    """Names cannot add headings or lines."""
    text = primer(walnut, goal, "bundle", bundles, AT).decode()
    assert len([line for line in text.split("\n") if line.startswith("#")]) == 4
    assert text == primer(walnut, goal, "bundle", bundles, AT).decode()


def test_a_manifest_is_made_from_a_companion() -> None:
    """Goal, status, sensitivity, created and type come along; sessions, people and the text do not."""
    companion = (
        "---\ngoal: 'Review: all'\nstatus: draft\nsensitivity: restricted\ncreated: 2026-01-01\n"
        "active_sessions: [MARKER]\npeople: [MARKER]\n---\n# MARKER\n"
    )
    text = manifest_from_companion(companion.encode(), "review").decode()
    assert text == ('goal: "Review: all"\nstatus: "draft"\nsensitivity: "restricted"\ncreated: "2026-01-01"\n')
    assert manifest_from_companion(b"# no frontmatter\n", 'a "b"').decode() == 'goal: "a \\"b\\""\n'


def test_a_companion_that_cannot_be_parsed_keeps_its_sensitivity() -> None:
    """What is restricted here is restricted there."""
    text = manifest_from_companion(b"---\nsensitivity: restricted\nbroken: [\n---\n", "review")
    assert safe_yaml.load_mapping(text).value == {"goal": "review", "sensitivity": "restricted"}


@given(st.binary(max_size=60), ANY_NAME)
def test_a_manifest_from_any_companion_can_be_read(companion: bytes, bundle: str) -> None:
    """Whatever the companion holds."""
    for data in (companion, b"---\ngoal: " + companion + b"\n---\n"):
        made = safe_yaml.load_mapping(manifest_from_companion(data, bundle)).value
        assert isinstance(made, dict)
        assert set(made) <= {"goal", "status", "sensitivity", "created", "type"}
