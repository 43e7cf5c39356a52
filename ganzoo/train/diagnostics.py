"""What is measured, on the device, in the steps that are logged, beside the terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from ganzoo.contract import first
from ganzoo.parallel import shards
from ganzoo.parallel.distributed import batch_mean

Seen = tuple[Any, str, dict[str, Any]]  # an adversarial part, its side (`d` or `g`), and what it was given


def gradient(parameters: Iterable[nn.Parameter]) -> torch.Tensor:
    """The norm of all gradients together; a scalar."""
    return shards.norm([p.grad for p in parameters if p.grad is not None])


def gradients(parts: dict[str, Any], names: Iterable[str]) -> dict[str, torch.Tensor]:
    """The gradient of each part, whole and flat, on the host."""
    modules = {name: parts[name] for name in names if isinstance(parts[name], nn.Module)}
    grads = {n: [p.grad for p in module.parameters() if p.grad is not None] for n, module in modules.items()}
    found = {n: [shards.whole(gradient).float().flatten() for gradient in given] for n, given in grads.items()}
    return {name: torch.cat(pieces).cpu() for name, pieces in found.items() if pieces}


def confidence(seen: Iterable[Seen]) -> dict[str, torch.Tensor]:
    """How sure the discriminator is, from the scores that adversarial losses saw; scalars.

    right = share of real scores above the boundary and of fake ones below it,
    fooled = share of fake scores above it, where only G's side was asked,
    margin = mean |score - boundary|

    A loss whose scores have no boundary (``boundary = None``) is measured against the middle of the mean real and the
    mean fake score; `right` is then called `apart`, for it says how well the scores can be told apart.
    """
    ahead: list[torch.Tensor] = []
    name = ""
    for part, side, given in seen:
        real, fake = (list(_scores(given.get(key))) for key in ("real", "fake"))
        middle = getattr(part, "boundary", 0.0)
        if middle is None:
            if not (real and fake):
                continue
            middle = 0.5 * (batch_mean(torch.cat(real)) + batch_mean(torch.cat(fake)))
            name = name or "apart"
        else:
            name = "right" if side == "d" else name or "fooled"
        ahead += [score - middle for score in real if name != "fooled"] + [middle - score for score in fake]
    if not ahead:
        return {}
    every = torch.cat(ahead)
    share = (every > 0).float().mean()
    return {name: 1 - share if name == "fooled" else share, "margin": every.abs().mean()}


def _scores(value: Any) -> Iterator[torch.Tensor]:
    """All scores of an output, of several of them, and of several scales, flat."""
    value = first(value)
    if isinstance(value, torch.Tensor):
        yield value.detach().float().flatten()
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scores(item)
