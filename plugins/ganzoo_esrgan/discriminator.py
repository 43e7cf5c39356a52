"""The discriminator of ESRGAN."""

from __future__ import annotations

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, Norm, at_least, of_size
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt

MULTIPLES = (1, 2, 4, 8, 8)


class Discriminator(nn.Module):
    """Pairs of a 3x3 and a halving 4x4 convolution, and two linear layers: ``B C H W -> DiscriminatorOutput``.

    Channels of the pairs are 1, 2, 4, 8 and 8 times `width`; a norm follows all convolutions but the first, leaky ReLU
    all of them.

    Paper: arXiv:1809.00219 section 4.1 (VGG style); layers as in the authors' code, BasicSR.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, at least 32.
        width: Channels of the first pair.
        hidden: Width of the first linear layer.
        norm: Normalisation of all convolutions but the first.
        slope: Slope of leaky ReLU for negative values.

    Raises:
        ValueError: images are smaller than 32, or (when called) of another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        hidden: PositiveInt = 100,
        norm: Norm = "batch",
        slope: NonNegativeFloat = 0.2,
    ):
        super().__init__()
        at_least(in_size, 2 ** len(MULTIPLES))
        self.size = in_size
        layers: list[nn.Module] = []
        channels = in_channels
        for multiple in MULTIPLES:
            for kernel, stride in ((3, 1), (4, 2)):
                kind = norm if layers else "none"
                bias = kind != "batch"
                layers.append(nn.Conv2d(channels, multiple * width, kernel, stride, 1, bias=bias))
                channels = multiple * width
                layers += [make_norm(kind, channels), nn.LeakyReLU(slope)]
        area = (in_size[0] >> len(MULTIPLES)) * (in_size[1] >> len(MULTIPLES))
        self.body = nn.Sequential(
            *layers, Rearrange("b c h w -> b (c h w)"), nn.Linear(channels * area, hidden), nn.LeakyReLU(slope)
        )
        self.head: nn.Module = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        of_size(x, self.size)
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
