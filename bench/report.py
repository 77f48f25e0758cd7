"""The page about performance: what stands between its markers is made from results."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import tables, tools
from bench.arithmetic import last_slope, slope
from bench.bars import verdicts
from bench.bench import QUICK
from bench.pictures import pictures
from bench.relays import CLONE

_QUICK = "**From a quick run**: a few rounds of smaller things, which show the form of this page and no speed."
_MARKED = re.compile(r"(<!-- bench: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, document: Mapping[str, Any], charts: str) -> str:
    """The page with everything between `<!-- bench: NAME -->` and `<!-- end -->` made anew.

    Args:
        page: as it was.
        document: the results.
        charts: where the charts lie, seen from the page.

    Raises:
        ValueError: a marker names nothing that can be made.
    """

    def section(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in SECTIONS and name not in _PARTS:
            raise ValueError(f"nothing is known of '{name}'")
        text = SECTIONS[name](document) if name in SECTIONS else _part(document, name, charts)
        return f"{match[1]}\n{text}\n\n{match[3]}"

    return _MARKED.sub(section, page)


def write(page: Path, template: Path, results: Path, document: Mapping[str, Any]) -> None:
    """Write the page and its charts; charts of what is no longer measured are removed."""
    for old in results.glob("*.svg"):
        old.unlink()
    for name, chart in pictures(document):
        (results / name).write_text(chart, encoding="utf-8")
    charts = results.name if results.resolve().parent == page.resolve().parent else "."
    page.write_text(filled(template.read_text(encoding="utf-8"), document, charts), encoding="utf-8")


def _machine(document: Mapping[str, Any]) -> str:
    here = document["machine"]
    modes = {part["mode"] for part in document["parts"].values()}
    dates = sorted({part["measured_at"] for part in document["parts"].values()})
    measured = f"measured on {' and '.join(dict.fromkeys((dates[0], dates[-1])))}" if dates else "not measured yet"
    items = [
        f"{here['processor']}, {here['cores']} cores, {here['memory_gib']} GiB",
        f"{here['system']}; {here['file_system']}",
        ", ".join([here["python"], *(f"{name} {version}" for name, version in here["libraries"].items())]),
        "; ".join(here["tools"].values()),
        measured,
    ]
    lines = [f"- {item}" for item in items]
    if QUICK.mode in modes:
        lines += ["", _QUICK]
    return "\n".join(lines)


def _bars(document: Mapping[str, Any]) -> str:
    return tables.markdown(bar_rows(document))


def bar_rows(document: Mapping[str, Any]) -> list[list[str]]:
    """The bars as a table; a quick run does not say whether one is met."""
    rows = [["what", "bar", "measured", ""]]
    is_quick = any(part["mode"] == QUICK.mode for part in document["parts"].values())
    for one in verdicts(document):
        is_open = is_quick and one.is_met is not None
        rows.append([one.what, one.bar, one.measured or "–", "not said by a quick run" if is_open else one.said])
    return rows


def _slopes(document: Mapping[str, Any]) -> str:
    cases = document["parts"].get("growth", {}).get("cases", ())
    rows = [["", "over", "", "from", "to", "slope", "slope at the end"]]
    for title, kind in dict.fromkeys((case["name"], case["variant"]) for case in cases):
        own = [case for case in cases if (case["name"], case["variant"]) == (title, kind)]
        for name in tables.contestants(own):
            points = [(case["x"], case["measured"][name]["median"]) for case in own if name in case["measured"]]
            if len(points) > 1:
                first, last = (tables.value(seconds, "s") for _, seconds in (points[0], points[-1]))
                slopes = [f"{of(points):.2f}" for of in (slope, last_slope)]
                rows.append([title, kind, tables.label(name), first, last, *slopes])
    return tables.markdown(rows) if len(rows) > 1 else "Not measured."


def _pipelines(_: Mapping[str, Any]) -> str:
    texts = [("create", f"{envelope}", tools.create(envelope, sums=True).text) for envelope in tools.ENVELOPES]
    texts += [("receive", f"{envelope}", tools.receive(envelope, safe=True).text) for envelope in tools.ENVELOPES]
    texts += [("verify", "none", tools.verify("none").text), ("info", "none", tools.info("none").text)]
    texts.append(("push", "", CLONE))
    blocks = []
    for what, envelope, text in texts:
        blocks.append(f"{what}{f', {envelope}' if envelope else ''}:\n\n```text\n{text}\n```")
    return "\n\n".join(blocks)


def _part(document: Mapping[str, Any], name: str, charts: str) -> str:
    part = document["parts"].get(name)
    if not part:
        return "Not measured."
    cases: Sequence[Mapping[str, Any]] = part["cases"]
    text = tables.markdown(tables.rows(cases))
    reasons = dict.fromkeys(
        f"{tables.label(who)}: {reason}" + (f" ({case['variant']})" if case["variant"] else "")
        for case in cases
        for who, reason in case["left_out"].items()
    )
    if reasons:
        text += "\n\nLeft out: " + "; ".join(reasons) + "."
    shown = [file for file, _ in pictures({"parts": {name: part}})]
    links = [f"![{file.removesuffix('.svg')}]({charts}/{file})" for file in shown]
    return "\n\n".join([text, *links])


SECTIONS = {"machine": _machine, "bars": _bars, "slopes": _slopes, "pipelines": _pipelines}
"""What is made of all results together; every part has a section of its own besides."""
_PARTS = ("create", "receive", "verify", "info", "startup", "memory", "bombs", "relay", "growth")
