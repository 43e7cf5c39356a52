"""The command line: output for people and machines, exit codes, and one clear message for every mistake."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.cli import app
from tests.cli.conftest import SMALL

PICTURES = """
data: {use: data.random, count: 30, fields: {real: {kind: image, shape: [3, 8, 8]}}}
parts: {G: {use: generator.mlp, hidden: [8]}, D: {use: discriminator.mlp, hidden: [8]}, Z: {use: prior.normal, size: 4},
  adv: adversarial.hinge, E: {use: discriminator.dcgan, width: 2, norm: none}}
flow: {fake: "G(Z(n))", judged: "D(real)", seen: "E(real)"}
players:
  D: {trains: [D, E], minimize: {a: "adv.d(judged, D(fake))", b: "adv.d(seen, E(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))"}}
optimizer: optimizer.adam
show: [fake]
train: {steps: 2, batch: 4}
plugins: {tensorboard: false}
"""


def test_list_shows_components_and_models(ganzoo) -> None:
    result = ganzoo("list")
    assert result.code == 0
    for piece in ("generator.dcgan", "adversarial.hinge", "wgan_gp/ring", "Scores beyond the margin"):
        assert piece in result.out
    found = json.loads(ganzoo("list", "generator.*", "--json").out)
    assert {c["name"] for c in found["components"]} >= {"generator.dcgan", "generator.mlp"}
    assert all(c["line"] > 0 and c["file"].endswith(".py") for c in found["components"])
    assert json.loads(ganzoo("list", "circle", "--json").out)["models"]


def test_nothing_that_lists_imports_torch_or_a_lazy_module() -> None:
    program = """
import sys
from ganzoo.cli import main
from tests.cli.conftest import SMALL
for words in ("--help", "list", "list --json", "plugins", "train --help", "check gan/circle x=1", "reproduce --list"):
    sys.argv = ["ganzoo", *words.split()]
    try:
        main()
    except SystemExit:
        pass
loaded = [m for m in sys.modules if m in ("torch", "matplotlib", "torchvision") or m.startswith("ganzoo_mlp.")]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_plugins_lists_ours(ganzoo) -> None:
    rows = json.loads(ganzoo("plugins", "--json").out)
    assert {row["name"] for row in rows} >= {"dcgan", "tensorboard"}
    assert not [row for row in rows if row["problem"]]


def test_plugins_says_what_each_adds_and_which_layout_has_no_component(ganzoo, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import ganzoo\n\n\n@ganzoo.hookimpl\ndef register(zoo):\n"
        "    zoo.loss('mine', 'mine:Loss')\n    zoo.weights('theirs', 'generator.absent', keys=['a'])\n\n\n"
        "@ganzoo.hookimpl\ndef on_end(run):\n    pass\n"
    )
    result = ganzoo("plugins", "--code", str(tmp_path / "mine.py"))
    assert re.search(r"^mine +mine.py local +1 component, 1 layout, 1 run hook$", result.out, re.M)
    assert (
        "mine.py local (plugin 'mine'): the layout theirs is for generator.absent, which no plugin adds" in result.err
    )
    assert re.search(r"^models +ganzoo .*\d+ models$", result.out, re.M)


def test_show_a_component_and_a_model(ganzoo) -> None:
    result = ganzoo("show", "regularizer.gradient_penalty")
    assert "target: float = 1.0" in result.out
    assert "arXiv:1704.00028" in result.out
    assert "gradients.py:" in result.out
    found = json.loads(ganzoo("show", "generator.dcgan", "--json").out)
    assert {a["name"]: a["fact"] for a in found["arguments"]}["z_dim"] is True
    assert "1,204,483 parameters" in ganzoo("show", "wgan_gp").out
    assert "did you mean 'adversarial.hinge'" in ganzoo("show", "adversarial.hing").err


