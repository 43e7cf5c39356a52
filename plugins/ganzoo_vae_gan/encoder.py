"""The encoder."""

from __future__ import annotations

from itertools import pairwise

from einops.layers.torch import Rearrange
from ganzoo_layers import Initialisation, initialise
from ganzoo_stackgan.conditioning import Conditioned, Conditioning
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class Encoder(nn.Module):
    """An image halved by 5x5 convolutions becomes a normal distribution of codes: ``B C H W -> sample, mu, logvar``.

    Every layer but the last has batch norm and a ReLU, and no bias; sample, mu and logvar are ``B size`` each.

    Paper: arXiv:1512.09300 table 1 and eq. 3, with the widths of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        size: Width of the code.
        widths: Channels behind each halving.
        hidden: Width of the linear layer behind them.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`; he's 0.2357 has the standard deviation of
            the authors' start, 1 / (3 sqrt(fan_in)).
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        size: PositiveInt = 128,
        widths: tuple[PositiveInt, ...] = (64, 128, 256),
        hidden: PositiveInt = 1024,
        weight_init: Initialisation = "he",
        init_scale: NonNegativeFloat = 0.2357,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((in_channels, *widths)):
            layers += halved(before, after)
        height, width = after_halvings(in_size, len(widths))
        self.body = nn.Sequential(
            *layers,
            Rearrange("b c h w -> b (c h w)"),
            nn.Linear((widths or (in_channels,))[-1] * height * width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
        )
        self.code = Conditioning(hidden, size)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Conditioned:
        return self.code(self.body(x))


def halved(channels: int, out: int) -> list[nn.Module]:
    """A 5x5 convolution of stride 2, batch norm, ReLU. Paper: arXiv:1512.09300 table 1."""
    return [nn.Conv2d(channels, out, 5, 2, 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


def after_halvings(size: tuple[int, int], count: int) -> tuple[int, int]:
    """What so many convolutions of stride 2 leave of a size: each half of it, rounded up."""
    height, width = size
    for _ in range(count):
        height, width = -(-height // 2), -(-width // 2)
    return height, width
