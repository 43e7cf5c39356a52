"""What parts keep from one call to the next: brought back after a look that must change nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def unchanged(parts: Iterable[Any]) -> Iterator[None]:
    """After the block the parts keep what they kept before it: buffers, other tensors, plain attributes, containers."""
    holders = {id(holder): holder for part in parts for holder in _holders(part)}.values()
    kept = [(vars(holder), _copied(vars(holder))) for holder in holders]
    try:
        yield
    finally:
        for now, before in kept:
            _restore(now, before)


def _holders(part: Any) -> list[Any]:
    """The objects of a part that may keep something."""
    return list(part.modules()) if isinstance(part, nn.Module) else [part] if hasattr(part, "__dict__") else []


Copy = tuple[Any, Any]  # a value, and a copy of its content where it has one that may change


def _copied(held: Mapping[Any, Any]) -> dict[Any, Copy]:
    return {key: (value, _content(key, value)) for key, value in held.items()}


def _content(key: Any, value: Any) -> Any:
    if key in ("_parameters", "_modules") or isinstance(value, nn.Parameter):
        return None  # optimizers change these, calls do not
    if isinstance(value, torch.Tensor):  # one that repeats its values in memory cannot be written to
        return value.detach().clone() if all(value.stride()) else None
    if isinstance(value, dict):
        return _copied(value)
    return value.copy() if isinstance(value, list | set | deque) else None


@torch.no_grad()
def _restore(now: dict[Any, Any], before: Mapping[Any, Copy]) -> None:
    """The same values in the same order, each with the content that it had."""
    if list(now) != list(before):
        now.clear()
    for key, (value, content) in before.items():
        now[key] = value
        if content is None:
            continue
        if isinstance(value, torch.Tensor):
            value.copy_(content)
        elif isinstance(value, dict):
            _restore(value, content)
        else:
            value.clear()
            (value.update if isinstance(value, set) else value.extend)(content)
