"""Images made smaller and larger, and cut."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.parallel import draw


class Bicubic:
    """Images resized by ``up / down``: ``B C H W -> B C (H up / down) (W up / down)``.

    Keys' cubic kernel (a = -1/2), widened by the factor where images shrink so that nothing is aliased: MATLAB's
    imresize, and Pillow's BICUBIC up to its rounding, away from the borders. Values are clamped to the range and
    rounded to what an image file of so many bits holds; gradients pass as if they were not.

    Paper: arXiv:1609.04802 section 3.2. Source: R. Keys, IEEE TASSP 29 (1981).

    Args:
        in_range: The values of black and white in the images.
        up: How many times larger.
        down: How many times smaller.
        bits: Of a value; without it values are as they come, beyond the range too.

    Raises:
        ValueError: `up`, `down` or `bits` is below 1, `bits` without a range, or (when called) a side that gives no
            whole number.
    """

    def __init__(self, in_range: tuple[float, float] | None, up: int = 1, down: int = 1, bits: int | None = 8):
        if min(up, down, bits or 1) < 1 or bits == 0:
            raise ValueError(f"up is {up}, down {down} and bits {bits}, but they should be 1 or more")
        if in_range is None and bits:
            raise ValueError("in_range is not known; write the values of black and white, or `bits: null`")
        self.range, self.ratio, self.bits = in_range, Fraction(up, down), bits

    def __call__(self, x: Tensor) -> Tensor:
        up, down = self.ratio.numerator, self.ratio.denominator
        height, width = _sides(x, "it resizes")
        if height % down or width % down:
            fitting = f"{height - height % down}x{width - width % down}"
            raise ValueError(f"{height}x{width} times {self.ratio} is no whole number of pixels; crop to {fitting}")
        size = (height // down * up, width // down * up)
        y = interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
        if self.range is None or not self.bits:
            return y
        low, high = self.range
        step = (high - low) / (2**self.bits - 1)
        return y + (low + step * ((y.clamp(low, high) - low) / step).round() - y).detach()


class Crop(nn.Module):
    """A square from a random place of each image: ``B C H W -> B C size size``; the whole image in evaluation mode.

    Paper: arXiv:1609.04802 section 3.2.

    Args:
        size: Side of the square.

    Raises:
        ValueError: `size` is below 1, or (when called) images are smaller.
    """

    def __init__(self, size: int):
        if size < 1:
            raise ValueError(f"size is {size}, but should be 1 or more")
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        height, width = _sides(x, "it crops")
        if min(height, width) < self.size:
            raise ValueError(f"images of {height}x{width} are too small to be cropped to {self.size}x{self.size}")
        n, span = len(x), torch.arange(self.size, device=x.device)
        rows = draw.integers(n, 1, high=height - self.size + 1, device=x.device) + span
        columns = draw.integers(n, 1, high=width - self.size + 1, device=x.device) + span
        batch = torch.arange(n, device=x.device)[:, None, None]
        return x[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _sides(x: Tensor, what: str) -> tuple[int, int]:
    if x.ndim != 4:
        raise ValueError(f"{what} images, B C H W, not {x.ndim} dimensions")
    return x.shape[2], x.shape[3]
