"""Metrics: expressions whose outermost call is a metric, computed on n samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ganzoo.config.spec import Value
from ganzoo.expression import Call, Const, Expr
from ganzoo.model.inference import Inference


def evaluate(inference: Inference, n: int, key: tuple[Any, ...], given: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Every metric of the model on `n` samples: its arguments are computed in chunks and joined, then measured once.

    A part that is an argument, such as an extractor, is passed as it is. The name of a metric that goes through an
    extractor carries it.
    """
    spec = inference.blueprint.spec
    metrics = spec.metrics.values()
    needed = {str(e): Value(str(e), str(e), e, v.origin, v.path) for v in metrics for e in _arguments(v)}
    computed = dict(zip(needed, inference.compute(list(needed.values()), n, key, given), strict=True))

    def known(expr: Expr) -> Any:
        return expr.value if isinstance(expr, Const) else computed[str(expr)]

    found: dict[str, float] = {}
    for value in metrics:
        name, call = spec.metric_name(value), value.expr
        assert isinstance(call, Call)
        kwargs = {key: known(expr) for key, expr in call.kwargs}
        result = inference.program.apply(call.func, [known(expr) for expr in call.args], kwargs)
        if isinstance(result, Mapping):
            found |= {f"{name}.{part}": float(number) for part, number in result.items()}
        else:
            found[name] = float(result)
    return found


def _arguments(value: Value) -> list[Expr]:
    """What a metric is called with and has to be computed."""
    assert isinstance(value.expr, Call)
    every = (*value.expr.args, *(expr for _, expr in value.expr.kwargs))
    return [expr for expr in every if not isinstance(expr, Const)]
