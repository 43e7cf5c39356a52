"""Augmentation that is as strong as the discriminator's overfitting asks for."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ganzoo.bounds import Fraction, PositiveFloat, PositiveInt
from ganzoo.parallel import distributed, draw
from ganzoo.parallel.distributed import batch_mean
from ganzoo_augment.warp import warped

Kind = Literal[
    "flip",
    "turn",
    "shift",
    "scale",
    "rotate",
    "stretch",
    "move",
    "brightness",
    "contrast",
    "luma_flip",
    "hue",
    "saturation",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]


class Ada(nn.Module):
    """Each of many changes is made to each image with probability p, and p adjusts itself: ``B C H W -> B C H W``.

    r = E[sign D(real)] over the last `every` batches says how much D overfits; after them p moves by the share of
    `images` that was seen, up if r > `target`, down if not, within 0 and 1. D sees real and generated samples through
    it, in every turn, and it is told of the real ones:

        adversarial: adv.d(ada.see(D(ada(real))), D(ada(fake)))
        adversarial: adv.g(D(ada(fake)), D(ada(real)))
        r1: 10 * r1(D(ada(_)), real)

    Nothing is done in evaluation. `p` and `r` can be logged: ``log: {p: ada.p}``.

    In their order: ``flip`` left and right; ``turn`` by quarters; ``shift`` by whole pixels, up to 1/8 of the size;
    ``scale`` by 2^N(0, 0.2^2); ``rotate`` by any angle, before or after ``stretch``, by 2^N(0, 0.2^2) across and the
    inverse down; ``move`` by N(0, 1/8^2) of the size; ``brightness`` + N(0, 0.2^2); ``contrast`` x 2^N(0, 0.5^2);
    ``luma_flip`` of the mean of the channels; ``hue`` turned about grey, of three channels; ``saturation`` x 2^N(0, 1).

    Paper: arXiv:2006.06676 section 2.2, section 3 and appendix B. Its code resamples with a wavelet's filter, where
    this is bilinear, and has no upper bound for p.

    Args:
        kinds: The changes that may be made.
        target: What r is to be.
        images: The number of images over which p moves by 1.
        every: The number of batches after which p is adjusted.
        start: The first p.
        out_range: Range of the data.

    Raises:
        ValueError: `kinds` is empty.
    """

    p: Tensor
    r: Tensor
    signs: Tensor
    seen: Tensor

    def __init__(
        self,
        kinds: tuple[Kind, ...] = KINDS,
        target: float = 0.6,
        images: PositiveFloat = 500_000,
        every: PositiveInt = 4,
        start: Fraction = 0.0,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
    ):
        super().__init__()
        if not kinds:
            raise ValueError("kinds is empty, so nothing would be augmented")
        self.kinds, self.target, self.images, self.every = frozenset(kinds), target, images, every
        low, high = out_range or (-1.0, 1.0)
        self.middle, self.reach = (low + high) / 2, (high - low) / 2
        self.register_buffer("p", torch.tensor(float(start)))
        self.register_buffer("r", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def see(self, logit: Tensor) -> Tensor:
        """D's logits for real samples, which go through it as they are; p is adjusted when it is time."""
        if self.training:
            self._adjust(logit.detach())
        return logit

    @torch.no_grad()
    def _adjust(self, logit: Tensor) -> None:
        self.signs.add_(batch_mean(logit.float().sign().flatten()))
        self.seen.add_(1)
        due = self.seen >= self.every
        r = self.signs / self.every
        step = len(logit) * distributed.world() * self.every / self.images
        self.r.copy_(torch.where(due, r, self.r))
        self.p.copy_(torch.where(due, (self.p + (r - self.target).sign() * step).clamp(0, 1), self.p))
        self.signs.mul_(~due)
        self.seen.mul_(~due)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self.kinds & {"flip", "turn", "shift", "scale", "rotate", "stretch", "move"}:
            x = warped(x, self._places(x))
        return self._colours(x) if self.kinds - set(KINDS[:7]) else x

    def _some(self, kind: Kind, value: Tensor, rest: float, p: Tensor | None = None) -> Tensor:
        """`value` for samples that are changed so, `rest` for the others."""
        p = (self.p if p is None else p) * (kind in self.kinds)
        return torch.where(draw.uniform(len(value), device=value.device) < p, value, rest)

    def _places(self, x: Tensor) -> Tensor:
        """For each sample the map from places of the result to places of the image."""
        n, _, height, width = x.shape

        def uniform(low: float, high: float) -> Tensor:
            return draw.uniform(n, low=low, high=high, device=x.device)

        def normal(std: float) -> Tensor:
            return std * draw.normal(n, device=x.device)

        def moved(kind: Kind, right: Tensor, down: Tensor) -> Tensor:
            both = self._some(kind, torch.ones(n, device=x.device), 0.0)
            return _matrix(1, 0, -right * both, 0, 1, -down * both)

        def turned(angle: Tensor) -> Tensor:
            return _matrix(angle.cos(), angle.sin(), 0, -angle.sin(), angle.cos(), 0)

        mirror = self._some("flip", 1 - 2 * uniform(0, 2).floor(), 1.0)
        back = _matrix(mirror, 0, 0, 0, 1, 0)
        back = back @ turned(self._some("turn", uniform(0, 4).floor() * (math.pi / 2), 0.0))
        back = back @ moved("shift", (uniform(-1, 1) * width / 8).round(), (uniform(-1, 1) * height / 8).round())
        scale = self._some("scale", normal(0.2).exp2(), 1.0)
        back = back @ _matrix(1 / scale, 0, 0, 0, 1 / scale, 0)
        either = 1 - (1 - self.p).sqrt()  # of two turns, so that one of them is made with probability p
        back = back @ turned(self._some("rotate", uniform(-math.pi, math.pi), 0.0, either))
        stretch = self._some("stretch", normal(0.2).exp2(), 1.0)
        back = back @ _matrix(1 / stretch, 0, 0, 0, stretch, 0)
        back = back @ turned(self._some("rotate", uniform(-math.pi, math.pi), 0.0, either))
        return back @ moved("move", normal(width / 8), normal(height / 8))

    def _colours(self, x: Tensor) -> Tensor:
        n = len(x)

        def some(kind: Kind, value: Tensor, rest: float) -> Tensor:
            return self._some(kind, value, rest).to(x.dtype)[:, None, None, None]

        def normal(std: float) -> Tensor:
            return std * draw.normal(n, device=x.device)

        def grey(x: Tensor) -> Tensor:
            return x.mean(1, keepdim=True)

        x = (x - self.middle) / self.reach + some("brightness", normal(0.2), 0.0)
        x = x * some("contrast", normal(0.5).exp2(), 1.0)
        x = x - some("luma_flip", 2 * draw.uniform(n, high=2, device=x.device).floor(), 0.0) * grey(x)
        if x.shape[1] == 3:
            angle = some("hue", draw.uniform(n, low=-math.pi, high=math.pi, device=x.device), 0.0)
            side = (x.roll(1, 1) - x.roll(2, 1)) / math.sqrt(3)  # the axis of greys times x
            x = grey(x) + (x - grey(x)) * angle.cos() + side * angle.sin()
        x = grey(x) + (x - grey(x)) * some("saturation", normal(1.0).exp2(), 1.0) if x.shape[1] > 1 else x
        return x * self.reach + self.middle


def _matrix(*entries: Tensor | float) -> Tensor:
    """Six numbers a sample, two rows of three, as ``B 3 3``."""
    like = next(entry for entry in entries if isinstance(entry, Tensor))
    columns = [entry if isinstance(entry, Tensor) else torch.full_like(like, entry) for entry in entries]
    rest = [torch.zeros_like(like), torch.zeros_like(like), torch.ones_like(like)]
    return torch.stack([*columns, *rest], 1).unflatten(1, (3, 3))
