"""Resizing by 2 behind a blur, which keeps high frequencies from turning into low ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad


class BlurDown(nn.Module):
    """Every other pixel of a map blurred by [1, 2, 1], edges reflected: ``B C H W -> B C ceil(H/2) ceil(W/2)``.

    Paper: arXiv:1904.11486 section 3.2.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", _square([1.0, 2.0, 1.0]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        return conv2d(pad(x, (1, 1, 1, 1), "reflect"), kernel, stride=2, groups=channels)


class BlurUp(nn.Module):
    """Zeros between pixels, blurred by [1, 3, 3, 1], edges repeated: ``B C H W -> B C 2H 2W``.

    Paper: arXiv:1904.11486, its code.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", 4 * _square([1.0, 3.0, 3.0, 1.0]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        grown = conv_transpose2d(pad(x, (1, 1, 1, 1), "replicate"), kernel, stride=2, padding=2, groups=channels)
        return grown[:, :, 1:-1, 1:-1]


def _square(row: list[float]) -> Tensor:
    line = torch.tensor(row) / sum(row)
    return (line[:, None] * line)[None, None]
