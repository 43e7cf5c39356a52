"""Backward passes tried out, and which term is to blame when one fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ganzoo.config.expression import Call, root
from ganzoo.config.spec import Spec, Term
from ganzoo.errors import EvaluationError

_HINTS = {
    "modified by an inplace operation": (
        "a tensor that its gradient needs was changed in place after it was used",
        "use a copy of it (`self.k.clone()`), or assign a new tensor instead of changing it",
    ),
    "backward through the graph a second time": (
        "it leads into the graph of an earlier backward pass, which is gone",
        "detach what is kept from one call to the next (`self.mean = mean.detach()`), "
        "or give an inner `autograd.grad` create_graph=True",
    ),
}

Loss = tuple[Term, torch.Tensor]


def gradients(losses: Sequence[Loss], parameters: Sequence[nn.Parameter]) -> Mapping[nn.Parameter, torch.Tensor | None]:
    """The gradients of the sum of all terms; the graphs stay.

    Raises:
        RuntimeError: torch cannot compute them.
    """
    total = sum((loss for _, loss in losses), torch.zeros((), device=losses[0][1].device))
    if not total.requires_grad:
        return dict.fromkeys(parameters)
    found = torch.autograd.grad(total, list(parameters), retain_graph=True, allow_unused=True)
    return dict(zip(parameters, found, strict=True))


def step(losses: Sequence[Loss], parameters: Sequence[nn.Parameter]) -> None:
    """Go through all graphs as a training step does, which frees them."""
    total = sum((loss for _, loss in losses), torch.zeros((), device=losses[0][1].device))
    if total.requires_grad:
        torch.autograd.grad(total, list(parameters), allow_unused=True)


def kept(parts: Iterable[Any]) -> bool:
    """Whether a part keeps a tensor with the graph that made it, which the next step may go through once more."""
    owners = [owner for part in parts for owner in (part.modules() if isinstance(part, nn.Module) else [part])]
    held = [
        item for o in owners for item in (*getattr(o, "__dict__", {}).values(), *getattr(o, "_buffers", {}).values())
    ]
    return any(isinstance(item, torch.Tensor) and item.grad_fn is not None for item in held)


def failed(
    error: RuntimeError,
    player: str,
    losses: Sequence[Loss],
    parameters: Sequence[nn.Parameter],
    spec: Spec,
) -> EvaluationError:
    """The error of a player's backward pass, with the term that causes it and the likely fix.

    Args:
        error: What torch raised.
        player: The player's name.
        losses: Every term with its value, whose graphs are still there.
        parameters: What the player trains.
        spec: The model.
    """
    guilty = [term for term, loss in losses if not _differentiable(loss, parameters, error)]
    term = guilty[0] if guilty else losses[0][0]
    names = f"term {term.name}" if guilty else "terms " + ", ".join(term.name for term, _ in losses)
    body = term.body
    part = spec.parts.get(root(body.func) or "") if isinstance(body, Call) else None
    where = f" ({part.entry.id})" if guilty and part is not None else ""
    reason = str(error).strip().split("\n")[0].split(": [")[0].rstrip(".")
    for sign, (meaning, hint) in _HINTS.items():
        if sign in reason:
            reason = f"{meaning}: {hint}"
    message = f"the gradient of {names}{where} of player {player} cannot be computed: `{term.text}`: {reason}"
    return EvaluationError(message, term.origin, term.path)


def _differentiable(loss: torch.Tensor, parameters: Sequence[nn.Parameter], error: RuntimeError) -> bool:
    """Whether one term by itself has gradients; an error of another kind, such as of a freed graph, does not count."""
    try:
        if loss.requires_grad:
            torch.autograd.grad(loss, list(parameters), retain_graph=True, allow_unused=True)
    except RuntimeError as other:
        return str(other).split(":")[0] != str(error).split(":")[0]
    return True
