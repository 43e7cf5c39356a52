"""The page of a sweep: the best, parallel coordinates, the table, curves, and every run with a link to its page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganzoo.report import page, several
from ganzoo.report.curves import LEFT, Line, Panel, figures, powers, steps
from ganzoo.report.page import section, text
from ganzoo.sweep.results import Results, Row, failures, series, table

WIDTH, HEIGHT, TOP, BOTTOM = 960, 320, 30, 20
GREY = "#98a1b3"


def write(found: Results, folder: Path, out: Path | None = None) -> Path:
    """Write ``report.html`` in a sweep's folder, if not told otherwise, an index of its runs under what they came to;
    where.

    Raises:
        UserError: there are no runs yet.
    """
    lost = "".join(f"<li>{text(line)}</li>" for line in failures(found))
    notes = "".join(f"<p>note: {text(note)}</p>" for note in found.notes)
    best = ""
    if found.best is not None and found.metric is not None:
        spread = f" ± {found.best.spread:.2g}" if found.best.spread is not None else ""
        value = f"{found.metric} {found.best.mean:.4g}{spread} ({found.better} is better)"
        said = f"The best is {found.best.label}: {value}."
        best = f"<p class='verdict{' warned' if lost else ''}'>{text(said)}</p>"
    above = [
        f"<p>{text(found.model)}, {len(found.rows)} combinations of {text(', '.join(found.swept) or 'nothing')}</p>",
        best + notes,
        section("Parallel coordinates", coordinates(found)),
        section("Combinations", _table(found)),
        section("Did not come to their end", f"<ul>{lost}</ul>" if lost else ""),
        section("Curves", _curves(found)),
    ]
    labels = {Path(run.folder): f"{row.label}, seed {run.seed}" for row in found.rows for run in row.runs}
    return several.index(folder, out, above, labels)


def _table(found: Results) -> str:
    head, *rows = table(found)
    width = len(found.swept)
    lines = []
    for number, (row, cells) in enumerate(zip(found.rows, rows, strict=True)):
        values = [(row.mean, cells[width]), (row.mean_of_best, cells[width + 1])]
        shown = [f"<td data-row={number}>{text(cell)}" for cell in cells[:width]]
        shown += [f"<td data-value={value!r}>{text(cell)}" if value is not None else "<td>" for value, cell in values]
        lines.append([*shown, text(cells[-1])])
    return page.table(head, lines, "sortable")


def _curves(found: Results) -> str:
    """The metric over steps, a line a run."""
    if found.metric is None:
        return ""
    lines = []
    for row in found.rows:
        for run in row.runs:
            points = series(Path(run.folder), found.metric)
            if points:
                lines.append(Line(f"{row.label}, seed {run.seed}", points))
    end = max((point[0] for line in lines for point in line.points), default=1)
    return figures([Panel(found.metric, lines[:24])], end)


def coordinates(found: Results) -> str:
    """A line for each combination through all its settings, to the mean of its metric; the better, the bluer."""
    names = [*found.swept, found.metric or ""]
    known = [row.mean for row in found.rows if row.mean is not None and math.isfinite(row.mean)]
    if not found.swept or not known:
        return ""
    scales = [_Scale([row.settings[name] for row in found.rows]) for name in found.swept]
    scales.append(_Scale(known))
    across = [LEFT + 20 + i * (WIDTH - 2 * LEFT - 40) / (len(names) - 1) for i in range(len(names))]
    drawn, written = [], []
    for x, name, scale in zip(across, names, scales, strict=True):
        last = x == across[-1]
        drawn.append(f"<line class=grid x1={x:.0f} x2={x:.0f} y1={TOP} y2={HEIGHT - BOTTOM} />")
        written.append(f"<text x={x:.0f} y=14 text-anchor=middle>{text(name)}</text>")
        for label, at in scale.marks(few=0 if last else 6):
            beside = f"x={x + 6:.0f} text-anchor=start" if last else f"x={x - 6:.0f} text-anchor=end"
            written.append(f"<text {beside} y={_y(at) + 4:.1f}>{text(label)}</text>")
    for number, row in reversed(list(enumerate(found.rows))):
        points = [(x, _y(s.at(row.settings[n]))) for x, n, s in zip(across, found.swept, scales, strict=False)]
        has = row.mean is not None and math.isfinite(row.mean)
        if has:
            points.append((across[-1], _y(scales[-1].at(row.mean))))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        colour = _colour(number / max(len(known) - 1, 1)) if has else GREY
        dashed = "" if has else " stroke-dasharray='4 4'"
        drawn.append(
            f"<path data-row={number} d='{path}' stroke='{colour}'{dashed}><title>{text(_said(row))}</title></path>"
        )
    return (
        f"<div class='chart coordinates'><svg viewBox='0 0 {WIDTH} {HEIGHT}'>{''.join([*drawn, *written])}</svg></div>"
    )


def _said(row: Row) -> str:
    return f"{row.label}: {row.mean:.4g}" if row.mean is not None else f"{row.label}: {row.states}"


def _y(part: float) -> float:
    return HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)


def _colour(part: float) -> str:
    """From blue, the best, to orange."""
    best, worst = (47, 111, 208), (224, 116, 44)
    return "#" + "".join(f"{round(a + (b - a) * min(part, 1)):02x}" for a, b in zip(best, worst, strict=True))


class _Scale:
    """Where values stand on an axis, 0 to 1: numbers by their size, or their logarithm where they span much; others
    one after the other."""

    def __init__(self, values: Sequence[Any]):
        self.values = list(dict.fromkeys(map(str, values)))
        numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        self.numbers = numbers if len(numbers) == len(values) and all(map(math.isfinite, numbers)) else []
        self.log = bool(self.numbers) and min(self.numbers) > 0 and max(self.numbers) / min(self.numbers) >= 20
        if self.numbers:
            ends = [self._down(number) for number in (min(self.numbers), max(self.numbers))]
            self.low, self.high = ends

    def _down(self, number: float) -> float:
        return math.log10(number) if self.log else number

    def at(self, value: Any) -> float:
        """The place of a value."""
        if not self.numbers:
            return self.values.index(str(value)) / max(len(self.values) - 1, 1)
        return (self._down(float(value)) - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    def marks(self, few: int) -> list[tuple[str, float]]:
        """What is written along the axis: each value, if there are only so `few`, or round numbers."""
        if not self.numbers:
            return [(text if len(text) < 34 else f"{text[:32]}…", self.at(text)) for text in self.values[:20]]
        held = sorted(set(self.numbers))
        if len(held) <= few or self.low == self.high:
            return [(f"{number:.4g}", self.at(number)) for number in held]
        shown = powers(self.low, self.high) if self.log else steps(self.low, self.high, 5)
        return [(f"{10**v if self.log else v:.3g}", (v - self.low) / (self.high - self.low)) for v in shown]
