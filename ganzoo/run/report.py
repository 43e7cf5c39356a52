"""The page that shows a run: pictures, curves, the equations, and the protocol. One file, nothing fetched."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ganzoo.run.events import RunInfo
from ganzoo.store.files import dump_yaml, write_atomic
from ganzoo.store.folder import RunFolder

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; } td, th { padding: .15rem .7rem .15rem 0; text-align: left; vertical-align: top; }
td { font-variant-numeric: tabular-nums; } pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; }
figure { display: inline-block; margin: 0 1rem 1rem 0; } figcaption { color: #666; } img { max-width: 100%; }
"""
PICTURES = 6


def write(folder: RunFolder, run: RunInfo, status: str) -> None:
    """Write ``report.html`` from what lies in the run folder."""
    records = folder.records()
    body = [
        f"<h1>{html.escape(run.name)}</h1>",
        f"<p>{html.escape(_about(run.config))}</p>" if _about(run.config) else "",
        f"<p><b>{html.escape(status)}</b> of {run.steps}</p>",
        _warnings(records),
        _pictures(folder),
        *_curves(records, list(run.config.get("log") or {})),
        _evaluations(records),
        _summary(folder),
        _equations(run),
        _protocol(folder, run.config),
    ]
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(run.name)}</title>"
        f"<style>{STYLE}</style>{''.join(body)}</html>\n"
    )
    write_atomic(folder.path / "report.html", page)


def summary(folder: RunFolder, log: list[str]) -> str:
    """The newest picture of a run and its curves, as HTML."""
    return _pictures(folder, 1) + "".join(_curves(folder.records(), log))


def _about(config: dict[str, Any]) -> str:
    about = config.get("about") or {}
    return ". ".join(str(about[key]) for key in ("title", "paper", "scaled") if about.get(key))


def _pictures(folder: RunFolder, most: int = PICTURES) -> str:
    files = sorted(folder.samples.glob("step_*.png"))
    if not files:
        return ""
    count = min(most, len(files))
    chosen = [files[-1 - round(i * (len(files) - 1) / max(count - 1, 1))] for i in range(count)]
    figures = []
    for path in dict.fromkeys(chosen):
        step = int(path.stem.removeprefix("step_"))
        data = base64.b64encode(path.read_bytes()).decode()
        figures.append(f"<figure><img src='data:image/png;base64,{data}'><figcaption>step {step}</figcaption></figure>")
    return "<h2>Samples</h2><p>The same noise and inputs throughout; the newest first.</p>" + "".join(figures)


def _warnings(records: list[dict[str, Any]]) -> str:
    lines = [f"<li>step {r['step']}: {html.escape(r['warning'])}</li>" for r in records if "warning" in r]
    return f"<h2>Warnings</h2><ul>{''.join(lines)}</ul>" if lines else ""


Series = dict[str, list[tuple[float, float, int]]]  # step, value and epoch, by name


def _curves(records: list[dict[str, Any]], log: list[str]) -> list[str]:
    """Every term over the steps, with its mean over each epoch; what `log:` names; the gradients; how sure D is; the
    diversity."""
    series: Series = defaultdict(list)
    for record in records:
        for name, value in record.items():
            if ("." in name and not name.endswith(".lr")) or name in ("diversity", *log):
                series[name].append((record["step"], value, int(record.get("epoch", 0))))
    if not series:
        return []
    terms = {name for name in series if name.count(".") == 1 and not name.endswith(".gradient")}
    losses: dict[str, list[str]] = defaultdict(list)
    watched: dict[str, list[str]] = defaultdict(list)
    signs: dict[str, list[str]] = defaultdict(list)
    for name in series:
        player, _, what = name.partition(".")
        if name in terms:
            losses[player].append(name)
        elif name in log:
            watched[name].append(name)
        elif what == "gradient":
            signs["gradient norm"].append(name)
        else:
            signs["margin" if name.endswith(".margin") else "share"].append(name)
    thin = "<p>Thin: as logged. Thick: mean of each epoch.</p>"
    about = (
        "<p>right: the share of real and fake samples that D tells from their scores; apart: the same where scores "
        "have no boundary, by the middle of their means; fooled: the share of samples that D takes for real; "
        "diversity: distances between samples, relative to those in the data. Each of one step.</p>"
    )
    drawn = [f"<h2>Losses</h2>{thin}{_figure(series, losses, epochs=True)}"] if losses else []
    drawn += [f"<h2>Logged</h2>{thin}{_figure(series, watched, epochs=True)}"] if watched else []
    return drawn + ([f"<h2>Signs</h2>{about}{_figure(series, signs)}"] if signs else [])


