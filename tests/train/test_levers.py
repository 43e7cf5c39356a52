"""What makes training fast does not change what is trained."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from ganzoo.config.limits import seconds
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.store.folder import RunFolder
from ganzoo.train import precision
from ganzoo.train.loop import Trainer
from tests.zoo import MODELS, equal, full, tensors, trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}}
train: {batch: 8, log_every: 10, checkpoint_every: 20, sample_every: 1000}
"""
IMAGES = """
extends: dcgan/fashion_mnist_sample
data: {use: data.random, count: 40, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts: {G: {width: 8}, D: {width: 8}}
train: {batch: 8}
"""


class TestPrecision:
    def test_papers_are_trained_in_fp32(self) -> None:
        for name in MODELS:
            paper, variant = name.split("/")
            if paper == variant and paper != "fashion_cnn":
                assert full(name).spec.train.precision == "fp32", name

    def test_models_without_convolutions_stay_in_fp32(self, tmp_path) -> None:
        blueprint = written(tmp_path, POINTS).blueprint
        assert precision.settle(blueprint, torch.device("cpu")) == "precision: fp32 (no convolutions)"
        assert blueprint.spec.train.precision == "fp32"

    @pytest.mark.parametrize(("half", "chosen"), [(0.5, "bf16"), (0.99, "fp32"), (2.0, "fp32")])
    def test_bf16_is_taken_where_it_is_faster(self, tmp_path, monkeypatch, half, chosen) -> None:
        monkeypatch.setattr(precision, "has_bf16", lambda device: True)
        monkeypatch.setattr(precision, "_measure", lambda blueprint, device: (1.0, half))
        blueprint = written(tmp_path, IMAGES).blueprint
        assert f"a step in bfloat16 takes {half:.2f} of the time" in str(
            precision.settle(blueprint, torch.device("cpu"))
        )
        assert blueprint.spec.train.precision == chosen

    def test_devices_without_bfloat16_are_not_measured(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(precision, "has_bf16", lambda device: False)
        blueprint = written(tmp_path, IMAGES).blueprint
        assert "without bfloat16" in str(precision.settle(blueprint, torch.device("cpu")))

    def test_measuring_changes_nothing(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(precision, "SECONDS", 0.0)
        blueprint = written(tmp_path, IMAGES, train__precision="auto").blueprint
        before = trainer(written(tmp_path, IMAGES))
        single, half = precision._measure(blueprint, torch.device("cpu"))
        assert min(single, half) > 0
        assert blueprint.spec.train.precision == "auto"
        after = Trainer(blueprint, torch.device("cpu"))
        assert equal(tensors(before.parts), tensors(after.parts))
        for tr in (before, after):
            tr.advance()
        assert equal(tensors(before.parts), tensors(after.parts))

    def test_what_was_chosen_is_locked(self, tmp_path) -> None:
        folder, _ = train(
            written(tmp_path, IMAGES, train__steps=2).blueprint, tmp_path / "run", plugins.installed(), True
        )
        assert checkpoint.load(checkpoint.locate(folder.path)).header["config"]["train"]["precision"] == "fp32"


class TestLayout:
    def test_channels_are_last_but_with_instance_norm(self, tmp_path) -> None:
        for norm, last in (("batch", True), ("instance", False)):
            tr = trainer(written(tmp_path, IMAGES, parts__D__norm=norm))
            convolutions = [m for m in tr.parts["D"].modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1]
            weight = convolutions[0].weight
            assert weight.is_contiguous(memory_format=torch.channels_last) is last

    def test_the_layout_does_not_change_what_is_learnt(self, tmp_path) -> None:
        settings = {"optimizer": {"use": "optimizer.sgd", "lr": 0.1}, "train__precision": "fp32"}
        last, plain = (trainer(written(tmp_path, IMAGES, **settings)) for _ in range(2))
        for part in plain.parts.values():
            if isinstance(part, nn.Module):
                part.to(memory_format=torch.contiguous_format)
        for tr in (last, plain):
            for _ in range(3):
                tr.advance()
        for (key, one), other in zip(tensors(last.parts).items(), tensors(plain.parts).values(), strict=True):
            assert torch.allclose(one.float(), other.float(), atol=2e-4), key


def test_resume_is_exact_in_bf16_and_channels_last(tmp_path) -> None:
    settings = {"train__precision": "bf16", "train__steps": 6, "players__G__ema": 0.9}
    straight, before, after = (trainer(written(tmp_path, IMAGES, **settings)) for _ in range(3))
    for _ in range(3):
        before.advance()
    torch.save(before.state_dict(), tmp_path / "state.pt")
    after.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for tr in (straight, after):
        while tr.advance():
            pass
    assert equal(tensors(straight.parts), tensors(after.parts))
    assert equal(tensors(straight.averages()), tensors(after.averages()))


class TestBudget:
    @pytest.mark.parametrize(("text", "expected"), [("60s", 60), ("1.5m", 90), (20, 20), ("2h", 7200), ("3 min", 180)])
    def test_times(self, text, expected) -> None:
        assert seconds(text) == expected

    @pytest.mark.parametrize("text", ["soon", "-3s", "0", "3 parsecs"])
    def test_what_is_no_time(self, tmp_path, text) -> None:
        with pytest.raises(UserError, match=r"train.budget: .*is no time \(write 60s"):
            written(tmp_path, POINTS, train__budget=text)

    def test_models_with_phases_have_none(self, tmp_path) -> None:
        text = POINTS + "phases: {one: {steps: 3}}\n"
        with pytest.raises(UserError, match="has no budget"):
            written(tmp_path, text, train__budget="3s")

    @pytest.mark.parametrize("start", [0.5, 0], ids=["late", "at-once"])
    def test_the_steps_are_fixed_and_the_run_is_like_any_other(self, tmp_path, start) -> None:
        text = POINTS + f"schedule: {{use: schedule.linear, start: {start}}}\n"
        model = written(tmp_path, text, train__budget="0.7s")
        folder, reason = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
        assert reason == "finished"
        stored = checkpoint.load(checkpoint.locate(folder.path))
        steps = stored.header["config"]["train"]["steps"]
        assert stored.step == steps > 50
        assert stored.header["config"]["train"]["budget"] is None
        assert [r["step"] for r in folder.records()][-1] == steps
        again, _ = train(
            written(tmp_path, text, train__steps=steps).blueprint, tmp_path / "again", plugins.installed(), True
        )
        mine, other = stored.state["parts"]["G"], checkpoint.load(checkpoint.locate(again.path)).state["parts"]["G"]
        assert all(torch.equal(mine[key], other[key]) for key in mine)
        terms = [{k: v for k, v in r.items() if k.count(".") == 1} for r in folder.records()]
        assert terms == [{k: v for k, v in r.items() if k.count(".") == 1} for r in RunFolder(again.path).records()]

    def test_a_run_stopped_before_the_steps_were_fixed_goes_on(self, tmp_path) -> None:
        model = written(tmp_path, POINTS, train__budget="0.7s")
        from ganzoo.run.interrupts import Interrupts

        stop = Interrupts.stop
        try:
            Interrupts.stop = lambda self, step: step == 7  # type: ignore[method-assign]
            folder, reason = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
        finally:
            Interrupts.stop = stop  # type: ignore[method-assign]
        assert reason == "interrupted"
        _, reason = resume(folder.path, plugins.installed(), quiet=True)
        assert reason == "finished"
        assert checkpoint.load(checkpoint.locate(folder.path)).step > 50


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tmp_path) -> None:
    settings = {"optimizer": {"use": "optimizer.sgd", "lr": 0.1}, "train__precision": "fp32", "players__G__ema": 0.9}
    plain, compiled = (trainer(written(tmp_path, IMAGES, train__compile=c, **settings)) for c in (False, True))
    torch._dynamo.reset()
    for tr in (plain, compiled):
        for _ in range(4):
            tr.advance()
    assert torch._dynamo.utils.counters["stats"].get("unique_graphs", 0) <= 8, "no turn compiles anew"
    for one, other in zip(tensors(plain.parts).values(), tensors(compiled.parts).values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-3)
    copy.deepcopy(compiled.averages()["G"])
    assert list(compiled.state_dict()["parts"]["G"]) == list(plain.state_dict()["parts"]["G"])


def test_networks_under_a_penalty_are_not_compiled(tmp_path) -> None:
    from ganzoo.train.compiled import compile_parts

    text = IMAGES + "players: {D: {minimize: {r1: 'r1(D, real)'}}}\n"
    tr = trainer(written(tmp_path, text, parts__r1="regularizer.r1"))
    assert compile_parts(tr.spec, tr.parts) == ["D"]
    assert tr.parts["G"]._compiled_call_impl is not None
    assert tr.parts["D"]._compiled_call_impl is None


def test_what_is_not_compiled_is_said(tmp_path, capsys) -> None:
    model = written(tmp_path, POINTS + "players: {D: {minimize: {r1: 'r1(D, real)'}}}\n", parts__r1="regularizer.r1")
    trained = trainer(model)
    trained.plain = ["D"]
    from ganzoo.run.session import Session

    session = Session(model.blueprint, RunFolder(tmp_path / "run"), plugins.installed(), torch.device("cpu"))
    session.trainer = trained
    session.begin()
    assert "not compiled: D" in capsys.readouterr().err


def test_schedules_can_begin_at_a_part_of_training(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS + "schedule: {use: schedule.linear, start: 0.5}\n", train__steps=10))
    rates = []
    while tr.advance():
        rates.append(tr.rates()["G.lr"])
    assert rates[:5] == [pytest.approx(2e-4)] * 5
    assert rates[-1] == pytest.approx(0)
    assert all(map(math.isfinite, rates))


