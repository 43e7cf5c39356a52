"""Samples between draws: ends that are samples, ways on the sphere or straight, and what stays in a row."""

from __future__ import annotations

import math

import pytest
import torch

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.inference import CHUNK
from ganzoo.registry import plugins
from ganzoo.run.start import train
from tests.zoo import written

MODEL = """
data:
  use: data.random
  count: 40
  fields:
    real: {kind: vector, shape: [6]}
    label: {kind: label, classes: [cat, dog, newt]}
parts:
  Z: {use: prior.normal, size: 64}
  U: {use: prior.uniform, size: 3}
  K: {use: prior.categorical, num_classes: 5}
  C: op.one_hot
  G: {use: generator.mlp, hidden: [8]}
  D: {use: discriminator.mlp, hidden: [8]}
  adv: adversarial.hinge
flow:
  z: Z(n)
  u: U(n)
  k: K(n)
  c: C(label)
  fake: G(join(z, u, k, c))
players:
  D: {minimize: {a: "adv.d(D(real), D(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))"}}
optimizer: optimizer.adam
train: {batch: 8, steps: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ganzoo.Run:
    folder = tmp_path_factory.mktemp("between")
    train(written(folder, MODEL).blueprint, folder / "run", plugins.installed(), True)
    return ganzoo.open(folder / "run")


def test_rows_go_from_a_sample_to_the_next(run: ganzoo.Run) -> None:
    z, plain = (of.double() for of in (run.interpolate(3, 5, 7, "z").view(3, 5, 64), run.sample(6, 7, "z")))
    torch.testing.assert_close(z[:, 0], plain[::2], atol=1e-6, rtol=0)
    torch.testing.assert_close(z[:, -1], plain[1::2], atol=1e-6, rtol=0)
    middle = (plain[::2] + plain[1::2]) / math.sqrt(2)  # of the sphere, where a straight line would halve
    torch.testing.assert_close(z[:, 2], middle, atol=1e-5, rtol=0)
    assert (z.norm(dim=2) - 8).abs().max() < 2.5  # sqrt(64) all the way
    u, plain = run.interpolate(3, 5, 7, "u").view(3, 5, 3), run.sample(6, 7, "u")
    torch.testing.assert_close(u[:, 1], 0.75 * plain[::2] + 0.25 * plain[1::2], atol=1e-6, rtol=0)


def test_all_but_the_noise_stays_in_a_row(run: ganzoo.Run) -> None:
    for value in ("join(u, k)", "join(u, c)"):
        rows = run.interpolate(12, 4, 1, value)[:, 3:].view(12, 4, -1)
        assert torch.equal(rows, rows[:, :1].expand_as(rows))
        assert torch.equal(rows[:, 0], run.sample(24, 1, value)[::2, 3:]), "that of the row's first sample"
        assert len(rows[:, 0].unique(dim=0)) > 1
    first = run.interpolate(12, 4, 1)
    torch.testing.assert_close(first[::4], run.sample(24, 1)[::2], atol=1e-5, rtol=0)


def test_what_is_given_is_of_a_row(run: ganzoo.Run) -> None:
    rows = run.interpolate(2, 3, value="join(c, u)", label=["dog", "newt"])
    assert rows[:, :3].argmax(1).tolist() == [1, 1, 1, 2, 2, 2]
    assert run.interpolate(2, 3, value="join(c, u)", label="dog")[:, :3].argmax(1).tolist() == [1] * 6
    z = torch.randn(2, 64)
    assert torch.equal(run.interpolate(2, 3, value="join(z, u)", z=z)[:, :64], z.repeat_interleave(3, 0))


def test_rows_of_several_chunks_are_those_of_one(run: ganzoo.Run) -> None:
    rows, steps = 9, 10
    assert rows * steps > CHUNK
    many, few = run.interpolate(rows, steps, 3), run.interpolate(4, steps, 3)
    torch.testing.assert_close(many[: 4 * steps], few, atol=1e-5, rtol=0)


def test_what_cannot_be_between_is_told(run: ganzoo.Run) -> None:
    with pytest.raises(UserError, match="c is made of no noise"):
        run.interpolate(value="c")
    with pytest.raises(UserError, match="made of no noise here"):
        run.interpolate(2, value="join(z, z)", z=torch.zeros(2, 64))
    with pytest.raises(UserError, match="at least 2 steps"):
        run.interpolate(2, 1)
    with pytest.raises(UserError, match="label has 3 rows, but 2 are wanted"):
        run.interpolate(2, 3, label=[0, 1, 2])
