"""What `ganzoo.testing.conforms` says to the author of a plugin."""

from __future__ import annotations

import re

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn

from ganzoo import testing
from ganzoo.registry import Plugin, Registry, Zoo

ACME = Plugin("acme", "ganzoo-acme", "1.0")


class Widths(nn.Module):
    """Source: a test."""

    def __init__(self, z_dim: int, out_shape: tuple[int, ...], widths: list[int]):
        super().__init__()
        self.out_shape = out_shape
        layers = [nn.Linear(a, b) for a, b in zip((z_dim, *widths), (*widths, torch.Size(out_shape).numel()))]  # noqa: B905
        self.net = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.out_shape)


class Halves:
    """Source: a test."""

    def __call__(self, x: Tensor) -> Tensor:
        return rearrange(x, "b c (p h) w -> (p b) c h w", p=2)


class Rows:
    """Source: a test."""

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, :, 0, 0]


class Score:
    """Source: a test."""

    def __call__(self, logit: Tensor) -> Tensor:
        return logit.square().mean()


class Truth:
    """Source: a test."""

    def __call__(self, truth: Tensor) -> Tensor:
        return truth.mean()


class Wrong(nn.Module):
    """Source: a test."""

    def __init__(self, in_channels: int):
        super().__init__()
        self.net = nn.Conv2d(in_channels, 1, 30)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


@pytest.fixture
def registry() -> Registry:
    zoo = Zoo(ACME)
    zoo.generator("widths", Widths)
    zoo.encoder("wrong", Wrong)
    zoo.op("halves", Halves)
    zoo.op("rows", Rows)
    zoo.loss("score", Score)
    zoo.regularizer("score", Score)
    zoo.regularizer("truth", Truth)
    registry = Registry()
    registry.commit(ACME, None, zoo)
    return registry


def test_an_argument_that_is_not_made_up_is_asked_for_by_name(registry: Registry) -> None:
    says = (
        "generator.widths needs 'widths: list[int]', which is not made up here: conforms('generator.widths', widths=…)"
    )
    with pytest.raises(AssertionError, match=re.escape(says)):
        testing.conforms("generator.widths", registry)
    testing.conforms("generator.widths", registry, widths=[5, 6])


def test_an_op_for_images_may_leave_the_refusal_of_points_to_einops(registry: Registry) -> None:
    testing.conforms("op.halves", registry)


def test_any_other_failure_is_a_broken_promise_that_names_the_shape(registry: Registry) -> None:
    with pytest.raises(AssertionError, match=r"op.rows fails at points with IndexError.*\n.*ValueError that names"):
        testing.conforms("op.rows", registry)
    with pytest.raises(AssertionError, match=r"encoder.wrong fails at 1x28x28 with RuntimeError"):
        testing.conforms("encoder.wrong", registry)


@pytest.mark.parametrize("name", ["loss.score", "regularizer.score"])
def test_every_name_of_the_contract_has_an_input(name: str, registry: Registry) -> None:
    testing.conforms(name, registry)


def test_a_name_outside_the_contract_is_answered_by_those_there_are(registry: Registry) -> None:
    with pytest.raises(AssertionError, match=r"'truth' has no default.*code, cond, critic, .*logit.*real"):
        testing.conforms("regularizer.truth", registry)
