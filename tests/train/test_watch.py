"""What ``log:`` watches: the numbers are right, and watching changes nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from ganzoo_ops.tensors import Accuracy
from torch import nn
from torch.nn.functional import softplus

from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.model.state import unchanged
from ganzoo.run.start import train
from ganzoo.store.folder import RunFolder
from tests.train.test_resume import assert_same, logged, run_in_two
from tests.zoo import TINY, trainer, written

PLUGIN = '''
import torch
from torch import nn
from ganzoo.parallel import draw

import ganzoo

class Balance(nn.Module):
    """A part with every kind of state: a buffer, a number, a list; and it draws."""
    def __init__(self):
        super().__init__()
        self.register_buffer("k", torch.zeros(1))
        self.count = 0
        self.seen = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.k = self.k + 0.1 * x.detach().mean() + 0.01 * draw.normal(1, device=x.device)
            self.count += 1
            self.seen.append(self.count)
        return (self.k * x).mean()

@ganzoo.hookimpl
def register(zoo):
    zoo.loss("balance", Balance)
'''
STATEFUL = """
extends: base/images.yaml
data: {use: data.random, count: 20, fields: {real: {kind: image, shape: [1, 16, 16]}}}
parts:
  Z: {size: 4}
  G: {width: 4}
  D: {width: 4, dropout: 0.5, with: {sn: regularizer.spectral_norm}}
  pool: {use: op.history, size: 6}
  bal: loss.balance
  gp: regularizer.gradient_penalty
players:
  D: {minimize: {adversarial: "adv.d(D(real), D(pool(fake)))"}}
  G: {minimize: {balance: "bal(D(fake))"}, ema: 0.9}
train: {batch: 4, steps: 7, log_every: 2}
show: {n: 4}
"""
LOG = {
    "first": "bal(D(real))",
    "k": "bal.k",
    "count": "bal.count",
    "sure": "accuracy(D(real), 1)",
    "fooled": "accuracy(D(pool(G(Z(n)))), 1)",
    "balance": "bal(D(fake))",
    "slope": "gp(D, real, pool(fake))",
}


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "watched.py").write_text(PLUGIN)
    return api.registry(tmp_path / "watched.py")


def stateful(tmp_path, registry, **overrides) -> api.Model:
    (tmp_path / "m.yaml").write_text(STATEFUL)
    return api.Model(tmp_path / "m.yaml", {**TINY, **overrides}, registry)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_that_is_watched_is_bit_for_bit_the_run_that_is_not(tmp_path, registry, accumulate) -> None:
    more = {"train.accumulate": accumulate}
    plain, watched = (trainer(stateful(tmp_path, registry, log=log, **more)) for log in ({}, LOG))
    for _ in range(7):
        globals_after = []
        for tr in (plain, watched):
            tr.advance()
            globals_after.append((torch.rand(3).tolist(), random.random(), np.random.rand()))
        assert globals_after[0] == globals_after[1]
    plain_read, read = plain.meters.read(), watched.meters.read()
    assert {name: value for name, value in read.items() if name not in LOG} == plain_read
    assert LOG.keys() <= read.keys()
    assert_same(plain.state_dict(), watched.state_dict())
    one, other = plain.parts["bal"], watched.parts["bal"]
    assert one.seen == other.seen == list(range(1, 7 * accumulate + 1))
    assert read["k"] == other.k.item()
    assert read["count"] == other.count
    assert 0 <= read["sure"] <= 1


def test_pictures_and_checkpoints_of_a_watched_run_are_those_of_the_other(tmp_path, registry) -> None:
    for name, log in (("plain", {}), ("watched", LOG)):
        train(stateful(tmp_path, registry, log=log).blueprint, tmp_path / name, registry, quiet=True)
    picture = "samples/step_00000007.png"
    assert (tmp_path / "plain" / picture).read_bytes() == (tmp_path / "watched" / picture).read_bytes()
    without = [{k: v for k, v in record.items() if k not in LOG} for record in logged(tmp_path / "watched")]
    assert without == logged(tmp_path / "plain")
    page = (tmp_path / "watched" / "report.html").read_text()
    assert "<h2>Logged</h2>" in page
    assert "<h2>Logged</h2>" not in (tmp_path / "plain" / "report.html").read_text()
    assert [r["step"] for r in RunFolder(tmp_path / "watched").records() if "sure" in r] == [2, 4, 6, 7]


POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, mse: loss.mse}
share: []
train: {batch: 8, log_every: 1, checkpoint_every: 5}
"""


