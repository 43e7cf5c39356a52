"""Overrides that people type by habit are answered with the path that is meant, in one message."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from ganzoo import config
from ganzoo.errors import UserError
from ganzoo.registry import Registry, plugins
from tests.core.mistakes import BASE


@pytest.fixture(scope="module")
def registry() -> Registry:
    return plugins.discover()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(textwrap.dedent(BASE).lstrip("\n"))
    return path


def answered(model: Path, overrides: Any, registry: Registry) -> list[tuple[str, str]]:
    with pytest.raises(UserError) as raised:
        config.load(model, overrides, registry)
    return [(problem.path, problem.hint) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("lr=1e-3", "write optimizer.lr=0.001"),
        ("train.lr=1e-3", "write optimizer.lr=0.001"),
        ("learning_rate=0.1", "write optimizer.lr=0.1"),
        ("lr_d=4e-4", "write players.D.optimizer.lr=0.0004"),
        ("beta1=0.5", "write optimizer.betas=[0.5, 0.999]"),
        ("batch=64", "write train.batch=64"),
        ("batch_size=64", "write train.batch=64"),
        ("train.batch_size=64", "write train.batch=64"),
        ("train.batchSize=64", "write train.batch=64"),
        ("steps=5", "write train.steps=5"),
        ("seed=3", "write train.seed=3"),
        ("log_every=5", "write train.log_every=5"),
        ("fp16=true", "write train.precision=bf16"),
        ("amp=false", "write train.precision=fp32"),
        ("gpu=0", "write train.device=cuda"),
        ("gpu=1", "write train.device=cuda:1"),
        ("gpu_ids=-1", "write train.device=cpu"),
        ("device=gpu", "write train.device=cuda"),
        ("device=cuda:2", "write train.device=cuda:2"),
        ("train.device=gpu", "write train.device=cuda"),
        ("train.device=gpu:1", "write train.device=cuda:1"),
        ("train.device=1", "write train.device=cuda:1"),
        ("gpus=0,1", "one process for each GPU: `torchrun --standalone --nproc-per-node 2 -m ganzoo train …`"),
        ("outdir=runs/x", "it is an option: --out runs/x"),
        ("num_workers=4", "leave it out: data is read ahead without a setting"),
    ],
)
def test_a_habit_names_the_path_that_is_meant(override: str, hint: str, model: Path, registry: Registry) -> None:
    path = override.partition("=")[0]
    assert answered(model, [override], registry) == [(path, hint)]


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cpu", "auto", "mps"])
def test_devices_that_exist_are_no_habit(device: str, model: Path, registry: Registry) -> None:
    assert config.load(model, [f"train.device={device}"], registry).train.device == device


def test_a_rate_that_players_have_of_their_own(model: Path, registry: Registry) -> None:
    one = ["players.D.optimizer.lr=1e-4", "lr=0.1"]
    both = ["players.D.optimizer.lr=1e-4", "players.G.optimizer.lr=1e-4", "lr=0.1"]
    assert answered(model, one, registry) == [("lr", "write optimizer.lr=0.1 players.D.optimizer.lr=0.1")]
    assert answered(model, both, registry) == [("lr", "write players.D.optimizer.lr=0.1 players.G.optimizer.lr=0.1")]


PHASES = "phases={a: {steps: 3, players: {G: {}}}, b: {steps: 3}}"


@pytest.mark.parametrize(
    ("overrides", "hint"),
    [
        # 100 samples, 4 a step
        (["epochs=10"], "write train.steps=250: 10 epochs of 100 samples, 4 a step"),
        (["train.epochs=0.5"], "write train.steps=13: 0.5 epochs of 100 samples, 4 a step"),
        (["epochs=10", "players.D.repeat=5", "share=[]"], "write train.steps=50: 10 epochs of 100 samples, 20 a step"),
        (["epochs=10", "players.D.batch=6", "share=[]"], "write train.steps=100: 10 epochs of 100 samples, 10 a step"),
        (["epochs=10", "data.points=1000"], "write train.steps=2500: 10 epochs of 1,000 samples, 4 a step"),
        (
            ["epochs=2", "train.steps=null", PHASES, "players.D.repeat=2", "share=[]"],
            "write phases.a.steps=50: 2 epochs of 100 samples, 4 a step; "
            "or write phases.b.steps=25: 2 epochs of 100 samples, 8 a step",
        ),
    ],
)
def test_epochs_are_counted_in_steps(overrides: list[str], hint: str, model: Path, registry: Registry) -> None:
    (path, said), *others = answered(model, overrides, registry)
    assert path == overrides[0].partition("=")[0]
    assert said == hint
    assert not others


def test_the_steps_are_those_after_which_the_data_was_seen_so_often(model: Path, registry: Registry) -> None:
    """What the message says is what the feed of a training counts."""
    import torch

    from ganzoo import api
    from ganzoo.train.loop import Trainer

    settings = {"players.D.repeat": 3, "players.G.batch": 2, "players.G.every": 2, "share": [], "data.points": 52}
    ((_, hint),) = answered(model, {"epochs": 2, **settings}, registry)
    steps = int(hint.partition("steps=")[2].partition(":")[0])
    trainer = Trainer(api.Model(model, {**settings, "train.steps": steps}, registry).blueprint, torch.device("cpu"))
    while trainer.advance():
        pass
    assert trainer.feed.epoch == 2


def test_another_batch_typed_by_habit_counts(model: Path, registry: Registry) -> None:
    found = dict(answered(model, ["batch_size=50", "epochs=10"], registry))
    assert found["epochs"] == "write train.steps=20: 10 epochs of 100 samples, 50 a step"


def test_epochs_of_data_that_is_not_here(registry: Registry) -> None:
    ((_, hint),) = answered(Path("dcgan/pytorch"), ["epochs=10", "data.root=nowhere"], registry)
    assert hint.startswith("write train.steps=…; an epoch is")


def test_a_habit_in_a_file_is_answered_at_its_line(model: Path, registry: Registry) -> None:
    model.write_text(model.read_text().replace("batch: 4", "batch: 4, num_epochs: 1"))
    with pytest.raises(UserError) as raised:
        config.load(model, (), registry)
    (problem,) = raised.value.problems
    assert problem.origin is not None
    assert problem.origin.line is not None
    assert "write train.steps=25" in problem.hint
