"""Acting on numbers that are logged or evaluated: schedules that go by one, the end of a run, the best checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from ganzoo_optim.schedules import Plateau

from ganzoo.config.schema import Stop
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.store.folder import RunFolder
from ganzoo.train.stopping import Patience, Stopping
from tests.train.test_resume import assert_same, logged, run_in_two
from tests.zoo import trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, mse: loss.mse, modes: metric.modes}
evaluate: {every: 3, n: 30, values: {modes: modes(fake)}}
log: {sure: "accuracy(D(real), 1)", near: "mse(fake, real)"}
show: {n: 10}
train: {batch: 8, checkpoint_every: 4, sample_every: 100}
"""
PLATEAU = """
schedule: {use: schedule.plateau, watch: near, patience: 1, factor: 0.5, floor: 0.1}
players:
  G:
    schedule: {use: schedule.plateau, watch: modes.hit, patience: 1, mode: max}
    minimize:
      far: {of: "mse(fake, real)", weight: {use: schedule.plateau, watch: G.adversarial, patience: 2}}
"""


def test_patience_runs_out_after_so_many_values_and_waits_anew() -> None:
    patience = Patience(2, "min")
    assert [patience.see(v) for v in (3.0, 2.0, 2.0, 2.5, 9.0, 1.0, math.nan, math.nan)] == [
        *(False, False, False, True, False, False, False, True)
    ]
    upwards = Patience(1, "max")
    assert [upwards.see(v) for v in (math.nan, 1.0, 2.0, 2.0)] == [True, False, False, True]


def test_a_plateau_falls_to_its_floor() -> None:
    plateau = Plateau("x", patience=1, factor=0.5, floor=0.2)
    found = []
    for value in (1.0, 1.0, 0.5, 0.6, 0.7, 0.8):
        plateau.see(value)
        found.append(plateau(0))
    assert found == [1.0, 0.5, 0.5, 0.25, 0.2, 0.2]


def test_bounds_and_patience_end_a_run_and_say_why() -> None:
    above, waiting = Stopping(Stop("sure", above=0.9)), Stopping(Stop("fid", patience=2), "min")
    for step, value in ((1, 0.9), (2, None)):
        above.see(value, step)
    assert not above.reason
    above.see(0.95, 3)
    assert above.reason == "stopped at step 3: sure is 0.95, above 0.9"
    for step, value in enumerate((5.0, 4.0, 4.5, 6.0)):
        waiting.see(value, step)
    assert waiting.reason == "stopped at step 3: fid is 6; none of the last 2 values was better than 4"


def test_a_schedule_that_goes_by_a_number_sets_the_rate_from_the_next_step_on(tmp_path) -> None:
    text = POINTS + "schedule: {use: schedule.plateau, watch: near, patience: 1}\n"
    tr = trainer(written(tmp_path, text))
    rates = []
    for value in (2.0, 2.0, 1.0, None, 3.0):
        tr.advance()
        tr.see(lambda name, value=value: value if name == "near" else None)
        rates.append(tr.rates()["D.lr"])
    assert rates == pytest.approx([2e-4, 1e-4, 1e-4, 1e-4, 5e-5])


def test_a_weight_that_goes_by_a_number_scales_its_term(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS + PLATEAU))
    weight = tr.players["G"].weights["far"]
    assert tr.terms["G"][1][2] is weight
    for _ in range(3):
        tr.see(lambda name: 1.0 if name == "G.adversarial" else None)
    assert weight(0) == 0.5


@pytest.mark.parametrize("cut", [5, 9, 13])
def test_what_goes_by_numbers_resumes_exactly(cut: int, tmp_path: Path) -> None:
    text = POINTS + PLATEAU + "stop: {watch: near, patience: 50}\n"
    a, b = run_in_two(tmp_path, text, 15, cut)
    assert_same(a.state, b.state)
    assert a.header["session"]["stop"] == b.header["session"]["stop"]
    assert logged(tmp_path / "a" / "run") == logged(tmp_path / "b" / "run")
    seen = a.state["players"]["G"]["schedules"]["seen"]["lr"]
    assert seen["now"] < 1
    assert a.state["players"]["G"]["weights"]["far"]["patience"]["best"] is not None


@pytest.mark.parametrize("cut", [2, 4, 5])
def test_a_run_that_was_killed_stops_where_it_would_have(cut: int, tmp_path: Path) -> None:
    text = POINTS + "stop: {watch: sure, patience: 2, mode: max}\n"
    text = text.replace("checkpoint_every: 4", "checkpoint_every: 1")
    found = stopped(tmp_path / "straight", text)
    end = checkpoint.load(checkpoint.locate(tmp_path / "straight" / "run")).step
    assert found.startswith(f"stopped at step {end}: sure is ")
    assert cut < end < 60
    (tmp_path / "two").mkdir()
    a, b = run_in_two(tmp_path / "two", text, 60, cut)
    assert a.step == b.step == end
    assert_same(a.state, b.state)


def stopped(folder: Path, text: str, **overrides: Any) -> str:
    folder.mkdir()
    model = written(folder, text, train__steps=60, **overrides)
    return train(model.blueprint, folder / "run", plugins.installed(), quiet=True)[1]


def test_a_stopped_run_ends_as_a_finished_one_does(tmp_path: Path) -> None:
    reason = stopped(tmp_path / "a", POINTS, stop={"watch": "modes.hit", "above": -1})
    folder = RunFolder(tmp_path / "a" / "run")
    assert reason == f"stopped at step 3: modes.hit is {folder.records()[-2]['evaluation']['modes.hit']:.4g}, above -1"
    assert checkpoint.load(checkpoint.locate(folder.path)).step == 3
    assert (folder.samples / "step_00000003.png").exists()
    assert f"{reason}; step 3" in (folder.path / "report.html").read_text()
    with pytest.raises(UserError, match="is finished: it was stopped at step 3") as caught:
        resume(folder.path, plugins.installed(), quiet=True)
    assert caught.value.problems[0].hint == "`--steps 60` trains on"
    assert resume(folder.path, plugins.installed(), steps=60, quiet=True)[1].startswith("stopped at step 6")


def test_the_best_checkpoint_may_go_by_what_is_logged(tmp_path: Path) -> None:
    text = POINTS.replace("checkpoint_every: 4", "checkpoint_every: 4, keep: {best: near, mode: max}")
    model = written(tmp_path, text, train__steps=12)
    folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    values = {r["step"]: r["near"] for r in folder.records() if "near" in r}
    best = max(values, key=values.__getitem__)
    assert (folder.checkpoints / checkpoint.name(best)).exists()
