"""What the dry run finds about parts with ``shard: true``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from ganzoo.config.sharding import impossible
from ganzoo.contract import map_tensors
from ganzoo.errors import Problem
from ganzoo.model.blueprint import Blueprint


@contextmanager
def watched(blueprint: Blueprint, problems: list[Problem]) -> Iterator[None]:
    """Note which of their modules are called inside the block, and whether their gradients are differentiated again.

    Such a gradient would need weights that are in pieces again by then. While one is computed with a graph of its own,
    autograd's hooks see that gradients are recorded.
    """
    sharded = [part for part in blueprint.spec.parts.values() if part.shard and part.name in blueprint.parts]
    blueprint.called = {part.name: set() for part in sharded}
    again: set[str] = set()

    def note(name: str, gradient: torch.Tensor) -> None:
        if torch.is_grad_enabled():
            again.add(name)

    def see(name: str, path: str, module: nn.Module, args: Any, output: Any) -> None:
        blueprint.called[name].add(path)
        map_tensors(lambda t: t.register_hook(partial(note, name)) if t.requires_grad else None, output)

    hooks = [
        module.register_forward_hook(partial(see, part.name, path))
        for part in sharded
        for path, module in blueprint.parts[part.name].named_modules()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for part in sharded:
        if part.name in again:
            problems.append(impossible(part, "a gradient through it is differentiated again, as penalties do"))
        own = set(map(id, blueprint.parts[part.name].parameters()))
        for name, other in blueprint.parts.items():
            if name != part.name and isinstance(other, nn.Module) and own & set(map(id, other.parameters())):
                problems.append(impossible(part, f"it shares parameters with {name}"))
