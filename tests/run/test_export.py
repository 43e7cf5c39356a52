"""Values in files for other programs, and weights under their authors' names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn.utils import parametrizations
from typer.testing import CliRunner

import ganzoo
from ganzoo import api
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.model import traced
from ganzoo.parallel import draw
from ganzoo.registry import plugins
from ganzoo.run import formats
from ganzoo.run.start import train
from tests.zoo import written

MODEL = """
data:
  use: data.random
  count: 40
  fields:
    real: {kind: image, shape: [3, 8, 8]}
    label: {kind: label, classes: [cat, dog, newt]}
parts:
  Z: {use: prior.normal, size: 4}
  C: op.one_hot
  N: {use: op.perturb, start: 0.1}
  G: {use: generator.mlp, hidden: [64]}
  T: {use: generator.cyclegan, like: real, width: 4, blocks: 1}
  U: {use: generator.unet, like: real, width: 2, downs: 2, dropout: 0.5, eval_dropout: true, eval_bn: batch}
  D: {use: discriminator.mlp, hidden: [16], with: {sn: regularizer.spectral_norm}}
  adv: adversarial.hinge
flow:
  z: Z(n)
  fake: G(join(z, C(label)))
  turned: T(real)
  again: T(fake)
  dropped: U(real)
players:
  D: {minimize: {a: "adv.d(D(real), D(fake))"}}
  G:
    trains: [G, T, U]
    minimize: {a: "adv.g(D(fake))", b: "adv.g(D(turned))", c: "adv.g(D(again))", d: "adv.g(D(dropped))"}
    ema: 0.5
share: [fake]
optimizer: {use: optimizer.adam, lr: 0.01}
show: {values: [fake, real], n: 6}
train: {batch: 8, steps: 3}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    train(written(folder, MODEL).blueprint, folder / "run", plugins.installed(), True)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return ganzoo.open(folder / "run", device="cpu")


def test_onnx_computes_what_the_run_does(run, folder) -> None:
    import onnxruntime

    made = run.export("fake", folder / "fake.onnx")
    assert made.inputs["z"].shape == ["batch", 4]
    assert made.inputs["label"].dtype == "int64"
    assert "0 to 2: cat, dog, newt" in made.inputs["label"].means
    assert made.outputs["fake"].shape == ["batch", 3, 8, 8]
    assert "range -1 to 1" in made.outputs["fake"].means
    assert made.difference is not None and made.difference < 1e-5
    assert "averaged weights of G" in made.of
    session = onnxruntime.InferenceSession(str(folder / "fake.onnx"))
    for n in (1, 7):
        z, label = torch.randn(n, 4), torch.arange(n) % 3
        (found,) = session.run(["fake"], {"z": z.numpy(), "label": label.numpy()})
        assert np.allclose(found, run.compute("fake", z=z, label=label), atol=1e-5)
        raw = ganzoo.open(folder / "run", raw=True, device="cpu").compute("fake", z=z, label=label)
        assert not np.allclose(found, raw, atol=1e-3)  # not the averages
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["inputs"])["z"]["shape"] == ["batch", 4]


@pytest.mark.slow
def test_sixteen_and_eight_bits_say_what_they_lose(run, folder) -> None:
    made, *smaller = (run.export("fake", folder / f"{p}.onnx", precision=p) for p in ("fp32", "fp16", "int8"))
    assert made.psnr is None
    assert [other.psnr is not None and other.psnr > 35 for other in smaller] == [True, True]
    assert made.bytes > smaller[0].bytes > smaller[1].bytes


