"""Curves as plain SVG: every line is drawn without a script; with it, they can be zoomed and read.

A line is kept as whole numbers, 0 to `SCALE` in each direction, in an SVG that is stretched over its panel; so zooming
is another section of the same drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ganzoo.report.page import text

SCALE = 100_000
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 480, 190, 52, 8, 22
POINTS = 15_000  # in all lines under a heading
DOTS = 60  # a line of fewer points shows them
COLOURS = ("#3b82d8", "#e0742c", "#37a35c", "#d6423f", "#8f6bc9", "#8a6250", "#d877b8", "#7f7f7f", "#a8a92f", "#2fb3c4")

Points = Sequence[tuple[float, float]]


@dataclass
class Line:
    """Values over steps; `smooth` are their means, drawn in their stead, thicker than they."""

    name: str
    points: Points
    smooth: Points = ()


@dataclass
class Panel:
    """Lines that share their axes."""

    label: str
    lines: list[Line] = field(default_factory=list)
    log: bool = False


def figures(panels: Sequence[Panel], end: float, warnings: Iterable[tuple[int, str]] = ()) -> str:
    """Some panels whose steps go from 0 to `end`, with a mark where a warning was given."""
    count = sum(len(panel.lines) * 2 for panel in panels)
    most = max(POINTS // max(count, 1), 40)
    marks = list(warnings)[:200]
    drawn = "".join(_figure(panel, max(end, 1), marks, min(most, 600)) for panel in panels if panel.lines)
    return f"<div class=charts>{drawn}</div>" if drawn else ""


def _figure(panel: Panel, end: float, warnings: Sequence[tuple[int, str]], most: int) -> str:
    values = [v for line in panel.lines for _, v in line.points if math.isfinite(v)]
    log = panel.log and any(v > 0 for v in values)
    values = [v for v in values if v > 0] if log else values
    if not values:
        return ""
    low, high = _range(values, log)
    down = math.log10 if log else float
    bottom, top = down(low), down(high)

    def place(points: Points) -> list[tuple[int, int]]:
        return [
            (round(step / end * SCALE), round((top - down(v)) / (top - bottom) * SCALE))
            for step, v in thinned(points, most)
            if math.isfinite(v) and (v > 0 or not log)
        ]

    drawn, keys = [], []
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        raw, smooth = place(line.points), place(line.smooth)
        lines = [(raw, " thin"), (smooth, "")] if smooth else [(raw, "")]
        for points, kind in lines:
            joined = " ".join(f"{x},{y}" for x, y in points)
            drawn.append(f"<polyline class='s{number}{kind}' stroke='{colour}' points='{joined}'/>")
        if len(lines[-1][0]) <= DOTS:
            dots = "".join(f"M{x} {y}h0" for x, y in lines[-1][0])
            drawn.append(f"<path class='s{number} dots' stroke='{colour}' d='{dots}'/>")
        keys.append(
            f"<label><input type=checkbox class=k{number} checked><i style='background:{colour}'></i>"
            f"{text(line.name)} <output>{line.points[-1][1]:.4g}</output></label>"
        )
    marks = "".join(
        f"<path class=warning d='M{round(step / end * SCALE)} 0V{SCALE}'>"
        f"<title>step {step}: {text(said)}</title></path>"
        for step, said in warnings
    )
    inside = f"width={WIDTH - LEFT} height={HEIGHT - TOP - BOTTOM}"
    return (
        f"<figure class=chart data-end={end!r} data-low={bottom!r} data-high={top!r}{' data-log' if log else ''}>"
        f"<h3>{text(panel.label)}</h3><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{text(panel.label)}'>"
        f"<g class=ticks>{_ticks(end, bottom, top, log)}</g>"
        f"<svg class=plot x={LEFT} y={TOP} {inside} viewBox='0 0 {SCALE} {SCALE}' preserveAspectRatio=none>"
        f"<rect class=area width={SCALE} height={SCALE} />{marks}{''.join(drawn)}</svg></svg>"
        f"<div class=keys>{''.join(keys)}</div></figure>"
    )


def _range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """A little more than the values take up."""
    low, high = min(values), max(values)
    if log:
        return low / 1.1, high * 1.1
    room = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return low - room, high + room


def thinned(points: Points, most: int) -> list[tuple[float, float]]:
    """At most about so many points: of each stretch its smallest and largest, so that no peak is lost."""
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(len(points) / (most / 2))
    kept = [points[0]]
    for begin in range(0, len(points), stretch):
        piece = [p for p in points[begin : begin + stretch] if math.isfinite(p[1])]
        if piece:
            ends = {min(piece, key=lambda p: p[1]), max(piece, key=lambda p: p[1])}
            kept += sorted(ends)
    return [*kept, points[-1]] if kept[-1] != points[-1] else kept


def _ticks(end: float, bottom: float, top: float, log: bool) -> str:
    """Lines and numbers of both axes."""
    wide, high = WIDTH - LEFT, HEIGHT - TOP - BOTTOM
    drawn = []
    for value in powers(bottom, top) if log else steps(bottom, top, 4):
        y = TOP + (top - value) / (top - bottom) * high
        shown = f"{10**value if log else value:.4g}"
        drawn.append(
            f"<line class=grid x1={LEFT} x2={WIDTH} y1={y:.1f} y2={y:.1f} />"
            f"<text x={LEFT - 6} y={y + 4:.1f} text-anchor=end>{shown}</text>"
        )
    for value in steps(0, end, 5):
        x = LEFT + value / end * wide
        drawn.append(f"<text x={x:.1f} y={HEIGHT - 6} text-anchor=middle>{value:g}</text>")
    return "".join(drawn)


def steps(low: float, high: float, count: int) -> list[float]:
    """About so many round numbers between two others."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    width = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / width - 1e-9)
    return [round(n * width, 12) for n in range(first, math.floor(high / width + 1e-9) + 1)]


def powers(bottom: float, top: float) -> list[float]:
    """The logarithms of 1, 2, 5, 10, 20 and so on between two others; only powers of ten where that is enough."""
    lowest, highest = math.floor(bottom), math.ceil(top)
    factors = (1,) if top - bottom > 3 else (1, 2, 5)
    found = [power + math.log10(factor) for power in range(lowest, highest + 1) for factor in factors]
    return [value for value in found if bottom <= value <= top]


def means(points: Points, epochs: Mapping[int, int]) -> list[tuple[float, float]]:
    """The mean over each epoch, at the middle of its steps; nothing before the third epoch."""
    found: dict[int, list[tuple[float, float]]] = {}
    for step, value in points:
        if math.isfinite(value) and int(step) in epochs:
            found.setdefault(epochs[int(step)], []).append((step, value))
    if len(found) < 3:
        return []
    return [(sum(s for s, _ in of) / len(of), sum(v for _, v in of) / len(of)) for of in found.values()]
