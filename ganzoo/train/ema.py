"""Exponential moving averages of the parts that a player trains."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from ganzoo.config.schema import Ema
from ganzoo.parallel.shards import Shards, local


class Average:
    """Averaged copies: ``w <- decay * w + (1 - decay) * trained``; buffers such as running statistics are copied."""

    def __init__(self, settings: Ema, parts: Mapping[str, Any], names: list[str], shards: Shards | None = None):
        self.settings, self.shards = settings, shards
        self.live = {name: parts[name] for name in names if isinstance(parts[name], nn.Module)}
        self.restart()

    def restart(self) -> None:
        """Begin at the parts as they are."""
        self.count = 0
        self.parts = {name: self.copied(name, part).eval().requires_grad_(False) for name, part in self.live.items()}

    def copied(self, name: str, part: nn.Module) -> nn.Module:
        """A copy; of a part that is sharded, of this process's pieces."""
        return self.shards.copy(name, part) if self.shards and name in self.shards.blanks else copy.deepcopy(part)

    def holds(self, parts: Mapping[str, Any], names: list[str]) -> bool:
        """Whether it averages all of these parts."""
        return set(self.parts) == {name for name in names if isinstance(parts[name], nn.Module)}

    def forget(self, names: Collection[str]) -> None:
        """Give up parts that somebody else trains from now on."""
        for name in [name for name in self.parts if name in names]:
            del self.parts[name], self.live[name]

    @torch.no_grad()
    def update(self) -> None:
        """Take in one step of training."""
        self.count += 1
        decay = self.settings.decay if self.count > self.settings.start else 0.0
        for name, part in self.parts.items():
            mine, theirs = ([local(p) for p in module.parameters()] for module in (part, self.live[name]))
            torch._foreach_lerp_(mine, theirs, 1.0 - decay)
            for own, other in zip(part.buffers(), self.live[name].buffers(), strict=True):
                own.copy_(other)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "parts": {name: part.state_dict() for name, part in self.parts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
