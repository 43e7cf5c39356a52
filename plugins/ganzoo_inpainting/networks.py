"""The networks of context encoders."""

from __future__ import annotations

from itertools import pairwise

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, at_least, initialise, of_size, to_range
from torch import Tensor, nn
from torch.nn.functional import pad

from ganzoo.bounds import NonNegativeFloat, PositiveInt

DOUBLED = 3  # times that the width doubles
LAST = 4  # side of the last kernel


class ContextEncoder(nn.Module):
    """An image halved to a bottleneck of one pixel and doubled back: ``B C H W -> B C' H W``.

    4x4 convolutions of stride 2 until the sides are 4 to 7 pixels, one without padding to the bottleneck, and the same
    back. The width doubles at the last three halvings. Batch norm everywhere but in the first and the last layer, leaky
    ReLU on the way down, ReLU on the way up; no biases, which the authors' code holds at 0. Larger images than it was
    built for do as well: their bottleneck has more than one pixel. Sides that do not fit are filled up by repeating the
    border, and what was added is cut off.

    Paper: arXiv:1604.07379 section 3.1; layers as in the authors' code, train_random.lua.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, at least 32.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels after the first convolution.
        bottleneck: Channels of the bottleneck; the authors trained with 4000.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the images are smaller than 32.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        bottleneck: PositiveInt = 100,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        widths = levels(in_size, width)
        self.step = 2 ** len(widths)
        layers: list[nn.Module] = [*halving(in_channels, width, first=True)]
        for inputs, outputs in pairwise(widths):
            layers += halving(inputs, outputs)
        layers += [
            nn.Conv2d(widths[-1], bottleneck, LAST, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(bottleneck, widths[-1], LAST, bias=False),
        ]
        for inputs, outputs in pairwise([*reversed(widths), out_channels]):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.net = nn.Sequential(*layers, to_range(out_range))
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        down, right = (max(-side % self.step, LAST * self.step - side) for side in (height, width))
        if down or right:
            x = pad(x, (0, right, 0, down), mode="replicate")
        return self.net(x)[:, :, :height, :width]


class Discriminator(nn.Module):
    """An image halved by 4x4 convolutions, and one linear layer: ``B C H W -> DiscriminatorOutput``.

    The width doubles at the last three halvings. Batch norm and leaky ReLU, no norm at the first; no biases.

    Paper: arXiv:1604.07379 section 3.2; layers as in the authors' code, train_random.lua.

    Args:
        in_channels: Channels of the images.
        in_size: Their height and width, at least 32.
        width: Channels after the first convolution.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the images are smaller than 32, or (when called) of another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.size = in_size
        widths = levels(in_size, width)
        layers: list[nn.Module] = [*halving(in_channels, width, first=True)]
        for inputs, outputs in pairwise(widths):
            layers += halving(inputs, outputs)
        self.body = nn.Sequential(*layers, Rearrange("b c h w -> b (c h w)"))
        area = (in_size[0] >> len(widths)) * (in_size[1] >> len(widths))
        self.head: nn.Module = nn.Linear(widths[-1] * area, 1, bias=False)
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        of_size(x, self.size)
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def halving(inputs: int, outputs: int, first: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)]
    return [*layers, *([] if first else [nn.BatchNorm2d(outputs)]), nn.LeakyReLU(0.2)]


def levels(size: tuple[int, int], width: int) -> list[int]:
    """The channels at every halving, until sides are 4 to 7 pixels."""
    at_least(size, LAST * 2**DOUBLED)
    count = (min(size) // LAST).bit_length() - 1
    first = max(count - 1 - DOUBLED, 0)
    return [width * 2 ** max(level - first, 0) for level in range(count)]
