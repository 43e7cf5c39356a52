"""Stacked GAN: a classifier inverted level by level, apart and then together, with noise that can be read back."""

from __future__ import annotations

import pytest
import torch
from ganzoo_sgan.encoders import Classifier, NoiseHead
from ganzoo_sgan.generators import FeatureGenerator, ImageGenerator
from torch import nn

from ganzoo.model import explain
from tests.zoo import equal, full, small, tensors, trainer

PARTS = ["E", "G1", "D1", "Q1", "G0", "D0", "Q0"]


def test_counts_of_the_authors_layers() -> None:
    model = full("sgan/sgan")
    counts = model.spec.about.parameters
    assert counts["E"] == 160_362
    assert counts["G1"] == 426_240
    assert counts["G0"] == 1_516_097
    assert counts["D1"] + counts["Q1"] == 144_691
    assert counts["D0"] + counts["Q0"] == 794_675


def test_the_upper_layer_reads_features_from_elsewhere() -> None:
    E = Classifier(3, (32, 32), 7, width=4, features=9)
    seen = E(torch.rand(5, 3, 32, 32))
    assert seen.logits.shape == (5, 7)
    assert seen.features.shape == (5, 9)
    assert seen.features.min() >= 0
    assert torch.equal(E.classify(seen.features), seen.logits)


def test_made_features_are_none_below_zero_as_real_ones() -> None:
    made = FeatureGenerator(12, (9,), (16,))(torch.randn(50, 12))
    assert made.shape == (50, 9)
    assert made.min() == 0


@pytest.mark.parametrize("size", [(28, 28), (16, 32), (64, 64)])
def test_an_image_follows_features_and_noise(size: tuple[int, int]) -> None:
    G = ImageGenerator(6, 9, 3, size, width=4, embedding=8).eval()
    z, features = torch.rand(2, 6), torch.rand(2, 9)
    made = G(z, features)
    assert made.shape == (2, 3, *size)
    assert not torch.equal(made, G(z.flip(0), features))
    assert not torch.equal(made, G(z, features.flip(0)))


def test_sizes_that_the_layers_do_not_reach_are_named() -> None:
    with pytest.raises(ValueError, match="out_size 27x28 should be of multiples of 4 from 16"):
        ImageGenerator(6, 9, 3, (27, 28))
    with pytest.raises(ValueError, match="12x28 is too small"):
        Classifier(1, (12, 28), 10)


def test_weights_start_as_the_authors() -> None:
    torch.manual_seed(0)
    for network in (FeatureGenerator(60, (256,)), ImageGenerator(50, 256, 1, (28, 28))):
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
            elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                assert torch.equal(layer.weight, torch.ones_like(layer.weight))


def test_noise_is_guessed_where_it_lies() -> None:
    guess = NoiseHead(8, size=5, init_scale=3.0)(torch.randn(100, 8))
    assert guess.shape == (100, 5)
    assert 0 <= guess.min() < guess.max() <= 1


def test_the_noise_head_learns_to_read_the_noise() -> None:
    """The entropy term falls below the variance of the noise, 1/12, where the sample shows it."""
    torch.manual_seed(0)
    Q, show = NoiseHead(16, size=3), torch.randn(3, 16)
    optimizer = torch.optim.Adam(Q.parameters(), 0.02)
    for _ in range(200):
        z = torch.rand(64, 3)
        loss = (Q(z @ show) - z).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 / 12


def test_phases_train_the_encoder_then_all_levels_and_never_the_encoder_again() -> None:
    tr = trainer(small("sgan/fashion_mnist_sample", steps=3))
    moved = []
    for _ in range(3):
        before = {name: tensors(tr.parts, name) for name in PARTS}
        tr.advance()
        moved.append([name for name in PARTS if not equal(before[name], tensors(tr.parts, name))])
    assert moved == [["E"], PARTS[1:], PARTS[1:]]
    assert not tr.parts["E"].training


def test_the_entropy_term_is_the_squared_error_of_the_guess() -> None:
    """Without a head's weights the guess is 1/2, and the error the variance of uniform noise, 1/12."""
    model = small("sgan/fashion_mnist_sample", steps=3, **{"train.batch": 64, "train.log_every": 1})
    tr = trainer(model)
    for name in ("Q1", "Q0"):
        for parameter in tr.parts[name].parameters():
            parameter.data.zero_()
    tr.advance()
    tr.meters.read()
    tr.advance()
    found = tr.meters.read()
    for name in ("D1.entropy", "D0.entropy"):
        assert found[name] == pytest.approx(1 / 12, rel=0.06)


def test_terms_of_a_generator_reach_it_through_the_frozen_encoder() -> None:
    model = small(
        "sgan/fashion_mnist_sample",
        steps=3,
        **{f"players.{g}.minimize.{term}": None for g in ("G1", "G0") for term in ("adversarial", "entropy")},
        **{f"phases.joint.players.G0.minimize.{term}": None for term in ("adversarial", "entropy")},
    )
    tr = trainer(model)
    tr.advance()
    before = {name: tensors(tr.parts, name) for name in ("E", "G1", "G0")}
    tr.advance()
    assert [name for name in before if not equal(before[name], tensors(tr.parts, name))] == ["G1", "G0"]


def test_jointly_the_lower_level_is_given_what_the_upper_one_made() -> None:
    independent, joint = explain.text(full("sgan/fashion_mnist_sample").blueprint).split("joint: ")
    assert "condition: 5 * mse(E(made0).features, seen.features)" in independent
    assert "condition: 5 * mse(E(fake).features, made1)" in joint
    assert "condition: cross_entropy(E.classify(made1), label)" in joint
