"""What made rows are worth, and whether their columns are distributed as real ones are."""

from __future__ import annotations

from typing import Any

import numpy as np
from ganzoo_metrics.tstr import Tstr
from torch import Tensor, from_numpy

from ganzoo.bounds import PositiveFloat, PositiveInt
from ganzoo.contract import Measured
from ganzoo_ctgan.columns import Number
from ganzoo_ctgan.data import Table


class TableTstr:
    """Train on made rows, test on real ones: ``table_tstr(fake)``, with the numbers of `metric.tstr`.

    A classifier learns the table's target, as the rows have it, from their other columns.

    Paper: arXiv:1907.00503 section 5.2 (efficacy); arXiv:1706.02633 section 4.1.

    Args:
        data: A table with a target.
        epochs: Passes over the rows; but at least `least` steps are made.
        least: Steps.
        lr: The learning rate at the beginning.
        seed: Seed of the classifiers.
    """

    better = "higher"

    def __init__(
        self, data: Table, epochs: PositiveInt = 30, least: PositiveInt = 300, lr: PositiveFloat = 2e-3, seed: int = 0
    ):
        self.rows = data.labelled()
        self.tstr = Tstr(self.rows, epochs=epochs, least=least, lr=lr, seed=seed)

    def __call__(self, fake: Tensor) -> Measured:
        x, label = self.rows.parted(fake.detach().float().cpu().numpy())
        return self.tstr(from_numpy(x), from_numpy(label))


class Marginals:
    """How far columns of made rows are from those of real ones: ``marginals(fake) -> {numbers, categories, floor}``.

    `numbers` is the mean over columns of the largest difference of the distribution functions (Kolmogorov and Smirnov),
    `categories` that of half the summed differences of the frequencies, both from 0 to 1 and against the rows of
    training; `floor` is the mean over all columns of the same between held-out rows and those of training.

    Source: the column shapes of SDMetrics; Smirnov 1939.

    Args:
        data: A table.
    """

    def __init__(self, data: Any):
        self.code, self.real = data.code, data.code.decode(data.rows)
        held = data.held_out()
        self.held = data.code.decode(held.rows) if held is not None else None

    def __call__(self, fake: Tensor) -> Measured:
        numbers, categories = self._distances(self.code.decode(fake.detach().float().cpu().numpy()))
        found = {"numbers": _mean(numbers), "categories": _mean(categories)}
        if self.held is not None:
            numbers, categories = self._distances(self.held)
            found["floor"] = _mean(numbers + categories)
        return Measured(found, {"n_real": len(next(iter(self.real.values())))})

    def _distances(self, cells: dict[str, np.ndarray]) -> tuple[list[float], list[float]]:
        from scipy.stats import ks_2samp  # a second to import

        numbers, categories = [], []
        for column in self.code.columns:
            ours, theirs = cells[column.name], self.real[column.name]
            if isinstance(column, Number):
                numbers.append(float(ks_2samp(ours, theirs, method="asymp").statistic))
            else:
                shares = [(ours == value).mean() - (theirs == value).mean() for value in column.values]
                categories.append(float(np.abs(shares).sum() / 2))
        return numbers, categories


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
