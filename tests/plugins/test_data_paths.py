"""Where the files of a run are: the same from any working directory, and after they have moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import ganzoo
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from tests.plugins.images import elsewhere, fill
from tests.zoo import written

pytestmark = pytest.mark.usefixtures(elsewhere.__name__)
MODEL = """
extends: base/unconditional.yaml
data: {{use: data.image_folder, root: {root}, classes: 0, holdout: 0.3}}
parts:
  Z: {{use: prior.normal, size: 4}}
  G: {{use: generator.mlp, hidden: [8]}}
  D: {{use: discriminator.mlp, hidden: [8]}}
  memorisation: metric.memorisation
evaluate: {{n: 8, every: 1000, values: {{copies: memorisation(fake)}}}}
train: {{batch: 4, steps: 2}}
"""


def run_of(folder: Path, root: str, **more: Any) -> Path:
    """A run that was trained with `folder` as the working directory."""
    model = written(folder, MODEL.format(root=root), **more)
    train(model.blueprint, folder / "run", plugins.installed(), quiet=True)
    return folder / "run"


def root_of(path: Path) -> str:
    """The root that the `locked.yaml` or checkpoint of a run names."""
    config = yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else checkpoint.load(path).header["config"]
    return config["data"]["root"]


def test_a_run_finds_its_data_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = fill(tmp_path / "images", {".": 40})
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    run = run_of(tmp_path, "./images")
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["root"] == "./images"
    assert root_of(run / "locked.yaml") == root_of(checkpoint.locate(run)) == str(images)
    monkeypatch.chdir(tmp_path / "other")
    resume(run, plugins.installed(), steps=4, quiet=True)
    assert ganzoo.open(run).evaluate()[0].values
    again = ganzoo.load(run / "locked.yaml", {"train.steps": 2}).train(tmp_path / "again", quiet=True)
    assert again.step == 2


def test_data_that_moved_is_found_where_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = fill(tmp_path / "images", {".": 40})
    monkeypatch.chdir(tmp_path)
    run = run_of(tmp_path, "images")
    before = ganzoo.open(run).evaluate()[0]
    images.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=rf"there is no folder {images}; give data.root=FOLDER"):
        resume(run, plugins.installed(), steps=4, quiet=True)
    after = ganzoo.open(run).evaluate(overrides=["data.root=moved"])[0]
    assert (after.values, after.protocol) == (before.values, before.protocol)
    resume(run, plugins.installed(), steps=4, quiet=True, moved=["data.root=moved"])
    assert root_of(run / "locked.yaml") == root_of(checkpoint.locate(run)) == str(tmp_path / "moved")


def test_home_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "images", {".": 40})
    monkeypatch.setenv("HOME", str(tmp_path))
    run = run_of(tmp_path, "~/images")
    assert root_of(run / "locked.yaml") == str(tmp_path / "images")
    with pytest.raises(UserError) as caught:
        _ = written(tmp_path, MODEL.format(root="~/gone")).blueprint
    (problem,) = caught.value.problems
    assert (problem.path, problem.origin.line) == ("data.root", 3)
    assert f"there is no folder {tmp_path}/gone" in problem.message


def test_where_the_data_lies_does_not_change_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    for place in ("a", "b"):
        fill(tmp_path / place / "images", {".": 40})
        monkeypatch.chdir(tmp_path / place)
        run = run_of(tmp_path / place, "images")
        ganzoo.open(run).keep(ganzoo.open(run).evaluate())
        ends.append((checkpoint.load(checkpoint.locate(run)).state["parts"], run / "evaluations.jsonl"))
    (a, first), (b, second) = ends
    assert first.read_text() == second.read_text()
    assert all(torch.equal(a[part][key], b[part][key]) for part in a for key in a[part])
