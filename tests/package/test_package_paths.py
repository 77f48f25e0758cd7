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
    ("name", "reason"),
    [
        ("empty", "it is empty"),
        ("absolute", "it is absolute"),
        ("unc-slashes", "it is absolute"),
        ("unc", "it has a backslash"),
        ("drive-backslash", "it has a backslash"),
        ("drive-absolute", "it begins like a drive letter"),
        ("escape", "it has a control, invisible or non-UTF-8 character"),
        ("not-utf-8", "it has a control, invisible or non-UTF-8 character"),
        ("path-of-1025-bytes", "it is longer than 1,024 bytes"),
        ("dotdot-last", "it has a `..` segment"),
        ("inner-dot", "it has a `.` segment"),
        ("trailing-slash", "it has an empty segment"),
        ("segment-of-256-bytes", "it has a name longer than 255 bytes"),
        ("staging-other-case", "names beginning `.alive-receive` belong to the receiving transaction"),
    ],
)
def test_the_reason_names_the_rule(name: str, reason: str) -> None:
    """The one that a person would name, where a path breaks more than one."""
    assert paths.refusal(_REFUSED[name]) == reason


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


@pytest.mark.parametrize("path", ["console", "com", "com10", "a.b", "auxiliary.md", "a b", ".con", "con\u00a0"])
def test_a_name_that_windows_can_hold_is_not_named(path: str) -> None:
    """Names that only resemble reserved ones."""
    assert paths.windows_refusal(path) is None


@pytest.mark.parametrize("ending", ["", ".txt", ".tar.gz", " ", " .md", ".x/b"])
def test_every_device_of_windows_is_known(ending: str) -> None:
    """In any case, with any ending, anywhere on the way."""
    ports = [f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789¹²³"]
    for device in ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$", *ports]:
        for path in (device, device.upper(), device.title(), f"a/{device}"):
            assert paths.windows_refusal(f"{path}{ending}") == "a name that Windows keeps for a device"
        assert paths.windows_refusal(f"x{device}{ending.rstrip()}") is None
    for no_device in ("com0", "lpt0", "com", "lpt", "com11", "a.con"):
        assert paths.windows_refusal(f"{no_device}{ending.rstrip()}") is None


@pytest.mark.parametrize("where", ["{}", "a/{}", "{}/b"])
def test_what_windows_cannot_hold_has_its_reason(where: str) -> None:
    """Each of the characters; a dot or a space only at an end."""
    for char in ':?*"<>|':
        for name in (char, f"a{char}", f"{char}a"):
            assert paths.windows_refusal(where.format(name)) == 'one of the characters :?*"<>|'
    for name in ("a.", "a ", ".", " ", "a. "):
        assert paths.windows_refusal(where.format(name)) == "a name ending in a dot or a space"
    for name in (".a", " a", "a b", "a.b"):
        assert paths.windows_refusal(where.format(name)) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a/b", "it is a path"),
        ("", "it is empty"),
        ("..", "it has a `..` segment"),
        ("a\\b", "it has a backslash"),
        ("_kernel", "the name is reserved"),
        ("_Kernel", "the name is reserved"),
        ("bundles", "the name is reserved"),
        ("BUNDLEſ", "the name is reserved"),
        ("_core", "the name is reserved"),
        (".hidden", "it begins with a dot"),
        (".alive-receive-1", "names beginning `.alive-receive` belong to the receiving transaction"),
    ],
)
def test_a_name_that_no_bundle_may_have(name: str, reason: str) -> None:
    """It would lead elsewhere, take the place of the kernel, or not be seen."""
    assert paths.bundle_name_refusal(name) == reason


@pytest.mark.parametrize("name", ["shielding-review", "日本語", "a.b", "bundle", "kernel", "_kernels", "con"])
def test_a_name_that_a_bundle_may_have(name: str) -> None:
    """Plain words, and those that only resemble reserved ones."""
    assert paths.bundle_name_refusal(name) is None


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


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "CON", "a:b", "a\n", "a.", "a\\b", "/a"])
def test_a_segment_that_is_not_safe_everywhere(name: str) -> None:
    """Used where a foreign text becomes a folder name of ours."""
    assert not paths.is_safe_segment(name)


def test_a_segment_that_is_safe_everywhere() -> None:
    """Plain words in any script."""
    assert paths.is_safe_segment("shielding-review")
    assert paths.is_safe_segment("日本語")
