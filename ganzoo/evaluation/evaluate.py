"""Metrics: expressions whose outermost call is a metric, computed on n samples, each number with its protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import ganzoo
from ganzoo.config.expression import HOLE, Call, Const, Expr, arguments, has_hole, root
from ganzoo.config.spec import Part, Value
from ganzoo.config.static import Graph
from ganzoo.contract import Measured, first
from ganzoo.errors import Problem, UserError
from ganzoo.evaluation.records import Record
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.factory import FACTS
from ganzoo.model.inference import Inference
from ganzoo.registry.digest import code_of

MEASURING = ("metric", "extractor", "op", "loss")  # kinds of components of which a number depends on the code


def evaluate(inference: Inference) -> list[Record]:
    """Every metric of the model: its arguments are computed on samples in chunks and joined, then measured once.

    What the model takes from its data comes from rows that were held out, if there are such, or from what it is
    measured against where that is other data with the same fields, in a fixed random order: labels as often as needed,
    but no image twice. A part that is an argument, such as an extractor, is passed as it
    is; an argument with a hole, ``G(_, label)``, is a function of the rows that stand there, and whatever else it reads
    is what the other arguments read. The name of a metric that goes through an extractor carries it.
    """
    spec = inference.blueprint.spec
    for value in spec.metrics.values():
        inference.program.value(value)  # says what is wrong with a call before anything is computed
    once = {name: reads(inference.blueprint, value, repeatable=False) for name, value in spec.metrics.items()}
    found: dict[str, Record] = {}
    for alike in (
        {k: v for k, v in spec.metrics.items() if not once[k]},
        {k: spec.metrics[k] for k in once if once[k]},
    ):
        found |= _measure(inference, alike) if alike else {}
    return [found[name] for name in spec.metrics]


def reads(blueprint: Blueprint, value: Value, repeatable: bool) -> set[str]:
    """The data fields that a metric needs: labels, which may repeat, or those that may not."""
    needed = {*Graph(blueprint.spec).of(value)} & set(blueprint.fields)
    return {name for name in needed if (blueprint.fields[name].kind == "label") == repeatable}


def _measure(inference: Inference, metrics: Mapping[str, Value]) -> dict[str, Record]:
    """Metrics that are computed on the same rows."""
    spec = inference.blueprint.spec
    given, inputs = _inputs(inference.blueprint, metrics.values())
    n = min([spec.evaluate.n, *map(len, given.values())])
    needed = {str(e): Value(str(e), str(e), e, v.origin, v.path) for v in metrics.values() for e in arguments(v.expr)}
    key = (spec.evaluate.seed, "evaluate")
    computed = dict(zip(needed, inference.compute(list(needed.values()), n, key, given), strict=True))

    def known(expr: Expr, value: Value) -> Any:
        if has_hole(expr):
            return filled(Value(str(expr), str(expr), expr, value.origin, value.path))
        return expr.value if isinstance(expr, Const) else computed[str(expr)]

    def filled(value: Value) -> Callable[[torch.Tensor], Any]:
        return lambda rows: first(inference.compute([value], len(rows), key, {**given, HOLE: rows})[0])

    found = {}
    for short, value in metrics.items():
        name, call = spec.metric_name(value), value.expr
        assert isinstance(call, Call)
        kwargs = {key: known(expr, value) for key, expr in call.kwargs}
        try:
            result = inference.program.apply(call.func, [known(expr, value) for expr in call.args], kwargs)
        except ValueError as error:
            raise UserError(Problem(f"{value.text}: {error}", value.origin, value.path)) from error
        if not isinstance(result, Measured):
            result = Measured(result)
        said = result.values if isinstance(result.values, Mapping) else {"": result.values}
        values = {f"{name}.{key}" if key else name: float(number) for key, number in said.items()}
        known_here = protocol(inference, value, n, inputs)
        found[short] = Record(name, values, {**known_here, **_plain(dict(result.protocol))}, result.verdict)
    return found


def _inputs(blueprint: Blueprint, metrics: Collection[Value]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The data fields that the metrics need: as many rows as are wanted, or as there are; and what they are."""
    data, n = blueprint.data, blueprint.spec.evaluate.n
    once, needed = (set().union(*(reads(blueprint, value, many) for value in metrics)) for many in (False, True))
    if data is None or not once | needed:
        return {}, {}
    measured = blueprint.reference if blueprint.spec.against is not None else None
    given = measured is not None and once | needed <= set(measured.fields)
    source = measured if measured is not None and given else blueprint.inputs
    rows = source.rows
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(rows)))
    batch = rows.batch(order[:n] if once else order[torch.arange(n) % len(rows)], torch.device("cpu"))
    described = {"data": source.name, "split": source.split, "fingerprint": source.fingerprint, "order": "shuffled"}
    return {name: batch[name] for name in once | needed}, described


def protocol(inference: Inference, value: Value, n: int, inputs: dict[str, str]) -> dict[str, Any]:
    """What the core knows of how a metric is computed."""
    spec = inference.blueprint.spec
    used = [spec.parts[name] for name in Graph(spec).of(value) if name in spec.parts]
    call = value.expr
    assert isinstance(call, Call)
    metric = spec.parts[root(call.func) or ""]
    extractors = {part.entry.id: inference.parts[part.name] for part in used if part.kind == "extractor"}
    networks = {part.name: inference.parts[part.name] for part in used if part.kind not in ("metric", "extractor")}
    learned = {k: m for k, m in networks.items() if isinstance(m, nn.Module) and any(True for _ in m.parameters())}
    modes = {name: _mode(spec.parts[name], module, inference.together([value])) for name, module in learned.items()}
    found = {
        "metric": metric.entry.id,
        "expression": value.text,
        "arguments": {k: v for k, v in inference.blueprint.args[metric.path].items() if k not in FACTS},
        "extractors": {name: getattr(extractor, "sha256", "") for name, extractor in extractors.items()},
        "preparation": {name: dict(p) for name, e in extractors.items() if (p := getattr(e, "protocol", {}))},
        "n_fake": n,
        "seed": spec.evaluate.seed,
        "inputs": inputs if any(name in inference.blueprint.fields for name in Graph(spec).of(value)) else {},
        "weights": {name: "averaged" if name in inference.averaged else "trained" for name in learned},
        "statistics": {name: mode for name, mode in modes.items() if mode},
        "truncation": {k: limit for k, p in networks.items() if (limit := getattr(p, "truncation", None)) is not None},
        "code": {part.entry.id: code_of(part.entry) for part in used if part.kind in MEASURING},
        "versions": {"ganzoo": ganzoo.__version__, "torch": torch.__version__, **_dist(metric)},
    }
    return {key: _plain(item) for key, item in found.items() if item not in ("", {})}


def _plain(item: Any) -> Any:
    """As it reads back from JSON."""
    return json.loads(json.dumps(item, default=str))


def _mode(part: Part, module: nn.Module, together: int) -> str:
    if not any(isinstance(m, _BatchNorm) for m in module.modules()):
        return "dropping" if part.eval_dropout else ""
    of = f" of {together}" if part.eval_bn == "batch" else ""
    return f"{part.eval_bn} statistics{of}" + (", dropping" if part.eval_dropout else "")


def _dist(part: Part) -> dict[str, str]:
    dist = part.entry.plugin.dist
    try:
        return {dist: version(dist)}
    except PackageNotFoundError:
        return {}
