"""How well an encoder tells classes apart that it was never shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ganzoo_metrics.images import field_of, nowhere
from torch import Tensor

from ganzoo.contract import Measured
from ganzoo.data.reference import Reference

CHUNK = 500


class NearestNeighbour:
    """Accuracy of the class of the nearest training image: ``nearest(real, label, E(_))``, E an encoder; 1 is best.

    Distances are Euclidean, between what the encoder gives for each image that is held out and for all images that
    were trained on, flattened: ``nearest(real, label, E(_).logits)`` takes another of its outputs, and
    ``nearest(real, label)`` the images themselves.

    Paper: arXiv:1605.09782 table 1.

    Args:
        data: What was trained on, labels included.
        real: Its field of images or vectors.
        classes: Its field of labels.

    Raises:
        ValueError: `real` or `classes` is no such field of the data.
    """

    better = "higher"

    def __init__(self, data: Any, real: str = "real", classes: str = "label"):
        field_of(data.fields, real, "image", "vector")
        field_of(data.fields, classes, "label")
        self.real, self.classes = real, classes
        self.seen = Reference(data, "the data", "train")

    def __call__(
        self, real: Tensor, label: Tensor, encoder: Callable[[Tensor], Tensor] = torch.Tensor.float
    ) -> Measured:
        rows = list(self.seen.batches(size=CHUNK))
        images = torch.cat([some[self.real] for some in rows])
        known, asked = (torch.cat([encoder(some) for some in x.split(len(real))]) for x in (images, real))
        classes = torch.cat([some[self.classes] for some in rows])
        protocol = {"trained_on": self.seen.fingerprint, "n_trained_on": len(known), "neighbours": 1}
        if not (torch.isfinite(known).all() and torch.isfinite(asked).all()):
            return nowhere(protocol=protocol)
        known, asked = (found.cpu().double().view(len(found), -1) for found in (known, asked))
        nearest = torch.cat([torch.cdist(some, known).argmin(1) for some in asked.split(CHUNK)])
        return Measured((classes[nearest] == label.flatten().cpu()).double().mean().item(), protocol)
