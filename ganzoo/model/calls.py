"""How a part is called: its signature, what a parameter wants, lists and scales, full precision."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, get_origin, get_type_hints

import torch
from torch import nn

from ganzoo.contract import Scales, first, map_tensors
from ganzoo.errors import Problem, UserError

_NOT_OWN = {"torch", "builtins", "abc", "collections", "enum", "pathlib", "typing", "numpy"}


def zipped(run: Callable[..., Any], whole_args: list[bool], whole_names: set[str]) -> Callable[..., Any]:
    """A loss over lists (several batches, averaged) and scales (summed).

    Outputs become their first field, but for the parameters that ask for something else than a tensor.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        every = (*args, *kwargs.values())
        for kind in (list, Scales):
            lengths = {len(a) for a in every if isinstance(a, kind)}
            if len(lengths) > 1:
                raise ValueError(f"arguments of different lengths: {sorted(lengths)}")
            if lengths:
                results = [
                    call(
                        *(a[i] if isinstance(a, kind) else a for a in args),
                        **{key: a[i] if isinstance(a, kind) else a for key, a in kwargs.items()},
                    )
                    for i in range(lengths.pop())
                ]
                return sum(results) / (len(results) if kind is list else 1)
        return run(
            *(a if i < len(whole_args) and whole_args[i] else first(a) for i, a in enumerate(args)),
            **{key: a if key in whole_names else first(a) for key, a in kwargs.items()},
        )

    return call


def full_precision(run: Callable[..., Any], autocast: str | None) -> Callable[..., Any]:
    """The same call outside autocast, on single precision, where there is autocast."""
    if autocast is None:
        return run

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(autocast, enabled=False):
            return run(*map(as_float, args), **{key: as_float(a) for key, a in kwargs.items()})

    return call


def as_float(value: Any) -> Any:
    return map_tensors(lambda t: t.float() if t.is_floating_point() else t, value)


@cache
def _resolved(function: Any) -> inspect.Signature:
    signature = inspect.signature(function)
    try:
        hints = get_type_hints(function)
    except Exception:  # a plugin's annotation may not resolve; its parameters then count as tensors
        return signature
    parameters = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters)


def call_signature(target: Any, name: str = "") -> inspect.Signature:
    """What a part (its ``forward`` or ``__call__``) or a method takes, annotations resolved, without ``self``.

    Raises:
        UserError: it cannot be called.
    """
    if isinstance(target, nn.Module):
        return bound(type(target).forward)
    if inspect.ismethod(target):
        return bound(target.__func__)
    if inspect.isfunction(target) or inspect.isbuiltin(target):
        return _resolved(target)
    if not callable(target):
        why = "has a forward, but is no nn.Module" if hasattr(target, "forward") else "has no __call__"
        raise UserError(Problem(f"{name} cannot be called", hint=f"its class {why}"))
    return bound(type(target).__call__)


def bound(function: Any) -> inspect.Signature:
    signature = _resolved(function)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def members(value: Any) -> list[str]:
    """What an expression may read of a value, or call: what its own classes define, buffers and plain numbers.

    Nothing that is inherited from modules, tensors, paths or builtins: a model file may come from a stranger.
    """
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value._fields)
    if isinstance(value, torch.Tensor | type) or not hasattr(value, "__dict__"):
        return []
    own = [kind for kind in type(value).__mro__ if kind.__module__.split(".")[0] not in _NOT_OWN]
    found = {name for kind in own for name in vars(kind)}
    found |= {name for name, item in vars(value).items() if isinstance(item, int | float)}
    if isinstance(value, nn.Module):
        found |= value._buffers.keys()
    return sorted(name for name in found - {"training", "forward"} if not name.startswith("_"))


def takes_tensor(annotation: Any) -> bool:
    """Whether a parameter wants one tensor: annotated so, or not annotated."""
    return annotation is inspect.Parameter.empty or mentions(annotation, torch.Tensor)


def mentions(annotation: Any, wanted: Any) -> bool:
    """Whether an annotation is, or holds, the type that is wanted."""
    if isinstance(annotation, str):
        return wanted.__name__ in annotation
    if annotation is Callable or get_origin(annotation) is Callable:  # its own arguments do not count
        return wanted is Callable
    if isinstance(annotation, type):
        return issubclass(annotation, wanted)
    return any(mentions(a, wanted) for a in getattr(annotation, "__args__", ()) if not isinstance(a, list))


def forward_of(maker: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The parameters of the ``forward`` (or ``__call__``) of what a factory makes, or None if that is not known."""
    made = maker
    if not isinstance(maker, type):
        try:
            made = get_type_hints(maker).get("return", None)  # type: ignore[assignment]
        except Exception:  # unresolvable annotations tell nothing
            return None
        if not isinstance(made, type) or made is nn.Module:
            return None
    method = getattr(made, "forward", None) or getattr(made, "__call__", None)  # noqa: B004
    return dict(bound(method).parameters) if inspect.isfunction(method) else None
