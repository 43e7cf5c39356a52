"""Mean and covariance of features, gathered piece by piece, and the Fréchet distance of two Gaussians."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Moments:
    """Count, mean and covariance of rows ``n d``, accumulated in float64 as they come.

    mean += (mean_b - mean) n_b / n,  M += M_b + (mean_b - mean)(mean_b - mean)' n_a n_b / n,  C = M / (n - 1)

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".

    Raises:
        ValueError: rows that are no matrix, are of another width than before, or hold NaN or infinity.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0, dtype=torch.float64)
        self.scatter = torch.zeros(0, 0, dtype=torch.float64)

    @classmethod
    def of(cls, features: Tensor | np.ndarray) -> Moments:
        """Those of all rows at once."""
        found = cls()
        found.update(features)
        return found

    def update(self, features: Tensor | np.ndarray) -> None:
        """Take in more rows."""
        rows = torch.as_tensor(features).detach().to("cpu", torch.float64)
        if rows.ndim != 2:
            raise ValueError(f"features are rows n x d, not of shape {tuple(rows.shape)}")
        if not torch.isfinite(rows).all():
            raise ValueError("features are not finite")
        if not len(rows):
            return
        mean = rows.mean(0)
        centred = rows - mean
        other = Moments()
        other.count, other.mean, other.scatter = len(rows), mean, centred.T @ centred
        self.merge(other)

    def merge(self, other: Moments) -> None:
        """Take in the rows that `other` has seen."""
        if self.count and other.count and len(self.mean) != len(other.mean):
            raise ValueError(f"features of {len(self.mean)} and {len(other.mean)} dimensions cannot be compared")
        if not self.count or not other.count:
            if other.count:
                self.count, self.mean, self.scatter = other.count, other.mean.clone(), other.scatter.clone()
            return
        total = self.count + other.count
        shift = other.mean - self.mean
        self.mean = self.mean + shift * (other.count / total)
        self.scatter = self.scatter + other.scatter + torch.outer(shift, shift) * (self.count * other.count / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """``d d``, unbiased.

        Raises:
            ValueError: there are fewer than two rows.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs two samples or more, not {self.count}")
        return self.scatter / (self.count - 1)

    def arrays(self) -> dict[str, Any]:
        """For a file."""
        return {"count": self.count, "mean": self.mean.numpy(), "scatter": self.scatter.numpy()}

    @classmethod
    def from_arrays(cls, stored: Any) -> Moments:
        found = cls()
        found.count = int(stored["count"])
        found.mean, found.scatter = torch.from_numpy(stored["mean"]), torch.from_numpy(stored["scatter"])
        return found


def gaussian_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared Fréchet (Wasserstein-2) distance of two Gaussians, means ``d``, covariances ``d d``.

    d^2 = |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    The trace of the root is the sum of the singular values of C_a^(1/2) C_b^(1/2): no root of a matrix that is not
    symmetric, and no complex numbers, also where a covariance is singular.

    Paper: arXiv:1706.08500 eq. 6; Dowson and Landau 1982, eq. 4.
    """
    mean_a, cov_a, mean_b, cov_b = (t.to(torch.float64) for t in (mean_a, cov_a, mean_b, cov_b))
    root = torch.linalg.svdvals(_root(cov_a) @ _root(cov_b)).sum()
    squared = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    return max(squared.item(), 0.0)


def _root(covariance: Tensor) -> Tensor:
    symmetric = (covariance + covariance.T) / 2
    try:
        values, vectors = torch.linalg.eigh(symmetric)
    except torch.linalg.LinAlgError:  # its algorithm may fail where the rank is low; the older, slower one does not
        from scipy.linalg import eigh

        values, vectors = (torch.from_numpy(found) for found in eigh(symmetric.numpy(), driver="ev"))
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def moments_distance(a: Moments, b: Moments) -> float:
    """The squared Fréchet distance of Gaussians with these moments.

    Raises:
        ValueError: the dimensions differ, or there are fewer than two samples.
    """
    if len(a.mean) != len(b.mean):
        raise ValueError(f"features of {len(a.mean)} and {len(b.mean)} dimensions cannot be compared")
    return gaussian_distance(a.mean, a.covariance, b.mean, b.covariance)


def frechet_distance(features_a: Tensor | np.ndarray, features_b: Tensor | np.ndarray) -> float:
    """The squared Fréchet distance of Gaussians fitted to two sets of features, ``n d`` and ``m d``.

    Paper: arXiv:1706.08500 eq. 6.

    Raises:
        ValueError: features that are no matrices, differ in width, are not finite, or are fewer than two rows.
    """
    return moments_distance(Moments.of(features_a), Moments.of(features_b))
