"""Every recipe of docs/tricks.md trains, and its components do what their definitions say."""

from __future__ import annotations

import copy
import re
import shlex
from pathlib import Path

import pytest
import torch
from ganzoo_adversarial.logistic import NonSaturating
from ganzoo_losses.losses import LeCam
from ganzoo_ops.batch import Half, Perturb
from ganzoo_ops.codes import Choose
from ganzoo_ops.tensors import SoftMean
from ganzoo_regularizers.layers import EqualizedLearningRate, MinibatchDeviation, Spread
from ganzoo_regularizers.virtual import VirtualBatchNorm
from ganzoo_regularizers.weights import HistoricalAveraging
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from ganzoo import api
from ganzoo.train.loop import Trainer
from tests.train.test_resume import assert_same

PAGE = Path(__file__).parents[1] / "docs" / "tricks.md"
ROWS = re.findall(r"^\| ([^|]+?) \| .* \| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
RECIPES = {name: command for name, command in ROWS if not command.startswith("ganzoo ")}
SMALL = ["parts.G.width=8", "parts.D.width=8", "train.batch=4", "train.steps=4"]


def test_the_page_has_recipes() -> None:
    assert len(RECIPES) > 15


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_and_resumes(name: str) -> None:
    model = api.Model("dcgan/fashion_mnist_sample", [*SMALL, *shlex.split(RECIPES[name])])
    trainers = [Trainer(model.blueprint, torch.device("cpu")) for _ in range(2)]
    for _ in range(3):
        trainers[0].advance()
    trainers[1].load_state_dict(copy.deepcopy(trainers[0].state_dict()))
    for trainer in trainers:
        trainer.advance()
    assert_same(trainers[0].state_dict(), trainers[1].state_dict())


def test_noisy_and_flipped_labels_are_cross_entropies() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(20_000), torch.randn(20_000)
    flipped = NonSaturating(flip=1.0).d(real, fake)
    assert torch.allclose(flipped, bce(real, torch.zeros(20_000)) + bce(fake, torch.ones(20_000)), atol=1e-4)
    noisy = NonSaturating(noise=0.4).d(real, fake)
    mean = bce(real, torch.full((20_000,), 0.8)) + bce(fake, torch.full((20_000,), 0.2))
    assert noisy.item() == pytest.approx(mean.item(), abs=0.01), "targets are 0.8 and 0.2 in the mean"
    assert torch.equal(NonSaturating(noise=0.0, flip=0.0).d(real, fake), NonSaturating().d(real, fake))


def test_lecam_by_hand_and_its_averages() -> None:
    lecam = LeCam(decay=0.5)
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 1.0])
    first = lecam(real, fake)  # the averages are those of the batch: 2 and 0
    assert first.item() == pytest.approx((1 + 9) / 2 + (9 + 1) / 2)
    lecam(real + 2, fake)
    assert (lecam.real_mean.item(), lecam.fake_mean.item()) == (3.0, 0.0)
    lecam.eval()
    lecam(real + 100, fake)
    assert lecam.real_mean.item() == 3.0, "nothing is learnt in evaluation"


def test_historical_averaging_is_the_distance_to_the_mean_of_all_calls() -> None:
    past, part = HistoricalAveraging(), nn.Linear(1, 1, bias=False)
    seen = []
    for value in (1.0, 2.0, 6.0):
        nn.init.constant_(part.weight, value)
        seen.append(value)
        expected = (value - sum(seen) / len(seen)) ** 2
        assert past(part).item() == pytest.approx(expected)
    again = HistoricalAveraging()
    again.load_state_dict(past.state_dict())
    nn.init.constant_(part.weight, 3.0)
    assert again(part).item() == past(part).item() == 0.0
    nn.init.constant_(part.weight, 5.0)
    past(part).backward()
    assert part.weight.grad is not None and part.weight.grad.item() == pytest.approx(2 * (5 - 17 / 5))


def test_the_spread_of_a_group() -> None:
    assert Spread(nn.Linear(2, 5000), 2).read.weight.std().item() == pytest.approx(0.02, rel=0.05), "as heads start"
    head = Spread(nn.Linear(2, 1), 2)
    features = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 4.0], [1.0, 1.0]])  # rows 0 and 2 are one group
    assert torch.allclose(head.spread(features), torch.tensor([[1.5], [0.0], [1.5], [0.0]]), atol=1e-3)
    assert torch.allclose(head.spread(torch.ones(3, 2)), torch.full((3, 1), 1e-4)), "a batch of 3 has groups of 1"
    with pytest.raises(ValueError, match="no linear `head`"):
        MinibatchDeviation().attach(nn.Conv2d(1, 1, 1))


