"""R3GAN: counts, the start as an identity, resampling, stacked modes, and the schedule along a cosine."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from ganzoo_optim.schedules import CosineBetween
from ganzoo_r3gan.blocks import Block, Resample
from ganzoo_r3gan.networks import Discriminator, Generator
from ganzoo_r3gan.stacked import StackedFashion, StackedModes
from torch import Tensor, nn

from ganzoo.model.explain import count

IMAGES = {"in_channels": 1, "in_size": (32, 32)}


@pytest.mark.parametrize(("width", "g", "d"), [(96, 526_944, 520_896), (64, 285_760, 281_728)])
def test_counts_of_grey_networks(width: int, g: int, d: int) -> None:
    with torch.device("meta"):
        assert count(Generator(64, 1, (32, 32), width=width)) == g
        assert count(Discriminator(**IMAGES, width=width)) == d


@pytest.mark.parametrize(
    ("classes", "dim", "g", "d"), [(10, 768, 20_781_952, 21_280_512), (0, 768, 20_732_160, 20_683_776)]
)
def test_counts_with_and_without_classes(classes: int, dim: int, g: int, d: int) -> None:
    with torch.device("meta"):
        assert count(Generator(64, 3, (32, 32), num_classes=classes)) == g
        assert count(Discriminator(3, (32, 32), num_classes=classes)) == d


def test_a_block_starts_as_the_identity_and_smaller_in_deeper_networks() -> None:
    x = torch.randn(2, 32, 5, 5)
    torch.manual_seed(0)
    shallow = Block(32, 2, 16, blocks=1)
    torch.manual_seed(0)
    deep = Block(32, 2, 16, blocks=16)
    assert torch.equal(shallow(x), x)
    assert torch.allclose(deep.main[0].weight, shallow.main[0].weight / 2)
    assert deep.main[2].groups == 4
    assert not any(isinstance(m, nn.BatchNorm2d | nn.GroupNorm) for m in Generator(8, 1, (16, 16), width=16).modules())


def test_groups_must_come_out_even() -> None:
    with pytest.raises(ValueError, match="24 channels inside a block are no multiple of `group`, 16"):
        Block(12, 2, 16, blocks=1)


def test_resampling_keeps_a_constant_inside_and_darkens_the_edge() -> None:
    ones = torch.ones(1, 2, 8, 8)
    up, down = Resample(up=True)(ones), Resample(up=False)(ones)
    assert up.shape == (1, 2, 16, 16) and down.shape == (1, 2, 4, 4)
    assert torch.allclose(up[..., 1:-1, 1:-1], torch.ones(14, 14))
    assert torch.allclose(down[..., 1:-1, 1:-1], torch.ones(2, 2))
    assert torch.allclose(up[..., 0, 1:-1], torch.tensor(0.75))
    assert torch.allclose(down[..., 0, 1:-1], torch.tensor(7 / 8))


def test_the_label_is_seen_by_both() -> None:
    torch.manual_seed(0)
    G = Generator(4, 1, (8, 8), width=16, num_classes=3)
    D = Discriminator(1, (8, 8), width=16, num_classes=3)
    z, one, two = torch.randn(2, 4), torch.tensor([0, 1]), torch.tensor([0, 2])
    images = G(z, one)
    assert torch.equal(images[0], G(z, two)[0]) and not torch.equal(images[1], G(z, two)[1])
    seen = D(images, one).logit - D(images, two).logit
    assert seen[0] == 0 and seen[1] != 0
    with pytest.raises(ValueError, match="every call needs a label"):
        D(images)


def test_a_schedule_along_a_cosine() -> None:
    rate = CosineBetween(stop=10, begin=1.0, end=0.2)
    assert [rate(0), rate(10), rate(99)] == pytest.approx([1.0, 0.2, 0.2])
    assert rate(5) == pytest.approx(0.6)
    assert rate(1) == pytest.approx(0.2 + 0.4 * (1 + math.cos(math.pi / 10)))


class Said(NamedTuple):
    features: Tensor
    logits: Tensor


class Brightness(nn.Module):
    """Ten classes by the mean of an image in [0, 1)."""

    def forward(self, x: Tensor) -> Said:
        kind = (x.mean((1, 2, 3)) * 10).long()
        return Said(x.flatten(1), nn.functional.one_hot(kind, 10).float())


def test_modes_are_combinations_of_the_channels_classes() -> None:
    every = torch.cartesian_prod(*[torch.arange(10)] * 3).float()[:, :, None, None].expand(-1, -1, 2, 2) / 10 + 0.05
    found = StackedModes()(every, Brightness()).values
    assert found["modes"] == 1000 and found["kl"] == pytest.approx(0.0, abs=1e-9)
    found = StackedModes()(every[[7, 7, 70, 700]], Brightness()).values
    assert found["modes"] == 3
    assert found["kl"] == pytest.approx(math.log(1000) - 1.5 * math.log(2))


def test_stacks_are_three_clothes_and_the_test_split_has_others() -> None:
    data = StackedFashion(count=5, size=32)
    rows = data.batch(torch.arange(5), torch.device("cpu"))["real"]
    assert rows.shape == (5, 3, 32, 32)
    assert not torch.equal(rows[:, 0], rows[:, 1])
    assert data.held_out() is not None and data.held_out().fingerprint() != data.fingerprint()
    assert data.fingerprint() == StackedFashion(count=5, size=32).fingerprint()
