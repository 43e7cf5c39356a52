"""Folders of images whose attributes or labels are in a table, as a user has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data.attributes import Attributes
from ganzoo_data.folder import ImageFolder
from ganzoo_data.packed import Packed
from hypothesis import given
from hypothesis import strategies as st

from ganzoo import api
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from tests.plugins.images import fill, grey, save
from tests.zoo import written

NAMES = ("Blond_Hair", "Eyeglasses", "Smiling")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "faces", {".": 4})
    return tmp_path / "faces"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def celeba(folder: Path, rows: dict[str, str]) -> None:
    lines = [str(len(rows)), " ".join(NAMES), *(f"{name}  {values}" for name, values in rows.items())]
    (folder.parent / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")


def test_celebas_own_table(folder: Path) -> None:
    a, b, c, d = files(folder)
    celeba(folder, {c: "-1  1 -1", a: " 1 -1  1", b: "-1 -1 -1", "000009.jpg": " 1  1  1"})
    data = Attributes(folder, "../list_attr_celeba.txt")
    assert data.fields["attributes"].names == NAMES and data.fields["attributes"].range == (0.0, 1.0)
    assert len(data) == 3, "an image without a row is left out, and a row without an image"
    assert data.arrays["attributes"].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]], f"of {a}, {b}, {c}"
    assert d not in data.given.rows


def test_a_table_of_commas_in_chosen_columns(folder: Path) -> None:
    a, b, *_ = files(folder)
    table = f"image,{','.join(NAMES)}\n{a},yes,0.25,no\nelsewhere/{b},1,0,1\n\n"
    (folder / "attributes.csv").write_text(table)
    with pytest.raises(UserError, match=r"no attribute 'Smilling' \(did you mean 'Smiling'\?\)"):
        _ = Attributes(folder, names=("Smilling",)).fields
    (folder / "elsewhere").mkdir()
    (folder / b).rename(folder / "elsewhere" / b)
    data = Attributes(folder, names=("Smiling", "Eyeglasses"))
    assert data.fields["attributes"].names == ("Smiling", "Eyeglasses")
    assert sorted(data.arrays["attributes"].tolist()) == [[0, 0.25], [1, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no table"),
        ("image,a,b\n{0},1\n", r"line 2: 1 values for 2 attributes"),
        ("image,a\n\n{0},maybe\n", r"line 3: 'maybe' is no attribute; write 1 or 0 \(or -1\)"),
        ("image,a\n{0},2\n", r"line 2: '2' is no attribute"),
        ("image,a\n{0},nan\n", r"line 2: 'nan' is no attribute"),
        ("image,a,a\n{0},1,1\n", r"names an attribute twice: a"),
        ("image\n{0}\n", r"names no attribute"),
        ("image,a\nother.png,1\n", r"none of the 1 images of .*attributes\.csv, such as other\.png, is in .*faces"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(text: str, message: str, folder: Path) -> None:
    (folder / "attributes.csv").write_text(text.format(*files(folder)))
    with pytest.raises(UserError, match=message):
        _ = Attributes(folder).arrays


def test_an_absent_table_and_an_absent_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"attributes.csv cannot be read: No such file.*data.table=FILE"):
        _ = Attributes(folder).fields
    with pytest.raises(UserError, match=r"there is no folder .*; give data.root=FOLDER, or state names"):
        _ = Attributes(tmp_path / "nowhere").fields
    stated = Attributes(tmp_path / "nowhere", names=NAMES, size=8, channels=3)
    assert stated.fields["attributes"].shape == (3,)
    with pytest.raises(ValueError, match="each once"):
        Attributes(folder, names=("a", "a"))


def test_trained_on_sampled_by_name_and_packed(folder: Path, tmp_path: Path) -> None:
    celeba(folder, dict(zip(files(folder), ["1 -1 1", "-1 1 1", "-1 -1 -1", "1 1 1"], strict=True)))
    model = written(
        tmp_path,
        f"""
        extends: base/unconditional.yaml
        data: {{use: data.attributes, root: "{folder}", table: ../list_attr_celeba.txt, size: 8, channels: 1}}
        parts: {{Z: {{size: 4}}, G: {{use: generator.mlp, hidden: [8]}}, D: {{use: discriminator.mlp, hidden: [8]}}}}
        flow: {{fake: "G(join(z, attributes))"}}
        train: {{batch: 2, steps: 2}}
        """,
    )
    run = model.train(tmp_path / "run", quiet=True)
    every, by_name = run.sample(3, attributes="eyeglasses, Smiling=0.5"), torch.tensor([[0, 1, 0.5]]).repeat(3, 1)
    assert torch.equal(every, run.sample(3, attributes=by_name)), "a vector by name is that vector"
    assert not torch.equal(every, run.sample(3, attributes="Blond_Hair"))
    in_turn = run.sample(3, attributes=["Smiling", "Blond_Hair", "eyeglasses, Smiling=0.5"])
    assert torch.equal(in_turn[2], every[2])
    with pytest.raises(UserError, match=r"there is no 'glasses' \(did you mean 'Eyeglasses'\?\)"):
        run.sample(3, attributes="glasses")
    api.pack(str(tmp_path / "model.yaml"), tmp_path / "packed")
    packed = Packed(tmp_path / "packed")
    assert packed.fields["attributes"].names == NAMES
    assert sorted(packed.arrays["attributes"].tolist()) == [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=3, max_size=3))
def test_a_vector_is_what_its_words_say(values: list[float]) -> None:
    field = Field("vector", (3,), (0.0, 1.0), names=NAMES)
    words = ",".join(f"{name.lower()}={value}" for name, value in zip(NAMES, values, strict=True))
    assert field.vector(words).tolist() == [values]
    assert Field.from_json(field.to_json()) == field


def test_what_cannot_be_read_is_left_out_with_its_attributes(folder: Path) -> None:
    a, b, c, d = files(folder)
    celeba(folder, {a: "1 -1 -1", b: "-1 1 -1", c: "-1 -1 1", d: "1 1 1"})
    (folder / b).write_bytes(b"no image")
    data = Attributes(folder, "../list_attr_celeba.txt", size=4, skip_broken=True)
    rows = [[1, 0, 0], [0, 0, 1], [1, 1, 1]]
    assert np.concatenate([chunk["attributes"] for chunk in data.chunks(2)]).tolist() == rows
    assert data.arrays["attributes"].tolist() == rows and len(data.arrays["real"]) == 3


# -- labels ------------------------------------------------------------------------------------------------------------


def test_labels_of_a_table_take_the_place_of_folders(tmp_path: Path) -> None:
    fill(tmp_path, {"x": 3, "y": 2})
    rows = "x/002.png,new town\ny/000.png,old\nx/000.png,old\n"
    (tmp_path / "labels.csv").write_bytes(f"\ufeffimage,label\n{rows}".encode())
    data = ImageFolder(tmp_path, labels="labels.csv")
    assert data.fields["label"].classes == ("new town", "old")
    assert data.arrays["label"].tolist() == [1, 0, 1] and len(data) == 3  # in the order of the files; two have no label
    assert ImageFolder(tmp_path, labels="labels.csv", classes=("old", "new town", "sea")).arrays["label"].tolist() == [
        0,
        1,
        0,
    ]
    assert not any("level" in str(finding) for finding in data.doctor())
    assert any("2 classes: old 2, new town 1" in str(finding) for finding in data.diagnose())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "there is no table .*labels.csv"),
        ("file,label\nx/000.png,a\n", r"no column image \(it has file, label\)"),
        ("image,label\nx/000.png,a\nx/7.png,b\n", "names 1 images that are not there: x/7.png"),
        ("image,label\nx/000.png,a\nx/000.png,b\n", "labels.csv:3 has two labels for x/000.png: a, b"),
        ("image,label\nx/000.png,\n", "labels.csv:2 has no label for x/000.png"),
        ("image,label\n", "holds no rows"),
    ],
)
def test_a_table_of_labels_says_what_is_wrong_with_it(tmp_path: Path, table: str | None, said: str) -> None:
    fill(tmp_path, {"x": 1})
    if table is not None:
        (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(UserError, match=said):
        _ = ImageFolder(tmp_path, labels="labels.csv").fields


def test_a_table_names_images_as_people_write_them(tmp_path: Path) -> None:
    for name in ("a/one.png", "a/two.png", "é.png", "x.png", "x.jpg"):
        save(tmp_path / name, grey(len(name)))
    written = ("./a/one.png", "a\\two.png", "e\u0301.png", "x.png")
    for names in (written, ("a/one", "a/two", "é", "x.png"), [f"{tmp_path}/{name}" for name in written[::2]]):
        (tmp_path / "t.csv").write_text("image,label\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
        data = ImageFolder(tmp_path, labels="t.csv")
        assert dict(zip([file.path for file in data.listing.files], data.listing.labels, strict=True)) == dict(
            zip(["a/one.png", "a/two.png", "é.png", "x.png"][:: 4 // len(names)], range(len(names)), strict=True)
        )
    for rows, said in (("x,0\n", "names 1 images that are not there: x"), ("x.png,0\n./x.png,1\n", "is named twice")):
        (tmp_path / "t.csv").write_text(f"image,label\n{rows}")
        with pytest.raises(UserError, match=said):
            _ = ImageFolder(tmp_path, labels="t.csv").listing
    with pytest.raises(UserError, match="is a file; unpack it"):
        _ = ImageFolder(tmp_path / "t.csv").fields
