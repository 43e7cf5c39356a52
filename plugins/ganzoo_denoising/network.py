"""DnCNN: what is wrong with an image, so that it can be taken away."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from ganzoo_layers import Norm, initialise
from ganzoo_layers import norm as make_norm
from ganzoo_srgan.tiling import tiled
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo.contract import Pieces


class DnCNN(nn.Module):
    """The noise of an image by 3x3 convolutions, and the image without it: ``B C H W -> B C H W``.

    y = x - R(x). Between the first convolution and the last each has a norm and ReLU. In evaluation mode the output is
    clamped to the range, and images larger than `tile` are computed in tiles, equal to the whole up to rounding.

    Paper: arXiv:1608.03981 section 3.

    Args:
        in_channels: Channels of the images.
        out_range: Range of the data.
        width: Channels inside.
        depth: How many convolutions.
        norm: Normalisation of all convolutions but the first and the last.
        gain: Gain of the last convolution's initial weights; at 0 the network starts by returning its input, from where
            it learns far sooner than from the authors' 1, by which it starts with more noise than it was given.
        tile: The largest side of what is computed at once in evaluation mode; with a norm over the image, such as
            instance norm, it is always the whole.

    Raises:
        ValueError: `tile` is too small.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        depth: Annotated[int, Ge(2)] = 17,
        norm: Norm = "batch",
        gain: NonNegativeFloat = 1.0,
        tile: PositiveInt = 512,
    ):
        super().__init__()
        if tile <= 2 * depth:
            raise ValueError(f"tile is {tile}, but should be above {2 * depth}, twice what an output depends on")
        self.range, self.depth = out_range or (float("-inf"), float("inf")), depth
        self.tile = tile if norm in ("batch", "none") else None
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=norm == "none"), make_norm(norm, width), nn.ReLU()]
        last = nn.Conv2d(width, in_channels, 3, padding=1, bias=False)
        self.noise = nn.Sequential(*layers, last)
        initialise(self, "orthogonal", 1.0)
        last.weight.data.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.clean(x) if self.training else self.pieces(x).whole()

    def pieces(self, x: Tensor) -> Pieces:
        """The image, clamped, in pieces; with a norm over the image in one."""
        tile = max(x.shape[2:]) if self.tile is None else self.tile
        return tiled(self.clean, x, 1, tile, self.depth, self.range)

    def clean(self, x: Tensor) -> Tensor:
        """The whole image at once, not clamped."""
        return x - self.noise(x)
