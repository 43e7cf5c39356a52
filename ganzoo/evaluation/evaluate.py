"""Metrics: expressions whose outermost call is a metric, computed on n samples, each number with its protocol."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import ganzoo
from ganzoo.config.expression import HOLE, Attr, Call, Const, Expr, arguments, has_hole, root
from ganzoo.config.spec import Part, Value
from ganzoo.config.static import Graph
from ganzoo.contract import Measured, first
from ganzoo.errors import Problem, UserError
from ganzoo.evaluation.records import Record
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.factory import FACTS
from ganzoo.model.inference import Inference, joined
from ganzoo.parallel import distributed
from ganzoo.registry.digest import code_of

MEASURING = ("metric", "extractor", "op", "loss")  # kinds of components of which a number depends on the code
PIECE = 128  # samples that extractors see together: a process's share begins at a multiple, so all see the same pieces


def evaluate(inference: Inference) -> list[Record]:
    """Every metric of the model: its arguments are computed on samples in chunks and joined, then measured once.

    What the model takes from its data comes from rows that were held out, if there are such, or from what it is
    measured against where that is other data with the same fields, in a fixed random order: labels as often as needed,
    but no image twice. A part that is an argument, such as an extractor, is passed as it
    is; an argument with a hole, ``G(_, label)``, is a function of the rows that stand there, and whatever else it reads
    is what the other arguments read. The name of a metric that goes through an extractor carries it.

    Several processes compute a share of the samples each, the same samples as one would, and have the same records.
    What a metric can say of a share it says there (``share``, called as the metric is), and the first process joins it
    (``joined``, with a list of these in place of the first argument); for others the samples go to the first process.
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


class _Samples:
    """The arguments of metrics on the same rows, of which this process has computed its share."""

    def __init__(self, inference: Inference, metrics: Collection[Value], given: dict[str, torch.Tensor], n: int):
        self.inference, self.given, self.n = inference, given, n
        self.key = (inference.blueprint.spec.evaluate.seed, "evaluate")
        values = {str(e): Value(str(e), str(e), e, v.origin, v.path) for v in metrics for e in arguments(v.expr)}
        unit = math.lcm(inference.together(values.values(), given), PIECE)
        self.shares = split(n, unit, distributed.world())
        self.rows, self.first = self.shares[distributed.rank()], distributed.rank() == 0
        found = distributed.attempt(lambda: inference.compute(list(values.values()), n, self.key, given, self.rows))
        self.own = dict(zip(values, found, strict=True))
        self.every: dict[str, Any] = {}  # of all processes, on the first

    def call(self, value: Value, known: Mapping[str, Any], method: str = "", *said: Any) -> Any:
        """The metric called with known arguments, or one of its methods with something else in place of the first."""
        call = value.expr
        assert isinstance(call, Call)

        def filled(expr: Expr) -> Callable[[torch.Tensor], Any]:
            equation, given = Value(str(expr), str(expr), expr, value.origin, value.path), self.given
            return lambda rows: first(self.inference.compute([equation], len(rows), self.key, {**given, HOLE: rows})[0])

        def argument(expr: Expr) -> Any:
            if has_hole(expr):
                return filled(expr)
            return expr.value if isinstance(expr, Const) else known[str(expr)]

        func = Attr(call.func, method) if method else call.func
        args = [*said, *(argument(expr) for expr in call.args[len(said) :])]
        kwargs = {key: argument(expr) for key, expr in call.kwargs}
        try:
            return self.inference.program.apply(func, args, kwargs)
        except ValueError as error:
            raise UserError(Problem(f"{value.text}: {error}", value.origin, value.path)) from error

    def result(self, value: Value) -> Any:
        """What a metric says of all samples, on the first process."""
        sharing = hasattr(self.inference.parts[_metric(value)], "joined") and not has_hole(value.expr)
        if sharing and distributed.world() > 1:
            said = self._pieces(distributed.attempt(lambda: self.call(value, self.own, "share") if self.rows else None))
            return distributed.attempt(lambda: self.call(value, self.own, "joined", said) if self.first else None)
        for expr in arguments(value.expr):
            name = str(expr)
            if name in self.inference.parts:
                self.every[name] = self.own[name]
            elif name not in self.every:
                self.every[name] = joined(self._pieces(self.own[name]) or [None])
        return distributed.attempt(lambda: self.call(value, self.every) if self.first else None)

    def _pieces(self, own: Any) -> list[Any]:
        """What every process with a share has, on the first process."""
        return [piece for piece, rows in zip(distributed.collect(own), self.shares, strict=False) if rows]


def _measure(inference: Inference, metrics: Mapping[str, Value]) -> dict[str, Record]:
    """Metrics that are computed on the same rows."""
    spec = inference.blueprint.spec
    given, inputs = _inputs(inference.blueprint, metrics.values())
    n = min([spec.evaluate.n, *map(len, given.values())])
    samples = _Samples(inference, metrics.values(), given, n)
    found = {}
    for short, value in metrics.items():
        name, result = spec.metric_name(value), samples.result(value)
        if not samples.first:
            continue
        if not isinstance(result, Measured):
            result = Measured(result)
        said = result.values if isinstance(result.values, Mapping) else {"": result.values}
        values = {f"{name}.{key}" if key else name: float(number) for key, number in said.items()}
        known_here = protocol(inference, value, n, inputs)
        found[short] = Record(name, values, {**known_here, **_plain(dict(result.protocol))}, result.verdict)
    return distributed.gather(found)[0]


def split(n: int, unit: int, processes: int) -> list[range]:
    """The rows of each process: from a multiple of `unit` on, as equal as that allows, empty where they are few."""
    units = math.ceil(n / unit)
    ends = [min(n, unit * math.ceil(units * index / processes)) for index in range(processes + 1)]
    return [range(start, stop) for start, stop in pairwise(ends)]


def _metric(value: Value) -> str:
    """The part that is the metric."""
    assert isinstance(value.expr, Call)
    return root(value.expr.func) or ""


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
    metric = spec.parts[_metric(value)]
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
