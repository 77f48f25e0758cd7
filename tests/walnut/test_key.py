"""How private something is (share.md §4): where it cannot be understood, the stricter reading holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut.key import Sensitivity, read_key


def sensitivity(yaml: str) -> Sensitivity:
    return read_key(f"---\n{yaml}\n---\n# Nova\n".encode()).sensitivity


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("sensitivity: open", Sensitivity.OPEN),
        ("sensitivity: private", Sensitivity.PRIVATE),
        ("sensitivity: restricted", Sensitivity.RESTRICTED),
        ("sensitivity: Restricted  # for now", Sensitivity.RESTRICTED),
        ("sensitivity: ' RESTRICTED '", Sensitivity.RESTRICTED),
        ('"sensitivity": "open"', Sensitivity.OPEN),
        ("sensitivity: |\n  restricted", Sensitivity.RESTRICTED),
        ("{sensitivity: restricted}", Sensitivity.RESTRICTED),
        ("sensitivity: normal", Sensitivity.PRIVATE),
        ("sensitivity: shared", Sensitivity.PRIVATE),
        ("sensitivity: public", Sensitivity.PRIVATE),
        ("sensitivity: [open]", Sensitivity.PRIVATE),
        ("sensitivity: {open: true}", Sensitivity.PRIVATE),
        ("sensitivity: true", Sensitivity.PRIVATE),
        ("sensitivity: 0", Sensitivity.PRIVATE),
        ("sensitivity:", Sensitivity.PRIVATE),
        ("type: venture", Sensitivity.PRIVATE),
        ("nested:\n  sensitivity: open", Sensitivity.PRIVATE),
        ("# sensitivity: open", Sensitivity.PRIVATE),
    ],
)
def test_what_is_declared_holds_and_the_rest_is_private(yaml: str, expected: Sensitivity) -> None:
    """Three words are known, two older ones count as private, everything else is private."""
    assert sensitivity(yaml) is expected


@pytest.mark.parametrize(
    "yaml",
    [
        "sensitivity: restricted\nbroken: [",
        "broken: [\nsensitivity: restricted",
        "broken: \"\n  sensitivity : 'restricted'",
        "sensitivity: open\nsensitivity: restricted",
        "sensitivity: restricted\nsensitivity: open",
        "sensitivity: RESTRICTED\r\nbroken: &a 1",
        "\tsensitivity: restricted",
        '"sensitivity": "restricted"\nbroken: *x',
    ],
)
def test_yaml_that_cannot_be_parsed_and_says_restricted_is_restricted(yaml: str) -> None:
    """A slip somewhere else in the file does not make it less private."""
    key = read_key(f"---\n{yaml}\n---\n".encode())
    assert key.sensitivity is Sensitivity.RESTRICTED
    assert "cannot be parsed" in key.sensitivity_reason


@pytest.mark.parametrize(
    "yaml",
    [
        "sensitivity: !!str restricted",
        "sensitivity: &level restricted",
        "{type: venture, sensitivity: restricted",
        "? sensitivity\n: restricted\nbroken: [",
        "sensitivity:\n  restricted\nbroken: [",
        "sensitivity: |\n  restricted\nbroken: [",
        "'sensitivity' : >-\n  restricted\nbroken: [",
    ],
)
def test_yaml_in_another_style_that_says_restricted_is_restricted(yaml: str) -> None:
    """Tags and anchors are YAML that others read without complaint: refused here, it must not count for less."""
    assert sensitivity(yaml) is Sensitivity.RESTRICTED


@pytest.mark.parametrize(
    "data",
    [
        b"---\nsensitivity: restricted\n# Nova\n",
        b"---\rsensitivity: restricted\r---\r# Nova\r",
        "---\nsensitivity: restricted\n---\n# Nova\n".encode("utf-16"),
    ],
    ids=["never closed", "old line endings", "UTF-16"],
)
def test_a_block_that_is_not_recognised_and_says_restricted_is_restricted(data: bytes) -> None:
    """What cannot be understood counts as private at least; where it says restricted, it is."""
    assert read_key(data).sensitivity is Sensitivity.RESTRICTED


def test_yaml_that_cannot_be_parsed_is_never_open() -> None:
    """Private at least."""
    assert sensitivity("sensitivity: open\nbroken: [") is Sensitivity.PRIVATE


@given(st.binary(max_size=80), st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_bytes_are_a_key(data: bytes, text: str) -> None:
    """Reading never raises, nothing becomes open by accident, and a reason is given."""
    for one in (data, b"---\n" + data + b"\n---\n", f"---\nsensitivity: {text}\n---\n".encode()):
        key = read_key(one)
        assert key.data == one
        assert key.sensitivity_reason
        assert key.sensitivity is not Sensitivity.OPEN or b"open" in one.lower()


def test_the_stricter_one_is_the_higher() -> None:
    """So that the highest inside a package can be taken with `max`."""
    assert max(Sensitivity.OPEN, Sensitivity.PRIVATE, Sensitivity.RESTRICTED) is Sensitivity.RESTRICTED
    assert [one.word for one in Sensitivity] == ["open", "private", "restricted"]


def test_a_field_is_text_or_nothing() -> None:
    """Lists, mappings and what is absent give an empty text."""
    key = read_key(b"---\na: x\nb: 1\nc: [x]\nd: {x: y}\ne:\nf: true\n---\n")
    assert [key.text_field(name) for name in "abcdefg"] == ["x", "1", "", "", "", "True", ""]
