"""What befalls photographs on their way: blur, resizing, noise, JPEG, twice, and ringing."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from ganzoo.bounds import PositiveInt
from ganzoo.parallel import draw
from ganzoo_esrgan.jpeg import compressed

RADIUS = 10  # of kernels, whose sides are 7 to 21 pixels
KINDS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)  # normal, normal oblong, generalised, oblong, plateau, oblong
SINC = 0.1  # share of kernels that ring
GREY = 0.4  # share of images whose noise is grey
JPEG = (30.0, 95.0)
MODES: tuple[Literal["area", "bilinear", "bicubic"], ...] = ("area", "bilinear", "bicubic")


class Pass(NamedTuple):
    """The settings of one pass of degradations."""

    blurred: float  # probability
    sigma: tuple[float, float]
    up: float  # probability of enlarging, and of shrinking
    down: float
    sizes: tuple[float, float]
    noise: tuple[float, float]  # standard deviation of normal noise, in levels of 255
    shot: tuple[float, float]  # factor on photon noise


PASSES = (
    Pass(1.0, (0.2, 3.0), 0.2, 0.7, (0.15, 1.5), (1.0, 30.0), (0.05, 3.0)),
    Pass(0.8, (0.2, 1.5), 0.3, 0.4, (0.3, 1.2), (1.0, 25.0), (0.05, 2.5)),
)


class Degrade:
    """Clean images made small and bad: ``B C H W -> B C (H / scale) (W / scale)``.

    Blur by one of six families of kernels, or by one that rings (a sinc filter); resizing by a random factor; normal or
    photon noise, coloured or grey; JPEG; all of it twice, with other settings; and a last sinc filter before or after
    the second JPEG. Kernels, strength of noise and quality are each image's own; factors and orders are the batch's.
    Values are rounded to 8 bits. It has no gradient.

    Paper: arXiv:2107.10833 section 3; numbers as in the authors' options for four times larger. Photon noise is drawn
    from a normal distribution of the same variance.

    Args:
        in_range: The values of black and white in the images.
        scale: How many times smaller.
        passes: How often blur, resizing, noise and JPEG happen: once, the classical model, or twice.

    Raises:
        ValueError: (when called) a side is no multiple of `scale`.
    """

    def __init__(
        self,
        in_range: tuple[float, float] | None = (-1.0, 1.0),
        scale: PositiveInt = 4,
        passes: Literal[1, 2] = 2,
    ):
        self.range, self.scale, self.passes = in_range or (0.0, 1.0), scale, passes

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % self.scale or width % self.scale:
            raise ValueError(f"{height}x{width} cannot be divided by {self.scale}")
        size = (height // self.scale, width // self.scale)
        if x.is_meta:
            return x.new_empty(*x.shape[:2], *size)
        low, high = self.range
        y = (x.float() - low) / (high - low)
        for number, settings in enumerate(PASSES[: self.passes]):
            if chance(settings.blurred):
                y = filtered(y, kernels(len(y), settings.sigma, x.device))
            before = (height, width) if number == 0 else size
            y = resized(y, [max(round(side * factor(settings)), 1) for side in before])
            y = noisy(y, settings)
            if number < self.passes - 1:
                y = compressed(y, draw.uniform(len(y), low=JPEG[0], high=JPEG[1], device=x.device))
        quality = draw.uniform(len(y), low=JPEG[0], high=JPEG[1], device=x.device)
        last = kernels(len(y), None, x.device) if chance(0.8) else None
        if chance(0.5):
            y = compressed(ringing(resized(y, size), last), quality)
        else:
            y = ringing(resized(compressed(y, quality), size), last)
        return (low + (high - low) * (255 * y.clamp(0, 1)).round() / 255).to(x.dtype)


def chance(probability: float) -> bool:
    """A decision for the whole batch."""
    return bool(draw.uniform(1).item() < probability)


def factor(settings: Pass) -> float:
    """How many times larger the batch becomes: above 1, below, or 1."""
    kind, place = draw.uniform(1, 2)[0].tolist()
    low, high = settings.sizes
    if kind < settings.up:
        return 1 + place * (high - 1)
    return low + place * (1 - low) if kind < settings.up + settings.down else 1.0


def resized(y: Tensor, size: tuple[int, int] | list[int]) -> Tensor:
    """By one of three ways, drawn for the batch."""
    mode = MODES[int(draw.integers(1, high=len(MODES)).item())]
    return interpolate(y, tuple(size), mode=mode).clamp(0, 1)


def noisy(y: Tensor, settings: Pass) -> Tensor:
    """Normal or photon noise of a strength of each image's own."""
    n = len(y)
    place, grey = draw.uniform(n, 2, 1, 1, 1, device=y.device).unbind(1)
    noise = draw.normal(n, *y.shape[1:], device=y.device)
    noise = torch.where(grey < GREY, noise[:, :1], noise)
    if chance(0.5):
        low, high = settings.noise
        return (y + (low + place * (high - low)) / 255 * noise).clamp(0, 1)
    low, high = settings.shot
    seen = torch.where(grey < GREY, reduce(y, "b c h w -> b 1 h w", "mean"), y)
    return (y + (low + place * (high - low)) * (seen / 256).sqrt() * noise).clamp(0, 1)


