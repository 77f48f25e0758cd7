"""What the numbers of a bench are: medians with their spread, ratios within a round, and how something grows."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A median and how far the values lie from each other.

    Attributes:
        median: the middle.
        low: the smallest value.
        high: the largest value.
        count: how many values there were.
    """

    median: float
    low: float
    high: float
    count: int

    @property
    def document(self) -> dict[str, Any]:
        """As JSON, to four significant digits."""
        return {"median": short(self.median), "low": short(self.low), "high": short(self.high), "count": self.count}


def spread(values: Sequence[float]) -> Spread:
    """The median of some values, with the smallest and the largest.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("there is nothing to take a median of")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def short(value: float) -> float:
    """A number to four significant digits: more would be noise, and would make two result files hard to compare."""
    return float(f"{value:.4g}")


def ratios(others: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times ours each round of another took; over one, ours took less.

    The two values of a round were measured next to each other, so that what disturbed the machine disturbed both; a
    ratio of two medians would compare moments that have nothing to do with each other.

    Raises:
        ValueError: they did not have the same rounds.
    """
    if len(others) != len(ours):
        raise ValueError(f"{len(others)} rounds cannot be compared with {len(ours)}")
    return [other / our for other, our in zip(others, ours, strict=True)]


def order(names: Sequence[str], number: int) -> list[str]:
    """In which order everybody has a turn in a round: rotated, so that nobody always comes after the same one first.

    Args:
        names: everybody.
        number: which round it is, from 0.
    """
    if not names:
        return []
    at = number % len(names)
    return [*names[at:], *names[:at]]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How something grows: the exponent of a power law through points, by least squares over their logarithms.

    1 is in proportion, 0 is not at all, 2 is with the square.

    Raises:
        ValueError: there are fewer than two points, all have the same x, or one is not above zero.
    """
    if len({x for x, _ in points}) < 2 or any(x <= 0 or y <= 0 for x, y in points):
        raise ValueError("a slope needs two points, with everything above zero")
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    return statistics.linear_regression(xs, ys).slope


def last_slope(points: Sequence[tuple[float, float]], factor: float = 10) -> float:
    """The slope over the last stretch only, where starting up no longer counts.

    Args:
        points: x and y.
        factor: the stretch begins at the largest x divided by this, or at the last point but one.

    Raises:
        ValueError: as `slope`.
    """
    in_order = sorted(points)
    if len(in_order) < 2:
        raise ValueError("a slope needs two points")
    from_x = in_order[-1][0] / factor * (1 - 1e-9)
    late = [point for point in in_order if point[0] >= from_x]
    return slope(late if len(late) > 1 else in_order[-2:])
