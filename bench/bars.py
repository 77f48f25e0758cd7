"""How fast and small this program is to be (the bars), and whether it was, as far as that was measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.bombs import ALONE
from bench.contestants import BARE, OURS, PEER, TOOLS
from bench.corpora import MB
from bench.memory import FLOOR, SMALL
from bench.relays import EMPTY, ONE_PEER
from bench.roads import ORIGINAL
from bench.tables import value

CaseDocument = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """A bar and what was measured against it.

    Attributes:
        what: what is measured.
        bar: what it is to be.
        measured: what it was.
        is_met: None where it was not measured.
    """

    what: str
    bar: str
    measured: str
    is_met: bool | None

    @property
    def said(self) -> str:
        """In words."""
        return {True: "met", False: "not met", None: "not measured"}[self.is_met]


def verdicts(document: Mapping[str, Any]) -> list[Verdict]:
    """Every bar, for what a results file holds."""
    parts = {name: part["cases"] for name, part in document["parts"].items()}
    return [
        *_roads(parts, "create", {"A": 4, "B": 4, "C": 8}),
        *_roads(parts, "receive", {"A": 2, "B": 2, "C": 2}),
        *_memory(parts.get("memory", ())),
        *_short(parts),
        _bombs(parts.get("bombs", ())),
        *_relay(parts.get("relay", ())),
    ]


def _missing(what: str, bar: str) -> Verdict:
    return Verdict(what, bar, "", None)


def _title(case: CaseDocument) -> str:
    return f"{case['name']}, {case['variant']}" if case["variant"] else str(case["name"])


def _worst(cases: Sequence[CaseDocument], name: str) -> tuple[float, CaseDocument] | None:
    """The case in which somebody's ratio to ours is the smallest."""
    found = [(float(case["ratios"][name]["median"]), case) for case in cases if name in case["ratios"]]
    return min(found, key=lambda one: one[0], default=None)


def _roads(parts: Mapping[str, Sequence[CaseDocument]], road: str, factors: Mapping[str, int]) -> Iterator[Verdict]:
    cases = [case for case in parts.get(road, ()) if case["name"] in factors]
    for name, factor in factors.items():
        what, bar = f"{road} {name}, every envelope", f"at least {factor} times as fast as the original"
        own = [case for case in cases if case["name"] == name]
        if worst := _worst(own, PEER):
            yield Verdict(what, bar, f"{worst[0]:.3g}× in the same run ({worst[1]['variant']})", worst[0] >= factor)
        elif told := _as_told(own):
            says = f"{told[0]:.3g}× its figure from another machine ({told[1]['variant']})"
            yield Verdict(what, bar, says, told[0] >= factor)
        else:
            yield _missing(what, bar)
    what = f"{road} A, B and C, every envelope"
    bar = "faster than the standard tools" if road == "create" else "not slower than the standard tools"
    worst = _worst(cases, TOOLS)
    if not worst:
        yield _missing(what, bar)
        return
    bare = _worst(cases, BARE)
    says = f"{worst[0]:.3g}× at worst ({_title(worst[1])})"
    if bare:
        says += f"; {bare[0]:.3g}× what they take unchecked ({_title(bare[1])})"
    yield Verdict(what, bar, says, worst[0] >= 1)


def _as_told(cases: Sequence[CaseDocument]) -> tuple[float, CaseDocument] | None:
    found = [
        (case["reference"][ORIGINAL] / case["measured"][OURS]["median"], case)
        for case in cases
        if ORIGINAL in case["reference"] and OURS in case["measured"]
    ]
    return min(found, key=lambda one: one[0], default=None)


def _memory(cases: Sequence[CaseDocument]) -> Iterator[Verdict]:
    own = {
        (case["name"], case["variant"], case["x"]): float(case["measured"][OURS]["median"])
        for case in cases
        if case["name"] != FLOOR and OURS in case["measured"]
    }
    what, bar = "peak memory, both roads, every envelope", "under 80 MB"
    if own:
        highest = max(own, key=lambda key: own[key])
        says = f"{value(own[highest], 'bytes')} at most ({highest[0]}, {highest[1]})"
        yield Verdict(what, bar, says, own[highest] < 80 * MB)
    else:
        yield _missing(what, bar)
    what, bar = "the same for a package of 2 GB as for one of 20 MB", "within 10 %"
    grown = {
        key: large / own[key[0], key[1], float(SMALL)]
        for key, large in own.items()
        if key[2] != float(SMALL) and (key[0], key[1], float(SMALL)) in own
    }
    if grown:
        most = max(grown, key=lambda key: grown[key])
        size = value(most[2], "bytes")
        says = f"{(grown[most] - 1) * 100:+.1f} % at most, for {size} ({most[0]}, {most[1]})"
        yield Verdict(what, bar, says, grown[most] <= 1.1)
    else:
        yield _missing(what, bar)


