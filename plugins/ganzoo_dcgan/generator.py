"""The DCGAN generator."""

from __future__ import annotations

from typing import Literal

from einops.layers.torch import Rearrange
from ganzoo_layers import (
    Activation,
    Initialisation,
    Norm,
    activation,
    agree,
    class_norm,
    doubling_path,
    in_turn,
    initialise,
    through,
    to_range,
)
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """A latent vector grown by transposed convolutions of stride 2: ``B z -> B C H W``.

    The smallest map has ``width * 2^(k-1)`` channels for k doublings, halved at each of them.

    Called with a label, ``G(z, label)``, its batch norms have a gain and a bias of each class.

    Paper: arXiv:1511.06434 section 3; kernel 4 and ``stem: conv`` as in the PyTorch example, kernel 5 and
    ``stem: linear`` as in the authors' code, ``hidden: 1024`` for the 28x28 body of arXiv:1606.03657;
    arXiv:1802.05637 section 5 for the label.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map.
        kernel: Kernel size of the transposed convolutions.
        stem: ``conv``: a transposed convolution from 1x1, normalised by channel; ``linear``: a linear layer,
            normalised by unit.
        hidden: Width of one more linear layer before a linear stem; 0 for none.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        refine: A 3x3 convolution more after each hidden map.
        norm: Normalisation of all layers but the last.
        activation: Activation of all layers but the last.
        bias: Whether convolutions and linear layers have one.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
        num_classes: Number of classes of the label, if it is called with one.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        kernel: Literal[3, 4, 5] = 4,
        stem: Literal["conv", "linear"] = "conv",
        hidden: NonNegativeInt = 0,
        base: PositiveInt | None = None,
        refine: bool = False,
        norm: Norm = "batch",
        activation: Activation = "relu",
        bias: bool = False,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
        num_classes: NonNegativeInt = 0,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        height, breadth = self.path[0]
        widths = [width * 2 ** max(len(self.path) - 2 - level, 0) for level in range(len(self.path) - 1)]
        self.stem = _stem(z_dim, widths[0], (height, breadth), stem, hidden, norm, activation, bias, num_classes)
        self.levels = nn.ModuleList()
        for level, channels in enumerate(widths):
            refined = _refined(channels, norm, activation, bias, num_classes) if refine else []
            last = level == len(widths) - 1
            grown = out_channels if last else widths[level + 1]
            double = nn.ConvTranspose2d(channels, grown, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)
            after = [to_range(out_range)] if last else _activated(grown, norm, activation, num_classes)
            self.levels.append(in_turn(*refined, double, *after))
        self.conditional = num_classes > 0
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.conditional, label)
        x = through(self.stem, z, label)
        for level, (height, width) in zip(self.levels, self.path[1:], strict=True):
            x = through(level, x, label)[:, :, :height, :width]
        return x


def _stem(
    z_dim: int,
    channels: int,
    size: tuple[int, int],
    kind: str,
    hidden: int,
    norm_name: Norm,
    act: Activation,
    bias: bool,
    classes: int,
) -> nn.Module:
    if kind == "conv" and not hidden:
        grow = nn.ConvTranspose2d(z_dim, channels, size, bias=bias)
        return in_turn(Rearrange("b z -> b z 1 1", z=z_dim), grow, *_activated(channels, norm_name, act, classes))
    layers: list[nn.Module] = []
    if hidden:
        layers = [nn.Linear(z_dim, hidden, bias=bias), class_norm(norm_name, hidden, classes, 0), activation(act)]
    units = channels * size[0] * size[1]
    layers += [nn.Linear(hidden or z_dim, units, bias=bias), class_norm(norm_name, units, classes, 0), activation(act)]
    return in_turn(*layers, Rearrange("b (c h w) -> b c h w", h=size[0], w=size[1]))


def _refined(channels: int, norm_name: Norm, act: Activation, bias: bool, classes: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, 1, 1, bias=bias), *_activated(channels, norm_name, act, classes)]


def _activated(channels: int, norm_name: Norm, act: Activation, classes: int) -> list[nn.Module]:
    return [class_norm(norm_name, channels, classes), activation(act)]
