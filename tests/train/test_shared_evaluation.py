"""Metrics over several processes: shares of the samples, and the numbers of one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.evaluation.evaluate import evaluate, split
from ganzoo.model.inference import Inference
from tests.train.processes import launch, together

MODEL = """
extends: base/images.yaml
data:
  use: data.random
  count: 320
  fields: {real: {kind: image, shape: [1, 28, 28]}, label: {kind: label, classes: [a, b, c]}}
parts:
  Z: {size: 4}
  G: {width: 4, base: 7}
  D: {width: 4}
  E: extractor.fashion_cnn
  fid: metric.fid
  near: metric.density_coverage
  alike: {use: metric.diversity, pairs: 20}
  say: metric.accuracy
evaluate:
  every: 1
  n: 300
  values: {fid: "fid(fake, E)", near: "near(fake, E)", alike: alike(fake), say: "say(D(fake), 0)"}
train: {steps: 1, batch: 8, precision: fp32}
show: []
plugins: {tensorboard: false}
"""


@pytest.mark.parametrize(
    ("n", "unit", "processes", "ends"),
    [
        (300, 128, 1, [300]),
        (300, 128, 2, [256, 300]),
        (300, 64, 2, [192, 300]),
        (100, 128, 3, [100, 100, 100]),  # too few for more than one
        (1024, 128, 3, [384, 768, 1024]),
    ],
)
def test_shares_are_whole_pieces(n: int, unit: int, processes: int, ends: list[int]) -> None:
    found = split(n, unit, processes)
    assert [rows.stop for rows in found] == ends
    assert [row for rows in found for row in rows] == list(range(n))


def test_a_share_is_what_one_process_computes_there() -> None:
    blueprint = api.Model("dcgan/fashion_mnist_sample", ["parts.G.width=4", "parts.D.width=4"]).blueprint
    inference = Inference(blueprint, blueprint.build(torch.device("cpu")), {}, 0)
    value = blueprint.spec.flow["fake"]
    (whole,) = inference.compute([value], 150, (0, "test"))
    (share,) = inference.compute([value], 150, (0, "test"), rows=range(128, 150))
    assert share.equal(whole[128:])


def measured(model: Path, code: Path | None = None) -> dict[str, Any]:
    """What the metrics of an untrained model say."""
    blueprint = api.Model(model, [], api.registry(code)).blueprint
    torch.manual_seed(0)
    records = evaluate(Inference(blueprint, blueprint.build(torch.device("cpu")), {}, 0))
    return {record.metric: (record.values, record.protocol) for record in records}


@pytest.fixture
def alone() -> Iterator[None]:
    """One thread, as each of several processes has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_measure_what_one_does(tmp_path: Path, alone: None) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    one = measured(tmp_path / "model.yaml")
    assert len(one) == 4
    for two in together(measured, tmp_path / "model.yaml"):
        for name, (values, protocol) in one.items():
            assert two[name][0] == pytest.approx(values, rel=1e-9), name
            assert two[name][1] == protocol


def test_a_metric_that_fails_on_one_process_fails_on_all(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(MODEL.replace("fid: metric.fid", "fid: metric.picky"))
    (tmp_path / "picky.py").write_text(PICKY)
    for rank, said in enumerate(together(refused, tmp_path / "model.yaml", tmp_path / "picky.py")):
        assert "fid(fake, E): only 44 of them" in said
        assert said.startswith("process 1 of 2: ") == (rank == 0)


def refused(model: Path, code: Path) -> str:
    try:
        return str(measured(model, code))
    except UserError as error:
        return str(error)


@pytest.mark.slow
def test_a_run_of_two_processes_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    launch(tmp_path, 2, "train", "model.yaml", "--out", "run", "--quiet")
    launch(tmp_path, 1, "evaluate", "run", "--out", "one.jsonl")
    done = launch(tmp_path, 2, "evaluate", "run", "--out", "two.jsonl")
    assert done.stdout.count("fid[fashion_cnn]  ") == 1, "one process speaks"
    found = [tmp_path / "run" / "evaluations.jsonl", tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    in_training, one, two = ([json.loads(line) for line in path.read_text().splitlines()] for path in found)
    assert len(in_training) == len(one) == len(two) == 4, "one process writes"
    for before, mine, theirs in zip(in_training, one, two, strict=True):
        assert mine["values"] == pytest.approx(theirs["values"], rel=1e-9)
        assert mine["values"] == pytest.approx(before["values"], rel=1e-9)


PICKY = '''
"""A metric that refuses small shares."""

import ganzoo


class Picky:
    def __call__(self, fake, extractor):
        return self.joined([self.share(fake, extractor)], extractor)

    def share(self, fake, extractor):
        if len(fake) < 100:
            raise ValueError(f"only {len(fake)} of them")
        return len(fake)

    def joined(self, shares, extractor):
        return float(sum(shares))


@ganzoo.hookimpl
def register(zoo):
    zoo.metric("picky", Picky)
'''
