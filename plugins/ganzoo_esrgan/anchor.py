"""Weights between those of an earlier and those of the present training of one network."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganzoo.parallel import draw

NAME = "anchor"


class Anchor:
    """A part remembers the weights that it had: those after the last step of the players that hold it.

    ``with: {anchor: regularizer.anchor}`` makes room in the part for a second set of weights, which checkpoints hold;
    ``after: {anchor: regularizer.anchor}`` of a player, in one phase, writes them after each of its steps. Nothing else
    changes by it. ``G(x, factor)`` of `generator.rrdb` reads them. A part without such room is left alone.

    Paper: arXiv:1809.00219 section 3.4.
    """

    def attach(self, part: nn.Module) -> None:
        part.add_module(NAME, Remembered(part))

    @torch.no_grad()
    def after_step(self, part: nn.Module) -> None:
        remembered = getattr(part, NAME, None)
        if isinstance(remembered, Remembered):
            remembered.weights.copy_(flat(part))


class Remembered(nn.Module):
    """A copy of a part's parameters, one after another. Source: ganzoo's own."""

    weights: Tensor

    def __init__(self, part: nn.Module):
        super().__init__()
        self.register_buffer("weights", flat(part))


def interpolated(part: nn.Module, x: Tensor, factor: Tensor) -> Tensor:
    """What a part gives with the weights (1 - factor) remembered + factor own: 1 is the part as it is.

    A batch has one network, so the first row's factor counts.

    Paper: arXiv:1809.00219 section 3.4.

    Raises:
        ValueError: nothing was put on the part that remembers.
    """
    remembered = getattr(part, NAME, None)
    if not isinstance(remembered, Remembered):
        raise ValueError("the part remembers no weights; write `with: {anchor: regularizer.anchor}` below it")
    own = dict(part.named_parameters())
    before = remembered.weights.split([value.numel() for value in own.values()])
    between = {
        name: old.view_as(value).lerp(value, factor[0, 0])
        for (name, value), old in zip(own.items(), before, strict=True)
    }
    return functional_call(part, between, (x,))


class Factor:
    """A place between two networks, 0 to 1: ``n -> n 1``. A trained model takes any: ``ganzoo compute … factor=0.8``.

    Paper: arXiv:1809.00219 section 3.4 (alpha).

    Args:
        factor: The place; drawn anew for every row, if not given.
    """

    def __init__(self, factor: float | None = None):
        self.factor = factor

    def __call__(self, n: int) -> Tensor:
        drawn = draw.uniform(n, 1)  # also says on which device
        return drawn if self.factor is None else torch.full_like(drawn, self.factor)


def flat(part: nn.Module) -> Tensor:
    """All parameters of a part as one vector."""
    return flattened(part.parameters())


def flattened(tensors: Iterable[Tensor]) -> Tensor:
    """Tensors as one vector."""
    return torch.cat([value.detach().float().flatten() for value in tensors])
