"""StyleGAN2: its layers against their definitions, styles and their truncation, path lengths, projection."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from ganzoo_regularizers.layers import with_spread
from ganzoo_regularizers.paths import PathLength
from ganzoo_stylegan2 import layers
from ganzoo_stylegan2.discriminator import Block, Discriminator
from ganzoo_stylegan2.generator import Generator
from ganzoo_stylegan2.layers import Conv, Linear, Modulated, doubled, filtered
from ganzoo_stylegan2.mapping import Mapping
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, pad

import ganzoo
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.registry import plugins
from ganzoo.run.start import train
from tests.zoo import small


def drawing(seed: int = 0) -> draw.Draws:
    return draw.Draws((seed,), torch.device("cpu"))


# -- layers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", [False, True])
def test_a_modulated_convolution_is_one_with_weights_of_each_sample(up: bool) -> None:
    torch.manual_seed(0)
    layer, x, style = Modulated(5, 4, 3, 6, up), torch.randn(3, 5, 8, 6), torch.randn(3, 6)
    made, back = layer(x, style)
    assert back is not None
    scale = layer.affine(style)
    for i in range(3):
        weight = layer.weight * scale[i][None, :, None, None]
        weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        if up:  # zeros between the places, the filter of gain 4, the turned kernel
            zeros = torch.zeros(1, 5, 16, 12)
            zeros[:, :, ::2, ::2] = x[i]
            both = filtered(pad(zeros, (8, 8, 8, 8)), padding=2, gain=4.0)[:, :, :-1, :-1]
            expected = conv2d(both, weight.flip(2, 3), padding=1)[:, :, 8:-8, 8:-8]
            inside = (slice(None), slice(3, -3), slice(3, -3))  # the edges are filtered after the convolution
            assert torch.allclose((made * back)[i][inside], expected[0][inside], atol=1e-4)
        else:
            assert torch.allclose((made * back)[i], conv2d(x[i][None], weight, padding=1)[0], atol=1e-4)


def test_demodulated_maps_have_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    layer = Modulated(64, 64, 3, 8)
    made, back = layer(torch.randn(4, 64, 32, 32), 10 * torch.randn(4, 8))
    assert (made * back).std((1, 2, 3)).tolist() == pytest.approx([1.0] * 4, rel=0.1)


def test_the_filter_doubles_as_bilinear_interpolation_and_keeps_a_constant() -> None:
    x = torch.randn(2, 3, 8, 8)
    twice = interpolate(x, scale_factor=2, mode="bilinear")
    assert torch.allclose(doubled(x)[:, :, 1:-1, 1:-1], twice[:, :, 1:-1, 1:-1], atol=1e-6)
    assert torch.allclose(filtered(torch.ones(1, 2, 9, 9), padding=0), torch.ones(1, 2, 6, 6))


def test_weights_are_scaled_when_they_are_used() -> None:
    torch.manual_seed(0)
    layer = Linear(400, 300, rate=0.01)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.02)
    assert layer(torch.randn(500, 400)).std().item() == pytest.approx(1, rel=0.05)
    nn.init.ones_(layer.bias)
    assert layer(torch.zeros(1, 400), gain=2.0)[0, 0].item() == pytest.approx(0.02)
    conv = Conv(32, 32, 3)
    assert conv(torch.randn(4, 32, 16, 16))[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


def test_a_convolution_that_halves_sees_the_filtered_map() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 12)
    conv, shortcut = Conv(3, 4, 3, down=True), Conv(3, 4, 1, down=True, bias=False)
    low = filtered(x, padding=2)
    expected = conv2d(low, conv.weight / math.sqrt(27), stride=2)
    assert torch.allclose(conv(x), expected, atol=1e-6)
    expected = conv2d(filtered(x, padding=1), shortcut.weight / math.sqrt(3))[:, :, ::2, ::2]
    assert torch.allclose(shortcut(x), expected, atol=1e-6)
    assert Block(3, 4, residual=True)(x).shape == (2, 4, 4, 6)


def test_the_deviation_of_a_group_is_a_map() -> None:
    x = torch.zeros(4, 2, 3, 3)
    x[2] = 2.0  # rows 0 and 2 are one group
    seen = with_spread(x, 2)
    assert seen.shape == (4, 3, 3, 3)
    assert seen[:, 2].flatten(1).mean(1).tolist() == pytest.approx([1.0, 1e-4, 1.0, 1e-4])
    assert torch.allclose(with_spread(x, 4)[0, 2], x.var(0, correction=0).add(1e-8).sqrt().mean())
    assert with_spread(x[:3], 2)[0, 2, 0, 0].item() == pytest.approx(1e-4), "a batch of 3 has groups of 1"


# -- networks ----------------------------------------------------------------------------------------------------------


def generator(**changes: object) -> Generator:
    wanted = {"z_dim": 6, "out_channels": 1, "out_size": (16, 16), "width": 8}
    return Generator(**{**wanted, **changes})  # type: ignore[arg-type]


def test_styles_are_mixed_in_training_from_a_layer_on() -> None:
    g, w, other = generator(mixing=1.0), torch.zeros(400, 6), torch.ones(400, 6)
    with draw.using(drawing()):
        styles = g.styles(w, other)
    assert styles.shape == (400, 6, 6), "5 convolutions, and the last image"
    steps = styles[:, :, 0]
    assert (steps.diff(dim=1) >= 0).all() and (steps[:, 0] == 0).all() and (steps[:, -1] == 1).all()
    assert set(steps.sum(1).tolist()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    with draw.using(drawing()):
        half = generator(mixing=0.5).styles(w, other)
    assert half[:, -1, 0].mean().item() == pytest.approx(0.5, abs=0.1)
    assert not g.eval().styles(w, other).any(), "samples are made of one style"


def test_every_layer_reads_its_style_and_noise_is_nothing_at_first() -> None:
    torch.manual_seed(0)
    g = generator()
    styles = torch.randn(2, 6, 6, requires_grad=True)
    g(styles).square().sum().backward()
    assert styles.grad is not None and (styles.grad.abs().sum((0, 2)) > 0).all()
    w = torch.randn(2, 6)
    assert torch.equal(g(w), g(w))
    for layer in g.layers:
        nn.init.ones_(layer.strength)  # type: ignore[arg-type]
    assert not torch.allclose(g(w), g(w))
    g.noise = False
    assert torch.equal(g(w), g(w))


def test_a_style_is_drawn_to_the_mean_in_evaluation_only() -> None:
    torch.manual_seed(0)
    m, z = Mapping(6, size=5, layers=2, psi=0.25, decay=0.5), torch.randn(64, 6)
    w = m(z)
    assert torch.allclose(m.mean, 0.5 * w.mean(0))
    kept = m.mean.clone()
    assert torch.allclose(m.eval()(z), kept + 0.25 * (w - kept), atol=1e-6)
    assert torch.equal(m.mean, kept)
    assert torch.allclose(m(3 * z), m(z), atol=1e-5), "only the direction of z is seen"


def test_a_mapping_with_classes_reads_the_label() -> None:
    m, z = Mapping(6, size=5, layers=2, num_classes=3), torch.randn(2, 6)
    assert not torch.allclose(m(z, torch.tensor([0, 1])), m(z, torch.tensor([1, 0])))
    with pytest.raises(ValueError, match="every call needs a label"):
        m(z)


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="27x33 cannot be halved 2 times"):
        Discriminator(1, (27, 33), width=8)
    assert Discriminator(2, (32, 48), width=8)(torch.randn(4, 2, 32, 48)).logit.shape == (4,)
    with pytest.raises(ValueError, match="out_size 27x33"):
        generator(out_size=(27, 33))
    assert generator(out_size=(27, 33), base=4)(torch.randn(2, 6)).shape == (2, 1, 27, 33)


# -- path lengths ------------------------------------------------------------------------------------------------------


def test_path_lengths_of_a_linear_generator() -> None:
    torch.manual_seed(0)
    matrix, z = torch.randn(3, 2 * 4 * 4), torch.randn(5, 3)

    def make(z: Tensor) -> Tensor:
        return (z @ matrix).unflatten(1, (2, 4, 4))

    path = PathLength(decay=0.9)
    with draw.using(drawing()):
        found = path(make, z)
    with draw.using(drawing()):
        y = draw.normal(5, 2, 4, 4) / 4  # sqrt(H W)
    lengths = (y.flatten(1) @ matrix.T).norm(dim=1)
    mean = 0.1 * lengths.mean()
    assert path.mean.item() == pytest.approx(mean.item(), rel=1e-5)
    assert found.item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-5)
    with draw.using(drawing()):
        layered = PathLength(decay=0.9)(lambda w: make(w.sum(1)), z[:, None].expand(-1, 7, -1))
    assert layered.item() == pytest.approx(found.item(), rel=1e-5), "the mean over layers, not their sum"
    path.eval()(make, z)
    assert path.mean.item() == pytest.approx(mean.item(), rel=1e-5), "nothing is learnt in evaluation"


def test_path_lengths_teach_the_generator_and_what_makes_its_styles() -> None:
    torch.manual_seed(0)
    m, g, z = nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 8), nn.Tanh()), torch.randn(6, 3)
    PathLength(shrink=2)(g, m(z)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (m.weight, g[0].weight))


# -- a run: sampling and projection ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stylegan2") / "run"
    model = small("stylegan2/fashion_mnist_sample", 2, **{"evaluate.every": None, "parts.M.decay": 0.5})
    train(model.blueprint, folder, plugins.installed(), quiet=True)
    return folder


def test_truncation_in_w_is_asked_for_at_sampling(run: Path) -> None:
    opened = ganzoo.open(run)
    w, near = opened.compute("w", n=50), opened.compute("w", n=50, psi=0.5)
    mean = opened.parts["M"].mean
    assert torch.allclose(near, mean + 0.5 * (w - mean), atol=1e-5)
    noisy, plain = opened.sample(2, psi=0.0), opened.sample(2, psi=0.0, noise=False)
    assert torch.allclose(plain[0], plain[1], atol=1e-6)
    assert not torch.allclose(noisy[0], noisy[1], atol=1e-6), "one style for all, so only noise tells them apart"
    with pytest.raises(UserError, match=r"psi.*from 0 to 1"):
        opened.sample(2, psi=2.0)
    with pytest.raises(UserError, match="there is no input 'layers'"):
        opened.sample(2, layers=2)


def test_a_sample_is_found_again_from_its_image(run: Path) -> None:
    opened = ganzoo.open(run)
    targets = opened.sample(2, seed=3)
    start = (opened.project(targets, steps=1).images - targets).square().mean()
    found = opened.project(targets, steps=60)
    assert found.points.shape == (2, 8) and found.errors.shape == (2,)
    assert found.errors.mean() < 0.5 * start
    assert torch.allclose(opened.sample(2, w=found.points), found.images, atol=1e-5), "the same draws, the same image"
    assert torch.allclose((found.images - targets).square().mean((1, 2, 3)), found.errors, atol=1e-6)
    again = opened.project(targets, steps=60, by=None)
    assert torch.equal(found.points, again.points)
    seen = opened.project(targets, "z", steps=2, by="fashion_cnn")
    assert seen.points.shape == (2, 8) and torch.isfinite(seen.points).all()


def test_a_projection_that_cannot_be_says_why(run: Path) -> None:
    opened, image = ganzoo.open(run), torch.zeros(1, 1, 32, 32)
    with pytest.raises(UserError, match="there is no value 'v'"):
        opened.project(image, "v")
    with pytest.raises(UserError, match="no extractor 'D'"):
        opened.project(image, by="D")
    with pytest.raises(UserError, match="makes images of 1x32x32, and is given 1x28x28"):
        opened.project(torch.zeros(1, 1, 28, 28), steps=1)
    with pytest.raises(UserError, match="fake does not depend on x"):
        opened.project(image, "x", steps=1, given={"real": image})


@pytest.mark.parametrize("size", [(9, 8), (4, 7)])
@pytest.mark.parametrize("how", ["filtered", "halved", "doubled"])
def test_the_filter_has_the_derivatives_of_a_convolution(how: str, size: tuple[int, int]) -> None:
    """Its own derivatives, the second too, are torch's, of which those to the weights are of no use."""

    def torchs(x: Tensor) -> Tensor:
        weight = layers.taps(3, x)
        if how == "doubled":
            return conv_transpose2d(x, weight * 4, stride=2, padding=1, groups=3)
        return conv2d(x, weight, padding=1, stride=2 if how == "halved" else 1, groups=3)

    ours = {
        "filtered": lambda x: layers.filtered(x, 1),
        "halved": lambda x: layers.filtered(x, 1, 2),
        "doubled": layers.doubled,
    }[how]
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    found = []
    for function in (ours, torchs):
        y = function(x)
        (first,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        found.append((y, first, second))
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(*found, strict=True))
    assert torch.equal(ours(x.detach()), torchs(x.detach()))
