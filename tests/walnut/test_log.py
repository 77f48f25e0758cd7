"""`_kernel/log.md` (receive.md §9): one entry more, every other byte as it was."""

import dataclasses
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.log import ImportRecord, fresh_log, has_import, with_entry

BOM = b"\xef\xbb\xbf"
RECORD = ImportRecord(
    at="2026-04-07T10:16:00Z",
    session="abc123",
    sender="ben",
    scope="bundle",
    bundles=("shielding-review", "safety"),
    source_layout="v3",
    import_id="a1b2c3d4e5f67890" + "0" * 48,
)
ENTRY = """\
## 2026-04-07T10:16:00Z - squirrel:abc123

Imported package from ben via P2P.
- Scope: bundle
- Bundles: shielding-review, safety
- source_layout: v3
- import_id: a1b2c3d4e5f67890

signed: squirrel:abc123

"""
HEAD = "---\nwalnut: nova\nlast-entry: 2026-01-01T00:00:00Z\nentry-count: 3\n---\n"
NEW_HEAD = HEAD.replace("2026-01-01T00:00:00Z", RECORD.at).replace("3", "4")
OLD = "## 2026-01-01T00:00:00Z - squirrel:old\n\nDid things.\n\nsigned: squirrel:old\n"


def test_an_entry_looks_as_the_specification_says() -> None:
    """Word for word, with a line more where the package was signed, and one fewer without bundles."""
    assert RECORD.render() == ENTRY
    signed = dataclasses.replace(RECORD, signed_by="ben (0123456789abcdef)")
    assert "- import_id: a1b2c3d4e5f67890\n- Signed by: ben (0123456789abcdef)\n\n" in signed.render()
    assert "Bundles" not in dataclasses.replace(RECORD, bundles=()).render()


@pytest.mark.parametrize("bom", [b"", BOM], ids=["", "bom"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("intro", ["", "\n", "\n# Log\n\nThis is the history.\n\n"], ids=["", "blank", "intro"])
def test_an_entry_goes_before_the_first(bom: bytes, ending: str, intro: str) -> None:
    """After the frontmatter and whatever introduces the log, in the file's own line endings."""
    before = bom + (HEAD + intro + OLD).replace("\n", ending).encode()
    after = bom + (NEW_HEAD + intro + ENTRY + OLD).replace("\n", ending).encode()
    assert with_entry(before, RECORD) == after


def test_two_entries_stand_newest_first() -> None:
    """The second goes above the first, and both are counted."""
    later = dataclasses.replace(RECORD, at="2026-04-08T00:00:00Z", import_id="f" * 64)
    log = with_entry(with_entry((HEAD + OLD).encode(), RECORD), later).decode()
    assert re.findall(r"^## (\S+)", log, re.MULTILINE) == [later.at, RECORD.at, "2026-01-01T00:00:00Z"]
    assert frontmatter.read(log.encode()).fields == {"walnut": "nova", "last-entry": later.at, "entry-count": 5}


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ("", "\n"),
        ("text", "\n\n"),
        ("text\n", "\n"),
        ("text\n\n", ""),
        ("\n", ""),
        (HEAD, "\n"),
        (HEAD + "\n", ""),
        (HEAD + "# Log\n", "\n"),
        ("text\r\n\r\n", ""),
        ("text\r\n", "\r\n"),
    ],
)
def test_a_log_without_entries_gets_its_first(before: str, gap: str) -> None:
    """It goes to the end, after a blank line."""
    ending = "\r\n" if "\r\n" in before else "\n"
    expected = before.replace(HEAD, NEW_HEAD) + gap + ENTRY.replace("\n", ending)
    assert with_entry(before.encode(), RECORD).decode() == expected


def test_a_heading_in_a_code_block_is_no_entry() -> None:
    """An example of an entry, shown in a fence, stays whole."""
    intro = "An entry looks like this:\n\n```\n## when - squirrel:who\n```\n\n"
    assert with_entry((HEAD + intro + OLD).encode(), RECORD).decode() == NEW_HEAD + intro + ENTRY + OLD


