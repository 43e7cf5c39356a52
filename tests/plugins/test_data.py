"""The image sets: what they promise, what they hold, and what they say when something is wrong."""

from __future__ import annotations

import gzip
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data import cifar, idx, idx_sets, openmoji, photos, places
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.made_up import Random
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from tests.plugins.images import CPU, all_rows, elsewhere, write_cifar, write_idx, write_set

pytestmark = pytest.mark.usefixtures(elsewhere.__name__)
BUNDLED = [FashionMnistSample, openmoji.OpenMoji, photos.Photos]

# -- registration ------------------------------------------------------------------------------------------------------


def test_registers_without_torch_and_names_its_fields() -> None:
    code = "import sys, ganzoo_data; assert not {'torch', 'numpy', 'PIL', 'torchvision'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    registry = plugins.installed()

    def fields(name: str, **args: object) -> object:
        stated = registry.find(f"data.{name}").facts["fields"]
        return stated(args) if callable(stated) else stated

    assert fields("random") == ["real"]
    assert fields("random", fields={"a": {}, "b": {}}) == ["a", "b"]
    assert fields("random", fields="oops") is None
    assert fields("openmoji") == ["real", "label"]
    assert fields("openmoji", fields=["line", "text"]) == ["line", "text"]
    assert fields("image_folder") is None
    assert fields("image_folder", classes=0) == fields("image_folder", classes=[]) == ["real"]
    assert fields("image_folder", classes=["cat", "dog"]) == fields("image_folder", classes=2) == ["real", "label"]
    assert fields("photos") == ["real"]
    for name in ("fashion_mnist", "fashion_mnist_sample", "mnist", "cifar10"):
        assert fields(name) == ["real", "label"]
    bundled = {e.name for e in registry if e.kind == "data" and e.facts.get("bundled") and e.plugin.name == "data"}
    assert bundled == {"fashion_mnist_sample", "openmoji", "openmoji_unpaired", "photos"}


@pytest.mark.parametrize(
    "name",
    [
        *("random", "fashion_mnist", "fashion_mnist_sample", "mnist", "cifar10"),
        *("image_folder", "openmoji", "photos", "packed", "webdataset"),
    ],
)
def test_docstrings_say_where_the_data_comes_from(name: str) -> None:
    made = plugins.installed().find(f"data.{name}").load()
    assert re.search(r"(Source|Paper): .", made.__doc__ or "")
    assert "split" in made.__doc__
    assert "range" in made.__doc__


# -- what all share ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", BUNDLED)
@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 1.0)])
def test_black_and_white_are_the_ends_of_the_range(make, limits) -> None:
    data = make(range=limits)
    real = data.batch(torch.arange(0, len(data), 7), CPU)["real"]
    assert data.fields["real"].range == limits
    assert tuple(real.shape[1:]) == data.fields["real"].shape
    assert (float(real.min()), float(real.max())) == limits


@pytest.mark.parametrize("make", BUNDLED)
def test_a_batch_is_direct_indexing_even_twice(make) -> None:
    data = make(split="test")
    index = torch.tensor([3, 0, 3, len(data) - 1])
    batch = data.batch(index, CPU)
    pixels = torch.from_numpy(data.arrays["real"][index.numpy()]).permute(0, 3, 1, 2)
    assert torch.allclose(batch["real"], pixels / 127.5 - 1, atol=1e-6)
    assert torch.equal(batch["real"][0], batch["real"][2])
    for name in set(batch) - {"real"}:
        assert torch.equal(batch[name], torch.from_numpy(data.arrays[name][index.numpy()]))


@pytest.mark.parametrize("make", [*BUNDLED, Random])
def test_the_test_split_is_held_out_with_the_same_settings(make) -> None:
    train = make(range=(0.0, 1.0))
    len(train)  # its arrays must not be taken along
    assert train.fields
    test = train.held_out()
    assert test.split == "test"
    assert test.held_out() is None
    assert test.range == (0.0, 1.0)
    assert test.fingerprint() == make(split="test").fingerprint() != train.fingerprint()
    inside = {row.tobytes() for row in train.arrays["real"]}
    assert sum(row.tobytes() in inside for row in test.arrays["real"]) <= 0.03 * len(
        test
    )  # OpenMoji draws 5 of 247 twice


