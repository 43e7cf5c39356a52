"""Whether generated images are copies of training images."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.contract import Measured
from ganzoo.reference import Reference
from ganzoo_metrics.images import field_of, share, unit

CHUNK = 2000
PERCENTILE = 0.01  # of unseen real images: what is nearer to a training image than that is near
BOUND = 0.1  # of the generated images being near, from which on it is named
TIMES = 3.0  # as many are near seen images as are near as many unseen ones, or it is only a narrow distribution


class Memorisation:
    """The share of generated images that are nearer to a training image than 99 % of unseen real ones are.

    d(x) = min over training images t and shifts s of |s(x) - t|, on the pixels that stay inside the frame

    `share`, that of generated images whose d is at most the first percentile of d over held-out images, is 0.01 for
    new images of the data's distribution and 1 for copies; `ratio` is the median of d over that of held-out images;
    `seen` and `unseen` are the shares that lie as near to a training and to a held-out image, of equally many of
    either. Blurred or collapsed images are near to both; only copies are nearer to what was seen. The verdict is given
    where `share` is 0.1 or more and `seen` more than three times `unseen`.

    Images are quantised, and averaged down where they are larger than `size`. The time grows as
    samples x training images x pixels x (2 shift + 1)^2: 20 s for 2,000 against 10,000 of 28x28 on one core.

    Source: the three samples of arXiv:2004.05675 section 2, with a percentile in place of a rank test.

    Args:
        data: What was trained on.
        real: Its field of images.
        n_fake: At most so many generated images are looked at, and so many held-out ones.
        shift: In pixels, up to which a copy may be moved either way.
        size: Images with longer sides are averaged down to it.

    Raises:
        ValueError: `real` is no image of the data, or an argument is out of bounds.
        UserError: (when called) the data holds nothing out.
    """

    def __init__(self, data: Any, real: str = "real", n_fake: int = 2000, shift: int = 1, size: int = 32):
        self.field = field_of(data.fields, real, "image")
        height, width = (min(side, size) for side in self.field.shape[1:])
        if shift < 0 or min(height, width) <= 2 * shift:
            raise ValueError(f"shift is {shift}, but should be from 0 to less than half of {height}x{width}")
        if n_fake < 1:
            raise ValueError(f"n_fake is {n_fake}, but should be at least 1")
        self.real, self.n_fake, self.shift, self.shape = real, n_fake, shift, (height, width)
        self.seen = Reference(data, "the data", "train")
        self.unseen = Reference(data, "the data", "held_out")

    def __call__(self, fake: Tensor) -> Measured:
        fake = fake[: self.n_fake]
        if not torch.isfinite(fake).all():
            return Measured(dict.fromkeys(("share", "ratio", "seen", "unseen"), float("nan")), self.protocol())
        some, unseen = self._unseen.shape[0], self._unseen
        images = self._small(fake)
        to_some, to_rest = self._to_seen(images, some)
        to_seen, of_unseen = torch.minimum(to_some, to_rest), self._of_unseen
        near = of_unseen.quantile(PERCENTILE)
        to_unseen = self._nearest(images, unseen)

        def within(distances: Tensor) -> float:
            return (distances <= near).double().mean().item()

        values = {
            "share": within(to_seen),
            "ratio": (to_seen.median() / of_unseen.median().clamp(min=1e-9)).item(),
            "seen": within(to_some),
            "unseen": within(to_unseen),
        }
        verdict = ""
        if values["share"] >= BOUND and values["seen"] > TIMES * values["unseen"]:
            verdict = (
                f"memorising: {share(values['share'])} of the samples are nearer to a training image than "
                f"{share(1 - PERCENTILE)} of unseen real images are"
            )
        return Measured(values, self.protocol(), verdict)

    def protocol(self) -> dict[str, Any]:
        """What the numbers depend on."""
        return {
            "trained_on": self.seen.fingerprint,
            "unseen": self.unseen.fingerprint,
            "n_trained_on": len(self.seen),
            "n_unseen": len(self._unseen),
            "field": self.real,
            "quantised": "uint8",
            "compared_at": "x".join(map(str, self.shape)),
        }

    def _small(self, images: Tensor) -> Tensor:
        images = unit(images, self.field.range)
        return images if tuple(images.shape[2:]) == self.shape else adaptive_avg_pool2d(images, self.shape)

    @cached_property
    def _unseen(self) -> Tensor:
        n = min(self.n_fake, len(self.unseen), len(self.seen))
        return torch.cat([self._small(rows[self.real]) for rows in self.unseen.batches(n, CHUNK)])

    @cached_property
    def _of_unseen(self) -> Tensor:
        return torch.minimum(*self._to_seen(self._unseen, len(self._unseen)))

    def _to_seen(self, images: Tensor, some: int) -> tuple[Tensor, Tensor]:
        """The distances of images to the nearest of some training images, and to the nearest of the others."""
        found = [torch.full((len(images),), torch.inf) for _ in range(2)]
        order = torch.randperm(len(self.seen), generator=torch.Generator().manual_seed(0))
        for which, index in enumerate((order[:some], order[some:])):
            for rows in index.split(CHUNK):
                seen = self._small(self.seen.rows.batch(rows, torch.device("cpu"))[self.real])
                found[which] = torch.minimum(found[which], self._nearest(images, seen))
        return found[0], found[1]

    def _nearest(self, images: Tensor, others: Tensor) -> Tensor:
        """The distance of each image, shifted in every way, to the nearest of some others."""
        found = torch.full((len(images),), torch.inf)
        target = self._inside(others, 0, 0)
        lengths = target.square().sum(1)
        steps = range(-self.shift, self.shift + 1)
        for x in (self._inside(images, down, right) for down in steps for right in steps):
            squared = torch.addmm(lengths[None], x, target.T, alpha=-2).amin(1) + x.square().sum(1)
            found = torch.minimum(found, squared)
        return found.clamp(min=0).sqrt()

    def _inside(self, images: Tensor, down: int, right: int) -> Tensor:
        """What a shifted frame sees of the images, without the edge that only some shifts have."""
        (height, width), edge = self.shape, self.shift
        return images[..., edge + down : height - edge + down, edge + right : width - edge + right].flatten(1)
