"""Folders of images with attributes: several properties of each, such as those of CelebA."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ganzoo.data.fields import Field
from ganzoo.errors import UserError, choices
from ganzoo_data.base import Split
from ganzoo_data.decode import Fit
from ganzoo_data.folder import ImageFolder
from ganzoo_data.listing import Listing, list_images, placed
from ganzoo_data.words import printable, some

WORDS = {"-1": 0.0, "false": 0.0, "no": 0.0, "true": 1.0, "yes": 1.0}


class Table(NamedTuple):
    """A table of attributes: their names, and by the path of each image its numbers from 0 to 1."""

    names: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]


class Attributes(ImageFolder):
    """A folder of images with attributes: field `real`, and `attributes`, ``K`` numbers from 0 to 1 for each image.

    The table has the image in its first column, as its path below the folder or its file's name, and an attribute in
    every other, whose names are in its first line: 1 (yes, true) where the image has it, 0 or -1 (no, false) where it
    has not, or how sure that is. Cells are separated by commas, or by spaces as in CelebA's ``list_attr_celeba.txt``,
    whose first line is the number of images. Images that it does not name are left out. Attributes are given by name
    when sampling: ``attributes=Smiling,Eyeglasses``.

    Source: ganzoo's own; arXiv:1411.7766, whose table of 40 attributes this reads.

    Args:
        root: The folder.
        table: The table's path, below the folder or whole.
        names: Which attributes, in this order; all of them if not given.
        split: ``train``, or ``test`` for what `holdout` sets aside.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all files have one size.
        channels: 1 grey, 3 colour, 4 with transparency; 1 or 3 as the files need if not given.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``.
        holdout: The part of the files that is set aside for ``test``, chosen by a hash of each one's path.
        skip_broken: Leave out files that cannot be read, instead of naming them in an error.
        memory: How many bytes of decoded images may be in memory.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path,
        table: str = "attributes.csv",
        names: tuple[str, ...] | None = None,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        skip_broken: bool = False,
        memory: float = 1e9,
    ):
        super().__init__(root, split, range, size, channels, 0, fit, holdout, skip_broken, memory)
        if names is not None and (not names or len(set(names)) != len(names)):
            raise ValueError("names should name one attribute or more, each once")
        self.table, self.names = table, names

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Where size, channels and names are stated, the files need not be there."""
        if not self.root.is_dir() and self.names is None:
            advice = "give data.root=FOLDER, or state names to check the model without it"
            raise UserError(f"there is no folder {printable(self.root)}; {advice}")
        names = self.given.names if self.root.is_dir() else tuple(self.names or ())
        return {**super().fields, "attributes": Field("vector", (len(names),), (0.0, 1.0), names=names)}

    @cached_property
    def given(self) -> Table:
        """The table, of the attributes that are wanted, for the images that are there."""
        path = self.root / self.table
        every = list_images(self.root, 0)
        files = [file.path for file in every.files]
        table = chosen(read(path), self.names, path)
        names = Counter(path.rpartition("/")[2] for path in files)
        places = {name: path for path in files if names[name := path.rpartition("/")[2]] == 1} | {p: p for p in files}
        rows, others = placed(table.rows, every)
        rows |= {places[name]: table.rows[name] for name in others if name in places}
        if not rows:
            named = f"{len(table.rows)} images of {printable(path)}, such as {printable(next(iter(table.rows)))}"
            raise UserError(f"none of the {named}, is in {printable(self.root)}, which has {some(files, 3)}")
        return Table(table.names, rows)

    @cached_property
    def listing(self) -> Listing:
        """All files that have attributes, of both splits."""
        every = list_images(self.root, 0)
        return every.only(i for i, file in enumerate(every.files) if file.path in self.given.rows)

    def beside(self, mine: Listing) -> dict[str, np.ndarray]:
        return {"attributes": np.array([self.given.rows[file.path] for file in mine.files], np.float32)}


def read(path: Path) -> Table:
    """A table of attributes, of commas, or of spaces behind a first line that counts.

    Source: the layout of CelebA's ``list_attr_celeba.txt``, arXiv:1411.7766.

    Raises:
        UserError: it is absent, no such table, or holds something that is no number from 0 to 1.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        hint = "give data.table=FILE, a table of the columns image, and one for each attribute"
        raise UserError(
            f"the table of attributes {printable(path)} cannot be read: {error.strerror}; {hint}"
        ) from error
    except UnicodeDecodeError:
        raise UserError(f"{printable(path)} is not UTF-8 text; save it as UTF-8") from None
    start = 1 if lines and lines[0].strip().isdigit() else 0
    cells = [line.split() for line in lines[start:]] if start else list(csv.reader(lines))
    numbered = [(start + number, row) for number, row in enumerate(cells, 1) if any(row)]
    if len(numbered) < 2:
        raise UserError(f"{printable(path)} holds no table: a line of names, and one for each image, are expected")
    (_, header), *rows = numbered
    names = tuple(name.strip() for name in (header if start else header[1:]))
    if not names or len(set(names)) != len(names):
        twice = [name for name in names if names.count(name) > 1]
        raise UserError(f"{printable(path)} names {'no attribute' if not names else f'an attribute twice: {twice[0]}'}")
    found = {}
    for line, row in rows:
        if len(row) != len(names) + 1:
            raise UserError(f"{printable(path)}, line {line}: {len(row) - 1} values for {len(names)} attributes")
        found[row[0].strip()] = tuple(_value(cell, f"{printable(path)}, line {line}") for cell in row[1:])
    return Table(names, found)


def chosen(table: Table, names: Sequence[str] | None, path: Path) -> Table:
    """The table with these attributes alone, in this order. Source: ganzoo's own.

    Raises:
        UserError: it has no such attribute.
    """
    if names is None:
        return table
    for name in names:
        if name not in table.names:
            near = choices(name, table.names)
            raise UserError(f"{printable(path)} has no attribute '{name}'" + (near and f" ({near})"))
    columns = [table.names.index(name) for name in names]
    return Table(tuple(names), {image: tuple(row[i] for i in columns) for image, row in table.rows.items()})


def _value(cell: str, where: str) -> float:
    text = cell.strip().lower()
    try:
        value = WORDS.get(text)
        value = float(text) if value is None else value
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UserError(
            f"{where}: '{printable(cell[:40])}' is no attribute; write 1 or 0 (or -1), yes or no, or a number between"
        )
    return value
