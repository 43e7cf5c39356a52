"""How far generated images are from the data, in the features of an extractor."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.contract import first
from ganzoo.data import cache_folder, to_field, to_uint8
from ganzoo.errors import choices
from ganzoo.fields import Field
from ganzoo.run.folder import atomic
from ganzoo_metrics.moments import Moments, moments_distance

CHUNK = 500
VERSION = 1  # of the statistics kept on the disk


class Frechet:
    """The Fréchet distance of generated images from the data: ``frechet(fake, E)``, E an extractor; 0 is best.

    d^2 = |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), with mean m and covariance C of E's features, in float64

    Images become uint8 first, as they would in files. The data's side is computed once over every image of its split,
    and kept in ``$GANZOO_CACHE`` (or ``~/.cache/ganzoo``) under the data's fingerprint and the weights' hash. Fewer
    samples give larger values: compare numbers of equal n, extractor, data and split.

    Paper: arXiv:1706.08500 eq. 6.

    Args:
        data: The data.
        real: The data's field that the images should resemble.
        split: ``train``, the data that is trained on, or ``held_out``.

    Raises:
        ValueError: `real` is no image of the data.
    """

    def __init__(self, data: Any, real: str = "real", split: Literal["train", "held_out"] = "train"):
        images = {name: field for name, field in data.fields.items() if field.kind == "image"}
        if real not in images:
            raise ValueError(f"the data has no image '{real}' ({choices(real, images) or 'it has no images'})")
        self.data, self.real, self.split = data, real, split
        self.field: Field = images[real]
        self.known: dict[str, Moments] = {}

    def __call__(self, fake: Tensor, extractor: nn.Module) -> float:
        if not torch.isfinite(fake).all():
            return float("nan")
        found = Moments()
        for images in fake.split(CHUNK):
            found.update(self.features(images, extractor))
        if found.count <= len(found.mean):
            warnings.warn(
                f"{found.count} samples for {len(found.mean)} features: the distance is far too large", stacklevel=2
            )
        return moments_distance(self.reference(extractor), found)

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such images."""
        features = first(extractor(fake))
        if features.ndim != 2:
            raise ValueError(f"the extractor gives {features.ndim - 1}-dimensional features, but vectors are needed")
        return features

    def features(self, images: Tensor, extractor: nn.Module) -> Tensor:
        """Of images in the data's range, quantised: ``B C H W -> B n``."""
        held = next((t for t in (*extractor.buffers(), *extractor.parameters())), images)
        quantised = to_field(to_uint8(images.to(held.device), self.field.range), self.field)
        with torch.no_grad():
            return first(extractor(quantised))

    def reference(self, extractor: nn.Module) -> Moments:
        """The statistics of the data's side: remembered, read from the disk, or computed."""
        data = self.data if self.split == "train" else self.data.held_out()
        if data is None:
            raise ValueError("the data has no held-out part; write `split: train`")
        sha256 = getattr(extractor, "sha256", "")
        key = hashlib.sha256(repr((VERSION, data.fingerprint(), self.real, sha256)).encode()).hexdigest()[:32]
        if key not in self.known:
            path = cache_folder() / "statistics" / f"{key}.npz" if sha256 else None
            self.known[key] = _stored(path) or self.measure(data, extractor, path)
        return self.known[key]

    def measure(self, data: Any, extractor: nn.Module, path: Path | None) -> Moments:
        found = Moments()
        for index in torch.arange(len(data)).split(CHUNK):
            rows = data.batch(index, torch.device("cpu"))[self.real]
            found.update(self.features(rows, extractor))
        if path is not None:
            with suppress(OSError), atomic(path) as file:  # keeping it is only a courtesy
                np.savez(file, **found.arrays())
        return found


def _stored(path: Path | None) -> Moments | None:
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Moments.from_arrays(stored)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # absent, or damaged
        return None
