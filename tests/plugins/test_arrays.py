"""Arrays in NumPy's files as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_given.files import ArrayFiles

import ganzoo
from ganzoo.errors import UserError


def saved(place: Path, values: np.ndarray) -> Path:
    np.save(place, values)
    return place


def test_images_and_labels_are_fields_and_rows_are_set_aside_by_their_numbers(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 8, 3), dtype=np.uint8)
    labels = np.array(["cat", "dog"] * 25)
    data = ArrayFiles(saved(tmp_path / "x.npy", images), saved(tmp_path / "y.npy", labels), holdout=0.2)
    held = data.held_out()
    assert held is not None and held.held_out() is None
    assert data.fields["real"].shape == (3, 6, 8) and data.fields["label"].classes == ("cat", "dog")
    assert len(data) + len(held) == 50 and 2 <= len(held) <= 20
    together = np.concatenate([data.arrays["real"], held.arrays["real"]])
    assert sorted(map(bytes, together)) == sorted(map(bytes, images))
    longer = ArrayFiles(saved(tmp_path / "more.npy", np.concatenate([images, images])), holdout=0.2)
    assert longer.arrays["real"][: len(data)].tobytes() == data.arrays["real"].tobytes()


def test_eight_channels_say_where_they_are(tmp_path: Path) -> None:
    place = saved(tmp_path / "x.npy", np.zeros((4, 8, 6, 10), np.float32))
    with pytest.raises(UserError, match=r"x.npy: real has the shape 4x8x6x10.*`channels: first` or `channels: last`"):
        _ = ArrayFiles(place).fields
    assert ArrayFiles(place, channels="first").fields["real"].shape == (8, 6, 10)
    assert ArrayFiles(place, channels="last").fields["real"].shape == (10, 8, 6)


def test_series_of_any_height_are_vectors_of_steps(tmp_path: Path) -> None:
    waves = np.sin(np.arange(2 * 5 * 3)).reshape(2, 5, 3)
    for scale, bounds in ((1.0, (-1.0, 1.0)), (30.0, None)):
        data = ArrayFiles(saved(tmp_path / "x.npy", scale * waves), series=True)
        assert data.fields["real"].kind == "vector" and data.fields["real"].shape == (5, 3)
        assert data.fields["real"].range == bounds
        assert torch.equal(
            data.batch(torch.arange(2), torch.device("cpu"))["real"],
            torch.from_numpy(scale * waves).float(),
        )


def test_a_model_of_series_is_checked_on_own_series(tmp_path: Path) -> None:
    saved(tmp_path / "x.npy", np.zeros((4, 5, 2)))
    data = {"use": "data.arrays", "file": str(tmp_path / "x.npy"), "series": True}
    model = ganzoo.load(
        {"extends": "rgan/rgan", "data": data, "parts": {"Z": {"size": 25}, "G": {"hidden": 4}, "D": {"hidden": 4}}}
    )
    model.check()
    assert model.blueprint.shapes["fake"] == "nx5x2"


def test_files_that_are_no_arrays_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("1,2")
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object))
    for name, said in (
        ("none.npy", "there is no file"),
        ("text.npy", "is no file of NumPy's (.npy or .npz); write its arrays with numpy.save"),
        ("objects.npy", "cannot be read as arrays"),
    ):
        with pytest.raises(UserError, match=f"{name}|{said}") as caught:
            _ = ArrayFiles(tmp_path / name).fields
        assert name in str(caught.value) and said in str(caught.value)
    np.savez(tmp_path / "uneven.npz", real=np.zeros((4, 2), np.float32), label=np.zeros(3, int))
    with pytest.raises(UserError, match=r"uneven.npz: the fields have different lengths: real 4, label 3"):
        _ = ArrayFiles(tmp_path / "uneven.npz").fields
