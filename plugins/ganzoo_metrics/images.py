"""What metrics of images share: the data's fields, and images as they would be in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ganzoo.contract import Measured
from ganzoo.data.arrays import to_uint8
from ganzoo.data.fields import Field
from ganzoo.errors import choices


def field_of(fields: Mapping[str, Field], name: str, *kinds: str) -> Field:
    """The data's field of that name, which is of one of these kinds.

    Raises:
        ValueError: there is none.
    """
    known = {key: field for key, field in fields.items() if field.kind in kinds}
    if name not in known:
        what = " or ".join(kinds)
        raise ValueError(f"the data has no {what} '{name}' ({choices(name, known) or f'it has no {what}'})")
    return known[name]


def unit(images: Tensor, range: tuple[float, float] | None, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images of a range as floats from 0 to 1, quantised to 255 steps: ``B C H W``."""
    return rearrange(to_uint8(images, range), "b h w c -> b c h w").to(dtype) / 255


def share(part: float) -> str:
    """A share in words, ``97 %``, or ``0.4 %`` where it is small."""
    return f"{100 * part:.0f} %" if part >= 0.01 or part == 0 else f"{100 * part:.1g} %"


def nowhere(*names: str, protocol: Mapping[str, Any] = {}) -> Measured:
    """What is said of images that are not finite: no number has a value, be it one or several of these names."""
    nan = float("nan")
    return Measured(dict.fromkeys(names, nan) if names else nan, protocol, "some generated values are not finite")
