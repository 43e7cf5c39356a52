"""A profile adds up, counts what is known in closed form, says what holds training back, and leaves no trace."""

from __future__ import annotations

import copy
import json
import re
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo.errors import UserError
from ganzoo.train import machine
from ganzoo.train.clock import Clock, Place
from ganzoo.train.findings import findings
from ganzoo.train.profiled import ProfiledTrainer
from tests.zoo import equal, small, tensors, trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}}
train: {batch: 8}
"""
IMAGES = """
extends: dcgan/fashion_mnist_sample
data: {use: data.random, count: 40, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts: {G: {width: 8}, D: {width: 8}}
train: {batch: 8, precision: fp32}
"""
LAZY = POINTS.replace("parts: {", "parts: {r1: regularizer.r1, ") + (
    'players: {D: {minimize: {r1: {of: "r1(D, real)", every: 3}}}}\n'
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(machine, "SECONDS", 0.0)


def multiplied(module: nn.Module, *inputs: torch.Tensor) -> list[int]:
    """Multiplications of every convolution and linear layer, in order."""
    found: list[int] = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(lambda m, _, out: found.append(out.numel() * m.weight[0].numel()))
    with torch.no_grad():
        module(*inputs)
    return found


class TestClock:
    def test_every_tick_is_charged_and_backward_follows_forward(self, monkeypatch) -> None:
        ticks = count()
        clock = Clock(lambda: next(ticks))
        leaf = torch.ones(3, requires_grad=True)
        with clock.at(what="forward", player="G"):
            with clock.at(term="a", part="one"):
                x = leaf.sin().cos()
            with clock.at(term="b", part="two"):
                loss = x.exp().sum()
            order: list[Place] = []
            monkeypatch.setattr(clock, "_enter", lambda place: lambda gradients: order.append(place))
            clock.follow([loss])
            loss.backward()
            clock.unfollow()
        assert order == [Place("backward", "G", "b", "two"), Place("backward", "G", "a", "one")]
        assert sum(clock.spent.values()) == clock.last - 1  # following took one tick, which is no part of the step
        assert not clock.marks

    def test_what_another_player_made_is_of_no_term(self) -> None:
        clock = Clock(lambda: 0.0)
        leaf = torch.ones(3, requires_grad=True)
        with clock.at(what="forward", player="D", term="d", part="G"):
            fake = leaf.sin()
        with clock.at(what="forward", player="G"):
            with clock.at(term="g", part="D"):
                loss = fake.exp().sum()
            clock.follow([loss])
            loss.backward()
        assert Place("backward", "G", "", "G") in clock.spent
        assert Place("backward", "G", "g", "D") in clock.spent

    def test_second_derivatives_are_of_the_penalty(self) -> None:
        clock = Clock(lambda: 0.0)
        x, weight = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
        with clock.at(what="forward", player="D", term="gp", part="gp"):
            with clock.at(part="D"):
                y = (x * weight).sin()
            loss = torch.autograd.grad(y.sum(), x, create_graph=True)[0].square().sum()
        clock.follow([loss])
        loss.backward()
        clock.go(Place())
        assert {place.part for place in clock.spent if place.what == "backward"} == {"", "D", "gp"}


class TestSums:
    @pytest.mark.parametrize(
        "model",
        ["gan/circle", "wgan/fashion_mnist_sample", "wgan_gp/ring", "dragan/fashion_mnist_sample"],
    )
    def test_shares_add_up_to_the_step(self, model) -> None:
        self.adds_up(small(model).profile(2))

    @pytest.mark.parametrize("settings", [{"update": "simultaneous"}, {"train__accumulate": 2}, {"share": []}])
    def test_in_whatever_order_turns_are_taken(self, tmp_path, settings) -> None:
        self.adds_up(written(tmp_path, POINTS, **settings).profile(2))

    def adds_up(self, report: dict[str, Any]) -> None:
        times, parts, players = report["time"], report["parts"].values(), report["players"].values()
        assert sum(times.values()) == pytest.approx(report["step"]["watched"])
        assert all(times[kind] > 0 for kind in ("forward", "backward", "optimizer", "data", "rest"))
        for kind in ("forward", "backward"):
            assert sum(p[kind] for p in parts) + report["between"][kind] == pytest.approx(times[kind])
            assert sum(p[kind] for p in players) == pytest.approx(times[kind])
            assert 0 < sum(t[kind] for t in report["terms"]) <= times[kind] * (1 + 1e-9)
        for kind in ("optimizer", "after", "ema"):
            assert sum(p[kind] for p in players) == pytest.approx(times[kind])
        assert sum(p["flops"] for p in parts) == report["step"]["flops"]
        assert report["ceiling"]["rate"] > 0 and report["step"]["seconds"] > 0
        assert report["findings"]

    def test_constraints_averages_and_penalties_have_their_time(self) -> None:
        report = small("wgan/fashion_mnist_sample").profile(1)
        assert report["players"]["D"]["after"] > 0
        report = small("wgan_gp/ring").profile(1)
        assert [t["term"] for t in report["terms"] if t["penalty"]] == ["gradient_penalty"]
        assert report["players"]["G"]["ema"] > 0
        assert report["parts"]["gp"]["backward"] > 0 and report["parts"]["gp"]["flops"] > 0

    def test_lazy_terms_come_round(self, tmp_path) -> None:
        report = written(tmp_path, LAZY).profile(2)
        assert report["steps"] == 3
        assert report["parts"]["r1"]["calls"] == pytest.approx(1 / 3)
        assert report["parts"]["D"]["calls"] == pytest.approx(3 + 1 / 3)


class TestNumbers:
    def test_flops_of_linear_layers(self, tmp_path) -> None:
        model = written(tmp_path, POINTS)
        parts, report = model.blueprint.build("cpu"), model.profile(1)
        width = next(m.in_features for m in parts["G"].modules() if isinstance(m, nn.Linear))
        generator, critic = multiplied(parts["G"], torch.ones(8, width)), multiplied(parts["D"], torch.ones(8, 2))
        g, d = sum(generator), sum(critic)
        assert report["parts"]["G"]["flops"] == 2 * (g + g + g - generator[0])  # noise needs no gradient
        assert report["parts"]["D"]["flops"] == 2 * (3 * d + 2 * (2 * d - critic[0]) + d)

    def test_flops_of_convolutions(self, tmp_path) -> None:
        model = written(tmp_path, IMAGES)
        layers = multiplied(model.blueprint.build("cpu")["D"], torch.ones(8, 1, 28, 28))
        d = sum(layers)
        assert model.profile(1)["parts"]["D"]["flops"] == 2 * (3 * d + 2 * (2 * d - layers[0]) + d)

    def test_memory_of_parts(self, tmp_path) -> None:
        model = written(tmp_path, IMAGES, players__G__ema=0.9)
        report, parts = model.profile(1), model.blueprint.build("cpu")
        for name in ("G", "D"):
            numbers = [p.numel() for p in parts[name].parameters()]
            found = report["memory"]["parts"][name]
            assert report["parts"][name]["parameters"] == sum(numbers)
            assert found["parameters"] == found["gradients"] == 4 * sum(numbers)
            assert found["optimizer"] == 2 * 4 * sum(numbers) + 4 * len(numbers)  # two moments, and a count each
            buffers = sum(b.numel() * b.element_size() for b in parts[name].buffers())
            assert found["buffers"] == buffers
            assert found["average"] == (found["parameters"] + buffers if name == "G" else 0)

    def test_activations_are_those_alive_at_once(self, tmp_path) -> None:
        memory = written(tmp_path, POINTS).profile(1)["memory"]
        kept = sum(part["activations"] for part in memory["parts"].values()) + memory["other activations"]
        assert kept == memory["activations"] > 0
        doubled = written(tmp_path, POINTS, train__batch=16).profile(1)["memory"]["activations"]
        assert memory["activations"] < doubled <= 2 * memory["activations"]


class TestNoTrace:
    def test_watching_does_not_change_what_is_learnt(self, tmp_path) -> None:
        model = written(tmp_path, IMAGES)
        plain, watched = trainer(model), ProfiledTrainer(model.blueprint, torch.device("cpu"), Clock(lambda: 0.0))
        for tr in (plain, watched):
            for _ in range(3):
                tr.advance()
        assert equal(tensors(plain.parts), tensors(watched.parts))
        assert plain.meters.read() == watched.meters.read()

    def test_training_after_a_profile_is_the_same(self, tmp_path) -> None:
        model, other = (written(tmp_path, IMAGES, train__precision="auto") for _ in range(2))
        before = copy.deepcopy(vars(model.spec.train)), [p.steps for p in model.spec.phases.values()]
        model.profile(1)
        assert before == (vars(model.spec.train), [p.steps for p in model.spec.phases.values()])
        for m in (model, other):
            m.spec.train.precision = "fp32"
        one, two = trainer(model), trainer(other)
        for tr in (one, two):
            for _ in range(2):
                tr.advance()
        assert equal(tensors(one.parts), tensors(two.parts))


class TestPhases:
    TEXT = POINTS + "phases: {first: {steps: 1, players: {D: {}}}, second: {steps: 1}}\n"

    def test_the_first_unless_another_is_named(self, tmp_path) -> None:
        model = written(tmp_path, self.TEXT)
        assert list(model.profile(2)["players"]) == ["D"]
        assert set(model.profile(2, "second")["players"]) == {"D", "G"}

    def test_mistakes(self, tmp_path) -> None:
        model = written(tmp_path, self.TEXT)
        with pytest.raises(UserError, match=r"no phase 'secnd'.*second"):
            model.profile(2, "secnd")
        with pytest.raises(UserError, match="0 steps"):
            model.profile(0)


def contrived(**changes: Any) -> dict[str, Any]:
    """A healthy step of a second; changes have dots as two underscores."""
    part = {"use": "generator.x", "calls": 1.0, "forward": 0.15, "backward": 0.3, "flops": 45.0, "of_ceiling": 1.0}
    report: dict[str, Any] = {
        "precision": "fp32",
        "batch": 64,
        "step": {"watched": 1.0, "flops": 90.0},
        "ceiling": {"rate": 100.0, "fp32": 100.0, "bf16": None},
        "time": {"forward": 0.3, "backward": 0.6, "optimizer": 0.03, "data": 0.02, "rest": 0.03},
        "between": {"forward": 0.01, "backward": 0.01},
        "terms": [
            {"player": "D", "term": "gp", "every": 1, "penalty": True, "forward": 0.05, "backward": 0.05},
            {"player": "G", "term": "a", "every": 1, "penalty": False, "forward": 0.4, "backward": 0.4},
        ],
        "parts": {"G": part, "D": dict(part)},
    }
    for path, value in changes.items():
        node, keys = report, path.split("__")
        for key in keys[:-1]:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[keys[-1]] = value
    return report


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Nothing stands out"),
        ({"time__data": 0.42}, "Data: reading batches takes 42% of the step"),
        ({"time__rest": 0.31}, "Overhead: 33% of the step"),
        ({"terms__0__forward": 0.25}, r"Penalty: D.gp takes 30% of the step.*`every: 4`.*about 22%"),
        ({"terms__0__forward": 0.25, "terms__0__every": 4}, "`every: 16`"),
        ({"parts__G__backward": 0.6}, r"Part: G \(generator.x\) takes 75% of the step, 15% forward and 60% backward"),
        ({"ceiling__bf16": 250.0}, "Precision: fp32, where this device computes large layers 2.5 times"),
        ({"step__flops": 9.0}, "Rate: networks reach 10% of the ceiling.*their layers are small.*train.batch=128"),
        ({"step__flops": 9.0, "parts__G__calls": 999.0}, "Rate: .* a call is 90 µs of work there"),
    ],
)
def test_what_holds_it_back_in_words(changes, said) -> None:
    sentences = findings(contrived(**changes))
    assert len(sentences) == 1
    assert re.search(said, sentences[0]), sentences[0]


def test_bf16_is_not_advised_to_those_who_use_it() -> None:
    assert "Nothing" in findings(contrived(ceiling__bf16=250.0, precision="bf16"))[0]


def test_it_is_plain_data(tmp_path) -> None:
    report = written(tmp_path, POINTS).profile(1)
    assert json.loads(json.dumps(report)) == report