def test_eight_bits_have_a_scale_for_each_output() -> None:
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    random = np.random.default_rng(0)
    weights = {
        "a": random.standard_normal((32, 8, 3, 3)) * np.linspace(0, 9, 32)[:, None, None, None],
        "b": random.standard_normal((32, 16, 2, 2)) * np.linspace(1, 50, 16)[:, None, None],
    }
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    nodes = [helper.make_node("Conv", ["x", "a"], ["h"]), helper.make_node("ConvTranspose", ["h", "b"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors))
    x = random.standard_normal((1, 8, 6, 6)).astype(np.float32)
    (exact,) = ReferenceEvaluator(model).run(None, {"x": x})
    small = formats._quantised(model)
    assert {t.name: t.data_type for t in small.graph.initializer if t.name.endswith("_q")} == {"a_q": 3, "b_q": 3}
    (found,) = ReferenceEvaluator(small).run(None, {"x": x})
    error = np.abs(found - exact).max((0, 2, 3)) / np.abs(exact).max((0, 2, 3))
    assert 0 < error.max() < 0.02  # of every channel, weak or strong


@pytest.mark.slow
def test_a_torch_program_takes_images_of_any_size(run, folder) -> None:
    made = run.export("turned", folder / "turned.pt2")
    assert made.inputs["real"].shape == ["batch", 3, "height", "width"]
    assert "batch 2 of 3x8x16" in made.checked
    program = torch.export.load(folder / "turned.pt2").module()
    x = torch.rand(2, 3, 12, 20)
    assert torch.allclose(program(real=x)[0], run.compute("turned", real=x), atol=1e-5)


def test_a_named_value_may_be_where_a_graph_begins(run, folder) -> None:
    made = run.export("D(fake)", folder / "again.pt2", starts=["fake"])
    assert list(made.inputs) == ["fake"]
    with pytest.raises(UserError, match="turned is not computed from fake"):
        run.export("turned", folder / "again.pt2", starts=["fake"])


def test_what_networks_draw_is_an_input(run, folder) -> None:
    made = run.export("G(join(N(Z(n)), C(label)))", folder / "noisy.pt2")
    assert list(made.inputs) == ["Z", "N_noise", "label"]
    assert made.inputs["N_noise"].means == "N(0, 1), drawn in N"


def test_reparametrised_weights_are_written_as_they_are(run, folder) -> None:
    before = run.compute("D(real)", real=torch.ones(2, 3, 8, 8)).logit
    made = run.export("D(real)", folder / "D.pt2")
    assert next(iter(made.outputs)) == "logit"
    assert torch.equal(run.compute("D(real)", real=torch.ones(2, 3, 8, 8)).logit, before)


def test_weights_alone_read_back_through_init(run, folder, tmp_path) -> None:
    made = run.export("fake", folder / "G.safetensors")
    assert made.format == "safetensors"
    with safe_open(folder / "G.safetensors", "pt") as file:
        assert file.metadata()["value"] == "fake"
        assert all(name.startswith("G.") for name in file.keys())  # noqa: SIM118
    again = api.opened(folder / "model.yaml", [f"parts.G.init={folder / 'G.safetensors'}:G"])
    z, label = torch.randn(3, 4), torch.tensor([0, 1, 2])
    assert torch.equal(again.compute("fake", z=z, label=label), run.compute("fake", z=z, label=label))


def test_a_file_that_computes_something_else_is_not_kept(run, folder, tmp_path, monkeypatch) -> None:
    right = formats.loaded
    monkeypatch.setattr(
        formats, "loaded", lambda *args: lambda given: [tensor + 0.002 for tensor in right(*args)(given)]
    )
    with pytest.raises(UserError, match=r"was not kept: it differs by 0\.002 from PyTorch"):
        run.export("fake", tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


def test_what_draws_by_itself_is_refused(folder, tmp_path) -> None:
    @ganzoo.component("op.restless_for_a_test")
    class Restless(nn.Module):
        """Noise that nobody can repeat. Source: this test."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn_like(x)

    text = MODEL.replace("{use: op.perturb, start: 0.1}", "op.restless_for_a_test")
    written(folder, text)
    other = api.opened(folder / "model.yaml", [f"parts.G.init={folder / 'run'}"])
    with pytest.raises(UserError, match=r"draws numbers inside \(aten\.randn_like"):
        other.export("G(join(N(z), C(label)))", tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())
    written(folder, MODEL)


def test_dropout_in_evaluation_has_to_be_chosen(run, folder, tmp_path) -> None:
    with pytest.raises(UserError, match=r"U drops units in evaluation too.*--dropout off, or --dropout input"):
        run.export("dropped", tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())
    made = run.export("dropped", tmp_path / "a.pt2", dropout="input")
    assert list(made.inputs) == ["real", "U_noise"]
    assert "statistics of the batch it is given (in training 8)" in made.notes[1]
    program = torch.export.load(tmp_path / "a.pt2").module()
    kept, x = torch.ones(4, 2, 4, 4), torch.rand(4, 3, 8, 8)
    run.export("dropped", tmp_path / "b.pt2", dropout="off", statistics="running")
    plain = torch.export.load(tmp_path / "b.pt2").module()
    alone = torch.cat([plain(real=x[i : i + 1])[0] for i in range(4)])
    assert torch.allclose(plain(real=x)[0], alone, atol=1e-5)  # no image has a say in another's
    one, two = (program(real=given, U_noise=kept[: len(given)])[0] for given in (x, x[:2]))
    assert not torch.allclose(one[:2], two, atol=1e-6)


def test_dropout_and_batch_statistics_in_plain_operations() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 6, 5, 3)
    norm = nn.BatchNorm2d(6)
    norm.weight.data.uniform_()
    alone = nn.BatchNorm1d(6, affine=False)
    assert torch.allclose(traced.plain(nn.Sequential(norm))(x), norm(x), atol=1e-5)
    assert torch.allclose(traced.plain(nn.Sequential(alone))(x[..., 0, 0]), alone(x[..., 0, 0]), atol=1e-5)
    for dropout, shape in ((nn.Dropout(0.3), (4, 6, 5, 3)), (nn.Dropout2d(0.3), (4, 6, 1, 1))):
        copied = traced.plain(nn.Sequential(dropout))
        with draw.using(draw.Draws((1,), torch.device("cpu"))):
            y = copied(x)
        with draw.using(draw.Draws((1,), torch.device("cpu"))):
            kept = draw.uniform(4, *shape[1:]) >= 0.3
        assert torch.allclose(y, x * kept / 0.7)


def test_a_settled_copy_leaves_the_original_reparametrised() -> None:
    import copy

    layer = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2))).eval()
    copied = traced.plain(copy.deepcopy(layer))
    assert list(copied.state_dict()) == ["0.bias", "0.weight"]
    x = torch.randn(2, 3)
    assert torch.allclose(copied(x), layer(x))


def test_lengths_stay_open() -> None:
    class Long(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(x), 2) + x.sum()

    with traced.lengths():
        program = torch.export.export(Long(), (torch.ones(3, 2),), dynamic_shapes={"x": {0: torch.export.Dim.AUTO}})
    assert program.module()(torch.ones(5, 2)).shape == (5, 2)
    assert len is not None and isinstance(len(torch.ones(3)), int)


def test_what_is_missing_or_wrong_is_one_message(run, folder, tmp_path, monkeypatch) -> None:
    for value, out, message, settings in (
        ("fak", "a.onnx", "did you mean 'fake'", {}),
        ("fake", "a.on", r"write \.onnx, \.pt2, \.safetensors", {}),
        ("fake", "a.pt2", "int8 is not written as torch", {"precision": "int8"}),
        ("fake", "a.pt2", "no named value 'w'", {"starts": ["w"]}),
        ("fake", "a.pt2", "there is no 'moving'", {"statistics": "moving"}),
        ("C(label)", "a.safetensors", "needs no weights", {}),
    ):
        with pytest.raises(UserError, match=message):
            run.export(value, tmp_path / out, **settings)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r'onnxruntime, which is not installed \(pip install "ganzoo\[export\]"\)'):
        run.export("fake", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_on_the_command_line(folder, tmp_path) -> None:
    out = tmp_path / "G.safetensors"
    done = CliRunner().invoke(app, ["export", str(folder / "run"), "fake", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["value"] == "fake"
    done = CliRunner().invoke(app, ["export", str(folder / "run"), "fake", "lr", "--out", str(out)])
    assert "'lr' is no setting" in str(done.exception)


# -- back to the authors' names ----------------------------------------------------------------------------------------


def test_a_part_goes_to_a_layout_and_back(run, folder, tmp_path) -> None:
    out = tmp_path / "latest_net_G_A.pth"
    done = CliRunner().invoke(app, ["convert", str(folder / "run"), "T", "pytorch_cyclegan", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "model.1.weight" in done.output
    stored = torch.load(out, weights_only=True)
    assert {"model.1.weight", "model.10.conv_block.1.weight", "model.10.conv_block.5.bias"} <= stored.keys()
    again = api.opened(folder / "model.yaml", [f"parts.T.init={out}"])
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(again.compute("turned", real=x), run.compute("turned", real=x))


def test_what_has_no_way_back_is_refused(run, tmp_path) -> None:
    for part, layout, message in (
        ("T", "pytorch_cycle", "did you mean 'pytorch_cyclegan'"),
        ("G", "pytorch_cyclegan", "no layout is registered for it"),
        ("F", "pytorch_cyclegan", "there is no part 'F'"),
    ):
        with pytest.raises(UserError, match=message):
            run.convert(part, layout, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"write a \.pth"):
        run.convert("T", "pytorch_cyclegan", Path("a.onnx"))
    assert not list(tmp_path.iterdir())
