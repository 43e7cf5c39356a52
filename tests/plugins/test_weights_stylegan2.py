"""Weights of StyleGAN2 in two layouts: the authors' formulas on tensors by their names."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, pad

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.adopt import by_layout
from ganzoo.registry import plugins
from tests.plugins.test_weights import double, taken

__all__ = ["double"]  # used by every test
WIDTHS, STYLE, DEPTH = (5, 4, 3), 6, 2  # of maps of 4, 8 and 16 pixels
ROW = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
FILTER = torch.outer(ROW, ROW)


class Names(NamedTuple):
    """How one repository calls the tensors of a layer, given the place of the layer."""

    style: Callable[[int], str]
    constant: str
    conv: Callable[[int], str]  # by number, from the smallest map on
    image: Callable[[int], str]
    layer: dict[str, str]
    colours: str
    block: Callable[[int], str]  # by number, from the largest map on
    inside: dict[str, str]
    end: dict[str, str]


ROSINALITY = Names(
    style=lambda i: f"style.{i + 1}",
    constant="input.input",
    conv=lambda i: f"convs.{i - 1}" if i else "conv1",
    image=lambda i: f"to_rgbs.{i - 1}" if i else "to_rgb1",
    layer={"affine": "conv.modulation", "weight": "conv.weight", "noise": "noise.weight", "bias": "activate.bias"},
    colours="convs.0.0.weight convs.0.1.bias",
    block=lambda i: f"convs.{i + 1}.",
    inside={
        "first": "conv1.0.weight conv1.1.bias",
        "second": "conv2.1.weight conv2.2.bias",
        "shortcut": "skip.1.weight",
    },
    end={
        "conv": "final_conv.0.weight final_conv.1.bias",
        "full": "final_linear.0.weight final_linear.0.bias",
        "out": "final_linear.1.weight final_linear.1.bias",
    },
)
NVIDIA = Names(
    style=lambda i: f"mapping.fc{i}",
    constant="synthesis.b4.const",
    conv=lambda i: f"synthesis.b{4 << (i + 1) // 2}.conv{(i + 1) % 2}",
    image=lambda i: f"synthesis.b{4 << i}.torgb",
    layer={"affine": "affine", "weight": "weight", "noise": "noise_strength", "bias": "bias"},
    colours="b16.fromrgb.weight b16.fromrgb.bias",
    block=lambda i: f"b{16 >> i}.",
    inside={
        "first": "conv0.weight conv0.bias",
        "second": "conv1.weight conv1.bias",
        "shortcut": "skip.weight",
    },
    end={"conv": "b4.conv.weight b4.conv.bias", "full": "b4.fc.weight b4.fc.bias", "out": "b4.out.weight b4.out.bias"},
)


def generated(
    names: Names, widths: tuple[int, ...] = WIDTHS, style: int = STYLE, depth: int = DEPTH
) -> dict[str, Tensor]:
    """A generator's tensors, with the buffers that files have beside."""
    rosinality, found = names is ROSINALITY, {}
    for i in range(depth):
        found[f"{names.style(i)}.weight"] = torch.randn(style, style) / 0.01
        found[f"{names.style(i)}.bias"] = torch.randn(style) / 0.01
    found[names.constant] = torch.randn(*([1] if rosinality else []), widths[0], 4, 4)

    def modulated(start: str, inputs: int, outputs: int, size: int) -> None:
        found[f"{start}.{names.layer['affine']}.weight"] = torch.randn(inputs, style)
        found[f"{start}.{names.layer['affine']}.bias"] = 1 + torch.randn(inputs)
        found[f"{start}.{names.layer['weight']}"] = torch.randn(
            *([1] if rosinality else []), outputs, inputs, size, size
        )

    number = 0
    for level, width in enumerate(widths):
        for inputs in ([widths[level - 1]] if level else []) + [width]:
            start = names.conv(number)
            modulated(start, inputs, width, 3)
            found[f"{start}.{names.layer['noise']}"] = torch.randn([1] if rosinality else [])
            found[f"{start}.{names.layer['bias']}"] = torch.randn(width)
            found[f"noises.noise_{number}" if rosinality else f"{start}.noise_const"] = torch.randn(1, 1, 4, 4)
            number += 1
        modulated(names.image(level), width, 3, 1)
        found[f"{names.image(level)}.bias"] = torch.randn(*((1, 3, 1, 1) if rosinality else (3,)))
        found[f"{names.image(level)}.{'upsample.kernel' if rosinality else 'resample_filter'}"] = torch.randn(4, 4)
    return found