def ringing(y: Tensor, kernel: Tensor | None) -> Tensor:
    """Filtered where there is a kernel."""
    return y if kernel is None else filtered(y, kernel).clamp(0, 1)


def filtered(y: Tensor, kernel: Tensor) -> Tensor:
    """Every image filtered by its own kernel, ``B k k``."""
    mirrored = "reflect" if min(y.shape[2:]) > RADIUS else "replicate"
    around = pad(y, [RADIUS] * 4, mode=mirrored)
    found = conv2d(rearrange(around, "b c h w -> c b h w"), rearrange(kernel, "b h w -> b 1 h w"), groups=len(y))
    return rearrange(found, "c b h w -> b c h w")


def kernels(n: int, sigma: tuple[float, float] | None, device: torch.device) -> Tensor:
    """Random kernels, ``n 21 21``, each of sum 1: blur with standard deviations in a range; without it, sinc alone."""
    u = rearrange(draw.uniform(n, 8, device=device), "n k -> k n 1 1")
    at = torch.arange(-RADIUS, RADIUS + 1, device=device, dtype=torch.float32)
    y, x = at[:, None], at[None]
    radius = (3 + (8 * u[0]).floor()).clamp(max=RADIUS)  # sides of 7, 9, …, 21
    inside = (x.abs() <= radius) & (y.abs() <= radius)
    ring = sinc(math.pi * torch.where((radius < 6) | (sigma is None), 1 / 3 + 2 / 3 * u[1], 0.2 + 0.8 * u[1]), x, y)
    if sigma is None:
        return normalised(ring * inside)
    low, high = sigma
    ends = torch.tensor(KINDS, device=device).cumsum(0)
    kind = (u[2] > rearrange(ends[:-1], "k -> k 1 1 1")).sum(0)
    oblong, plateau = kind % 2 == 1, kind >= 4
    wide = low + u[3] * (high - low)
    tall = torch.where(oblong, low + u[4] * (high - low), wide)
    angle = math.pi * (2 * u[5] - 1)
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    distance = (along / wide).square() + (across / tall).square()
    sharp, flat = torch.where(plateau, 1.0, 0.5), torch.where(plateau, 2.0, 4.0)  # exponents below 1, and above
    half = 2 * u[6]
    power = torch.where(half < 1, sharp + half * (1 - sharp), 1 + (half - 1) * (flat - 1))
    power = torch.where(kind < 2, 1.0, power)
    blur = torch.where(plateau, 1 / (1 + distance**power), (-0.5 * distance**power).exp())
    return normalised(torch.where(u[7] < SINC, ring, blur) * inside)


def sinc(cutoff: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The circular low-pass filter of a cut-off frequency in radians: w J_1(w r) / (2 pi r)."""
    r = (x.square() + y.square()).sqrt()
    found = cutoff * torch.special.bessel_j1(cutoff * r) / (2 * math.pi * r.clamp(min=1e-9))
    return torch.where(r == 0, cutoff.square() / (4 * math.pi), found)


def normalised(kernel: Tensor) -> Tensor:
    return kernel / reduce(kernel, "n h w -> n 1 1", "sum")
