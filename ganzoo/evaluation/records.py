"""What metrics say: records of numbers, each with the protocol it depends on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

from ganzoo.config.expression import Call, root
from ganzoo.config.spec import Spec


@dataclass(frozen=True)
class Record:
    """What one metric said, and all that the numbers depend on beside the networks: their protocol, plain values.

    Numbers of equal protocol can be compared; those of different protocols cannot. `verdict` says in words what is
    wrong, if the metric found anything.
    """

    metric: str
    values: dict[str, float]
    protocol: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""


def flat(records: list[Record]) -> dict[str, float]:
    """All numbers by name."""
    return {name: value for record in records for name, value in record.values.items()}


def named(name: str | None, values: Mapping[str, float]) -> float | None:
    """A number by its name, or by that without an extractor, ``fid`` for ``fid[fashion_cnn]``, if only one is meant."""
    meant = [value for key, value in values.items() if short(key) == name]
    return values.get(name or "", meant[0] if len(meant) == 1 else None)


def mode_of(name: str, spec: Spec, parts: Mapping[str, Any]) -> str:
    """Whether a number is best when smallest, ``min``, or largest, ``max``, which metrics say of theirs."""
    metric, _, number = short(name).partition(".")
    value = spec.metrics.get(metric)
    if value is None or not isinstance(value.expr, Call):
        return "min"
    better = getattr(parts[root(value.expr.func) or ""], "better", "lower")
    return "max" if (better.get(number) if isinstance(better, Mapping) else better) == "higher" else "min"


def short(name: str) -> str:
    """A name without extractors: ``kid.mean`` for ``kid[fashion_cnn].mean``."""
    return re.sub(r"\[.*?\]", "", name)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation; not a number where a value is not finite."""
    return stdev(values) if all(map(math.isfinite, values)) else math.nan


def in_words(protocol: Mapping[str, Any]) -> str:
    """The main part of a protocol."""
    real = against(protocol)
    return f"{protocol.get('n_fake')} samples{real and f' against {real}'}, seed {protocol.get('seed')}"


def against(protocol: Mapping[str, Any]) -> str:
    """Which real samples a metric compared with, as far as it says so."""
    if "n_real" not in protocol:
        return ""
    field, split = (str(protocol[key]) if key in protocol else "" for key in ("real", "split"))
    return f"{protocol['n_real']}{field and f' of {field}'}{split and f' ({split})'}"
