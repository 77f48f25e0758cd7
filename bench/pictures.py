"""Which charts are made of results."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import charts
from bench.charts import Bar, Group
from bench.contestants import BARE, BEFORE, LABELS, OURS, PEER, TOOLS
from bench.corpora import MB, amount
from bench.memory import FLOOR, SMALL
from bench.roads import ORIGINAL
from bench.tables import times, value

NAMES = {**LABELS, ORIGINAL: "the original, as told (another machine)"}


def pictures(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name of every file, and the chart."""
    parts = {name: part["cases"] for name, part in document["parts"].items()}
    for road in ("create", "receive", "verify"):
        if groups := _ratios(parts.get(road, ())):
            title = f"{road}: how many times as long as alive-p2p others take"
            chart = charts.bars(
                title, "times as long (right of 1: alive-p2p is faster)", groups, NAMES, is_log=True,
                limit=(1, "as long as alive-p2p"), origin=1,
            )  # fmt: skip
            yield f"{road}.svg", chart
    if groups := _startup(parts.get("startup", ())):
        names = {OURS: LABELS[OURS], BEFORE: LABELS[BEFORE], TOOLS: "others"}
        yield "startup.svg", charts.bars("start-up", "milliseconds", groups, names, limit=(100, "at most"))
    if found := _memory(parts.get("memory", ())):
        groups, names = found
        yield "memory.svg", charts.bars("peak memory of alive-p2p", "MB", groups, names, limit=(80, "at most"))
    yield from _growth(parts.get("growth", ()))


def _ratios(cases: Sequence[Mapping[str, Any]]) -> list[Group]:
    groups = []
    for case in cases:
        made = [
            Bar(name, one["median"], one["low"], one["high"], times({**one, "count": 1}))
            for name in (BEFORE, PEER, TOOLS, BARE)
            if (one := case["ratios"].get(name))
        ]
        told = case["reference"].get(ORIGINAL)
        if told and OURS in case["measured"]:
            ratio = told / case["measured"][OURS]["median"]
            made.append(Bar(ORIGINAL, ratio, ratio, ratio, f"{ratio:.3g}×"))
        if made:
            groups.append(Group(f"{case['name']} ({case['detail']}), {case['variant']}", made))
    return groups


def _startup(cases: Sequence[Mapping[str, Any]]) -> list[Group]:
    def bar(series: str, one: Mapping[str, Any]) -> Bar:
        return Bar(series, one["median"] * 1000, one["low"] * 1000, one["high"] * 1000, value(one["median"], "s"))

    groups = [
        Group(case["name"], [bar(name, case["measured"][name]) for name in (OURS, BEFORE) if name in case["measured"]])
        for case in cases
        if OURS in case["measured"]
    ]
    others = {name: one for case in cases for name, one in case["measured"].items() if name not in (OURS, BEFORE)}
    return groups + [Group(name, [bar(TOOLS, one)]) for name, one in sorted(others.items())] if groups else []


def _memory(cases: Sequence[Mapping[str, Any]]) -> tuple[list[Group], dict[str, str]] | None:
    own = [case for case in cases if case["name"] != FLOOR and OURS in case["measured"]]
    sizes = sorted({case["x"] for case in own})
    if not sizes:
        return None
    groups = []
    for road, envelope in dict.fromkeys((case["name"], case["variant"]) for case in own):
        made = [
            Bar(BARE if case["x"] == float(SMALL) else OURS, one["median"] / MB, one["low"] / MB, one["high"] / MB,
                f"{one['median'] / MB:.1f} MB")
            for case in own
            if (case["name"], case["variant"]) == (road, envelope) and (one := case["measured"][OURS])
        ]  # fmt: skip
        groups.append(Group(f"{road}, {envelope}", made))
    return groups, {BARE: f"a package of {amount(sizes[0])}", OURS: f"a package of {amount(sizes[-1])}"}


def _growth(cases: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    axes = {"files": "files", "bytes": "bytes in one file", "world": "walnuts in the world"}
    for title, kind in dict.fromkeys((case["name"], case["variant"]) for case in cases):
        series: dict[str, list[tuple[float, float]]] = {}
        for case in cases:
            if (case["name"], case["variant"]) == (title, kind):
                for name, one in case["measured"].items():
                    series.setdefault(name, []).append((case["x"], one["median"]))
        if any(len(points) > 1 for points in series.values()):
            heading = f"{title}: time over {axes[kind]}"
            yield f"growth-{kind}-{title}.svg", charts.lines(heading, axes[kind], "seconds", series, NAMES)
