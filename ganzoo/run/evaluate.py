"""Metrics: expressions whose outermost call is a metric, computed on n samples, each number with its protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import ganzoo
from ganzoo.config.spec import Part, Value
from ganzoo.config.static import Graph
from ganzoo.contract import Measured, first
from ganzoo.expression import HOLE, Call, Const, Expr, has_hole, root
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


def evaluate(inference: Inference, given: Mapping[str, torch.Tensor], inputs: str = "") -> list[Record]:
    """Every metric of the model: its arguments are computed on samples in chunks and joined, then measured once.

    A part that is an argument, such as an extractor, is passed as it is. An argument with a hole, ``G(_, label)``, is a
    function of the rows that stand there; whatever else it reads is what the other arguments read. The name of a metric
    that goes through an extractor carries it.

    Args:
        inference: The model.
        given: The rows that models with inputs work on.
        inputs: What those are, for the protocol.
    """
    spec = inference.blueprint.spec
    n, seed = spec.evaluate.n, spec.evaluate.seed
    metrics = spec.metrics.values()
    needed = {str(e): Value(str(e), str(e), e, v.origin, v.path) for v in metrics for e in _arguments(v)}
    key = (seed, "evaluate")
    computed = dict(zip(needed, inference.compute(list(needed.values()), n, key, given), strict=True))

    def known(expr: Expr, value: Value) -> Any:
        if has_hole(expr):
            return filled(Value(str(expr), str(expr), expr, value.origin, value.path))
        return expr.value if isinstance(expr, Const) else computed[str(expr)]

    def filled(value: Value) -> Callable[[torch.Tensor], Any]:
        return lambda rows: first(inference.compute([value], len(rows), key, {**given, HOLE: rows})[0])

    found = []
    for value in metrics:
        name, call = spec.metric_name(value), value.expr
        assert isinstance(call, Call)
        kwargs = {key: known(expr, value) for key, expr in call.kwargs}
        result = inference.program.apply(call.func, [known(expr, value) for expr in call.args], kwargs)
        if not isinstance(result, Measured):
            result = Measured(result)
        said = result.values if isinstance(result.values, Mapping) else {"": result.values}
        values = {f"{name}.{key}" if key else name: float(number) for key, number in said.items()}
        found.append(Record(name, values, {**protocol(inference, value, inputs), **result.protocol}, result.verdict))
    return found


def protocol(inference: Inference, value: Value, inputs: str) -> dict[str, Any]:
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
        "arguments": {k: v for k, v in metric.args.items() if k not in FACTS},
        "extractors": {name: getattr(extractor, "sha256", "") for name, extractor in extractors.items()},
        "preparation": {name: dict(p) for name, e in extractors.items() if (p := getattr(e, "protocol", {}))},
        "n_fake": spec.evaluate.n,
        "seed": spec.evaluate.seed,
        "inputs": inputs if any(name in inference.blueprint.fields for name in Graph(spec).of(value)) else "",
        "weights": {name: "averaged" if name in inference.averaged else "trained" for name in learned},
        "statistics": {name: mode for name, mode in modes.items() if mode},
        "truncation": {k: getattr(p, "truncation", None) for k, p in networks.items() if hasattr(p, "truncation")},
        "versions": {"ganzoo": ganzoo.__version__, "torch": torch.__version__, **_dist(metric)},
    }
    return {key: item for key, item in found.items() if item not in ("", {})}


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
    return [expr for expr in every if not isinstance(expr, Const) and not has_hole(expr)]
