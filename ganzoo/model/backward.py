"""Which term is to blame when a backward pass fails."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ganzoo.config.expression import Call, root
from ganzoo.config.spec import Spec, Term
from ganzoo.errors import EvaluationError

_IN_PLACE = "modified by an inplace operation"


def failed(
    error: RuntimeError,
    player: str,
    losses: Sequence[tuple[Term, torch.Tensor]],
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
    hint = ""
    if _IN_PLACE in reason:
        reason = "a tensor that its gradient needs was changed in place after it was used"
        hint = ": use a copy of it (`self.k.clone()`), or assign a new tensor instead of changing it"
    message = f"the gradient of {names}{where} of player {player} cannot be computed: `{term.text}`: {reason}{hint}"
    return EvaluationError(message, term.origin, term.path)


def _differentiable(loss: torch.Tensor, parameters: Sequence[nn.Parameter], error: RuntimeError) -> bool:
    """Whether one term by itself has gradients; an error of another kind, such as of a freed graph, does not count."""
    try:
        if loss.requires_grad:
            torch.autograd.grad(loss, list(parameters), retain_graph=True, allow_unused=True)
    except RuntimeError as other:
        return str(other).split(":")[0] != str(error).split(":")[0]
    return True
