"""The refiner, and a discriminator that decides at every place of the image."""

from __future__ import annotations

from ganzoo_layers import DiscriminatorOutput, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Refiner(nn.Module):
    """Residual blocks at full size between a 3x3 convolution and a 1x1 one: ``B C H W -> B out H W``.

    Paper: arXiv:1612.07828 section 3.1.

    Args:
        in_channels: Channels of the synthetic images.
        out_channels: Channels of the refined images.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of all hidden maps.
        blocks: Residual blocks; the paper has 4 for eyes, 10 for hands.
        kernel: Side of the first filter; the paper has 3 for eyes, 7 for hands.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        blocks: NonNegativeInt = 4,
        kernel: PositiveInt = 3,
    ):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel, padding="same"),
            nn.ReLU(),
            *(Block(width) for _ in range(blocks)),
            nn.Conv2d(width, out_channels, 1),
            to_range(out_range),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Block(nn.Module):
    """Two 3x3 convolutions added to their input: ``relu(x + conv(relu(conv(x))))``."""

    def __init__(self, channels: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.ReLU(), nn.Conv2d(channels, channels, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.main(x)).relu()


class Discriminator(nn.Module):
    """A map of logits, each of a patch of 23x23 pixels: ``B C H W -> DiscriminatorOutput``, logit ``B 1 H/4 W/4``.

    Convolutions of 3x3 and stride 2 twice, 3x3 pooling, a 3x3 and a 1x1 convolution, and scores of real and of refined,
    whose difference is the logit: the softmax of two scores is the sigmoid of it.

    Paper: arXiv:1612.07828 section 3.1 and eq. 2.

    Args:
        in_channels: Channels of the images.
        width: Channels after the first convolution; two thirds of it after the second, one third after the others.
    """

    channels_last = True

    def __init__(self, in_channels: PositiveInt, width: PositiveInt = 96):
        super().__init__()
        more, fewer = max(2 * width // 3, 1), max(width // 3, 1)
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, more, 3, 2, 1),
            nn.ReLU(),
            nn.MaxPool2d(3, 1, 1),
            nn.Conv2d(more, fewer, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(fewer, fewer, 1),
            nn.ReLU(),
        )
        self.head: nn.Module = nn.Conv2d(fewer, 2, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.body(x)
        real, refined = self.head(features).split(1, 1)
        return DiscriminatorOutput(real - refined, features)