def test_check_explain_and_fill(ganzoo) -> None:
    assert ganzoo("check", "gan/circle").out == "gan/circle: ok\n"
    absent = ganzoo("check", "dcgan/pytorch", "data.root=nowhere", "data.size=32", "parts.G.width=4", "parts.D.width=4")
    assert absent.out == "dcgan/pytorch: ok\n" and "nowhere here; checked without the data" in absent.err
    assert json.loads(ganzoo("check", "gan/circle", "--json").out) == {
        "model": "gan/circle",
        "ok": True,
        "warnings": [],
    }
    text = ganzoo("explain", "wgan_gp").out
    for piece in ("5 times a step", "10 * gp(D, real, fake)", "fake = G(z)   [nx3x32x32]", "frozen: G", "batch 128"):
        assert piece in text, piece
    told = ganzoo("explain", "acgan/fashion_mnist_sample").out
    assert "generator.dcgan(width=32, stem=linear, refine=True)" in told
    assert "    computes: d_real, z, fake, d_fake\n" in told and "    computes: z, fake, d_fake\n" in told
    assert "d = E[smoothing-weighted softplus(-real)] + E[softplus(fake)], g = E[softplus(-fake)]" in told
    players = json.loads(ganzoo("explain", "wgan_gp", "--json").out)["phases"][0]["players"]
    assert {p["player"]: p["repeat"] for p in players} == {"G": 1, "D": 5}
    chart = ganzoo("explain", "gan/circle", "--diagram").out
    assert chart.startswith("flowchart LR")
    assert 'z -- "G" --> fake' in chart
    import yaml

    filled = yaml.safe_load(ganzoo("fill", "gan/circle").out)
    assert filled["parts"]["G"]["z_dim"] == 3
    assert filled["parts"]["D"]["in_shape"] == [2]


def test_a_warning_becomes_an_error_when_strict(ganzoo) -> None:
    words = ("check", "gan/circle", "parts.l1=loss.l1")
    result = ganzoo(*words)
    assert result.code == 0
    assert "warning: unused parts: l1" in result.err
    result = ganzoo(*words, "--strict")
    assert result.code == 2
    assert "unused parts: l1" in result.err


def test_mistakes_have_exit_code_2_and_no_traceback(ganzoo) -> None:
    result = ganzoo("train", "gan/circle", "train.stepz=3", "parts.G.hiden=[8]", "--out", "never")
    assert result.code == 2
    assert "there is no setting 'stepz' here (did you mean 'steps'?)" in result.err
    assert "Traceback" not in result.err
    assert not Path("never").exists()
    found = json.loads(ganzoo("check", "gan/circle", "train.stepz=3", "--json").out)
    assert found["problems"][0]["path"] == "train.stepz"
    assert ganzoo("check", "no/such").code == 2
    assert ganzoo("resume", "nowhere").code == 2
    assert ganzoo("sample", "nowhere").code == 2
    assert ganzoo("list", "nothing-like-this").code == 2


def test_absent_data_names_the_variant_that_runs_here(ganzoo, monkeypatch) -> None:
    assert "dcgan/fashion_mnist_sample" in ganzoo("train", "dcgan").err
    monkeypatch.setenv("GANZOO_DATA", "empty")
    result = ganzoo("train", "wgan_gp/mnist", "--out", "never")
    assert result.code == 2
    assert "wgan_gp/fashion_mnist_sample" in result.err
    assert not Path("never").exists()


def test_train_sample_resume(ganzoo, run_folder) -> None:
    result = ganzoo("sample", run_folder, "-n", "7", "--seed", "3", "--out", "points.csv")
    assert result.code == 0
    assert np.loadtxt("points.csv", delimiter=",").shape == (7, 2)
    assert ganzoo("sample", run_folder, "-n", "50", "--out", "picture.png").out == "picture.png\n"
    assert Image.open("picture.png").size[0] > 100
    result = ganzoo("resume", run_folder)
    assert result.code == 2
    assert "is finished: it has 3 steps" in result.err
    assert "(`--steps 5` trains on to that step)" in ganzoo("resume", run_folder, "train.steps=5").err
    assert ganzoo("resume", run_folder, "--steps", "5", "--quiet").code == 0
    assert json.loads(ganzoo("train", "gan/circle", *SMALL, "--out", "other", "--json").out)["reason"] == "finished"
    assert ganzoo("train", "gan/circle", *SMALL, "--out", "other").code == 2
    assert ganzoo("train", "other/locked.yaml", "--out", "again", "--quiet").code == 0
    assert ganzoo("train", "gan/circle", *SMALL, "--steps", "1", "--quiet").out.startswith(
        "finished: runs/gan-circle-001"
    )


