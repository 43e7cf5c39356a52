"""Ratios that are kept, and those that became worse since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import UserError
from ganzoo.store.files import atomic

if TYPE_CHECKING:
    from benchmarks.harness import Row

RATIOS = Path(__file__).with_name("ratios.json")
SLACK = 0.05  # by which a ratio may lie beyond the spread that is kept
Kept = dict[str, dict[str, Any]]  # of each benchmark, where it was measured and its ratios


def ratios(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Value, spread and direction by name. Seconds are left out: they are those of one machine."""
    return {
        f"{row.what} | {row.against}": {
            "value": round(row.value, 4),
            "low": round(row.low, 4),
            "high": round(row.high, 4),
            "better": "more" if row.more else "less",
        }
        for row in rows
        if row.unit != "s"
    }


def read(path: Path | None = None) -> Kept:
    """What is kept; nothing if there is no file.

    Raises:
        UserError: the file is not what :func:`save` writes.
    """
    path = path or RATIOS
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        for entry in kept.values():
            for one in entry["ratios"].values():
                float(one["low"]), float(one["high"]), float(one["value"])
        return kept
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no ratios ({error}); write it again with --save") from None


def save(found: Mapping[str, list[Row]], where: str, path: Path | None = None) -> None:
    """Keep these, in place of those of the same benchmarks."""
    path = path or RATIOS
    kept = read(path) | {name: {"where": where, "ratios": ratios(rows)} for name, rows in found.items()}
    with atomic(path) as file:
        file.write((json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def worse(found: Mapping[str, list[Row]], kept: Kept, slack: float = SLACK) -> list[str]:
    """A line for every ratio whose median lies beyond the spread that is kept, by more than `slack` of its end."""
    lines = []
    for name, rows in found.items():
        before = kept.get(name, {}).get("ratios", {})
        for key, now in ratios(rows).items():
            old = before.get(key)
            if old is None:
                continue
            value, more = now["value"], now["better"] == "more"
            if value < old["low"] / (1 + slack) if more else value > old["high"] * (1 + slack):
                lines.append(
                    f"{name}: {key}: {value:.2f}, was {old['value']:.2f} ({old['low']:.2f} to {old['high']:.2f})"
                )
    return lines


def unlike(found: Mapping[str, list[Row]], kept: Kept) -> list[str]:
    """A line for every ratio of these benchmarks that is kept or measured, but not both."""
    lines = []
    for name, rows in found.items():
        before, now = kept.get(name, {}).get("ratios", {}), ratios(rows)
        lines += [f"{name}: {key}: not kept" for key in now if key not in before]
        lines += [f"{name}: {key}: kept, but not measured" for key in before if key not in now]
    return lines
