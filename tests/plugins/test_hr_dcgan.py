"""HR-DCGAN: DCGAN's layers with batch norm and SELU, a level more for each doubling, and moments of activations."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from ganzoo_dcgan.discriminator import Discriminator
from ganzoo_dcgan.generator import Generator
from ganzoo_regularizers.moments import ActivationMoments
from torch import nn

from ganzoo.model import explain
from tests.zoo import full, small, trainer

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def networks(size: int, width: int = 64, device: str = "meta") -> tuple[Generator, Discriminator]:
    with torch.device(device):
        generator = Generator(100, 3, (size, size), width=width, activation="selu")
        return generator, Discriminator(3, (size, size), width=width, activation="selu")


@pytest.mark.parametrize(
    ("size", "width", "counts"),
    [
        (64, 64, (3_576_704, 2_765_568)),
        (128, 64, (12_786_560, 11_164_416)),
        (512, 64, (185_486_208, 178_998_016)),
        (512, 16, (12_825_312, 11_203_264)),
    ],
)
def test_counts_are_those_of_dcgan_at_every_size(size: int, width: int, counts: tuple[int, int]) -> None:
    assert tuple(map(explain.count, networks(size, width))) == counts


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_twice_the_size_is_one_level_more(size: int) -> None:
    def levels(network: nn.Module) -> int:
        return sum(isinstance(layer, CONVOLUTIONS) for layer in network.modules())

    for smaller, larger in zip(networks(size), networks(2 * size), strict=True):
        assert levels(larger) == levels(smaller) + 1


def test_every_batch_norm_is_followed_by_selu_and_nothing_else_is_an_activation() -> None:
    parts = full("hr_dcgan/openmoji").blueprint.parts
    for part, bare in (("G", 0), ("D", 1)):  # the first layer of D has no norm
        kinds = [type(layer) for layer in parts[part].modules() if not list(layer.children())]
        assert kinds.count(nn.SELU) == 4 and kinds.count(nn.BatchNorm2d) == 4 - bare
        assert all(after is nn.SELU for kind, after in pairwise(kinds) if kind is nn.BatchNorm2d)
        assert not {nn.ReLU, nn.LeakyReLU, nn.ELU} & set(kinds)


def test_selu_keeps_the_moments_of_normal_numbers() -> None:
    layers = nn.Sequential(nn.BatchNorm2d(3), nn.SELU())
    ActivationMoments().attach(layers)
    layers(5 + 7 * torch.randn(400, 3, 10, 10, generator=torch.Generator().manual_seed(0)))
    assert layers.mean_1.item() == pytest.approx(0, abs=0.02)  # the fixed point of arXiv:1706.02515
    assert layers.variance_1.item() == pytest.approx(1, abs=0.03)


def test_moments_are_those_of_the_last_training_forward() -> None:
    layers: Any = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.LeakyReLU())
    ActivationMoments().attach(layers)
    x = torch.randn(6, 3)
    first = layers[1](layers[0](x))
    output = layers(x)
    for number, expected in ((1, first), (2, output)):
        torch.testing.assert_close(layers.get_buffer(f"mean_{number}"), expected.mean())
        torch.testing.assert_close(layers.get_buffer(f"variance_{number}"), expected.var(correction=0))
    layers.eval()(x + 1)
    torch.testing.assert_close(layers.mean_1, first.mean())


def test_watching_changes_nothing() -> None:
    bare = {f"log.{name}": None for name in full("hr_dcgan/openmoji").spec.config["log"]}
    bare |= {f"parts.{part}.with.moments": None for part in "GD"}
    plain = trainer(small("hr_dcgan/openmoji", **bare))
    watched = trainer(small("hr_dcgan/openmoji"))
    for tr in (plain, watched):
        tr.advance()
        tr.advance()
    for part in "GD":
        weights = dict(watched.parts[part].named_parameters())
        for name, parameter in plain.parts[part].named_parameters():
            assert torch.equal(parameter, weights[name]), name
    assert watched.parts["G"].variance_4 > 0
