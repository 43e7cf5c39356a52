"""Inpainting: layers and counts of context encoders, holes, what is seen of images, and a user's own photo and mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganzoo_inpainting.holes import Cover, Fill, HoleError, Holes
from ganzoo_inpainting.networks import ContextEncoder, Discriminator, levels
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from ganzoo.cli.app import app
from ganzoo.parallel import draw
from tests.zoo import full, small

RANGE = (-1.0, 1.0)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_widths_double_at_the_last_three_halvings() -> None:
    assert levels((128, 128), 64) == [64, 64, 128, 256, 512]
    assert levels((64, 64), 64) == [64, 128, 256, 512]
    assert levels((32, 40), 8) == [8, 16, 32]


def test_networks_have_the_sizes_of_the_authors_code() -> None:
    with torch.device("meta"):
        down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
        norms = 2 * (128 + 256 + 512)
        assert count(Discriminator(3, (64, 64))) == down + norms + 16 * 512
        middle = 2 * 16 * 512 * 100 + 2 * 100
        assert count(ContextEncoder(3, (64, 64), 3, bottleneck=100)) == 2 * down + middle + norms + norms + 2 * 64


@pytest.mark.parametrize("size", [(64, 64), (70, 97), (20, 64)])
def test_a_context_encoder_takes_any_size(size: tuple[int, int]) -> None:
    network = ContextEncoder(3, (32, 32), 3, width=2, bottleneck=4).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, *size)).shape == (2, 3, *size)
    with pytest.raises(ValueError, match="at least 32"):
        ContextEncoder(3, (28, 28), 3)


def drawn(seed: int = 0) -> draw.Draws:
    return draw.Draws((seed,), torch.device("cpu"))


def test_holes_take_their_share_and_hang_together() -> None:
    x = torch.zeros(40, 3, 48, 64)
    with draw.using(drawn()):
        mask = Holes(RANGE)(x)
    assert mask.shape == (40, 1, 48, 64) and set(mask.unique().tolist()) == {-1.0, 1.0}
    share = (mask > 0).float().mean((1, 2, 3))
    assert 0.19 < share.min() < 0.22 and 0.28 < share.max() < 0.31
    changes = (mask.diff(dim=3) != 0).float().mean()
    assert changes < 0.06, "noise would change at every third pixel"
    assert not torch.equal(mask[0], mask[1])
    with draw.using(drawn()):
        assert torch.equal(mask, Holes(RANGE)(x))
    centre = Holes((0.0, 1.0), "centre")(x[:1])
    assert centre.mean() == 0.25 and centre[0, 0, 12:36, 16:48].all()
    with pytest.raises(ValueError, match="should not fall"):
        Holes(share=(0.5, 0.4))


def test_what_is_seen_holds_one_colour_and_the_rest_is_pasted() -> None:
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    mask = torch.full((2, 1, 8, 8), -1.0)
    mask[:, :, :4] = 1
    plain = Cover(RANGE, (255, 0, 51))(x, mask)
    assert torch.equal(plain[:, :, 4:], x[:, :, 4:])
    assert torch.allclose(plain[:, :, :4], torch.tensor([1, -1, -0.6]).view(1, 3, 1, 1).expand(2, 3, 4, 8))
    own = Cover(RANGE)(x, mask)
    assert torch.allclose(own[:, :, :4], x[:, :, 4:].mean((2, 3), keepdim=True).expand(2, 3, 4, 8), atol=1e-6)
    y = torch.zeros_like(x)
    filled = Fill(RANGE)(x, y, mask.expand(2, 3, 8, 8))
    assert not filled[:, :, :4].any() and torch.equal(filled[:, :, 4:], x[:, :, 4:])
    with pytest.raises(ValueError, match="colour has 2 levels"):
        Cover(RANGE, (1, 2))(x, mask)


def test_the_error_is_that_inside_the_holes() -> None:
    real, mask = torch.zeros(2, 3, 4, 4), torch.full((2, 1, 4, 4), -1.0)
    mask[0, 0, 0, 0] = 1
    mask[1, 0, :2] = 1
    fake = torch.full_like(real, 5.0)
    fake[0, :, 0, 0] = 1.0
    fake[1, :, :2] = 0.5
    assert HoleError(RANGE)(fake, real, mask) == pytest.approx({"l1": (0.5 + 0.25) / 2, "l2": (0.25 + 0.0625) / 2})


def test_the_papers_constants() -> None:
    spec = full("inpainting/inpainting").spec
    (phase,) = spec.phases.values()
    assert {k: t.factor for k, t in phase.players["G"].terms.items()} == {"pixel": 0.999, "adversarial": 0.001}


def test_a_photo_and_a_mask_of_any_size_are_filled(tmp_path) -> None:
    small("inpainting/openmoji", steps=2).train(tmp_path / "run", quiet=True)
    photo = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    mask = np.zeros((70, 90), np.uint8)
    mask[10:30, 40:80] = 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    asked = ["compute", str(tmp_path / "run"), "filled", f"image={tmp_path / 'photo.png'}"]
    asked += [f"mask={tmp_path / 'mask.png'}", "--out", str(tmp_path / "filled.png")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    filled = np.array(Image.open(tmp_path / "filled.png"))
    assert np.array_equal(filled[mask == 0], photo[mask == 0])
    assert (filled[mask > 0] != photo[mask > 0]).mean() > 0.9
