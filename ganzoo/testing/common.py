"""What the checks of all kinds share: seeded draws, finite values, equal outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganzoo.contract import map_tensors
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.registry import Entry
from ganzoo.testing.inputs import Example, build


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def drawing(seed: int = 0, share: tuple[int, int] = (0, 1)) -> Any:
    return draw.using(draw.Draws((seed, "conformance"), torch.device("cpu"), share))


def made(factory: Callable[..., Any], example: Example, args: Mapping[str, Any], seed: int = 3) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(factory, example, args)


def refusal(entry: Entry, example: Example, error: Exception) -> str:
    """What a component says of a size that it does not take.

    Raises:
        AssertionError: it names no sizes.
    """
    assert any(ch.isdigit() for ch in str(error)), f"{entry.id} refuses {example} without naming sizes: {error}"
    return str(error)


@contextmanager
def failing(entry: Entry, example: Example) -> Iterator[None]:
    """What else a component raises inside the block is a broken promise, named with the example."""
    try:
        yield
    except (AssertionError, UserError):
        raise
    except Exception as error:
        raise AssertionError(
            f"{entry.id} fails at {example} with {type(error).__name__}: {error}\n"
            "What it is not made for it refuses by a ValueError that names sizes: a network when it is built, "
            "an op when it is called."
        ) from error


def finite(output: Any, what: str) -> None:
    """Every tensor of an output is finite.

    Raises:
        AssertionError: one is not.
    """

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
