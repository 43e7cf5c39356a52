"""What a data set publishes about each of its fields, so that nothing else needs the data itself."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ganzoo.config.tree import shown
from ganzoo.config.typecheck import coerce_all
from ganzoo.data.columns import Column, marked
from ganzoo.errors import UserError, choices

if TYPE_CHECKING:
    import numpy as np
    import torch

_AXES = 8
_LARGEST = 2**31  # values of an item


@dataclass(frozen=True)
class Field:
    """One field of a data set.

    Args:
        kind: ``image`` (float ``C H W`` in `range`), ``label`` (an integer), ``text`` or ``vector`` (floats).
        shape: Shape of one item, without the batch.
        range: The values that images and bounded vectors lie in.
        classes: The names of a label's classes.
        frequencies: How often each class occurs; labels that are not given are drawn from it. Of a vector: how often
            each number is the one that is 1, all others being 0; vectors that are not given are drawn so.
        blocks: How the numbers of a vector belong together: 1 stands alone, k are a choice among k, one-hot.
        names: What the numbers of a vector are called; each is from 0 to 1, and they can be given by name.
        encoder: The component that made a text's embeddings from captions, and makes those of captions that are given.
        columns: The columns of the table that a vector is a row of; with frequencies, of which one value is marked.
    """

    kind: Literal["image", "label", "text", "vector"]
    shape: tuple[int, ...] = ()
    range: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()
    encoder: str | None = None
    blocks: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether an item is a row of a table, of which every column is known."""
        return bool(self.columns) and not self.frequencies

    @property
    def by_name(self) -> bool:
        """Whether a vector can be given by the names of its numbers."""
        return bool(self.names or (self.columns and self.frequencies))

    @property
    def drawn(self) -> bool:
        """Whether an item that is not given can be drawn."""
        return self.kind == "label" or (self.kind == "vector" and bool(self.frequencies))

    def cells(self, rows: torch.Tensor) -> dict[str, np.ndarray]:
        """The columns of a table by name, in its order, from rows of numbers ``n d``: names of categories, numbers."""
        numbers = rows.detach().flatten(1).cpu().double().numpy()
        return {column.name: column.cells(numbers) for column in self.columns}

    def batch(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Any:
        """A made-up batch of this field: right in type, shape and range, meaningless otherwise."""
        import torch

        shape = (n, *self.shape)
        if str(device) == "meta":
            dtype = torch.int64 if self.kind == "label" else torch.float32
            return torch.empty(shape, dtype=dtype, device=device)
        if self.kind == "label":
            return torch.randint(max(len(self.classes), 1), shape, generator=generator).to(device)
        if self.range is None:
            return torch.randn(shape, generator=generator).to(device)
        low, high = self.range
        return (low + (high - low) * torch.rand(shape, generator=generator)).to(device)

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Items drawn with the frequencies of the data: labels ``n``, or vectors ``n d`` of a 1 among zeros."""
        import torch

        weights = self.frequencies or (1.0,) * max(len(self.classes), 1)
        found = torch.multinomial(torch.tensor(weights), n, replacement=True, generator=generator)
        return found if self.kind == "label" else torch.eye(len(weights))[found]

    def in_rows(self, n: int) -> tuple[torch.Tensor, int]:
        """`n` labels, class after class, and how many there are of each; of the last there may be fewer."""
        import torch

        across = math.ceil(n / max(len(self.classes), 1))
        return torch.arange(n) // across, across

    def label(self, text: str) -> int:
        """A class given by its name or its number; where names are numbers themselves, they are what is meant.

        Raises:
            UserError: there is no such class.
        """
        text = unicodedata.normalize("NFC", text)
        if text in self.classes:
            return self.classes.index(text)
        names = {name.lower(): index for index, name in enumerate(self.classes)}
        numbered = any(name.isdigit() for name in names)
        if re.fullmatch(r"\d{1,9}", text) and not numbered and int(text) < len(self.classes):
            return int(text)
        if text.lower() not in names:
            near = choices(text, self.classes)
            raise UserError(f"there is no class '{text}'" + (f" ({near})" if near else ""))
        return names[text.lower()]

    def vector(self, text: str) -> torch.Tensor:
        """A vector whose numbers have names, as ``Smiling,Eyeglasses=0.5``: 1 or what is said, and 0 for the others.

        Of a table's categories one value is marked, ``species=Adelie``.

        Raises:
            UserError: there is no such name, or what is said is no number from 0 to 1.
        """
        import torch

        if self.columns:
            return torch.eye(self.size)[None, marked(self.columns, text)]
        known, row = {name.lower(): index for index, name in enumerate(self.names)}, torch.zeros(1, *self.shape)
        for piece in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = piece.partition("=")
            if name.strip().lower() not in known:
                near = choices(name.strip(), self.names)
                raise UserError(f"there is no '{name.strip()}'" + (near and f" ({near})"))
            try:
                number = float(value or 1)
            except ValueError:
                number = -1.0
            if not 0 <= number <= 1:
                raise UserError(f"'{piece}' should be a number from 0 to 1")
            row[0, known[name.strip().lower()]] = number
        return row

    def labels(self, name: str, numbers: torch.Tensor) -> torch.Tensor:
        """Numbers of classes as they are computed with.

        Raises:
            UserError: there is no such class.
        """
        count = len(self.classes)
        wrong = (numbers < 0) | (numbers >= count) | (numbers != numbers.long())
        if count and bool(wrong.any()):
            raise UserError(f"{name}: there is no class {numbers[wrong][0].item():g}; they go from 0 to {count - 1}")
        return numbers.long()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Any) -> Field:
        """What :meth:`to_json` gave.

        Raises:
            ValueError: it describes no field.
        """
        try:
            values = coerce_all(cls, stored)
            columns = tuple(map(Column.from_json, values.pop("columns", ())))
            found = cls(**values, columns=columns)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{shown(stored)} describes no field: {error}") from None
        if any(size < 1 for size in found.shape) or len(found.shape) > _AXES or found.size > _LARGEST:
            raise ValueError(f"{found.shape} is the shape of no field")
        odd = found.kind == "vector" and found.frequencies and found.shape != (len(found.frequencies),)
        if odd or any(column.start + column.size > found.size for column in columns):
            raise ValueError(f"{found.shape} is not the shape of what is said of its numbers")
        return found

    @property
    def size(self) -> int:
        """The number of values of one item."""
        return math.prod(self.shape)
