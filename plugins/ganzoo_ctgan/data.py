"""Tables from CSV files, their rows drawn so that rare categories are seen."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from ganzoo_data.findings import Finding, of_arrays
from ganzoo_data.places import BUNDLED
from ganzoo_data.words import some

from ganzoo.bounds import Fraction, PositiveInt
from ganzoo.data.arrays import Arrays, label_field
from ganzoo.data.fields import Field
from ganzoo.errors import UserError, choices
from ganzoo_ctgan.columns import Category, Code, Number
from ganzoo_ctgan.mixture import fit

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "?")
MANY = 100  # values of a category; with more, most of which stand in one row only, a column is none
TURNS = 10  # draws of the training set for each of its rows


class Table(Arrays):
    """A CSV file with a line of names: its rows as numbers, `real`, and one of the values of a category, `cond`.

    A column of numbers becomes a place in one of its modes and the mode, one-hot; any other is a category, one-hot.
    Rows with an empty cell are left out. For training, a category is drawn, one of its values by the logarithm of its
    count, and a row that has it; `cond` marks that value. Held-out rows stand once for each category.

    Paper: arXiv:1907.00503 sections 4.2 and 4.3.

    Args:
        file: The CSV file.
        target: The category that classifiers shall predict when the table is measured; none needed to train.
        categories: Columns of numbers that are categories all the same.
        leave_out: Columns that are not used.
        modes: Most modes of a column of numbers.
        holdout: The part of the rows that is set aside for testing.
        split: ``train`` or ``test``.

    Raises:
        UserError: the file is none, or a column that is named is not in it, or it has no category.
    """

    of_one_split = (*Arrays.of_one_split, "rows")

    def __init__(
        self,
        file: Path,
        target: str | None = None,
        categories: tuple[str, ...] = (),
        leave_out: tuple[str, ...] = (),
        modes: PositiveInt = 10,
        holdout: Fraction = 0.2,
        split: str = "train",
    ):
        self.file, self.target, self.modes, self.holdout = Path(file).expanduser(), target, modes, holdout
        self.categories, self.leave_out, self.split = tuple(categories), tuple(leave_out), split

    @cached_property
    def cells(self) -> dict[str, np.ndarray]:
        """The complete rows of both splits, column by column, as text."""
        names, rows = _lines(self.file)
        for name in (*self.categories, *self.leave_out, *([self.target] if self.target else [])):
            if name not in names:
                raise UserError(f"{self.file} has no column '{name}' ({choices(name, names)})")
        used = [i for i, name in enumerate(names) if name not in self.leave_out]
        kept = [[row[i].strip() for i in used] for row in rows]
        whole = [row for row in kept if not set(row) & set(MISSING)]
        self.incomplete = {names[i]: sum(row[k] in MISSING for row in kept) for k, i in enumerate(used)}
        if not whole:
            emptiest = max(self.incomplete, key=lambda name: self.incomplete[name])
            hint = f"leave a column out: `leave_out: [{emptiest}]`"
            raise UserError(f"{self.file} has no row without an empty cell ({self._empty()}); {hint}")
        return {names[i]: np.array(column) for i, column in zip(used, zip(*whole, strict=True), strict=True)}

    def _empty(self) -> str:
        """The columns with empty cells, the emptiest first."""
        counts = sorted(self.incomplete.items(), key=lambda found: -found[1])
        return "empty cells: " + some([f"{name} {count}" for name, count in counts if count], 5)

    def doctor(self) -> list[Finding]:
        """How many rows are left out for an empty cell."""
        rows = len(_lines(self.file)[1])
        left = rows - len(next(iter(self.cells.values())))
        if not left:
            return []
        message = f"{left} of {rows} rows are left out for an empty cell; {self._empty()}"
        return [Finding("warning", message, "fill them, or leave a column out: `leave_out: [NAME]`")]

    def diagnose(self) -> list[Finding]:
        """The same, and what the rows are."""
        return [*self.doctor(), *of_arrays(self, len(self.rows))]

    @cached_property
    def order(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows of training and those held out."""
        count = len(next(iter(self.cells.values())))
        order = np.random.default_rng(0).permutation(count)
        held = round(self.holdout * count)
        return np.sort(order[held:]), np.sort(order[:held])

    @cached_property
    def code(self) -> Code:
        """How columns become numbers, from the rows of training; categories have the values of all rows."""
        numbers, categories = [], []
        for name, cells in self.cells.items():
            if name != self.target and name not in self.categories and _numeric(cells):
                mine = cells[self.order[0]]
                numbers.append(Number(name, fit(mine.astype(float), self.modes), _decimals(mine)))
            else:
                values = np.unique(cells)
                if len(values) > max(MANY, len(cells) / 2):
                    what = f"{len(values)} different values in {len(cells)} rows, such as {values[0]} and {values[-1]}"
                    hint = f"write dates as numbers, or leave the column out: `leave_out: [{name}]`"
                    raise UserError(f"{self.file}: the column {name} is no category: it has {what}; {hint}")
                categories.append(Category(name, tuple(values.tolist())))
        if not categories:
            raise UserError(f"{self.file} has no category; name a column of numbers that is one: `categories: [NAME]`")
        return Code(numbers, categories)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The range of rows is that of a generator's tanh and of probabilities."""
        code, width = self.code, sum(self.code.choices)
        row = {c.name: c.column(code.place(c.name).start) for c in code.columns}
        first = sum(code.blocks) - width  # of the numbers that are categories
        marks = tuple(c.column(code.place(c.name).start - first) for c in code.categories)
        columns = tuple(row[name] for name in self.cells)
        return {
            "real": Field("vector", (sum(code.blocks),), (-1.0, 1.0), blocks=code.blocks, columns=columns),
            "cond": Field("vector", (width,), (0.0, 1.0), (), self.shares, blocks=code.choices, columns=marks),
        }

    @property
    def shares(self) -> tuple[float, ...]:
        """How often each value would be marked if rows came as often as in the table, and categories alike."""
        taken, categories = self.order[0], self.code.categories
        counts = [np.bincount(c.index(self.cells[c.name][taken]), minlength=len(c.values)) for c in categories]
        return tuple((np.concatenate(counts) / (len(taken) * len(categories))).round(6).tolist())

    @cached_property
    def rows(self) -> np.ndarray:
        """This split's rows as numbers, each once."""
        mine = self.order[int(self.split == "test")]
        return self.code.encode({k: cells[mine] for k, cells in self.cells.items()}, np.random.default_rng(1))

    def load(self) -> dict[str, np.ndarray]:
        count, categories = len(self.rows), len(self.code.categories)
        if self.split == "test":
            which, taken = np.tile(np.arange(categories), count), np.repeat(np.arange(count), categories)
        else:
            which, taken = self.drawn(np.random.default_rng(2), TURNS * count)
        owner = np.repeat(np.arange(categories), self.code.choices)
        chosen = self.rows[taken][:, -len(owner) :] * (owner == which[:, None])
        return {"real": self.rows[taken], "cond": chosen.astype(np.float32)}

    def drawn(self, random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Categories and rows, ``n`` each: training by sampling. Paper: arXiv:1907.00503 section 4.3."""
        which = random.integers(len(self.code.categories), size=n)
        taken = np.zeros(n, np.int64)
        for index, column in enumerate(self.code.categories):
            values = self.rows[:, self.code.place(column.name)].argmax(1)
            counts = np.bincount(values, minlength=len(column.values))
            chances = np.log1p(counts)[values] / counts[values]  # of a row: of its value, shared by all that have it
            mine = which == index
            taken[mine] = random.choice(len(values), mine.sum(), p=chances / chances.sum())
        return which, taken

    def held_out(self) -> Self | None:
        """The rows that are set aside, or None if there are none."""
        return None if self.split == "test" or not len(self.order[1]) else self.of_split("test")

    def labelled(self) -> Labelled:
        """Rows without the target, each once, and the target as a label."""
        if self.target is None:
            hint = "give the table a `target: COLUMN`, or measure nothing: `evaluate=null`"
            raise UserError(f"nothing says what classifiers shall predict: {hint}")
        return Labelled(self)


class Labelled(Arrays):
    """The rows of a table without its target, `real`, and the target, `label`. Source: ganzoo's own."""

    def __init__(self, table: Table):
        assert table.target is not None
        self.table = table
        self.column = next(c for c in table.code.categories if c.name == table.target)
        self.place = table.code.place(table.target)

    def parted(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a classifier sees, and what it shall say: ``n d -> n (d - K), n``."""
        return np.delete(rows, np.r_[self.place], 1), rows[:, self.place].argmax(1).astype(np.int64)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        x, label = self.parted(self.table.rows)
        return {"real": Field("vector", (x.shape[1],), (-1.0, 1.0)), "label": label_field(label, self.column.values)}

    def load(self) -> dict[str, np.ndarray]:
        x, label = self.parted(self.table.rows)
        return {"real": x, "label": label}

    def held_out(self) -> Labelled | None:
        """The same of the table's other rows."""
        other = self.table.held_out()
        return Labelled(other) if other is not None else None


class Penguins(Table):
    """333 penguins of three species, bundled: where they live, bill, flipper and mass, sex, year; 266 to train on.

    Source: Gorman, Williams and Fraser 2014, as palmerpenguins has it. Licence: CC0 1.0, see files/CREDITS.md.

    Args:
        modes: Most modes of a column of numbers.
        split: ``train`` or ``test``.
    """

    def __init__(self, modes: PositiveInt = 10, split: str = "train"):
        super().__init__(BUNDLED / "penguins.csv", "species", categories=("year",), modes=modes, split=split)


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of a table's columns, and its rows.

    Raises:
        UserError: there is no such file, it is no table, or a row has more or fewer cells than there are names.
    """
    if not path.is_file():
        raise UserError(f"there is no table at {path}; `file:` should be a CSV file with a line of names")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path} is no table of comma-separated values: {error}") from None
    if not rows:
        raise UserError(f"{path} is empty; it should be a CSV file with a line of names")
    names = [name.strip() for name in rows[0][1]]
    for mark, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            raise UserError(f"{path} separates its cells by {called}; save it with commas")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path} has several columns of one name: {some(twice)}")
    for line, row in rows[1:]:
        if len(row) != len(names):
            fix = "a cell that holds a comma stands in quotes"
            raise UserError(f"{path}:{line} has {len(row)} cells, but there are {len(names)} columns; {fix}")
    return names, [row for _, row in rows[1:]]


def _decimals(cells: np.ndarray) -> int | None:
    """Most places behind the point; none where all numbers are whole, None where they are written with exponents."""
    values = cells.astype(float)
    if (values == values.round()).all():
        return 0
    texts = cells.tolist()
    plain = all(text.lstrip("+-").replace(".", "", 1).isdigit() for text in texts)
    return max(len(text.partition(".")[2]) for text in texts) if plain else None


def _numeric(cells: np.ndarray) -> bool:
    try:
        cells.astype(float)
    except ValueError:
        return False
    return True
