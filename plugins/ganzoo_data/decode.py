"""One image file as an array of the wanted size and channels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ganzoo.data.pixels import flatten, transparent

Fit = Literal["crop", "stretch", "pad"]
Half = Literal["left", "right"]
FILTER = Image.Resampling.LANCZOS
TURNS = {  # of the EXIF tag Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Header(NamedTuple):
    """What a file says about itself before it is decoded; the size is that of the upright image."""

    height: int
    width: int
    mode: str
    transparent: bool


class Recipe(NamedTuple):
    """What to make of every file, or half of one: height, width, channels (1, 3 or 4), how to fit other sizes."""

    height: int
    width: int
    channels: int
    fit: Fit = "crop"
    half: Half | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


def header(path: Path | BinaryIO) -> Header:
    """Size and mode of a file without decoding it. Source: Pillow, Image.open.

    Raises:
        Exception: of any kind, where the file is no image.
    """
    with Image.open(path) as image:
        width, height = image.size
        if _orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        return Header(height, width, image.mode, transparent(image))


def decode(path: Path | BinaryIO, recipe: Recipe) -> np.ndarray:
    """The upright image as uint8 ``H W C``. Source: Pillow; the EXIF 2.3 standard for Orientation.

    Transparent images are put on white unless four channels are wanted; 16 bits become 8; other sizes are scaled by
    Lanczos' filter: until they cover the wanted one and cropped around the centre (``crop``), until they lie inside it
    and padded with white (``pad``), or with no regard to their proportions (``stretch``).

    Raises:
        Exception: of any kind, where the file is damaged.
    """
    with Image.open(path) as image:
        orientation = _orientation(image)
        _draft(image, recipe, turned=orientation in (5, 6, 7, 8))
        flat = flatten(image, recipe.channels)
        if orientation in TURNS:
            flat = flat.transpose(TURNS[orientation])
        if recipe.half is not None:
            middle = flat.width // 2
            left, right = (0, middle) if recipe.half == "left" else (flat.width - middle, flat.width)
            flat = flat.crop((left, 0, right, flat.height))
        return np.asarray(_fitted(flat, recipe)).reshape(recipe.shape)


def _orientation(image: Image.Image) -> int:
    """How the camera was held. Pillow turns TIFF itself; a PNG would have to be decoded for a tag behind its pixels."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return int(image.getexif().get(0x0112, 1))


def _draft(image: Image.Image, recipe: Recipe, turned: bool) -> None:
    """Let a JPEG be decoded at a half, a quarter or an eighth where twice the wanted size is left."""
    width, height = image.size[::-1] if turned else image.size
    ratios = recipe.width / (width / 2 if recipe.half else width), recipe.height / height
    scale = 2 * (min(ratios) if recipe.fit == "pad" else max(ratios))
    if scale < 1:
        image.draft(None, (math.ceil(image.size[0] * scale), math.ceil(image.size[1] * scale)))


def _fitted(image: Image.Image, recipe: Recipe) -> Image.Image:
    size = recipe.width, recipe.height
    if image.size == size:
        return image
    if recipe.fit == "stretch":
        return image.resize(size, FILTER)
    if recipe.fit == "crop":
        return ImageOps.fit(image, size, FILTER)
    scale = min(recipe.width / image.width, recipe.height / image.height)
    inside = round(image.width * scale), round(image.height * scale)
    if 0 in inside:  # a strip so narrow that nothing of it would be left
        image = image.resize((max(inside[0], 1), max(inside[1], 1)), FILTER)
    white = {1: 255, 3: (255, 255, 255), 4: (255, 255, 255, 0)}[recipe.channels]
    return ImageOps.pad(image, size, FILTER, white)  # type: ignore[arg-type]