def _figure(series: Series, panels: dict[str, list[str]], epochs: bool = False) -> str:
    """A panel each for several series, as SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6 * len(panels)), layout="tight")
    for axes, (label, names) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels.items(), strict=True):
        for index, name in enumerate(names):
            *columns, of = zip(*series[name], strict=True)
            if epochs:
                axes.plot(*columns, color=f"C{index}", alpha=0.35, linewidth=0.8)
            steps, values = (_means(column, of) for column in columns) if epochs else columns
            axes.plot(steps, values, color=f"C{index}", label=name, marker="." if len(values) < 60 else None)
        if label in ("gradient norm", "margin") and any(value > 0 for name in names for _, value, _ in series[name]):
            axes.set_yscale("log")
        axes.set(xlabel="step", ylabel=label)
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _means(column: Iterable[float], epochs: Iterable[int]) -> list[float]:
    """The mean over each epoch."""
    found: dict[int, list[float]] = defaultdict(list)
    for value, epoch in zip(column, epochs, strict=True):
        found[epoch].append(value)
    return [sum(values) / len(values) for values in found.values()]


def _evaluations(records: list[dict[str, Any]]) -> str:
    found = [(r["step"], r["evaluation"]) for r in records if "evaluation" in r]
    if not found:
        return ""
    names = list(found[-1][1])
    lines = [
        f"<tr><td>{step}</td>{''.join(f'<td>{values[n]:.4g}</td>' if n in values else '<td></td>' for n in names)}</tr>"
        for step, values in found[-20:]
    ]
    head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
    return f"<h2>Metrics</h2><table><tr><th>step</th>{head}</tr>{''.join(lines)}</table>"


def _summary(folder: RunFolder) -> str:
    """Real and generated points side by side."""
    path = folder.samples / "summary.json"
    if not path.exists():
        return ""
    tables = json.loads(path.read_text())
    statistics = list(next(iter(next(iter(tables.values())).values())))
    lines = [
        f"<tr><td>{html.escape(column)}</td><td>{html.escape(name)}</td>"
        f"{''.join(f'<td>{value:.4g}</td>' for value in numbers.values())}</tr>"
        for column in next(iter(tables.values()))
        for name, table in tables.items()
        for numbers in [table[column]]
    ]
    head = "".join(f"<th>{s}</th>" for s in statistics)
    return f"<h2>Summary of the points</h2><table><tr><th></th><th></th>{head}</tr>{''.join(lines)}</table>"


def _equations(run: RunInfo) -> str:
    return f"<h2>Equations</h2><pre>{html.escape(run.equations())}</pre>"


def _protocol(folder: RunFolder, config: dict[str, Any]) -> str:
    path = folder.path / "environment.json"
    environment = json.loads(path.read_text()) if path.exists() else {}
    lines = []
    for key, value in environment.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        text = " ".join(map(str, text)) if isinstance(text, list) else text
        lines.append(f"<tr><td>{html.escape(key)}</td><td>{html.escape(str(text))}</td></tr>")
    full = html.escape(dump_yaml(config))
    return (
        f"<h2>Protocol</h2><table>{''.join(lines)}</table>"
        f"<details><summary>locked.yaml: every default and fact</summary><pre>{full}</pre></details>"
    )
