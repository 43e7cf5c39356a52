"""The residual discriminator."""

from __future__ import annotations

import itertools
import math

from einops import rearrange
from ganzoo_layers import DiscriminatorOutput, halvings, multiples, of_size
from ganzoo_regularizers.layers import with_spread
from ganzoo_resnet.blocks import widths
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo_stylegan2.layers import GAIN, Conv, Linear, activated, lying_like

HALF = math.sqrt(0.5)


class Block(nn.Module):
    """Two 3x3 convolutions, the second halving, and beside them a 1x1 one: ``B C H W -> B C' H/2 W/2``.

    (main(x) + shortcut(x)) / sqrt(2)
    """

    def __init__(self, inputs: int, outputs: int, residual: bool):
        super().__init__()
        self.first = Conv(inputs, inputs, 3)
        self.second = Conv(inputs, outputs, 3, down=True)
        self.shortcut = Conv(inputs, outputs, 1, down=True, bias=False) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = activated(self.first(x, gain=GAIN))
        if self.shortcut is None:
            return activated(self.second(y, gain=GAIN))
        return activated(self.second(y, gain=GAIN * HALF)) + self.shortcut(x, gain=HALF)


class Discriminator(nn.Module):
    """Residual blocks that halve an image, the deviation of a group, two layers: ``B C H W -> DiscriminatorOutput``.

    Paper: arXiv:1912.04958 figure 7c and appendix B; arXiv:1710.10196 section 3 for the deviation of a group of
    samples, which is one more map before the last convolution.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, a multiple of 2 for each halving; halving stops before a side falls below 4.
        width: Channels of every map, or a list: of the image's size, then of each smaller one.
        group: Number of samples whose deviation is seen; the largest number below it that divides the batch, where it
            does not.
        residual: Whether blocks have a shortcut.

    Raises:
        ValueError: the size cannot be halved so often, `width` is a list of the wrong length, or (when called) images
            have another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt | list[PositiveInt] = 512,
        group: PositiveInt = 4,
        residual: bool = True,
    ):
        super().__init__()
        self.size, self.group = tuple(in_size), group
        count = halvings(in_size)
        if any(side % 2**count for side in in_size):
            near = multiples(in_size, 2**count)
            raise ValueError(f"in_size {in_size[0]}x{in_size[1]} cannot be halved {count} times; {near} would do")
        channels = widths(width, count + 1)
        last = channels[-1]
        self.first = Conv(in_channels, channels[0], 1)
        self.blocks = nn.Sequential(*(Block(a, b, residual) for a, b in itertools.pairwise(channels)))
        self.conv = Conv(last + 1, last, 3)
        self.full = Linear(last * math.prod(side // 2**count for side in in_size), last)
        self.head: nn.Module = Linear(last, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        of_size(x, self.size)
        x = self.blocks(lying_like(activated(self.first(x, gain=GAIN)), self.conv))  # grey images have no layout
        x = activated(self.conv(lying_like(with_spread(x, self.group), self.conv), gain=GAIN))
        features = activated(self.full(rearrange(x, "b c h w -> b (c h w)"), gain=GAIN))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
