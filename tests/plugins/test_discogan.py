"""DiscoGAN: the authors' layers, features matched layer by layer, turns and weights, and modes that are followed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganzoo_adversarial.logistic import NonSaturating
from ganzoo_discogan.discriminator import Discriminator
from ganzoo_discogan.generator import Generator
from ganzoo_discogan.mixtures import Mixtures, ModeMap
from ganzoo_losses.losses import FeatureMatching
from torch import nn

from ganzoo.model import explain
from ganzoo.model.calls import zipped
from tests.zoo import full, small, trainer


def test_counts_of_the_code() -> None:
    assert explain.count(Generator(3, (64, 64), 3)) == 5_513_856
    assert explain.count(Generator(3, (64, 64), 3, bottleneck=100)) == 7_153_480
    assert explain.count(Generator(3, (32, 32), 3, halvings=3)) == 1_318_016
    assert explain.count(Discriminator(3, (64, 64))) == 2_765_568
    assert explain.count(Discriminator(3, (32, 32))) == 663_296


def test_no_bias_and_no_norm_behind_the_first_and_the_last_layer() -> None:
    layers = list(Generator(3, (64, 64), 1, width=2).net)
    kinds = "".join(type(layer).__name__[0] for layer in layers)
    assert kinds == "CL" + "CBL" * 3 + "CBR" * 3 + "CT"  # a convolution, batch norm, (leaky) ReLU, tanh
    assert all(layer.bias is None for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))


@pytest.mark.parametrize(("size", "near"), [((40, 64), "32x64 or 48x64"), ((8, 8), "16x16")])
def test_sizes_that_cannot_be_halved_so_often_are_refused(size: tuple[int, int], near: str) -> None:
    with pytest.raises(ValueError, match=near):
        Generator(3, size, 3, width=2)
    network = Generator(3, (64, 64), 1, width=2)
    assert network(torch.rand(2, 3, 32, 48)).shape == (2, 1, 32, 48)
    with pytest.raises(ValueError, match=near):
        network(torch.rand(2, 3, *size))


def test_features_are_matched_in_all_layers_but_the_first() -> None:
    judge = Discriminator(3, (64, 64), width=2)
    x, y = torch.rand(2, 4, 3, 64, 64)
    seen, true = judge(x), judge(y)
    assert [tuple(m.shape[1:]) for m in seen.maps] == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]
    torch.testing.assert_close(seen.features, seen.maps[-1].flatten(1))
    match = zipped(FeatureMatching().__call__, [], set())
    expected = sum((a.mean(0) - b.mean(0)).square().mean() for a, b in zip(seen.maps, true.maps, strict=True))
    torch.testing.assert_close(match(seen.maps, true.maps), expected)
    assert match(true.maps, judge(y.flip(0)).maps).item() == pytest.approx(0, abs=1e-9)  # rows in another order


def test_a_step_is_one_turn_of_d_and_two_of_g_whose_weights_change_with_the_phase() -> None:
    spec = full("discogan/discogan").spec
    weights = {}
    for name, phase in spec.phases.items():
        assert list(phase.players) == ["D", "G"]
        assert [p.repeat for p in phase.players.values()] == [1, 2]
        weights[name] = [float(term.text.split(" * ")[0]) for term in phase.players["G"].terms.values()]
    rates = {"early": 0.01, "late": 0.5}
    for name, rate in rates.items():
        assert weights[name] == pytest.approx([0.1 * (1 - rate)] * 2 + [0.9 * (1 - rate)] * 2 + [rate] * 2)


def test_the_terms_are_those_of_the_code() -> None:
    tr = trainer(small("discogan/openmoji"))
    for _ in range(2):
        tr.advance()
    assert tr.finite()
    loss, real, fake = NonSaturating(), torch.randn(6), torch.randn(6)
    bce = nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(loss.d(real, fake), bce(real, torch.ones(6)) + bce(fake, torch.zeros(6)))


def test_mixtures_have_no_pairs_and_know_their_modes() -> None:
    data = Mixtures(points=2000)
    arrays = data.load()
    assert {name: a.shape for name, a in arrays.items()} == {
        "real_a": (2000, 2),
        "real_b": (2000, 2),
        "label_a": (2000,),
    }
    spread = arrays["real_a"] - data.sources[arrays["label_a"]]
    assert np.abs(spread.mean(0)).max() < 0.02 and spread.std() == pytest.approx(0.2, rel=0.05)
    nearest = np.linalg.norm(arrays["real_b"][:, None] - data.centers, axis=2).argmin(1)
    table = np.zeros((5, 10))
    np.add.at(table, (arrays["label_a"], nearest), 1)
    assert (table > 2000 / 50 * 0.5).all()  # every mode of one beside every mode of the other
    np.testing.assert_array_equal(Mixtures(points=2000).load()["real_b"], arrays["real_b"])


def test_the_map_of_modes_tells_apart_from_together() -> None:
    data = Mixtures(modes_a=2, modes_b=4, std=0.01)
    measure = ModeMap(data)
    a, b, c, d = torch.tensor(data.centers, dtype=torch.float32)
    label = torch.tensor([0, 0, 1, 1])
    apart = measure(torch.stack([a, b, c, d]), label).values
    assert apart == {"hit": 4.0, "near": 1.0, "own": 1.0}
    met = measure(torch.stack([a, a, a, a]), label).values
    assert met == {"hit": 1.0, "near": 1.0, "own": 0.5}
    astray = measure(torch.stack([a, a + 0.031, c, 0 * d]), label).values  # beyond three standard deviations
    assert astray == {"hit": 2.0, "near": 0.5, "own": 0.5}
    few = ModeMap(data, least=1.5)(torch.stack([a, a, c, d]), label).values  # one point of four is an even share
    assert few["hit"] == 1.0
    with pytest.raises(ValueError, match="no modes"):
        ModeMap(object())
