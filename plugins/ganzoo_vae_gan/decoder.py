"""The decoder, which is the generator."""

from __future__ import annotations

from itertools import pairwise

from einops.layers.torch import Rearrange
from ganzoo_layers import Initialisation, initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo_vae_gan.encoder import after_halvings


class Decoder(nn.Module):
    """A code grown by transposed 5x5 convolutions, and a 5x5 convolution to the image: ``B z -> B C H W``.

    Every layer but the last has batch norm and a ReLU, and no bias. Where the image is no small map doubled, each
    doubling is cropped: 4, 7, 14, 28.

    Paper: arXiv:1512.09300 table 1, with the widths of the authors' code.

    Args:
        z_dim: Width of the code.
        out_channels: Channels of the images.
        out_size: Height and width, any.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the smallest map.
        widths: Channels behind each doubling.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 256,
        widths: tuple[PositiveInt, ...] = (256, 128, 32),
        weight_init: Initialisation = "he",
        init_scale: NonNegativeFloat = 0.2357,
    ):
        super().__init__()
        self.path = [after_halvings(out_size, count) for count in reversed(range(len(widths) + 1))]
        height, breadth = self.path[0]
        units = width * height * breadth
        self.stem = nn.Sequential(
            nn.Linear(z_dim, units, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(),
            Rearrange("b (c h w) -> b c h w", h=height, w=breadth),
        )
        self.levels = nn.ModuleList(doubled(before, after) for before, after in pairwise((width, *widths)))
        last = (width, *widths)[-1]
        self.head = nn.Sequential(nn.Conv2d(last, out_channels, 5, 1, 2), to_range(out_range))
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor) -> Tensor:
        x = self.stem(z)
        for level, (height, width) in zip(self.levels, self.path[1:], strict=True):
            x = level(x)[:, :, :height, :width]
        return self.head(x)


def doubled(channels: int, out: int) -> nn.Sequential:
    """A transposed 5x5 convolution of stride 2, batch norm, ReLU. Paper: arXiv:1512.09300 table 1."""
    return nn.Sequential(nn.ConvTranspose2d(channels, out, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
