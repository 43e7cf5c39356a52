"""Codes as they are written: a category by its number, a vector by its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ganzoo.config.expression import Call, Name
from ganzoo.errors import UserError


def code(run: Any, name: str, text: str) -> torch.Tensor | None:
    """One row of a named value, as ``digit=3`` or ``style=0.5,-1``; None where the value is no vector or category.

    Args:
        run: The run, opened.
        name: The named value.
        text: The number of a category, where a prior with `num_classes` draws the value; or all numbers of the row.

    Raises:
        UserError: there is no such category, or these are not as many numbers as the value has.
    """
    shape, count = run.shape(name), categories(run, name)
    if shape is None or len(shape) > 1 or (not shape and count is None):
        return None
    numbers = [_number(name, piece) for piece in text.split(",")]
    if count is not None and len(numbers) == 1:
        index = int(numbers[0])
        if index != numbers[0] or not 0 <= index < count:
            raise UserError(f"{name} is {text}, but its categories go from 0 to {count - 1}")
        return torch.eye(count)[[index]] if shape else torch.tensor([index])
    if [len(numbers)] != list(shape):
        one = f"a category from 0 to {count - 1}" if count is not None else ""
        many = f"{shape[0]} numbers with commas between them" if shape else ""
        raise UserError(f"{name} is {text}, but should be {' or '.join(filter(None, (one, many)))}")
    return torch.tensor([numbers])


def categories(run: Any, name: str) -> int | None:
    """How many categories a named value has, if a prior draws it that says so."""
    expr = run.spec.flow[name].expr
    drawn_by = expr.func.id if isinstance(expr, Call) and isinstance(expr.func, Name) else None
    if drawn_by not in run.spec.parts or run.spec.parts[drawn_by].kind != "prior":
        return None
    count = getattr(run.blueprint.parts.get(drawn_by), "num_classes", None)
    return count if isinstance(count, int) else None


def rows(run: Any, name: str, items: Sequence[Any]) -> torch.Tensor | None:
    """The same of several, a row each."""
    texts = [str(item) for item in items]
    found = {text: code(run, name, text) for text in dict.fromkeys(texts)}
    several = [row for text in texts if (row := found[text]) is not None]
    return torch.cat(several) if several else None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name}: '{text.strip()}' is no number") from None
