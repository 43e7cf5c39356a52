"""Resume is exact: a run that was killed and resumed is, bit for bit, the run that was never killed.

Every model of the zoo is left and resumed in ``tests/test_models.py``.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import config
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.store.folder import RunFolder
from tests.zoo import MODELS, small, written

STEPS = 12
SETTINGS = {"train.checkpoint_every": 3, "train.log_every": 2, "train.keep": {"last": 1}, "evaluate.every": 5}
TIMED = ("seconds", "samples_per_second")
# Killed for good in the default run, by kill -9: one, two and three players, phases, averages, conditions, a history.
KILLED = [
    "acgan/fashion_mnist_sample",
    "biggan/fashion_mnist_sample",
    "cyclegan/openmoji",
    "stackgan/openmoji",
    "vae_gan/fashion_mnist_sample",
    "wgan_gp/ring",
]

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.zoo", "ganzoo.run.session", "matplotlib.figure"])


def settings(name: str) -> dict[str, Any]:
    found = dict(SETTINGS)
    if "evaluate" not in small(name).spec.config:
        found.pop("evaluate.every")
    return found


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is drawn anew from the log at the end, which takes longer than such a training."""
    monkeypatch.setattr("ganzoo.run.callbacks.Report.write", lambda *_: None)


def train_slowly(name: str, out: Path) -> None:
    """What the process that is killed does: the same training, with a pause at every step."""
    from ganzoo.train.loop import Trainer

    advance = Trainer.advance

    def slowly(self: Trainer) -> bool:
        time.sleep(0.02)
        return advance(self)

    Trainer.advance = slowly  # type: ignore[method-assign]
    torch.set_num_threads(1)
    train(small(name, STEPS, **settings(name)).blueprint, out, plugins.installed(), quiet=True)


def kill_at_random(name: str, out: Path, dice: random.Random) -> None:
    """Start training in another process and kill -9 it some time after its first checkpoint."""
    process = forkserver.Process(target=train_slowly, args=(name, out))
    process.start()
    deadline = time.monotonic() + 60
    while not checkpoint.every(RunFolder(out)):
        assert time.monotonic() < deadline and process.is_alive(), "the process to be killed got nowhere"
        time.sleep(0.005)
    time.sleep(dice.uniform(0.0, 0.12))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def assert_same(a: Any, b: Any, where: str = "state") -> None:
    """Equal to the bit, all the way down."""
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        assert torch.equal(a, b), f"{where} differs by {(a.float() - b.float()).abs().max()}"
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{index}]")
    else:
        assert a == b or (a != a and b != b), where


def logged(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if k not in TIMED} for r in RunFolder(folder).records()]


def assert_same_runs(straight: Path, resumed: Path, steps: int = STEPS) -> None:
    a, b = (checkpoint.load(checkpoint.locate(run)) for run in (straight, resumed))
    assert a.step == b.step == steps
    assert_same(a.state, b.state)
    assert logged(straight) == logged(resumed)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in KILLED else pytest.mark.slow) for n in MODELS])