def _short(parts: Mapping[str, Sequence[CaseDocument]]) -> Iterator[Verdict]:
    """What has to be over before anybody notices."""

    def is_plain(name: str) -> Callable[[CaseDocument], bool]:
        return lambda case: case["name"] == name and case["variant"] == "none"

    wanted: tuple[tuple[str, str, Callable[[CaseDocument], bool], float], ...] = (
        ("create D, not sealed", "create", is_plain("D"), 0.35),
        ("receive D, not sealed", "receive", is_plain("D"), 0.35),
        ("`--version`", "startup", lambda case: case["name"] == "--version", 0.1),
        ("`--help`", "startup", lambda case: case["name"] == "--help", 0.1),
        ("the session-start hook", "startup", lambda case: "hook" in case["name"], 0.1),
        ("`info` on a package of 400 MB", "info", lambda case: case["variant"] == "none", 0.25),
    )
    for what, part, takes, limit in wanted:
        bar = f"under {limit:g} s"
        found = [case for case in parts.get(part, ()) if takes(case) and OURS in case["measured"]]
        if not found:
            yield _missing(what, bar)
            continue
        slowest = max(found, key=lambda case: float(case["measured"][OURS]["median"]))
        seconds = float(slowest["measured"][OURS]["median"])
        more = f" ({slowest['detail']})" if part == "info" else f" ({slowest['name']})" if len(found) > 1 else ""
        yield Verdict(what, bar, value(seconds, "s") + more, seconds < limit)


def _bombs(cases: Sequence[CaseDocument]) -> Verdict:
    what, bar = "a refused bomb", "under the time to decompress one limit's worth"
    worst = _worst(cases, TOOLS)
    if not worst:
        return _missing(what, bar)
    says = f"gzip takes {worst[0]:.3g} times as long at least ({worst[1]['name']})"
    if alone := _worst(cases, ALONE):
        says += f"; the decompressor we use, alone, {alone[0]:.3g} times"
    return Verdict(what, bar, says, worst[0] > 1)


def _relay(cases: Sequence[CaseDocument]) -> Iterator[Verdict]:
    pushed = [case for case in cases if case["name"].startswith("push") and OURS in case["measured"]]
    by_unit = {case["unit"]: case for case in pushed}
    past = f"{pushed[0]['name']}" if pushed else "push, 2,000 past deposits"
    wire, time = by_unit.get("bytes"), by_unit.get("s")
    bar = "under 1.5 times the package and 64 KB"
    if wire and wire["x"]:
        sent = float(wire["measured"][OURS]["median"])
        most = 1.5 * wire["x"] + 64_000
        says = f"{value(sent, 'bytes')} for {wire['detail']}"
        yield Verdict(f"{past}: bytes on the wire", bar, says, sent < most)
    else:
        yield _missing(f"{past}: bytes on the wire", bar)
    if time:
        seconds = float(time["measured"][OURS]["median"])
        yield Verdict(f"{past}: time", "under 3 s on loopback", value(seconds, "s"), seconds < 3)
    else:
        yield _missing(f"{past}: time", "under 3 s on loopback")
    what, bar = f"{past}: beside an empty relay", "the same number of bytes"
    if wire and EMPTY in wire["ratios"]:
        ratio = 1 / float(wire["ratios"][EMPTY]["median"])
        yield Verdict(what, bar, f"{(ratio - 1) * 100:+.1f} %", abs(ratio - 1) < 0.05)
    else:
        yield _missing(what, bar)
    late = [case for case in cases if case["name"].startswith("probe") and case["unit"] == "s" and case["x"]]
    what, bar = "probe of 50 peers that answer after 1 s", "the time of one round trip, not of fifty"
    if late and ONE_PEER in late[0]["measured"] and OURS in late[0]["measured"]:
        many, one = (float(late[0]["measured"][who]["median"]) for who in (OURS, ONE_PEER))
        yield Verdict(what, bar, f"{value(many, 's')}, and {value(one, 's')} for one peer", many < 2 * one)
    else:
        yield _missing(what, bar)
