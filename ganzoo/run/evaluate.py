"""Metrics: expressions whose outermost call is a metric, computed on n samples, each number with its protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import ganzoo
from ganzoo.config.spec import Part, Value
from ganzoo.config.static import Graph
from ganzoo.contract import Measured
from ganzoo.expression import Call, Const, Expr, root
from ganzoo.model.build import Blueprint
from ganzoo.model.factory import FACTS
from ganzoo.model.inference import Inference


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


def evaluate(inference: Inference) -> list[Record]:
    """Every metric of the model: its arguments are computed on samples in chunks and joined, then measured once.

    What the model takes from its data comes from rows that were held out, if there are such, in a fixed random order:
    labels as often as needed, but no image twice. A part that is an argument, such as an extractor, is passed as it
    is. The name of a metric that goes through an extractor carries it.
    """
    spec = inference.blueprint.spec
    n, seed = spec.evaluate.n, spec.evaluate.seed
    metrics = spec.metrics.values()
    given, inputs = _inputs(inference.blueprint, n)
    n = min([n, *map(len, given.values())])
    needed = {str(e): Value(str(e), str(e), e, v.origin, v.path) for v in metrics for e in _arguments(v)}
    key = (seed, "evaluate")
    computed = dict(zip(needed, inference.compute(list(needed.values()), n, key, given), strict=True))

    def known(expr: Expr) -> Any:
        return expr.value if isinstance(expr, Const) else computed[str(expr)]

    found = []
    for value in metrics:
        name, call = spec.metric_name(value), value.expr
        assert isinstance(call, Call)
        kwargs = {key: known(expr) for key, expr in call.kwargs}
        result = inference.program.apply(call.func, [known(expr) for expr in call.args], kwargs)
        if not isinstance(result, Measured):
            result = Measured(result)
        said = result.values if isinstance(result.values, Mapping) else {"": result.values}
        values = {f"{name}.{key}" if key else name: float(number) for key, number in said.items()}
        known_here = protocol(inference, value, n, inputs)
        found.append(Record(name, values, {**known_here, **_plain(dict(result.protocol))}, result.verdict))
    return found


def _inputs(blueprint: Blueprint, n: int) -> tuple[dict[str, torch.Tensor], str]:
    """The data fields that the metrics need, `n` rows of them or as many as there are; and what they are."""
    graph, data = Graph(blueprint.spec), blueprint.data
    needed = {name for value in blueprint.spec.metrics.values() for name in graph.of(value)} & set(blueprint.fields)
    if data is None or not needed:
        return {}, ""
    held = data.held_out()
    rows = held if held is not None else data
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(rows)))
    repeats = all(blueprint.fields[name].kind == "label" for name in needed)
    index = order[torch.arange(n) % len(rows)] if repeats else order[:n]
    batch = rows.batch(index, torch.device("cpu"))
    return {name: batch[name] for name in needed}, f"{'train' if held is None else 'held_out'} rows, shuffled"


def protocol(inference: Inference, value: Value, n: int, inputs: str) -> dict[str, Any]:
    """What the core knows of how a metric is computed."""
    spec = inference.blueprint.spec
    used = [spec.parts[name] for name in Graph(spec).of(value) if name in spec.parts]
    call = value.expr
    assert isinstance(call, Call)
    metric = spec.parts[root(call.func) or ""]
    extractors = {part.entry.id: inference.parts[part.name] for part in used if part.kind == "extractor"}
    networks = {part.name: inference.parts[part.name] for part in used if part.kind not in ("metric", "extractor")}
    learned = {k: m for k, m in networks.items() if isinstance(m, nn.Module) and any(True for _ in m.parameters())}
    modes = {name: _mode(spec.parts[name], module) for name, module in learned.items()}
    found = {
        "metric": metric.entry.id,
        "expression": value.text,
        "arguments": {k: v for k, v in inference.blueprint.args[metric.path].items() if k not in FACTS},
        "extractors": {name: getattr(extractor, "sha256", "") for name, extractor in extractors.items()},
        "n_fake": n,
        "seed": spec.evaluate.seed,
        "inputs": inputs if any(name in inference.blueprint.fields for name in Graph(spec).of(value)) else "",
        "weights": {name: "averaged" if name in inference.averaged else "trained" for name in learned},
        "statistics": {name: mode for name, mode in modes.items() if mode},
        "truncation": {k: getattr(p, "truncation", None) for k, p in networks.items() if hasattr(p, "truncation")},
        "versions": {"ganzoo": ganzoo.__version__, "torch": torch.__version__, **_dist(metric)},
    }
    return {key: _plain(item) for key, item in found.items() if item not in ("", {})}


def _plain(item: Any) -> Any:
    """As it reads back from JSON."""
    return json.loads(json.dumps(item, default=str))


def _mode(part: Part, module: nn.Module) -> str:
    if not any(isinstance(m, _BatchNorm) for m in module.modules()):
        return "dropping" if part.eval_dropout else ""
    return f"{part.eval_bn} statistics" + (", dropping" if part.eval_dropout else "")


def _dist(part: Part) -> dict[str, str]:
    dist = part.entry.plugin.dist
    try:
        return {dist: version(dist)}
    except PackageNotFoundError:
        return {}


def flat(records: list[Record]) -> dict[str, float]:
    """All numbers by name."""
    return {name: value for record in records for name, value in record.values.items()}


def named(name: str | None, values: Mapping[str, float]) -> float | None:
    """A number by its name, which may leave out the extractor: ``fid`` for ``fid[fashion_cnn]``."""
    short = {re.sub(r"\[.*?\]", "", key): value for key, value in values.items()}
    return values.get(name or "", short.get(name or ""))


def _arguments(value: Value) -> list[Expr]:
    """What a metric is called with and has to be computed."""
    assert isinstance(value.expr, Call)
    every = (*value.expr.args, *(expr for _, expr in value.expr.kwargs))
    return [expr for expr in every if not isinstance(expr, Const)]
