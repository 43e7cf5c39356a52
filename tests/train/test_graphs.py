"""Steps as graphs: a recorder that computes again, on the CPU, shows what goes in and out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_map

from ganzoo.errors import UserError
from ganzoo.train import graphs
from ganzoo.train.loop import Trainer
from tests.zoo import equal, small, tensors

CPU = torch.device("cpu")


class Again:
    """Computes again what it was given, and copies the result to where the first one lies, as a graph would."""

    made: list[Again] = []

    def __init__(self, device: torch.device) -> None:
        self.recorded, self.replayed, self.warmed = 0, 0, 0
        Again.made.append(self)

    @contextmanager
    def warm(self) -> Iterator[None]:
        self.warmed += 1
        yield

    def record(self, compute: Callable[[], Any]) -> tuple[Any, Callable[[Callable[[], Any]], object]]:
        self.recorded += 1
        kept = compute()

        def again(compute: Callable[[], Any]) -> None:
            self.replayed += 1
            with torch.no_grad():
                tree_map(lambda a, b: a.copy_(b) if isinstance(a, torch.Tensor) else None, kept, _again(compute))

        return kept, again


def _again(compute: Callable[[], Any]) -> Any:
    with torch.enable_grad():
        return compute()


@pytest.fixture(autouse=True)
def fresh() -> None:
    Again.made.clear()


def pair(name: str, steps: int = 14, **more: Any) -> tuple[Trainer, Trainer]:
    """A model as it is, and with graphs."""
    settings = {"train.log_every": 5, **more}
    plain, captured = (Trainer(small(name, steps, **settings).blueprint, CPU) for _ in range(2))
    captured.steps = graphs.Graphs(captured, Again)
    return plain, captured


def trained(trainer: Trainer, steps: int) -> list[dict[str, float]]:
    """What is logged on the way."""
    found = []
    for _ in range(steps):
        assert trainer.advance()
        if trainer.logged:
            found.append(trainer.meters.read())
    return found


# one player after another on a shared fake; a repeated one without; penalties; a history; statistics; dropout
@pytest.mark.parametrize(
    "name",
    [
        "dcgan/fashion_mnist_sample",
        "wgan_gp/fashion_mnist_sample",
        "sngan/fashion_mnist_sample",
        "cyclegan/openmoji",
        "pix2pix/openmoji",
        "infogan/fashion_mnist_sample",
    ],
)
def test_a_run_with_graphs_is_a_run_without_to_the_bit(name: str) -> None:
    plain, captured = pair(name)
    assert trained(plain, 14) == trained(captured, 14)
    assert equal(tensors(plain.parts), tensors(captured.parts))
    (made,) = Again.made
    assert made.recorded == len(captured.steps.kinds.popitem()[1].turns)
    assert made.replayed == 7 * made.recorded  # of 14 steps 2 are logged, 1 more is the last, 3 are warm, 1 records