@pytest.mark.parametrize("make", [*BUNDLED, Random, idx_sets.Mnist, idx_sets.FashionMnist, cifar.Cifar10])
def test_wrong_splits_and_ranges_are_refused_by_name(make) -> None:
    with pytest.raises(ValueError, match="split is 'val'"):
        make(split="val")
    for limits in [(1.0, -1.0), (0.0,), (0.0, float("nan"))]:
        with pytest.raises(ValueError, match="range is"):
            make(range=limits)


def test_a_model_runs_on_them(tmp_path: Path) -> None:
    from ganzoo import api

    text = """
    data: {use: data.openmoji, fields: [real, line, label], size: 16, range: [0, 1]}
    parts:
      Z: {use: prior.normal, size: 4}
      G: {use: generator.mlp, hidden: [8], like: real}
      D: {use: discriminator.mlp, hidden: [8]}
      adv: adversarial.nonsaturating
    flow: {z: Z(n), fake: G(z)}
    players:
      D: {minimize: {a: "adv.d(D(real), D(fake))"}}
      G: {minimize: {a: "adv.g(D(fake), D(real))"}}
    optimizer: optimizer.adam
    show: [fake, line]
    train: {steps: 2, batch: 4}
    plugins: {tensorboard: false}
    """
    (tmp_path / "m.yaml").write_text(text)
    run = api.Model(str(tmp_path / "m.yaml")).train(tmp_path / "run", quiet=True)
    sample = run.sample(2)
    assert tuple(sample.shape) == (2, 3, 16, 16)
    assert 0 <= float(sample.min()) <= float(sample.max()) <= 1


# -- random ------------------------------------------------------------------------------------------------------------

_classes = st.integers(1, 5) | st.lists(st.text("abc", min_size=1), min_size=1, max_size=4, unique=True)
_fields = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.one_of(
        st.builds(lambda c, h, w: {"kind": "image", "shape": [c, h, w]}, *[st.integers(1, 4)] * 3),
        st.builds(lambda k: {"kind": "label", "classes": k}, _classes),
        st.builds(lambda n: {"kind": "vector", "shape": [n], "range": [-2, 3]}, st.integers(1, 5)),
        st.builds(lambda n: {"kind": "text", "shape": [n]}, st.integers(2, 5)),
    ),
    min_size=1,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_fields, st.integers(1, 9), st.integers(0, 3))
def test_random_is_what_it_is_asked_to_be(fields: dict, count: int, seed: int) -> None:
    data = Random(fields, count=count, seed=seed)
    batch = all_rows(data)
    assert list(batch) == list(fields)
    assert len(data) == count
    for name, field in data.fields.items():
        rows = batch[name]
        assert tuple(rows.shape) == (count, *field.shape)
        assert rows.dtype == (torch.int64 if field.kind == "label" else torch.float32)
        if field.kind == "label":
            assert 0 <= int(rows.min()) <= int(rows.max()) < len(field.classes)
        if field.kind == "text":
            assert torch.allclose(rows.norm(dim=1), torch.ones(count), atol=1e-5)
        if field.range:
            assert field.range[0] <= float(rows.min()) <= float(rows.max()) <= field.range[1]
    assert data.fingerprint() == Random(fields, count=count, seed=seed).fingerprint()


@pytest.mark.parametrize("make", [*BUNDLED, idx_sets.Mnist, cifar.Cifar10, lambda: openmoji.OpenMoji(openmoji.NAMES)])
def test_random_mimics_any_other(make) -> None:
    other = make()
    stored = json.loads(json.dumps({name: field.to_json() for name, field in other.fields.items()}))
    assert dict(Random(stored, count=2).fields) == dict(other.fields)


