"""Images to upload, and how images are compared."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (width, height), "white")
    ImageDraw.Draw(image).ellipse((1, 1, width * 2 // 3, height * 2 // 3), fill="black")
    return image


def same(one: Image.Image, two: Image.Image) -> bool:
    return one.size == two.size and ImageChops.difference(one.convert("RGB"), two.convert("RGB")).getbbox() is None
