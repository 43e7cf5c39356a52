"""How alike generated images are among themselves."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures
from ganzoo_metrics.images import field_of, nowhere, unit
from ganzoo_metrics.similarity import ms_ssim, scales

CHUNK = 64
BOUND = 0.2  # of what real images have: below, samples are nearly all alike
MOST = 5000  # real images among which pairs are drawn


class Diversity(ImageFeatures):
    """How alike random pairs are: ``diversity(fake)``, ``diversity(fake, E)``, or within classes ``…(fake, E, label)``.

    `ms_ssim` is the mean MS-SSIM of pairs, 1 for equal images, and `ms_ssim_real` that of pairs of real images; with
    an extractor, `spread` is the mean distance of pairs in its features, relative to that of real pairs. With labels,
    pairs are of one class, and what is returned is the mean over classes. The verdict is given where 1 - MS-SSIM or
    `spread` is below a fifth of the real data's own; with labels it names the classes.

    Paper: arXiv:1610.09585 section 4.2.

    Args:
        reference: The real images.
        real: Their field.
        classes: The field of their labels, for pairs within classes.
        pairs: How many; of each class with labels.
        n_real: Among how many real images pairs are drawn; 5,000 or all, if not given.
        seed: Seed of the drawing of pairs.

    Raises:
        ValueError: `real` is no image of the reference, `pairs` is below 1, or (when called) labels are given but the
            reference has none, or images are smaller than 11x11.
    """

    better: ClassVar = {"ms_ssim": "lower", "spread": "higher"}

    def __init__(
        self,
        reference: Reference,
        real: str = "real",
        classes: str = "label",
        pairs: PositiveInt = 500,
        n_real: PositiveInt | None = None,
        seed: int = 0,
    ):
        super().__init__(reference, real, n_real)
        self.classes, self.pairs, self.seed = classes, pairs, seed
        self._real: dict[str, dict[int, tuple[float, float]]] = {}

    def dry(self, fake: Tensor, extractor: nn.Module | None = None, label: Tensor | None = None) -> Tensor:
        """Whether images are large enough and the extractor takes them."""
        if label is not None:
            field_of(self.reference.fields, self.classes, "label")
        ms_ssim(fake[:1], fake[:1])
        return fake if extractor is None else super().dry(fake, extractor)

    def __call__(self, fake: Tensor, extractor: nn.Module | None = None, label: Tensor | None = None) -> Measured:
        names = ("ms_ssim", "ms_ssim_real", "spread")[: 2 if extractor is None else 3]
        protocol = self.protocol() | {"pairs": self.pairs, "scales": scales(fake), "draw_seed": self.seed}
        protocol |= {"n_real": self._n_real(), "within": "all" if label is None else "classes"}
        if not torch.isfinite(fake).all():
            return nowhere(*names, protocol=protocol)
        of_fake = self._alike(fake, None if label is None else label.flatten().cpu(), extractor)
        of_real = self._of_real(extractor, label is not None)
        known = sorted(of_fake.keys() & of_real.keys())
        if not known:
            raise ValueError("there are no two samples to compare, generated and real, of any class")
        rows = [(*of_fake[k], *of_real[k]) for k in known]
        alike = [
            _ratio(1 - a, 1 - c) < BOUND or (extractor is not None and _ratio(b, d) < BOUND) for a, b, c, d in rows
        ]
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        values = dict(zip(names, (mean[0], mean[2], _ratio(mean[1], mean[3])), strict=False))
        return Measured(values, protocol, self._verdict([k for k, a in zip(known, alike, strict=True) if a], label))

    def _verdict(self, alike: list[int], label: Tensor | None) -> str:
        if not alike:
            return ""
        if label is None:
            return "collapsed: samples are nearly all alike"
        names = field_of(self.reference.fields, self.classes, "label").classes
        return f"collapsed: samples are nearly all alike within {', '.join(names[k] for k in alike)}"

    def _n_real(self) -> int:
        return self.n_real or min(MOST, len(self.reference))

    def _of_real(self, extractor: nn.Module | None, within: bool) -> dict[int, tuple[float, float]]:
        key = self._key(extractor, f"pairs {extractor is None} {within}", self._n_real())
        if key in self._real:
            return self._real[key]
        rows = list(self.reference.batches(self._n_real()))
        label = None
        if within:
            field_of(self.reference.fields, self.classes, "label")
            label = torch.cat([some[self.classes] for some in rows])
        found = self._alike(torch.cat([some[self.real] for some in rows]), label, extractor)
        if extractor is None or getattr(extractor, "sha256", None):  # another may have learnt since
            self._real[key] = found
        return found

    def _alike(
        self, images: Tensor, label: Tensor | None, extractor: nn.Module | None
    ) -> dict[int, tuple[float, float]]:
        """By class (or 0): the mean MS-SSIM and the mean distance of features of random pairs."""
        generator = torch.Generator().manual_seed(self.seed)
        label = torch.zeros(len(images), dtype=torch.long) if label is None else label
        found = {}
        for k in label.unique().tolist():
            rows = (label == k).nonzero().flatten()
            if len(rows) < 2:
                continue
            a = torch.randint(len(rows), (self.pairs,), generator=generator)
            b = (a + 1 + torch.randint(len(rows) - 1, (self.pairs,), generator=generator)) % len(rows)
            x, y = images[rows[a]], images[rows[b]]
            halves = zip(x.split(CHUNK), y.split(CHUNK), strict=True)
            similar = torch.cat(
                [ms_ssim(*(unit(half, self.field.range, torch.float64) for half in pair)) for pair in halves]
            )
            distance = 0.0
            if extractor is not None:
                distance = (self.of(x, extractor) - self.of(y, extractor)).double().norm(dim=1).mean().item()
            found[int(k)] = (similar.mean().item(), distance)
        return found


def _ratio(found: Any, of_real: Any) -> float:
    return float(found / max(of_real, 1e-12))