def test_a_network_that_takes_views_can_be_trained(tmp_path) -> None:
    """``x.view(len(x), -1)`` after a convolution, on images of one channel: nothing may lie otherwise unasked."""
    from ganzoo import api

    (tmp_path / "p.py").write_text(
        """
from typing import NamedTuple

import ganzoo
from torch import Tensor, nn


class Out(NamedTuple):
    logit: Tensor


class D(nn.Module):
    '''A convolution and a linear layer. Source: a test.'''

    def __init__(self, in_channels: int):
        super().__init__()
        self.conv, self.head = nn.Conv2d(in_channels, 4, 4, 2, 1), nn.Linear(4 * 14 * 14, 1)

    def forward(self, x):
        x = x.view(x.size(0), 1, 28, 28)
        return Out(self.head(self.conv(x).view(x.size(0), -1)).view(-1))


@ganzoo.hookimpl
def register(zoo):
    zoo.discriminator("viewing", D)
"""
    )
    registry = plugins.discover()
    plugins.add_file(registry, tmp_path / "p.py")
    (tmp_path / "m.yaml").write_text(IMAGES.replace("D: {width: 8}", "D: discriminator.viewing"))
    tr = trainer(api.Model(tmp_path / "m.yaml", (), registry))
    for _ in range(2):
        tr.advance()
    assert tr.finite()
