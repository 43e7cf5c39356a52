"""What the codes have come to mean: how much images tell of them, and how well they match classes nobody showed."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Information:
    """How much images tell of a categorical code, in nats: log K + E log q(c|x), at most log K.

    Paper: arXiv:1606.03657 eq. 5 and figure 1.
    """

    better = "higher"

    def __call__(self, logit: Tensor, label: Tensor) -> float:
        """`logit` is ``B K``; `label` the code that each image was made from, ``B`` or one-hot."""
        chosen = logit.double().log_softmax(1).gather(1, _index(label)[:, None])
        return math.log(logit.shape[1]) + chosen.mean().item()


class MajorityMatch:
    """The share of samples whose class is that of most samples of their code: ``B K, B -> [1 / classes, 1]``.

    Each code stands for the class that is most frequent in it; several codes may stand for one class.

    Paper: arXiv:1606.03657 section 7.2 (its 5 % error on MNIST is 1 minus this).
    """

    better = "higher"

    def __call__(self, logit: Tensor, label: Tensor) -> float:
        """`logit`: the code, as logits or one-hot, ``B K``; `label`: the classes, ``B``, or their logits."""
        code, classes = _index(logit), _index(label)
        table = torch.zeros(int(code.max()) + 1, int(classes.max()) + 1, dtype=torch.float64)
        table.index_put_((code, classes), torch.ones(len(code), dtype=torch.float64), accumulate=True)
        return (table.amax(1).sum() / len(code)).item()


def _index(choice: Tensor) -> Tensor:
    """Classes ``B``, of ``B`` or of what is largest in ``B K``."""
    return (choice.argmax(1) if choice.ndim == 2 else choice).cpu()
