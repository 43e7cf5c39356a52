"""Parts and components in the loop: what they are told, what they tell, and functions of a hole."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.train.test_loop import POINTS
from tests.zoo import equal, tensors, trainer, written


def test_what_is_put_on_a_part_is_told_the_data_s_range(tmp_path) -> None:
    text = """
extends: dcgan/fashion_mnist_sample
data: {range: [0, 1]}
parts: {G: {width: 4}, D: {width: 4, with: {aug: augment.diffaugment}}}
train: {batch: 4}
"""
    assert trainer(written(tmp_path, text)).blueprint.args["parts.D.with.aug"]["out_range"] == (0.0, 1.0)


def test_a_part_may_say_what_it_gives_where_the_meta_device_cannot(tmp_path) -> None:
    plugin = tmp_path / "counting.py"
    plugin.write_text(
        '''
import ganzoo, torch

class Nearest:
    """Rows in the order of a sort on the host. Source: this test."""
    def __call__(self, x):
        return x[torch.tensor(sorted(range(len(x)), key=lambda i: x[i].sum().item()))]

class Told(Nearest):
    """The same, with its shape told. Source: this test."""
    def dry(self, x):
        return torch.empty_like(x) + 0 * x

@ganzoo.hookimpl
def register(zoo):
    zoo.op("nearest", Nearest)
    zoo.op("told", Told)
'''
    )
    from ganzoo import api

    registry = api.registry(plugin)
    (tmp_path / "m.yaml").write_text(POINTS)
    for op, note in (("told", False), ("nearest", True)):
        model = api.Model(tmp_path / "m.yaml", {"flow.fake": f"{op}(G(z))"}, registry)
        notes = model.check()
        assert bool(notes) == note, notes
        assert all("checked on the CPU" in n for n in notes)
        tr = trainer(model)
        tr.advance()


def test_a_component_may_write_out_the_phases(tmp_path) -> None:
    plugin = tmp_path / "ladder.py"
    plugin.write_text(
        '''
import ganzoo

def ladder(levels: int, steps: int = 2):
    """A phase a level. Source: this test."""
    if levels < 1:
        raise ValueError(f"levels is {levels}, but should be at least 1")
    return {f"level_{k}": {"steps": steps * k} for k in range(1, levels + 1)}

@ganzoo.hookimpl
def register(zoo):
    zoo.phases("ladder", ladder)
'''
    )
    from ganzoo import api, testing
    from ganzoo.errors import UserError

    registry = api.registry(plugin)
    testing.conforms("phases.ladder", registry, levels=3)
    (tmp_path / "m.yaml").write_text(POINTS + "phases: {use: phases.ladder, levels: 3}\n")
    tr = trainer(api.Model(tmp_path / "m.yaml", {}, registry))
    assert {name: phase.steps for name, phase in tr.spec.phases.items()} == {"level_1": 2, "level_2": 4, "level_3": 6}
    assert tr.total == 12
    mistakes = (("phases.levels=0", "levels is 0"), ("phases.levls=2", "levls"), ("phases.use=phases.x", "x"))
    for override, message in mistakes:
        with pytest.raises(UserError, match=message):
            api.Model(tmp_path / "m.yaml", [override], registry)


CONDITIONAL = """
data: {use: data.random, count: 40, fields: {real: {kind: vector, shape: [2]}, label: {kind: label, classes: 3}}}
parts:
  Z: {use: prior.normal, size: 2}
  G: {use: generator.mlp, hidden: [8]}
  D: {use: discriminator.mlp, hidden: [8], activation: softplus}
  adv: adversarial.wasserstein
  gp: {use: regularizer.gradient_penalty}
flow: {z: Z(n), fake: G(z)}
players:
  D: {minimize: {adversarial: "adv.d(D(real), D(fake))", gp: "gp(D(_), real, fake)"}}
  G: {minimize: {adversarial: "adv.g(D(fake))"}}
optimizer: {use: optimizer.adam, lr: 1.0e-3}
train: {batch: 8}
"""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_hole_makes_a_function_of_the_argument(tmp_path, precision) -> None:
    runs = []
    for penalty in ("gp(D(_), real, fake)", "gp(D, real, fake)"):
        text = CONDITIONAL.replace("gp(D(_), real, fake)", penalty)
        tr = trainer(written(tmp_path, text, train__precision=precision))
        for _ in range(3):
            tr.advance()
        runs.append(tensors(tr.parts, "D"))
    assert equal(*runs)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_stands_beside_a_hole_is_held_fixed(tmp_path, precision) -> None:
    text = CONDITIONAL.replace("D(_)", "D(join(_, z))")
    text = text.replace("D(real)", "D(join(real, z))").replace("D(fake)", "D(join(fake, z))")
    tr = trainer(written(tmp_path, text, train__precision=precision, players__D__minimize__adversarial=None))
    D = copy.deepcopy(tr.parts["D"])
    tr.advance()
    assert tr.finite()
    assert not equal(tensors({"D": D}), tensors({"D": tr.parts["D"]}))


def test_what_a_component_froze_stays_frozen(tmp_path) -> None:
    from ganzoo import api
    from ganzoo.registry import plugins

    (tmp_path / "p.py").write_text(
        """
import ganzoo
from torch import nn


class Fixed:
    '''Freezes the first layer. Source: a test.'''

    def attach(self, part):
        next(iter(part.parameters())).requires_grad_(False)


@ganzoo.hookimpl
def register(zoo):
    zoo.regularizer("fixed", Fixed)
"""
    )
    registry = plugins.discover()
    plugins.add_file(registry, tmp_path / "p.py")
    path = tmp_path / "model.yaml"
    path.write_text(POINTS)
    tr = trainer(api.Model(path, {"parts.D.with": {"fixed": "regularizer.fixed"}}, registry))
    before = [p.clone() for p in tr.parts["D"].parameters()]
    for _ in range(3):
        tr.advance()
    after = list(tr.parts["D"].parameters())
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])
