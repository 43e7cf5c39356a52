"""Clothes drawn by rules: flat outlines whose measures vary, in the ten classes of Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

SCALE = 2  # drawn so much larger, then averaged
Points = list[tuple[float, float]]


class Pen:
    """An image from 0 to 1 in both directions, drawn on with greys from 0 to 1, and a source of measures."""

    def __init__(self, random: np.random.Generator, side: int, greys: tuple[float, float]):
        self.random, self.side = random, side * SCALE
        self.image = Image.new("L", (self.side, self.side))
        self.draw = ImageDraw.Draw(self.image)
        self.grey = self.between(*greys)

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def scaled(self, points: Points) -> Points:
        return [(x * (self.side - 1), y * (self.side - 1)) for x, y in points]

    def fill(self, points: Points, shade: float = 1.0) -> None:
        self.draw.polygon(self.scaled(points), fill=int(255 * self.grey * shade))

    def both(self, half: Points, shade: float = 1.0) -> None:
        """A shape that is the same on both sides of the middle; `half` is its right side from top to bottom."""
        left = [(0.5 - x, y) for x, y in reversed(half)]
        self.fill([(0.5 + x, y) for x, y in half] + left, shade)

    def line(self, points: Points, shade: float = 0.5, width: float = 0.04) -> None:
        self.draw.line(self.scaled(points), fill=int(255 * self.grey * shade), width=max(int(width * self.side), 1))

    def pixels(self) -> np.ndarray:
        return np.asarray(self.image.reduce(SCALE))


def _top(pen: Pen, sleeve: float, hem: float) -> None:
    """A body with sleeves that end at the height `sleeve`."""
    body, shoulder, neck = pen.between(0.2, 0.27), pen.between(0.24, 0.3), pen.between(0.07, 0.13)
    reach = pen.between(0.4, 0.48)
    half = [(neck, 0.05), (shoulder, 0.1), (reach, sleeve - 0.04), (reach - 0.14, sleeve), (body, 0.35), (body, hem)]
    pen.both(half)
    pen.fill([(0.5 - neck, 0.05), (0.5 + neck, 0.05), (0.5, 0.05 + pen.between(0.03, 0.12))], 0.0)


def t_shirt(pen: Pen) -> None:
    _top(pen, pen.between(0.3, 0.45), 0.95)


def trouser(pen: Pen) -> None:
    waist, leg, gap = pen.between(0.13, 0.19), pen.between(0.17, 0.24), pen.between(0.03, 0.1)
    pen.both([(waist, 0.03), (leg, 0.4), (leg, 0.97), (gap, 0.97), (0.01, pen.between(0.25, 0.4))])


def pullover(pen: Pen) -> None:
    _top(pen, pen.between(0.8, 0.92), pen.between(0.85, 0.95))


def dress(pen: Pen) -> None:
    top, waist, hem = pen.between(0.1, 0.17), pen.between(0.08, 0.13), pen.between(0.14, 0.3)
    pen.both([(top * 0.6, 0.03), (top, 0.08), (top, 0.25), (waist, 0.4), (hem, 0.97)])


def coat(pen: Pen) -> None:
    _top(pen, pen.between(0.85, 0.95), 0.97)
    pen.line([(0.5, 0.08), (0.5, 0.97)], 0.3)


def sandal(pen: Pen) -> None:
    heel, toe = pen.between(0.55, 0.85), pen.between(0.75, 0.85)
    pen.fill([(0.03, toe - 0.05), (0.6, heel - 0.1), (0.97, heel - 0.15), (0.97, 0.85), (0.85, 0.85), (0.05, 0.85)])
    for start in (pen.between(0.15, 0.3), pen.between(0.35, 0.5), pen.between(0.6, 0.8)):
        pen.line(
            [(start, toe - 0.05), (start + pen.between(0.05, 0.2), pen.between(0.3, 0.45)), (0.95, heel - 0.1)], 0.8
        )


def shirt(pen: Pen) -> None:
    _top(pen, pen.between(0.4, 0.9), 0.95)
    for y in np.arange(0.2, 0.95, 0.12):
        pen.line([(0.48, y), (0.52, y)], 0.3)
    pen.line([(0.42, 0.06), (0.5, 0.16), (0.58, 0.06)], 0.5)


def sneaker(pen: Pen) -> None:
    top, sole = pen.between(0.35, 0.45), pen.between(0.68, 0.74)
    pen.fill(
        [
            (0.02, sole),
            (0.1, sole - 0.12),
            (0.45, top + 0.05),
            (0.6, top),
            (0.75, top + 0.06),
            (0.95, top),
            (0.98, sole),
        ]
    )
    pen.fill([(0.02, sole), (0.98, sole), (0.98, sole + 0.07), (0.04, sole + 0.07)], pen.between(0.4, 1.0))


def bag(pen: Pen) -> None:
    top, half = pen.between(0.3, 0.5), pen.between(0.38, 0.48)
    rise, wide = pen.between(0.03, 0.25), pen.between(0.15, 0.3)
    pen.line([(0.5 - wide, top), (0.5 - wide + 0.05, rise), (0.5 + wide - 0.05, rise), (0.5 + wide, top)], 0.9, 0.06)
    pen.both([(half - pen.between(0.0, 0.08), top), (half, 0.93)])


def ankle_boot(pen: Pen) -> None:
    shaft, sole = pen.between(0.03, 0.2), pen.between(0.84, 0.9)
    front = pen.between(0.4, 0.52)
    pen.fill([(0.03, sole), (0.08, sole - 0.15), (front, sole - 0.35), (front, shaft), (0.93, shaft), (0.97, sole)])
    pen.fill(
        [(0.03, sole), (0.97, sole), (0.97, sole + 0.1), (0.7, sole + 0.1), (0.65, sole + 0.05), (0.04, sole + 0.05)],
        0.6,
    )


CLOTHES: tuple[Callable[[Pen], None], ...] = (
    t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot,
)  # fmt: skip


def clothes(
    count: int, seed: int, greys: tuple[float, float] = (0.5, 0.5), side: int = 28
) -> tuple[np.ndarray, np.ndarray]:
    """So many drawings in greys between two, the classes in turn: bytes ``count side side 1`` and labels ``count``."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLOTHES)
    images = np.zeros((count, side, side, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        pen = Pen(random, side, greys)
        CLOTHES[label](pen)
        image[..., 0] = pen.pixels()
    return images, labels.astype(np.int64)
