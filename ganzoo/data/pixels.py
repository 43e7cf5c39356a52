"""What the pixels of an image file are, whatever its mode: for data and for inputs of a command alike."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
COMMON = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")  # read and written; messages name these
SUFFIXES = {*COMMON, ".apng", ".jpe", ".jfif", ".dib", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"}


def is_image(name: str) -> bool:
    """Whether a file name ends like an image's, and is not hidden. Source: the formats that Pillow reads."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def transparent(image: Image.Image) -> bool:
    """Whether an image has, or may have, transparent pixels. Source: Pillow, concepts, modes."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def flatten(image: Image.Image, channels: int) -> Image.Image:
    """An image of any mode as 8 bits in 1, 3 or 4 channels. Source: Pillow, concepts, modes.

    Raises:
        ValueError: its pixels are floats or 32-bit integers, of which nobody knows what white is.
    """
    if image.mode.startswith("I"):
        return _eight_bits(image).convert(MODES[channels])
    if image.mode == "F":
        raise ValueError("its pixels are floats, of which nobody knows what white is; convert it to 8 or 16 bits")
    if transparent(image):
        clear = image.convert("RGBA")
        if channels == 4:
            return clear
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, clear)
    return image.convert(MODES[channels])


def _eight_bits(image: Image.Image) -> Image.Image:
    """Of 16-bit grey: 65535 is white."""
    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > 65535:
        raise ValueError("its pixels are 32-bit integers, of which nobody knows what white is; convert it to 16 bits")
    return Image.fromarray(((grey + 128) // 257).astype(np.uint8))
