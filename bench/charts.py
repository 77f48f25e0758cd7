"""Charts as SVG, by a writer of our own: no fonts and no scripts from elsewhere, readable in light and dark.

A chart is made of text and a few shapes. Colours are named once, in a style that asks the reader's system for its
scheme; what a colour says is said in words as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 250, 84, 64, 52
_BAR, _GAP, _GROUP_GAP = 14, 2, 12

SERIES = ("ours", "before", "peer", "tools", "bare", "original", "limit")
"""What has a colour of its own; everything else has the colour of `tools`."""

_STYLE = """
  .bg { fill: #ffffff } text { font-family: system-ui, sans-serif; font-size: 12px; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #57606a; paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .grid { stroke: #d0d7de; stroke-width: 1 } .spread { stroke: #24292f; stroke-width: 1.2 }
  .limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 3 }
  .ours { fill: #0969da; stroke: #0969da } .before { fill: #8250df; stroke: #8250df }
  .peer { fill: #bf8700; stroke: #bf8700 } .tools { fill: #6e7781; stroke: #6e7781 }
  .bare { fill: #afb8c1; stroke: #afb8c1 } .original { fill: #bc4c00; stroke: #bc4c00 }
  .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9198a1; stroke: #0d1117 } .grid { stroke: #30363d }
    .spread { stroke: #e6edf3 } .limit { stroke: #ff7b72 }
    .ours { fill: #4493f8; stroke: #4493f8 } .before { fill: #ab7df8; stroke: #ab7df8 }
    .peer { fill: #d29922; stroke: #d29922 } .tools { fill: #9198a1; stroke: #9198a1 }
    .bare { fill: #545d68; stroke: #545d68 } .original { fill: #f0883e; stroke: #f0883e }
    .line { fill: none }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: whose it is (a name in `SERIES`), how long, from where to where it was measured, and what it says."""

    series: str
    value: float
    low: float
    high: float
    says: str


@dataclass(frozen=True)
class Group:
    """Bars that belong together, and what they are of."""

    label: str
    bars: Sequence[Bar]


def bars(
    title: str,
    axis: str,
    groups: Sequence[Group],
    names: Mapping[str, str],
    *,
    is_log: bool = False,
    limit: tuple[float, str] | None = None,
    origin: float | None = None,
) -> str:
    """Horizontal bars in groups.

    Args:
        title: what the chart shows.
        axis: what the length of a bar is, in words, with the unit.
        groups: from top to bottom.
        names: what each series is called.
        is_log: whether every step of the axis is ten times the one before.
        limit: a value to draw a line at, and what it is.
        origin: the value at which bars begin; at the left end where it is not given.
    """
    every = [bar for group in groups for bar in group.bars]
    highest = max([bar.high for bar in every] + ([limit[0]] if limit else []))
    lowest = min([bar.low for bar in every] + ([limit[0]] if limit else []))
    scale = _Scale.over(lowest, highest, _LEFT, WIDTH - _RIGHT, is_log=is_log)
    rows = sum(len(group.bars) * (_BAR + _GAP) + _GROUP_GAP for group in groups)
    used = list(dict.fromkeys(bar.series for bar in every))
    top = _TOP + _legend_height(used, names)
    height = top + rows + _BOTTOM
    drawn = [*_legend(used, names), *_grid(scale, top, top + rows)]
    start = _LEFT if origin is None else scale.at(origin)
    labels = []
    y: float = top + _GROUP_GAP / 2
    for group in groups:
        middle = y + len(group.bars) * (_BAR + _GAP) / 2 + 4
        drawn.append(_text(_LEFT - 8, middle, group.label, anchor="end"))
        for bar in group.bars:
            end = scale.at(bar.value)
            drawn.append(
                f'<rect class="{_class(bar.series)}" x="{min(start, end):.1f}" y="{y:.1f}" '
                f'width="{max(abs(end - start), 1):.1f}" height="{_BAR}" stroke-width="0">'
                f"<title>{escape(f'{group.label}, {names.get(bar.series, bar.series)}: {bar.says}')}</title></rect>"
            )
            if bar.high > bar.low:
                from_x, to_x, at = scale.at(bar.low), scale.at(bar.high), y + _BAR / 2
                drawn.append(_line("spread", from_x, at, to_x, at))
            if end < start:
                labels.append(_text(scale.at(bar.low) - 5, y + _BAR - 3, bar.says, kind="small", anchor="end"))
            else:
                labels.append(_text(scale.at(bar.high) + 5, y + _BAR - 3, bar.says, kind="small"))
            y += _BAR + _GAP
        y += _GROUP_GAP
    if limit:
        x = scale.at(limit[0])
        drawn += [_line("limit", x, top - 4, x, top + rows), _text(x, top - 8, limit[1], kind="small", anchor="middle")]
    drawn += labels
    drawn.append(_text((_LEFT + WIDTH - _RIGHT) / 2, height - 12, axis, kind="small", anchor="middle"))
    return _svg(title, height, drawn)


def lines(
    title: str,
    x_axis: str,
    y_axis: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    names: Mapping[str, str],
) -> str:
    """Lines over two axes of which every step is ten times the one before.

    Args:
        title: what the chart shows.
        x_axis: what grows, with its unit.
        y_axis: what was measured, with its unit.
        series: points of each, above zero.
        names: what each is called.
    """
    left, right = 70, WIDTH - 30
    top = _TOP + _legend_height(list(series), names) + 6
    bottom = top + 300
    points = [point for line in series.values() for point in line]
    across = _Scale.over(min(x for x, _ in points), max(x for x, _ in points), left, right, is_log=True)
    up = _Scale.over(min(y for _, y in points), max(y for _, y in points), bottom, top, is_log=True)
    drawn = [*_legend(list(series), names)]
    for tick in across.ticks:
        drawn += [
            _line("grid", across.at(tick), top, across.at(tick), bottom),
            _text(across.at(tick), bottom + 16, number(tick), kind="small", anchor="middle"),
        ]
    for tick in up.ticks:
        drawn += [
            _line("grid", left, up.at(tick), right, up.at(tick)),
            _text(left - 6, up.at(tick) + 4, number(tick), kind="small", anchor="end"),
        ]
    for name, line in series.items():
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in sorted(line))
        drawn.append(f'<polyline class="{_class(name)} line" points="{path}"/>')
        for x, y in line:
            told = escape(f"{names.get(name, name)}: {number(x)}, {number(y)}")
            drawn.append(
                f'<circle class="{_class(name)}" cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3.5">'
                f"<title>{told}</title></circle>"
            )
    drawn.append(_text((left + right) / 2, bottom + 36, x_axis, kind="small", anchor="middle"))
    drawn.append(_text(12, top - 8, y_axis, kind="small"))
    return _svg(title, bottom + 50, drawn)


def number(value: float) -> str:
    """A number of an axis: `0.01`, `1`, `10,000`, `4 million`."""
    if value >= 1e9:
        return f"{value / 1e9:g} billion"
    if value >= 1e6:
        return f"{value / 1e6:g} million"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class _Scale:
    """Where a value lies between two ends of the picture."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool
    ticks: Sequence[float]

    @classmethod
    def over(cls, lowest: float, highest: float, start: float, end: float, *, is_log: bool) -> "_Scale":
        """A scale for values from `lowest` to `highest`, with round ends where it is a logarithm."""
        if is_log:
            low, high = math.floor(math.log10(lowest) + 1e-9), math.ceil(math.log10(highest) - 1e-9)
            high = max(high, low + 1)
            return cls(10.0**low, 10.0**high, start, end, is_log, [10.0**power for power in range(low, high + 1)])
        step = _round_step(highest / 5)
        count = math.ceil(highest / step - 1e-9)
        return cls(0, count * step, start, end, is_log, [step * one for one in range(count + 1)])

    def at(self, value: float) -> float:
        """The coordinate of a value; one outside lies at the end."""
        if self.is_log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + min(max(part, 0), 1) * (self.end - self.start)


def _round_step(at_least: float) -> float:
    """1, 2 or 5 times a power of ten, not below something."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= at_least * (1 - 1e-9))


def _class(series: str) -> str:
    return series if series in SERIES else "tools"


def _grid(scale: _Scale, top: float, bottom: float) -> list[str]:
    drawn = []
    for tick in scale.ticks:
        x = scale.at(tick)
        drawn += [_line("grid", x, top, x, bottom), _text(x, bottom + 16, number(tick), kind="small", anchor="middle")]
    return drawn


def _places(series: Sequence[str], names: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Where each entry of a legend begins: in rows, as many as fit."""
    found, x, row = [], 16, 0
    for name in series:
        width = 26 + 7 * len(names.get(name, name))
        if x + width > WIDTH and x > 16:
            x, row = 16, row + 1
        found.append((name, x, row))
        x += width + 10
    return found


def _legend_height(series: Sequence[str], names: Mapping[str, str]) -> int:
    return 18 * (max((row for _, _, row in _places(series, names)), default=0)) + 8


def _legend(series: Sequence[str], names: Mapping[str, str]) -> list[str]:
    drawn = []
    for name, x, row in _places(series, names):
        y = 38 + 18 * row
        drawn.append(f'<rect class="{_class(name)}" x="{x}" y="{y}" width="12" height="12" stroke-width="0"/>')
        drawn.append(_text(x + 17, y + 10, names.get(name, name)))
    return drawn


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> str:
    chosen = f' class="{kind}"' if kind else ""
    return f'<text{chosen} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="bg" width="{WIDTH}" height="{height:.0f}"/>',
            _text(16, 24, title, kind="title"),
            *drawn,
            "</svg>\n",
        ]
    )
