"""The page of one run: what it is, how it went, its pictures and curves, its equations, and how to repeat it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ganzoo.config.tree import shown
from ganzoo.parallel import launch
from ganzoo.report import frames, page
from ganzoo.report.curves import Line, Panel, figures, means
from ganzoo.report.facts import Facts
from ganzoo.report.page import section, text
from ganzoo.store.files import dump_yaml, write_atomic

SIGNS = (
    "<p class=soft>right: the share of real and fake samples that D tells from their scores; apart: the same where "
    "scores have no boundary, by the middle of their means; fooled: the share of samples that D takes for real; "
    "diversity: distances between samples, relative to those in the data. Each of one step.</p>"
)
THIN = (
    "<p class=soft>Thin: as logged. Thick: mean of each epoch. Drag over a chart to zoom; a double click goes back.</p>"
)
_OTHER_FORM = (TypeError, AttributeError, LookupError)  # of files that another program wrote


def write(facts: Facts, out: Path | None = None) -> Path:
    """Write the page of a run, ``report.html`` in its folder if not told otherwise; where."""
    made = page.document(facts.name, body(facts), live=facts.running)
    if out is not None:
        page.save(out, made)
        return out
    path = facts.folder.path / "report.html"
    write_atomic(path, made)
    return path


def summary(facts: Facts) -> str:
    """The newest picture of a run and its curves, as HTML."""
    newest = frames.chosen(frames.pictures(facts.folder)[-1:])
    shown = [frames.img(kind, data, f"samples at step {step}") for step, kind, data in newest]
    style = f"<style>{page.own('charts.css')}</style>"
    return style + "".join(shown) + curves(facts)


def body(facts: Facts) -> Iterator[str]:
    """All sections."""
    yield header(facts)
    if slider := frames.slider(facts.folder):
        yield section("Samples", "<p class=soft>The same noise and inputs throughout.</p>", slider)
    yield section("Before and after", frames.pairs(facts.folder, facts.config))
    yield section("Warnings", warnings(facts))
    yield curves(facts)
    yield section("Measurements", measurements(facts))
    yield section("Summary of the points", points(facts))
    yield section("Equations", equations(facts))
    yield section("Parts", parts(facts))
    yield section("Repeat it", repeat(facts))


def header(facts: Facts, level: str = "h1") -> str:
    """What a run is, how it went in a sentence, and its best number with how it was measured."""
    about = facts.about
    scaled = f"<p class='soft small'>{text(about['scaled'])}</p>" if about.get("scaled") else ""
    kind = "failed" if facts.failed else "warned" if facts.warnings else ""
    of = f" of {facts.steps}" if facts.steps else ""
    return (
        f"<header><{level}>{text(facts.title)}</{level}>"
        f"<p class=soft>{text(facts.name)}{_paper(str(about.get('paper') or ''))} · {text(facts.data)}</p>{scaled}"
        f"<p class='verdict {kind}'>{text(facts.verdict)}</p><div class=cards>{''.join(_cards(facts))}</div>"
        f"<p class='soft small'>{text(facts.status)}{of}</p></header>"
    )


def _paper(paper: str) -> str:
    found = re.fullmatch(r"arXiv:(\d{4}\.\d{4,5})", paper)
    named = f"<a href='https://arxiv.org/abs/{found[1]}'>{text(paper)}</a>" if found else text(paper)
    return f" · {named}" if paper else ""


def _cards(facts: Facts) -> Iterator[str]:
    if found := facts.headline:
        value, at = (found.best[1], found.best[0]) if found.best else (found.last, found.step)
        when = f"{'best, ' if found.best else ''}step {at:,}"
        yield (
            f"<div class=card><span class=soft>{text(found.name)}</span><b>{value:.4g}</b>"
            f"<span class='soft small'>{when}{'; ' if found.protocol else ''}{text(found.protocol)}</span></div>"
        )
    for name, stated in (("steps", f"{facts.step:,}"), ("samples a second", _speed(facts))):
        if stated:
            yield f"<div class=card><span class=soft>{name}</span><b>{stated}</b></div>"
    counts = [count for _, _, count in facts.parts if count]
    if counts:
        yield f"<div class=card><span class=soft>parameters</span><b>{_short(sum(counts))}</b></div>"


def _speed(facts: Facts) -> str:
    speeds = sorted(float(r["samples_per_second"]) for r in facts.records if "samples_per_second" in r)
    return f"{speeds[len(speeds) // 2]:.0f}" if speeds else ""


def _short(count: int) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def warnings(facts: Facts) -> str:
    """What the health check said, with steps."""
    lines = [f"<li>step {step:,}: {text(said)}</li>" for step, said in facts.warnings[:100]]
    more = len(facts.warnings) - len(lines)
    return f"<ul>{''.join(lines)}</ul>{f'<p>and {more} more</p>' if more else ''}" if lines else ""


def panels(facts: Facts) -> dict[str, list[Panel]]:
    """Curves by heading: a panel for the terms of each player, for each watched value and each metric, for signs."""
    found: dict[str, dict[str, Panel]] = {"Losses": {}, "Metrics": {}, "Logged": {}, "Signs": {}}

    def put(heading: str, label: str, line: Line, log: bool = False) -> None:
        found[heading].setdefault(label, Panel(label, log=log)).lines.append(line)

    watched = facts.config.get("log") or {}
    for name, points in facts.logged.items():
        player, _, what = name.partition(".")
        if name in watched:
            put("Logged", name, Line(name, points, means(points, facts.epochs)))
        elif what == "gradient":
            put("Signs", "gradient norm", Line(name, points), log=True)
        elif name.count(".") == 1:
            put("Losses", player, Line(name, points, means(points, facts.epochs)))
        elif name.endswith(".margin"):
            put("Signs", "margin", Line(name, points), log=True)
        else:
            put("Signs", "share", Line(name, points))
    for name, points in facts.metrics.items():
        put("Metrics", name, Line(name, points))
    return {heading: list(held.values()) for heading, held in found.items()}


def curves(facts: Facts) -> str:
    """All curves, under their headings."""
    end = max(facts.step, 1)
    about = {"Losses": THIN, "Signs": SIGNS}
    return "".join(
        section(heading, about.get(heading, "") if drawn else "", figures(drawn, end, facts.warnings))
        for heading, drawn in panels(facts).items()
    )


def measurements(facts: Facts) -> str:
    """Metrics at the last twenty measurements."""
    steps = sorted({step for points in facts.metrics.values() for step, _ in points})[-20:]
    held = {name: dict(points) for name, points in facts.metrics.items()}
    if not steps:
        return ""
    rows = [[f"<td>{step}", *(page.number(held[name].get(step)) for name in held)] for step in steps]
    return page.table(["step", *held], rows)


def points(facts: Facts) -> str:
    """Real and generated points side by side."""
    with suppress(OSError, ValueError, StopIteration, *_OTHER_FORM):
        tables = json.loads((facts.folder.samples / "summary.json").read_text(encoding="utf-8"))
        first = next(iter(tables.values()))
        head = ["", "", *next(iter(first.values()))]
        rows = [
            [text(column), text(name), *(f"{value:.4g}" for value in table[column].values())]
            for column in first
            for name, table in tables.items()
        ]
        return page.table(head, rows)
    return ""


def equations(facts: Facts) -> str:
    """Named values, then what each player minimises, each term with its weight."""
    flow = [f"{name} = {equation}" for name, equation in (facts.config.get("flow") or {}).items()]
    rows, before = [], ("", "")
    for phase, who, term, weight, expression in facts.equations:
        again = (phase, who) == before
        shown = "" if again else f"{text(phase)}: {text(who)}" if phase else text(who)
        rows.append([shown, text(term), text(weight), f"<td class=code>{text(expression)}"])
        before = phase, who
    named = f"<pre>{text(chr(10).join(flow))}</pre>" if flow else ""
    return named + page.table(["player", "term", "weight", "minimises"], rows)


def parts(facts: Facts) -> str:
    """Every part with its component and its number of trainable parameters."""
    rows = [[text(n), f"<td class=code>{text(use)}", f"{c:,}" if c else ""] for n, use, c in facts.parts]
    return page.table(["part", "component", "parameters"], rows) if rows else ""


def repeat(facts: Facts) -> str:
    """The commands that train it again, versions and machine, and every setting."""
    again = launch.command("train", facts.folder.path / "locked.yaml", "--out", "NEW_FOLDER")
    started = f"# as it was started\n{facts.command}\n" if facts.command else ""
    commands = f"<pre>{text(f'{started}# the same, with every default and fact written out{chr(10)}{again}')}</pre>"
    rows = []
    with suppress(ValueError, *_OTHER_FORM):
        rows = [
            [text("changed"), text(f"from step {change['step']} on: {key} was {shown(was)}, is {shown(now)}")]
            for change in (facts.config.get("locked") or {}).get("changes") or ()
            for key, (was, now) in change["settings"].items()
        ]
    if rows:
        commands = f"<p>Settings were changed on the way, so no one command trains this run again.</p>{commands}"
    for key, value in facts.environment.items():
        if key == "command":
            continue
        said = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.append([text(key), text(said)])
    full = f"<summary>locked.yaml: every default and fact</summary><pre>{text(dump_yaml(facts.config))}</pre>"
    return commands + (page.table([], rows) if rows else "") + f"<details>{full}</details>"
