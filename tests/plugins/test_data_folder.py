"""Folders of images: files, labels, splits, decoding, and what is kept on disk."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data import decode, folder, listing, npy, store
from ganzoo_data.paired import PairedFolders
from ganzoo_data.unpaired_folders import UnpairedFolders
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data.arrays import cache_folder
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from tests.plugins.images import CPU, all_rows, coloured, elsewhere, fill, grey, save

pytestmark = pytest.mark.usefixtures(elsewhere.__name__)

# -- one image file ----------------------------------------------------------------------------------------------------


def read(path: Path, channels: int = 3, size: tuple[int, int] = (4, 4), fit: decode.Fit = "crop") -> np.ndarray:
    return decode.decode(path, decode.Recipe(*size, channels, fit))


def test_transparent_images_are_put_on_white(tmp_path: Path) -> None:
    clear = np.dstack([coloured(200, 0, 0), grey(0)])
    clear[0, 0, 3], clear[1, 1, 3] = 255, 128
    path = save(tmp_path / "a.png", clear)
    rows = read(path)
    assert rows[0, 0].tolist() == [200, 0, 0]
    assert rows[2, 2].tolist() == [255, 255, 255]
    assert rows[1, 1].tolist() == pytest.approx([227, 127, 127], abs=1)
    assert (read(path, 4) == clear).all()
    assert read(path, 1)[2, 2, 0] == 255
    both = save(tmp_path / "la.png", Image.merge("LA", [Image.fromarray(grey(90)), Image.fromarray(clear[..., 3])]))
    assert read(both, 1)[:, :, 0].tolist()[0] == [90, 255, 255, 255]
    palette = Image.fromarray(grey(0))
    palette.putpalette([10, 20, 30, 1, 2, 3])
    palette.putpixel((1, 0), 1)
    seen = save(tmp_path / "p.png", palette)
    assert read(seen)[0, :2].tolist() == [[10, 20, 30], [1, 2, 3]]
    keyed = save(tmp_path / "pt.gif", palette, transparency=1)
    assert read(keyed)[0, :2].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_every_mode_becomes_eight_bits(tmp_path: Path) -> None:
    deep = np.array([[0, 257, 128 * 257, 65535]] * 4, np.uint16)
    for name in ("deep.png", "deep.tif"):
        assert read(save(tmp_path / name, deep), 1)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert read(tmp_path / "deep.png", 3)[0, 2].tolist() == [128] * 3
    assert read(save(tmp_path / "bits.png", grey(255), "1"), 1).max() == 255
    cmyk = read(save(tmp_path / "c.tif", coloured(255, 0, 0), "CMYK"))[0, 0].tolist()
    assert cmyk == pytest.approx([255, 0, 0], abs=2)
    assert read(save(tmp_path / "g.png", grey(77)), 3)[0, 0].tolist() == [77] * 3
    assert read(save(tmp_path / "g.png", grey(77)), 4)[0, 0].tolist() == [77, 77, 77, 255]
    green = read(save(tmp_path / "rgb.png", coloured(0, 255, 0)), 1)
    assert green[0, 0, 0] == 150  # 0.587 * 255, ITU-R 601
    for array in (np.zeros((4, 4), np.float32), np.full((4, 4), 1 << 20, np.int32)):
        with pytest.raises(ValueError, match="nobody knows what white is"):
            read(save(tmp_path / "x.tif", array))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_images_stand_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255
    turned = Image.fromarray(upright)
    for step in {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[orientation]:  # the inverse of each
        turned = turned.transpose(Image.Transpose(step))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"x{suffix}", turned, exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    assert decode.header(path)[:2] == (16, 24)
    rows = read(path, 1, (16, 24))[..., 0]
    assert np.abs(rows.astype(int) - upright[..., 0]).max() < 40


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20),
    st.sampled_from(["crop", "stretch", "pad"]), st.sampled_from(["L", "RGB", "RGBA", "P", "LA", "1"]),
    st.sampled_from([1, 3, 4]), st.sampled_from([".png", ".jpg"]),
)  # fmt: skip
@example(1, 2, 1, 1, "pad", "L", 1, ".png")
def test_any_image_fits(tmp_path: Path, h: int, w: int, height: int, width: int, fit, mode, channels, suffix) -> None:
    target = "RGB" if suffix == ".jpg" else mode
    path = save(tmp_path / f"x{suffix}", coloured(60, 60, 60, h, w), target)
    rows = read(path, channels, (height, width), fit)
    assert rows.shape == (height, width, channels)
    assert rows.dtype == np.uint8
    if mode not in ("1", "P") and fit != "pad":  # a palette has not every colour
        assert np.abs(rows[..., : min(channels, 3)].astype(int) - 60).max() <= 8


def test_crop_stretch_and_pad(tmp_path: Path) -> None:
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 200
    path = save(tmp_path / "wide.png", wide)
    assert read(path, 1, (8, 8), "crop").min() == 200  # the middle third
    stretched = read(path, 1, (8, 24 // 3), "stretch")[4, :, 0]
    assert stretched[0] < 20 < 180 < stretched[4]
    padded = read(path, 1, (24, 24), "pad")[..., 0]
    assert (padded[:8] == 255).all()
    assert (padded[16:] == 255).all()
    assert (padded[8:16] == wide).all()
    assert read(save(tmp_path / "w4.png", np.dstack([wide] * 3), "RGBA"), 4, (24, 24), "pad")[0, 0, 3] == 0
    assert (read(path, 1, (8, 24), "stretch")[..., 0] == wide).all()  # nothing to do: not touched


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_a_large_jpeg_is_decoded_small_but_looks_the_same(tmp_path: Path, fit: decode.Fit) -> None:
    y, x = np.mgrid[0:600, 0:900]
    picture = np.dstack([x / 900 * 255, y / 600 * 255, 128 + 100 * np.sin(x / 60)]).astype(np.uint8)
    jpeg, png = save(tmp_path / "a.jpg", picture, quality=95), save(tmp_path / "a.png", picture)
    small, exact = (read(p, 3, (32, 40), fit).astype(int) for p in (jpeg, png))
    assert np.abs(small - exact).mean() < 2


# -- folders -----------------------------------------------------------------------------------------------------------


def test_labels_come_from_folders(tmp_path: Path) -> None:
    fill(tmp_path, {"dog": 3, "cat/black": 1, "cat/white/old": 2, "émeu ñandú": 1})
    save(tmp_path / "dog" / "LOUD.JPG", coloured(1, 2, 3, 6, 5))
    save(tmp_path / ".hidden" / "x.png", grey(0))
    save(tmp_path / "dog" / "._x.png", grey(0))
    save(tmp_path / "__MACOSX" / "x.png", grey(0))
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    data = folder.ImageFolder(str(tmp_path))
    assert data.fields["label"].classes == ("cat", "dog", "émeu ñandú")
    assert data.fields["label"].frequencies == pytest.approx([3 / 8, 4 / 8, 1 / 8])
    assert data.fields["real"] == Field("image", (3, 6, 5), (-1.0, 1.0))
    assert data.arrays["label"].tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert [f.path for f in data.listing.files][-2:] == ["dog/LOUD.JPG", "émeu ñandú/000.png"]
    for file, row in zip(data.listing.files, data.arrays["real"], strict=True):
        assert (row == np.asarray(Image.open(tmp_path / file.path))).all()


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    fill(tmp_path, {"": 4})
    data = folder.ImageFolder(str(tmp_path), range=(0.0, 1.0))
    assert list(data.fields) == list(all_rows(data)) == ["real"]
    pixels = np.array(Image.open(tmp_path / "002.png"))
    assert torch.allclose(all_rows(data)["real"][2], torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    assert data.held_out() is None


def test_names_of_any_bytes_work(tmp_path: Path) -> None:
    fill(tmp_path, {os.fsdecode(b"caf\xe9"): 1, "ok": 1})
    (tmp_path / "ok" / os.fsdecode(b"\xff.png")).write_bytes(b"broken")
    data = folder.ImageFolder(str(tmp_path), skip_broken=True)
    assert data.fields["label"].classes == ("caf\ufffd", "ok")
    assert len(data) == 2
    json.dumps(data.fields["label"].to_json()).encode()
    with pytest.raises(UserError, match="ok/\ufffd"):
        len(folder.ImageFolder(str(tmp_path)))


def test_links_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "far", {"": 2})
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "loop").symlink_to(tmp_path / "root")
    data = folder.ImageFolder(str(tmp_path / "root"))
    assert [f.path for f in data.listing.files] == ["cat/000.png", "cat/001.png"]
    (tmp_path / "far" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"1 of 3 images .*cat/gone.png .*No such file"):
        len(folder.ImageFolder(str(tmp_path / "root")))


def test_channels_are_those_of_the_files(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey(9))
    save(tmp_path / "b.png", np.full((4, 4), 9 * 257, np.uint16))
    data = folder.ImageFolder(str(tmp_path))
    assert data.fields["real"].shape == (1, 4, 4)
    assert set(data.arrays["real"].ravel().tolist()) == {9}
    assert folder.ImageFolder(str(tmp_path), channels=3).arrays["real"].shape == (2, 4, 4, 3)
    assert folder.ImageFolder(str(tmp_path), channels=4).arrays["real"].shape == (2, 4, 4, 4)
    save(tmp_path / "c.png", coloured(1, 2, 3))
    assert folder.ImageFolder(str(tmp_path)).fields["real"].shape == (3, 4, 4)


def test_different_sizes_are_listed_with_the_line_to_write(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2}, (8, 6))
    fill(tmp_path, {"b": 1}, (7, 9))
    with pytest.raises(UserError, match=r"2 sizes, height x width: 8x6 \(2\), 7x9 \(1\); write `size: 6` or"):
        dict(folder.ImageFolder(str(tmp_path)).fields)
    assert folder.ImageFolder(str(tmp_path), size=4).arrays["real"].shape == (3, 4, 4, 3)
    assert folder.ImageFolder(str(tmp_path), size=(4, 7)).fields["real"].shape == (3, 4, 7)


def test_stated_facts_need_no_files(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    data = folder.ImageFolder(gone, size=(8, 6), channels=1, classes=("cat", "dog"))
    assert data.fields["real"].shape == (1, 8, 6)
    assert data.fields["label"] == Field("label", (), None, ("cat", "dog"), (0.5, 0.5))
    assert list(folder.ImageFolder(gone, size=8, channels=3, classes=0).fields) == ["real"]
    assert len(folder.ImageFolder(gone, size=8, channels=3, classes=40).fields["label"].classes) == 40
    with pytest.raises(UserError, match=r"there is no folder .*gone"):
        len(data)
    with pytest.raises(
        UserError, match=r"no folder .*gone; give data.root=FOLDER, or state channels, classes to check"
    ):
        dict(folder.ImageFolder(gone, size=8).fields)


def test_stated_classes_must_be_there_in_their_order(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 2, "dog": 1})
    data = folder.ImageFolder(str(tmp_path), classes=("dog", "cat"))
    assert data.arrays["label"].tolist() == [1, 1, 0]
    assert data.fields["label"].frequencies == pytest.approx([1 / 3, 2 / 3])
    (tmp_path / "bird").mkdir()
    assert folder.ImageFolder(str(tmp_path), classes=("bird", "cat", "dog")).fields["label"].frequencies[0] == 0
    for classes, says in [
        (("dog", "cta"), "'cta', but .* no such folder .did you mean 'cat'"),
        (("dog",), "has a folder 'cat' that `classes:` does not name"),
        (3, "has 2 classes, not 3: cat, dog; write `classes: 2`"),
    ]:
        with pytest.raises(UserError, match=says):
            dict(folder.ImageFolder(str(tmp_path), classes=classes).fields)
    assert list(folder.ImageFolder(str(tmp_path), classes=0).fields) == ["real"]


def test_loose_images_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no images in"):
        dict(folder.ImageFolder(str(tmp_path)).fields)
    fill(tmp_path, {"": 2})
    with pytest.raises(UserError, match="no class folders, but classes is 2"):
        dict(folder.ImageFolder(str(tmp_path), classes=2).fields)
    fill(tmp_path, {"cat": 2})
    with pytest.raises(UserError, match=r"2 images beside its class folders, such as 000.png; .*`classes: 0`"):
        dict(folder.ImageFolder(str(tmp_path)).fields)
    assert len(folder.ImageFolder(str(tmp_path), classes=0)) == 4


@pytest.mark.parametrize("memory", [1e9, 0.0])
def test_broken_files_are_all_named_or_left_out(tmp_path: Path, memory: float) -> None:
    fill(tmp_path, {"a": 3, "b": 14, "c": 1})
    whole = (tmp_path / "b" / "000.png").read_bytes()
    for i in range(12):
        (tmp_path / "b" / f"{i:03}.png").write_bytes(whole[:60] if i else b"no image at all")
    with pytest.raises(UserError) as error:
        len(folder.ImageFolder(str(tmp_path), size=(6, 5), channels=3, memory=memory))
    assert "12 of 18 images" in str(error.value)
    assert "b/000.png (not an image), b/001.png" in str(error.value)
    assert "and 2 more; repair or remove them, or write `skip_broken: true`" in str(error.value)
    data = folder.ImageFolder(str(tmp_path), skip_broken=True, memory=memory)
    assert data.arrays["label"].tolist() == [0, 0, 0, 1, 1, 2]
    assert isinstance(data.arrays["real"], np.memmap) == (memory == 0)
    kept = [tmp_path / p for p in ("a/000.png", "a/001.png", "a/002.png", "b/012.png", "b/013.png", "c/000.png")]
    assert (data.arrays["real"] == np.stack([np.asarray(Image.open(p)) for p in kept])).all()
    again = folder.ImageFolder(str(tmp_path), skip_broken=True, memory=memory)
    assert again.fingerprint() == data.fingerprint()
    with pytest.raises(UserError, match="12 of 18"):  # also where they were skipped before
        len(folder.ImageFolder(str(tmp_path), size=(6, 5), channels=3, memory=memory))


@pytest.mark.parametrize("stated", [{}, {"size": (6, 5)}, {"size": (6, 5), "channels": 3}])
@pytest.mark.parametrize("memory", [1e9, 0.0])
def test_the_first_message_names_cut_files_too(tmp_path: Path, stated: dict[str, object], memory: float) -> None:
    """Their headers are whole, unlike that of a file that is no image, on which one would stumble before."""
    fill(tmp_path, {"a": 3, "b": 3})
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 5, 3), dtype=np.uint8))
    for name, more in (("a/cut.jpg", 30), ("b/cut.png", 60)):
        noise.save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-more])
        assert decode.header(tmp_path / name)[:2] == (6, 5)
    for also in (False, True):
        if also:
            (tmp_path / "a" / "text.png").write_text("no image")
        with pytest.raises(UserError) as error:
            len(folder.ImageFolder(str(tmp_path), memory=memory, **stated))  # type: ignore[arg-type]
        named = [name for name in ("a/cut.jpg", "a/text.png", "b/cut.png") if f"{name} (" in str(error.value)]
        assert named == (["a/cut.jpg", "a/text.png", "b/cut.png"] if also else ["a/cut.jpg", "b/cut.png"])


@pytest.mark.parametrize("content", [b"no image", None])
def test_what_is_broken_in_either_of_two_folders_is_named_at_once(tmp_path: Path, content: bytes | None) -> None:
    for name in ("trainA", "trainB"):
        fill(tmp_path / name, {"": 2})
        file = tmp_path / name / "000.png"
        file.write_bytes(file.read_bytes()[:-60] if content is None else content)
    with pytest.raises(UserError) as error:
        len(UnpairedFolders(str(tmp_path)))
    assert "trainA cannot be read: 000.png" in str(error.value)
    assert "trainB cannot be read: 000.png" in str(error.value)


def test_nothing_but_broken_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    for args in ({}, {"size": 4, "channels": 3}):
        with pytest.raises(UserError, match="1 of 1 images"):
            len(folder.ImageFolder(str(tmp_path), skip_broken=True, **args))


# -- hold-out ----------------------------------------------------------------------------------------------------------


def test_holdout_is_a_partition_that_new_files_leave_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 60, "b": 60})
    data = folder.ImageFolder(str(tmp_path), holdout=0.25)
    test = data.held_out()
    assert len(data) + len(test) == 120
    assert 15 <= len(test) <= 45

    def held() -> set[str]:
        return {f.path for f in folder.ImageFolder(str(tmp_path)).listing.split(0.25, test=True).files}

    before = held()
    assert len(before) == len(test)
    fill(tmp_path, {"c": 40})
    assert {path for path in held() if path[0] != "c"} == before
    assert test.fields["label"].frequencies == pytest.approx(np.bincount(test.arrays["label"]) / len(test), abs=1e-5)
    rows = {row.tobytes() for row in data.arrays["real"]}
    assert not any(row.tobytes() in rows for row in test.arrays["real"])
    assert folder.ImageFolder(str(tmp_path), holdout=0.25, split="test").root == tmp_path


def test_a_name_is_held_out_however_its_accents_are_written() -> None:
    names = [f"caf\u00e9{i}.png" for i in range(50)]
    written = [[name.replace("\u00e9", e) for name in names] for e in ("\u00e9", "e\u0301")]
    both = [listing.Listing(Path(), tuple(listing.File(name, 0, 0) for name in way)) for way in written]
    rows = [[re.findall(r"\d+", f.path) for f in x.split(0.3, test=True).files] for x in both]
    assert rows[0] == rows[1] != []


def test_folder_arguments_out_of_bounds_are_named() -> None:
    for args, says in [
        ({"split": "test"}, "nothing is set aside .*`holdout: 0.1`"),
        ({"holdout": 1.0}, "holdout is 1.0"),
        ({"size": 0}, "size is 0"),
        ({"size": (4, 4, 3)}, r"size is \(4, 4, 3\)"),
        ({"channels": 2}, "channels is 2"),
        ({"classes": -1}, "classes is -1"),
        ({"classes": ("a", "a")}, "classes names one twice"),
        ({"fit": "squeeze"}, "fit is 'squeeze'"),
    ]:
        with pytest.raises(ValueError, match=says):
            folder.ImageFolder("x", **args)
    with pytest.raises(UserError, match=r"the train split of .* is empty: 1 images, holdout 0.999"):
        _ = len(_one_image())


def _one_image() -> folder.ImageFolder:
    root = cache_folder() / "one"
    save(root / "a.png", grey(3))
    return folder.ImageFolder(str(root), holdout=0.999)


# -- memory, disk, fingerprints ----------------------------------------------------------------------------------------


def test_the_mapped_file_equals_memory(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 70, "b": 40}, (12, 10))
    inside = folder.ImageFolder(str(tmp_path), size=8)
    mapped = folder.ImageFolder(str(tmp_path), size=8, memory=1000)
    assert isinstance(mapped.arrays["real"], np.memmap)
    assert not isinstance(inside.arrays["real"], np.memmap)
    assert mapped.fingerprint() == inside.fingerprint()
    index = torch.tensor([109, 3, 3, 50, 0])
    for name, rows in inside.batch(index, CPU).items():
        assert torch.equal(rows, mapped.batch(index, CPU)[name])
    assert torch.equal(mapped.batch(index, CPU)["real"][1], mapped.batch(index, CPU)["real"][2])
    files = sorted((cache_folder() / "images").iterdir())
    assert [p.suffix for p in files] == [".json", ".npy"]  # nothing half-written beside them
    assert np.load(files[1]).shape == (110, 8, 8, 3)


def test_what_was_decoded_is_used_again_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, {"": 5})
    calls = []
    decode_one = store.decode
    monkeypatch.setattr(store, "decode", lambda path, recipe: calls.append(path) or decode_one(path, recipe))

    def rows(**args: object) -> np.ndarray:
        calls.clear()
        return folder.ImageFolder(str(tmp_path), memory=0, **args).arrays["real"]  # type: ignore[arg-type]

    first = rows().copy()
    assert len(calls) == 5
    assert (rows() == first).all()
    assert not calls
    rows(size=(5, 5))
    assert len(calls) == 5
    rows(size=(5, 5), fit="stretch")
    assert len(calls) == 5
    save(tmp_path / "002.png", coloured(9, 9, 9, 6, 5))
    os.utime(tmp_path / "002.png", (1, 1))
    changed = rows()
    assert len(calls) == 5
    assert changed[2].max() == 9
    assert (np.delete(changed, 2, 0) == np.delete(first, 2, 0)).all()


def test_slow_decoding_is_kept_even_if_it_fits_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {"": 5})
    monkeypatch.setattr(store, "SLOW", -1.0)
    first = folder.ImageFolder(str(tmp_path)).arrays["real"]
    monkeypatch.setattr(store, "decode", None)
    again = folder.ImageFolder(str(tmp_path)).arrays["real"]
    assert (first == again).all()
    assert type(again) is np.ndarray


def test_an_interrupted_or_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {"": 5})

    def stop(path: Path, recipe: decode.Recipe) -> np.ndarray:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "decode", stop)
        with pytest.raises(KeyboardInterrupt):
            len(folder.ImageFolder(str(tmp_path), memory=0))
    assert not list((cache_folder() / "images").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
        with pytest.raises(UserError, match=r"cannot be written to .*images: .* are free; .*GANZOO_CACHE"):
            len(folder.ImageFolder(str(tmp_path), memory=0))
    assert not list((cache_folder() / "images").iterdir())
    (cache_folder() / "file").write_text("")
    monkeypatch.setenv("GANZOO_CACHE", str(cache_folder() / "file"))
    with pytest.raises(UserError, match="cannot be written"):
        len(folder.ImageFolder(str(tmp_path), memory=0))
    assert len(folder.ImageFolder(str(tmp_path))) == 5  # memory needs no cache


@pytest.mark.parametrize("count", [1, 99_999, 10**9])
def test_the_npy_header_has_one_length_and_numpy_reads_it(count: int, tmp_path: Path) -> None:
    header = npy.header(count, (65535, 65535, 4))
    assert len(header) == 128
    with (tmp_path / "x.npy").open("wb+") as file:
        file.write(header)
        file.seek(0)
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == ((count, 65535, 65535, 4), False, np.dtype(np.uint8))
        assert file.tell() == 128


def test_headers_of_many_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo_data import survey

    fill(tmp_path, {"": 3})
    (tmp_path / "x.png").write_bytes(b"broken")
    monkeypatch.setattr(survey, "MANY", 2)
    found = survey.survey(listing.list_images(tmp_path))
    monkeypatch.setattr(survey, "header", None)
    again = survey.survey(listing.list_images(tmp_path))
    assert again == found
    assert again.sizes == {(6, 5): 3}
    assert [f.row for f in again.failed] == [3]


def test_fingerprints_follow_the_data(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 3, "b": 3})
    first = folder.ImageFolder(str(tmp_path)).fingerprint()
    assert folder.ImageFolder(str(tmp_path), range=(0.0, 1.0)).fingerprint() == first
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert folder.ImageFolder(str(moved)).fingerprint() == first
    pixels = np.asarray(Image.open(moved / "b" / "002.png")).copy()
    pixels[0, 0, 0] ^= 1
    save(moved / "b" / "002.png", pixels)
    assert folder.ImageFolder(str(moved)).fingerprint() != first
    (moved / "a" / "000.png").rename(moved / "b" / "0.png")


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "2", "1", "b12", "b3", "007"):
        save(tmp_path / name / "a.png", coloured(0, 0, 0))
    found = listing.list_images(tmp_path)
    assert found.classes == ("1", "2", "007", "10", "b3", "b12")
    assert [found.classes[label] for label in found.labels] == [file.top for file in found.files]


def test_lists_of_folders_and_classes_end(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / str(number) / "a.png", coloured(0, 0, 0))
    names = "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 20 more"
    with pytest.raises(UserError, match=f"has 30 classes, not 2: {names}; write `classes: 30`"):
        listing.list_images(tmp_path, 2)
    with pytest.raises(UserError, match=f"has {names}: write data.a=FOLDER"):
        _ = PairedFolders(str(tmp_path)).fields
    with pytest.raises(ValueError, match=r"classes names one twice: 3$"):
        folder.ImageFolder(str(tmp_path), classes=(*map(str, range(30)), "3"))