def test_random_draws_each_field_by_itself() -> None:
    label = {"kind": "label", "classes": ["rare", "often", "never"], "frequencies": [0.1, 0.9, 0]}
    one = Random({"y": label}, count=4000)
    two = Random({"real": {"kind": "image", "shape": [1, 2, 2]}, "y": label}, count=4000)
    assert (one.arrays["y"] == two.arrays["y"]).all()
    assert np.bincount(one.arrays["y"], minlength=3) / 4000 == pytest.approx([0.1, 0.9, 0], abs=0.02)
    assert two.arrays["real"].mean() == pytest.approx(127.5, abs=2)
    assert (Random(seed=1).arrays["real"] != Random(seed=2).arrays["real"]).mean() > 0.9


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"x": {"kind": "picture"}}, "fields: x should be"),
        ({"x": "image"}, "fields: x should be"),
        ({"x": {"kind": "image", "shape": [3, 4]}}, r"shape is \[3, 4\], but an image needs \[C, H, W\]"),
        ({"x": {"kind": "vector"}}, "shape is None"),
        ({"x": {"kind": "vector", "shape": [0]}}, r"shape is \[0\]"),
        ({"x": {"kind": "vector", "shape": [2], "rnage": [0, 1]}}, "no 'rnage' .*'range'"),
        ({"x": {"kind": "vector", "shape": [2], "range": [1, 0]}}, r"range is \[1, 0\]"),
        ({"x": {"kind": "label", "classes": 0}}, "classes is 0"),
        ({"x": {"kind": "label", "shape": [3]}}, "no 'shape'"),
        ({"x": {"kind": "label", "classes": 2, "frequencies": [1]}}, "should be 2 numbers"),
    ],
)
def test_random_refuses_what_it_cannot_make(fields: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Random(fields)


# -- IDX sets ----------------------------------------------------------------------------------------------------------


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.sampled_from(["", ".gz"]))
def test_idx_reads_what_was_written(tmp_path: Path, shape: list[int], suffix: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    write_idx(tmp_path / f"x{suffix}", array)
    read = idx.read(tmp_path / f"x{suffix}")
    assert read.shape == array.shape
    assert (read == array).all()
    assert read.flags.writeable  # or torch warns


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no IDX file of bytes .it starts with nothing"),
        (b"<html>404</html>", "no IDX file of bytes .it starts with 3c 68 74 6d"),
        (struct.pack(">HBBI", 0, 0x0D, 1, 0), "no IDX file of bytes"),
        (struct.pack(">HBBI", 0, 8, 1, 5) + b"abc", "holds 3 instead of 5 = 5 bytes"),
        (gzip.compress(struct.pack(">HBBI", 0, 8, 1, 5) + b"abcde", mtime=0)[:-4], "cannot be read"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
    ids=["empty", "page", "floats", "short", "cut", "no-gzip"],
)
def test_damaged_idx_files_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "train-x").write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        idx.read(tmp_path / "train-x")
    assert str(tmp_path / "train-x") in str(error.value)
    assert "again" in str(error.value)


