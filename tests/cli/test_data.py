"""The command line about data: packing it, and the doctor's findings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_doctor_examines_a_folder(ganzoo) -> None:
    Path("pictures/train/cat").mkdir(parents=True)
    for index in range(3):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(f"pictures/train/cat/{index}.png")
    result = ganzoo("doctor", "dcgan/pytorch", "data.root=pictures", "data.classes=null", "--json")
    found = json.loads(result.out)
    assert any("one folder level too many" in f["fix"] for f in found)
    assert any("3 images" in f["message"] for f in found)
    assert "has no doctor" in ganzoo("doctor", "gan/circle").err


def test_data_pack(ganzoo, tmp_path) -> None:
    for i in range(6):
        for name in ("cat", "dog"):
            path = tmp_path / "images" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 5), 40 * i, np.uint8)).save(path)
    done = ganzoo("data", "pack", "images", "--out", "map", "size=4")
    assert done.out.startswith("packed map: train 12\n")
    assert """ganzoo train MODEL 'data={use: data.packed, root: "map"}'""" in done.out
    found = json.loads(ganzoo("data", "pack", "images", "--out", "tars", "--format", "shards", "--json").out)
    assert found["use"] == "data.webdataset"
    assert found["splits"]["train"]["count"] == 12
    assert found["splits"]["train"]["fields"]["label"]["classes"] == ["cat", "dog"]
    small = ("train.steps=1", "train.batch=4", "plugins.tensorboard=false", "--quiet", "--json")
    for use, root in (("data.packed", "map"), (found["use"], "tars")):
        one = ganzoo("train", "gan/fashion_mnist_sample", f"data={{use: {use}, root: {root}}}", "--out", use, *small)
        assert one.code == 0, one.err
    assert ganzoo("data", "pack", "gan/fashion_mnist_sample", "--out", "model").out.startswith(
        "packed model: train 10000, test 2000"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere", "--out", "x"], "there is no folder and no model 'nowhere'"),
        (["images", "--out", "images"], "images exists; give another folder with --out"),
        (["images", "--out", "x"], "there are no images in images"),
        (["images", "--out", "x", "--format", "shard"], "no component packs 'shard' (did you mean 'shards'?)"),
        (["images", "--out", "x", "sise=3"], "data.image_folder has no argument 'sise' (did you mean 'size'?)"),
        (["images", "--out", "x", "size=a", "fit=b"], "command line: fit=b: data.fit:"),
        (["images", "--out", "x", "size=0"], "size is 0"),
        (["images", "--out", "x", "oops"], "oops: is not an override"),
        (["images"], "Missing option '--out'"),
    ],
)
def test_data_pack_refuses(ganzoo, tmp_path, words, says) -> None:
    (tmp_path / "images").mkdir()
    result = ganzoo("data", "pack", *words)
    assert result.code == 2
    assert says in result.err
    assert not (tmp_path / "x").exists()
    if "--out" in words:
        assert json.loads(ganzoo("data", "pack", *words, "--json").out)["problems"]


def test_what_the_doctor_finds_broken_is_an_error(ganzoo, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    for index in range(3):
        Image.new("RGB", (32, 32), (index, 0, 0)).save(tmp_path / f"photos/{index}.png")
    command = ("doctor", "dcgan/pytorch", "data.root=photos", "data.size=32")
    assert ganzoo(*command).code == 0
    (tmp_path / "photos/3.png").write_bytes(b"no image")
    result = ganzoo(*command)
    assert result.code == 2 and "error: 1 images cannot be read: 3.png" in result.out
