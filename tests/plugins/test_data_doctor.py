"""The data doctor: counts, and the usual accidents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganzoo_data import doctor, folder, openmoji, photos
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.made_up import Random
from PIL import Image

from tests.plugins.images import coloured, elsewhere, fill, grey, save

pytestmark = pytest.mark.usefixtures(elsewhere.__name__)
BUNDLED = [FashionMnistSample, openmoji.OpenMoji, photos.Photos]


def told(findings: list[doctor.Finding], severity: str = "") -> str:
    return "\n".join(str(f) for f in findings if f.severity == severity or not severity)


def test_the_doctor_counts(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 300, "b": 260})
    (tmp_path / "notes.txt").write_text("x")
    found = doctor.diagnose(tmp_path)
    assert {f.severity for f in found} == {"info"}
    for line in (
        "560 images",
        "1 sizes, height x width: 6x5 560",
        "modes: RGB 560",
        "2 classes: a 300, b 260",
        ".txt 1",
    ):
        assert line in told(found)


def test_the_doctor_sees_a_folder_level_too_many(tmp_path: Path) -> None:
    fill(tmp_path, {"train/cat": 2, "train/dog": 2})
    assert f"one folder level too many: write `root: {tmp_path / 'train'}`" in told(
        doctor.diagnose(tmp_path), "warning"
    )
    data = folder.ImageFolder(str(tmp_path))
    assert "the only class is 'train', and there are 2 folders in it" in told(data.doctor())
    fill(tmp_path, {"val/cat": 2})
    found = told(folder.ImageFolder(str(tmp_path)).doctor(), "warning")
    assert "the classes are train, val, which look like splits" in found
    assert str(tmp_path / "train") in found
    assert not folder.ImageFolder(str(tmp_path / "train")).doctor()


def test_the_doctor_warns_of_the_usual_accidents(tmp_path: Path) -> None:
    fill(tmp_path, {"many": 60, "few": 2})
    (tmp_path / "none").mkdir()
    save(tmp_path / "few" / "large.png", coloured(5, 6, 200, 9, 9))
    save(tmp_path / "many" / "copy.png", Image.open(tmp_path / "few" / "000.png"))
    save(tmp_path / "many" / "flat.png", coloured(7, 7, 90, 6, 5))
    save(tmp_path / "few" / "mask.png", np.eye(6, dtype=np.uint8)[:, :5])
    (tmp_path / "few" / "torn.png").write_bytes((tmp_path / "few" / "000.png").read_bytes()[:60])
    found = doctor.diagnose(str(tmp_path))
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=["error", "warning", "info"].index)
    assert "1 images cannot be read: few/torn.png" in told(found, "error")
    for line in (
        "1 classes have no images: none",
        "'many' (62) has 12 times the images of 'few' (5)",
        "the images have 2 sizes",
        "files: 1 of 67 are copies of others, such as few/000.png = many/copy.png",
        "1 images are in two classes",
        "2 of 66 images are of one colour",
        "1 of 66 images are almost black",
        "only 67 images",
    ):
        assert line in told(found, "warning")
    assert "1 of 66 images looked at are grey" in told(found, "info")


def test_the_doctor_sees_what_the_modes_hide(tmp_path: Path) -> None:
    for i in range(6):
        save(tmp_path / "rgb" / f"{i}.png", grey(40 * i, 4, 4) + np.arange(4, dtype=np.uint8), "RGB")
        save(tmp_path / "deep" / f"{i}.png", (np.arange(16).reshape(4, 4) * 200 + i).astype(np.uint16))
        save(tmp_path / "clear" / f"{i}.png", coloured(i, 90, 2), "RGBA")
    rgb, deep = (told(doctor.diagnose(tmp_path / name), "warning") for name in ("rgb", "deep"))
    assert "all 6 images looked at are grey, though 6 are stored in colour (write `channels: 1`)" in rgb
    assert "6 images have 16 bits, but no value above 3005 of 65535" in deep
    assert "6 images may be transparent" in told(doctor.diagnose(tmp_path / "clear"), "info")
    assert "there is no folder" in told(doctor.diagnose(tmp_path / "gone"), "error")
    fill(tmp_path, {"": 1})
    assert "beside its class folders" in told(doctor.diagnose(tmp_path), "error")


def test_the_doctor_looks_at_arrays() -> None:
    class Odd(Random):
        def load(self) -> dict[str, np.ndarray]:
            rows = super().load()
            rows["real"][:4] = 7
            rows["y"][:] = 2
            rows["v"][3, 0] = np.nan
            return rows

    fields = {
        "real": {"kind": "image", "shape": [1, 4, 4]},
        "y": {"kind": "label", "classes": ["a", "b", "c"]},
        "v": {"kind": "vector", "shape": [2]},
    }
    odd = Odd(fields, count=20)
    quick = told(odd.doctor())
    assert "y: every row is of class 'c'" in quick
    assert "real: 4 of 20 images are of one colour" in quick
    assert "v: 1 of 20 rows hold NaN or infinity" in quick
    full = told(doctor.diagnose(odd))
    for line in (
        *quick.splitlines(),
        "2 classes have no images: a, b",
        "3 of 20 are copies",
        "only 20 images",
        "20 rows",
    ):
        assert line in full
    assert Random(fields).doctor() == []


@pytest.mark.parametrize("make", BUNDLED)
def test_the_bundled_sets_are_healthy(make) -> None:
    assert make().doctor() == make(split="test").doctor() == []
