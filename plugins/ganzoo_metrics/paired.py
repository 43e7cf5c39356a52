"""How near generated images are to those that they should be: PSNR, SSIM, mean absolute error, perceptual distance."""

from __future__ import annotations

from typing import Any, Literal

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures
from ganzoo_metrics.images import nowhere, unit
from ganzoo_metrics.similarity import WINDOW, ssim

CHUNK = 64
Channel = Literal["rgb", "y", "grey"]
STUDIO = (65.481, 128.553, 24.966)
LUMA = (0.299, 0.587, 0.114)


def luma(images: Tensor, channel: Channel) -> Tensor:
    """Images ``B C H W`` from 0 to 1 as they are compared.

    y    = (16 + 65.481 R + 128.553 G + 24.966 B) / 255, from 16/255 to 235/255, as papers on super-resolution
    grey = 0.299 R + 0.587 G + 0.114 B, from 0 to 1; grey images as they are
    rgb  = all channels as they are

    Source: ITU-R BT.601.

    Raises:
        ValueError: the channel cannot be had of such images.
    """
    channels = images.shape[1]
    if channel == "rgb" or (channel == "grey" and channels == 1):
        return images
    if channels != 3:
        raise ValueError(f"channel {channel} needs images of 3 channels, not {channels}; write `channel: rgb`")
    weights = torch.tensor(STUDIO if channel == "y" else LUMA, dtype=images.dtype, device=images.device)
    mixed = reduce(images * rearrange(weights, "c -> c 1 1"), "b c h w -> b 1 h w", "sum")
    return (mixed + 16) / 255 if channel == "y" else mixed


class _Paired:
    """What is measured on pairs of images, quantised to uint8, without a border."""

    least = 1

    def __init__(self, in_range: tuple[float, float] | None, channel: Channel = "rgb", border: int = 0):
        if in_range is None:
            raise ValueError("in_range is not known; write the values of black and white, such as [-1, 1]")
        if border < 0:
            raise ValueError(f"border is {border}, but should not be negative")
        self.in_range, self.channel, self.border = in_range, channel, border

    def dry(self, fake: Tensor, real: Tensor) -> Tensor:
        """Whether such images can be compared."""
        if fake.shape != real.shape or fake.ndim != 4:
            raise ValueError(f"images of {tuple(fake.shape)} and {tuple(real.shape)} cannot be compared")
        height, width = (side - 2 * self.border for side in fake.shape[2:])
        if min(height, width) < self.least:
            raise ValueError(f"a border of {self.border} leaves {height}x{width} of {fake.shape[2]}x{fake.shape[3]}")
        return luma(fake, self.channel)

    def __call__(self, fake: Tensor, real: Tensor) -> Measured:
        self.dry(fake[:1], real[:1])
        protocol = {"channel": self.channel, "border": self.border, "quantised": "uint8"}
        if len(fake) != len(real):
            raise ValueError(f"{len(fake)} images cannot be compared with {len(real)}")
        if not torch.isfinite(fake).all():
            return nowhere(protocol=protocol)
        pairs = zip(fake.split(CHUNK), real.split(CHUNK), strict=True)
        found = torch.cat([self.measure(self._seen(x), self._seen(y)) for x, y in pairs])
        return Measured(found.mean().item(), protocol)

    def measure(self, fake: Tensor, real: Tensor) -> Tensor:
        """One number a pair."""
        raise NotImplementedError

    def _seen(self, images: Tensor) -> Tensor:
        images = luma(unit(images, self.in_range, torch.float64), self.channel)
        height, width = images.shape[2:]
        return images[..., self.border : height - self.border, self.border : width - self.border]


