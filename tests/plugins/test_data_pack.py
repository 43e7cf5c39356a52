"""Packed data: memory maps and shards hold what the folder held, and say so when they no longer do."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_data import folder, pack, shard_write, stored
from ganzoo_data.made_up import Random
from ganzoo_data.packed import Packed
from ganzoo_data.shards import Shards
from PIL import Image

from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.train.feed import Feed
from tests.plugins.images import CPU, all_rows, elsewhere, fill, save
from tests.zoo import TINY

pytestmark = pytest.mark.usefixtures(elsewhere.__name__)
BOTH = [Packed, Shards]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return fill(tmp_path / "images", {"cat": 40, "dog": 23}, (7, 5))


def packed(make: Any, images: Path, **args: Any) -> Any:
    """The images packed by a component, and opened by it."""
    out = images.with_name(make.__name__)
    make.pack(folder.ImageFolder(str(images), **args), out)
    return make(str(out))


# -- both --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("args", [{}, {"channels": 1}, {"channels": 4}, {"size": (4, 6), "fit": "pad"}, {"classes": 0}])
def test_packed_is_the_folder_pixel_for_pixel(make: Any, args: dict[str, Any], images: Path) -> None:
    source, found = folder.ImageFolder(str(images), **args), packed(make, images, **args)
    assert dict(found.fields) == dict(source.fields)
    assert len(found) == len(source) == 63
    for name, rows in all_rows(source).items():
        assert torch.equal(all_rows(found)[name], rows), name
    index = torch.tensor([62, 0, 62, 41])
    assert torch.equal(found.batch(index, CPU)["real"], source.batch(index, CPU)["real"])
    assert found.held_out() is None


@pytest.mark.parametrize("make", BOTH)
def test_what_is_held_out_stays_so(make: Any, images: Path) -> None:
    source, found = folder.ImageFolder(str(images), holdout=0.2), packed(make, images, holdout=0.2)
    test = found.held_out()
    assert len(found) + len(test) == 63
    for a, b in ((found, source), (test, source.held_out())):
        assert torch.equal(all_rows(a)["real"], all_rows(b)["real"])
        assert a.fields["label"].frequencies == pytest.approx(b.fields["label"].frequencies, abs=1e-5)
    assert test.fingerprint() == make(str(found.root), split="test").fingerprint() != found.fingerprint()
    assert test.held_out() is None
    assert make(str(found.root), range=(0.0, 1.0)).fields["real"].range == (0.0, 1.0)


@pytest.mark.parametrize("make", BOTH)
def test_any_field_of_any_data_can_be_packed(make: Any, tmp_path: Path) -> None:
    fields = {
        "real": {"kind": "image", "shape": [3, 6, 4]},
        "line": {"kind": "image", "shape": [1, 5, 5]},
        "label": {"kind": "label", "classes": ["a", "b", "c"]},
        "hair": {"kind": "label", "classes": 2},
        "text": {"kind": "text", "shape": [4]},
        "pose": {"kind": "vector", "shape": [2], "range": [0, 1]},
    }
    source = Random(fields, count=20)
    make.pack(source, tmp_path / "out")
    found = make(str(tmp_path / "out"))
    for data, other in ((source, found), (source.held_out(), found.held_out())):
        a, b = all_rows(data), all_rows(other)
        assert a.keys() == b.keys() == fields.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    for name in ("text", "pose", "line", "hair"):
        assert found.fields[name].kind == source.fields[name].kind
        assert found.fields[name].shape == source.fields[name].shape
        assert found.fields[name].classes == source.fields[name].classes
    assert found.fields["pose"].range == (0.0, 1.0)


@pytest.mark.parametrize("make", BOTH)
def test_fields_are_known_without_reading_data(make: Any, images: Path) -> None:
    found = packed(make, images)
    for path in found.root.rglob("*"):
        if path.suffix in (".tar", ".npy"):
            path.write_bytes(b"x" * path.stat().st_size)
    entry = next(e for e in plugins.installed() if e.kind == "data" and e.load() is make)
    assert entry.facts["fields"]({"root": str(found.root)}) == ["real", "label"]
    assert make(str(found.root)).fields["real"].shape == (3, 7, 5)
    assert make(str(found.root)).fields["label"].classes == ("cat", "dog")


@pytest.mark.parametrize("make", BOTH)
def test_packing_is_all_or_nothing(make: Any, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError, match="out exists; give another folder"):
        make.pack(folder.ImageFolder(str(images)), out)
    out.rmdir()
    (images / "dog" / "000.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"1 of 63 images.*dog/000\.png"):
        make.pack(folder.ImageFolder(str(images), size=4, channels=3), out)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    make.pack(folder.ImageFolder(str(images), skip_broken=True), out)
    assert len(make(str(out))) == 62
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        make.pack(folder.ImageFolder(str(images), skip_broken=True), tmp_path / "file" / "out")
    with pytest.raises(UserError, match="cannot be packed"):
        make.pack(object(), tmp_path / "other")


@pytest.mark.parametrize("make", BOTH)
def test_deleted_while_packed(make: Any, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was made anew in the middle is not called packed."""
    described = pack.Counted.described

    def deleted(self: pack.Counted) -> dict[str, Any]:
        for place in tmp_path.glob(".out.*.tmp"):
            shutil.rmtree(place)
            place.mkdir()
        return described(self)

    monkeypatch.setattr(pack.Counted, "described", deleted)
    with pytest.raises(UserError, match="out cannot be written: No such file"):
        make.pack(folder.ImageFolder(str(images)), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("make", BOTH)
def test_a_folder_that_is_not_packed_says_so(make: Any, images: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no (folder|shards).*gone.*give data.root=FOLDER"):
        len(make(str(tmp_path / "gone")))
    found = packed(make, images)
    with pytest.raises(UserError, match=r"(has no test split|the test split .* is empty).*`?holdout"):
        len(make(str(found.root), split="test"))
    other = BOTH[make is Packed]
    with pytest.raises(UserError, match=r"is packed as (memmap|shards); write `use: data\.(packed|webdataset)`"):
        len(other(str(found.root)))
    stated = json.loads((found.root / pack.INDEX).read_text())
    (found.root / pack.INDEX).write_text(json.dumps(stated | {"version": 99}))
    with pytest.raises(UserError, match="is of version 99"):
        len(make(str(found.root)))
    (found.root / pack.INDEX).write_text("{")
    with pytest.raises(UserError, match=r"no index.json that can be read \(JSON"):
        len(make(str(found.root)))


# -- memory maps -------------------------------------------------------------------------------------------------------


def test_a_memory_map_is_read_into_memory_only_if_it_is_small(images: Path) -> None:
    small = packed(Packed, images)
    large = Packed(str(small.root), memory=100)
    assert type(small.arrays["real"]) is np.ndarray
    assert isinstance(large.arrays["real"], np.memmap)
    assert large.fingerprint() == small.fingerprint() == folder.ImageFolder(str(images)).fingerprint()
    assert torch.equal(all_rows(large)["real"], all_rows(small)["real"])


def test_a_damaged_memory_map_is_named(images: Path) -> None:
    root = packed(Packed, images).root
    path = root / "train" / "real.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(UserError, match=r"real\.npy cannot be read"):
        len(Packed(str(root)))
    np.save(path, np.zeros((63, 7, 4, 3), np.uint8))
    with pytest.raises(UserError, match="it is 63x7x4x3, and should be 63x7x5x3"):
        len(Packed(str(root)))
    path.unlink()
    with pytest.raises(UserError, match=r"real\.npy cannot be read: .*No such file"):
        len(Packed(str(root)))
    (root / pack.INDEX).unlink()
    with pytest.raises(UserError, match=r"has no index.json .*there is none.*`ganzoo data pack` writes one"):
        len(Packed(str(root)))


# -- shards ------------------------------------------------------------------------------------------------------------


def write_tar(path: Path, samples: dict[str, dict[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, files in samples.items():
            for extension, content in files.items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def picture(value: int, size: tuple[int, int] = (4, 4), kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (value, 0, 255 - value)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("many", [1, 2000, 10**9])
def test_shards_follow_one_another(many: int, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_write, "SIZE", many)
    found = packed(Shards, images)
    assert len(found.files) == {1: 63, 10**9: 1}.get(many, len(found.files))
    assert torch.equal(all_rows(found)["real"], all_rows(folder.ImageFolder(str(images)))["real"])


def test_webdataset_reads_our_shards(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    webdataset = pytest.importorskip("webdataset")
    monkeypatch.setattr(shard_write, "SIZE", 60_000)
    found = packed(Shards, images)
    assert len(found.files) > 1
    theirs = webdataset.WebDataset([str(f) for f in found.files], shardshuffle=False).decode("rgb8")
    rows = list(theirs.to_tuple("png", "cls"))
    assert (np.stack([pixels for pixels, _ in rows]) == found.arrays["real"][:]).all()
    assert [label for _, label in rows] == found.arrays["label"].tolist()


def test_we_read_webdatasets_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    random = np.random.default_rng(0)
    pixels = random.integers(256, size=(30, 6, 5, 3), dtype=np.uint8)
    with webdataset.ShardWriter(str(tmp_path / "x-%03d.tar"), maxcount=12, verbose=0) as sink:
        for i, image in enumerate(pixels):
            sink.write({"__key__": f"k{i:03}", "png": image, "cls": i % 3, "json": {"i": i}})
    found = Shards(str(tmp_path))
    assert (found.arrays["real"][:] == pixels).all()
    assert found.arrays["label"].tolist() == [i % 3 for i in range(30)]
    assert found.fields["label"].classes == ("0", "1", "2")
    assert any("not read: 30 .json" in str(finding) for finding in found.doctor())
    assert len(Shards(str(tmp_path / "x-00[01].tar"))) == 24
    named = Shards(str(tmp_path), classes=("a", "b", "c", "d"))
    assert named.fields["label"].frequencies[3] == 0
    with pytest.raises(UserError, match="has labels up to 2, not 2 classes; write `classes: 3`"):
        dict(Shards(str(tmp_path), classes=2).fields)
    assert list(Shards(str(tmp_path), classes=0).fields) == ["real"]


def test_foreign_shards_are_indexed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo_data import shard_index

    samples = {f"{i:03}": {"jpg": picture(i, (20 + i % 2, 30), "JPEG"), "cls": b"%d" % (i % 4)} for i in range(50)}
    path = write_tar(tmp_path / "a.tar", samples)
    with pytest.raises(UserError, match=r"2 sizes, height x width: 30x20 \(25\), 30x21 \(25\); write `size: 20`"):
        dict(Shards(str(tmp_path)).fields)
    first = Shards(str(tmp_path), size=(8, 6), fit="stretch", holdout=0.3)
    test = first.held_out()
    assert first.fields["real"].shape == (3, 8, 6)
    assert len(first) + len(test) == 50
    assert 5 < len(test) < 25
    with monkeypatch.context() as patch:
        patch.setattr(shard_index, "scan", None)
        again = Shards(str(tmp_path), size=(8, 6), fit="stretch", holdout=0.3)
        assert again.fingerprint() == first.fingerprint() != test.fingerprint()
        assert torch.equal(all_rows(again)["real"], all_rows(first)["real"])
    write_tar(path, samples | {"000": {"jpg": picture(99, (20, 30), "JPEG"), "cls": b"1"}})
    changed = Shards(str(tmp_path), size=(8, 6), fit="stretch", holdout=0.3)
    assert changed.fingerprint() != first.fingerprint()


def test_stated_facts_need_no_shards(tmp_path: Path) -> None:
    data = Shards(str(tmp_path / "gone"), size=8, channels=1, classes=3)
    assert data.fields["real"].shape == (1, 8, 8)
    assert len(data.fields["label"].classes) == 3
    fields = plugins.installed().find("data.webdataset").facts["fields"]
    assert fields({"root": str(tmp_path / "gone"), "classes": 3}) == ["real", "label"]
    assert fields({"root": str(tmp_path), "classes": 3}) is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2048])


def turn(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[600] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, r"train-000000\.tar has changed since it was packed: \d+ bytes, not \d+"),
        (turn, r"train-000000\.tar has changed since it was indexed: row 0"),
        (Path.unlink, r"train-000000\.tar is not there; copy it again"),
        (lambda path: path.with_name("train_index.npz").unlink(), r"cannot be read: .*pack the images again"),
    ],
)
def test_damaged_shards_are_named(damage: Callable[[Path], Any], says: str, images: Path) -> None:
    root = packed(Shards, images).root
    damage(root / "train-000000.tar")
    with pytest.raises(UserError, match=says):
        all_rows(Shards(str(root)))


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        ({"a": {"png": b"broken"}}, "sample 'a': its image cannot be read: not an image"),
        ({"a": {"cls": b"cat", "png": picture(1)}}, "sample 'a': its label cannot be read"),
        ({"a": {"cls": b"-1", "png": picture(1)}}, "-1 is below 0"),
        ({"a": {"png": picture(1), "jpg": picture(1)}}, "sample 'a' has two files for `real`"),
        ({"a": {"png": picture(1), "cls": b"1"}, "b": {"png": picture(1)}}, "'b' has real, but .* have real and label"),
        ({"a": {"txt": b"words"}}, "there are no samples with images in x.tar"),
    ],
)
def test_foreign_shards_that_cannot_be_used(samples: dict[str, Any], says: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", samples)
    with pytest.raises(UserError, match=says):
        dict(Shards(str(tmp_path)).fields)


def test_foreign_shards_that_are_cut_or_compressed(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {f"{i}": {"png": picture(i)} for i in range(40)})
    whole = path.read_bytes()
    end = whole.index(b"39.png")
    for length in (end, end + 600, end - 100):  # before a file, in a file, in a header
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"x\.tar is no whole tar file"):
            dict(Shards(str(tmp_path)).fields)
    import gzip

    path.write_bytes(gzip.compress(whole))
    with pytest.raises(UserError, match=r"no whole tar file: .*compressed ones have to be unpacked"):
        dict(Shards(str(tmp_path)).fields)


# -- reading ahead -----------------------------------------------------------------------------------------------------


def test_rows_read_ahead_are_those_asked_for(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packed(Shards, images)
    rows, plain = found.arrays["real"], folder.ImageFolder(str(images)).arrays["real"]
    reads: list[int] = []
    one = stored.StoredRows._row
    monkeypatch.setattr(stored.StoredRows, "_row", lambda self, row: reads.append(row) or one(self, row))
    rows.ahead(np.array([3, 1, 4, 1, 5]))
    index = np.array([4, 3, 9, 4])
    assert (rows[index] == plain[index]).all()
    assert sorted(reads) == [1, 3, 4, 5, 9]
    assert set(rows._waiting) == {1, 5}
    for _ in range(stored.STALE + 1):
        rows.ahead(np.array([], np.int64))
    assert not rows._waiting
    rows._room = 2
    rows.ahead(np.arange(10))  # too many: they are read when they are asked for
    assert not rows._waiting
    assert (rows[:10] == plain[:10]).all()
    assert (rows[7] == plain[7]).all()


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("takes", [[8], [8, 4, 4], [60]])
def test_the_feed_announces_what_it_will_take(world: int, takes: list[int], images: Path) -> None:
    plain = folder.ImageFolder(str(images))
    for rank in range(world):
        shards = packed(Shards, images)
        shutil.rmtree(shards.root)
        shards = packed(Shards, images)
        ours, theirs = (Feed(data, 3, CPU, rank, world) for data in (shards, plain))
        ours.cursor = theirs.cursor = 24  # as after a resume
        for take in takes * 4:
            for a, b in zip(ours.take(take, 2), theirs.take(take, 2), strict=True):
                assert torch.equal(a["real"], b["real"])
        if world == 1:
            assert len(shards.arrays["real"]._waiting) > 0
        shutil.rmtree(shards.root)


MODEL = """
extends: base/unconditional.yaml
data: {{use: {use}, root: {root}}}
parts:
  Z: {{use: prior.normal, size: 4}}
  G: {{use: generator.mlp, hidden: [8]}}
  D: {{use: discriminator.mlp, hidden: [8]}}
players: {{D: {{repeat: 2}}}}
share: []
train: {{batch: 8, steps: 12, checkpoint_every: 5}}
"""


def model(images: Path, make: Any, name: str) -> Any:
    use = {Packed: "data.packed", Shards: "data.webdataset", folder.ImageFolder: "data.image_folder"}[make]
    root = images if make is folder.ImageFolder else images.with_name(make.__name__)
    path = images.with_name(f"{name}.yaml")
    path.write_text(MODEL.format(use=use, root=root))
    return api.Model(path, TINY)


@pytest.mark.parametrize("make", BOTH)
def test_training_resumes_exactly_and_equals_the_folder(
    make: Any, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo.train.loop import Trainer

    packed(make, images)
    for name, kind in (("plain", folder.ImageFolder), ("straight", make)):
        train(model(images, kind, name).blueprint, tmp_path / name, plugins.installed(), quiet=True)
    advance = Trainer.advance

    def crash(self: Trainer) -> bool:
        if self.step == 8:
            raise RuntimeError("power cut")
        return advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(model(images, make, "cut").blueprint, tmp_path / "cut", plugins.installed(), quiet=True)
    resume(tmp_path / "cut", plugins.installed(), quiet=True)
    ends = [checkpoint.load(checkpoint.locate(tmp_path / n)).state for n in ("plain", "straight", "cut")]
    for other in ends[1:]:
        assert other["cursor"] == ends[0]["cursor"]
        for part, state in ends[0]["parts"].items():
            assert all(torch.equal(state[key], other["parts"][part][key]) for key in state)


def test_resume_refuses_other_shards(images: Path, tmp_path: Path) -> None:
    found = packed(Shards, images)
    train(model(images, Shards, "run").blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    shutil.rmtree(found.root)
    save(images / "cat" / "000.png", np.zeros((7, 5, 3), np.uint8))
    packed(Shards, images)
    with pytest.raises(UserError, match="the data is not what"):
        resume(tmp_path / "run", plugins.installed(), steps=20, quiet=True)


def test_a_shard_that_changes_during_training_is_named(images: Path, tmp_path: Path) -> None:
    found = packed(Shards, images)
    for at in range(512, (found.root / "train-000000.tar").stat().st_size, 1024):
        with (found.root / "train-000000.tar").open("r+b") as file:
            file.seek(at)
            file.write(b"\xff")
    with pytest.raises(UserError, match="has changed since it was indexed"):
        train(model(images, Shards, "run").blueprint, tmp_path / "run", plugins.installed(), quiet=True)


# -- many --------------------------------------------------------------------------------------------------------------


def anonymous() -> int:
    """Bytes of memory that this process holds and that are no file's. Source: proc(5)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) << 10


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("make", BOTH)
def test_a_hundred_thousand_images_in_little_memory(make: Any, tmp_path: Path) -> None:
    count, size = 100_000, 32
    fields = {"real": {"kind": "image", "shape": [3, size, size]}, "label": {"kind": "label", "classes": 10}}

    class Many(Random):
        """Stripes that tell the number of their row."""

        def chunks(self, size: int = 500) -> Any:
            for start in range(0, count, size):
                numbers = np.arange(start, start + size)
                bits = (numbers[:, None] >> np.arange(32) & 1).astype(np.uint8) * 255
                yield {"real": np.broadcast_to(bits[:, :, None, None], (size, 32, 32, 3)), "label": numbers % 10}

        def held_out(self) -> None:
            return None

    before = anonymous()
    make.pack(Many(fields, count=1), tmp_path / "out")
    data = make(str(tmp_path / "out"), **({"memory": 0} if make is Packed else {}))
    assert data.fingerprint()
    feed, most = Feed(data, 0, CPU), 0
    weights = 2.0 ** torch.arange(32, dtype=torch.float64)
    for epoch in range(2):
        seen = torch.zeros(count, dtype=torch.int64)
        for _ in range(count // 500):
            (batch,) = feed.take(500)
            numbers = ((batch["real"][:, 0, :, 0] > 0).double() @ weights).long()
            assert torch.equal(batch["label"], numbers % 10)
            seen[numbers] += 1
            most = max(most, anonymous() - before)
        assert (seen == 1).all(), epoch
    assert most < 100 << 20 < data.arrays["real"].nbytes / 2, f"{most / 2**20:.0f} MiB"
