"""A run that goes on with other numbers of training: what may change, what it does, and where it is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import ganzoo
from ganzoo.config import changes
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.report.facts import read
from ganzoo.report.one import repeat
from ganzoo.run.start import resume, train
from ganzoo.store.folder import RunFolder
from tests.zoo import written

MODEL = """
data: {use: data.random, count: 40, fields: {real: {kind: vector, shape: [2]}}}
parts:
  Z: {use: prior.normal, size: 3}
  G: {use: generator.mlp, hidden: [4]}
  D: {use: discriminator.mlp, hidden: [4]}
  adv: adversarial.nonsaturating
  l1: loss.l1
flow: {fake: G(Z(n))}
players:
  D: {minimize: {a: "adv.d(D(real), D(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))", near: "2 * l1(fake, real)"}, OWN}
optimizer: {use: optimizer.sgd, lr: 0.25}
SCHEDULE
train: {batch: 8, steps: 4, checkpoint_every: 2, keep: {last: 3}}
"""


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.run.callbacks.Report.write", lambda *_: None)


def begun(folder: Path, own: str = "clip: 100.0", schedule: str = "") -> RunFolder:
    folder.mkdir(exist_ok=True)
    text = MODEL.replace("OWN", own).replace("SCHEDULE", schedule)
    return train(written(folder, text).blueprint, folder / "run", plugins.installed(), True)[0]


def weights(folder: RunFolder, part: str = "G") -> torch.Tensor:
    return torch.cat([p.double().flatten() for p in ganzoo.open(folder.path).parts[part].parameters()])


def gone_on(folder: RunFolder, *given: str, steps: int = 5) -> RunFolder:
    return resume(folder.path, plugins.installed(), steps, True, given)[0]


def test_the_next_step_is_as_large_as_the_new_rate_says(tmp_path: Path) -> None:
    moved = {}
    for name, given in {
        "same": (),
        "third": ("optimizer.lr=0.083333333",),
        "one": ("players.G.optimizer.lr=0.5",),
    }.items():
        run = begun(tmp_path / name)
        before = {part: weights(run, part) for part in "GD"}
        gone_on(run, *given)
        moved[name] = {part: weights(run, part) - before[part] for part in "GD"}
    torch.testing.assert_close(moved["third"]["D"] * 3, moved["same"]["D"], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(moved["one"]["D"], moved["same"]["D"], rtol=0, atol=0)
    assert (moved["one"]["G"] - 2 * moved["same"]["G"]).norm() < 1e-3 * moved["same"]["G"].norm()


def test_a_factor_of_the_step_multiplies_the_new_rate(tmp_path: Path) -> None:
    run = begun(tmp_path, schedule="schedule: {use: schedule.exponential, rate: 0.5}")
    gone_on(run, "optimizer.lr=1.0", "schedule.rate=0.75")
    from ganzoo.store import checkpoint

    stored = checkpoint.load(checkpoint.locate(run.path), whole=False)
    groups = stored.state["players"]["D"]["optimizer"]["param_groups"]
    assert groups[0]["lr"] == pytest.approx(0.75**5)


def test_what_was_changed_is_written_down_and_stays(tmp_path: Path) -> None:
    run = begun(tmp_path)
    assert "changes" not in yaml.safe_load((run.path / "locked.yaml").read_text())["locked"]
    gone_on(run, "optimizer.lr=0.125", "players.G.minimize.near=5 * l1(fake, real)", "train.checkpoint_every=1")
    gone_on(run, steps=6)
    locked = yaml.safe_load((run.path / "locked.yaml").read_text())
    assert locked["optimizer"]["lr"] == 0.125
    expected = {
        "optimizer.lr": [0.25, 0.125],
        "players.G.minimize.near.of": ["2 * l1(fake, real)", "5 * l1(fake, real)"],
        "train.checkpoint_every": [2, 1],
    }
    assert locked["locked"]["changes"] == [{"step": 4, "settings": expected}]
    assert ganzoo.open(run.path).config["locked"]["changes"] == locked["locked"]["changes"]
    assert [w for w in ganzoo.load(run.path / "locked.yaml").check() if "was changed on its way" in w]
    assert "from step 4 on: optimizer.lr was 0.25, is 0.125" in repeat(read(run.path))
    assert [line["step"] for line in run.records() if "G.near" in line] == [2, 4, 5, 6]
    resume(run.checkpoints / "step_00000004.pt", plugins.installed(), 5, True)
    again = yaml.safe_load((run.path / "locked.yaml").read_text())
    assert "changes" not in again["locked"], "an older checkpoint is from before the change"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("parts.G.hidden=[8]", r"cannot be changed in a run .*`extends` its own"),
        ("players.G.minimize.near=5 * l1(fake, fake)", "cannot be changed in a run"),
        ("optimizer.use=optimizer.adam", "cannot be changed in a run"),
        ("optimizer.momentum=0.9", "cannot be changed in a run"),
        ("optimizer.nesterov=true", "cannot be changed in a run"),
        ("train.seed=3", "cannot be changed in a run"),
        ("train.steps=9", r"`--steps 9` trains on"),
        ("optimizer.lr=fast", "cannot be changed in a run"),
        ("optimizer.lr=-1", "-1"),
    ],
)
def test_what_alters_networks_or_the_state_is_refused(given: str, said: str, tmp_path: Path) -> None:
    run = begun(tmp_path)
    before = (run.path / "locked.yaml").read_bytes()
    with pytest.raises(UserError, match=said):
        gone_on(run, given)
    assert (run.path / "locked.yaml").read_bytes() == before


def test_a_common_number_that_a_player_does_not_see_is_told(tmp_path: Path) -> None:
    run = begun(tmp_path, own="optimizer: {weight_decay: 0.5}")
    said = r"players.G would not follow.*players.D.optimizer.lr=0.5 players.G.optimizer.lr=0.5"
    with pytest.raises(UserError, match=said):
        gone_on(run, "optimizer.lr=0.5")
    gone_on(run, "players.D.optimizer.lr=0.5", "players.G.optimizer.lr=0.125")
    locked = ganzoo.open(run.path).config
    assert locked["players"]["D"]["optimizer"]["lr"] == 0.5 and locked["optimizer"]["lr"] == 0.25


def test_a_scheduler_of_torch_keeps_its_rates(tmp_path: Path) -> None:
    run = begun(tmp_path, schedule="schedule: {use: schedule.step, step_size: 2}")
    with pytest.raises(UserError, match=r"optimizer.lr cannot be changed in a run: schedule.step"):
        gone_on(run, "optimizer.lr=0.5")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": {"b": 1, "c": [1, 2]}}, {"a": {"b": 1, "c": [1, 3]}}, {"a.c": [[1, 2], [1, 3]]}),
        ({"a": 1}, {"b": None}, {"a": [1, None], "b": [None, None]}),
        ({"players": {"G": {"minimize": {"x": {"of": "f(x)"}}}}}, {"players": {"G": {"minimize": {"x": "f(x)"}}}}, {}),
    ],
)
def test_differences_are_named_by_their_paths(before: Any, after: Any, expected: Any) -> None:
    assert json.dumps(changes.between(before, after)) == json.dumps(expected)
