"""Whether generated images are copies of training images."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.images import field_of, nowhere, share, unit

CHUNK = 2000
PERCENTILE = 0.01  # of unseen real images: what is nearer to a training image than that is near
BOUND = 0.1  # of the generated images being near, from which on it is named
TIMES = 3.0  # what nearness to unseen images explains
ENOUGH = 200  # images: with fewer, chance alone would make a tenth of them near too often


class Memorisation:
    """The share of generated images that are nearer to a training image than 99 % of unseen real ones are.

    d(x) = min over training images t and shifts s of |s(x) - t|, on the pixels that stay inside the frame

    `share`, that of generated images whose d is at most the first percentile of d over held-out images, is 0.01 for
    new images of the data's distribution and 1 for copies; `ratio` is the median of d over that of held-out images;
    `unseen` is the share that lies as near to a held-out image. Blurred or collapsed images may be near to both. If
    they were no nearer to seen images than to unseen ones, `share` could be at most N / M `unseen`, with N training
    and M held-out images. So the verdict is given where `share` is 0.1 or more, and more than three times that, of
    200 images or more, against as many held out.

    Images are quantised, and averaged down where they are larger than `size`. The time grows as
    samples x training images x pixels x (2 shift + 1)^2: 10 s for 2,000 against 10,000 of 28x28 on one core.

    Source: the three samples of arXiv:2004.05675 section 2, with a percentile in place of a rank test.

    Args:
        data: What was trained on.
        real: Its field of images.
        n_fake: Largest number of generated images that are looked at, and of held-out ones.
        shift: Distance, in pixels, up to which a copy may be moved either way.
        size: Images with longer sides are averaged down to it.

    Raises:
        ValueError: `real` is no image of the data, or an argument is out of bounds.
        UserError: (when called) the data holds nothing out.
    """

    better: ClassVar = {"share": "lower", "ratio": "higher", "unseen": "lower"}

    def __init__(
        self, data: Any, real: str = "real", n_fake: PositiveInt = 2000, shift: int = 1, size: PositiveInt = 32
    ):
        self.field = field_of(data.fields, real, "image")
        height, width = (min(side, size) for side in self.field.shape[1:])
        if shift < 0 or min(height, width) <= 2 * shift:
            raise ValueError(f"shift is {shift}, but should be from 0 to less than half of {height}x{width}")
        self.real, self.n_fake, self.shift, self.shape = real, n_fake, shift, (height, width)
        self.seen = Reference(data, "the data", "train")
        self.unseen = Reference(data, "the data", "held_out")

    def __call__(self, fake: Tensor) -> Measured:
        fake = fake[: self.n_fake]
        if not torch.isfinite(fake).all():
            return nowhere("share", "ratio", "unseen", protocol=self.protocol(len(fake)))
        images = self._small(fake)
        to_seen = self._to_seen(images)
        near = self._of_unseen.quantile(PERCENTILE)

        def within(distances: Tensor) -> float:
            return (distances <= near).double().mean().item()

        values = {
            "share": within(to_seen),
            "ratio": (to_seen.median() / self._of_unseen.median().clamp(min=1e-9)).item(),
            "unseen": within(self._nearest(images, self._unseen)),
        }
        explained = values["unseen"] * len(self.seen) / len(self._unseen)
        verdict = ""
        enough = len(images) >= ENOUGH and len(self._unseen) >= ENOUGH
        if enough and values["share"] >= BOUND and values["share"] > TIMES * explained:
            verdict = (
                f"memorising: {share(values['share'])} of the samples are nearer to a training image than "
                f"{share(1 - PERCENTILE)} of unseen real images are"
            )
        return Measured(values, self.protocol(len(fake)), verdict)

    def protocol(self, n_fake: PositiveInt) -> dict[str, Any]:
        """What the numbers depend on."""
        return {
            "n_fake": n_fake,
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
        n = min(self.n_fake, len(self.unseen))
        return torch.cat([self._small(rows[self.real]) for rows in self.unseen.batches(n, CHUNK)])

    @cached_property
    def _of_unseen(self) -> Tensor:
        return self._to_seen(self._unseen)

    def _to_seen(self, images: Tensor) -> Tensor:
        """The distances of images to the nearest training image."""
        found = torch.full((len(images),), torch.inf)
        for rows in self.seen.batches(size=CHUNK):
            found = torch.minimum(found, self._nearest(images, self._small(rows[self.real])))
        return found

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
