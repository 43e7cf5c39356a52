"""What data of two images from files has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import numpy as np

from ganzoo.data.fields import Field
from ganzoo.errors import Problem, UserError
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.decode import Fit
from ganzoo_data.folder import ImageFolder
from ganzoo_data.words import natural, printable, some

T = TypeVar("T")
SPLIT = "{split}"


class Two(ImageSet):
    """`real_a` and `real_b` from files under one root. The arguments that name its two folders are `named`.

    In the name of a folder ``{split}`` stands for ``train`` or ``test``; without it, `holdout` sets files aside.
    Source: ganzoo's own.

    Args:
        root: The folder in which the others are.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square, of each image. Not needed where all files have one size.
        channels: 1 grey, 3 colour; as the files need if not given.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``, as in `data.image_folder`.
        holdout: The part of the files that is set aside for ``test``.
        memory: How many bytes of decoded images may be in memory, as in `data.image_folder`.

    Raises:
        ValueError: an argument is out of bounds.
    """

    named: ClassVar[tuple[str, str]] = ("a", "b")
    of_one_split = (*ImageSet.of_one_split, "sides")

    def __init__(
        self,
        root: Path,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        memory: float = 1e9,
    ):
        super().__init__(split, range)
        self.root = Path(root).expanduser()
        self.holdout = holdout
        self.settings = {"range": range, "size": size, "channels": channels, "fit": fit, "memory": memory / 2}
        if holdout and any(SPLIT in name for name in self.places):
            raise ValueError(f"holdout is {holdout}, but the folders of {SPLIT} say what is set aside; leave one out")
        if split == "test" and not self._sets_aside:
            raise ValueError(
                f"split is test, but nothing is set aside: write `holdout: 0.1`, or {SPLIT} in the folders"
            )
        for name in self.places:
            self.side(name, holdout)  # refuses what an image folder does

    @property
    def places(self) -> list[str]:
        """The folders below the root."""
        return [getattr(self, name) for name in self.named]

    @property
    def _sets_aside(self) -> bool:
        return bool(self.holdout) or all(SPLIT in name for name in self.places)

    @cached_property
    def sides(self) -> tuple[ImageFolder, ImageFolder]:
        """Both as folders of their own."""
        a, b = (self.side(name, self.holdout) for name in self.places)
        return a, b

    def side(self, name: str, holdout: float) -> ImageFolder:
        """One folder; the test split of its files where some are set aside."""
        place = self.root / name.replace(SPLIT, self.split)
        split: Split = self.split if holdout else "train"
        return ImageFolder(place, split, classes=0, holdout=holdout, **self.settings)  # type: ignore[arg-type]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Raises UserError where the root lacks a folder."""
        for name, side in zip(self.named, self.sides, strict=True):
            if self.root.is_dir() and not side.root.is_dir():
                folders = sorted((printable(p.name) for p in self.root.iterdir() if p.is_dir()), key=natural)
                found = some(folders) or "no folders"
                fix = self.of_twins(twins(self.root, self.split))
                raise UserError(
                    f"there is no folder {printable(side.root)}; {printable(self.root)} has {found}: write "
                    + (fix or f"data.{name}=FOLDER, below that, or data.{name}=. for itself")
                )
        a, b = self.both(lambda side: side.fields["real"])
        return {"real_a": a, "real_b": b}

    def of_twins(self, found: tuple[str, str] | None) -> str:
        """What to write where two folders like A and B were found; nothing where none were."""
        return f"data.a={found[0]} data.b={found[1]}" if found else ""

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where a file cannot be read, or a folder is empty."""
        a, b = self.both(lambda side: side.load()["real"])
        return {"real_a": a, "real_b": b}

    def both(self, look: Callable[[ImageFolder], T]) -> tuple[T, T]:
        """Something of each folder. Raises UserError with what is wrong in the one and in the other."""
        found: list[T] = []
        problems: list[Problem] = []
        for side in self.sides:
            try:
                found.append(look(side))
            except UserError as error:
                problems += [problem for problem in error.problems if problem not in problems]
        if problems:
            raise UserError(problems)
        return found[0], found[1]

    def held_out(self) -> ImageSet | None:
        """The test split, or None where nothing is set aside for it."""
        if self.split == "test" or not self._sets_aside:
            return None
        test = self.of_split("test")
        if not all(side.root.is_dir() for side in test.sides):
            return None
        return test if all(side.listing.split(side.holdout, bool(side.holdout)).files for side in test.sides) else None


def twins(root: Path, split: str) -> tuple[str, str] | None:
    """The two folders below one whose names differ in an A and a B at their ends, as `a` and `b` name them."""
    names = {path.name for path in root.iterdir() if path.is_dir()}
    for a in sorted(names, key=lambda name: (not name.startswith(split), name)):
        b = a[:-1] + {"A": "B", "a": "b"}.get(a[-1], "")
        if b in names - {a[:-1]}:
            within = f"/{SPLIT}" if (root / a / split).is_dir() and (root / b / split).is_dir() else ""
            return a.replace(split, SPLIT) + within, b.replace(split, SPLIT) + within
    return None
