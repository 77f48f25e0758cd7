"""The secret scan (share.md §4): everything planted is found, nothing innocent is, and no secret is shown."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_secrets import Planted, innocent, planted

from alive_p2p.errors import UsageError
from alive_p2p.installer import how_to_install
from alive_p2p.sharing import deep_scan, findings
from alive_p2p.sharing.findings import FileScan, Finding, Scanner
from alive_p2p.sharing.secret_rules import RULES
from alive_p2p.sharing.secret_set import slow_triggers, triggers

PLANTED = planted()
PIECES = [one.text for one in PLANTED]


def scan(data: bytes, path: str = "notes.md", *, piece: int | None = None) -> list[Finding]:
    file = Scanner().begin(path)
    step = piece or max(len(data), 1)
    for start in range(0, len(data), step):
        file.feed(data[start : start + step])
    return file.finish()


@pytest.fixture(scope="module", autouse=True)
def _real_automaton() -> None:
    pytest.importorskip("re2")


# --- what is found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", PLANTED, ids=lambda one: f"{one.kind}-{one.name}")
def test_every_planted_secret_is_found(one: Planted) -> None:
    """Found, under its own kind, on the right line, blocking."""
    found = scan(one.text.encode(), one.name)
    assert [finding.kind for finding in found] == [one.kind]
    assert found[0].blocks
    assert found[0].path == one.name
    place = one.text.encode().find(one.secret.encode())
    if one.kind != "private-key":
        assert found[0].line == one.text.encode()[:place].count(b"\n") + 1


@pytest.mark.parametrize("seed", range(2, 12))
def test_other_fakes_are_found_as_well(seed: int) -> None:
    """The corpus is not found by the luck of one seed."""
    assert [one for one in planted(seed) if not scan(one.text.encode(), one.name)] == []


def test_the_corpus_is_large() -> None:
    """An empty corpus would prove nothing."""
    assert len(PLANTED) >= 60
    assert len({one.kind for one in PLANTED}) >= 40


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_texts_have_no_findings(seed: int) -> None:
    """Prose about passwords, hashes, UUIDs, lock files, code, styles, images in text."""
    assert [finding for name, text in innocent(seed) for finding in scan(text.encode(), name)] == []


def test_this_project_has_no_findings() -> None:
    """Its own sources and documents are ordinary texts."""
    root = Path(__file__).parents[2]
    names = [*(root / "src").rglob("*.py"), *(root / "docs").rglob("*.md"), root / "README.md"]
    assert len(names) > 50
    assert [(f.path, f.line) for name in names for f in scan(name.read_bytes(), str(name))] == []


# --- what is shown ------------------------------------------------------------------------------------------------


def test_no_excerpt_shows_more_than_four_characters() -> None:
    """An excerpt is printed, stored and mailed around: it must not give the secret away."""
    for one in PLANTED:
        for finding in scan(one.text.encode(), one.name):
            assert len(finding.excerpt) <= 80
            windows = {one.secret[i : i + 5] for i in range(len(one.secret) - 4)}
            assert not [window for window in windows if window in finding.excerpt]


def test_a_short_secret_is_masked_wholly() -> None:
    """Four of seven characters would be most of it."""
    found = scan(b"password: hunter" + b"2\n")[0]
    assert "hu" not in found.excerpt
    assert found.excerpt == "password = … (7 bytes)"


def test_a_name_that_repeats_the_secret_is_not_shown() -> None:
    """A lazy person's variable name is the password."""
    found = scan(b'Tiger42x_password = "Tiger42x"')[0]
    assert found.excerpt == "***"


@given(st.text(max_size=20), st.sampled_from(PLANTED))
def test_excerpts_are_safe_to_print(noise: str, one: Planted) -> None:
    """Whatever stands around a secret, the excerpt has no control character."""
    for finding in scan((noise + " " + one.text + noise).encode("utf-8", "replace"), one.name):
        assert finding.excerpt.isprintable()


# --- identity -----------------------------------------------------------------------------------------------------


