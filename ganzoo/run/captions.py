"""Captions as embeddings, by the encoder that made those of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from ganzoo.data.fields import Field
from ganzoo.errors import Problem, UserError
from ganzoo.registry import Entry, Registry


def embedded(name: str, field: Field, captions: Sequence[str], registry: Registry) -> torch.Tensor:
    """A text field's embeddings of captions, ``n …``; each distinct caption is encoded once.

    Raises:
        UserError: nothing says which encoder made the field, it is not at hand, or it makes others.
    """
    if field.encoder is None:
        message = f"{name} should be a tensor: nothing says which encoder made the embeddings of this data"
        raise UserError(Problem(message, hint="give a .npy file of embeddings"))
    entry = registry.find(field.encoder, ("encoder",))
    distinct = list(dict.fromkeys(captions))
    rows = encoder(entry)(distinct)
    if tuple(rows.shape) != (len(distinct), *field.shape):
        wanted = "x".join(map(str, field.shape))
        raise UserError(f"{entry.id} gives {'x'.join(map(str, rows.shape[1:]))} numbers, but {name} has {wanted}")
    return rows[[distinct.index(caption) for caption in captions]]


def encoder(entry: Entry) -> Callable[[Sequence[str]], torch.Tensor]:
    """The encoder of captions that an entry makes.

    Raises:
        UserError: it cannot be made, such as for want of its weights.
    """
    return _made(entry.load())


@cache
def _made(factory: Callable[..., Any]) -> Any:
    try:
        return factory()
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error