def test_the_numbers_are_of_the_batch_that_the_step_saw_after_the_step(tmp_path) -> None:
    log = {"sure": "accuracy(D(real), 1)", "loss": "10 * adv.g(D(real))"}
    tr = trainer(written(tmp_path, POINTS, log=log, train__log_every=1))
    real = tr.feed.take(8)[0]["real"]
    tr.feed.cursor = 0
    tr.advance()
    read, logit = tr.meters.read(), tr.parts["D"](real).logit
    assert read["sure"] == (logit > 0).float().mean().item()
    assert read["loss"] == pytest.approx(10 * softplus(-logit).mean().item())


def test_nothing_asks_for_gradients_meanwhile(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS, log={"sure": "accuracy(D(real), 1)"}))
    tr.advance()
    asked = [p.requires_grad for p in tr.every]
    seen = []
    tr.watch.entries["sure"] = lambda turn: seen.append(tr.parts["D"](turn.batch["real"]).logit) or 1
    tr.look(tr.feed.take(8))
    assert not seen[0].requires_grad
    assert [p.requires_grad for p in tr.every] == asked


def test_a_watched_run_resumes_exactly(tmp_path) -> None:
    text = POINTS + 'log: {sure: "accuracy(D(real), 1)", near: "mse(fake, real)"}\n'
    a, b = run_in_two(tmp_path, text, 12, 8)
    assert_same(a.state, b.state)
    assert logged(tmp_path / "a" / "run") == logged(tmp_path / "b" / "run")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("D(real).logit", "`D(real).logit` has the shape n, but what is logged is one number"),
        ("D(real)", "but what is logged is one number"),
        ("G.hidden", "no field 'hidden'"),
        ("mse(fake)", "is called as mse(fake)"),
    ],
)
def test_what_is_no_number_is_refused(expression: str, expected: str, tmp_path) -> None:
    with pytest.raises(UserError) as caught:
        written(tmp_path, POINTS, log={"a": expression}).blueprint  # noqa: B018
    (problem,) = caught.value.problems
    assert expected in problem.message
    assert problem.path == "log.a"


def test_a_look_leaves_tensors_lists_and_new_attributes_as_they_were() -> None:
    class Keeper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(2))
            self.register_buffer("same", torch.ones(1).expand(3))
            self.past: list[int] = [1]
            self.cache = {"a": torch.zeros(1)}

    keeper = Keeper()
    mean, past = keeper.mean, keeper.past
    with unchanged([keeper, object()]):
        keeper.mean += 1
        keeper.mean = torch.full((2,), 7.0)
        keeper.past.append(2)
        keeper.cache["a"] += 1
        keeper.cache["b"] = 1
        keeper.new = 3
        keeper.eval()
    assert keeper.mean is mean
    assert keeper.past is past
    assert (mean.tolist(), past, keeper.training) == ([0, 0], [1], True)
    assert keeper.cache == {"a": torch.zeros(1)}
    assert not hasattr(keeper, "new")


def test_accuracy_in_closed_form() -> None:
    accuracy = Accuracy()
    logit = torch.tensor([[0.5], [-2.0], [3.0], [0.0]])
    assert (accuracy(logit, 1).item(), accuracy(logit, 0).item()) == (0.5, 0.5)
    assert accuracy(logit, torch.tensor([1, 1, 1, 0])).item() == 0.75
    assert accuracy(logit.flatten(), torch.tensor([1, 1, 1, 0])).item() == 0.75
    assert accuracy(torch.tensor([[1.0, 2.0, 0.0], [5.0, 1.0, 0.0]]), torch.tensor([1, 2])).item() == 0.5
    with pytest.raises(ValueError, match=r"\(4, 1\) and labels of shape \(3,\)"):
        accuracy(logit, torch.tensor([1, 1, 1]))
