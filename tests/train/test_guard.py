"""Bad values are caught and named, without a wait for the device in the step.

Every model of the zoo is stepped under ``NoSync`` in ``tests/test_models.py``.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.errors import Diverged
from ganzoo.run.start import train
from ganzoo.store import checkpoint
from tests.zoo import trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}}
show: {n: 10}
train: {batch: 8, checkpoint_every: 5, log_every: 10}
"""


class NoSync(TorchDispatchMode):
    """Raises where a tensor's value would travel to the host, as ``.item()`` and branching on a tensor do."""

    SYNCS = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "masked_select", "unique", "item")
    allowed = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").split(".")[0]
        if name in self.SYNCS and not self.allowed:
            raise AssertionError(f"the step waits for the device in aten::{name}")
        return func(*args, **(kwargs or {}))


def test_the_mode_notices_a_wait() -> None:
    with NoSync(), pytest.raises(AssertionError, match="waits for the device"):
        torch.ones(1).item()


@pytest.mark.parametrize(("where", "term"), [("G", "bad"), ("D", "bad")])
def test_nan_stops_and_names_the_term(where: str, term: str, tmp_path) -> None:
    text = POINTS + f"players: {{{where}: {{minimize: {{bad: 'explode(step, {where}.parameters, fake)'}}}}}}\n"
    plugin = tmp_path / "explode.py"
    plugin.write_text(
        '''
import ganzoo, torch

class Explode:
    """Infinite from the eighth step on. Source: this test."""
    def __call__(self, step: int, call, x):
        return (x * 0).sum() + (float("inf") if step >= 7 else 0.0)

@ganzoo.hookimpl
def register(zoo):
    zoo.loss("explode", Explode)
'''
    )
    from ganzoo import api

    text = text.replace(f"explode(step, {where}.parameters, fake)", "explode(step, 1, D(fake))")
    (tmp_path / "m.yaml").write_text(text)
    registry = api.registry(plugin)
    model = api.Model(tmp_path / "m.yaml", {"parts.explode": "loss.explode", "plugins.tensorboard": False}, registry)
    with pytest.raises(Diverged) as caught:
        train(model.blueprint, tmp_path / "run", registry, quiet=True)
    message = str(caught.value)
    assert f"term 'bad' of player {where} was not finite at step 7" in message
    kept = checkpoint.locate(tmp_path / "run")
    assert str(kept) in message
    stored = checkpoint.load(kept)
    assert stored.step == 5
    assert all(torch.isfinite(t).all() for sd in stored.state["parts"].values() for t in sd.values())
    assert "diverged: term" in (tmp_path / "run" / "report.html").read_text()


def test_a_bad_parameter_is_never_saved(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS))
    assert tr.finite()
    with torch.no_grad():
        next(iter(tr.parts["G"].parameters()))[0] = float("nan")
    assert not tr.finite()
