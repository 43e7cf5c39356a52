"""The page that shows a run: pictures, curves, the equations, and the protocol. One file, nothing fetched."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import defaultdict
from typing import Any

from ganzoo.run.events import RunInfo
from ganzoo.run.folder import RunFolder, dump_yaml, write_atomic

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
        _pictures(folder),
        _curves(records),
        _evaluations(records),
        _summary(folder),
        _equations(run.config),
        _protocol(folder, run.config),
    ]
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(run.name)}</title>"
        f"<style>{STYLE}</style>{''.join(body)}</html>\n"
    )
    write_atomic(folder.path / "report.html", page)


def _about(config: dict[str, Any]) -> str:
    about = config.get("about") or {}
    return ". ".join(str(about[key]) for key in ("title", "paper", "scaled") if about.get(key))


def _pictures(folder: RunFolder) -> str:
    files = sorted(folder.samples.glob("step_*.png"))
    if not files:
        return ""
    count = min(PICTURES, len(files))
    chosen = [files[round(i * (len(files) - 1) / max(count - 1, 1))] for i in range(count)]
    figures = []
    for path in reversed(list(dict.fromkeys(chosen))):
        step = int(path.stem.removeprefix("step_"))
        data = base64.b64encode(path.read_bytes()).decode()
        figures.append(f"<figure><img src='data:image/png;base64,{data}'><figcaption>step {step}</figcaption></figure>")
    return "<h2>Samples</h2><p>The same noise and inputs throughout; the newest first.</p>" + "".join(figures)


def _curves(records: list[dict[str, Any]]) -> str:
    """Every term over the steps, with its mean over each epoch, and the gradient of nothing else."""
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    epochs: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    middle: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if "evaluation" in record:
            continue
        epoch = int(record.get("epoch", 0))
        middle[epoch].append(record["step"])
        for name, value in record.items():
            if "." in name and not name.endswith(".lr"):
                series[name].append((record["step"], value))
                epochs[name][epoch].append(value)
    players = sorted({name.split(".")[0] for name in series})
    if not players:
        return ""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6 * len(players)), layout="tight")
    for axes, player in zip(figure.subplots(len(players), 1, squeeze=False)[:, 0], players, strict=True):
        for index, name in enumerate(n for n in series if n.split(".")[0] == player):
            steps, values = zip(*series[name], strict=True)
            axes.plot(steps, values, color=f"C{index}", alpha=0.35, linewidth=0.8)
            centers = [sum(middle[e]) / len(middle[e]) for e in epochs[name]]
            means = [sum(v) / len(v) for v in epochs[name].values()]
            axes.plot(centers, means, color=f"C{index}", label=name, marker="." if len(means) < 60 else None)
        axes.set(xlabel="step", ylabel=player)
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue()
    return "<h2>Losses</h2><p>Thin: as logged. Thick: mean of each epoch.</p>" + svg[svg.index("<svg") :]


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


def _equations(config: dict[str, Any]) -> str:
    lines = [f"{name} = {text}" for name, text in (config.get("flow") or {}).items()]
    for name, player in (config.get("players") or {}).items():
        trains = ", ".join(player.get("trains") or [name])
        lines.append(f"\n{name} trains {trains}, minimising")
        for term, settings in (player.get("minimize") or {}).items():
            of = settings["of"] if isinstance(settings, dict) else settings
            extra = {k: v for k, v in settings.items() if k != "of"} if isinstance(settings, dict) else {}
            lines.append(f"  {term}: {of}" + (f"   {extra}" if extra else ""))
    return f"<h2>Equations</h2><pre>{html.escape(chr(10).join(lines))}</pre>"


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
