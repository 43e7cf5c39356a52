"""What the checks of all kinds share: seeded draws, finite values, equal outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.contract import map_tensors
from ganzoo.parallel import draw
from ganzoo.testing.inputs import Example, build


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def drawing(seed: int = 0, share: tuple[int, int] = (0, 1)) -> Any:
    return draw.using(draw.Draws((seed, "conformance"), torch.device("cpu"), share))


def made(factory: Callable[..., Any], example: Example, args: Mapping[str, Any], seed: int = 3) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(factory, example, args)


def finite(output: Any, what: str) -> None:
    def look(tensor: Tensor) -> Tensor:
        assert torch.isfinite(tensor.float()).all(), f"{what} is not finite"
        return tensor

    map_tensors(look, output)


def same(a: Any, b: Any, what: str) -> None:
    pairs = zip(tensors(a), tensors(b), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs), what


def tensors(output: Any) -> list[Tensor]:
    found: list[Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, output)  # type: ignore[func-returns-value]
    return found
