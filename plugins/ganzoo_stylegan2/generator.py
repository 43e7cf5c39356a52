"""The synthesis network."""

from __future__ import annotations

import itertools
from typing import ClassVar

import torch
from einops import rearrange, repeat
from ganzoo_layers import doubling_path
from ganzoo_resnet.blocks import widths
from torch import Tensor, nn

from ganzoo.bounds import Fraction, PositiveInt
from ganzoo.parallel import draw
from ganzoo_stylegan2.layers import GAIN, Modulated, activated, doubled


class Layer(nn.Module):
    """A modulated 3x3 convolution, noise, a bias, an activation: ``B C H W, B n -> B C' H W``."""

    def __init__(self, inputs: int, outputs: int, styles: int, up: bool):
        super().__init__()
        self.conv = Modulated(inputs, outputs, 3, styles, up)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, style: Tensor, noise: bool) -> Tensor:
        x, back = self.conv(x, style)
        x = torch.addcmul((self.bias * GAIN)[:, None, None].to(x.dtype), x, back * GAIN)
        if noise:
            drawn = draw.normal(len(x), 1, *x.shape[2:], device=x.device)
            x = torch.addcmul(x, drawn.to(x.dtype), (self.strength * GAIN).to(x.dtype))
        return activated(x)


class ToImage(nn.Module):
    """A modulated 1x1 convolution and a bias, from maps to an image: ``B C H W, B n -> B out H W``."""

    def __init__(self, inputs: int, outputs: int, styles: int):
        super().__init__()
        self.conv = Modulated(inputs, outputs, 1, styles, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return self.conv(x, style)[0] + self.bias[:, None, None]


class Generator(nn.Module):
    """Convolutions that are modulated by styles, with noise, summed up to an image: ``B n -> B C H W``.

    A constant map is doubled; at each size there are two layers (one at the first) and an image, and the image is the
    sum of all of them, enlarged. There is no activation on it, so values may leave the range of the data.

    ``G(w)`` gives all layers one style each; ``G(w, other)`` gives, in training and to a share of the samples, the
    later layers those of `other`, from a random layer on; ``G(styles)`` takes a style for each layer, ``B layers n``,
    such as ``G.styles(w, other)``. Noise comes with every call; ``ganzoo sample RUN noise=false`` leaves it out.

    Paper: arXiv:1912.04958 figures 2c (layers) and 7b (skip connections); arXiv:1812.04948 section 3.1 (mixing).

    Args:
        z_dim: Width of the styles.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        width: Channels of every map, or a list: of the smallest map, then of each size.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        mixing: The share of samples that are made of two styles in training, where two are given.
        noise: Whether every layer adds noise.

    Raises:
        ValueError: the size cannot be reached, or `width` is a list of the wrong length.
    """

    channels_last = True
    at_sampling: ClassVar = ("noise",)

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt | list[PositiveInt] = 512,
        base: PositiveInt | None = None,
        mixing: Fraction = 0.9,
        noise: bool = True,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        self.mixing, self.noise = mixing, noise
        channels = widths(width, len(self.path))
        self.constant = nn.Parameter(torch.randn(1, channels[0], *self.path[0]))
        steps = [(channels[0], channels[0], False)]
        for inputs, outputs in itertools.pairwise(channels):
            steps += [(inputs, outputs, True), (outputs, outputs, False)]
        self.layers = nn.ModuleList(Layer(inputs, outputs, z_dim, up) for inputs, outputs, up in steps)
        self.images = nn.ModuleList(ToImage(outputs, out_channels, z_dim) for outputs in channels)

    def styles(self, w: Tensor, other: Tensor | None = None) -> Tensor:
        """A style for each layer, in training some of them of `other`: ``B n -> B layers n``."""
        count = len(self.layers) + 1  # the last image has one of its own; others share that of the layer after them
        styles = repeat(w, "b n -> b layer n", layer=count)
        if other is None or not self.training:
            return styles
        mixed = draw.uniform(len(w), device=w.device) < self.mixing
        first = 1 + draw.integers(len(w), high=count - 1, device=w.device)
        own = torch.arange(count, device=w.device) < torch.where(mixed, first, count)[:, None]
        return torch.where(own[:, :, None], styles, other[:, None])

    def forward(self, z: Tensor, other: Tensor | None = None) -> Tensor:
        styles = z if z.dim() == 3 else self.styles(z, other)
        first, *rest = rearrange(styles, "b layer n -> layer b n")
        x = self.layers[0](self.constant.expand(len(z), -1, -1, -1), first, self.noise)
        image = self.images[0](x, rest[0])
        for level, (height, width) in enumerate(self.path[1:], 1):
            enter, stay, show = rest[2 * level - 2 : 2 * level + 1]
            x = self.layers[2 * level - 1](x, enter, self.noise)[:, :, :height, :width]
            x = self.layers[2 * level](x, stay, self.noise)
            image = doubled(image)[:, :, :height, :width] + self.images[level](x, show)
        return image
