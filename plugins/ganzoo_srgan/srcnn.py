"""SRCNN: three convolutions on an image that was enlarged before."""

from __future__ import annotations

from itertools import pairwise

from ganzoo_layers import Initialisation, initialise
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo.contract import Pieces
from ganzoo_srgan.tiling import tiled


class SRCNN(nn.Module):
    """Convolutions with ReLU between them, on an image already enlarged: ``B C H W -> B C' H W``.

    The image keeps its size by zeros around it, where the paper's shrinks. In evaluation mode the output is clamped to
    the range, and images larger than `tile` are computed in tiles, equal to the whole up to rounding.

    Paper: arXiv:1501.00092 section 3.1.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the result.
        out_range: Range of the data; the network works in (0, 1).
        kernels: Kernel sizes of the convolutions, odd.
        widths: Channels between them.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
        tile: The largest side of what is computed at once in evaluation mode.

    Raises:
        ValueError: a kernel is even, there is not one more than `widths`, or `tile` is too small.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        kernels: tuple[PositiveInt, ...] = (9, 5, 5),
        widths: tuple[PositiveInt, ...] = (64, 32),
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.001,
        tile: PositiveInt = 512,
    ):
        super().__init__()
        if len(kernels) != len(widths) + 1 or not all(kernel % 2 for kernel in kernels):
            raise ValueError(f"kernels are {list(kernels)}, but should be odd, and {len(widths) + 1} of them")
        self.range, self.tile, self.reach = out_range or (0.0, 1.0), tile, sum(kernel // 2 for kernel in kernels)
        if tile <= 2 * self.reach:
            raise ValueError(f"tile is {tile}, but should be above {2 * self.reach}, twice what an output depends on")
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(pairwise((in_channels, *widths, out_channels)), kernels, strict=True):
            layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.restore(x) if self.training else self.pieces(x).whole()

    def pieces(self, x: Tensor) -> Pieces:
        """The image, clamped, in pieces."""
        return tiled(self.restore, x, 1, self.tile, self.reach, self.range)

    def restore(self, x: Tensor) -> Tensor:
        """The whole image at once, not clamped."""
        low, high = self.range
        return low + (high - low) * self.net((x - low) / (high - low))
