"""Emoji on photographs, with their masks and other photographs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.openmoji import TILE, OpenMoji, shrunk
from ganzoo_data.photos import Photos

from ganzoo.data.fields import Field


class OpenMojiOnPhotos(ImageSet):
    """2163 emoji drawings pasted on patches of photographs, bundled: `real`, `mask` 1 on the drawing, `base`, `text`.

    `base` is a patch of a photograph without a drawing, and never the one in `real`; `text` as in `data.openmoji`. The
    drawings and the photographs for testing are in neither the training's drawings nor its photographs. The mask is all
    that is not white, holes filled. Source: `data.openmoji` and `data.photos`, with their licences; see
    files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of the images, up to 64.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(self, split: Split = "train", range: tuple[float, float] = (-1.0, 1.0), size: int = TILE):
        super().__init__(split, range)
        self.drawings = OpenMoji(("real", "text"), split, range, size)
        self.size = size

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        colour, grey = self.image(3, self.size, self.size), self.image(1, self.size, self.size)
        return {"real": colour, "mask": grey, "base": colour, "text": self.drawings.fields["text"]}

    def load(self) -> dict[str, np.ndarray]:
        from scipy.ndimage import binary_fill_holes

        found = OpenMoji(("real", "text"), self.split).load()
        large = found["real"]
        thing = np.stack([binary_fill_holes(drawing.min(-1) < 250) for drawing in large])[..., None]
        photos = Photos(self.split, size=2 * TILE, stride=TILE).load()["real"]
        rng = np.random.default_rng(0)
        under = rng.integers(0, len(photos), len(large))
        other = (under + rng.integers(1, len(photos), len(large))) % len(photos)
        scenes = np.where(thing, large, shrunk(photos[under], TILE))
        rows = {"real": scenes, "mask": thing.astype(np.uint8) * 255, "base": shrunk(photos[other], TILE)}
        sized = {name: image if self.size == TILE else shrunk(image, self.size) for name, image in rows.items()}
        return {**sized, "text": found["text"]}
