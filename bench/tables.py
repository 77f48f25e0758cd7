"""Results as rows: for the terminal, and in Markdown."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.contestants import BARE, BEFORE, LABELS, OURS, PEER, TOOLS
from bench.corpora import amount

_AS_MILLISECONDS = 0.1
ORDER = (OURS, BEFORE, PEER, TOOLS, BARE)


def value(number: float, unit: str) -> str:
    """A measured value as a person reads it."""
    if unit == "bytes":
        return amount(number)
    return f"{number * 1000:.3g} ms" if number < _AS_MILLISECONDS else f"{number:.3g} s"


def measured(one: Mapping[str, Any], unit: str) -> str:
    """A median with its smallest and largest value."""
    if one["count"] == 1:
        return value(one["median"], unit)
    low, high = one["low"], one["high"]
    if unit == "bytes":
        return f"{amount(one['median'])} ({amount(low)}–{amount(high)})"
    factor = 1000 if one["median"] < _AS_MILLISECONDS else 1  # the same unit for all three
    return f"{value(one['median'], unit)} ({low * factor:.3g}–{high * factor:.3g})"


def times(one: Mapping[str, Any] | None) -> str:
    """A ratio with its spread: `3.1× (2.9–3.4)`."""
    if one is None:
        return ""
    if one["count"] == 1:
        return f"{one['median']:.3g}×"
    return f"{one['median']:.3g}× ({one['low']:.3g}–{one['high']:.3g})"


def label(name: str) -> str:
    """What somebody is called."""
    return LABELS.get(name, name)


def contestants(cases: Iterable[Mapping[str, Any]]) -> list[str]:
    """Who occurs in some cases, in a fixed order and ours first."""
    names = {name for case in cases for name in case["measured"]}
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def rows(cases: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A heading and a row for each case: what everybody took, and how many times ours that is."""
    names = contestants(cases)
    has_variant = any(case["variant"] for case in cases)
    head = ["", *([" "] if has_variant else []), *(label(name) for name in names)]
    made = [head]
    for case in cases:
        cells = []
        for name in names:
            found = case["measured"].get(name)
            if found is None:
                cells.append("–")
            else:
                ratio = times(case["ratios"].get(name))
                cells.append(measured(found, case["unit"]) + (f", {ratio}" if ratio else ""))
        title = f"{case['name']}: {case['detail']}" if case["detail"] else case["name"]
        made.append([title, *([case["variant"]] if has_variant else []), *cells])
    return made


def markdown(table: Sequence[Sequence[str]]) -> str:
    """As a table in Markdown."""
    lines = ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in table]
    lines.insert(1, "|" + " --- |" * len(table[0]))
    return "\n".join(lines)


def plain(table: Sequence[Sequence[str]]) -> str:
    """For a terminal: columns as wide as they need to be."""
    widths = [max(_width(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
