"""ESRGAN: sizes and counts of the paper, dense blocks, weights between two trainings, degradations against Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from ganzoo_data.photos import Photos
from ganzoo_esrgan import degrade
from ganzoo_esrgan.anchor import Anchor, Factor, interpolated
from ganzoo_esrgan.degrade import Degrade
from ganzoo_esrgan.discriminator import Discriminator
from ganzoo_esrgan.generator import DenseBlock, RRDBNet
from ganzoo_esrgan.jpeg import Jpeg, cosines
from ganzoo_metrics.paired import luma
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli.app import app
from ganzoo.parallel import draw
from tests.zoo import full, small, trainer

RANGE = (-1.0, 1.0)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def photo(side: int) -> Image.Image:
    image = Image.open(Photos("test").files[0]).convert("RGB")
    return image.crop((100, 100, 100 + side, 100 + side))


def tensor(image: Image.Image) -> Tensor:
    pixels = np.array(image).reshape(image.height, image.width, -1)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


# -- networks ----------------------------------------------------------------------------------------------------------


def test_a_shorter_network_has_the_papers_size() -> None:
    with torch.device("meta"):
        assert count(DenseBlock(64, 32, 0.2)) == 239_808
        assert count(RRDBNet(3, (8, 8), 3, (32, 32), blocks=16)) == 11_662_019


def test_a_dense_block_is_written_out() -> None:
    torch.manual_seed(0)
    block = DenseBlock(4, 2, 0.2)
    x = torch.randn(1, 4, 5, 5)
    a = leaky_relu(block.grow[0](x), 0.2)
    b = leaky_relu(block.grow[1](torch.cat([x, a], 1)), 0.2)
    c = leaky_relu(block.grow[2](torch.cat([x, a, b], 1)), 0.2)
    d = leaky_relu(block.grow[3](torch.cat([x, a, b, c], 1)), 0.2)
    assert torch.allclose(block(x), x + 0.2 * block.shrink(torch.cat([x, a, b, c, d], 1)), atol=1e-6)


def test_dense_blocks_start_at_a_tenth_of_he() -> None:
    network = RRDBNet(3, (8, 8), 3, (32, 32), width=32, growth=16, blocks=1)
    weight = network.blocks[0].body[0].shrink.weight
    assert weight.std().item() == pytest.approx(0.1 * (2 / (96 * 9)) ** 0.5, rel=0.05)
    assert not network.blocks[0].body[0].shrink.bias.any()


@pytest.mark.parametrize("base", ["none", "bicubic"])
def test_tiles_are_nearly_the_whole_and_the_range_is_kept(base: str) -> None:
    torch.manual_seed(0)
    network = RRDBNet(3, (8, 8), 3, (16, 16), width=4, growth=2, blocks=1, tile=24, margin=8, base=base).eval()  # type: ignore[arg-type]
    x = torch.rand(2, 3, 40, 31) * 2 - 1
    with torch.no_grad():
        found = network(x)
        assert found.shape == (2, 3, 80, 62)
        assert torch.allclose(found, network.enlarge(x).clamp(-1, 1), atol=1e-4)
        nn.init.constant_(network.tail[-1].bias, 5.0)
        assert network(x).max() == 1 and network.train()(x).max() > 1


def test_what_cannot_be_is_refused() -> None:
    for args, says in (
        ({"scale": 6}, "scale is 6"),
        ({"tile": 60}, "tile is 60, but should be above 64"),
        ({"in_channels": 1, "base": "bicubic"}, "1 channels"),
    ):
        with pytest.raises(ValueError, match=says):
            RRDBNet(**{"in_channels": 3, "in_size": (8, 8), "out_channels": 3, "out_size": (32, 32), **args})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 32"):
        Discriminator(3, (28, 28))


# -- weights between ---------------------------------------------------------------------------------------------------


def test_interpolation_is_that_of_the_weights() -> None:
    torch.manual_seed(0)
    part = nn.Linear(3, 2)
    Anchor().attach(part)
    old = [p.detach().clone() for p in part.parameters()]
    with torch.no_grad():
        for p in part.parameters():
            p.add_(torch.randn_like(p))
    x = torch.randn(4, 3)
    for alpha in (0.0, 0.3, 1.0):
        weight, bias = ((1 - alpha) * a + alpha * b for a, b in zip(old, part.parameters(), strict=True))
        assert torch.allclose(interpolated(part, x, Factor(alpha)(4)), x @ weight.T + bias, atol=1e-6)
    Anchor().after_step(part)
    assert torch.allclose(interpolated(part, x, Factor(0.0)(4)), part(x), atol=1e-6)
    with draw.using(draw.Draws(("seed",), torch.device("meta"))):
        assert Factor(0.5)(4).is_meta, "it is made where a turn draws"
    assert set(part.state_dict()) == {"weight", "bias", "anchor.weights"}
    with pytest.raises(ValueError, match="remembers no weights"):
        interpolated(nn.Linear(3, 2), x, Factor()(4))


def test_only_the_first_phase_is_remembered() -> None:
    tr = trainer(small("esrgan/esrgan", steps=4))
    generator = tr.parts["G"]

    def now() -> Tensor:
        return torch.cat([p.detach().flatten() for p in generator.parameters()])

    tr.advance()
    assert torch.equal(generator.anchor.weights, now())
    tr.advance()
    pretrained = now()
    tr.advance()
    assert torch.equal(generator.anchor.weights, pretrained)
    assert not torch.equal(pretrained, now())


def test_compute_takes_a_factor(tmp_path) -> None:
    model = small("esrgan/esrgan", steps=4)
    model.train(tmp_path / "run", quiet=True)
    photo(32).save(tmp_path / "in.png")
    asked = ["compute", str(tmp_path / "run"), "blended", f"lr={tmp_path / 'in.png'}"]
    for factor in ("0", "1"):
        out = tmp_path / f"{factor}.npy"
        result = CliRunner().invoke(app, [*asked, f"factor={factor}", "--out", str(out)])
        assert result.exit_code == 0, result.output
    run = ganzoo.open(tmp_path / "run")
    sr = run.compute("sr", lr=tensor(photo(32)))
    assert torch.allclose(torch.from_numpy(np.load(tmp_path / "1.npy")), sr, atol=1e-5)
    assert np.abs(np.load(tmp_path / "0.npy") - np.load(tmp_path / "1.npy")).max() > 0


def test_the_papers_constants() -> None:
    spec = full("esrgan/esrgan").spec
    pretrain, adversarial = spec.phases.values()
    assert (pretrain.steps, adversarial.steps) == (1_000_000, 400_000)
    assert list(pretrain.players["G"].terms) == ["pixel"]
    weights = {name: term.factor for name, term in adversarial.players["G"].terms.items()}
    assert weights == {"pixel": 0.01, "content": 1, "adversarial": 0.005}
    assert (spec.parts["vgg"].args["layer"], spec.parts["vgg"].args["activated"]) == ("5_4", False)


# -- degradations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [20, 75, 95])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_pillows(mode: str, quality: int) -> None:
    """In brightness, up to roundings; libjpeg smooths colours where it enlarges them."""
    image = photo(72).crop((0, 0, 72, 60)).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    theirs, ours = tensor(Image.open(file)), Jpeg(RANGE, quality)(tensor(image))
    assert ours.shape == theirs.shape
    away = luma((ours - theirs) * 127.5, "grey")
    assert away.abs().mean() < 0.6, "levels of 255"


def test_jpeg_of_a_flat_image_is_itself() -> None:
    assert torch.allclose(cosines() @ cosines().T, torch.eye(8), atol=1e-6)
    grey = torch.full((2, 1, 8, 12), 128 / 127.5 - 1)
    assert torch.allclose(Jpeg(RANGE, 90)(grey), grey, atol=1e-6)
    with pytest.raises(ValueError, match="quality is 120"):
        Jpeg(RANGE, 120)


def drawn(seed: int = 0) -> draw.Draws:
    return draw.Draws((seed,), torch.device("cpu"))


def test_kernels_sum_to_one_and_differ() -> None:
    with draw.using(drawn()):
        found = degrade.kernels(200, (0.2, 3.0), torch.device("cpu"))
        ring = degrade.kernels(50, None, torch.device("cpu"))
    assert found.shape == (200, 21, 21)
    assert torch.allclose(found.sum((1, 2)), torch.ones(200), atol=1e-5)
    assert torch.allclose(found, found.flip(1, 2), atol=1e-6), "symmetric about the middle"
    assert 0.03 < (found.amin((1, 2)) < -1e-4).float().mean() < 0.2, "one in ten rings"
    assert torch.allclose(ring.sum((1, 2)), torch.ones(50), atol=1e-5)
    assert torch.allclose(ring, ring.transpose(1, 2), atol=1e-6)
    outside = found[:, 0].abs().amax(1) == 0
    assert 0.5 < outside.float().mean() < 1, "kernels of several sizes"


def test_a_sinc_filter_lets_low_frequencies_pass_and_no_high_ones() -> None:
    at = torch.arange(-10.0, 11.0)
    kernel = degrade.normalised(degrade.sinc(torch.full((1, 1, 1), torch.pi / 2), at[None], at[:, None]))
    low, high = (torch.cos(w * at).repeat(21, 1)[None, None].expand(1, 1, 21, 21) for w in (0.4, 2.8))
    assert (low * kernel).sum() == pytest.approx(1, abs=0.15)
    assert (high * kernel).sum() == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("channels", [1, 3])
def test_degraded_images_are_small_worse_and_follow_the_seed(channels: int) -> None:
    x = tensor(photo(96)).expand(4, 3, 96, 96)[:, :channels]
    op = Degrade(RANGE)
    found = []
    for seed in (0, 0, 1):
        with draw.using(drawn(seed)):
            found.append(op(x))
    assert found[0].shape == (4, channels, 24, 24)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert not torch.equal(found[0][0], found[0][1]), "each image has its own kernel, noise and quality"
    levels = (found[0] + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-3
    assert -1 <= found[0].min() <= found[0].max() <= 1
    plain = nn.functional.interpolate(x, scale_factor=0.25, mode="area")
    assert 0.01 < (found[0] - plain).abs().mean() < 0.6
    assert op(torch.empty(2, channels, 64, 64, device="meta")).shape == (2, channels, 16, 16)
    with pytest.raises(ValueError, match="30x32 cannot be divided by 4"):
        op(torch.zeros(1, 1, 30, 32))


def test_degradations_take_the_place_of_bicubic_by_one_override() -> None:
    model = small("esrgan/esrgan", **{"parts.down": {"use": "op.degrade", "scale": 4}})
    assert model.check() == []
    tr = trainer(model)
    assert tr.advance()
    assert tr.finite()
