"""The residual generator."""

from __future__ import annotations

import itertools
import math
from typing import Literal

from einops.layers.torch import Rearrange
from ganzoo_layers import Norm, agree, class_norm, doubling_path, in_turn, through, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo_resnet.blocks import initialise, upsampled, widths


class UpBlock(nn.Module):
    """``x -> up(x) conv1x1 + conv(act(norm(conv(up(act(norm(x)))))))``, twice the size."""

    def __init__(self, inputs: int, outputs: int, kind: Norm, classes: int, mode: str):
        super().__init__()
        self.main = in_turn(
            class_norm(kind, inputs, classes),
            nn.ReLU(),
            upsampled(mode),
            nn.Conv2d(inputs, outputs, 3, 1, 1),
            class_norm(kind, outputs, classes),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
        )
        self.shortcut = nn.Sequential(upsampled(mode), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return self.shortcut(x) + through(self.main, x, label)


class Generator(nn.Module):
    """A latent vector grown by residual blocks with nearest upsampling: ``B z -> B C H W``.

    Called with a label, ``G(z, label)``, the batch norms of its blocks have a gain and a bias of each class.

    Paper: arXiv:1802.05957 appendix table 4 (width 256); arXiv:1704.00028 appendix C (width 128); arXiv:1802.05637
    for the label.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of every map, or a list: of the smallest map, then of each block.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        norm: Normalisation before each activation.
        num_classes: Number of classes of the label, if it is called with one.
        upsample: How maps are doubled; ``bilinear`` as in mimicry.

    Raises:
        ValueError: the size cannot be reached, or `width` is a list of the wrong length.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt | list[PositiveInt] = 256,
        base: PositiveInt | None = None,
        norm: Norm = "batch",
        num_classes: NonNegativeInt = 0,
        upsample: Literal["nearest", "bilinear"] = "nearest",
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        channels = widths(width, len(self.path))
        self.stem = nn.Sequential(
            nn.Linear(z_dim, channels[0] * math.prod(self.path[0])),
            Rearrange("b (c h w) -> b c h w", h=self.path[0][0], w=self.path[0][1]),
        )
        self.blocks = nn.ModuleList(UpBlock(a, b, norm, num_classes, upsample) for a, b in itertools.pairwise(channels))
        self.head = nn.Sequential(
            class_norm(norm, channels[-1]),
            nn.ReLU(),
            nn.Conv2d(channels[-1], out_channels, 3, 1, 1),
            to_range(out_range),
        )
        self.conditional = num_classes > 0
        initialise(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.conditional, label)
        x = self.stem(z)
        for block, (height, width) in zip(self.blocks, self.path[1:], strict=True):
            x = block(x, label)[:, :, :height, :width]
        return self.head(x)
