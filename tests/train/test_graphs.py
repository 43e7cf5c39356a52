"""Steps as graphs: a recorder that computes again, on the CPU, shows what goes in and out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch.utils._pytree import tree_map

from ganzoo.errors import UserError
from ganzoo.train import capturable, graphs
from ganzoo.train.loop import Trainer
from tests.zoo import equal, small, tensors

CPU = torch.device("cpu")
DUE_ALIKE = ("dcgan/fashion_mnist_sample", "wgan_gp/fashion_mnist_sample", "sngan/fashion_mnist_sample")


class Again:
    """Computes again what it was given, and copies the result to where the first one lies, as a graph would."""

    made: ClassVar[list[Again]] = []

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


# A fake that two players share; a repeat with a penalty and batches of its own; buffers that are replaced; in the
# slow ones a history, dropout, codes, and what an augmentation keeps.
@pytest.mark.parametrize(
    "name",
    [
        "dcgan/fashion_mnist_sample",
        "wgan_gp/fashion_mnist_sample",
        "sngan/fashion_mnist_sample",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "cyclegan/openmoji",
                "pix2pix/openmoji",
                "infogan/fashion_mnist_sample",
                "biggan/fashion_mnist_sample",
                "ada/openmoji",
            )
        ),
    ],
)
def test_a_run_with_graphs_is_a_run_without_to_the_bit(name: str) -> None:
    plain, captured = pair(name, 9)
    assert trained(plain, 9) == trained(captured, 9)
    assert equal(tensors(plain.parts), tensors(captured.parts))
    if name in DUE_ALIKE:
        (made,), (kind,) = Again.made, captured.steps.kinds.values()
        assert made.warmed == 3 * made.recorded and made.recorded == len(kind.turns)
        assert made.replayed == 3 * made.recorded  # of 9 steps 2 are logged (the 5th, the last), 3 warm, 1 recorded


def test_terms_that_are_due_now_and_then_make_kinds_of_their_own() -> None:
    lazy = {"of": "r1(D, real)", "weight": 5, "every": 2}
    more = {"parts.r1": "regularizer.r1", "players.D.minimize.r1": lazy, "train.log_every": 100}
    plain, captured = pair("dcgan/fashion_mnist_sample", 12, **more)
    assert trained(plain, 12) == trained(captured, 12)
    assert equal(tensors(plain.parts), tensors(captured.parts))
    with_r1, without = Again.made
    assert [with_r1.replayed, without.replayed] == [2 * with_r1.recorded, without.recorded]


@pytest.mark.parametrize("left_out", ["put_draws", "take"])
def test_what_goes_into_a_graph_is_what_it_is_computed_from(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, captured = pair("gan/fashion_mnist_sample", 8)
    filled = getattr(graphs.Graphs, left_out)

    def once(self: graphs.Graphs, *args: Any) -> Any:
        assert self.kind is not None or self.trainer.logged
        if left_out == "take" and self.kind is not None and self.kind.ready and self.kind.batches:
            self.trainer.feed.take(*args)
            return [self.kind.batches[0]]
        if left_out == "put_draws" and args[0].drawn:
            return None
        return filled(self, *args)

    monkeypatch.setattr(graphs.Graphs, left_out, once)
    trained(plain, 4), trained(captured, 4)
    assert equal(tensors(plain.parts), tensors(captured.parts))  # the fourth step is recorded
    trained(plain, 2), trained(captured, 2)  # the fifth is logged, the sixth replayed
    assert not equal(tensors(plain.parts), tensors(captured.parts))


def test_what_changes_on_the_host_is_refused_by_its_name() -> None:
    _, captured = pair("gan/fashion_mnist_sample")
    part = captured.parts["G"]
    part.calls = 0
    part.register_forward_hook(lambda module, *_: setattr(module, "calls", module.calls + 1))
    with pytest.raises(UserError, match=r"G.calls changes on the host in every step"):
        trained(captured, 4)


def test_a_turn_that_cannot_be_captured_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Again, compute: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(Again, "record", fails)
    _, captured = pair("gan/fashion_mnist_sample")
    with pytest.raises(UserError, match="a turn of D cannot be captured: operation not permitted when stream is capt"):
        trained(captured, 4)


def test_where_there_are_no_graphs_true_is_one_message_and_auto_is_off() -> None:
    name = "gan/fashion_mnist_sample"
    with pytest.raises(UserError, match=r"captured as CUDA graphs: the device is cpu.*train.graphs=false"):
        Trainer(small(name, **{"train.graphs": True}).blueprint, CPU)
    blueprint = small(name, **{"train.graphs": "auto"}).blueprint
    assert str(graphs.settle(blueprint, CPU, Trainer)).startswith("graphs: false (the device is cpu")
    assert blueprint.spec.train.graphs is False
    assert type(Trainer(blueprint, CPU).steps) is graphs.Plain


def test_auto_tries_a_copy_and_is_for_what_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "impossible", lambda spec, device: None)
    monkeypatch.setattr(graphs.Graphs.__init__, "__defaults__", (Again,))
    model = small("gan/fashion_mnist_sample", **{"train.graphs": "auto"})
    assert graphs.settle(model.blueprint, CPU, Trainer) == "graphs: true (small enough, and steps can be captured)"
    assert Again.made[0].replayed
    model.spec.train.graphs = "auto"
    monkeypatch.setattr(capturable, "PARAMETERS", 10)
    assert "parameters are more than 10" in str(graphs.settle(model.blueprint, CPU, Trainer))
    assert model.spec.train.graphs is False


def test_what_cannot_be_captured_is_known_beforehand() -> None:
    cuda = torch.device("cuda")

    def why(**more: Any) -> str | None:
        spec = small("gan/fashion_mnist_sample", **{key.replace("__", "."): value for key, value in more.items()}).spec
        return capturable.impossible(spec, cuda)

    assert why() is None
    assert why(train__compile=True) == "train.compile makes graphs of its own"
    assert why(train__accumulate=2) == "batches are accumulated in 2 parts"
    weight = {"of": "mse(fake, real)", "weight": {"use": "schedule.linear"}}
    assert why(parts__mse="loss.mse", players__G__minimize__near=weight) == "the weight of G.near is a schedule"