def test_killed_and_resumed_equals_never_killed(name: str, tmp_path: Path) -> None:
    dice = random.Random(name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(small(name, STEPS, **settings(name)).blueprint, tmp_path / "straight", plugins.installed(), quiet=True)
        kill_at_random(name, tmp_path / "killed", dice)
        done = checkpoint.load(checkpoint.locate(tmp_path / "killed")).step
        assert done < STEPS, "it was not killed in time"
        resume(tmp_path / "killed", plugins.installed(), quiet=True)
    finally:
        torch.set_num_threads(threads)
    assert_same_runs(tmp_path / "straight", tmp_path / "killed")


POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8], dropout: 0.5}}
players: {G: {ema: 0.9}}
schedule: {use: schedule.cosine, T_max: 20}
show: {n: 10}
train: {batch: 8, checkpoint_every: 5}
"""


def run_in_two(folder: Path, text: str, steps: int, cut: int) -> tuple[Any, Any]:
    """The final states of a straight run and of one stopped after `cut` steps by a crash and resumed."""
    for name in ("a", "b"):
        (folder / name).mkdir()
    straight = written(folder / "a", text, train__steps=steps)
    train(straight.blueprint, folder / "a" / "run", plugins.installed(), quiet=True)
    crashing = written(folder / "b", text, train__steps=steps)
    from ganzoo.train.loop import Trainer

    advance = Trainer.advance

    def crash(self: Trainer) -> bool:
        if self.step == cut:
            raise RuntimeError("power cut")
        return advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(crashing.blueprint, folder / "b" / "run", plugins.installed(), quiet=True)
    resume(folder / "b" / "run", plugins.installed(), quiet=True)
    load = lambda name: checkpoint.load(checkpoint.locate(folder / name / "run"))  # noqa: E731
    return load("a"), load("b")


@pytest.mark.parametrize("cut", [5, 6, 9, 13])
def test_dropout_averages_and_torch_schedules_resume_exactly(cut: int, tmp_path: Path) -> None:
    a, b = run_in_two(tmp_path, POINTS, 15, cut)
    assert_same(a.state, b.state)
    assert logged(tmp_path / "a" / "run") == logged(tmp_path / "b" / "run")


@pytest.mark.parametrize("cut", [2, 4, 6])
def test_phases_resume_exactly(cut: int, tmp_path: Path) -> None:
    text = POINTS.replace("checkpoint_every: 5", "checkpoint_every: 2").replace(
        "dropout: 0.5}", "dropout: 0.5}, mse: loss.mse"
    )
    text += (
        "phases:\n  warm: {steps: 3, players: {G: {minimize: {adversarial: null, near: 'mse(fake, real)'}}}}\n"
        "  main: {steps: 4}\n"
    )
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    from ganzoo import api
    from ganzoo.train.loop import Trainer

    def model(folder: Path) -> api.Model:
        (folder / "m.yaml").write_text(text)
        return api.Model(folder / "m.yaml", {"plugins.tensorboard": False, "train.log_every": 2})

    train(model(folders[0]).blueprint, folders[0] / "run", plugins.installed(), quiet=True)
    advance = Trainer.advance

    def crash(self: Trainer) -> bool:
        if self.step == cut:
            raise RuntimeError("power cut")
        return advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", crash)
        with pytest.raises(RuntimeError):
            train(model(folders[1]).blueprint, folders[1] / "run", plugins.installed(), quiet=True)
    resume(folders[1] / "run", plugins.installed(), quiet=True)
    a, b = (checkpoint.load(checkpoint.locate(folder / "run")) for folder in folders)
    assert_same(a.state, b.state)


def test_resume_refuses_changed_data_and_finished_runs(tmp_path: Path) -> None:
    text = POINTS.replace("points: 100", "points: 100, seed: ${seed_of_data}").replace("${seed_of_data}", "0")
    train(written(tmp_path, text, train__steps=5).blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    with pytest.raises(UserError, match="is finished: it has 5 steps"):
        resume(tmp_path / "run", plugins.installed(), quiet=True)
    path = checkpoint.locate(tmp_path / "run")
    stored = checkpoint.load(path)
    stored.header["fingerprint"] = "something else"
    stored.header["config"]["train"]["steps"] = 10
    checkpoint.save(path, stored.header, stored.state)
    with pytest.raises(UserError, match="the data is not what"):
        resume(tmp_path / "run", plugins.installed(), quiet=True)


def test_a_finished_run_can_be_trained_on(tmp_path: Path) -> None:
    a = written(tmp_path, POINTS.replace("schedule: {use: schedule.cosine, T_max: 20}", ""), train__steps=10)
    train(a.blueprint, tmp_path / "ten", plugins.installed(), quiet=True)
    b = written(tmp_path, POINTS.replace("schedule: {use: schedule.cosine, T_max: 20}", ""), train__steps=5)
    train(b.blueprint, tmp_path / "five", plugins.installed(), quiet=True)
    resume(tmp_path / "five", plugins.installed(), steps=10, quiet=True)
    ten, five = (checkpoint.load(checkpoint.locate(tmp_path / f)) for f in ("ten", "five"))
    assert_same(ten.state, five.state)


def test_training_from_locked_yaml_repeats_the_run(tmp_path: Path) -> None:
    from ganzoo import api

    train(written(tmp_path, POINTS, train__steps=6).blueprint, tmp_path / "one", plugins.installed(), quiet=True)
    again = api.Model(tmp_path / "one" / "locked.yaml")
    train(again.blueprint, tmp_path / "two", plugins.installed(), quiet=True)
    one, two = (checkpoint.load(checkpoint.locate(tmp_path / f)) for f in ("one", "two"))
    assert_same(one.state, two.state)
    assert (tmp_path / "one" / "locked.yaml").read_text() == (tmp_path / "two" / "locked.yaml").read_text()


def test_a_resumed_run_has_the_rates_and_constraints_of_its_phases(tmp_path: Path) -> None:
    text = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
players:
  D:
    optimizer: {lr: 1.0e-3, lr_scale: {C: 5}}
    trains: [D, C]
    minimize: {more: "adv.d(C(real), C(fake))"}
    after: {clip: {use: regularizer.clip_weights, bound: 0.1, on: [C]}}
parts: {C: {use: discriminator.mlp, hidden: [8]}}
phases:
  first: {steps: 4}
  second: {steps: 4, players: {D: {}, G: {}}}
"""
    model = written(tmp_path, text, **{"train.checkpoint_every": 2, "train.keep": {"last": 9}})
    train(model.blueprint, tmp_path / "straight", plugins.installed(), quiet=True)
    header = checkpoint.load(checkpoint.locate(tmp_path / "straight")).header
    kept = config.from_plain("m", header["config"], "x", plugins.installed())
    for phase, again in zip(model.spec.phases.values(), kept.phases.values(), strict=True):
        for player in phase.players.values():
            other = again.players[player.name]
            assert (other.lr_scale, other.on) == (player.lr_scale, player.on)
    assert model.spec.phases["second"].players["D"].lr_scale == {"C": 5}


def test_a_run_that_was_cut_short_after_its_last_checkpoint_is_completed(tmp_path: Path) -> None:
    train(written(tmp_path, POINTS, train__steps=5).blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    folder = RunFolder(tmp_path / "run")
    index, status = checkpoint.read_index(folder), folder.read_json("status.json")
    assert index["last"] == "step_00000005.pt" and status == {"reason": "finished", "step": 5}
    (folder.path / "status.json").unlink()
    folder.write_json("checkpoints/index.json", {"last": "step_00000003.pt"})
    before = logged(folder.path)
    assert resume(folder.path, plugins.installed(), quiet=True)[1] == "finished"
    assert checkpoint.read_index(folder) == index and folder.read_json("status.json") == status
    assert logged(folder.path) == before
    with pytest.raises(UserError, match="is finished: it has 5 steps"):
        resume(folder.path, plugins.installed(), quiet=True)
