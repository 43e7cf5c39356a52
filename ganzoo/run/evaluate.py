"""Metrics: expressions whose outermost call is a metric, computed on n samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ganzoo.config.spec import Value
from ganzoo.expression import Call, Const
from ganzoo.model.inference import Inference


def evaluate(inference: Inference, n: int, key: tuple[Any, ...], given: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Every metric of the model on `n` samples: its arguments are computed in chunks and joined, then measured once.

    A part that is an argument, such as an extractor, is passed as it is. The name of a metric that goes through an
    extractor carries it.
    """
    found: dict[str, float] = {}
    spec = inference.blueprint.spec
    for value in spec.metrics.values():
        name = spec.metric_name(value)
        result = _measure(inference, value, n, key, given)
        if isinstance(result, Mapping):
            found |= {f"{name}.{part}": float(number) for part, number in result.items()}
        else:
            found[name] = float(result)
    return found


def _measure(inference: Inference, value: Value, n: int, key: tuple[Any, ...], given: Mapping[str, Any]) -> Any:
    expr = value.expr
    assert isinstance(expr, Call)
    exprs = [*expr.args, *(item for _, item in expr.kwargs)]
    needed = [Value(str(e), str(e), e, value.origin, value.path) for e in exprs if not isinstance(e, Const)]
    computed = iter(inference.compute(needed, n, key, given))
    results = [e.value if isinstance(e, Const) else next(computed) for e in exprs]
    args = results[: len(expr.args)]
    kwargs = dict(zip((k for k, _ in expr.kwargs), results[len(expr.args) :], strict=True))
    return inference.program.apply(expr.func, args, kwargs)
