"""Images made smaller and larger, and cut."""

from __future__ import annotations

from fractions import Fraction

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.bounds import PositiveInt
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
        bits: Bits of a value; without it values are as they come, beyond the range too.

    Raises:
        ValueError: `up`, `down` or `bits` is below 1, `bits` without a range, or (when called) a side that gives no
            whole number.
    """

    def __init__(
        self,
        in_range: tuple[float, float] | None,
        up: PositiveInt = 1,
        down: PositiveInt = 1,
        bits: PositiveInt | None = 8,
    ):
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

    def __init__(self, size: PositiveInt):
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
        return rearrange(x[batch, :, rows[:, :, None], columns[:, None, :]], "b h w c -> b c h w")


def _sides(x: Tensor, what: str) -> tuple[int, int]:
    if x.ndim != 4:
        raise ValueError(f"{what} images, B C H W, not {x.ndim} dimensions")
    return x.shape[2], x.shape[3]