def test_a_heading_in_a_comment_is_no_entry() -> None:
    """An entry that is put into a comment cannot be seen when the log is shown."""
    intro = "<!-- newest first, like this:\n## when - squirrel:who\n-->\n\n"
    assert with_entry((HEAD + intro + OLD).encode(), RECORD).decode() == NEW_HEAD + intro + ENTRY + OLD


def test_bytes_that_are_not_utf_8_survive() -> None:
    """A log from another age keeps its bytes."""
    before = HEAD.encode() + b"caf\xe9 \xff\xfe\x00\n\n" + OLD.encode() + b"\xc3("
    after = NEW_HEAD.encode() + b"caf\xe9 \xff\xfe\x00\n\n" + ENTRY.encode() + OLD.encode() + b"\xc3("
    assert with_entry(before, RECORD) == after


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("entry-count: 0", "entry-count: 1"),
        ("entry-count: 9   # by hand", "entry-count: 10   # by hand"),
        ("entry-count: '7'", "entry-count: '8'"),
        ('"entry-count" : "7"', '"entry-count" : "8"'),
        ("entry-count: many", "entry-count: many"),
        ("entry-count: -3", "entry-count: -3"),
        ("entry-count: 1.5", "entry-count: 1.5"),
        ("entry-count: true", "entry-count: true"),
        ("entry-count: [1]", "entry-count: [1]"),
        (f"entry-count: {'9' * 400}", f"entry-count: {'9' * 400}"),
        ("entry-count: 999999999", "entry-count: 1000000000"),
        ("entry-count:", "entry-count:"),
        ("other: 1", "other: 1"),
    ],
)
def test_the_count_goes_up_where_it_is_a_count(line: str, expected: str) -> None:
    """Updated where it stands; what is no count is left alone, and the entry is written all the same."""
    before = f"---\na: b\n{line}\nz: y\n---\n\n{OLD}"
    after = f"---\na: b\n{expected}\nz: y\n---\n\n{ENTRY}{OLD}"
    assert with_entry(before.encode(), RECORD).decode() == after


def test_a_block_that_cannot_be_parsed_is_no_obstacle() -> None:
    """The entry goes below it."""
    before = f"---\na: [\n---\n\n{OLD}"
    assert with_entry(before.encode(), RECORD).decode() == f"---\na: [\n---\n\n{ENTRY}{OLD}"


# --- properties ----------------------------------------------------------------------------------------------

LOGISH = st.lists(
    st.sampled_from(
        [b"---", b"## x", b"# y", b"```", b"~~~", b"text", b"", b"===", b"entry-count: 4", b"last-entry: x", b"\xff"]
    ),
    max_size=12,
).flatmap(lambda rows: st.sampled_from([b"\n", b"\r\n", b"\r"]).map(lambda ending: ending.join(rows)))


@given(st.one_of(LOGISH, LOGISH.map(lambda data: BOM + data), st.binary(max_size=60)))
def test_every_other_byte_stays(data: bytes) -> None:
    """Without the entry, and the two values, the log is what it was; the entry stands on lines of its own."""
    text = data.removeprefix(BOM).decode("utf-8", "surrogateescape")
    assume(text.strip() or not text or text.endswith(("\n", "\r")))  # blanks at the end: a test of their own
    new = with_entry(data, RECORD)
    (at,) = [m.start() for m in re.finditer(re.escape(f"## {RECORD.at}".encode()), new)]
    text = new[at:].decode("utf-8", "surrogateescape")
    ending = next(e for e in ("\r\n", "\n", "\r") if text.startswith(ENTRY.replace("\n", e)))
    head, tail = new[:at], new[at + len(ENTRY.replace("\n", ending)) :]
    assert head.removeprefix(BOM) == b"" or head.endswith((b"\n", b"\r"))
    restored = {
        head.removesuffix(ending.encode() * gap) + tail for gap in (0, 1, 2) if head.endswith(ending.encode() * gap)
    }
    block = frontmatter.read(data)
    expected = frontmatter.set_scalar(data, "last-entry", RECORD.at) or data
    if block.fields.get("entry-count") == 4:
        expected = frontmatter.set_scalar(expected, "entry-count", "5") or expected
    assert expected in restored


