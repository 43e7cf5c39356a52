"""The networks of arXiv:1708.05509: their layers, their sizes, and a discriminator in which no image sees another."""

from __future__ import annotations

import pytest
import torch
from ganzoo_anime.networks import Discriminator, Generator
from torch import nn


def kinds(network: nn.Module, *types: type) -> int:
    return sum(isinstance(module, types) for module in network.modules())


def test_the_papers_layers() -> None:
    with torch.device("meta"):
        g, d = Generator(162, 3, (128, 128)), Discriminator(3, (128, 128))
    assert kinds(g, nn.Conv2d) == 2 * 16 + 3 + 1 and kinds(g, nn.BatchNorm2d) == 1 + 2 * 16 + 1 + 3
    strides = [module.stride[0] for module in d.modules() if isinstance(module, nn.Conv2d)]
    assert strides.count(2) == 6 and strides.count(1) == 2 * 10, "ten residual blocks"
    assert not kinds(d, nn.BatchNorm2d)
    assert d(torch.empty(2, 3, 128, 128, device="meta")).features.shape == (2, 1024 * 2 * 2)
    assert g(torch.empty(2, 162, device="meta")).shape == (2, 3, 128, 128)


def test_the_first_maps_are_added_to_what_the_blocks_make_of_them() -> None:
    g = Generator(4, 1, (16, 24), width=4, blocks=0).double().eval()
    z = torch.randn(3, 4, dtype=torch.float64)
    first = g.start(z)
    assert first.shape == (3, 4, 2, 3)
    assert torch.equal(g(z), g.tail(first + g.trunk(first)))
    g.trunk[0].reset_parameters()
    assert torch.allclose(g.trunk(first), first / (1 + 1e-5) ** 0.5), "batch norm and ReLU of what is positive"


def test_no_image_sees_another_and_other_sizes_are_refused() -> None:
    d = Discriminator(1, (64, 90), width=2, init_scale=0.2).double()
    x = torch.randn(3, 1, 64, 90, dtype=torch.float64)
    alone, together = d(x[:1]), d(x)
    assert torch.allclose(alone.logit, together.logit[:1], rtol=1e-12, atol=0) and together.features.shape == (
        3,
        64 * 1 * 1,
    )
    assert Discriminator(1, (28, 28), width=2)(torch.zeros(1, 1, 28, 28)).features.shape == (1, 16), "three pairs"
    assert Generator(4, 1, (28, 28), width=2, blocks=0).start(torch.zeros(2, 4)).shape == (2, 2, 7, 7)
    with pytest.raises(ValueError, match="too small: both sides should be at least 64"):
        Discriminator(3, (32, 64), pairs=5)
    with pytest.raises(ValueError, match=r"63x64 is not 3 doublings of a smaller size; 56x64 or 64x64 would do"):
        Generator(4, 3, (63, 64), doublings=3)
