"""The results as a table of Markdown, ready for ``docs/benchmarks.md``."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def markdown(results: dict[str, Any]) -> str:
    """All sections, under a line that says where they were run."""
    about = results["about"]
    lines = [
        f"{about['date']}, {about['card']}, driver {about['driver']}, torch {about['torch']}, CUDA {about['cuda']}, "
        f"cuDNN {about['cudnn']}, Python {about['python']}; `{about['command']}`, {results['seconds']:.0f} s in all"
        + (". **Tiny networks: the figures say that this runs, nothing of speed.**" if about["tiny"] else "")
    ]
    for name, section in results["sections"].items():
        lines += ["", f"### {section['title']}", "", section["about"], ""]
        if section["error"]:
            lines += [f"This section failed: {section['error']}", ""]
        rows = section["rows"]
        if rows:
            lines += _table(name, rows)
        lines += [f"- {row['what']}: {_why(row)}" for row in rows if _why(row)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _why(row: Row) -> str:
    return f"**failed**: {row['error']}" if "error" in row else row.get("left_out", "")


def _table(name: str, rows: list[Row]) -> list[str]:
    columns = COLUMNS[name]
    measured = [row for row in rows if not _why(row)]
    if not measured:
        return []
    head = f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"
    return [*head, *(f"| {' | '.join(show(row) for show in columns.values())} |" for row in measured), ""]


def _number(key: str, form: str = ".3g") -> Any:
    def show(row: Row) -> str:
        value = row.get(key)
        return "" if value is None else f"{value:,.0f}" if value >= 1000 else format(value, form)

    return show


def _text(key: str) -> Any:
    return lambda row: str(row.get(key, ""))


def _memory(row: Row) -> str:
    return f"{row['memory'] / 2**20:.0f} MiB" if row.get("memory") else ""


def _yes(row: Row) -> str:
    return "yes" if row["ok"] else "**no**"


WHAT = {"what": _text("what")}
COLUMNS: dict[str, dict[str, Any]] = {
    "equality": WHAT
    | {key: _number(key, ".1e") for key in ("losses", "gradients", "parameters")}
    | {"within 1e-4": _yes},
    "resume": WHAT
    | {"steps": _text("steps"), "tensors": _text("tensors"), "that differ": _text("differing"), "exact": _yes},
    "waiting": WHAT | {"steps": _text("steps"), "never waited": _yes, "memory": _memory},
    "group": WHAT
    | {"backend": _text("backend"), "messages": _text("messages"), "that differ": _text("differing"), "same": _yes},
    "graphs": WHAT
    | {key: _number(key, ".1e") for key in ("losses", "gradients", "parameters")}
    | {"that differ": _text("differing"), "within 1e-4": _yes},
    "ratio": WHAT
    | {"ganzoo / hand": _number("value", ".2f"), "from": _number("low", ".2f"), "to": _number("high", ".2f")}
    | {"ganzoo, ms": _number("ganzoo_ms"), "hand, ms": _number("hand_ms")},
    "throughput": WHAT
    | {"images/s": _number("images_per_second"), "step, ms": _number("step_ms"), "memory": _memory}
    | {"published": _text("published"), "source": _text("source")},
    "quality": WHAT
    | {"steps": _text("steps"), "evaluated": lambda row: _evaluated(row["evaluated"]), "picture": _text("picture")},
}


def _evaluated(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in found.items())
