"""StackGAN++: three sizes by one tree, two heads a discriminator, colours that agree."""

from __future__ import annotations

import pytest
import torch
from ganzoo_losses.losses import KLNormal
from ganzoo_stackgan_pp.branches import Branch, Root
from ganzoo_stackgan_pp.colour import ColourConsistency
from ganzoo_stackgan_pp.conditioning import Conditioning
from ganzoo_stackgan_pp.discriminator import Discriminator

from ganzoo.parallel import draw


@pytest.fixture(scope="module")
def tree() -> tuple[Root, Branch, Branch]:
    torch.manual_seed(0)
    return (
        Root(5, 4, 3, (8, 8), width=8),
        Branch(8, (8, 8), 4, 3, (16, 16), blocks=1),
        Branch(4, (16, 16), 4, 1, (32, 32), (0, 1), blocks=0),
    )


def test_each_branch_doubles_the_size_and_halves_the_channels(tree: tuple[Root, Branch, Branch]) -> None:
    text, drawn = torch.randn(2, 4), []
    drawn.append(tree[0](torch.randn(2, 5), text))
    drawn += [tree[1](drawn[0].features, text)]
    drawn += [tree[2](drawn[1].features, text)]
    assert [tuple(d.image.shape[1:]) for d in drawn] == [(3, 8, 8), (3, 16, 16), (1, 32, 32)]
    assert [tuple(d.features.shape[1:]) for d in drawn] == [(8, 8, 8), (4, 16, 16), (2, 32, 32)]
    assert drawn[2].image.min() > 0 and drawn[2].image.max() < 1


def test_every_branch_reads_the_condition(tree: tuple[Root, Branch, Branch]) -> None:
    z, text, maps = torch.randn(2, 5), torch.randn(2, 4), torch.randn(2, 8, 8, 8)
    assert not torch.allclose(tree[0](z, text).image, tree[0](z, -text).image)
    assert not torch.allclose(tree[1](maps, text).image, tree[1](maps, -text).image)


def test_the_first_branch_learns_from_every_size(tree: tuple[Root, Branch, Branch]) -> None:
    text = torch.randn(2, 4)
    first = tree[0](torch.randn(2, 5), text)
    tree[2](tree[1](first.features, text).features, text).image.sum().backward()
    weight = next(tree[0].stem.parameters())
    assert weight.grad is not None and weight.grad.abs().sum() > 0
    last = tree[0].image[0].weight
    assert last.grad is None  # what draws the small image has no part in the large one


def test_a_branch_grows_by_doubling_only() -> None:
    with pytest.raises(ValueError, match="8x8 doubled again and again is never 24x24; 16x16 would do"):
        Branch(8, (8, 8), 4, 3, (24, 24))
    assert Branch(8, (4, 4), 4, 3, (16, 16))(torch.rand(2, 8, 4, 4), torch.rand(2, 4)).features.shape == (2, 2, 16, 16)


def test_condition_is_gated_and_its_noise_is_drawn() -> None:
    condition, text = Conditioning(6, 3), torch.randn(2, 6)
    with draw.using(draw.Draws((0,), torch.device("cpu"), (0, 1))):
        found = condition(text)
    value, gate = condition.linear[0](text).chunk(2, 1)
    assert torch.allclose(torch.cat([found.mu, found.logvar], 1), value * gate.sigmoid())
    assert not torch.allclose(found.sample, found.mu)
    assert KLNormal()(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_one_head_knows_the_caption_and_one_does_not() -> None:
    judge, x, text = Discriminator(3, (8, 8), 5, width=4).eval(), torch.randn(2, 3, 8, 8), torch.randn(2, 5)
    a, b = judge(x, text), judge(x, -text)
    assert a.logit.shape == a.unconditional.shape == (2,)
    assert torch.equal(a.unconditional, b.unconditional)
    assert not torch.allclose(a.logit, b.logit)
    with pytest.raises(ValueError, match="8x8"):
        judge(torch.randn(2, 3, 16, 16), text)


def test_weights_start_orthogonal() -> None:
    weight = Discriminator(3, (8, 8), 5, width=4).see[0].weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(4), atol=1e-5)


def test_colours_of_two_sizes_are_compared_by_mean_and_covariance() -> None:
    colours = ColourConsistency(mean=1.0, covariance=5.0)
    image = torch.rand(2, 3, 8, 8)
    assert colours(image, image.flip(2, 3)) < 1e-10
    assert torch.isclose(colours(image + 0.5, image), torch.tensor(3 * 0.25))
    pixels = image.flatten(2)
    apart = pixels - pixels.mean(2, keepdim=True)
    sigma = apart @ apart.mT / 64
    assert torch.isclose(
        colours(image, torch.zeros(2, 3, 4, 4)),
        pixels.mean(2).square().sum(1).mean() + 5 * sigma.square().sum((1, 2)).mean(),
    )
    small = torch.rand(2, 3, 4, 4)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert colours(large, small) < 1e-10


def test_counts_of_the_authors_code() -> None:
    with torch.device("meta"):
        parts = [
            Conditioning(1024),
            Root(100, 128, 3, (64, 64)),
            Branch(64, (64, 64), 128, 3, (128, 128)),
            Branch(32, (128, 128), 128, 3, (256, 256)),
        ]
        judges = [Discriminator(3, (side, side), 128) for side in (64, 128, 256)]
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == [524_800, 20_075_968, 481_248, 157_680] and sum(counts) == 21_239_696
    assert [sum(p.numel() for p in d.parameters()) for d in judges] == [5_723_906, 18_834_178, 71_269_122]
