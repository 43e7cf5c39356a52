"""The discriminator of CUT, which blurs before it halves."""

from __future__ import annotations

from typing import Literal

from ganzoo_layers import DiscriminatorOutput, at_least
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo_cut.blur import BlurDown
from ganzoo_cut.start import xavier_normal


class Discriminator(nn.Module):
    """A map of logits, each of a patch of the image: ``B C H W -> DiscriminatorOutput``, whose logit is ``B 1 h w``.

    `layers` 4x4 convolutions of stride 1, each followed by a blur that halves, then two more convolutions.

    Paper: arXiv:2007.15651 appendix C.1, with the blurs of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any that leaves a map.
        width: Channels after the first convolution; doubled by each, up to 8 times that.
        layers: How many convolutions are followed by a halving.
        norm: Normalisation of all convolutions but the first and the last; ``instance`` has no scale and shift.
        init_scale: Gain of Xavier's normal distribution of the weights at the start.

    Raises:
        ValueError: the image is too small for so many layers.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        layers: PositiveInt = 3,
        norm: Literal["batch", "instance", "none"] = "instance",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        at_least(in_size, 4 * 2**layers)
        body: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 1, 1), nn.LeakyReLU(0.2), BlurDown()]
        for level in range(1, layers + 1):
            inputs, outputs = (width * min(2**power, 8) for power in (level - 1, level))
            body += [
                nn.Conv2d(inputs, outputs, 4, 1, 1, bias=norm != "batch"),
                make_norm(norm, outputs, affine=False),
                nn.LeakyReLU(0.2),
            ]
            body += [BlurDown()] if level < layers else []
        self.body = nn.Sequential(*body)
        self.head: nn.Module = nn.Conv2d(outputs, 1, 4, 1, 1)
        xavier_normal(self, init_scale)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.body(x)
        return DiscriminatorOutput(self.head(features), features)
