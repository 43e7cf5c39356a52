"""Whether generated voxels are whole solids like real ones."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from einops import rearrange
from ganzoo_metrics.class_coverage import missing_classes
from ganzoo_metrics.images import field_of, nowhere
from torch import Tensor

from ganzoo.contract import Measured
from ganzoo.data.reference import Reference

CHUNK = 250


class SolidShapes:
    """Generated voxels beside the nearest real ones: ``solids(fake) -> {whole, overlap, classes, total_variation}``.

    Voxels above the middle of their range are filled. `whole` is the share of samples that are one piece, by voxels
    that share a face, without cavities. `overlap` is the mean of the largest intersection over union with a real one.
    The class of a sample is that of the real sample nearest by it: `classes` counts those that are not missing, by the
    rule of `metric.class_coverage`, and `total_variation` is 1/2 sum_k |c_k / n - p_k|. The verdict names missing ones.

    Paper: arXiv:1610.07584 section 4.1, where people look and count.

    Args:
        reference: The real samples, with labels.
        real: Their field of voxels.
        classes: Their field of labels.

    Raises:
        ValueError: `real` or `classes` is no such field of the reference.
    """

    better: ClassVar = {"whole": "higher", "overlap": "higher", "classes": "higher", "total_variation": "lower"}

    def __init__(self, reference: Reference, real: str = "real", classes: str = "label"):
        self.field = field_of(reference.fields, real, "vector", "image")
        self.names = field_of(reference.fields, classes, "label").classes
        self.reference, self.real, self.classes = reference, real, classes
        self._kept: tuple[Tensor, Tensor] | None = None

    def __call__(self, fake: Tensor) -> Measured:
        if not torch.isfinite(fake).all():
            return nowhere(*self.better, protocol=self.protocol())
        real, label = self.rows()
        filled = self.filled(fake.cpu())
        best, nearest = (
            torch.cat(parts) for parts in zip(*(overlaps(f, real) for f in filled.split(CHUNK)), strict=True)
        )
        counts = torch.bincount(label[nearest], minlength=len(self.names)).double()
        wanted = torch.bincount(label, minlength=len(self.names)).double() / len(label)
        missing = missing_classes(counts, wanted, torch.zeros_like(wanted))
        solid = [whole(one) for one in filled.numpy().astype(bool)]
        values = {
            "whole": float(np.mean(solid)),
            "overlap": best.mean().item(),
            "classes": float((wanted > 0).sum()) - len(missing),
            "total_variation": (counts / counts.sum() - wanted).abs().sum().item() / 2,
        }
        said = ", ".join(self.names[k] for k in missing)
        return Measured(values, self.protocol(), f"collapsed: (nearly) no {said} is found" if missing else "")

    def filled(self, x: Tensor) -> Tensor:
        """``B C … -> B …``, 1 where any channel is filled, otherwise 0."""
        low, high = self.field.range or (0.0, 1.0)
        return (x > (low + high) / 2).any(1).float()

    def rows(self) -> tuple[Tensor, Tensor]:
        if self._kept is None:
            rows = list(self.reference.batches(None, CHUNK))
            self._kept = (
                torch.cat([self.filled(some[self.real]) for some in rows]),
                torch.cat([some[self.classes] for some in rows]),
            )
        return self._kept

    def protocol(self) -> dict[str, Any]:
        """What the numbers depend on."""
        return self.reference.protocol() | {"n_real": len(self.reference), "field": self.real}


def overlaps(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The largest intersection over union of each of some solids with others, and with which: ``B …, N … -> B, B``."""
    a, b = (rearrange(t, "n ... -> n (...)") for t in (x, y))
    both = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1) - both
    return tuple((both / either.clamp(min=1)).max(1))  # type: ignore[return-value]


def whole(filled: np.ndarray) -> bool:
    """Whether filled voxels are one piece without cavities."""
    from scipy import ndimage

    pieces = ndimage.label(filled)[1]
    return bool(pieces == 1 and np.array_equal(ndimage.binary_fill_holes(filled), filled))
