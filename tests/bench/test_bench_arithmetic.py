"""What the bench reckons: medians, ratios within a round, the order of turns, and how something grows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arithmetic import last_slope, order, ratios, short, slope, spread

SECONDS = st.floats(1e-4, 1e4)


@given(st.lists(SECONDS, min_size=1))
def test_a_median_has_as_many_values_on_either_side(values: list[float]) -> None:
    """And lies between the smallest and the largest."""
    found = spread(values)
    assert (found.low, found.high, found.count) == (min(values), max(values), len(values))
    assert found.low <= found.median <= found.high
    assert sum(one < found.median for one in values) <= len(values) / 2
    assert sum(one > found.median for one in values) <= len(values) / 2


def test_without_values_there_is_no_median() -> None:
    """It is refused, rather than shown as nothing."""
    with pytest.raises(ValueError, match="nothing"):
        spread([])


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1))
def test_a_ratio_is_taken_within_its_round(pairs: list[tuple[float, float]]) -> None:
    """Each is the other's time over ours in the same round; turned round, it is one over it."""
    others, ours = [one for one, _ in pairs], [one for _, one in pairs]
    found = ratios(others, ours)
    assert [ratio * own for ratio, own in zip(found, ours, strict=True)] == pytest.approx(others)
    assert ratios(ours, others) == pytest.approx([1 / ratio for ratio in found])


def test_a_disturbed_round_does_not_move_the_ratio() -> None:
    """Both sides of a round are slower then; the ratio of their medians would move."""
    ours, others = [1.0, 1.0, 10.0], [2.0, 20.0, 20.0]
    assert spread(ratios(others, ours)).median == 2
    assert spread(others).median / spread(ours).median == 20


def test_rounds_have_to_belong_together() -> None:
    """Who missed a round is not compared."""
    with pytest.raises(ValueError, match="2 rounds"):
        ratios([1, 2], [1, 2, 3])


@given(st.integers(1, 6), st.integers(-3, 40))
def test_everybody_has_one_turn_in_a_round_and_is_first_in_turn(count: int, first: int) -> None:
    """Over as many rounds as there are contestants, each is at every place once."""
    names = [f"c{number}" for number in range(count)]
    rounds = [order(names, first + number) for number in range(count)]
    assert all(sorted(each) == names for each in rounds)
    assert all(sorted(places) == names for places in zip(*rounds, strict=True))


def test_two_alternate() -> None:
    """One is first in every other round."""
    assert [order(["ours", "tools"], number)[0] for number in range(4)] == ["ours", "tools", "ours", "tools"]
    assert order([], 3) == []


@given(st.floats(-2, 3), st.floats(0.001, 100))
def test_the_slope_of_a_power_is_its_exponent(exponent: float, factor: float) -> None:
    """However large the factor before it is."""
    points = [(float(x), factor * x**exponent) for x in (10, 100, 1000, 10_000)]
    assert math.isclose(slope(points), exponent, abs_tol=1e-9)
    assert math.isclose(last_slope(points), exponent, abs_tol=1e-9)


def test_at_the_end_a_start_no_longer_counts() -> None:
    """Half a second of starting up hides the growth of what follows, but not in the last stretch."""
    points = [(float(x), 0.5 + x / 100) for x in (1, 10, 100, 1000, 10_000)]
    assert slope(points) < 0.7
    assert last_slope(points) > 0.97


@pytest.mark.parametrize("points", [[], [(1.0, 1.0)], [(1.0, 1.0), (1.0, 2.0)], [(0.0, 1.0), (1.0, 1.0)]])
def test_a_slope_needs_two_places_above_zero(points: list[tuple[float, float]]) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="slope"):
        slope(points)


@given(st.floats(1e-6, 1e12))
def test_a_number_is_kept_to_four_digits(value: float) -> None:
    """More would be noise; fewer would show."""
    assert math.isclose(short(value), value, rel_tol=5.1e-4)
    assert short(short(value)) == short(value)
