"""Columns of a table: how the numbers of a row become cells again, and how one value is asked for by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganzoo.config.typecheck import coerce_all
from ganzoo.errors import UserError, choices

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Column:
    """One column of a table, and where it lies in a row of numbers.

    A category is as many numbers as it has values, of which the largest counts. A number is one from -1 to 1, x, and,
    where it has several modes, as many again, of which the largest counts: the cell is centre_k + width_k x.

    Args:
        name: What it is called.
        start: Which number of the row is its first.
        values: The values of a category; none of a number.
        centres: The centre of each mode of a number.
        widths: How far 1 is from the centre, in each mode.
        decimals: Places behind the point that the data has; as many as there are, if not given.
    """

    name: str
    start: int
    values: tuple[str, ...] = ()
    centres: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()
    decimals: int | None = None

    @property
    def size(self) -> int:
        """How many numbers of a row it takes."""
        return len(self.values) or (1 + len(self.centres) if len(self.centres) > 1 else 1)

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """``n d -> n`` names or numbers; whole numbers where the data has no others."""
        import numpy as np

        mine = rows[:, self.start : self.start + self.size]
        if self.values:
            return np.asarray(self.values)[mine.argmax(1)]
        which = mine[:, 1:].argmax(1) if self.size > 1 else np.zeros(len(mine), int)
        found = np.asarray(self.centres)[which] + np.asarray(self.widths)[which] * np.clip(mine[:, 0], -1, 1)
        return found.round().astype(np.int64) if self.decimals == 0 else found

    def cells(self, rows: np.ndarray) -> np.ndarray:
        """The same, with as many places behind the point as the data has."""
        found = self.decode(rows)
        return found.round(self.decimals) if found.dtype.kind == "f" and self.decimals is not None else found

    @classmethod
    def from_json(cls, stored: Any) -> Column:
        """What `dataclasses.asdict` gave.

        Raises:
            ValueError: it describes no column.
        """
        try:
            found = cls(**coerce_all(cls, stored))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this describes no column of a table: {error}") from None
        modes = (*found.centres, *found.widths)
        whole = found.values or (found.centres and all(map(math.isfinite, modes)))
        if found.start < 0 or not whole or len(found.centres) != len(found.widths):
            raise ValueError(f"'{found.name}' is no column of a table")
        return found


def marked(columns: Sequence[Column], text: str) -> int:
    """Which number of a row stands for a value of a category, ``species=Adelie``, whatever its case.

    Raises:
        UserError: there is no such category, or no such value of it.
    """
    name, equals, value = (piece.strip() for piece in text.partition("="))
    if not equals:
        having = next((column for column in columns if name in column.values), columns[0])
        example = name if name in having.values else having.values[0]
        raise UserError(f"'{text}' names no category: write one of its values, such as {having.name}={example}")
    column = _named(name, {column.name: column for column in columns})
    if column is None:
        near = choices(name, [column.name for column in columns])
        raise UserError(f"there is no category '{name}'" + (near and f" ({near})"))
    index = _named(value, {value: index for index, value in enumerate(column.values)})
    if index is None and "=" in value:
        raise UserError(
            f"'{text}' asks for several values; write one, for each row is made for one value of one category"
        )
    if index is None:
        near = choices(value, column.values)
        raise UserError(f"{column.name} is never '{value}'" + (near and f" ({near})"))
    return column.start + index


def _named(name: str, known: dict[str, Any]) -> Any:
    """What has this name, or else the first that has it but for its case; None if nothing does."""
    if name in known:
        return known[name]
    return next((item for key, item in known.items() if key.lower() == name.lower()), None)