@pytest.mark.parametrize("make", [idx_sets.FashionMnist, idx_sets.Mnist])
@pytest.mark.parametrize(
    ("inner", "suffix", "mark"), [("", ".gz", "-"), ("", "", "."), ("{}/raw", "", "-"), ("raw", "", "-")]
)
def test_idx_sets_are_found_in_every_layout(make, inner: str, suffix: str, mark: str, tmp_path: Path) -> None:
    write_set(tmp_path / inner.format(make.torchvision), suffix, mark=mark)
    data = make(root=str(tmp_path))
    assert len(data) == 30
    assert len(data.held_out()) == 20
    assert data.arrays["real"].shape == (30, 28, 28, 1)
    assert data.arrays["label"].tolist() == [i // 2 % 10 for i in range(30)]
    assert data.fields["label"].frequencies == pytest.approx([4 / 30] * 5 + [2 / 30] * 5, abs=1e-5)
    assert data.held_out().fields["label"].frequencies == pytest.approx([0.1] * 10)


@pytest.mark.parametrize("variable", ["GANZOO_DATA", "HOME"])
def test_idx_sets_are_found_in_the_usual_places(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    top = tmp_path if variable == "GANZOO_DATA" else tmp_path / ".cache" / "ganzoo"
    write_set(top)  # whose they are cannot be known there
    with pytest.raises(UserError):
        len(idx_sets.Mnist())
    write_set(top / "MNIST" / "raw")
    assert len(idx_sets.Mnist()) == 30
    with pytest.raises(UserError):
        len(idx_sets.FashionMnist())
    write_set(top / "fashion", counts=(40, 20))
    monkeypatch.setattr(idx_sets.FashionMnist, "elsewhere", (top / "fashion",))
    assert len(idx_sets.FashionMnist()) == 40
    assert str(idx_sets.DEBIAN) == "/usr/share/datasets/fashion-mnist"


def test_absent_idx_sets_say_how_to_get_them_and_still_have_fields(tmp_path: Path) -> None:
    data = idx_sets.FashionMnist(root=str(tmp_path), size=32)
    assert data.fields["real"] == Field("image", (1, 32, 32), (-1.0, 1.0))
    assert data.fields["label"].frequencies == (0.1,) * 10
    assert data.fields["label"].label("Sneaker") == 7
    with pytest.raises(UserError) as error:
        len(data)
    for hint in (str(tmp_path), "dataset-fashion-mnist", "root:", "download: true", "data.fashion_mnist_sample"):
        assert hint in str(error.value)
    frequencies = idx_sets.Mnist(split="test").fields["label"].frequencies
    assert frequencies == pytest.approx(np.array([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]) / 10000)
    assert sum(idx_sets.Mnist.counts["train"]) == 60000
    with pytest.raises(UserError, match="download: true"):
        len(idx_sets.Mnist())


def test_without_test_files_nothing_is_held_out(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert idx_sets.FashionMnist(root=str(tmp_path)).held_out() is None


def test_idx_sets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, "")
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(29, np.uint8))
    with pytest.raises(UserError, match="30x28x28, but its labels want 29x28x28"):
        len(idx_sets.Mnist(root=str(tmp_path)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.full(30, 10, np.uint8))
    with pytest.raises(UserError, match="labels from 0 to 9"):
        len(idx_sets.Mnist(root=str(tmp_path)))
    with pytest.raises(ValueError, match="size is 64"):
        idx_sets.Mnist(size=64)  # type: ignore[arg-type]


def test_a_border_is_black_and_the_image_unchanged(tmp_path: Path) -> None:
    write_set(tmp_path)
    small = idx_sets.FashionMnist(root=str(tmp_path)).arrays["real"]
    large = idx_sets.FashionMnist(root=str(tmp_path), size=32)
    rows = large.arrays["real"]
    assert (rows[:, 2:-2, 2:-2] == small).all()
    assert int(rows.sum()) == int(small.sum())
    assert float(large.batch(torch.tensor([0]), CPU)["real"][0, 0, 0, 0]) == -1


def test_download_brings_whole_files_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def good(root: str, download: bool) -> None:
        assert download
        write_set(Path(root) / "MNIST" / "raw")

    def bad(root: str, download: bool) -> None:
        (Path(root) / "MNIST" / "raw").mkdir(parents=True)
        (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").write_bytes(b"half")
        raise RuntimeError("File not found or corrupted")

    monkeypatch.setattr(datasets, "MNIST", bad)
    data = idx_sets.Mnist(root=str(tmp_path / "new"), download=True)
    with pytest.raises(UserError, match=r"downloading MNIST into .*new failed: File not found or corrupted"):
        len(data)
    assert not [p for p in (tmp_path / "new").rglob("*") if p.is_file()]
    monkeypatch.setattr(datasets, "MNIST", good)
    assert len(data) == 30
    assert len(data.held_out()) == 20
    monkeypatch.setattr(datasets, "MNIST", None)  # a second time nothing is downloaded
    assert len(idx_sets.Mnist(root=str(tmp_path / "new"), download=True)) == 30


def test_the_sample_is_the_part_of_fashion_mnist_it_says() -> None:
    for split, each in (("train", 1000), ("test", 200)):
        data = FashionMnistSample(split=split)
        assert np.bincount(data.arrays["label"]).tolist() == [each] * 10
        assert data.arrays["real"].shape == (10 * each, 28, 28, 1)
        assert data.fields["label"].frequencies == (0.1,) * 10
    train = FashionMnistSample().arrays
    trouser, bag = (train["real"][train["label"] == label].mean(0)[..., 0] for label in (1, 8))
    assert trouser[20, 14] < 0.5 * trouser[20, 10]  # two legs
    assert bag[20, 2] > 60 > 5 > bag[2, 2]
    assert FashionMnistSample(size=32).fields["real"].shape == (1, 32, 32)


# -- CIFAR-10 ----------------------------------------------------------------------------------------------------------


def test_cifar_is_read_in_its_own_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write_cifar(tmp_path, monkeypatch)
    data = cifar.Cifar10(root=str(tmp_path), range=(0.0, 1.0))
    assert data.arrays["label"].tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert torch.allclose(all_rows(data)["real"], torch.from_numpy(rows[:10]).reshape(-1, 3, 32, 32) / 255)
    assert data.held_out().arrays["label"].tolist() == [3, 4]
    assert data.fields["label"].classes[3:5] == ("cat", "deer")
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"half")
    with pytest.raises(UserError, match=r"damaged or incomplete \(Dataset not found or corrupted"):
        len(cifar.Cifar10(root=str(tmp_path)))


def test_absent_cifar_says_how_to_get_it() -> None:
    data = cifar.Cifar10()
    assert data.fields["real"].shape == (3, 32, 32)
    with pytest.raises(UserError, match=r"no cifar-10-batches-py in .*`root: FOLDER`.*`download: true`"):
        len(data)


# -- OpenMoji and photographs ------------------------------------------------------------------------------------------


def test_openmoji_rows_are_the_rows_of_its_table() -> None:
    data = openmoji.OpenMoji(openmoji.NAMES)
    rows = data.arrays
    assert {name: row.shape for name, row in rows.items()} == {
        "real": (1916, 64, 64, 3),
        "line": (1916, 64, 64, 1),
        "label": (1916,),
        "text": (1916, 384),
    }
    assert len(data.held_out()) == 247
    assert list(data.fields) == list(openmoji.NAMES)
    number = data.texts.index("red apple")
    for name, row in (("color", rows["real"][number]), ("line", rows["line"][number])):
        sheet = np.asarray(Image.open(openmoji.FOLDER / f"{name}.png"))
        top, left = (64 * place for place in divmod(int(data.numbers[number]), 48))
        assert (row.squeeze() == sheet[top : top + 64, left : left + 64]).all()
    red, green, _ = rows["real"][number][36, 32].astype(int)
    assert red > 150 > green + 50
    assert data.fields["label"].classes[rows["label"][number]] == "food-drink"
    counts = np.bincount(rows["label"], minlength=11) / 1916
    assert data.fields["label"].frequencies == pytest.approx(counts, abs=1e-5)
    assert np.linalg.norm(rows["text"], axis=1) == pytest.approx(np.ones(1916), abs=1e-3)
    near = rows["text"] @ rows["text"][number]
    assert data.texts[np.argsort(near)[-2]] in ("green apple", "pear", "pineapple", "tangerine", "cherries")


def test_openmoji_lines_are_aligned_with_the_drawings() -> None:
    rows = openmoji.OpenMoji(("line", "real")).arrays
    line = (rows["line"][..., 0] < 64).astype(float)
    dark = (rows["real"].max(-1) < 64).astype(float)
    together = (line * dark).sum() / line.sum()
    shifted = (line * np.roll(dark, 1, 0)).sum() / line.sum()
    assert together > 0.9 > 0.5 > shifted


@pytest.mark.parametrize("size", [32, 16, 24, 1])
def test_openmoji_shrinks_by_area(size: int) -> None:
    full = openmoji.OpenMoji(("real", "line"), split="test").arrays
    small = openmoji.OpenMoji(("real", "line"), split="test", size=size).arrays
    for name, rows in small.items():
        assert rows.shape[1:3] == (size, size)
        if 64 % size == 0:
            k = 64 // size
            means = full[name].reshape(len(rows), size, k, size, k, -1).mean((2, 4))
            assert np.abs(rows - means).max() <= 1
        assert rows.mean() == pytest.approx(full[name].mean(), abs=0.5)


def test_openmoji_refuses_what_it_has_not() -> None:
    for fields in (("colour",), (), ("real", "real")):
        with pytest.raises(ValueError, match=r"fields is .* real, line, label, text"):
            openmoji.OpenMoji(fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size is 128"):
        openmoji.OpenMoji(size=128)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(60, 512), st.integers(50, 300))
def test_patches_are_cut_where_they_should_be(size: int, stride: int) -> None:
    path = photos.Photos("test").files[0]
    grid = photos.patches(path, size, stride)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    height, width = pixels.shape[:2]
    assert grid.shape[:2] == ((height - size) // stride + 1, (width - size) // stride + 1)
    top, left = (grid.shape[0] - 1) * stride, (grid.shape[1] - 1) * stride
    assert (grid[-1, -1] == pixels[top : top + size, left : left + size]).all()


def test_photos_hold_four_out_whole() -> None:
    train, test = photos.Photos(), photos.Photos("test")
    assert [p.name.split("_by_")[0] for p in test.files] == ["dragonfly", "picosdeeuropa", "sunset", "wine"]
    assert len(train.files) == 9
    assert len(train) == sum((Image.open(p).width // 96) * (Image.open(p).height // 96) for p in train.files)
    first = np.asarray(Image.open(train.files[0]))
    assert (train.arrays["real"][1] == first[:96, 96:192]).all()
    assert len(photos.Photos(stride=48)) > 3 * len(train)
    for args, says in (({"size": 513}, "size is 513"), ({"stride": 0}, "stride is 0")):
        with pytest.raises(ValueError, match=says):
            photos.Photos(**args)


def test_photos_give_every_crop_where_the_stride_is_1() -> None:
    data = photos.Photos(size=80, stride=1)
    sizes = [(image.height, image.width) for image in map(Image.open, data.files)]
    assert len(data) == sum((height - 79) * (width - 79) for height, width in sizes)
    rows = data.arrays["real"]
    number = (sizes[0][0] - 79) * (sizes[0][1] - 79) + 5 * (sizes[1][1] - 79) + 7
    second = np.asarray(Image.open(data.files[1]))
    assert (rows[number] == second[5:85, 7:87]).all()
    assert (rows[np.array([number, 0])][0] == rows[number : number + 1][0]).all()
    assert (rows[-1] == np.asarray(Image.open(data.files[-1]))[-80:, -80:]).all()
    with pytest.raises(IndexError, match=f"there are {len(data)} rows"):
        rows[len(data)]
    batch = data.batch(torch.tensor([number]), torch.device("cpu"))["real"][0]
    assert torch.allclose(batch, torch.tensor(second[5:85, 7:87]).permute(2, 0, 1) / 127.5 - 1, atol=1e-6)
    assert len(data.held_out() or ()) == len(photos.Photos("test", size=80))


def test_every_bundled_file_is_credited() -> None:
    credits = (places.BUNDLED / "CREDITS.md").read_text(encoding="utf-8")
    for path in places.BUNDLED.rglob("*"):
        if path.is_file() and path.name != "CREDITS.md":
            assert path.relative_to(places.BUNDLED).as_posix() in credits
    assert '"All emojis designed by OpenMoji - the open-source emoji and icon project"' in credits
    assert "CC BY-SA 4.0 (bridge, dragonfly, free, greentock), CC0 (seeding)" in credits
