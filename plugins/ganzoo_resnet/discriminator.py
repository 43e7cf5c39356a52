"""The residual discriminator."""

from __future__ import annotations

from typing import Literal

from einops import reduce
from ganzoo_layers import (
    DiscriminatorOutput,
    Norm,
    Projection,
    SelfAttention,
    at_least,
    discriminator_output,
    norm,
)
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from ganzoo_resnet.blocks import Start, attended, start, widths


class FirstBlock(nn.Module):
    """``x -> conv1x1(pool(x)) + pool(conv(relu(conv(x))))``: no activation before the first convolution."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1), nn.AvgPool2d(2)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.main(x)


class Block(nn.Module):
    """``x -> shortcut(x) + conv(relu(conv(relu(x))))``, half the size where `down`; relu(x) in both if `rectified`."""

    def __init__(self, inputs: int, outputs: int, down: bool, kind: Norm, inner: int, rectified: bool):
        super().__init__()
        self.rectified = rectified
        pool = [nn.AvgPool2d(2)] if down else []
        self.main = nn.Sequential(
            norm(kind, inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, inner, 3, 1, 1),
            norm(kind, inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 3, 1, 1),
            *pool,
        )
        learned = [nn.Conv2d(inputs, outputs, 1)] if down or inputs != outputs else []
        self.shortcut = nn.Sequential(*learned, *pool)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x.relu() if self.rectified else x) + self.main(x)


class Discriminator(nn.Module):
    """Residual blocks with average pooling, pooled over the image, a linear layer: ``B C H W -> DiscriminatorOutput``.

    Images are halved until no side exceeds `base`; `plain` blocks of one size follow.

    Called with a label, ``D(x, label)``, it adds the projection of its features on a vector of the class.

    Paper: arXiv:1802.05957 appendix table 4 (sum, no bias); arXiv:1704.00028 appendix C (mean, bias);
    arXiv:1802.05637 eq. 3 for the label; arXiv:1805.08318 for attention.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        width: Channels of every block, or a list, one for each block.
        base: The side at which halving stops.
        plain: How many blocks keep the size.
        pool: ``sum`` or ``mean`` over the last map.
        head_bias: Whether the last linear layer has one.
        norm: Normalisation before each activation but the first block's.
        inner: Whether the middle of a block has as many channels as its output or its input (arXiv:1802.05637).
        num_classes: Number of classes of the label, if it is called with one.
        attention: The side of the maps on which self-attention stands, behind the first block with it; 0 for none.
        weight_init: Distribution that the weights start from.
        init_scale: Standard deviation or gain of `weight_init`.
        rectified: Whether shortcuts too see their block's input behind the ReLU, as in mimicry.

    Raises:
        ValueError: the image is smaller than 4x4, no map has the side of `attention`, or `width` is a list of the wrong
            length.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt | list[PositiveInt] = 128,
        base: PositiveInt = 8,
        plain: NonNegativeInt = 2,
        pool: Literal["sum", "mean"] = "sum",
        head_bias: bool = False,
        norm: Norm = "none",
        inner: Literal["out", "in"] = "out",
        num_classes: NonNegativeInt = 0,
        attention: NonNegativeInt = 0,
        weight_init: Start = "sngan",
        init_scale: PositiveFloat = 1.0,
        rectified: bool = False,
    ):
        super().__init__()
        side = max(in_size)
        at_least(in_size, 4)
        downs, smallest = 1, min(in_size) // 2
        while side // 2**downs > base and smallest >= 2:
            downs, smallest = downs + 1, smallest // 2
        channels = widths(width, downs + plain)
        blocks: list[nn.Module] = [FirstBlock(in_channels, channels[0])]
        for index in range(1, downs + plain):
            inputs, outputs = channels[index - 1], channels[index]
            blocks.append(Block(inputs, outputs, index < downs, norm, outputs if inner == "out" else inputs, rectified))
        if attention:
            sides = [side // 2 ** min(index + 1, downs) for index in range(len(blocks))]
            place = attended(attention, sides)
            blocks.insert(place + 1, SelfAttention(channels[place]))
        self.body = nn.Sequential(*blocks, nn.ReLU())
        self.pool = pool
        self.head: nn.Module = nn.Linear(channels[-1], 1, bias=head_bias)
        start(self, weight_init, init_scale)
        self.projection = Projection(num_classes, channels[-1]) if num_classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> DiscriminatorOutput:
        x = self.body(x)
        features = reduce(x, "b c h w -> b c", self.pool)
        return discriminator_output(self.head, self.projection, features, label)
