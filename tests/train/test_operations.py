"""Every moment of an operation is charged to its kind."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from torch import nn

from ganzoo.train.operations import KINDS, OTHERS, Operations, kind


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("convolution", "convolutions"),
        ("convolution_backward", "convolutions"),
        ("addmm", "matrix products"),
        ("native_batch_norm_backward", "norms"),
        ("_fused_adam_", "optimizers"),
        ("clone", "copies"),
        ("cat", "copies"),
        ("bernoulli_", "draws"),
        ("leaky_relu_backward", OTHERS),
        ("mul", OTHERS),
        ("mean", OTHERS),
    ],
)
def test_kinds(name: str, of: str) -> None:
    assert kind(name) == of


def test_forward_backward_and_the_optimizer_are_counted() -> None:
    ticks = count()
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 1))
    adam = torch.optim.Adam(network.parameters(), fused=True)
    x = torch.randn(4, 1, 6, 6)
    with Operations(lambda: float(next(ticks))) as found:
        network(x).sum().backward()
        adam.step()
    spent = found.by_kind()
    assert list(spent) == [*KINDS, OTHERS]
    assert spent["convolutions"] == 2 and spent["norms"] == 2  # a tick each, forward and backward
    assert spent["matrix products"] >= 2 and spent["optimizers"] >= 1
    assert sum(spent.values()) == sum(found.spent.values()) == next(ticks) / 2
