"""The DCGAN discriminator."""

from __future__ import annotations

from typing import Literal

from einops.layers.torch import Rearrange
from ganzoo_layers import (
    Activation,
    DiscriminatorOutput,
    Initialisation,
    Norm,
    Projection,
    activation,
    at_least,
    discriminator_output,
    halvings,
    initialise,
    norm,
)
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt


class Discriminator(nn.Module):
    """An image shrunk by convolutions of stride 2, then one linear layer: ``B C H W -> DiscriminatorOutput``.

    Channels start at `width` and double with every halving. The first convolution has no norm.

    Called with a label, ``D(x, label)``, it adds the projection of its features on a vector of the class.

    Paper: arXiv:1511.06434 section 3; arXiv:1802.05637 eq. 3 for the label.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        width: Channels after the first convolution.
        kernel: Kernel size of the convolutions.
        hidden: Width of one more linear layer before the last; 0 for none.
        base: Halve until no side exceeds this; until one would fall below 4 if not given.
        refine: A 3x3 convolution more after the last halving.
        norm: Normalisation of all convolutions but the first; penalties on the gradient of each sample want
            ``none`` or ``layer``.
        activation: Activation of every layer but the last.
        slope: Slope of leaky_relu for negative values.
        dropout: Probability of dropping a value after every activation.
        bias: Whether convolutions and linear layers have one.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
        num_classes: Number of classes of the label, if it is called with one.

    Raises:
        ValueError: the image is smaller than 4x4.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        kernel: Literal[3, 4, 5] = 4,
        hidden: NonNegativeInt = 0,
        base: PositiveInt | None = None,
        refine: bool = False,
        norm: Norm = "batch",
        activation: Activation = "leaky_relu",
        slope: NonNegativeFloat = 0.2,
        dropout: Fraction = 0.0,
        bias: bool = False,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
        num_classes: NonNegativeInt = 0,
    ):
        super().__init__()
        height, breadth = in_size
        at_least(in_size, 4)
        layers: list[nn.Module] = []
        channels = in_channels
        padding = (kernel - 1) // 2
        for level in range(max(halvings(in_size, base), 1)):
            grown = width * 2**level
            layers.append(nn.Conv2d(channels, grown, kernel, 2, padding, bias=bias))
            layers += _activated("none" if level == 0 else norm, grown, activation, slope, dropout)
            height, breadth = ((side + 2 * padding - kernel) // 2 + 1 for side in (height, breadth))
            channels = grown
        if refine:
            layers.append(nn.Conv2d(channels, channels, 3, 1, 1, bias=bias))
            layers += _activated("none", channels, activation, slope, dropout)
        layers.append(Rearrange("b c h w -> b (c h w)"))
        features = channels * height * breadth
        if hidden:
            layers.append(nn.Linear(features, hidden, bias=bias))
            layers += _activated(norm, hidden, activation, slope, dropout, dimensions=0)
            features = hidden
        self.body = nn.Sequential(*layers)
        self.head: nn.Module = nn.Linear(features, 1, bias=bias)
        initialise(self, weight_init, init_scale)
        self.projection = Projection(num_classes, features) if num_classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> DiscriminatorOutput:
        return discriminator_output(self.head, self.projection, self.body(x), label)


def _activated(
    kind: Norm, channels: int, name: Activation, slope: float, dropout: float, dimensions: int = 2
) -> list[nn.Module]:
    drop = [nn.Dropout2d(dropout) if dimensions else nn.Dropout(dropout)] if dropout else []
    return [norm(kind, channels, dimensions), activation(name, slope), *drop]