def test_equal_secrets_in_a_file_are_one_finding() -> None:
    """With the first line, a count, and an id that does not change when lines move."""
    once = PLANTED[0].text.encode()
    moved = scan(b"\n\n\n" + once + once)
    assert [(finding.line, finding.count) for finding in moved] == [(5, 2)]
    assert moved[0].id == scan(once)[0].id
    assert len(moved[0].id) == 12
    assert moved[0].id != scan(once, "other.md")[0].id
    assert moved[0].id != scan(PLANTED[1].text.encode())[0].id


def test_a_file_full_of_secrets_ends_in_one_more_finding() -> None:
    """Beyond the limit they block together, and their id changes with any of them."""
    lines = [f"api_key = '{n:04d}aB3dE6gH9jK2mN5pQ8sT1vW4yZ'\n" for n in range(findings.MAX_FINDINGS + 100)]
    found = scan("".join(lines).encode())
    assert len(found) == findings.MAX_FINDINGS + 1
    assert (found[-1].kind, found[-1].count, found[-1].line) == ("more", 100, findings.MAX_FINDINGS + 1)
    lines[-1] = lines[-1].replace("aB3", "aC3")
    assert scan("".join(lines).encode())[-1].id != found[-1].id


# --- pieces, windows, encodings -----------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=40)), max_size=6), st.data())
def test_findings_do_not_depend_on_the_pieces(parts: list[str], data: st.DataObject) -> None:
    """Cut anywhere, also inside a secret."""
    text = "\n".join(parts).encode("utf-8", "replace")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    file = Scanner().begin("notes.md")
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        file.feed(text[start:end])
    assert file.finish() == scan(text)


