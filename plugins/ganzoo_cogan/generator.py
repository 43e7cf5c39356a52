"""Two generators in one, whose first layers are the same."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from einops.layers.torch import Rearrange
from ganzoo_layers import initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class Pair(NamedTuple):
    """What a latent vector looks like in either domain: `a` and `b`, images of one size."""

    a: Tensor
    b: Tensor


class Generator(nn.Module):
    """A latent vector grown by layers that two domains share, then an image of each: ``B z -> a B C H W, b B C H W``.

    A transposed convolution from 1x1, three of stride 2 (n becomes 2 n - 1), and one that spans what is missing to the
    size, 6x6 for 28x28. All but the last have batch norm without gains and PReLU. Nothing but the shared layers ties
    the two images of a latent vector to each other.

    Paper: arXiv:1606.07536 section 2 and appendix A, table 3, as in the authors' PyTorch code.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images of domain a.
        out_size: Height and width.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map; 8, 4 and 2 times as many before.
        shared: Number of layers, from the first of five on, that both domains pass.
        channels_b: Channels of the images of domain b; those of a if not given.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (0.0, 1.0),
        width: PositiveInt = 128,
        shared: Literal[0, 1, 2, 3, 4] = 4,
        channels_b: PositiveInt | None = None,
    ):
        super().__init__()
        height, breadth = ((side + 7) // 8 for side in out_size)  # of the first map; n becomes 8 n - 7
        rest = (out_size[0] - 8 * height + 10, out_size[1] - 8 * breadth + 10)

        def layers(channels: int) -> list[nn.Module]:
            return [
                _grown(nn.ConvTranspose2d(z_dim, 8 * width, (height, breadth)), 8 * width),
                _grown(nn.ConvTranspose2d(8 * width, 4 * width, 3, 2, 1), 4 * width),
                _grown(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1), 2 * width),
                _grown(nn.ConvTranspose2d(2 * width, width, 3, 2, 1), width),
                nn.Sequential(nn.ConvTranspose2d(width, channels, rest, 1, 1), to_range(out_range)),
            ]

        a, b = layers(out_channels), layers(channels_b or out_channels)
        self.lift = Rearrange("b z -> b z 1 1")
        self.shared = nn.Sequential(*a[:shared])
        self.a, self.b = nn.Sequential(*a[shared:]), nn.Sequential(*b[shared:])
        start(self)

    def forward(self, z: Tensor) -> Pair:
        seed = self.shared(self.lift(z))
        return Pair(self.a(seed), self.b(seed))

    def of(self, domain: Literal["a", "b"]) -> list[nn.Module]:
        """The layers that an image of one domain passes, first to last."""
        return [*self.shared, *(self.a if domain == "a" else self.b)]


def _grown(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(channels, affine=False), nn.PReLU())


def start(network: nn.Module) -> None:
    """Weights as Xavier with gain sqrt(2), every bias at 0.1, as in the authors' code."""
    initialise(network, "xavier", math.sqrt(2))
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(parameter, 0.1)
