"""Two sets of images with nothing in common but the model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet


class Unpaired(ImageSet):
    """Images `real_a` and `real_b` in orders of their own: an epoch shows each of the larger set once.

    A subclass loads both, of any lengths. In the training split the partner of an image is another one in each epoch;
    in the test split row k is the k-th of both. Source: arXiv:1703.10593, its code.
    """

    renewed = True

    def __len__(self) -> int:
        return max(map(len, self.arrays.values()))

    def batch(self, index: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        a, b = self.arrays["real_a"], self.arrays["real_b"]
        row = index % len(self)
        found = {"real_a": self._rows("real_a", a, row % len(a), device)}
        return found | {"real_b": self._rows("real_b", b, self._partners(index // len(self), row % len(b)), device)}

    def _partners(self, epochs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if self.split == "test":
            return rows
        return shuffled(epochs, rows, len(self.arrays["real_b"]))

    def chunks(self, size: int = 128) -> Iterator[dict[str, np.ndarray]]:
        """Raises UserError: two sets of rows are not one."""
        raise UserError("unpaired images cannot be packed as one set of rows")


def shuffled(rounds: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """What stands at some places of some rounds: in each all of `count` rows, each once, in an order of its own.

    Source: ganzoo's own.
    """
    orders = {int(k): np.random.default_rng([int(k), count]).permutation(count) for k in rounds.unique()}
    found = [orders[k][place] for k, place in zip(rounds.tolist(), places.tolist(), strict=True)]
    return torch.tensor(found, dtype=torch.int64)
