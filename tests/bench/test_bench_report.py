"""What the bench tells: results, charts, and a page that says no more than was measured."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import charts, report, tables
from bench.bars import verdicts
from bench.charts import Bar, Group
from bench.contestants import BEFORE, OURS, PEER, TOOLS
from bench.measuring import Contest, Ran
from bench.pictures import pictures
from bench.results import Case, timed
from bench.run import PAGE, PARTS, merged

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "bench"

SVG = "{http://www.w3.org/2000/svg}"
POSITIVE = st.floats(1e-4, 1e6)
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter(f"{SVG}text")]


@given(
    TEXT,
    st.lists(st.tuples(TEXT, st.lists(POSITIVE, min_size=1, max_size=4)), min_size=1, max_size=5),
    st.booleans(),
    st.none() | st.tuples(POSITIVE, TEXT),
)
def test_bars_are_well_formed_and_inside(
    title: str, groups: list[tuple[str, list[float]]], is_log: bool, limit: tuple[float, str] | None
) -> None:
    """Whatever they are called, and however long; every bar has its words."""
    made = [
        Group(label, [Bar("ours", one, one / 2, one * 2, f"{one:.3g}") for one in found]) for label, found in groups
    ]
    svg = charts.bars(title, "seconds", made, {"ours": "<us & them>"}, is_log=is_log, limit=limit)
    root = ET.fromstring(svg)
    drawn = [one for one in root.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]
    assert len(drawn) == sum(len(found) for _, found in groups)
    assert all(float(one.get("width", 0)) > 0 and float(one.get("x", 0)) + float(one.get("width", 0)) <= charts.WIDTH
               for one in drawn)  # fmt: skip
    said = texts(svg)
    assert {title, "seconds", "<us & them>", *(label for label, _ in groups)} <= set(said)
    assert all(f"{one:.3g}" in said for _, found in groups for one in found)


@given(st.dictionaries(st.sampled_from(charts.SERIES), st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2), min_size=1))
def test_lines_are_well_formed_and_inside(series: dict[str, list[tuple[float, float]]]) -> None:
    """Every point has a place within the picture."""
    root = ET.fromstring(charts.lines("growth", "files", "seconds", series, {}))
    height = float(root.get("height", 0))
    points = [(float(one.get("cx", -1)), float(one.get("cy", -1))) for one in root.iter(f"{SVG}circle")]
    assert len(points) == sum(len(line) for line in series.values())
    assert all(0 <= x <= charts.WIDTH and 0 <= y <= height for x, y in points)


def test_a_power_is_a_straight_line() -> None:
    """Both axes are logarithms."""
    svg = charts.lines("t", "x", "y", {"ours": [(10.0, 1.0), (100.0, 10.0), (1000.0, 100.0)]}, {})
    places = [(float(one.get("cx", 0)), float(one.get("cy", 0))) for one in ET.fromstring(svg).iter(f"{SVG}circle")]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert (x2 - x1, y2 - y1) == pytest.approx((x3 - x2, y3 - y2), abs=0.2)
    assert y1 > y3


def test_charts_are_readable_by_themselves() -> None:
    """In light and dark, and with nothing from elsewhere."""
    svg = charts.bars("t", "s", [Group("g", [Bar("ours", 1, 1, 1, "1 s")])], {})
    assert "prefers-color-scheme: dark" in svg
    assert re.findall(r"https?://[^\"' ]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|<script|<image|href", svg)


def case(values: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    return Case(**{"part": "create", "name": "A", "unit": "s", "variant": "none", **more, "values": values}).document


def document(**parts: list[dict[str, Any]]) -> dict[str, Any]:
    made = {
        name: {"mode": "full", "measured_at": "2026-04-07", "took_seconds": 1, "cases": cases}
        for name, cases in parts.items()
    }
    here = {
        "processor": "a processor", "cores": 2, "memory_gib": 4.0, "system": "a system", "file_system": "ext4",
        "python": "CPython 3.12", "tools": {"tar": "tar 1"}, "libraries": {"pyrage": "1"},
    }  # fmt: skip
    return {"version": 1, "seed": 1, "machine": here, "parts": made}


def test_a_case_keeps_every_value() -> None:
    """And ratios are with ours, round by round."""
    made = case({OURS: [1.0, 2.0, 4.0], TOOLS: [3.0, 4.0, 4.0]})
    assert made["measured"][TOOLS]["values"] == [3, 4, 4]
    assert made["ratios"][TOOLS]["values"] == [3, 2, 1]
    assert made["ratios"][TOOLS]["median"] == 2
    assert OURS not in made["ratios"]


def test_results_say_nothing_of_the_machine_but_what_it_is() -> None:
    """Why somebody is left out is told without what a program said, which may hold paths."""
    done = Contest({OURS: [Ran(1, 1, 1, 0)]}, {PEER: "ended with 1: error: '/home/somebody/x' is not there"})
    assert timed("create", "A", done).document["left_out"] == {PEER: "ended with 1"}


def verdict(parts: dict[str, Any], what: str) -> bool | None:
    (found,) = [one for one in verdicts(document(**parts)) if one.what == what]
    return found.is_met


@pytest.mark.parametrize(("seconds", "is_met"), [(0.34, True), (0.36, False)])
def test_a_bar_is_met_by_what_was_measured(seconds: float, is_met: bool) -> None:
    """Neither by a rounded figure nor by the best round."""
    cases = [case({OURS: [0.1, seconds, 9.0]}, name="D")]
    assert verdict({"create": cases}, "create D, not sealed") is is_met


def test_the_worst_case_decides() -> None:
    """A bar for all envelopes is not met by three of four."""
    cases = [case({OURS: [1.0], TOOLS: [ratio]}, variant=str(ratio)) for ratio in (3.0, 2.0, 0.9)]
    assert verdict({"create": cases}, "create A, B and C, every envelope") is False


def test_the_original_is_taken_from_the_same_run_where_it_was_in_it() -> None:
    """Its figures from another machine count only where it was not."""
    told = {"original": 100.0}
    slow = [case({OURS: [1.0], PEER: [2.0]}, reference=told)]
    assert verdict({"create": slow}, "create A, every envelope") is False
    assert verdict({"create": [case({OURS: [1.0]}, reference=told)]}, "create A, every envelope") is True


def test_memory_is_compared_road_by_road() -> None:
    """One that grows is enough."""

    def peak(road: str, size: float, megabytes: float) -> dict[str, Any]:
        return case({OURS: [megabytes * 1e6]}, part="memory", name=road, unit="bytes", x=size)

    flat = [peak(road, size, at) for road, at in (("create", 40), ("receive", 50)) for size in (20e6, 2e9)]
    what = "the same for a package of 2 GB as for one of 20 MB"
    assert verdict({"memory": flat}, what) is True
    assert verdict({"memory": [*flat[:3], peak("receive", 2e9, 56)]}, what) is False


def test_what_was_not_measured_is_not_met() -> None:
    """And is not called a failure either."""
    assert {one.is_met for one in verdicts(document())} == {None}
    assert {one.said for one in verdicts(document())} == {"not measured"}


def test_a_quick_run_says_of_no_bar_that_it_is_met() -> None:
    """Smaller things in fewer rounds are no measure of it."""
    results = document(create=[case({OURS: [0.1]}, name="D")])
    assert "met" in [row[-1] for row in report.bar_rows(results)]
    results["parts"]["create"]["mode"] = "quick"
    assert not {"met", "not met"} & {row[-1] for row in report.bar_rows(results)}


def test_parts_of_another_machine_or_a_quick_run_are_not_kept() -> None:
    """Those of the same machine, measured as thoroughly, stay, and in their order."""
    one, here = document(create=[], startup=[]), document()["machine"]
    one["seed"] = merged(None, here, {})["seed"]
    new = {"receive": {"mode": "full"}}
    assert list(merged(one, here, new)["parts"]) == ["create", "receive", "startup"]
    assert list(merged(one, {**here, "cores": 8}, new)["parts"]) == ["receive"]
    assert list(merged(one, here, {"receive": {"mode": "quick"}})["parts"]) == ["receive"]


def test_only_what_is_between_markers_changes() -> None:
    """Made twice, the page is the same."""
    page = "before\n<!-- bench: create -->\nold\n<!-- end -->\nafter\n"
    results = document(create=[case({OURS: [1.0], TOOLS: [2.0], BEFORE: [1.1]})])
    once = report.filled(page, results, "bench")
    assert once.startswith("before\n<!-- bench: create -->\n")
    assert once.endswith("<!-- end -->\nafter\n")
    assert "2×" in once
    assert "old" not in once
    assert "![create](bench/create.svg)" in once
    assert report.filled(once, results, "bench") == once
    with pytest.raises(ValueError, match="nonsense"):
        report.filled("<!-- bench: nonsense -->\n<!-- end -->", results, "bench")


def test_the_page_has_a_place_for_every_part() -> None:
    """Nothing that is measured is left out of it."""
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- bench: ([a-z-]+) -->", page)) == {*PARTS, *report.SECTIONS}


def test_the_page_and_the_charts_are_those_of_the_results() -> None:
    """Whoever changes one by hand, or forgets to keep the other, is told here."""
    results = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert report.filled(page, results, "bench") == page
    made = dict(pictures(results))
    assert {path.name for path in RESULTS.glob("*.svg")} == set(made)
    for name, chart in made.items():
        assert (RESULTS / name).read_text(encoding="utf-8") == chart, name
        ET.fromstring(chart)
    text = (RESULTS / "results.json").read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)


def test_a_spread_has_the_unit_of_its_median() -> None:
    """Also where its ends would have another by themselves."""
    assert tables.measured(case({OURS: [0.0544, 0.0854, 0.155]})["measured"][OURS], "s") == "85.4 ms (54.4–155)"
    assert tables.measured(case({OURS: [0.05, 0.2, 1.5]})["measured"][OURS], "s") == "0.2 s (0.05–1.5)"


def test_tables_line_up() -> None:
    """On a terminal every column begins at the same place."""
    made = tables.plain(
        tables.rows(
            [
                case(
                    {
                        OURS: [1.0],
                        TOOLS: [
                            20.0,
                        ][:1],
                    }
                ),
                case({OURS: [0.001]}, name="longer"),
            ]
        )
    )
    head, *rest = made.splitlines()
    assert head.index("alive-p2p") == rest[0].index("1 s") == rest[1].index("1 ms")
    assert "20 s, 20×" in rest[0]
    assert "–" in rest[1]
