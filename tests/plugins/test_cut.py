"""CUT: blurs, the maps of its generator, vectors of patches, their loss, and the gradients between them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from ganzoo_cut.blur import BlurDown, BlurUp
from ganzoo_cut.discriminator import Discriminator
from ganzoo_cut.generator import Generator
from ganzoo_cut.patches import Patches, PatchNCE
from torch.nn.functional import normalize

from ganzoo import Scales
from tests.zoo import small


def test_blurs_keep_a_constant_and_halve_and_double() -> None:
    flat = torch.full((1, 2, 7, 8), 3.0)
    assert torch.allclose(BlurDown()(flat), torch.full((1, 2, 4, 4), 3.0))
    assert torch.allclose(BlurUp()(flat), torch.full((1, 2, 14, 16), 3.0))


def test_a_dot_is_blurred_by_the_kernels_of_the_paper() -> None:
    dot = torch.zeros(1, 1, 8, 8)
    dot[0, 0, 4, 4] = 16
    assert BlurDown()(dot)[0, 0, 2, 2] == 4
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    assert torch.allclose(BlurUp()(dot)[0, 0, 7:11, 7:11], row[:, None] * row)


@pytest.mark.parametrize("antialias", [True, False])
def test_maps_are_five_on_the_way_to_the_image(antialias: bool) -> None:
    made = Generator(3, (16, 16), 1, blocks=9, width=2, antialias=antialias)
    x = torch.rand(2, 3, 16, 16)
    maps = made.maps(x)
    grown = 16 if antialias else 8
    assert [tuple(m.shape[1:]) for m in maps] == [
        (3, 22, 22), (4, grown, grown), (8, grown // 2, grown // 2), (8, 4, 4), (8, 4, 4)
    ]  # fmt: skip
    last = maps[-1]
    for layer in made.net[made.seen[-1] + 1 :]:
        last = layer(last)
    assert torch.allclose(last, made(x))


def test_weights_start_from_xaviers_normal_distribution() -> None:
    made = Discriminator(3, (32, 32), width=32)
    weight = made.body[3].weight
    assert weight.std().item() == pytest.approx(0.02 * math.sqrt(2 / (16 * (32 + 64))), rel=0.05)
    assert not made.head.bias.any()


def test_loss_of_equal_vectors_is_the_logarithm_of_their_number() -> None:
    same = torch.ones(2, 5, 3)
    assert PatchNCE()(same, same).item() == pytest.approx(math.log(5))


def test_loss_of_orthogonal_vectors_in_closed_form() -> None:
    x = torch.eye(4)[None]
    assert PatchNCE(0.5)(x, x).item() == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)


def test_negatives_come_from_the_same_image() -> None:
    x, y = (normalize(torch.randn(2, 6, 4), dim=2) for _ in range(2))
    both = PatchNCE()(x, y)
    assert both.item() == pytest.approx((PatchNCE()(x[:1], y[:1]) + PatchNCE()(x[1:], y[1:])).item() / 2, rel=1e-5)


def test_no_gradient_reaches_the_key() -> None:
    x, y = (torch.randn(1, 4, 3, requires_grad=True) for _ in range(2))
    PatchNCE()(x, y).backward()
    assert x.grad is not None and y.grad is None


def test_vectors_of_both_images_are_of_the_same_places() -> None:
    made = Patches([3, 2], width=64, count=5)
    maps = Scales([torch.rand(2, 3, 4, 4), torch.rand(2, 2, 2, 2)])
    pairs = made(maps, maps)
    assert [tuple(q.shape) for q in pairs.query] == [(2, 5, 64), (2, 4, 64)]
    assert all(torch.equal(q, k) for q, k in zip(*pairs, strict=True))
    assert torch.allclose(pairs.query[0].norm(dim=2), torch.ones(2, 5))


def test_other_maps_than_the_channels_say_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the maps have \[3\] channels, but `channels` says \[4\]"):
        Patches([4])(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match="`channels` must say"):
        Patches()


def test_gradients_reach_the_generator_through_both_terms() -> None:
    made, patches = Generator(3, (16, 16), 3, blocks=2, width=2), Patches([3, 4, 8, 8, 8], width=4, count=4)
    x = torch.rand(1, 3, 16, 16)
    pairs = patches(made.maps(made(x)), made.maps(x))
    sum(PatchNCE()(q, k) for q, k in zip(*pairs, strict=True)).backward()
    assert all(p.grad is not None for p in [*made.parameters(), *patches.parameters()])


def test_a_small_model_trains(tmp_path: Path) -> None:
    small("cut/openmoji", steps=2).train(tmp_path / "run", quiet=True)
    terms = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "G.nce" in terms and "G.identity" in terms and "D.adversarial" in terms
