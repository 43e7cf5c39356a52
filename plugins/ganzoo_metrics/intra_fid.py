"""The Fréchet distance class by class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures
from ganzoo_metrics.images import field_of, nowhere
from ganzoo_metrics.moments import frechet_distance

LISTED = 20


class IntraFid(ImageFeatures):
    """The Fréchet distance of each class from the real images of that class: ``intra_fid(fake, E, label)``.

    `mean` and `worst` over the classes, and each class's own by its name; of more than 20 classes only the number of
    the worst, `worst_class`. Classes with fewer than two samples on either side are left out; the protocol says how
    many are counted.

    Paper: arXiv:1802.05637 (intra FID).

    Args:
        reference: The real images and their labels.
        real: The field of the images.
        classes: The field of the labels.
        n_real: How many real images; all, if not given.

    Raises:
        ValueError: `real` is no image of the reference, or `classes` no label.
    """

    def __init__(
        self, reference: Reference, real: str = "real", classes: str = "label", n_real: PositiveInt | None = None
    ):
        super().__init__(reference, real, n_real)
        self.classes, self.names = classes, field_of(reference.fields, classes, "label").classes

    def dry(self, fake: Tensor, extractor: nn.Module, label: Tensor) -> Tensor:  # type: ignore[override]
        """Whether the extractor takes such images."""
        return super().dry(fake, extractor)

    def __call__(self, fake: Tensor, extractor: nn.Module, label: Tensor) -> Measured:
        if not torch.isfinite(fake).all():
            return nowhere("mean", "worst", protocol=self.protocol())
        label = label.flatten().cpu()
        if len(label) != len(fake):
            raise ValueError(f"{len(fake)} images have {len(label)} labels, but one each is needed")
        of_real, of_fake = self.of_real(extractor), self.of(fake, extractor)
        real_label = torch.cat([rows[self.classes] for rows in self.rows()])
        counts = [torch.bincount(labels, minlength=len(self.names)) for labels in (real_label, label)]
        counted = (torch.minimum(*counts)[: len(self.names)] > 1).nonzero().flatten().tolist()
        if not counted:
            raise ValueError("no class has two samples or more, generated and real")
        fewest = min(int(counts[1][k]) for k in counted)
        few = f"{fewest} samples of a class for {of_fake.shape[1]} features: its distance is far too large"
        found = {self.names[k]: frechet_distance(of_real[real_label == k], of_fake[label == k]) for k in counted}
        worst = max(found, key=lambda name: found[name])
        values = {"mean": sum(found.values()) / len(found), "worst": found[worst]}
        values |= found if len(found) <= LISTED else {"worst_class": float(self.names.index(worst))}
        protocol = {**self.protocol(), "classes": len(found)}
        return Measured(values, protocol, few if fewest <= of_fake.shape[1] else "")