def judging(names: Names, widths: tuple[int, ...] = WIDTHS[::-1]) -> dict[str, Tensor]:
    """A discriminator's tensors, from the largest map on."""
    found: dict[str, Tensor] = {}

    def add(weight: str, bias: str | None, *shape: int) -> None:
        found[weight] = torch.randn(*shape)
        if bias is not None:
            found[bias] = torch.randn(shape[0])

    add(*names.colours.split(), widths[0], 3, 1, 1)
    for i, (a, b) in enumerate(pairwise(widths)):
        start = names.block(i)
        for layer, size in (("first", (a, a, 3, 3)), ("second", (b, a, 3, 3)), ("shortcut", (b, a, 1, 1))):
            weight, bias, *_ = [start + name for name in names.inside[layer].split()] + [None]
            add(weight, bias, *size)
    last = widths[-1]
    add(*names.end["conv"].split(), last, last + 1, 3, 3)
    add(*names.end["full"].split(), last, last * 16)
    add(*names.end["out"].split(), 1, last)
    return found


def lowpass(x: Tensor, before: int, after: int, gain: float = 1.0) -> Tensor:
    x = pad(x, (before, after, before, after))
    return conv2d(x, gain * FILTER.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def lrelu(x: Tensor) -> Tensor:
    return leaky_relu(x, 0.2) * math.sqrt(2)


def normal(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def mapped(t: dict[str, Tensor], names: Names, z: Tensor) -> Tensor:
    x = normal(z)
    for i in range(DEPTH):
        weight, bias = t[f"{names.style(i)}.weight"], t[f"{names.style(i)}.bias"]
        x = lrelu(linear(x, weight * 0.01 / math.sqrt(weight.shape[1]), bias * 0.01))
    return x


def drawn(t: dict[str, Tensor], names: Names, w: Tensor) -> Tensor:
    """One image of the style ``1 n``, with weights of the sample, as the paper has it, and without noise."""

    def modulate(start: str, x: Tensor, up: bool, demodulate: bool) -> Tensor:
        affine = t[f"{start}.{names.layer['affine']}.weight"]
        s = linear(w, affine / math.sqrt(STYLE), t[f"{start}.{names.layer['affine']}.bias"])[0]
        weight = t[f"{start}.{names.layer['weight']}"].reshape(-1, *t[f"{start}.{names.layer['weight']}"].shape[-3:])
        weight = weight / math.sqrt(weight[0].numel()) * s[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            return lowpass(conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, 1, 4.0)
        return conv2d(x, weight, padding=weight.shape[-1] // 2)

    x, image, number = t[names.constant].reshape(1, -1, 4, 4), None, 0
    for level in range(len(WIDTHS)):
        for up in [True, False] if level else [False]:
            start = names.conv(number)
            x = lrelu(modulate(start, x, up, True) + t[f"{start}.{names.layer['bias']}"][:, None, None])
            number += 1
        start = names.image(level)
        more = modulate(start, x, False, False) + t[f"{start}.bias"].reshape(-1, 1, 1)
        if image is not None:
            zeros = torch.zeros(1, 3, *(2 * side for side in image.shape[2:]))
            zeros[:, :, ::2, ::2] = image
            more = more + lowpass(zeros, 2, 1, 4.0)
        image = more
    assert image is not None
    return image


def judged(t: dict[str, Tensor], names: Names, x: Tensor) -> Tensor:
    def conv(x: Tensor, pair: str, down: bool = False) -> Tensor:
        weight, bias, *_ = [*pair.split(), None]
        scaled = t[weight] / math.sqrt(t[weight][0].numel())
        edge = scaled.shape[-1] // 2
        x = conv2d(lowpass(x, 1 + edge, 1 + edge), scaled, stride=2) if down else conv2d(x, scaled, padding=edge)
        return x if bias is None else lrelu(x + t[bias][:, None, None])

    x = conv(x, names.colours)
    for i in range(len(WIDTHS) - 1):
        first, second, short = (" ".join(names.block(i) + n for n in pair.split()) for pair in names.inside.values())
        x = (conv(conv(x, first), second, True) + conv(x, short, True)) / math.sqrt(2)
    deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
    x = conv(torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1), names.end["conv"]).flatten(1)
    for end, act in (("full", lrelu), ("out", lambda y: y)):
        weight, bias = names.end[end].split()
        x = act(linear(x, t[weight] / math.sqrt(t[weight].shape[1]), t[bias]))
    return x.flatten()


BOTH = pytest.mark.parametrize(("names", "start"), [(ROSINALITY, "rosinality"), (NVIDIA, "stylegan2_ada")])


def mapping(**settings: object) -> nn.Module:
    return ganzoo.make("encoder.stylegan2", **({"z_dim": STYLE, "size": STYLE, "layers": DEPTH} | settings))


@BOTH
def test_the_generator(tmp_path: Path, names: Names, start: str) -> None:
    tensors = generated(names)
    mean = {"latent_avg": torch.randn(STYLE)} if names is ROSINALITY else {}
    if names is NVIDIA:
        tensors["mapping.w_avg"] = torch.randn(STYLE)
    torch.save(
        {"g": {k: 2 * v for k, v in tensors.items()}, "g_ema": tensors, "d": judging(names)} | mean, tmp_path / "s.pt"
    )
    styles = mapping(psi=0.5)
    taken(tmp_path / "s.pt", styles, "encoder.stylegan2")
    z = torch.randn(3, STYLE)
    w, middle = mapped(tensors, names, z), mean.get("latent_avg", tensors.get("mapping.w_avg"))
    assert torch.allclose(styles(z), middle + 0.5 * (w - middle), atol=1e-12)
    ours = ganzoo.make(
        "generator.stylegan2", z_dim=STYLE, out_channels=3, out_size=(16, 16), width=list(WIDTHS), noise=False
    )
    assert taken(tmp_path / "s.pt", ours, "generator.stylegan2").how == f"layout {start}, g_ema"
    expected = torch.cat([drawn(tensors, names, row[None]) for row in w])
    # The code adds 1e-8 to the power of weights that were scaled before, which is a difference of 1e-7 at this width.
    assert torch.allclose(ours(w), expected, rtol=1e-5, atol=1e-5 * expected.std().item())


@BOTH
def test_the_discriminator(tmp_path: Path, names: Names, start: str) -> None:
    tensors = judging(names)
    torch.save({"d": tensors, "g_ema": generated(names)}, tmp_path / "s.pt")
    settings = {"in_channels": 3, "in_size": (16, 16), "width": list(WIDTHS[::-1])}
    ours = ganzoo.make("discriminator.stylegan2", **settings)
    assert taken(tmp_path / "s.pt", ours, "discriminator.stylegan2", key="d").how == f"layout {start}_discriminator, d"
    x = torch.randn(4, 3, 16, 16)
    assert torch.allclose(ours(x).logit, judged(tensors, names, x), rtol=1e-9)
    with pytest.raises(UserError, match="write `residual: true`"):
        taken(
            tmp_path / "s.pt",
            ganzoo.make("discriminator.stylegan2", **settings, residual=False),
            "discriminator.stylegan2",
        )


def test_a_file_without_a_mean_of_styles_gets_that_of_4096(tmp_path: Path) -> None:
    tensors = generated(ROSINALITY)
    torch.save({"g_ema": tensors}, tmp_path / "s.pt")
    styles = mapping()
    taken(tmp_path / "s.pt", styles, "encoder.stylegan2")
    others = mapped(tensors, ROSINALITY, torch.randn(20000, STYLE))
    expected, error = others.mean(0), others.std(0) * (1 / 4096 + 1 / 20000) ** 0.5
    assert ((styles.mean - expected).abs() < 5 * error).all(), "further apart than two samples are by chance"
    with pytest.raises(UserError, match=r"write `rate: 0\.01`"):
        taken(tmp_path / "s.pt", mapping(rate=0.1), "encoder.stylegan2")
    with pytest.raises(UserError, match="2 tensors more than the part"):
        taken(tmp_path / "s.pt", mapping(layers=1), "encoder.stylegan2")


@pytest.mark.slow
@BOTH
def test_full_size_files_fit_the_networks_of_the_paper(monkeypatch, names: Names, start: str) -> None:
    """Shapes alone, by the authors' rules: 1024x1024, twice the channels."""
    monkeypatch.setattr(torch, "randn", torch.empty)  # which is slow without a device
    monkeypatch.setattr(torch.Tensor, "normal_", lambda tensor, *_, **__: tensor)
    widths = (512, 512, 512, 512, 512, 256, 128, 64, 32)
    with torch.device("meta"):
        theirs = generated(names, widths, 512, 8)
        ours = ganzoo.make("generator.stylegan2", z_dim=512, out_channels=3, out_size=(1024, 1024), width=list(widths))
        layout = next(known for known in plugins.installed().layouts if known.name == start)
        assert by_layout(ours, theirs, layout).used == len(ours.state_dict()) == 1 + 17 * 5 + 9 * 4
