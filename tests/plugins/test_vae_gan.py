"""VAE-GAN: who learns from which term, the layer that compares, and the rule of who waits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ganzoo_adversarial.logistic import Minimax, NonSaturating
from ganzoo_vae_gan.attribute import Attribute
from ganzoo_vae_gan.balance import Balanced
from ganzoo_vae_gan.decoder import Decoder
from ganzoo_vae_gan.discriminator import Discriminator
from ganzoo_vae_gan.encoder import Encoder
from ganzoo_vae_gan.likelihood import NormalLikelihood
from torch import Tensor, nn

from ganzoo.model import explain
from tests.zoo import small, trainer

MODEL = "vae_gan/fashion_mnist_sample"


def test_networks_for_32x32_have_the_counts_of_the_code() -> None:
    with torch.device("meta"):
        encoder = Encoder(3, (32, 32), 256)
        decoder = Decoder(256, 3, (32, 32), (-1.0, 1.0), widths=(192, 128, 32))
        judge = Discriminator(3, (32, 32), widths=(128, 192, 256), layer=2)
    assert [explain.count(part) for part in (encoder, decoder, judge)] == [5_750_848, 3_005_475, 4_047_873]


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (30, 17)])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_size_comes_out_as_it_went_in(size: tuple[int, int], channels: int) -> None:
    x = torch.randn(2, channels, *size)
    code = Encoder(channels, size, 5, (4, 4, 4), 8)(x)
    assert code.mu.shape == code.logvar.shape == code.sample.shape == (2, 5)
    assert Decoder(5, channels, size, width=4, widths=(4, 4, 4))(code.sample).shape == x.shape


def test_maps_are_those_of_a_halving_convolution_before_its_batch_norm() -> None:
    judge = Discriminator(1, (28, 28), 4, (6, 8, 10), 5, layer=2)
    out = judge(torch.randn(3, 1, 28, 28))
    assert out.logit.shape == (3,) and out.features.shape == (3, 5) and out.maps.shape == (3, 8, 7, 7)
    assert isinstance(judge.see[-1], nn.Conv2d) and isinstance(judge.body[0], nn.BatchNorm2d)
    torch.testing.assert_close(judge.head(judge.body(out.maps)).flatten(), out.logit, atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="layer is 4, but there are 3"):
        Discriminator(1, (28, 28), 4, (6, 8, 10), 5, layer=4)


@pytest.mark.parametrize("sigma", [1.0, 0.5])
def test_the_likelihood_is_that_of_a_normal_distribution(sigma: float) -> None:
    x, y = torch.randn(2, 4, 3, 5, 5)
    exact = -torch.distributions.Normal(y, sigma).log_prob(x).flatten(1).sum(1).mean()
    constant = 75 * (0.5 * math.log(2 * math.pi) + math.log(sigma))
    torch.testing.assert_close(NormalLikelihood(sigma)(x, y), exact - constant, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("real", "fake", "d_plays", "g_plays"),
    [(0, 0, 1, 1), (3, 0, 0, 1), (0, -3, 0, 1), (-3, 0, 1, 0), (0, 3, 1, 0), (3, 3, 1, 1), (-3, -3, 1, 1)],
    ids=["even", "sure of real", "sure of fake", "wrong on real", "wrong on fake", "all real", "all fake"],
)
def test_who_is_too_far_ahead_waits(real: float, fake: float, d_plays: int, g_plays: int) -> None:
    """A cost of log 2 = 0.69 is even; softplus(-3) = 0.05 is below 0.33, softplus(3) = 3.05 above 1.03."""
    logits = torch.full((4,), float(real), requires_grad=True), torch.full((4,), float(fake), requires_grad=True)
    game, minimax = Balanced(), Minimax()
    torch.testing.assert_close(game.d(*logits), d_plays * minimax.d(*logits))
    torch.testing.assert_close(game.g(logits[1], logits[0]), g_plays * minimax.g(logits[1]))
    torch.testing.assert_close(Balanced(scale=0.5).d(*logits), 0.5 * game.d(*logits))
    free = Balanced(saturating=False).g(logits[1], logits[0])
    torch.testing.assert_close(free, g_plays * NonSaturating().g(logits[1]))


def test_attributes_move_codes_by_the_difference_of_two_means() -> None:
    z = torch.tensor([[0.0, 0], [2, 0], [10, 4], [20, 4]])
    label = torch.tensor([3, 3, 5, 7])
    move = Attribute(source=3, target=5)
    torch.testing.assert_close(move(z, label), z + torch.tensor([9.0, 4]))
    assert torch.equal(Attribute(3, 3)(z, label), z)
    torch.testing.assert_close(Attribute(3, 9)(z, label), z + z.mean(0) - torch.tensor([1.0, 0]))


def gradients(overrides: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    tr = trainer(small(MODEL, **overrides))
    tr.advance()
    return {
        part: {name: p.grad.clone() for name, p in tr.parts[part].named_parameters()}  # type: ignore[union-attr]
        for part in "EGD"
    }


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.allclose(a[key], b[key], rtol=1e-3, atol=1e-6) for key in a)


def test_each_learns_from_its_own_terms() -> None:
    """The encoder sees nothing of the game, the discriminator nothing of reconstructions, the decoder both."""
    whole = gradients({})
    no_game = gradients({"players.G.minimize.adversarial": None})
    no_likelihood = gradients({"players.E.minimize.likelihood": None, "players.G.minimize.likelihood": None})
    assert same(whole["E"], no_game["E"])
    assert same(whole["D"], no_game["D"])
    assert same(whole["D"], no_likelihood["D"])
    assert not same(whole["G"], no_game["G"])
    assert not same(whole["G"], no_likelihood["G"])
    assert not same(whole["E"], no_likelihood["E"])


def test_reconstructions_are_decoded_and_judged_once_a_step() -> None:
    tr = trainer(small(MODEL))
    seen = {part: [] for part in "EGD"}
    for part, calls in seen.items():
        tr.parts[part].register_forward_hook(lambda *_, calls=calls: calls.append(1))
    tr.advance()
    assert {part: len(calls) for part, calls in seen.items()} == {"E": 1, "G": 2, "D": 3}
