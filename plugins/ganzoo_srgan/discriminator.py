"""The discriminator of SRGAN."""

from __future__ import annotations

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, Norm, norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt

MULTIPLES = (1, 1, 2, 2, 4, 4, 8, 8)


class Discriminator(nn.Module):
    """Eight 3x3 convolutions, every other one of stride 2, and two linear layers: ``B C H W -> DiscriminatorOutput``.

    Channels are 1, 1, 2, 2, 4, 4, 8 and 8 times `width`; a norm follows all but the first, leaky ReLU all of them.

    Paper: arXiv:1609.04802 section 2.1 and figure 4.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        width: Channels of the first convolution.
        hidden: Width of the first linear layer.
        norm: Normalisation of all convolutions but the first.
        slope: Slope of leaky ReLU for negative values.
        bias: Whether convolutions before a norm have one.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        hidden: PositiveInt = 1024,
        norm: Norm = "batch",
        slope: NonNegativeFloat = 0.2,
        bias: bool = False,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        channels, (height, breadth) = in_channels, in_size
        for index, multiple in enumerate(MULTIPLES):
            stride, kind = 1 + index % 2, norm if index else "none"
            layers += _block(channels, multiple * width, stride, kind, slope, bias or kind == "none")
            channels, height, breadth = multiple * width, -(-height // stride), -(-breadth // stride)
        flat = channels * height * breadth
        self.body = nn.Sequential(
            *layers, Rearrange("b c h w -> b (c h w)"), nn.Linear(flat, hidden), nn.LeakyReLU(slope)
        )
        self.head: nn.Module = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def _block(inputs: int, outputs: int, stride: int, kind: Norm, slope: float, bias: bool) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias), norm(kind, outputs), nn.LeakyReLU(slope)]
