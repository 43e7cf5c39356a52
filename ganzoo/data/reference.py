"""The real samples that generated ones are measured against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ganzoo.data.fields import Field
from ganzoo.errors import UserError

SPLITS = ("train", "held_out")


class Reference:
    """One split of some data. Nothing is opened before it is read.

    Args:
        data: A data component.
        name: Its name in records, such as ``data.mnist``.
        split: ``train``, the rows that the component trains on, or ``held_out``.
    """

    def __init__(self, data: Any, name: str, split: str = "train"):
        self.source, self.name, self.split = data, name, split

    @property
    def fields(self) -> Mapping[str, Field]:
        """The spec of every field."""
        return self.source.fields

    @cached_property
    def rows(self) -> Any:
        """The split itself, a data component.

        Raises:
            UserError: nothing was held out.
        """
        rows = self.source if self.split == "train" else self.source.held_out()
        if rows is None:
            how = "folders do with `holdout: 0.1`, and what measures against a split takes `train` too"
            raise UserError(f"{self.name} holds nothing out of training; {how}")
        return rows

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the rows."""
        return self.rows.fingerprint()

    def index(self, n: int | None = None) -> torch.Tensor:
        """The numbers of all rows, or of `n` drawn without replacement: the same ones every time.

        Raises:
            UserError: there are fewer rows.
        """
        if n is None or n == len(self):
            return torch.arange(len(self))
        if n > len(self):
            raise UserError(f"{self.name}, split {self.split}, has {len(self)} samples, not {n}")
        return torch.from_numpy(np.random.default_rng(0).permutation(len(self))[:n])

    def batches(self, n: int | None = None, size: int = 500) -> Iterator[dict[str, torch.Tensor]]:
        """All rows, or `n` of them, `size` at a time on the CPU, as the data gives them in training."""
        for rows in self.index(n).split(size):
            yield self.rows.batch(rows, torch.device("cpu"))

    def protocol(self) -> dict[str, Any]:
        """What a record says about it."""
        return {"real": self.name, "split": self.split, "fingerprint": self.fingerprint}