@pytest.mark.parametrize("one", PLANTED[::4], ids=lambda one: one.kind)
@pytest.mark.parametrize("edge", [65536, 131072])
def test_a_secret_across_two_windows_is_found_once(one: Planted, edge: int) -> None:
    """Wherever the edge cuts it; and pieces of any size give the same."""
    secret = one.text.encode()
    for shift in range(0, len(secret), max(len(secret) // 6, 1)):
        text = b"x\n" * ((edge - shift) // 2) + b"\n" * ((edge - shift) % 2) + secret + b"\nword" * 4_000
        found = scan(text, one.name)
        assert [(finding.kind, finding.count) for finding in found] == [(one.kind, 1)]
        assert found == scan(text, one.name, piece=4099)


def test_a_piece_may_be_a_single_byte() -> None:
    text = "".join(PIECES).encode()
    assert scan(text, piece=1) == scan(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_every_encoding_is_read(encoding: str) -> None:
    """Windows writes UTF-16; without a mark it is recognised by its zeros."""
    for one in PLANTED:
        if encoding == "latin-1" and not one.text.isascii():
            continue
        text = "Notes of today\n\n" + one.text
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        expected = [(f.id, f.line) for f in scan(text.encode(), one.name)]
        assert [(f.id, f.line) for f in scan(mark + text.encode(encoding), one.name, piece=5)] == expected


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_an_editor(break_: str) -> None:
    """Also over many windows, and where a window ends between CR and LF."""
    for padding in (0, 1):
        text = "x" * padding + break_ * 70_000 + PLANTED[0].secret + break_ + PLANTED[1].secret
        assert [finding.line for finding in scan(text.encode())] == [70_001, 70_002]


# --- binary files -------------------------------------------------------------------------------------------------


def test_binary_files_are_searched_for_unmistakable_shapes_only() -> None:
    """A token in a database is a token; an assignment in an executable is noise."""
    token = PLANTED[0].secret.encode()
    password = b"password: hunter" + b"2 "
    assert [finding.kind for finding in scan(b"\0\1\2" + password + b"\0" + token + b"\0")] == ["github-token"]


@pytest.mark.parametrize("beginning", [b"PK\x03\x04", b"%PDF-1.7", b"\x89PNG\r\n", b"\x1f\x8b\x08", b"\0\0\0 ftypheic"])
def test_what_cannot_be_looked_into_says_so(beginning: bytes) -> None:
    file = Scanner().begin("a.docx")
    for byte in beginning:
        file.feed(bytes([byte]))
    file.finish()
    assert file.is_opaque


@pytest.mark.parametrize("text", [b"", b"hello", b"\xef\xbb\xbfhello", "hällo".encode("utf-16"), b"h\xe4llo"])
def test_text_is_not_opaque(text: bytes) -> None:
    file = Scanner().begin("a.md")
    file.feed(text)
    assert file.finish() == []
    assert not file.is_opaque


@given(st.binary(max_size=400))
def test_any_bytes_can_be_scanned(data: bytes) -> None:
    scan(data)


# --- the automaton and its fallback -------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=60)), max_size=5))
def test_the_fallback_finds_the_same(parts: list[str]) -> None:
    """Where there is no wheel of re2, the standard library decides alike."""
    text = " ".join(parts).encode("utf-8", "replace")
    expected = scan(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "triggers", slow_triggers)
        assert scan(text) == expected


def test_the_fallback_is_taken_where_re2_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    triggers.cache_clear()
    try:
        assert triggers() is slow_triggers()
        assert [finding.kind for finding in scan(PLANTED[0].text.encode())] == [PLANTED[0].kind]
    finally:
        triggers.cache_clear()


@pytest.mark.parametrize("one", [*PLANTED, *planted(3)], ids=lambda one: one.kind)
def test_a_trigger_fires_wherever_its_pattern_matches(one: Planted) -> None:
    """Otherwise the automaton would hide what the pattern would find."""
    data = one.text.encode()
    fired, slow = set(triggers()(data)), set(slow_triggers()(data))
    matching = {index for index, rule in enumerate(RULES) if rule.compiled.search(data)}
    assert matching <= fired
    assert matching <= slow


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["Pricing.xlsx", "a/b/invoice-12.pdf", "SALARY", "x/Strategy 2026.md", "secrets.txt", "credentials", ".env.local"],
)
def test_a_name_that_tells_warns(path: str) -> None:
    found = Scanner().scan_name(path)
    assert found is not None
    assert (found.kind, found.path, found.line, found.blocks) == ("name", path, None, False)


def test_a_folder_that_tells_is_reported_once() -> None:
    scanner = Scanner()
    found = scanner.scan_name("a/pricing-2026/x.md")
    assert found is not None
    assert found.path == "a/pricing-2026/"
    assert scanner.scan_name("a/pricing-2026/secret.md") is None
    assert scanner.scan_name("a/notes.md") is None


def test_names_of_the_preferences_are_looked_for_as_well() -> None:
    scanner = Scanner(sensitive_names=["**/Kunde*", "legal/*.pdf"])
    assert [bool(scanner.scan_name(path)) for path in ("x/kunden.md", "Legal/A.PDF", "legal/a/b.pdf")] == [
        True,
        True,
        False,
    ]
    with pytest.raises(UsageError):
        Scanner(sensitive_names=["!x"])


# --- the deep scan ------------------------------------------------------------------------------------------------


@pytest.fixture
def _kingfisher() -> None:
    pytest.importorskip("kingfisher_sdk")


def test_the_deep_scan_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)
    with pytest.raises(UsageError) as caught:
        deep_scan.deep_scan([])
    assert caught.value.code == "no-deep-scan"
    assert caught.value.hint == f"install it with {how_to_install('scan')}"


@pytest.mark.usefixtures("_kingfisher")
def test_the_deep_scan_finds_and_masks(tmp_path: Path) -> None:
    """Its findings are like ours; the file is left alone and nothing else is written beside it."""
    secret = PLANTED[0].secret
    file = tmp_path / "on-disk.md"
    file.write_text(f"x\ntoken {secret}\ntoken {secret}\n")
    found = deep_scan.deep_scan([(file, "notes/a.md")])
    assert [(one.path, one.line, one.blocks, one.kind.partition(":")[0]) for one in found] == [
        ("notes/a.md", 2, True, "kingfisher")
    ] * len(found)
    assert found
    assert secret[4:] not in json.dumps([vars(one) for one in found])
    assert list(tmp_path.iterdir()) == [file]


def test_a_scan_of_a_huge_line_keeps_its_memory() -> None:
    """No line break, no end: what is held is a window."""
    file = FileScan("min.js")
    for _ in range(64):
        file.feed(b'a.token=b.secret;password="x";' * 8000)
        assert len(file._pending) < 1 << 18
    assert file.finish() == []
