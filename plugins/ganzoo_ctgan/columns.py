"""Columns of a table as numbers of a row, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganzoo.data.columns import Column
from ganzoo_ctgan.mixture import Modes

REACH = 4  # standard deviations of a mode that become 1


@dataclass(frozen=True)
class Number:
    """A column of numbers: where a value lies in its mode, and which mode that is, where there are several."""

    name: str
    modes: Modes
    decimals: int | None

    @property
    def blocks(self) -> tuple[int, ...]:
        count = len(self.modes.mean)
        return (1, count) if count > 1 else (1,)

    def encode(self, cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """``n -> n (1 modes)``: alpha = (c - eta_k) / (4 phi_k), beta one-hot; k is drawn by how likely it is.

        Paper: arXiv:1907.00503 section 4.2.
        """
        values, (mean, std, _) = cells.astype(float), self.modes
        chances = self.modes.responsible(values).cumsum(1)
        which = np.minimum((chances < random.random((len(values), 1))).sum(1), len(mean) - 1)
        alpha = np.clip((values - mean[which]) / (REACH * std[which]), -0.99, 0.99)
        beta = np.eye(len(mean))[which]
        return np.concatenate([alpha[:, None], beta], 1)[:, : sum(self.blocks)]

    def column(self, start: int) -> Column:
        """How cells are read from a row in which this column begins at `start`."""
        mean, std, _ = self.modes
        widths = (REACH * std).tolist()
        return Column(self.name, start, centres=tuple(mean.tolist()), widths=tuple(widths), decimals=self.decimals)


@dataclass(frozen=True)
class Category:
    """A column of names."""

    name: str
    values: tuple[str, ...]

    @property
    def blocks(self) -> tuple[int, ...]:
        return (len(self.values),)

    def index(self, cells: np.ndarray) -> np.ndarray:
        """Which of the values each cell is, ``n``."""
        return np.searchsorted(np.asarray(self.values), cells)

    def encode(self, cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """``n -> n values``, one-hot."""
        return np.eye(len(self.values))[self.index(cells)]

    def column(self, start: int) -> Column:
        """How cells are read from a row in which this column begins at `start`."""
        return Column(self.name, start, values=self.values)


class Code:
    """A row of numbers for each row of a table: all columns of numbers first, then all categories."""

    def __init__(self, numbers: Sequence[Number], categories: Sequence[Category]):
        self.numbers, self.categories = tuple(numbers), tuple(categories)
        self.columns: tuple[Number | Category, ...] = (*numbers, *categories)

    @property
    def blocks(self) -> tuple[int, ...]:
        return tuple(size for column in self.columns for size in column.blocks)

    @property
    def choices(self) -> tuple[int, ...]:
        """How many values each category has: the last numbers of a row."""
        return tuple(len(column.values) for column in self.categories)

    def place(self, name: str) -> slice:
        """Where a column lies in a row."""
        start = 0
        for column in self.columns:
            if column.name == name:
                return slice(start, start + sum(column.blocks))
            start += sum(column.blocks)
        raise KeyError(name)

    def encode(self, cells: dict[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
        found = [column.encode(cells[column.name], random) for column in self.columns]
        return np.concatenate(found, 1).astype(np.float32)

    def decode(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The cells of every column."""
        return {c.name: c.column(self.place(c.name).start).decode(rows) for c in self.columns}
