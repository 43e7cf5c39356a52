"""The LSGAN generator: more and thinner levels than DCGAN's."""

from __future__ import annotations

import math

from einops.layers.torch import Rearrange
from ganzoo_layers import activation, doubling_path, initialise, norm, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """Transposed 3x3 convolutions, two at each of the first sizes, one at the later ones: ``B z -> B C H W``.

    Each of the first `pairs` doublings is followed by a transposed convolution of stride 1; then channels are halved
    at every doubling.

    Paper: arXiv:1611.04076 figure 3 and its code (112x112, z 1024).

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the first maps.
        pairs: How many doublings keep the width.

    Raises:
        ValueError: the size cannot be reached.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 256,
        pairs: NonNegativeInt = 2,
    ):
        super().__init__()
        path = doubling_path(out_size)
        base = (width, *path[0])
        layers: list[nn.Module] = [
            nn.Linear(z_dim, math.prod(base)),
            Rearrange("b (c h w) -> b c h w", h=base[1], w=base[2]),
            norm("batch", width),
            activation("relu"),
        ]
        channels = width
        for level in range(len(path) - 1):
            grown = channels if level < pairs else max(channels // 2, 1)
            layers += _up(channels, grown, stride=2)
            if level < pairs:
                layers += _up(grown, grown, stride=1)
            channels = grown
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(channels, out_channels, 3, 1, 1), to_range(out_range))
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


def _up(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    layer = nn.ConvTranspose2d(inputs, outputs, 3, stride, 1, stride - 1)
    return [layer, norm("batch", outputs), activation("relu")]
