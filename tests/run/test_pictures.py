"""Pictures of images: what is transparent, and which range each value is in."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from ganzoo.data.fields import Field
from ganzoo.run.inputs import parse, write
from ganzoo.run.pictures import picture


def test_what_is_transparent_is_white_whatever_colour_lies_below(tmp_path) -> None:
    field = {"real": Field("image", (4, 8, 8), (-1.0, 1.0))}
    images = -torch.ones(2, 4, 8, 8)  # black
    images[:, 3, :4] = 1  # opaque above
    pixels = np.asarray(picture({"fake": images}, field))
    assert (pixels[2:18, 2:34] == 0).all() and (pixels[18:] == 255).all()
    (alone,) = write(images[:1], tmp_path / "alone.jpg", field, [])
    assert (np.asarray(Image.open(alone).convert("L")).mean(1) > 127).tolist() == [False] * 4 + [True] * 4


def test_each_image_is_shown_in_the_range_of_the_field_that_it_is_like(tmp_path) -> None:
    fields = {"line": Field("image", (1, 8, 8), (0.0, 1.0)), "real": Field("image", (3, 8, 8), (-1.0, 1.0))}
    line, real = torch.full((1, 1, 8, 8), 0.5), torch.full((1, 3, 8, 8), -0.5)
    shown = np.asarray(picture({"line": line, "real": real, "fake": real}, fields))
    assert sorted({*shown[2:34, 2:34].flatten().tolist()}) == [128]
    assert {*shown[2:34, 36:68].flatten().tolist(), *shown[2:34, 70:102].flatten().tolist()} == {64}
    assert np.asarray(Image.open(write(real, tmp_path / "fake.png", fields, [])[0])).max() == 64
    assert np.asarray(Image.open(write(line, tmp_path / "out", fields, ["a"])[0])).max() == 128


def test_a_folder_is_read_as_data_reads_it(tmp_path) -> None:
    for name in ("a.png", "b.jfif", "c.ppm", "D.TGA"):
        image = Image.new("RGB", (8, 8))
        image.save(tmp_path / name, format="JPEG" if name.endswith("jfif") else None)
    (tmp_path / "._a.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "more.png").mkdir()
    found = parse("real", str(tmp_path), Field("image", (3, 8, 8), (-1.0, 1.0)))
    assert [stem for stem, _ in found] == ["D", "a", "b", "c"]
