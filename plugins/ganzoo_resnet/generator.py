"""The residual generator."""

from __future__ import annotations

import itertools
import math

from ganzoo_layers import Norm, doubling_path, to_range
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo_resnet.blocks import initialise, upsampled, widths


class UpBlock(nn.Module):
    """``x -> up(x) conv1x1 + conv(act(norm(conv(up(act(norm(x)))))))``, twice the size."""

    def __init__(self, inputs: int, outputs: int, kind: Norm):
        super().__init__()
        self.main = nn.Sequential(
            make_norm(kind, inputs),
            nn.ReLU(),
            upsampled(),
            nn.Conv2d(inputs, outputs, 3, 1, 1),
            make_norm(kind, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
        )
        self.shortcut = nn.Sequential(upsampled(), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.main(x)


class Generator(nn.Module):
    """A latent vector grown by residual blocks with nearest upsampling: ``B z -> B C H W``.

    Paper: arXiv:1802.05957 appendix table 4 (width 256); arXiv:1704.00028 appendix C (width 128).

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of every map, or a list: of the smallest map, then of each block.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        norm: Before each activation.

    Raises:
        ValueError: the size cannot be reached, or `width` is a list of the wrong length.
    """

    def __init__(
        self,
        z_dim: int,
        out_channels: int,
        out_size: tuple[int, int],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: int | list[int] = 256,
        base: int | None = None,
        norm: Norm = "batch",
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        channels = widths(width, len(self.path))
        self.stem = nn.Sequential(
            nn.Linear(z_dim, channels[0] * math.prod(self.path[0])), nn.Unflatten(1, (channels[0], *self.path[0]))
        )
        self.blocks = nn.ModuleList(UpBlock(a, b, norm) for a, b in itertools.pairwise(channels))
        self.head = nn.Sequential(
            make_norm(norm, channels[-1]),
            nn.ReLU(),
            nn.Conv2d(channels[-1], out_channels, 3, 1, 1),
            to_range(out_range),
        )
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        x = self.stem(z)
        for block, (height, width) in zip(self.blocks, self.path[1:], strict=True):
            x = block(x)[:, :, :height, :width]
        return self.head(x)
