"""Made-up inputs by the names of ``forward``'s parameters, and the facts that go with them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.data.fields import Field
from ganzoo.model.factory import EMPTY, arguments

WIDTHS = {"width": 8, "capacity": 4, "hidden": (8, 8)}


@dataclass(frozen=True)
class Example:
    """One shape of data to try a component on: images ``channels height width``, or points."""

    channels: int = 3
    size: tuple[int, int] = (32, 32)
    range: tuple[float, float] | None = (-1.0, 1.0)
    batch: int = 4
    z_dim: int = 10
    classes: int = 5
    points: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,) if self.points else (self.channels, *self.size)

    def __str__(self) -> str:
        return "points" if self.points else f"{self.channels}x{self.size[0]}x{self.size[1]}"

    def facts(self) -> dict[str, Any]:
        """Every fact that a factory may ask for by name."""
        found = {
            "z_dim": self.z_dim,
            "text_dim": 12,
            "features_dim": 16,
            "num_classes": self.classes,
            "in_shape": self.shape,
            "out_shape": self.shape,
            "out_range": None if self.points else self.range,
            "out_blocks": (),
            "in_range": None if self.points else self.range,
            "cond_channels": self.channels,
            "steps": 100,
        }
        if not self.points:
            found |= {
                "in_channels": self.channels,
                "in_size": self.size,
                "out_channels": self.channels,
                "out_size": self.size,
            }
        return found

    def inputs(self, generator: torch.Generator, device: str = "cpu") -> dict[str, Any]:
        """A tensor for every name in the contract."""

        def normal(*shape: int) -> Tensor:
            return torch.randn(self.batch, *shape, generator=generator).to(device)

        image = normal(*self.shape).tanh()
        return {
            "z": normal(self.z_dim),
            "x": image,
            "y": normal(*self.shape).tanh(),
            "cond": normal(*self.shape).tanh(),
            "real": image,
            "fake": normal(*self.shape).tanh(),
            "label": torch.randint(self.classes, (self.batch,), generator=generator).to(device),
            "text": normal(12),
            "features": normal(16),
            "mu": normal(16),
            "logvar": normal(16),
            "code": torch.eye(self.classes)[torch.arange(self.batch) % self.classes].to(device),
            "logit": torch.randn(self.batch, generator=generator).to(device),
            "n": self.batch,
            "step": 1,
        }


_SHAPES = [(1, (28, 28)), (3, (32, 32)), (2, (32, 48)), (4, (64, 32)), (3, (40, 40)), (1, (27, 33))]
EXAMPLES = (
    *(Example(channels, size) for channels, size in _SHAPES),
    Example(points=True),
    Example(1, (32, 32), (0.0, 1.0)),
)


def small(factory: Callable[..., Any]) -> dict[str, Any]:
    """Arguments that make a network narrow, where it has them."""
    known = arguments(factory)
    found = {}
    for name, value in WIDTHS.items():
        if name in known and known[name].default is not EMPTY:
            default = known[name].default
            if isinstance(default, tuple) == isinstance(value, tuple) and default:
                found[name] = value
    return found


def lacks(factory: Callable[..., Any], example: Example) -> bool:
    """Whether the factory asks for a fact that this example has not: a size in pixels, where there are points."""
    facts = example.facts()
    return any(a.is_fact and a.default is EMPTY and a.name not in facts for a in arguments(factory).values())


def build(factory: Callable[..., Any], example: Example, args: Mapping[str, Any]) -> Any:
    """A component built from facts and given arguments."""
    known = arguments(factory)
    facts = {k: v for k, v in example.facts().items() if k in known}
    return factory(**{**small(factory), **facts, **args})


class Extracted(NamedTuple):
    """What an extractor returns that was a classifier."""

    features: Tensor
    logits: Tensor


class Means(nn.Module):
    """An extractor for tests: the mean of each row of an image, and of each column as logits."""

    sha256 = "0" * 64

    def forward(self, x: Tensor) -> Extracted:
        return Extracted(x.mean(1).mean(2), x.mean(1).mean(1))


def critic(example: Example, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """A small smooth critic of this example's data."""
    weight = torch.randn(Field("vector", example.shape).size, 8, generator=generator) / 10

    def call(x: Tensor) -> Tensor:
        return (x.flatten(1) @ weight.to(x.device)).tanh().sum(1)

    return call


def images(example: Example, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """A small smooth generator of this example's data."""
    weight = torch.randn(example.z_dim, math.prod(example.shape), generator=generator)
    return lambda z: (z @ weight).tanh().unflatten(1, example.shape)


def parameters_of(call: Any) -> dict[str, inspect.Parameter]:
    """What a part or a method takes."""
    from ganzoo.model.calls import call_signature

    return dict(call_signature(call).parameters)


def arrange(call: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs a call needs, by the names of its parameters.

    Raises:
        AssertionError: a parameter without a default has a name for which nothing is given.
    """
    found = {}
    for name, parameter in parameters_of(call).items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in given:
            found[name] = given[name]
        else:
            assert parameter.default is not EMPTY, (
                f"parameter '{name}' has no default, and there is no input of that name here "
                f"(docs/plugins.md says what each is): {', '.join(sorted(given))}"
            )
    return found


def net() -> nn.Module:
    """A small network to regularise."""
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1))
