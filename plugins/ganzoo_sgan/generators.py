"""The generators of the two levels: features from a label, an image from features."""

from __future__ import annotations

from math import prod

import torch
from einops.layers.torch import Rearrange
from ganzoo_layers import to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class FeatureGenerator(nn.Module):
    """Noise beside a one-hot label becomes features of that class: ``B z -> B *out_shape``, none below 0.

    Paper: arXiv:1612.04357 section 4.1, with the layers of the authors' code for MNIST.

    Args:
        z_dim: Width of noise and label together.
        out_shape: Shape of the features.
        hidden: Widths of the hidden layers, each with batch norm and ReLU.
    """

    def __init__(
        self, z_dim: PositiveInt, out_shape: tuple[PositiveInt, ...], hidden: tuple[PositiveInt, ...] = (512, 512)
    ):
        super().__init__()
        self.out_shape = tuple(out_shape)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((z_dim, *hidden), hidden, strict=False):
            layers += _dense(inputs, outputs)
        last = nn.Linear((z_dim, *hidden)[-1], prod(self.out_shape))
        self.net = nn.Sequential(*layers, last, nn.ReLU())
        _start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.out_shape)


class ImageGenerator(nn.Module):
    """Features beside embedded noise, then transposed 5x5 convolutions: ``B z, B n -> B C H W``.

    Maps are doubled, made 4 pixels larger, doubled, and made 4 pixels larger: 4, 8, 12, 24, 28.

    Paper: arXiv:1612.04357 section 4.1, with the layers of the authors' code for MNIST.

    Args:
        z_dim: Width of the noise.
        features_dim: Width of the features.
        out_channels: Channels of the images.
        out_size: Height and width, multiples of 4 from 16.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the two smaller maps; the larger ones have half of it.
        embedding: Width of the embedded noise.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        features_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (0.0, 1.0),
        width: PositiveInt = 128,
        embedding: PositiveInt = 128,
    ):
        super().__init__()
        if any(side < 16 or side % 4 for side in out_size):
            raise ValueError(f"out_size {out_size[0]}x{out_size[1]} should be of multiples of 4 from 16, such as 28x28")
        height, breadth = (side // 4 - 3 for side in out_size)
        half = max(width // 2, 1)
        self.embed = nn.Sequential(*_dense(z_dim, embedding))
        self.grow = nn.Sequential(
            *_dense(features_dim + embedding, width * height * breadth),
            Rearrange("b (c h w) -> b c h w", c=width, h=height, w=breadth),
            *_normed(nn.ConvTranspose2d(width, width, 5, 2, 2, 1, bias=False)),
            *_normed(nn.ConvTranspose2d(width, half, 5, bias=False)),
            *_normed(nn.ConvTranspose2d(half, half, 5, 2, 2, 1, bias=False)),
            nn.ConvTranspose2d(half, out_channels, 5),
            to_range(out_range),
        )
        _start(self)

    def forward(self, z: Tensor, features: Tensor) -> Tensor:
        return self.grow(torch.cat([features, self.embed(z)], 1))


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]


def _normed(layer: nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]


def _start(network: nn.Module) -> None:
    """Weights from N(0, 0.02), biases at 0, norms at gain 1, as the authors' code has it."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
