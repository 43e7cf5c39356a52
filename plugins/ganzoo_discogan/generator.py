"""The generator of DiscoGAN."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo_layers import Initialisation, initialise, multiples, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """An image halved and doubled again, without skips: ``B C H W -> B out H W``.

    4x4 convolutions of stride 2, then as many transposed ones. Batch norm everywhere but behind the first and the last.

    Paper: arXiv:1703.05192 section 3.1, with the layers of the authors' code.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width; other sizes that can be halved as often do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels behind the first halving, doubled at each further one.
        halvings: How often the image is halved.
        bottleneck: Channels of a layer more in the middle, a 4x4 convolution without padding and back; 0 for none.
        slope: Slope of leaky_relu for negative values, while the image is halved.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: the sides cannot be halved so often, or the middle is too small for the bottleneck.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        halvings: PositiveInt = 4,
        bottleneck: NonNegativeInt = 0,
        slope: NonNegativeFloat = 0.2,
        weight_init: Initialisation = "torch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.step, self.least = 2**halvings, 2**halvings * (4 if bottleneck else 1)
        self._check(in_size)
        widths = [width * 2**level for level in range(halvings)]
        down: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(slope)]
        for channels in widths[1:]:
            down += [nn.Conv2d(channels // 2, channels, 4, 2, 1, bias=False), *_normed(channels, nn.LeakyReLU(slope))]
        if bottleneck:
            down += [nn.Conv2d(widths[-1], bottleneck, 4, bias=False), *_normed(bottleneck, nn.LeakyReLU(slope))]
            down += [nn.ConvTranspose2d(bottleneck, widths[-1], 4, bias=False), *_normed(widths[-1], nn.ReLU())]
        up: list[nn.Module] = []
        for channels in widths[:0:-1]:
            half = channels // 2
            up += [nn.ConvTranspose2d(channels, half, 4, 2, 1, bias=False), *_normed(half, nn.ReLU())]
        last = nn.ConvTranspose2d(width, out_channels, 4, 2, 1, bias=False)
        self.net = nn.Sequential(*down, *up, last, to_range(out_range))
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x.shape[2:])
        return self.net(x)

    def _check(self, size: Sequence[int]) -> None:
        height, width = size
        if height % self.step or width % self.step or min(size) < self.least:
            near = multiples([max(side, self.least) for side in size], self.step)
            raise ValueError(f"an image of {height}x{width} does not fit the halvings of this network; {near} would do")


def _normed(channels: int, activation: nn.Module) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), activation]
