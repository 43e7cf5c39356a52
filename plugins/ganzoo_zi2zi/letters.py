"""Letters rendered from font files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from annotated_types import Ge
from PIL import Image, ImageDraw, ImageFont

from ganzoo.bounds import Fraction
from ganzoo.data.arrays import Arrays, label_field
from ganzoo.data.fields import Field
from ganzoo.errors import UserError, choices

SUFFIXES = (".ttf", ".otf")
OURS = (  # of the faces that matplotlib brings, those with Latin letters
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILLED = 0.8  # of the image: its height by what all letters of a face take together


class Letters(Arrays):
    """Letters of fonts, `real`, and the same ones of one font, `source`, black on white, with `letter` and `font`.

    Every face is scaled and placed so that all its letters together fill the middle of the image; faces without all of
    the letters are left out. Of pairs of a letter and a face every so many are held out, others in every face: each
    letter is seen in most faces, and each face with most letters.

    Source: ganzoo's own, after https://github.com/kaonashi-tyc/zi2zi.

    Args:
        root: A folder of files ``.ttf`` or ``.otf``; by default, 22 faces that matplotlib brings.
        size: Height and width of an image.
        letters: The characters.
        source: The face of `source`, the name of a file without its suffix; the first one if not given.
        holdout: The part of the pairs that is held out, such as 0.2 for every fifth; 0 for none.
        range: The values of black and white.
        split: ``train`` or ``test``.

    Raises:
        UserError: there are no fonts with these letters, or none of that name.
    """

    of_one_split = (*Arrays.of_one_split, "pairs")

    def __init__(
        self,
        root: Path | None = None,
        size: Annotated[int, Ge(8)] = 32,
        letters: str = CAPITALS,
        source: str | None = None,
        holdout: Fraction = 0.2,
        range: tuple[float, float] = (-1.0, 1.0),
        split: str = "train",
    ):
        self.root = Path(root).expanduser() if root is not None else None
        self.size, self.letters, self.source, self.range = size, letters, source, range
        self.holdout, self.split = holdout, split

    @cached_property
    def faces(self) -> dict[str, Path]:
        """The files by the names of their faces."""
        from matplotlib import get_data_path
        from matplotlib.ft2font import FT2Font

        if self.root is None:
            return {name: Path(get_data_path()) / "fonts" / "ttf" / f"{name}.ttf" for name in OURS}
        found: dict[str, Path] = {}
        for path in sorted(p for p in self.root.rglob("*") if p.suffix.lower() in SUFFIXES):
            try:
                known = FT2Font(str(path)).get_charmap()
            except RuntimeError as error:
                raise UserError(f"{path} is no font that can be read: {error}") from None
            if all(ord(letter) in known for letter in self.letters):
                found.setdefault(path.stem, path)
        if not found:
            said = f"`root:` should be a folder of files {' or '.join(SUFFIXES)} that have all of '{self.letters}'"
            raise UserError(f"no fonts under {self.root}; {said}")
        return found

    @cached_property
    def first(self) -> str:
        """The face that is given."""
        if self.source is None:
            return next(iter(self.faces))
        if self.source not in self.faces:
            raise UserError(f"there is no font '{self.source}' ({choices(self.source, self.faces)})")
        return self.source

    @cached_property
    def pairs(self) -> np.ndarray:
        """The face and the letter of every row, ``n 2``."""
        face, letter = np.indices((len(self.faces), len(self.letters)))
        every = round(1 / self.holdout) if self.holdout else 0
        held = (face + letter) % every == every - 1 if every else np.zeros_like(face, bool)
        return np.argwhere(held if self.split == "test" else ~held)

    @property
    def fields(self) -> Mapping[str, Field]:
        image = Field("image", (1, self.size, self.size), self.range)
        face, letter = self.pairs.T
        return {
            "real": image,
            "source": image,
            "letter": label_field(letter, tuple(self.letters)),
            "font": label_field(face, tuple(self.faces)),
        }

    def load(self) -> dict[str, np.ndarray]:
        drawn = {name: rendered(path, self.letters, self.size) for name, path in self.faces.items()}
        face, letter = self.pairs.T
        real = np.stack(list(drawn.values()))[face, letter][..., None]
        return {
            "real": real,
            "source": drawn[self.first][letter][..., None],
            "letter": letter.astype(np.int64),
            "font": face.astype(np.int64),
        }

    def held_out(self) -> Self | None:
        """The other pairs, or None if there are none."""
        return None if self.split == "test" or not self.holdout else self.of_split("test")


def rendered(path: Path, letters: str, size: int) -> np.ndarray:
    """The letters of a face, black on white, ``n size size``: on one line, each in the middle of its image."""
    font = ImageFont.truetype(str(path), 4 * size)
    boxes = np.array([font.getbbox(letter, anchor="ls") for letter in letters])
    top, bottom = boxes[:, 1].min(), boxes[:, 3].max()
    largest = max(bottom - top, (boxes[:, 2] - boxes[:, 0]).max())
    font = ImageFont.truetype(str(path), 4 * size * FILLED * size / largest)
    base = size / 2 - (top + bottom) / 2 * FILLED * size / largest
    images = []
    for letter in letters:
        image = Image.new("L", (size, size), 255)
        left, _, right, _ = font.getbbox(letter, anchor="ls")
        ImageDraw.Draw(image).text((size / 2 - (left + right) / 2, base), letter, fill=0, font=font, anchor="ls")
        images.append(np.asarray(image))
    return np.stack(images)
