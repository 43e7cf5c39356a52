"""The order of the data: a function of (seed, samples taken so far), so that it resumes and splits exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ganzoo.errors import Origin, Problem, UserError

AHEAD = 3  # batches that the data is told of before they are asked for


def check_batch(path: str, origin: Origin | None, batch: int, world: int, micro: int) -> None:
    """Every process and micro-batch gets the same number of rows.

    Raises:
        UserError: the batch cannot be divided.
    """
    if batch % (world * micro):
        among = f"{world} processes" + (f" and {micro} accumulated parts" if micro > 1 else "")
        near = max(batch // (world * micro), 1) * world * micro
        raise UserError(Problem(f"a batch of {batch} cannot be divided among {among}", origin, path, f"{near} can"))


class Batch(Mapping[str, Any]):
    """The rows of one batch, gathered when a field is first read."""

    def __init__(self, data: Any, index: torch.Tensor, device: torch.device):
        self._data, self._index, self._device = data, index, device
        self._fields: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._fields is None:
            self._fields = self._data.batch(self._index, self._device)
        return self._fields

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data.fields if self._data is not None else ())

    def __len__(self) -> int:
        return len(list(iter(self)))


class Feed:
    """Endless shuffled epochs. Batches are always full: one may span the end of an epoch and the start of the next.

    Data that is `renewed` gets row numbers that go on from epoch to epoch: in epoch k those from ``k * len(data)`` on.

    Args:
        data: The data component, or None for models without data.
        seed: Seed of the shuffling.
        device: Where batches go.
        rank: Which of the `world` equal parts of every batch this process takes.
        world: How many processes there are.
    """

    def __init__(self, data: Any, seed: int, device: torch.device, rank: int = 0, world: int = 1):
        self.data, self.seed, self.device, self.rank, self.world = data, seed, device, rank, world
        self.size = len(data) if data is not None else 0
        self.renewed = getattr(data, "renewed", False)
        self.cursor = 0
        self._told = 0
        self._orders: dict[int, np.ndarray] = {}

    def take(self, batch: int, micro: int = 1) -> list[Batch]:
        """This process's share of the next `batch` samples, as `micro` batches."""
        shares = self._shares(self.cursor, batch, micro)
        self._tell(batch, micro)
        self.cursor += batch
        return [Batch(self.data, share, self.device) for share in shares]

    def _tell(self, batch: int, micro: int) -> None:
        """Tell the data which rows come next, if batches go on like this one; where they do not, only time is lost."""
        if not self.size or not getattr(self.data, "reads_ahead", False):
            return
        self._told = max(self._told, self.cursor)
        while self._told < self.cursor + (1 + AHEAD) * batch:
            self.data.ahead(torch.cat(self._shares(self._told, batch, micro)))
            self._told += batch

    def _shares(self, position: int, batch: int, micro: int) -> list[torch.Tensor]:
        """The rows of this process among the `batch` samples from a position on."""
        index = self._index(position, batch)
        rows = batch // (self.world * micro)
        starts = [(m * self.world + self.rank) * rows for m in range(micro)]
        return [index[s : s + rows] for s in starts]

    def _index(self, position: int, count: int) -> torch.Tensor:
        if not self.size:
            return torch.zeros(count, dtype=torch.int64)
        pieces = []
        while count > 0:
            epoch, offset = divmod(position, self.size)
            piece = self._order(epoch)[offset : offset + count] + (epoch * self.size if self.renewed else 0)
            pieces.append(piece)
            position += len(piece)
            count -= len(piece)
        return torch.from_numpy(np.concatenate(pieces))

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e == epoch - 1}
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self.size)
        return self._orders[epoch]

    @property
    def epoch(self) -> float:
        """How many times the data has been seen."""
        return self.cursor / self.size if self.size else 0.0
