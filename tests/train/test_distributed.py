"""Two processes with gloo equal one process with the whole batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.train.processes import state, together, trained

MODEL = """
extends: base/unconditional.yaml
data: {{use: data.random, count: 40, fields: {{real: {{kind: image, shape: [1, 8, 8]}}}}}}
parts:
  Z: {{use: prior.normal, size: 4}}
  G: {{use: generator.mlp, hidden: [16], activation: leaky_relu}}
  D: {{use: discriminator.dcgan, width: 4, norm: none, bias: true}}
  adv: {adversarial}
  gp: regularizer.gradient_penalty
  dragan: regularizer.dragan
players:
  D:
    repeat: 2
    minimize:
      gp: 10 * gp(D, real, fake)
      dragan: {{of: "dragan(D, real)", weight: 0.1, every: 2}}
  G: {{ema: 0.9, clip: 1.0}}
share: []
train: {{batch: 8, steps: 6, checkpoint_every: 3, log_every: 2, accumulate: {accumulate}}}
optimizer: {optimizer}
plugins: {{tensorboard: false}}
"""
ADAM = "{lr: 2.0e-4}"
SGD = "{use: optimizer.sgd, lr: 0.05}"


@pytest.mark.parametrize(
    ("adversarial", "accumulate", "optimizer"),
    [
        ("adversarial.wasserstein", 1, ADAM),
        # D's last bias has no gradient but rounding here, which Adam would blow up
        ("adversarial.relativistic_average", 2, SGD),
    ],
)
def test_two_processes_equal_one(adversarial: str, accumulate: int, optimizer: str, tmp_path: Path) -> None:
    text = MODEL.format(adversarial=adversarial, accumulate=accumulate, optimizer=optimizer)
    (tmp_path / "model.yaml").write_text(text)
    trained(tmp_path / "model.yaml", {}, tmp_path / "one")
    together(trained, tmp_path / "model.yaml", {}, tmp_path / "two")
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    worst = max((one[key] - two[key]).abs().max().item() for key in one)
    assert worst < 1e-5, worst
    assert (tmp_path / "two" / "metrics.jsonl").read_text().count("epoch") == 3, "one process logs, not both"
    losses = [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    ours = [json.loads(line) for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()]
    for mine, theirs in zip(losses, ours, strict=True):
        assert mine.keys() == theirs.keys()
        for name in {"D.adversarial", "D.gradient", "G.gradient", "D.adversarial.margin", "diversity"} & mine.keys():
            assert mine[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-5), name


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    from ganzoo.errors import UserError
    from ganzoo.train.feed import check_batch

    with pytest.raises(UserError, match="batch of 9 cannot be divided among 2 processes"):
        check_batch("train.batch", None, 9, 2, 1)


def test_two_processes_keep_one_pool_of_what_was_made_before(tmp_path: Path) -> None:
    overrides: dict[str, Any] = {f"parts.{part}.width": 4 for part in ("G_ab", "G_ba", "D_a", "D_b")}
    overrides |= {"parts.pool_a.size": 5, "parts.pool_b.size": 5, "data.size": 32}
    overrides |= {"train.steps": 8, "train.checkpoint_every": 4, "train.precision": "fp32"}
    overrides |= {"optimizer": {"use": "optimizer.sgd", "lr": 1e-5}, "show": [], "plugins.tensorboard": False}
    trained("cyclegan/openmoji", overrides, tmp_path / "one")
    together(trained, "cyclegan/openmoji", overrides, tmp_path / "two")
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    assert {"live.pool_a.stored", "live.pool_b.count"} <= one.keys()
    assert int(one["live.pool_a.count"]) == 5
    # instance norm magnifies rounding from step to step, so weights hardly move here; another pool differs by 0.1
    worst = max((one[key] - two[key]).abs().max().item() for key in one)
    assert worst < 1e-3, worst