@pytest.mark.parametrize("data", [b"    ", b"\t", BOM + b"     ", b"\n    ", b"\x1c"])
def test_blanks_at_the_end_do_not_make_the_entry_code(data: bytes) -> None:
    """Four spaces in front of a heading make it code: the entry begins at the margin."""
    assert re.search(rb"^## ", with_entry(data, RECORD), re.MULTILINE)


HOSTILE = [
    "Ben\n## 2020-01-01T00:00:00Z - squirrel:forged\n\nsigned: squirrel:forged",
    "Ben\r## forged",
    "Ben\r\n\r\n## forged",
    "Ben\u2028## forged",
    "Ben\x85## forged",
    "Ben\x0b\x0c\x1c\x1d\x1e## forged",
    "\n---\nentry-count: 99\n---\n",
    "\x1b]0;title\x07\x1b[2J\u202egnp.exe",
    "```\n",
    "<!--",
    "\ud800\udcff",
    "",
    " " * 100_000,
    "x" * 100_000,
    "forged\n===\nforged\n---\n",
]
_word = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=20))


@given(_word, _word, _word, st.lists(_word, max_size=3), _word, st.none() | _word)
def test_a_package_cannot_forge_an_entry(
    session: str, sender: str, scope: str, bundles: list[str], layout: str, signed_by: str | None
) -> None:
    """Whatever the texts are, one entry is added: one heading, one signature, and nothing for the terminal."""
    record = ImportRecord(RECORD.at, session, sender, scope, bundles, layout, RECORD.import_id, signed_by)
    log = with_entry((HEAD + "\n" + OLD).encode(), record).decode()
    lines = log.splitlines()
    assert [line for line in lines if line.lstrip().startswith("#")] == [
        next(line for line in lines if line.startswith(f"## {RECORD.at} - squirrel:")),
        "## 2026-01-01T00:00:00Z - squirrel:old",
    ]
    assert len([line for line in lines if line.startswith("signed:")]) == 2
    assert len(lines) == len((HEAD + "\n" + OLD + ENTRY).splitlines()) - (not bundles) + bool(signed_by)
    assert all(char == "\n" or char.isprintable() or ord(char) > 0x9F for char in log)
    assert frontmatter.read(log.encode()).fields["entry-count"] == 4
    assert len(log) < 5_000


def test_an_import_id_cannot_forge_an_entry() -> None:
    """Every text is reduced when it is written, so that no caller has to remember to check it first."""
    record = dataclasses.replace(RECORD, import_id="a\n## forged")
    assert "\n## forged" not in record.render()


def test_a_log_of_many_blank_lines_finishes() -> None:
    """Time grows with the length of the log, not with its square."""
    for filler in ("\n" * 100_000, "\r\n" * 100_000, "text\n---\n" * 50_000, "```\n" * 100_001, "#" * 300_000):
        log = with_entry((HEAD + filler + "\n" + OLD).encode(), RECORD)
        assert f"## {RECORD.at}".encode() in log


def test_an_import_is_recognised() -> None:
    """Only by a line of its own, with any line ending."""
    log = with_entry((HEAD + OLD).replace("\n", "\r\n").encode(), RECORD)
    assert has_import(log, RECORD.import_id)
    assert has_import(log, RECORD.import_id[:16])
    assert not has_import(log, "b" * 64)
    assert not has_import(b"text - import_id: a1b2c3d4e5f67890\n", RECORD.import_id)
    assert not has_import(b"", RECORD.import_id)


@given(st.text(st.characters(), max_size=40))
def test_a_fresh_log_of_a_walnut_of_any_name_can_be_read(name: str) -> None:
    """The frontmatter parses whatever the folder is called, and the first entry is counted."""
    log = fresh_log(name, "2026-04-07T10:16:00Z")
    block = frontmatter.read(log)
    assert block.problem is None
    assert block.fields["entry-count"] == 0
    assert frontmatter.read(with_entry(log, RECORD)).fields["entry-count"] == 1


def test_a_fresh_log_of_a_walnut_named_with_a_non_character_can_be_read() -> None:
    """A folder may be called so."""
    assert frontmatter.read(fresh_log("a\uffffb", RECORD.at)).problem is None
