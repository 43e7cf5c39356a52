"""Labels as vectors."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(label: Tensor, num_classes: int) -> Tensor:
    """Integer labels ``… -> … num_classes``, floats: 1 at the label, 0 elsewhere.

    Unlike torch's own, it does not look whether labels are in range, for which the host would wait for the device; one
    that is not becomes zeros. Source: torch.nn.functional.one_hot.
    """
    return (label[..., None] == torch.arange(num_classes, device=label.device)).float()
