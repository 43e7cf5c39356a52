"""Every YAML of the zoo: checked at full size, counted against its paper, stepped small, stepped on its own data."""

from __future__ import annotations

import math

import pytest

from ganzoo.config import compose
from ganzoo.config.static import Graph
from ganzoo.model import explain
from ganzoo.registry import plugins
from tests.zoo import MODELS, full, lasting, small

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
def test_steps_small(name: str, tmp_path) -> None:
    run = small(name, steps=4).train(tmp_path / "run", quiet=True)
    losses = [v for r in _records(tmp_path / "run") for k, v in r.items() if "." in k]
    assert losses
    assert all(map(math.isfinite, losses))
    needed = Graph(run.spec).needs([run.spec.sample])
    asked = {name: field for name, field in run.fields.items() if field.kind != "label" and name in needed}
    assert len(run.sample(3, **{name: field.batch(3) for name, field in asked.items()})) == 3


@pytest.mark.parametrize("name", [n for n in MODELS if full(n).spec.data.entry.id in BUNDLED])  # type: ignore[union-attr]
def test_steps_on_its_own_data(name: str, tmp_path) -> None:
    from ganzoo import api

    overrides = {**lasting(full(name), 2), "train.log_every": 1, "plugins.tensorboard": False}
    api.Model(name, {**full(name).spec.about.small, **overrides}).train(tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "report.html").exists()
    assert list((tmp_path / "run" / "samples").glob("step_*.png"))


def _records(folder) -> list[dict]:
    from ganzoo.store.folder import RunFolder

    return RunFolder(folder).records()
