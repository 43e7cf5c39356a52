"""From Python: mappings as models, components of a cell, data in hand, parts in a loop of one's own, notebooks."""

from __future__ import annotations

import ast
import json
import linecache
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganzoo
from ganzoo import UserError, api
from ganzoo.registry import local, plugins
from ganzoo.store import checkpoint
from tests.zoo import TINY

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FEW = {**TINY, "train.steps": 4, "train.log_every": 2, "train.sample_every": 4, "train.checkpoint_every": 2}
MAPPING: dict[str, Any] = {
    "extends": "gan/circle",
    "parts": {"G": {"hidden": [8]}, "D": {"hidden": [8]}, "fit": None},
    "evaluate": {"values": None},
}


# -- what there is -----------------------------------------------------------------------------------------------------


def test_the_public_names_complete_without_torch() -> None:
    code = "import ganzoo, sys; print(*dir(ganzoo)); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed = done.stdout.split()
    assert {"load", "open", "resume", "pack", "make", "component", "Field", "UserError"} <= set(listed)
    for name in listed:
        assert getattr(ganzoo, name) is not None
    assert set(ganzoo.__all__) <= set(listed)


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse(Path(ganzoo.__file__).read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    lines = [line for line in guarded.body if isinstance(line, ast.ImportFrom)]
    assert {line.module: tuple(name.name for name in line.names) for line in lines} == ganzoo._HOMES
    assert {*ganzoo._LAZY, "hookimpl"} == set(ganzoo.__all__)


def test_what_is_shown_is_short(tmp_path: Path) -> None:
    model = ganzoo.load(MAPPING, FEW)
    run = model.train(tmp_path / "run", quiet=True)
    shown = [plugins.installed(), model, run, model.spec, model.blueprint, run.checkpoint]
    shown += [plugins.installed().find("loss.l1"), ganzoo.load("stackgan/openmoji")]
    for item in shown:
        assert len(repr(item).splitlines()) <= 20 and len(repr(item)) < 4000, type(item)
    assert "fake = G(z)" in repr(model) and "G trains G and minimises adv.g(D(fake), D(real))" in repr(model)
    assert "generator.mlp" in model._repr_html_() and "src='data:image/" in run._repr_html_()
    assert "<svg" in run._repr_html_()


# -- a model as a mapping ----------------------------------------------------------------------------------------------


def test_a_mapping_is_a_model() -> None:
    model = ganzoo.load(MAPPING, {"train.batch": 8})
    assert model.name == "model" and model.spec.train.batch == 8 and model.check() == model.check()
    assert model.blueprint.args["parts.G"]["hidden"] == (8,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"players": {"G": {"minimize": {"adversarial": "advv.g(D(fake))"}}}},
            "model: players.G.minimize.adversarial: ",
        ),
        ({"parts": {"G": {"hidden": np.ones(2)}}}, "model: parts.G.hidden: a value of type ndarray cannot stand"),
        ({"parts": {"G": "generator.mpl"}}, "model: parts.G: there is no component 'generator.mpl' (did you mean"),
        ({"extends": "gan/circel"}, "model: extends: there is no file 'gan/circel'"),
        ({"trian": {}}, "model: trian: there is no setting 'trian' here"),
    ],
)
def test_messages_name_the_path_in_the_mapping(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        ganzoo.load({**MAPPING, **change}).check()
    assert message.removesuffix(" here") in str(error.value)


# -- components of the running process ---------------------------------------------------------------------------------


@pytest.fixture
def registered():
    """What a test registers is forgotten after it."""
    yield
    for key in list(local._process.entries):
        del local._process.entries[key]
        plugins.installed().entries.pop(key, None)


FACTOR = 2.0


def twice(x: Tensor) -> Tensor:
    return FACTOR * x


def test_a_class_becomes_a_component_and_its_run_keeps_its_source(tmp_path: Path, registered) -> None:
    @ganzoo.component("loss.spread")
    class Spread(nn.Module):
        """Twice the mean. Source: this test."""

        def forward(self, x: Tensor) -> Tensor:
            return twice(x).mean()

    config = {**MAPPING, "players": {"G": {"minimize": {"more": "0.1 * s(fake)"}}}}
    config["parts"] = {**MAPPING["parts"], "s": "loss.spread"}
    run = ganzoo.load(config, FEW).train(tmp_path / "run", quiet=True)
    samples = run.sample(3)
    kept = tmp_path / "run" / "code" / "components.py"
    assert "FACTOR = 2.0" in kept.read_text() and "def twice" in kept.read_text()

    script = f"""
import ganzoo, torch
try:
    ganzoo.open({str(tmp_path / "run")!r})
except ganzoo.UserError as error:
    print(error)
run = ganzoo.open({str(tmp_path / "run")!r}, code={str(kept)!r})
print(run.sample(3).tolist())
print(ganzoo.resume({str(tmp_path / "run")!r}, steps=6, code={str(kept)!r}, quiet=True).step)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing, again, step = done.stdout.strip().splitlines()
    assert (
        "the local plugin components.py is not loaded, so there is no loss.spread" in missing and str(kept) in missing
    )
    assert torch.allclose(torch.tensor(json.loads(again)), samples) and step == "6"


def test_a_component_is_replaced_by_running_its_cell_again(registered) -> None:
    for factor in (1.0, 2.0):

        @ganzoo.component("op.number")
        class Number:
            """A number. Source: this test."""

            value = factor

            def __call__(self, x: Tensor) -> Tensor:
                return x * self.value

    assert ganzoo.make("op.number").value == 2.0
    with pytest.raises(ValueError, match=r"ganzoo .* has a loss.l1 already; choose another name"):
        ganzoo.component("loss.l1")(Number)
    with pytest.raises(ValueError, match="there is no kind 'los'"):
        ganzoo.component("los.mine")(Number)


def test_components_are_made_by_name() -> None:
    assert ganzoo.make("loss.l1")(torch.ones(2), torch.zeros(2)).item() == 1.0
    assert ganzoo.make("generator.mlp", z_dim=3, out_shape=(2,), hidden=[4])(torch.zeros(5, 3)).shape == (5, 2)
    with pytest.raises(UserError, match=r"generator.hiden: generator.mlp has no argument 'hiden'"):
        ganzoo.make("generator.mlp", z_dim=3, out_shape=(2,), hiden=[4])
    with pytest.raises(UserError, match=r"generator.mlp needs z_dim, .*\(give z_dim=…"):
        ganzoo.make("generator.mlp")


# -- data in hand ------------------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 10, 3), np.uint8)
LABELS = np.arange(20) % 3


class Dataset:
    """A map-style data set with classes."""

    classes = ("cat", "dog", "emu")

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(IMAGES[index]).permute(2, 0, 1) / 255, int(LABELS[index])


class Names(NamedTuple):
    names: list[str]


class Table:
    """What a Hugging Face data set offers."""

    column_names = ("id", "picture", "kind")
    features = {"id": None, "picture": None, "kind": Names(["cat", "dog", "emu"])}  # noqa: RUF012

    def __getitem__(self, name: str) -> Any:
        return {"id": [float(i) for i in range(20)], "picture": list(IMAGES), "kind": LABELS.tolist()}[name]


def _component(data: Any) -> Any:
    made = api.hold(data, plugins.installed())["data"]
    return ganzoo.make(made.pop("use"), **made)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (IMAGES, {"real": ("image", (3, 8, 10), (-1.0, 1.0))}),
        (IMAGES.transpose(0, 3, 1, 2), {"real": ("image", (3, 8, 10), (-1.0, 1.0))}),
        (list(IMAGES[..., 0]), {"real": ("image", (1, 8, 10), (-1.0, 1.0))}),
        (torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255, {"real": ("image", (3, 8, 10), (0.0, 1.0))}),
        (IMAGES / 127.5 - 1, {"real": ("image", (3, 8, 10), (-1.0, 1.0))}),
        ((IMAGES, LABELS), {"real": ("image", (3, 8, 10), (-1.0, 1.0)), "label": ("label", (), None)}),
        (
            {"a": IMAGES, "b": torch.randn(20, 5)},
            {"a": ("image", (3, 8, 10), (-1.0, 1.0)), "b": ("vector", (5,), None)},
        ),
        (Dataset(), {"real": ("image", (3, 8, 10), (0.0, 1.0)), "label": ("label", (), None)}),
        (
            Table(),
            {"id": ("vector", (1,), None), "real": ("image", (3, 8, 10), (-1.0, 1.0)), "label": ("label", (), None)},
        ),
    ],
    ids=["n h w c", "n c h w", "grey", "tensor", "floats", "pair", "mapping", "data set", "table"],
)
def test_what_data_in_hand_is(data: Any, fields: dict[str, Any]) -> None:
    made = _component(data)
    assert {name: (f.kind, f.shape, f.range) for name, f in made.fields.items()} == fields
    assert len(made) == 20
    batch = made.batch(torch.tensor([3, 1]), torch.device("cpu"))
    for name, (kind, shape, span) in fields.items():
        assert batch[name].shape == (2, *shape)
        if kind == "image":
            expected = torch.from_numpy(IMAGES[[3, 1]]).permute(0, 3, 1, 2)[:, : shape[0]] / 255
            low, high = span
            assert torch.allclose(batch[name], low + (high - low) * expected, atol=1e-6)
        elif kind == "label":
            assert batch[name].tolist() == [0, 1]
            assert made.fields[name].classes in (("cat", "dog", "emu"), ("0", "1", "2"))


def test_pillow_images_of_any_mode_are_what_they_look_like() -> None:
    def channel(images: Any) -> Any:
        return _component(images).batch(torch.arange(2), torch.device("cpu"))["real"][:, :, 0, 0].tolist()

    red, clear = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("LA", (8, 8), (0, 0))
    palette = red.quantize(2)
    assert np.asarray(palette).max() < 2  # numbers of colours, not grey levels
    assert channel([palette, red]) == [[1, -1, -1]] * 2
    assert channel([clear, Image.new("1", (8, 8), 1)]) == [[1], [1]]
    deep = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    assert channel([deep, Image.new("L", (8, 8))]) == [[1], [-1]]
    assert channel([Image.new("RGBA", (8, 8), (255, 0, 0, 0))] * 2) == [[1, -1, -1, -1]] * 2


@pytest.mark.parametrize(
    "data",
    [
        (IMAGES, LABELS[:, None]),
        (list(map(Image.fromarray, IMAGES)), LABELS.tolist()),
        [(Image.fromarray(image), label) for image, label in zip(IMAGES, LABELS.tolist(), strict=True)],
        (IMAGES, np.array(["cat", "dog", "emu"], object)[LABELS]),
    ],
    ids=["a column", "lists", "pairs", "objects"],
)
def test_labels_in_other_forms(data: Any) -> None:
    made = _component(data)
    batch = made.batch(torch.tensor([3, 1]), torch.device("cpu"))
    assert made.fields["real"].shape == (3, 8, 10) and batch["label"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            np.where(IMAGES > 250, np.nan, IMAGES / 255.0),
            "real holds NaN or infinity in 20 rows, the first of them",
        ),
        (np.array([{}, {}], object), "real is an array of Python objects"),
        (
            [IMAGES[0], IMAGES[0, :4]],
            "real has rows of different shapes, such as 8x10x3 and 4x10x3; resize",
        ),
        (
            IMAGES.astype(np.float32),
            "real holds images from 0 to 255, but they lie in [-1, 1] or [0, 1]: divide",
        ),
        (IMAGES.astype(np.int32), "real holds int32 images from 0 to 255; give uint8"),
        (np.zeros((4, 3, 9, 3), np.uint8), "real has the shape 4x3x9x3, which could be N C H W or N H W C"),
        (np.zeros((4, 9, 9, 9), np.uint8), "real has the shape 4x9x9x9, which has no axis of 1 to 4 channels"),
        ((IMAGES, LABELS[:5]), "the fields have different lengths: real 20, label 5"),
        ((IMAGES, LABELS - 1), "label holds the label -1; classes are numbered from 0"),
        ({}, "the data has no fields"),
        (3, "data of type int cannot be used; give an array or tensor"),
        (np.zeros((0, 2), np.float32), "the data is empty"),
        ((IMAGES, np.eye(3)[LABELS]), "labels are whole numbers from 0, N: of one-hot rows take label.argmax(1)"),
        ((IMAGES, LABELS.astype(float)), "label holds float64 of shape 20, but labels are whole numbers from 0, N"),
    ],
)
def test_what_cannot_be_data(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        api.hold(data, plugins.installed())


def test_training_on_data_in_hand_resumes_and_samples_without_it(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    model = ganzoo.load(MAPPING, FEW, data=points)
    run = model.train(tmp_path / "run", quiet=True)
    straight = ganzoo.load(MAPPING, {**FEW, "train.steps": 6}, data=points).train(tmp_path / "straight", quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", steps=6, data=torch.from_numpy(points), quiet=True)
    for name, tensor in straight.checkpoint.state["parts"]["G"].items():
        assert torch.equal(tensor, resumed.checkpoint.state["parts"]["G"][name])
    with pytest.raises(UserError, match="the data given is not what"):
        ganzoo.resume(tmp_path / "run", steps=8, data=points[:40], quiet=True)
    script = f"""
import ganzoo
print(tuple(ganzoo.open({str(tmp_path / "run")!r}).sample(3).shape))
try:
    ganzoo.resume({str(tmp_path / "run")!r}, steps=8)
except ganzoo.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "(3, 2)" in done.stdout and "give it again with data=…" in done.stdout
    assert checkpoint.locate(tmp_path / "run").name == "step_00000006.pt" and run.step == 4


# -- pages -------------------------------------------------------------------------------------------------------------


def test_parts_in_a_loop_of_ones_own() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    code = page.partition("<!-- test: own loop -->\n```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code.replace("range(200)", "range(3)"), "docs/python.md", "exec"), names)
    assert names["step"] == 2 and all(torch.isfinite(p).all() for p in names["G"].parameters())


def test_samples_between_two() -> None:
    page = (ROOT / "docs" / "trained.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(page.partition("<!-- test: interpolation -->\n```python\n")[2].partition("```")[0], names)
    ends = names["run"].compute("fake", z=torch.stack([names["first"], names["last"]]))
    assert torch.allclose(names["images"][[0, -1]], ends, atol=1e-5) and len(names["images"]) == 9


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, tmp_path: Path, monkeypatch, registered) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": f"notebook_{path.stem}"}
    module = type(sys)(names["__name__"])
    monkeypatch.setitem(sys.modules, names["__name__"], module)
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells) and len(cells) >= 4
    for number, cell in enumerate(cells):
        text = re.sub(r"^steps = \d+$", "steps = 4", "".join(cell["source"]), flags=re.M)
        name = f"<{path.stem} {number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(textwrap.dedent(text), name, "exec"), vars(module))


SMALL = {"parts.G.width": 8, "parts.D.width": 8}


def test_what_own_data_cannot_be_measured_by_says_how_to_train_without_it() -> None:
    images = np.zeros((4, 32, 32, 3), np.uint8)
    own = (images, np.array(["cat", "dog"] * 2))
    with pytest.raises(UserError, match=r"asked.*takes grey images.*to train without it: evaluate.values.asked=null"):
        ganzoo.load("cgan/fashion_mnist_sample", SMALL, data=own).check()
    ganzoo.load("cgan/fashion_mnist_sample", {**SMALL, "evaluate.values.asked": None}, data=own).check()
    with pytest.raises(UserError, match=r"no part, value or data field 'label'.*: evaluate.values.match=null\)"):
        ganzoo.load("infogan/fashion_mnist_sample", data=images)
