"""Smoothing without a network."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from ganzoo_layers import images_only
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganzoo.bounds import PositiveFloat


class Gaussian:
    """Images smoothed by a normal distribution, cut off at 3 standard deviations: ``B C H W -> B C H W``.

    Borders are repeated. Source: a separable convolution.

    Args:
        sigma: Standard deviation in pixels.
    """

    def __init__(self, sigma: PositiveFloat = 1.0):
        self.sigma = sigma

    def __call__(self, x: Tensor) -> Tensor:
        images_only(x)
        reach, channels = math.ceil(3 * self.sigma), x.shape[1]
        at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
        weights = (-0.5 * (at / self.sigma).square()).exp()
        weights = (weights / weights.sum()).expand(channels, -1)
        y = pad(x, [reach] * 4, mode="replicate")
        y = conv2d(y, rearrange(weights, "c k -> c 1 k 1"), groups=channels)
        return conv2d(y, rearrange(weights, "c k -> c 1 1 k"), groups=channels)
