"""The modes of a column of numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma

LEAST = 0.005  # weight of a mode that is kept
STEPS = 100


class Modes(NamedTuple):
    """Normal distributions: `mean`, `std` and `weight` of each, ``modes``."""

    mean: np.ndarray
    std: np.ndarray
    weight: np.ndarray

    def responsible(self, values: np.ndarray) -> np.ndarray:
        """How likely each value is of each mode: ``n -> n modes``, rows of sum 1."""
        return _softmax(_log_normal(values, self.mean, self.std) + np.log(self.weight))


def fit(values: np.ndarray, most: int) -> Modes:
    """The modes of some numbers, at most `most`, by expectation maximisation with weights that may vanish.

    E: rho_ik ~ exp(E log pi_k) N(x_i; mu_k, s_k^2); M: mu, s weighted by rho; pi ~ Dirichlet(0.001 + sum_i rho_ik),
    which leaves modes that explain little without weight. Means start at quantiles. Modes below a weight of 0.005 are
    left out.

    Paper: arXiv:1907.00503 section 4.2 (a variational Gaussian mixture; here means and widths are points).
    """
    distinct = np.unique(values)
    most = min(most, len(distinct))
    floor = max(1e-3 * float(values.std()), 1e-9)
    mean = np.quantile(values, (np.arange(most) + 0.5) / most)
    std = np.full(most, max(float(values.std()) / most, floor))
    counts = np.full(most, len(values) / most)
    for _ in range(STEPS):
        rho = _softmax(_log_normal(values, mean, std) + digamma(0.001 + counts))
        counts = rho.sum(0)
        safe = np.maximum(counts, 1e-9)
        mean = np.where(counts > 1e-3, (rho * values[:, None]).sum(0) / safe, mean)
        spread = (rho * (values[:, None] - mean) ** 2).sum(0) / safe
        std = np.where(counts > 1e-3, np.maximum(np.sqrt(spread), floor), std)
    kept = counts / counts.sum() >= LEAST
    return Modes(mean[kept], std[kept], counts[kept] / counts[kept].sum())


def _log_normal(values: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return -0.5 * ((values[:, None] - mean) / std) ** 2 - np.log(std)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)