def test_images_in_and_out(ganzoo) -> None:
    Path("m.yaml").write_text(PICTURES)
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    folder = Path("photos")
    folder.mkdir()
    for index, mode in enumerate(("RGB", "L", "RGBA")):
        Image.new(mode, (8, 8)).save(folder / f"photo {index}.png")
    assert ganzoo("compute", "run", "judged", "real=photos", "--out", "judged.npy").code == 0
    assert np.load("judged.npy").shape == (3,)
    assert ganzoo("sample", "run", "-n", "4", "--out", "tiles").out == "4 files in tiles\n"
    assert Image.open("tiles/00000.png").size == (8, 8)
    assert ganzoo("sample", "run", "-n", "4", "--out", "grid.jpg").code == 0
    Image.new("RGB", (12, 10)).save(folder / "other size.png")
    result = ganzoo("compute", "run", "judged", "real=photos", "--out", "judged")
    assert result.code == 2 and "--resize brings images to the size of the data" in result.err
    assert "other size, 10x12: " in result.err and "real 1x3x10x12" in result.err
    assert ganzoo("compute", "run", "judged", "real=photos", "--resize", "--out", "all.npy").code == 0
    assert np.load("all.npy").shape == (4,)
    assert "cannot be read as an image" in ganzoo("compute", "run", "judged", "real=m.yaml").err
    assert "needs real, an image" in ganzoo("compute", "run", "judged").err
    assert "is no input" in ganzoo("sample", "run", "real").err
    assert "there is no input 'rael' (did you mean 'real'?)" in ganzoo("sample", "run", "rael=1").err
    assert ganzoo("sample", "run", "real=photos", "--value", "judged", "--out", "four.npy").code == 0
    assert np.load("four.npy").shape == (4,), "as many as are given"
    assert ganzoo("compute", "run", "adv.d(judged, D(fake))", "real=photos/photo 0.png", "--out", "one.csv").code == 0
    assert np.loadtxt("one.csv").shape == ()


def test_images_are_read_upright_and_with_all_their_bits(ganzoo) -> None:
    Path("m.yaml").write_text(PICTURES)
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    turned = Image.new("RGB", (8, 4))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held on its side
    turned.save("turned.jpg", exif=exif)
    assert "real 1x3x8x4" in ganzoo("compute", "run", "judged", "real=turned.jpg").err
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save("deep.png")
    assert ganzoo("compute", "run", "real", "real=deep.png", "--out", "same.npy").code == 0
    assert np.load("same.npy").mean() == pytest.approx(0, abs=0.02)


def test_several_images_for_each_sample(ganzoo) -> None:
    text = PICTURES.replace("judged:", "two: 'stack(fake, fake)', judged:").replace("show: [fake]", "SHOW")
    Path("m.yaml").write_text(text.replace("SHOW", "show: {values: [two], n: 3, across: 2}"))
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    assert ganzoo("sample", "run", "--value", "two", "-n", "3", "--out", "two.png").code == 0
    assert Image.open("two.png").size == (2 * 34 + 2, 3 * 34 + 2)
    assert ganzoo("sample", "run", "--value", "two", "-n", "3", "--out", "two").out == "6 files in two\n"


def test_a_row_of_each_class(ganzoo) -> None:
    labelled = "real: {kind: image, shape: [3, 8, 8]}, label: {kind: label, classes: [cat, dog, newt]}"
    text = PICTURES.replace("real: {kind: image, shape: [3, 8, 8]}", labelled).replace(
        "Z(n)", "join(Z(n), one_hot(label))"
    )
    Path("m.yaml").write_text(text.replace("Z: {", "one_hot: op.one_hot, Z: {"))
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    made = ganzoo("sample", "run", "label=all", "-n", "5", "--out", "rows.png")
    assert made.out == "rows.png\n  rows     cat, dog, newt\n"
    assert Image.open("rows.png").size == (5 * 34 + 2, 3 * 34 + 2)
    assert ganzoo("sample", "run", "label=all", "-n", "2", "--out", "rows.npy").code == 0
    assert ganzoo("sample", "run", "label=cat,cat,dog,dog,newt,newt", "-n", "6", "--out", "given.npy").code == 0
    assert np.array_equal(np.load("rows.npy"), np.load("given.npy"))
    assert ganzoo("sample", "run", "label=all", "--out", "ten.npy").code == 0
    assert len(np.load("ten.npy")) == 30
    assert "there is no input 'lable' (did you mean 'label'?)" in ganzoo("sample", "run", "lable=all").err
    assert "label is given twice: as label=all and label=cat" in ganzoo("sample", "run", "label=cat", "label=all").err
    assert ganzoo("sample", "run", "label=all", "--interpolate", "4", "--out", "between.png").code == 0
    assert Image.open("between.png").size == (4 * 34 + 2, 3 * 34 + 2)
    assert ganzoo("sample", "run", "label=dog", "--interpolate", "4", "-n", "2", "--out", "between.npy").code == 0
    assert len(np.load("between.npy")) == 8


