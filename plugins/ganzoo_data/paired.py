"""Pairs of images from files: two folders, or the halves of each file."""

from __future__ import annotations

import posixpath
from functools import cached_property
from pathlib import Path
from typing import Literal

from ganzoo.errors import UserError
from ganzoo_data.base import Split
from ganzoo_data.decode import Fit, Half, Recipe
from ganzoo_data.folder import ImageFolder
from ganzoo_data.folders import SPLIT, Two, twins
from ganzoo_data.listing import Listing, draw
from ganzoo_data.words import printable, some


class PairedFolders(Two):
    """Pairs of images, `real_a` and `real_b`, from two folders whose files have the same names but for the suffix.

    ``root/A/cat/1.jpg`` and ``root/B/cat/1.png`` are a pair. With ``a: "A/{split}", b: "B/{split}"`` the folders
    ``A/train`` and ``A/test`` are the two splits. A pair is set aside by a hash of its name. Source: ganzoo's own.

    Args:
        root: The folder in which the others are.
        a: The folder of `real_a` below it.
        b: The folder of `real_b`.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all files of a folder have one size.
        channels: 1 grey, 3 colour; as the files of each folder need if not given.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``, as in `data.image_folder`.
        holdout: The part of the pairs that is set aside for ``test``.
        memory: How many bytes of decoded images may be in memory, as in `data.image_folder`.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path,
        a: str = "A",
        b: str = "B",
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        memory: float = 1e9,
    ):
        self.a, self.b = a, b
        super().__init__(root, split, range, size, channels, fit, holdout, memory)

    @cached_property
    def sides(self) -> tuple[ImageFolder, ImageFolder]:
        """Both folders, their files in the order of their common names."""
        a, b = (self.side(name, 0.0) for name in self.places)
        if a.root.is_dir() and b.root.is_dir():
            test = self.split == "test" and self.holdout > 0
            pairs = [pair for pair in paired(a.listing, b.listing) if (draw(pair[0]) < self.holdout) == test]
            a.listing = a.listing.only(first for _, first, _ in pairs)
            b.listing = b.listing.only(second for _, _, second in pairs)
        return a, b


class SideBySide(Two):
    """Pairs of images, `real_a` and `real_b`, from files that show both side by side.

    Source: arXiv:1611.07004, its data sets: ``root/train/1.jpg`` and ``root/test/1.jpg``, of 512x256.

    Args:
        root: The folder.
        folder: The files below it; ``{split}`` stands for ``train`` or ``test``.
        a: The half that is `real_a`.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square, of a half. Not needed where all files have one size.
        channels: 1 grey, 3 colour; as the files need if not given.
        fit: What happens to halves of other sizes: ``crop``, ``stretch`` or ``pad``, as in `data.image_folder`.
        holdout: The part of the files that is set aside for ``test``.
        memory: How many bytes of decoded images may be in memory, as in `data.image_folder`.

    Raises:
        ValueError: an argument is out of bounds.
    """

    named = ("folder", "folder")

    def __init__(
        self,
        root: Path,
        folder: str = SPLIT,
        a: Literal["left", "right"] = "left",
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        memory: float = 1e9,
    ):
        if a not in ("left", "right"):
            raise ValueError(f"a is {a!r}, but should be 'left' or 'right'")
        self.folder, self.a = folder, a
        super().__init__(root, split, range, size, channels, fit, holdout, memory)

    @cached_property
    def sides(self) -> tuple[ImageFolder, ImageFolder]:
        """The folder twice, each time one half of its files. Raises UserError where it holds two folders of pairs."""
        whole = self.side(self.folder, self.holdout)
        apart = twins(whole.root, self.split) if whole.root.is_dir() else None
        tops = sorted({file.top for file in whole.listing.files}) if apart else []
        if apart and tops == [name.replace(SPLIT, self.split).partition("/")[0] for name in apart]:
            where = f"{printable(whole.root)} holds the folders {tops[0]} and {tops[1]}"
            raise UserError(f"{where}, not files that show both images: write {self.of_twins(apart, self.folder)}")
        return Halves(whole, self.a), Halves(whole, "right" if self.a == "left" else "left")

    def of_twins(self, found: tuple[str, str] | None, below: str = ".") -> str:
        a, b = (posixpath.normpath(f"{below}/{name}") for name in found or ("", ""))
        return f"data.use=data.paired_folders data.a={a} data.b={b}" if found else ""


class Halves(ImageFolder):
    """One half of each file of a folder."""

    def __init__(self, whole: ImageFolder, half: Half):
        self.__dict__.update(whole.__dict__)
        self.half = half

    @cached_property
    def recipe(self) -> Recipe:
        height, width = self.size or self.halved(self.common_size(self.survey))
        return Recipe(height, width, self.channels or self.survey.channels, self.fit, self.half)

    def halved(self, size: tuple[int, int]) -> tuple[int, int]:
        height, width = size
        if width % 2:
            raise UserError(f"the images in {printable(self.root)} are {width} wide, which has no equal halves")
        return height, width // 2


def paired(a: Listing, b: Listing) -> list[tuple[str, int, int]]:
    """The names that two listings share, sorted, and the numbers of their files. Source: ganzoo's own.

    Raises:
        UserError: a name has no partner, or one folder has it twice.
    """
    first, second = _by_name(a), _by_name(b)
    alone = [f"{a.root.name}/{printable(name)}" for name in sorted(first.keys() - second.keys())]
    alone += [f"{b.root.name}/{printable(name)}" for name in sorted(second.keys() - first.keys())]
    if alone:
        where = f"{printable(a.root)} and {printable(b.root)}"
        raise UserError(f"{len(alone)} images of {where} have no partner of the same name: {some(alone)}; remove them")
    return [(name, first[name], second[name]) for name in sorted(first)]


def _by_name(listing: Listing) -> dict[str, int]:
    """The number of each file by its path without suffix."""
    found: dict[str, int] = {}
    for number, file in enumerate(listing.files):
        name = file.path.rpartition(".")[0]
        if name in found:
            twice = f"{printable(listing.files[found[name]].path)} and {printable(file.path)}"
            raise UserError(f"{printable(listing.root)} has two images of one name, {twice}; remove one")
        found[name] = number
    return found
