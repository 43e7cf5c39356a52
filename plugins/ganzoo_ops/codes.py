"""Helpers on labels and latent codes: as maps beside an image, and one of them varied with the others held."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor

from ganzoo.bounds import PositiveInt


class Maps:
    """Vectors as constant maps of an image's size, to join with it: ``B n, B C H W -> B n H W``.

    Source: the conditional DCGAN in the code of arXiv:1511.06434.
    """

    def __call__(self, z: Tensor, x: Tensor) -> Tensor:
        axes = dict(zip("hwd", x.shape[2:], strict=False))
        return repeat(z, f"b n -> b n {' '.join(axes)}", **axes).to(x.dtype)


class Vary:
    """Every vector, many times: one number or one-hot code varied, the rest held, ``B n -> (B count) n``.

    ``vary(z, 72)`` has number 72 go from `low` to `high` in `count` steps; ``vary(z, 62, 72)`` has the one-hot code
    that stands in the numbers 62 to 71 take each of its categories. What belongs to one vector stays together: in a
    picture of as many images across it is a row.

    Paper: arXiv:1606.03657 figure 2 (whose continuous codes go from -2 to 2).

    Args:
        low: Where a number starts.
        high: Where it ends.
        count: The number of steps from one to the other.

    Raises:
        ValueError: the vectors have no such numbers.
    """

    def __init__(self, low: float = -2.0, high: float = 2.0, count: PositiveInt = 10):
        self.low, self.high, self.count = low, high, count

    def __call__(self, z: Tensor, first: int = 0, stop: int | None = None) -> Tensor:
        last = first + 1 if stop is None else stop
        if not 0 <= first < last <= z.shape[1]:
            raise ValueError(f"there are no numbers {first} to {last - 1} in vectors of {z.shape[1]}")
        if stop is None:
            code = torch.linspace(self.low, self.high, self.count, dtype=z.dtype, device=z.device)[:, None]
        else:
            code = torch.eye(stop - first, dtype=z.dtype, device=z.device)
        held = repeat(z, "b n -> (b count) n", count=len(code))
        varied = repeat(code, "count n -> (b count) n", b=len(z))
        return torch.cat([held[:, :first], varied, held[:, last:]], 1)


class Choose:
    """Noise for one of k generators that share all but their first layer: ``B n, B k -> B (k n + k)``.

    [code x z, code]: the noise stands in the place that the one-hot `code` names, zeros in the others, and the code
    after it. A first layer that reads this has weights and a bias of its own for each of the k, which is a mixture of k
    generators. With the code guessed from what the discriminator sees (`encoder.class_head`), each is pushed to make
    what the others do not.

    Paper: arXiv:1708.02556 section 3.
    """

    def __call__(self, z: Tensor, code: Tensor) -> Tensor:
        return torch.cat([rearrange(code[:, :, None] * z[:, None], "b k n -> b (k n)"), code], 1)


class Stack:
    """Batches one after another, for a picture of them: ``B_1 …, B_2 … -> (B_1 + B_2) …``.

    Source: torch.cat along dimension 0.
    """

    def __call__(self, *x: Tensor) -> Tensor:
        return torch.cat(x)
