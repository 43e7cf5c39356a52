"""OpenMoji: drawings with their line art, their captions and the groups they belong to."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Literal

import numpy as np
from einops import rearrange
from PIL import Image

from ganzoo.bounds import PositiveInt
from ganzoo.data.arrays import label_field
from ganzoo.data.fields import Field
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.places import BUNDLED

FOLDER = BUNDLED / "openmoji64"
TILE, COLUMNS, WIDTH = 64, 48, 384
NAMES = ("real", "line", "label", "text")


class OpenMoji(ImageSet):
    """2163 emoji drawings, bundled: colour `real`, grey `line`, `label` of 11 groups, 384 numbers of `text`.

    `line` is the line art of the same drawing, aligned pixel by pixel; `text` is the sentence embedding of the caption
    with its tags (``cat face: animal, cat, face, pet``) by `encoder.minilm`, of unit length. 1916 are for training, 247
    for testing. Source: OpenMoji 17.0.0. Licence: CC BY-SA 4.0, "All emojis designed by OpenMoji - the open-source
    emoji and icon project"; see
    files/CREDITS.md.

    Args:
        fields: Which of real, line, label and text.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of the images; below 64 each pixel is the mean of the area it covers.
        count: Number of drawings for training, taken evenly from all of them; all if not given.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        fields: tuple[Literal["real", "line", "label", "text"], ...] = ("real", "label"),
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int = TILE,
        count: PositiveInt | None = None,
    ):
        super().__init__(split, range)
        if not fields or len(set(fields)) != len(fields) or not set(fields) <= set(NAMES):
            raise ValueError(f"fields is {list(fields)}, but should be some of {', '.join(NAMES)}, each once")
        if not 1 <= size <= TILE:
            raise ValueError(f"size is {size}, but should be from 1 to 64, the size of the drawings")
        self.names, self.size, self.count = tuple(fields), size, count
        if count is not None and count > (most := sum(row["split"] == "train" for row in captions())):
            raise ValueError(f"count is {count}, but there are {most} drawings for training")

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        specs = {
            "real": self.image(3, self.size, self.size),
            "line": self.image(1, self.size, self.size),
            "label": label_field(self.labels, groups()),
            "text": Field("text", (WIDTH,), encoder="encoder.minilm"),
        }
        return {name: specs[name] for name in self.names}

    @property
    def numbers(self) -> np.ndarray:
        """The tiles of this split, int64 ``N``."""
        found = np.array([i for i, row in enumerate(captions()) if row["split"] == self.split])
        if self.count is None or self.split == "test":
            return found
        return found[np.arange(self.count) * len(found) // self.count]

    @property
    def labels(self) -> np.ndarray:
        """The group of each drawing of this split, int64 ``N``."""
        number = {name: i for i, name in enumerate(groups())}
        return np.array([number[captions()[i]["group"]] for i in self.numbers], np.int64)

    @property
    def texts(self) -> list[str]:
        """The caption of each drawing of this split."""
        return [captions()[i]["annotation"] for i in self.numbers]

    def load(self) -> dict[str, np.ndarray]:
        readers = {
            "real": lambda: tiles("color.png", self.numbers, self.size),
            "line": lambda: tiles("line.png", self.numbers, self.size),
            "label": lambda: self.labels,
            "text": lambda: np.load(FOLDER / "text_embeddings.npy")[self.numbers].astype(np.float32),
        }
        return {name: readers[name]() for name in self.names}


@cache
def captions() -> tuple[dict[str, str], ...]:
    """A row for each drawing: hexcode, annotation, tags, group, subgroup, split. Source: OpenMoji's openmoji.csv."""
    with (FOLDER / "captions.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def groups() -> tuple[str, ...]:
    """The names of the 11 groups, sorted. Source: OpenMoji's openmoji.csv."""
    return tuple(sorted({row["group"] for row in captions()}))


def tiles(name: str, numbers: np.ndarray, size: int) -> np.ndarray:
    """The drawings with these numbers from a sheet of tiles, uint8 ``N size size C``. Source: files/CREDITS.md."""
    with Image.open(FOLDER / name) as sheet:
        pixels = np.atleast_3d(np.asarray(sheet))
    found = rearrange(pixels, "(down h) (across w) c -> (down across) h w c", h=TILE, w=TILE)[numbers]
    return found if size == TILE else shrunk(found, size)


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Square images ``N H H C`` as ``N size size C``, each pixel the mean of its area. Source: Pillow's BOX filter."""
    box = Image.Resampling.BOX
    grey = images.shape[-1] == 1
    small = [np.asarray(Image.fromarray(i[..., 0] if grey else i).resize((size, size), box)) for i in images]
    return rearrange(small, "n h w -> n h w 1") if grey else np.stack(small)