def test_a_class_whose_name_is_a_number_or_has_a_comma(ganzoo) -> None:
    labelled = "real: {kind: image, shape: [1, 4, 4]}, label: {kind: label, classes: ['1', '2', '10', 'red, round']}"
    text = PICTURES.replace("real: {kind: image, shape: [3, 8, 8]}", labelled)
    Path("m.yaml").write_text(
        text.replace("Z: {", "hot: op.one_hot, Z: {").replace("judged:", "asked: hot(label), judged:")
    )
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    for given, wanted in (("1", [0]), ("2", [1]), ("10", [2]), ("red, round", [3]), ("2, 1,10", [1, 0, 2])):
        made = ganzoo("compute", "run", "asked", f"label={given}", "--out", "asked.npy")
        assert made.code == 0, made.err
        assert np.load("asked.npy").argmax(1).tolist() == wanted
    assert "there is no class '0'" in ganzoo("compute", "run", "asked", "label=0").err


def test_values_of_images_that_are_computed_some_at_once(ganzoo, monkeypatch) -> None:
    labelled = "real: {kind: image, shape: [3, 8, 8]}, label: {kind: label, classes: [cat, dog]}"
    text = PICTURES.replace("real: {kind: image, shape: [3, 8, 8]}", labelled)
    text = text.replace("Z: {", "hot: op.one_hot, Z: {").replace("judged:", "asked: 'maps(hot(label), real)', judged:")
    Path("m.yaml").write_text(text)
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    for index in range(5):
        Path("photos").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (40 * index, 0, 0)).save(f"photos/{index}.png")
    assert ganzoo("compute", "run", "judged", "real=photos", "--out", "once").code == 0
    monkeypatch.setattr("ganzoo.cli.runs.AT_ONCE", 400)  # two images
    assert ganzoo("compute", "run", "judged", "real=photos", "--out", "some").code == 0
    assert np.allclose(np.load("some/values.npy"), np.load("once/values.npy"), atol=1e-6)
    assert ganzoo("compute", "run", "asked", "real=photos", "label=1,0,0,1,0", "--out", "some").code == 0
    assert np.load("some/values.npy")[:, 1, 0, 0].tolist() == [1, 0, 0, 1, 0]
    np.save("alone.npy", np.array(1))
    made = ganzoo("compute", "run", "asked", "real=photos", "label=alone.npy", "--out", "none")
    assert made.code == 2 and "label has no rows" in made.err, made.err
    Image.new("RGB", (6, 8)).save("photos/9.png")
    made = ganzoo("compute", "run", "asked", "real=photos", "label=1,0,0,1,0,1", "--out", "each")
    assert made.out == "6 files in each\n", made.err
    assert [np.load(f"each/{stem}.npy")[0, 1, 0, 0] for stem in (0, 1, 2, 3, 4, 9)] == [1, 0, 0, 1, 0, 1]
    assert np.load("each/9.npy").shape == (1, 2, 8, 6)


def test_codes_are_given_by_their_numbers(ganzoo) -> None:
    text = PICTURES.replace("Z(n)", "join(z, k)").replace("fake:", "z: Z(n), k: K(n), both: 'join(k, z)', fake:")
    text = text.replace("Z: {", "K: {use: prior.categorical, num_classes: 3}, Z: {")
    Path("m.yaml").write_text(text)
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    made = ganzoo("compute", "run", "both", "k=0;2", "z=1,2,3,4", "--out", "both.npy")
    assert made.code == 0, made.err
    assert np.load("both.npy").tolist() == [[1, 0, 0, 1, 2, 3, 4], [0, 0, 1, 1, 2, 3, 4]]
    assert ganzoo("sample", "run", "k=1", "-n", "3", "--out", "some.npy").code == 0
    assert len(np.load("some.npy")) == 3
    assert "k is 3, but its categories go from 0 to 2" in ganzoo("sample", "run", "k=3").err
    assert "z=no.npy: there is no such .npy or .pt file" in ganzoo("sample", "run", "z=no.npy").err


