"""Several runs on one page, and a folder of runs as an index."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ganzoo.errors import Problem, UserError
from ganzoo.report import frames, one, page
from ganzoo.report.curves import Line, Panel, figures
from ganzoo.report.facts import Facts, is_run, read
from ganzoo.report.page import number, section, text, words

COLUMNS = 12  # metrics in an index
THUMBNAILS = 250


def beside(runs: Sequence[Facts], out: Path) -> Path:
    """Write a page of several runs: what each is and came to, their samples at the same time, their curves together."""
    names = _labels([facts.folder.path for facts in runs])
    body = [
        f"<header><h1>{len(runs)} runs</h1></header>",
        section("Runs", _compared(runs, names)),
        section("Samples", _samples(runs, names)),
        *_curves(runs, names),
        section("Warnings", *(_warned(facts, name) for facts, name in zip(runs, names, strict=True))),
        section("Equations", *(_equations(facts, name) for facts, name in zip(runs, names, strict=True))),
    ]
    live = any(facts.running for facts in runs)
    page.save(out, page.document(" · ".join(names), body, live))
    return out


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell the runs apart."""
    pieces = [path.resolve().parts for path in paths]
    length = 1
    while len({p[-length:] for p in pieces}) < len(pieces) and length < max(map(len, pieces)):
        length += 1
    return ["/".join(p[-length:]) for p in pieces]


def _compared(runs: Sequence[Facts], names: Sequence[str]) -> str:
    metrics = list(dict.fromkeys(name for facts in runs for name in facts.metrics))
    rows = [
        [text(name), text(facts.name), text(facts.verdict), *_numbers(facts, metrics)]
        for facts, name in zip(runs, names, strict=True)
    ]
    return page.table(["run", "model", "how it went", *metrics], rows, "sortable")


def _numbers(facts: Facts, metrics: Iterable[str]) -> Iterator[str]:
    """The last value of each metric, as cells that are sorted by it."""
    for name in metrics:
        points = facts.metrics.get(name)
        yield number(points[-1][1] if points else None)


def _samples(runs: Sequence[Facts], names: Sequence[str]) -> str:
    held = []
    for facts, name in zip(runs, names, strict=True):
        if slider := frames.slider(facts.folder, frames.ROOM // len(runs)):
            held.append(f"<div><h3>{words(name)}</h3>{slider}</div>")
    return f"<div class=beside>{''.join(held)}</div>" if held else ""


def _curves(runs: Sequence[Facts], names: Sequence[str]) -> list[str]:
    """A panel for each term, metric and sign that a run has, a line a run."""
    end = max(facts.step for facts in runs)
    found: dict[str, dict[str, Panel]] = {}
    for facts, name in zip(runs, names, strict=True):
        for heading, panels in one.panels(facts).items():
            held = found.setdefault(heading, {})
            for panel in panels:
                for line in panel.lines:
                    drawn = Line(name, line.smooth or line.points)
                    held.setdefault(line.name, Panel(line.name, log=panel.log)).lines.append(drawn)
    return [section(heading, figures(list(held.values()), end)) for heading, held in found.items()]


def _warned(facts: Facts, name: str) -> str:
    said = one.warnings(facts)
    return f"<h3>{text(name)}</h3>{said}" if said else ""


def _equations(facts: Facts, name: str) -> str:
    return f"<h3>{text(name)}</h3>{one.equations(facts)}"


def found_in(folder: Path) -> list[Path]:
    """The run folders below a folder."""
    return sorted({path.parent for path in folder.rglob("locked.yaml") if is_run(path.parent)})


def index(
    folder: Path, out: Path | None = None, above: Iterable[str] = (), labels: Mapping[Path, str] | None = None
) -> Path:
    """Write an index of the runs below a folder, ``report.html`` in it if not told otherwise; where.

    Args:
        folder: Where the runs lie.
        out: The page.
        above: HTML that stands before the table.
        labels: What to call runs, by their folders, instead of by these.

    Raises:
        UserError: there are no runs.
    """
    out = out or folder / "report.html"
    runs, unreadable = [], []
    for path in found_in(folder):
        try:
            runs.append(read(path))
        except UserError as error:
            unreadable.append(str(error))
    if not runs:
        raise UserError(Problem(f"there are no runs in {folder}", hint="; ".join(unreadable)))
    wrong = "".join(f"<li>{text(line)}</li>" for line in unreadable)
    body = [
        f"<header><h1>{text(folder.resolve().name)}</h1><p class=soft>{len(runs)} runs in {text(folder)}</p></header>",
        *above,
        section("Runs", "<p class=soft>A click on a column sorts by it.</p>", table(runs, out.parent, labels or {})),
        section("Not readable", f"<ul>{wrong}</ul>" if wrong else ""),
    ]
    page.save(out, page.document(str(folder), body))
    return out


def table(runs: Sequence[Facts], start: Path, labels: Mapping[Path, str]) -> str:
    """A row a run: newest samples, a link to its page as seen from `start`, what became of it, every metric."""
    count = Counter(name for facts in runs for name in facts.metrics)
    metrics = [name for name, _ in count.most_common(COLUMNS)]
    rows = []
    for facts in runs:
        path = facts.folder.path
        where = os.path.relpath(path / "report.html", start)
        name = labels.get(path, os.path.relpath(path, start))
        linked = f"<a href='{text(where)}'>{words(name)}</a>" if (path / "report.html").exists() else words(name)
        small = frames.thumbnail(facts.folder) if len(runs) <= THUMBNAILS else ""
        reason = facts.status.partition("; step ")[0]
        seed = (facts.config.get("train") or {}).get("seed")
        warned = f"<td data-value={len(facts.warnings)}>{len(facts.warnings) or ''}"
        numbers = _numbers(facts, metrics)
        rows.append([small, linked, words(facts.name), text(seed), text(reason), number(facts.step), warned, *numbers])
    return page.table(["", "run", "model", "seed", "status", "step", "warnings", *metrics], rows, "sortable")
