"""Every YAML of the zoo: checked at full size, counted against its paper, stepped small, resumed, on its own data."""

from __future__ import annotations

import math
import random
import shutil
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.config import compose
from ganzoo.config.static import Graph
from ganzoo.model import dry, explain, light
from ganzoo.registry import plugins
from ganzoo.run.start import resume
from ganzoo.store import checkpoint
from ganzoo.train.loop import Trainer
from tests.train.test_guard import NoSync
from tests.train.test_resume import assert_same_runs, logged, settings
from tests.zoo import MODELS, full, lasting, small

STEPS = 9
BUNDLED = {e.id for e in plugins.installed() if e.facts.get("bundled")}


@pytest.mark.parametrize("name", MODELS)
def test_checks_at_full_size_with_the_papers_counts(name: str) -> None:
    model = full(name)
    assert model.check() == []
    counts = {part: explain.count(model.blueprint.parts[part]) for part in model.spec.about.parameters}
    assert counts == model.spec.about.parameters


@pytest.mark.parametrize("name", MODELS)
def test_says_what_it_is(name: str) -> None:
    path = compose.models(plugins.installed())[name]
    about = full(name).spec.about
    assert len(compose.title(path)) > 10
    assert about.title
    assert about.budget
    assert about.paper in compose.title(path) or name.startswith("tutorial/")
    assert about.small, "tests need overrides that make it small"


@pytest.mark.parametrize("paper", sorted({name.split("/")[0] for name in MODELS} - {"tutorial"}))
def test_every_paper_has_its_settings_and_a_variant_on_bundled_data(paper: str) -> None:
    assert f"{paper}/{paper}" in MODELS
    variants = [name for name in MODELS if name.startswith(f"{paper}/")]
    assert any(full(name).spec.data.entry.id in BUNDLED for name in variants)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", MODELS)
def test_steps_small_without_waiting_and_resumes_exactly(name: str, tmp_path: Path) -> None:
    """It trains to finite losses, no step waits for the device, it gives samples, and after it was left in the middle
    of a step it goes on to the same end, bit for bit.
    """
    at = random.Random(name).randrange(4, STEPS)
    model = small(name, STEPS, **settings(name))
    with pytest.MonkeyPatch.context() as patch:
        watch(patch)
        leave(patch, at, tmp_path / "run", tmp_path / "left")
        run = model.train(tmp_path / "run", quiet=True)
    losses = [v for r in logged(tmp_path / "run") for k, v in r.items() if "." in k]
    assert losses
    assert all(map(math.isfinite, losses))
    needed = Graph(run.spec).needs([run.spec.sample])
    asked = {name: field for name, field in run.fields.items() if field.kind != "label" and name in needed}
    assert len(run.sample(3, **{name: field.batch(3) for name, field in asked.items()})) == 3

    assert checkpoint.load(checkpoint.locate(tmp_path / "left")).step == at // 3 * 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganzoo.run.callbacks.Report.write", lambda *_: None)  # drawn once is enough
        patch.setattr(dry, "check", partial(dry.check, device="cpu"))  # which is quicker for models as small as these
        resume(tmp_path / "left", plugins.installed(), quiet=True)
    assert_same_runs(tmp_path / "run", tmp_path / "left", sum(phase.steps for phase in model.spec.phases.values()))


def watch(patch: pytest.MonkeyPatch) -> None:
    """Let a step that waits for the device fail."""
    mode, advance, step = NoSync(), Trainer.advance, light.step

    def advancing(self: Trainer) -> bool:
        with mode if self.phase_step < 3 else nullcontext():  # which is slow
            return advance(self)

    def stepping(optimizer: torch.optim.Optimizer) -> None:
        mode.allowed = not optimizer.state  # torch's optimizers read their own settings when they make their state
        step(optimizer)
        mode.allowed = False

    patch.setattr(Trainer, "advance", advancing)
    patch.setattr(light, "step", stepping)


def leave(patch: pytest.MonkeyPatch, at: int, out: Path, copy: Path) -> None:
    """Keep a copy of the folder as it was in the middle of a step: what a kill would have left."""
    update = Trainer.update

    def updating(self: Trainer, *args: Any) -> None:
        if self.step == at and not copy.exists():
            shutil.copytree(out, copy)
        update(self, *args)

    patch.setattr(Trainer, "update", updating)


@pytest.mark.parametrize("name", [n for n in MODELS if full(n).spec.data.entry.id in BUNDLED])  # type: ignore[union-attr]
def test_steps_on_its_own_data(name: str, tmp_path) -> None:
    from ganzoo import api

    model = full(name)
    few = {"evaluate.n": 20} if "evaluate" in model.spec.config else {}
    overrides = {**lasting(model, 2), "train.log_every": 1, "show.n": 4, "plugins.tensorboard": False}
    api.Model(name, {**few, **model.spec.about.small, **overrides}).train(tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "report.html").exists()
    assert list((tmp_path / "run" / "samples").glob("step_*.png"))