def test_checkpoint_alone_in_an_empty_folder(ganzoo, run_folder, tmp_path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    next((tmp_path / "run" / "checkpoints").glob("*.pt")).rename(tmp_path / "empty" / "model.pt")
    monkeypatch.chdir(tmp_path / "empty")
    assert ganzoo("sample", "model.pt", "-n", "5", "--out", "x.npy").code == 0
    assert np.load("x.npy").shape == (5, 2)


def test_local_code(ganzoo) -> None:
    Path("mine.py").write_text(
        """
import ganzoo
from ganzoo_mlp.nets import Generator

@ganzoo.hookimpl
def register(zoo):
    zoo.generator("mine", Generator)
"""
    )
    assert "generator.mine" in ganzoo("list", "mine", "--code", "mine.py").out
    words = ("train", "gan/circle", "parts.G=generator.mine", "train.steps=2", "plugins.tensorboard=false", "--quiet")
    assert ganzoo(*words, "--out", "run", "--code", "mine.py").code == 0
    result = ganzoo("sample", "run", "-n", "2")
    assert result.code == 2
    assert "mine.py" in result.err
    assert ganzoo("sample", "run", "-n", "2", "--code", "mine.py", "--out", "x.npy").code == 0
    assert "there is no such file" in ganzoo("list", "--code", "nowhere.py").err


def test_help_names_every_command(ganzoo) -> None:
    out = ganzoo("--help").out
    assert ganzoo("-h").out == out
    for command in (
        "list",
        "show",
        "plugins",
        "check",
        "explain",
        "fill",
        "doctor",
        "train",
        "resume",
        "sample",
        "compute",
        "reproduce",
        "new",
    ):
        assert command in out


def test_runs_without_records_are_left_out_of_a_comparison(ganzoo, tmp_path) -> None:
    text = PICTURES + "evaluate: {n: 8, every: 1, values: {right: 'accuracy(D(fake), 0)'}}\n"
    (tmp_path / "m.yaml").write_text(text.replace("parts: {", "parts: {accuracy: metric.accuracy, "))
    (tmp_path / "plain.yaml").write_text(PICTURES)
    for name in ("m", "plain"):
        assert ganzoo("train", f"{name}.yaml", "--out", f"runs/{name}", "--quiet").code == 0
    result = ganzoo("compare", "runs/m", "runs/plain")
    assert result.code == 0 and "right" in result.out and "left out: runs/plain has no metric records" in result.err
    assert "has no metric records" in ganzoo("compare", "runs/plain").err


def test_a_batch_of_one_is_refused_before_training_where_a_network_needs_more(ganzoo) -> None:
    result = ganzoo("check", "dcgan/fashion_mnist_sample", "train.batch=1")
    assert result.code == 2 and "Expected more than 1 value per channel" in result.err
    assert ganzoo("check", "pix2pix/openmoji", "train.batch=1").code == 0


def test_the_end_of_training_says_what_samples_are_made_from(ganzoo, tmp_path) -> None:
    (tmp_path / "m.yaml").write_text(PICTURES.replace("Z(n)", "shown").replace("judged:", "shown: code, judged:"))
    text = (tmp_path / "m.yaml").read_text().replace("real: {", "code: {kind: vector, shape: [4]}, real: {")
    (tmp_path / "m.yaml").write_text(text)
    assert "ganzoo sample r code=FILE.npy --out samples.png" in ganzoo("train", "m.yaml", "--out", "r").out


def test_printed_commands_can_be_pasted_whatever_the_folder_is_called(ganzoo, tmp_path) -> None:
    """A shell takes each path as one word."""

    def printed(text: str, start: str) -> list[str]:
        line = next(line for line in text.splitlines() if start in line)
        return shlex.split(line[line.index(start) :].partition("`")[0])

    odd = "mit Ümläut & $HOME 'x'"
    done = ganzoo("train", "gan/circle", *SMALL, "--out", f"{odd}/run", "--quiet")
    command = printed(done.out, "ganzoo sample")
    assert command[2] == f"{odd}/run" and ganzoo(*command[1:]).code == 0
    again = ganzoo("train", "gan/circle", *SMALL, "--out", f"{odd}/run")
    assert again.code == 2 and printed(again.err, "ganzoo resume")[2] == f"{odd}/run"
    made = ganzoo("new", "plugin", "acme", "--out", f"{odd}/acme").out
    assert printed(made, "pip install")[3] == f"{odd}/acme" == printed(made, "pytest")[1]
    (tmp_path / "images").mkdir()
    for index in range(4):
        Image.new("L", (4, 4), index).save(tmp_path / f"images/{index}.png")
    packed = printed(ganzoo("data", "pack", "images", "--out", f"{odd}/pack").out, "ganzoo train")
    assert ganzoo("doctor", "gan/fashion_mnist_sample", packed[3]).code == 0


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow larger, which the system refuses as it does where the disk is full."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_whatever_does_not_fit_on_the_disk_is_one_message(ganzoo, tmp_path) -> None:
    Path("m.yaml").write_text(PICTURES)
    assert ganzoo("train", "m.yaml", "--out", "run", "--quiet").code == 0
    present = {path.name for path in tmp_path.iterdir()}
    for words in (
        *(("sample", "run", "-n", "400", "--out", f"x.{kind}") for kind in ("npy", "pt", "csv", "png", "jpg", "bmp")),
        ("new", "plugin", "acme", "--out", "acme"),
        ("data", "pack", "m.yaml", "--out", "map"),
        ("data", "pack", "m.yaml", "--out", "tars", "--format", "shards"),
        ("train", "m.yaml", "--out", "other", "--quiet"),
    ):
        with files_of_at_most(400):
            result = ganzoo(*words)
        assert result.code == 2, words
        (line,) = result.err.splitlines()
        assert "cannot be written: the disk is full (it needs " in line and "make room" in line, words
        assert {path.name for path in tmp_path.iterdir()} == present, words


def test_a_checkpoint_that_does_not_fit_ends_the_training_with_one_message(ganzoo, monkeypatch) -> None:
    from ganzoo.store import checkpoint

    save = checkpoint.save

    def fill(path: Path, *rest: Any) -> None:
        with files_of_at_most(5000 if path.stem.endswith("4") else 10**9):
            save(path, *rest)

    monkeypatch.setattr(checkpoint, "save", fill)
    settings = (*SMALL[1:], "train.steps=6", "train.checkpoint_every=2")
    result = ganzoo("train", "gan/circle", *settings, "--out", "run", "--quiet")
    assert result.code == 2
    last = Path("run/checkpoints/step_00000002.pt")
    assert result.err.startswith(
        "error: run/checkpoints/step_00000004.pt cannot be written: the disk is full (it needs "
    )
    assert f"make room; go on from {last} with: ganzoo resume run" in result.err and len(result.err.splitlines()) == 1
    assert sorted(path.name for path in last.parent.iterdir()) == ["index.json", last.name]
    monkeypatch.setattr(checkpoint, "save", save)
    assert ganzoo("resume", "run", "--quiet").code == 0


def test_schema_writes_a_file_and_the_line_that_names_it(ganzoo) -> None:
    Path("models").mkdir()
    Path("models/mine.yaml").write_text("# Mine\nextends: gan/circle\n")
    assert ganzoo("schema", "--out", "ganzoo.schema.json", "models/mine.yaml").out == "ganzoo.schema.json\n"
    written = json.loads(Path("ganzoo.schema.json").read_text())
    assert "generator.dcgan" in written["definitions"]
    text = Path("models/mine.yaml").read_text()
    assert text == "# Mine\n# yaml-language-server: $schema=../ganzoo.schema.json\nextends: gan/circle\n"
    assert ganzoo("check", "models/mine.yaml").code == 0
    for words, says in (
        (("models/mine.yaml",), "give it with --out FILE"),
        (("--out", "s.json", "models/yours.yaml"), "there is no file models/yours.yaml"),
    ):
        result = ganzoo("schema", *words)
        assert result.code == 2
        assert says in result.err
    assert not Path("s.json").exists()


def test_letters_that_the_locale_has_not_are_escaped(tmp_path, monkeypatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), "ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(sys, "argv", ["ganzoo", "show", "generator.été"])
    with pytest.raises(SystemExit) as error:
        app.main()
    streams[1].flush()
    assert error.value.code == 2 and b"generator.\\xe9t\\xe9" in streams[1].buffer.getvalue()
