"""A model put to the user's own files: what it says where they lie otherwise than it takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.plugins.images import grey, save

CLOTHES = "cgan/fashion_mnist_sample"
FOLDER = ("data.use=data.image_folder", "data.size=32", "evaluate=null")


def test_models_are_described_without_the_data_that_they_ask_for(ganzoo) -> None:
    for command in ("show", "explain", "fill"):
        result = ganzoo(command, "dcgan/pytorch")
        assert result.code == 0 and "note: data.root not given; described without the data" in result.err
        assert "generator." in result.out
    assert "data.root: is required" in ganzoo("check", "cyclegan/cyclegan").err
    assert ganzoo("explain", "cyclegan/cyclegan", "parts.G_ab.widht=3").code == 2


def test_a_folder_without_labels_says_how_to_have_some(ganzoo, tmp_path: Path) -> None:
    save(tmp_path / "1.png", grey(1, 32, 32))
    for more in ((), ("show.rows=null",)):
        said = ganzoo("check", CLOTHES, *FOLDER, f"data.root={tmp_path}", *more).err
        assert "has no class folders: give the images of each class a sub-folder" in said and "data.labels=" in said


def test_a_folder_for_bundled_data_names_what_reads_it(ganzoo, tmp_path: Path) -> None:
    said = ganzoo("check", CLOTHES, f"data.root={tmp_path}").err
    assert "its arguments are each, range, size, split; for images of your own: data.use=data.image_folder" in said
    assert "image_folder" not in ganzoo("check", CLOTHES, "data.raneg=[0,1]").err
    assert "image_folder" not in ganzoo("check", "cyclegan/openmoji", f"data.root={tmp_path}").err


def test_who_left_bundled_data_is_not_sent_back_to_it(ganzoo) -> None:
    np.savez("a.npz", real=np.zeros((4, 32, 32), np.uint8), label=np.zeros(3, np.int64))
    said = ganzoo("check", CLOTHES, "data.use=data.arrays", "data.file=a.npz").err
    assert "real 4, label 3" in said and "bundled" not in said


@pytest.mark.parametrize("labels", ["labels.csv", "else/labels.csv"])
def test_a_table_of_labels_that_is_not_there_is_one_below_the_folder(ganzoo, tmp_path: Path, labels: str) -> None:
    save(tmp_path / "1.png", grey(1, 32, 32))
    said = ganzoo("check", CLOTHES, *FOLDER, f"data.root={tmp_path}", f"data.labels={labels}").err
    assert f"there is no table {tmp_path / labels}; `labels` is a path below {tmp_path}" in said


def test_what_is_wrong_with_a_part_that_nothing_uses_says_how_to_go_without(ganzoo, tmp_path: Path) -> None:
    save(tmp_path / "1.png", grey(1, 64, 64))
    (tmp_path / "1.txt").write_text("a cat", encoding="utf-8")
    own = ("data.use=data.captions", f"data.root={tmp_path}", "data.encoder=encoder.ngrams", "data.channels=3")
    words = ("check", "stackgan/openmoji", *own)
    assert "nothing uses it" not in ganzoo(*words).err
    assert "(nothing uses it: parts.R=null)" in ganzoo(*words, "evaluate=null").err
    assert ganzoo(*words, "evaluate=null", "parts.R=null").code == 0
