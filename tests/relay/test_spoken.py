"""Spoken codes: what is typed is understood or refused, and a slip costs no guess (relay.md §5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import RelayError
from alive_p2p.relay import spoken
from alive_p2p.relay.spoken import new_code, read_code


def test_the_words_can_be_told_apart() -> None:
    """Two lists of 256, and no word in both: one that was left out, or two that were swapped, are noticed."""
    words = [*spoken._FIRST, *spoken._SECOND]
    assert (len(spoken._FIRST), len(spoken._SECOND), len(set(words))) == (256, 256, 512)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


def test_a_code_is_read_as_it_was_made() -> None:
    """And its words come by chance, and do not stand where it is printed for somebody who mends the program."""
    codes = [new_code("42") for _ in range(50)]
    assert [read_code(str(code)) for code in codes] == codes
    assert len({code.words for code in codes}) > 40
    assert all(code.words[0] not in repr(code) for code in codes)


@pytest.mark.parametrize(
    "typed",
    ["7-crossover-clockwork", " 7 Crossover  clockwork\n", "7 - CROSSOVER - clockwork", "7_crossover_clockwork-"],
)
def test_it_may_be_typed_as_people_type(typed: str) -> None:
    """In any letters, with blanks, and with whatever a message put around it."""
    assert str(read_code(typed)) == "7-crossover-clockwork"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("7-crosover-clockwork", "'crossover'"),
        ("7-crossover-clokwork", "'clockwork'"),
        ("7-clockwork-crossover", "not in this place"),
        ("7-crossover", "a number and two words"),
        ("crossover-clockwork", "a number and two words"),
        ("07-crossover-clockwork", "a number and two words"),
        ("7-crossover-clockwork-zulu", "a number and two words"),
        ("", "a number and two words"),
        ("alive1-abcdef", "relay accept"),
    ],
)
def test_a_slip_is_told_before_it_costs_the_guess(typed: str, said: str) -> None:
    """With what they may have said."""
    with pytest.raises(RelayError) as caught:
        read_code(typed)
    assert caught.value.code == "bad-code"
    assert said in f"{caught.value.message} {caught.value.hint}"


@given(st.text(max_size=300))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    """Nothing else happens."""
    try:
        code = read_code(text)
    except RelayError:
        return
    assert read_code(str(code)) == code
