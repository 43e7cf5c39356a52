"""Denoising: the count of the paper, what is predicted, tiles, and the filter that it is compared with."""

from __future__ import annotations

import pytest
import torch
from ganzoo_denoising.filters import Gaussian
from ganzoo_denoising.network import DnCNN
from torch import nn


def test_it_has_the_papers_size_and_no_bias_before_a_norm() -> None:
    network = DnCNN(1)
    assert sum(p.numel() for p in network.parameters()) == 556_096
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [m.bias is not None for m in convolutions] == [True] + 16 * [False]


def test_what_it_predicts_is_taken_away() -> None:
    torch.manual_seed(0)
    network, x = DnCNN(3, width=4, depth=3), torch.rand(2, 3, 8, 8)
    assert torch.equal(network(x), x - network.noise(x))
    nn.init.zeros_(network.noise[-1].weight)
    assert torch.equal(network.eval()(3 * x), (3 * x).clamp(-1, 1))


def test_tiles_equal_the_whole() -> None:
    torch.manual_seed(0)
    network, x = DnCNN(1, width=4, depth=4, tile=16).eval(), torch.rand(1, 1, 33, 50) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network(x), network.clean(x).clamp(-1, 1), atol=1e-5)
        alone = DnCNN(1, width=4, depth=4, norm="instance", tile=16).eval()
        assert torch.equal(alone(x), alone.clean(x).clamp(-1, 1))
    with pytest.raises(ValueError, match="tile is 8, but should be above 8"):
        DnCNN(1, depth=4, tile=8)


def test_the_gaussian_keeps_the_mean_and_has_its_deviation() -> None:
    flat = torch.full((1, 2, 6, 7), 0.3)
    assert torch.allclose(Gaussian(1.5)(flat), flat, atol=1e-6)
    spike = torch.zeros(1, 1, 41, 41)
    spike[..., 20, 20] = 1
    found = Gaussian(2.0)(spike)[0, 0]
    assert found.sum() == pytest.approx(1, abs=1e-5)
    at = torch.arange(41.0) - 20
    assert (found.sum(0) * at.square()).sum().sqrt() == pytest.approx(2, rel=0.03)
    assert torch.allclose(found, found.T, atol=1e-7)
