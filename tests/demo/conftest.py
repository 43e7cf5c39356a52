"""Small runs of every kind that the page knows how to show: noise with labels and codes, pairs, enlargers, holes."""

from __future__ import annotations

from pathlib import Path

import pytest

import ganzoo
from ganzoo.demo.desk import Desk
from ganzoo.registry import plugins
from ganzoo.run.start import train
from tests.zoo import written

SHARED = """
players:
  D: {minimize: {a: "adv.d(D(real), D(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))"}}
optimizer: optimizer.adam
train: {batch: 8, steps: 1}
"""
NOISE = """
data:
  use: data.random
  count: 24
  fields:
    real: {kind: image, shape: [1, 8, 8]}
    label: {kind: label, classes: [cat, dog, newt]}
parts:
  Z: {use: prior.normal, size: 16}
  Kind: {use: prior.categorical, num_classes: 4}
  Style: {use: prior.uniform, size: 2}
  C: op.one_hot
  G: {use: generator.mlp, hidden: [16]}
  D: {use: discriminator.mlp, hidden: [16]}
  adv: adversarial.hinge
flow:
  z: Z(n)
  kind: Kind(n)
  style: Style(n)
  fake: G(join(z, C(label), kind, style))
show: [fake]
"""
PAIRED = """
data:
  use: data.random
  count: 24
  fields:
    line: {kind: image, shape: [1, 8, 8]}
    real: {kind: image, shape: [3, 8, 8]}
parts:
  jitter: {use: augment.jitter, enlarge: 1, border: 1}
  G: {use: generator.cyclegan, blocks: 1, width: 4, like: real}
  D: {use: discriminator.mlp, hidden: [16]}
  adv: adversarial.hinge
flow:
  a: jitter(line)
  fake: G(a)
show: [line, fake]
"""
LARGER = """
data:
  use: data.random
  count: 24
  fields:
    real: {kind: image, shape: [3, 16, 16]}
parts:
  down: {use: op.bicubic, down: 4}
  up: {use: op.bicubic, up: 4}
  G: {use: generator.srresnet, scale: 4, width: 8, blocks: 1}
  mse: loss.mse
flow:
  lr: down(real)
  sr: G(lr)
  bicubic: up(lr)
players:
  G: {minimize: {pixel: "mse(sr, real)"}}
optimizer: optimizer.adam
train: {batch: 8, steps: 1}
sample: sr
show: [bicubic, sr]
"""
HOLES = """
data:
  use: data.random
  count: 24
  fields:
    real: {kind: image, shape: [3, 16, 16]}
parts:
  holes: {use: op.holes, cell: 4.0}
  cover: op.cover
  fill: op.fill
  G: {use: generator.cyclegan, blocks: 1, width: 4, like: real}
  mse: loss.mse
flow:
  mask: holes(real)
  masked: cover(real, mask)
  made: G(masked)
  filled: fill(real, made, mask)
players:
  G: {minimize: {pixel: "mse(made, real)"}}
optimizer: optimizer.adam
train: {batch: 8, steps: 1}
sample: filled
show: [masked, filled]
"""


def desk(folder: Path, model: str) -> Desk:
    run, _ = train(written(folder, model).blueprint, folder / "run", plugins.installed(), True)
    return Desk(ganzoo.open(run.path))


@pytest.fixture(scope="session")
def noise(tmp_path_factory) -> Desk:
    return desk(tmp_path_factory.mktemp("noise"), NOISE + SHARED)


@pytest.fixture(scope="session")
def paired(tmp_path_factory) -> Desk:
    return desk(tmp_path_factory.mktemp("paired"), PAIRED + SHARED)


@pytest.fixture(scope="session")
def larger(tmp_path_factory) -> Desk:
    return desk(tmp_path_factory.mktemp("larger"), LARGER)


@pytest.fixture(scope="session")
def holes(tmp_path_factory) -> Desk:
    return desk(tmp_path_factory.mktemp("holes"), HOLES)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory) -> Desk:
    """A translator that is also given a class."""
    model = (PAIRED + SHARED).replace(
        "    real: {kind: image, shape: [3, 8, 8]}",
        "    real: {kind: image, shape: [3, 8, 8]}\n    label: {kind: label, classes: [cat, dog, newt]}",
    )
    model = model.replace("  D: {use", "  C: op.one_hot\n  D: {use").replace("G(a)", "G(join(a, maps(C(label), a)))")
    return desk(tmp_path_factory.mktemp("labelled"), model)