class Psnr(_Paired):
    """Peak signal-to-noise ratio in dB, the mean over images: ``psnr(fake, real)``; larger is better.

    PSNR = 10 log10(1 / mean((x - y)^2)), of images from 0 to 1, quantised to uint8 first; infinite for equal images

    Papers on super-resolution measure `channel` y without a `border` of as many pixels as the factor.

    Paper: arXiv:1609.04802 section 3.1.

    Args:
        in_range: The values of black and white in the images.
        channel: y (BT.601, from 16 to 235), grey (BT.601, from 0 to 255), or rgb for all channels as they are.
        border: How many pixels are cut off on each side.

    Raises:
        ValueError: `in_range` is not known, `border` is negative, or (when called) the images are of different shape,
            too small or without such a channel.
    """

    better = "higher"

    def measure(self, fake: Tensor, real: Tensor) -> Tensor:
        return -10 * (fake - real).square().flatten(1).mean(1).log10()


class Ssim(_Paired):
    """Structural similarity, the mean over places, channels and images: ``ssim(fake, real)``; 1 is best.

    SSIM = mean((2 m_x m_y + c1)(2 s_xy + c2) / ((m_x^2 + m_y^2 + c1)(s_x^2 + s_y^2 + c2)))

    under a Gaussian window of 11x11, sigma 1.5, that lies wholly inside, in float64, of images from 0 to 1, quantised
    to uint8 first; c1 = 0.01^2, c2 = 0.03^2.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13, doi:10.1109/TIP.2003.819861.

    Args:
        in_range: The values of black and white in the images.
        channel: y (BT.601, from 16 to 235), grey (BT.601, from 0 to 255), or rgb for all channels as they are.
        border: How many pixels are cut off on each side.

    Raises:
        ValueError: `in_range` is not known, `border` is negative, or (when called) the images are of different shape,
            smaller than 11x11 without the border, or without such a channel.
    """

    better = "higher"
    least = WINDOW

    def measure(self, fake: Tensor, real: Tensor) -> Tensor:
        return ssim(fake, real).mean(1)


class Mae:
    """The mean absolute error in the data's own units: ``mae(fake, real)``; 0 is best.

    MAE = mean(|x - y|)

    Paper: arXiv:1611.07004 eq. 3.

    Raises:
        ValueError: (when called) the shapes differ.
    """

    def __init__(self, in_range: tuple[float, float] | None = None):
        self.in_range = in_range

    def dry(self, fake: Tensor, real: Tensor) -> Tensor:
        """Whether the shapes agree."""
        if fake.shape != real.shape:
            raise ValueError(f"values of {tuple(fake.shape)} and {tuple(real.shape)} cannot be compared")
        return fake

    def __call__(self, fake: Tensor, real: Tensor) -> Measured:
        self.dry(fake, real)
        protocol = {"range": list(self.in_range)} if self.in_range else {}
        return Measured((fake.double() - real.double()).abs().mean().item(), protocol)


class Perceptual(ImageFeatures):
    """The distance of paired images in the features of an extractor: ``perceptual(fake, real, E)``; 0 is best.

    d = mean |f(x)/|f(x)| - f(y)/|f(y)||^2, from 0 to 4, all of an image's features as one vector

    Paper: arXiv:1801.03924 eq. 1, with one layer, no weights, and one length an image instead of one a place.

    Args:
        reference: The data whose field says what range the images have.
        real: That field.

    Raises:
        ValueError: `real` is no image of the reference, or (when called) the shapes differ.
    """

    def __init__(self, reference: Reference, real: str = "real"):
        super().__init__(reference, real)

    def dry(self, fake: Tensor, real: Tensor, extractor: nn.Module) -> Tensor:  # type: ignore[override]
        """Whether the extractor takes such images."""
        if fake.shape != real.shape:
            raise ValueError(f"images of {tuple(fake.shape)} and {tuple(real.shape)} cannot be compared")
        return super().dry(fake, extractor)

    def __call__(self, fake: Tensor, real: Tensor, extractor: nn.Module) -> Measured:
        protocol: dict[str, Any] = {"field": self.real, "quantised": "uint8"}
        if fake.shape != real.shape:
            raise ValueError(f"images of {tuple(fake.shape)} and {tuple(real.shape)} cannot be compared")
        if not torch.isfinite(fake).all():
            return nowhere(protocol=protocol)
        x, y = (normalize(self.of(images, extractor).double(), dim=1) for images in (fake, real))
        return Measured((x - y).square().sum(1).mean().item(), protocol)
