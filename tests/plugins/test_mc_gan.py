"""MC-GAN: objects on given backgrounds, a switch for what passes, and a loss outside the mask."""

from __future__ import annotations

import pytest
import torch
from ganzoo_data.openmoji import OpenMoji
from ganzoo_mc_gan.background import Background, Paste
from ganzoo_mc_gan.discriminator import Discriminator
from ganzoo_mc_gan.generator import Generator, Synthesis
from ganzoo_mc_gan.scenes import OpenMojiOnPhotos


@pytest.fixture(scope="module")
def network() -> Generator:
    torch.manual_seed(0)
    return Generator(3, 5, 4, 3, (16, 16), width=2, levels=3).eval()


def test_a_closed_switch_lets_nothing_of_the_background_through() -> None:
    block = Synthesis(3).eval()
    last = block.body[-1]
    last.weight.data[3:], last.bias.data[3:] = 0, -100.0
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(block(x, torch.zeros(2, 3, 4, 4)), block(x, torch.randn(2, 3, 4, 4)))
    last.bias.data[3:] = 100.0
    passed = torch.randn(2, 3, 4, 4)
    assert torch.allclose(block(x, passed) - block(x, torch.zeros_like(passed)), passed, atol=1e-6)


def test_image_and_mask_read_background_noise_and_text(network: Generator) -> None:
    given = [torch.rand(2, 3, 16, 16), torch.randn(2, 5), torch.randn(2, 4)]
    made = network(*given)
    assert made.image.shape == (2, 3, 16, 16) and made.mask.shape == (2, 1, 16, 16)
    for i in range(3):
        moved = [-x if j == i else x for j, x in enumerate(given)]
        assert not torch.allclose(network(*moved).image, made.image)


def test_a_size_that_cannot_be_halved_so_often_is_refused() -> None:
    with pytest.raises(ValueError, match="12x12 cannot be halved 3 times; 8x8 or 16x16 can"):
        Generator(3, 5, 4, 3, (12, 12), width=2, levels=3)


def test_heads_read_what_they_are_named_after() -> None:
    judge = Discriminator(3, 1, (8, 8), 5, width=4, levels=2).eval()
    x, mask, text = torch.randn(2, 3, 8, 8), torch.randn(2, 1, 8, 8), torch.randn(2, 5)
    said, other_mask, other_text = judge(x, mask, text), judge(x, -mask, text), judge(x, mask, -text)
    assert torch.equal(said.image, other_mask.image) and torch.equal(said.image, other_text.image)
    assert torch.equal(said.pair, other_text.pair) and not torch.allclose(said.pair, other_mask.pair)
    assert not torch.allclose(said.logit, other_mask.logit) and not torch.allclose(said.logit, other_text.logit)
    assert not torch.allclose(said.image, judge(-x, mask, text).image)


def test_background_is_compared_outside_the_mask_and_its_margin() -> None:
    mask = -torch.ones(1, 1, 9, 9)
    mask[..., 4, 4] = 1
    x = torch.zeros(1, 3, 9, 9, requires_grad=True)
    mask.requires_grad_()
    loss = Background(margin=2)(x, torch.ones(1, 3, 9, 9), mask)
    assert torch.isclose(loss, torch.tensor((81 - 25) / 81))
    loss.backward()
    assert mask.grad is None
    assert x.grad is not None and (x.grad[..., 2:7, 2:7] == 0).all() and (x.grad[..., 0, :] != 0).all()


def test_paste_takes_the_object_and_leaves_the_rest() -> None:
    mask = torch.tensor([[[[1.0, -1.0]]]])
    image = torch.full((1, 3, 1, 2), 0.5)
    assert Paste()(image, 1, mask).flatten().tolist() == [0.5, 1.0] * 3
    assert Paste()(image, -image, mask).flatten().tolist() == [0.5, -0.5] * 3


def test_scenes_hold_the_drawing_where_the_mask_is_and_another_photograph_as_base() -> None:
    data = OpenMojiOnPhotos("test", size=64)
    rows = torch.arange(len(data))
    scene = data.batch(rows, torch.device("cpu"))
    drawn = OpenMoji(("real", "text"), "test").batch(rows, torch.device("cpu"))
    inside = scene["mask"] > 0
    assert 0.1 < inside.float().mean() < 0.7
    assert torch.equal(scene["real"].where(inside, drawn["real"]), drawn["real"])
    assert torch.equal(scene["text"], drawn["text"])
    apart = ((scene["real"] - scene["base"]).abs() * ~inside).flatten(1).sum(1)
    assert (apart > 0).all()  # the base is never the photograph under the drawing
    held_out = OpenMojiOnPhotos(size=64).held_out()
    assert held_out is not None and len(held_out) == len(data)


def test_counts_of_the_authors_code() -> None:
    def count(part: torch.nn.Module) -> int:
        return sum(p.numel() for p in part.parameters())

    with torch.device("meta"):
        large, small = (Generator(3, 100, 128, 3, (side, side)) for side in (128, 64))
        judges = [Discriminator(3, 1, (side, side), 128) for side in (128, 64)]
    assert [count(large) + 524_800, count(small) + 524_800] == [124_631_552, 102_021_632]
    assert [count(judge) for judge in judges] == [8_564_227, 8_490_499]
