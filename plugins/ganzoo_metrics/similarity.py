"""How alike two images are: SSIM, and over several scales."""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of images ``B C H W`` from 0 to 1, mean over places: ``B C``, in float64.

    l = (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1),  cs = (2 s_xy + c2) / (s_x^2 + s_y^2 + c2),  SSIM = mean(l cs)

    with means m, variances s^2 and covariance s_xy under a Gaussian window of 11x11, sigma 1.5, wherever it lies
    wholly inside the image; c1 = 0.01^2, c2 = 0.03^2.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13, doi:10.1109/TIP.2003.819861.

    Raises:
        ValueError: the images are smaller than 11x11, or differ in shape.
    """
    luminance, contrast = _maps(x, y)
    return reduce(luminance * contrast, "b c h w -> b c", "mean")


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Multi-scale SSIM of images ``B C H W`` from 0 to 1: ``B``, mean over channels, in float64.

    MS-SSIM = prod_(j < M) max(cs_j, 0)^(w_j)  max(SSIM_M, 0)^(w_M), each scale half the size of the one before

    Images too small for all five scales (176 pixels) have as many as the window fits into, with the first weights
    scaled to the sum 1.

    Source: Wang, Simoncelli and Bovik 2003, eq. 7, doi:10.1109/ACSSC.2003.1292216.

    Raises:
        ValueError: the images are smaller than 11x11, or differ in shape.
    """
    count = scales(x)
    weights = torch.tensor(WEIGHTS[:count], dtype=torch.float64)
    found = torch.ones(x.shape[:2], dtype=torch.float64, device=x.device)
    for index, weight in enumerate((weights / weights.sum()).tolist()):
        if index:
            x, y = avg_pool2d(x.double(), 2), avg_pool2d(y.double(), 2)
        luminance, contrast = _maps(x, y)
        last = index == count - 1
        here = reduce(luminance * contrast if last else contrast, "b c h w -> b c", "mean")
        found = found * here.clamp(min=0) ** weight
    return found.mean(1)


def scales(x: Tensor) -> int:
    """How many scales :func:`ms_ssim` has for such images. Source: the window, 11x11, fits into the smallest."""
    side, count = min(x.shape[-2:]), 1
    while count < len(WEIGHTS) and side // 2 >= WINDOW:
        side, count = side // 2, count + 1
    return count


def _maps(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if x.shape != y.shape:
        raise ValueError(f"images of {tuple(x.shape)} and {tuple(y.shape)} cannot be compared")
    if min(x.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs images of {WINDOW}x{WINDOW} or more, not {x.shape[-2]}x{x.shape[-1]}")
    x, y = x.double(), y.double()
    moments = _blur(torch.cat([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, xx, yy, xy = moments.chunk(5)
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x**2 + yy - mean_y**2 + c2)
    return luminance, contrast


def _blur(images: Tensor) -> Tensor:
    """By the Gaussian window, along one side and then the other."""
    at = torch.arange(WINDOW, dtype=torch.float64, device=images.device) - WINDOW // 2
    window = (-(at**2) / (2 * SIGMA**2)).exp()
    window = window / window.sum()
    flat = rearrange(images, "b c h w -> (b c) 1 h w")
    down, right = rearrange(window, "k -> 1 1 k 1"), rearrange(window, "k -> 1 1 1 k")
    return rearrange(conv2d(conv2d(flat, down), right), "(b c) 1 h w -> b c h w", b=len(images))
