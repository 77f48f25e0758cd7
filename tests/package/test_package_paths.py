"""Names inside a package (format.md §1, rules 1, 2, 5, 6 and 8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.package import paths

_REFUSED = {
    "empty": "",
    "dotdot": "a/../b",
    "dotdot-first": "../b",
    "dotdot-last": "a/..",
    "inner-dot": "a/./b",
    "absolute": "/etc/passwd",
    "drive": "C:x",
    "drive-absolute": "c:/x",
    "drive-backslash": "C:\\x",
    "unc": "\\\\host\\share",
    "unc-slashes": "//host/share",
    "backslash": "a\\b",
    "nul": "a\0b",
    "newline": "a\nb",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "c1-control": "a\x9bb",
    "right-to-left-override": "a\u202egnp.exe",
    "isolate": "a\u2066b",
    "zero-width-space": "a\u200bb",
    "byte-order-mark": "a\ufeffb",
    "soft-hyphen": "a\u00adb",
    "line-separator": "a\u2028b",
    "not-utf-8": "a\udcffb",
    "empty-segment": "a//b",
    "trailing-slash": "a/",
    "segment-of-256-bytes": "é" * 128,
    "path-of-1025-bytes": "a/" * 512 + "b",
    "staging": ".alive-receive-1",
    "staging-deep": "a/.alive-receive/b",
    "staging-other-case": "a/.ALIVE-Receive/b",
}


@pytest.mark.parametrize("path", _REFUSED.values(), ids=_REFUSED.keys())
def test_a_path_that_breaks_a_rule_is_refused(path: str) -> None:
    """Each has a reason."""
    assert paths.refusal(path)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        ".hidden",
        "...",
        "a/b/c",
        "with space.md",
        " leading",
        "trailing. ",
        "ünïcödé/日本語/🥜.md",
        "👩\u200d💻.md",
        "می\u200cخواهم",
        "CON",
        "aux.txt",
        "ab:c",
        "1:x",
        "what?*",
        "é" * 127,
        "a" * 255,
        "a/" * 511 + "bc",
        ".alive-rec",
    ],
)
def test_a_path_that_real_walnuts_have_is_taken(path: str) -> None:
    """Emoji, Persian, names that only Windows cannot hold, and the longest names that are allowed."""
    assert paths.refusal(path) is None


@given(st.text(max_size=40))
def test_an_accepted_path_stays_inside_its_folder(path: str) -> None:
    """Whatever passes has no way out: no `..`, not absolute, no backslash, no control character, UTF-8."""
    if paths.refusal(path) is None:
        assert path.encode().decode() == path
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(path.split("/"))
        assert not any(char < " " or char in "\\\x7f" for char in path)


@pytest.mark.parametrize(
    "path", ["CON", "con.txt", "a/aux .md", "LPT1", "com¹.x", "a.", "a /b", "a:b", 'x"y', "a|b", "conin$"]
)
def test_a_name_that_windows_cannot_hold_is_named(path: str) -> None:
    """Devices, a trailing dot or space, and reserved characters."""
    assert paths.windows_refusal(path)


@pytest.mark.parametrize("path", ["console", "com", "com10", "a.b", "auxiliary.md", "a b", ".con"])
def test_a_name_that_windows_can_hold_is_not_named(path: str) -> None:
    """Names that only resemble reserved ones."""
    assert paths.windows_refusal(path) is None


def test_names_that_differ_in_case_or_unicode_form_collide() -> None:
    """Also where only a folder on the way differs; equal names do not collide with themselves."""
    assert paths.colliding(["a/x", "a/y", "b"]) == []
    assert paths.colliding(["Docs/a", "docs/b"]) == [("Docs", "docs")]
    assert paths.colliding(["é", "e\u0301", "other"]) == [("e\u0301", "é")]
    assert paths.colliding(["ß", "SS"]) == [("SS", "ß")]


def test_ancestors_are_the_folders_on_the_way() -> None:
    """Outermost first; a name at the top has none."""
    assert list(paths.ancestors("a/b/c")) == ["a", "a/b"]
    assert list(paths.ancestors("a")) == []


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "CON", "a:b", "a\n", "a."])
def test_a_segment_that_is_not_safe_everywhere(name: str) -> None:
    """Used where a foreign text becomes a folder name of ours."""
    assert not paths.is_safe_segment(name)


def test_a_segment_that_is_safe_everywhere() -> None:
    """Plain words in any script."""
    assert paths.is_safe_segment("shielding-review")
    assert paths.is_safe_segment("日本語")