def test_equalised_weights_have_the_standard_deviation_of_he() -> None:
    torch.manual_seed(0)
    part = nn.Sequential(nn.Linear(400, 300), nn.ConvTranspose2d(64, 32, 4))
    EqualizedLearningRate().attach(part)
    assert part[0].parametrizations.weight.original.std().item() == pytest.approx(1, rel=0.02)  # type: ignore[union-attr]
    assert part[0].weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)  # type: ignore[union-attr]
    assert part[1].weight.std().item() == pytest.approx((2 / (64 * 16)) ** 0.5, rel=0.02)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="reparametrised already"):
        EqualizedLearningRate().attach(part)


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(8, 8, 3, groups=4), nn.Conv2d(8, 8, 3, groups=4)])
def test_equalised_layers_of_groups_count_the_inputs_of_a_group(layer: nn.Module) -> None:
    EqualizedLearningRate(gain=1.0).attach(layer)
    assert layer.parametrizations.weight[0].factor == pytest.approx((2 * 9) ** -0.5)  # type: ignore[union-attr, index]


def test_noise_fades() -> None:
    torch.manual_seed(0)
    fade, x = Perturb(start=0.4, end=0.1, over=100), torch.zeros(20_000, 1)
    for step, std in ((None, 0.4), (0, 0.4), (50, 0.25), (100, 0.1), (1000, 0.1)):
        assert fade(x, step).std().item() == pytest.approx(std, rel=0.02)


def test_a_soft_mean_lies_between_the_mean_and_the_hardest() -> None:
    a, b = torch.tensor(1.0), torch.tensor(3.0)
    assert SoftMean(0.0)(a, b).item() == pytest.approx(2.0)
    assert SoftMean(1000.0)(a, b).item() == pytest.approx(3.0)
    assert 2 < SoftMean(1.0)(a, b).item() < 3


def test_halves_of_a_batch() -> None:
    x = torch.arange(6)
    assert Half(0)(x).tolist() == [0, 1, 2]
    assert Half(1)(x).tolist() == [3, 4, 5]


def test_virtual_batch_norm_by_hand_and_independent_of_the_batch() -> None:
    torch.manual_seed(0)
    part = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    VirtualBatchNorm().attach(part)
    part[1].weight.data.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    part[1].bias.data.uniform_(-1, 1)  # type: ignore[union-attr, operator]
    first, x = torch.randn(5, 3), torch.randn(4, 3)
    part(first)
    reference, h = part[0](first), part[0](x)
    mean = (5 * reference.mean(0) + h) / 6
    square = (5 * reference.square().mean(0) + h.square()) / 6
    expected = (h - mean) / (square - mean.square() + 1e-5).sqrt() * part[1].weight + part[1].bias
    assert torch.allclose(part(x), part[2](expected), atol=1e-6)
    assert torch.allclose(part(x)[:1], part(x[:1]), atol=1e-6), "a sample does not depend on its batch"
    trained = part(x)
    assert torch.equal(part.eval()(x), trained), "no statistics of training are needed"


def test_virtual_batch_norm_of_little_variance_beside_a_large_mean() -> None:
    torch.manual_seed(0)
    part = nn.Sequential(nn.BatchNorm2d(4))
    VirtualBatchNorm().attach(part)
    x = 100 + 0.01 * torch.randn(8, 4, 6, 6)
    part(x)
    away = x.double() - x.double().mean((0, 2, 3), keepdim=True)
    n, m = len(x), away.mean((2, 3), keepdim=True)
    square = (n * away.square().mean((0, 2, 3), keepdim=True) + away.square().mean((2, 3), keepdim=True)) / (n + 1)
    expected = (away - m / (n + 1)) / (square - (m / (n + 1)).square() + 1e-5).sqrt()
    torch.testing.assert_close(part(x).double(), expected, atol=5e-3, rtol=5e-3)


def test_virtual_batch_norm_of_maps_in_averages_and_checkpoints() -> None:
    torch.manual_seed(0)

    def made() -> nn.Module:
        part = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, affine=False), nn.ReLU())
        VirtualBatchNorm().attach(part)
        return part

    part = made()
    average = copy.deepcopy(part).eval()
    part(torch.randn(6, 1, 5, 5))
    x = torch.randn(2, 1, 5, 5)
    assert torch.equal(average(x), part(x)), "the average refers to the same batch"
    copied = copy.deepcopy(part)
    restored = made()
    restored.load_state_dict(copy.deepcopy(part.state_dict()))
    assert torch.equal(restored(x), copied(x))
    with pytest.raises(ValueError, match="no batch norm"):
        VirtualBatchNorm().attach(nn.Linear(1, 1))


def test_choosing_is_a_first_layer_for_each() -> None:
    torch.manual_seed(0)
    z, which = torch.randn(6, 3), torch.eye(2)[torch.tensor([0, 1, 1, 0, 1, 0])]
    layer = nn.Linear(2 * 3 + 2, 5)
    own = [layer.weight[:, 3 * k : 3 * k + 3] for k in range(2)]
    expected = torch.stack(
        [own[k] @ z[i] + layer.weight[:, 6 + k] + layer.bias for i, k in enumerate(which.argmax(1).tolist())]
    )
    assert torch.allclose(layer(Choose()(z, which)), expected, atol=1e-6)
