"""Evaluating a run after training, and comparing runs: every number carries its protocol, unlike ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from PIL import Image

import ganzoo
from ganzoo import Scales
from ganzoo.cli import app
from ganzoo.config.expression import parse
from ganzoo.config.spec import Value
from ganzoo.data.reference import Reference
from ganzoo.errors import Origin, UserError
from ganzoo.evaluation.compare import compare, curves, differences
from ganzoo.evaluation.evaluate import _inputs
from ganzoo.model.inference import stored
from ganzoo.registry import plugins
from ganzoo.run.provenance import locked, subject
from ganzoo.run.start import resume, train
from ganzoo.store.folder import RunFolder
from tests.zoo import written

MODEL = """
extends: base/images.yaml
data: {use: data.random, count: 80, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts:
  Z: {size: 4}
  G: {width: 4, base: 7}
  D: {width: 4}
  E: extractor.fashion_cnn
  fid: metric.fid
players: {G: {ema: 0.9}}
evaluate: {every: 2, n: 40, values: {quality: "fid(fake, E)"}}
train: {steps: 4, batch: 8, precision: fp32, checkpoint_every: 2, keep: {best: quality, last: 9}}
plugins: {tensorboard: false}
"""
pytestmark = pytest.mark.filterwarnings("ignore:.*samples for 128 features")
NAME = "quality[fashion_cnn]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """Two seeds of one model."""
    folder = tmp_path_factory.mktemp("score")
    for seed in (0, 1):
        model = written(folder, MODEL, **{"train.seed": seed})
        train(model.blueprint, folder / f"run{seed}", plugins.installed(), True)
    return [folder / "run0", folder / "run1"]


def test_training_writes_records_with_their_protocol(runs) -> None:
    first, last = RunFolder(runs[0]).evaluated()
    assert (first["step"], last["step"], last["train_seed"]) == (2, 4, 0)
    logged = [r["evaluation"] for r in RunFolder(runs[0]).records() if "evaluation" in r]
    assert [first["values"], last["values"]] == logged
    protocol = last["protocol"]
    assert protocol["metric"] == "metric.fid" and protocol["expression"] == "fid(fake, E)"
    assert (protocol["n_fake"], protocol["n_real"], protocol["split"], protocol["seed"]) == (40, 80, "train", 0)
    assert len(protocol["extractors"]["extractor.fashion_cnn"]) == 64
    assert protocol["weights"] == {"G": "averaged"} and protocol["statistics"] == {"G": "running statistics"}
    assert set(protocol["code"]) == {"metric.fid", "extractor.fashion_cnn"}
    assert protocol["versions"]["torch"] == torch.__version__ and protocol["quantised"] == "uint8"
    assert RunFolder(runs[1]).evaluated()[1]["protocol"] == protocol, "the training seed is no part of it"
    assert RunFolder(runs[1]).evaluated()[1]["config"] == last["config"]


def test_evaluating_afterwards_gives_the_same_number_twice(runs) -> None:
    run = ganzoo.open(runs[0])
    (record,), (again,) = run.evaluate(), ganzoo.open(runs[0]).evaluate()
    stored = RunFolder(runs[0]).evaluated()[-1]
    assert record == again and record.values == stored["values"] and record.protocol == stored["protocol"]
    best = ganzoo.open(runs[0], "best").evaluate()[0].values[NAME]
    assert best == min(r["values"][NAME] for r in RunFolder(runs[0]).evaluated())


def test_other_settings_are_other_protocols(runs) -> None:
    run = ganzoo.open(runs[0])
    (own,) = run.evaluate()
    for changed, key in (
        ({"n": 30}, "n_fake"),
        ({"seed": 1}, "seed"),
        ({"against": "held_out"}, "split"),
        ({"against": ":test"}, "split"),
        ({"overrides": ["data.seed=5"]}, "fingerprint"),
        ({"overrides": ["parts.fid.n_real=50"]}, "n_real"),
    ):
        (record,) = run.evaluate(**changed)
        told = differences(own.protocol, record.protocol)
        assert any(line.startswith(f"{key} is ") for line in told), (changed, told)
        assert record.values != own.values, changed
    (raw,) = ganzoo.open(runs[0], raw=True).evaluate()
    assert differences(own.protocol, raw.protocol) == ['weights.G is "averaged" and "trained"']


def test_metrics_that_the_model_does_not_name(runs, tmp_path) -> None:
    run = ganzoo.open(runs[0])
    (record,) = run.evaluate(["fid"])
    assert list(record.values) == ["fid[fashion_cnn]"] and record.protocol["expression"] == "fid_(fake, E)"
    assert list(record.values.values()) == list(run.evaluate()[0].values.values())
    with pytest.raises(UserError, match=r"no component 'metric.fidd'; the model itself has quality.*did you mean"):
        run.evaluate(["fidd"])
    with pytest.raises(UserError, match="the data is no circle"):
        run.evaluate(["circle"])
    with pytest.raises(UserError, match=r"metric.accuracy needs logit, and nothing of that name is there"):
        run.evaluate(["accuracy"])
    added = ["evaluate.values.right=accuracy(D(fake), 0)", "parts.accuracy=metric.accuracy"]
    assert set(run.evaluate(["right"], overrides=added)[0].values) == {"right"}


def test_against_other_data(runs, tmp_path) -> None:
    run = ganzoo.open(runs[0])
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")
    (record,) = run.evaluate(against=str(folder))
    assert record.protocol["real"] == "data.image_folder" and record.protocol["n_real"] == 3
    (record,) = run.evaluate(against="fashion_mnist_sample:held_out")
    assert (record.protocol["real"], record.protocol["n_real"]) == ("data.fashion_mnist_sample", 2000)
    added = ["evaluate.values.seen=memorisation(fake)", "parts.memorisation=metric.memorisation"]
    assert [r.metric for r in run.evaluate(against="held_out", overrides=added)] == [NAME]
    with pytest.raises(UserError, match="reads the rows of the model's own data, not of --against"):
        run.evaluate(["seen"], against="held_out", overrides=added)
    noise = ["evaluate.values.right=accuracy(D(fake), 0)", "parts.accuracy=metric.accuracy"]
    with pytest.raises(UserError, match="measures against no data, so --against says nothing to it"):
        run.evaluate(["right"], against="held_out", overrides=noise)
    with pytest.raises(UserError, match=r"'fashionmnist' is no folder, no data component, and no split"):
        run.evaluate(against="fashionmnist")
    with pytest.raises(UserError, match=r"has real 1x32x32 in .*but the run has 1x28x28.*size"):
        run.evaluate(against="fashion_mnist_sample", overrides=["evaluate.against.size=32"])
    with pytest.raises(UserError, match=r"cannot be changed in a run.*evaluate"):
        run.evaluate(overrides=["parts.G.width=8"])


def test_a_metric_goes_through_what_measures_the_model_not_through_what_teaches_it(tmp_path) -> None:
    text = MODEL.replace("  E: ", "  T: extractor.fashion_cnn\n  mse: loss.mse\n  E: ")
    taught = {"players.G.minimize.seen": "mse(T(fake).features, T(real).features)", "train.steps": 2}
    run, _ = train(written(tmp_path, text, **taught).blueprint, tmp_path / "one", plugins.installed(), True)
    (record,) = ganzoo.open(run.path).evaluate(["kid"])
    assert record.protocol["expression"] == "kid(fake, E)"
    taught |= {"parts.F": "extractor.fashion_cnn", "evaluate.values.other": "fid(fake, F)"}
    run, _ = train(written(tmp_path, text, **taught).blueprint, tmp_path / "two", plugins.installed(), True)
    with pytest.raises(UserError, match="the model is measured with several extractors, E, F"):
        ganzoo.open(run.path).evaluate(["kid"])


def test_a_checkpoint_alone_is_evaluated_against_given_data(runs, tmp_path) -> None:
    alone = tmp_path / "model.pt"
    shutil.copy(next((runs[0] / "checkpoints").glob("step_*4.pt")), alone)
    run = ganzoo.open(alone)
    records = run.evaluate(against="fashion_mnist_sample")
    run.keep(records, tmp_path / "records.jsonl")
    run.keep(records)
    (line,) = (tmp_path / "records.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 4 and sorted(p.name for p in tmp_path.iterdir()) == ["model.pt", "records.jsonl"]


def test_resuming_forgets_records_of_later_steps(tmp_path) -> None:
    model = written(tmp_path, MODEL)
    train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    records = RunFolder(tmp_path / "run").evaluated()
    (tmp_path / "run/checkpoints/step_00000004.pt").unlink()
    resume(tmp_path / "run", plugins.installed(), quiet=True)
    assert RunFolder(tmp_path / "run").evaluated() == records


def test_no_failing_metric_ends_a_training(tmp_path, monkeypatch, capsys) -> None:
    def fails(metric: object, fake: torch.Tensor, extractor: torch.nn.Module) -> float:
        raise torch.linalg.LinAlgError("it did not converge")

    monkeypatch.setattr("ganzoo_metrics.fid.Fid.__call__", fails)
    folder, reason = train(written(tmp_path, MODEL).blueprint, tmp_path / "run", plugins.installed(), False)
    assert reason == "finished" and list(folder.checkpoints.glob("step_*4.pt"))
    assert "nothing could be measured at step 2: _LinAlgError: it did not converge" in capsys.readouterr().err


def test_comparing_runs(runs, tmp_path) -> None:
    (row,) = compare(runs)
    assert len(row.values[NAME]) == 2 and row.runs == [str(path) for path in runs]
    mean, spread = row.summary()[NAME]
    assert mean == pytest.approx(sum(row.values[NAME]) / 2) and spread is not None and spread > 0
    (best,) = compare(runs, ["quality"], best=True)
    assert all(b <= v for b, v in zip(best.values[NAME], row.values[NAME], strict=True))
    curves(runs, row.protocols, tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").width > 100
    with pytest.raises(UserError, match=r"no metric 'qualty' \(there are quality\[fashion_cnn\]"):
        compare(runs, ["qualty"])


def test_one_seed_is_no_spread_and_a_step_without_records_is_none(tmp_path, runs) -> None:
    twin = shutil.copytree(runs[0], tmp_path / "twin")
    with pytest.raises(UserError, match=r"run0 and .*twin are the same model with the same seed"):
        compare([runs[0], twin])
    lines = (twin / "evaluations.jsonl").read_text().splitlines(keepends=True)
    (twin / "evaluations.jsonl").write_text(lines[0])
    with pytest.raises(UserError, match="no metric records at its last checkpoint, of step 4"):
        compare([twin])


def test_runs_that_differ_in_what_trains_them_are_no_seeds_of_one_model() -> None:
    def hashed(**overrides) -> str:
        model = ganzoo.load("dcgan/fashion_mnist_sample", overrides)
        return subject("m", locked(model.blueprint), 0)["config"]

    plain = hashed()
    assert plain == hashed(**{"train.seed": 7, "parts.fid": "metric.fid"})
    assert len({plain, hashed(**{"optimizer.lr": 1e-5}), hashed(**{"players.G.ema": 0.9})}) == 3
    content = {"parts.E": "extractor.fashion_cnn"}
    seen = {**content, "parts.mse": "loss.mse", "players.G.minimize.seen": "mse(E(fake).features, E(real).features)"}
    assert hashed(**content) == plain != hashed(**seen)


def test_a_metric_is_called_as_its_parameters_are_named_and_says_what_it_lacks(runs) -> None:
    run = ganzoo.open(runs[0])
    with pytest.raises(UserError, match=r"psnr compares each sample with the image.*, and fake has none"):
        run.evaluate(["psnr"])
    with pytest.raises(UserError, match=r"needs generator, .*'path_length\(generator, z, extractor\)'"):
        run.evaluate(["path_length"])
    with pytest.raises(UserError, match=r"command line.*path_length takes .*missing a required argument: 'z'"):
        run.evaluate(overrides=["evaluate.values.p=path_length(generator=G)", "parts.path_length=metric.path_length"])


PAIRED = """
data:
  use: data.random
  count: 40
  fields: {low: {kind: image, shape: [3, 16, 16]}, real: {kind: image, shape: [3, 16, 16]}}
parts:
  G: {use: generator.unet, width: 4, like: real, eval_dropout: true, init_scale: 0.5}
  l1: loss.l1
  mae: metric.mae
flow: {fake: "G(low)"}
players: {G: {minimize: {near: "l1(fake, real)"}}}
optimizer: optimizer.adam
evaluate: {every: 2, n: 20, values: {error: "mae(fake, real)"}}
train: {steps: 2, batch: 4, precision: fp32}
"""


def test_pairs_are_of_the_data_that_the_record_names(tmp_path) -> None:
    train(written(tmp_path, PAIRED).blueprint, tmp_path / "run", plugins.installed(), True)
    run = ganzoo.open(tmp_path / "run")
    (record,) = run.evaluate()
    assert record.protocol["inputs"]["data"] == "data.random" and len(record.protocol["inputs"]["fingerprint"]) > 8
    assert record == run.evaluate()[0]
    assert record.values != run.evaluate(seed=1)[0].values, "dropout follows the seed"
    with pytest.raises(UserError, match=r"mae\(fake, real\) reads low, real of the model's own data"):
        run.evaluate(against="held_out")


def test_metrics_say_what_they_cannot_measure(runs) -> None:
    run = ganzoo.open(runs[0])
    assert list(run.evaluate(["metric.fid"])[0].values) == ["metric_fid[fashion_cnn]"]
    with pytest.raises(UserError, match=r"precision_recall\(fake, E\): .*neighbours"):
        run.evaluate(["precision_recall"], n=3)


def test_a_metric_that_fails_does_not_end_training(tmp_path, capsys) -> None:
    model = written(
        tmp_path, MODEL, parts__pr="metric.precision_recall", evaluate__n=3, evaluate__values__pr="pr(fake, E)"
    )
    train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    assert "nothing could be measured at step 4" in capsys.readouterr().err
    assert not RunFolder(tmp_path / "run").evaluated() and list((tmp_path / "run/checkpoints").glob("*4.pt"))


def test_a_label_that_is_not_asked_for_is_no_argument(tmp_path) -> None:
    fields = "real: {kind: image, shape: [1, 28, 28]}, label: {kind: label, classes: [cat, dog]}"
    text = MODEL.replace("real: {kind: image, shape: [1, 28, 28]}", fields)
    train(written(tmp_path, text).blueprint, tmp_path / "run", plugins.installed(), True)
    with pytest.raises(UserError, match="needs label, which fake does not depend on"):
        ganzoo.open(tmp_path / "run").evaluate(["intra_fid"])


def test_other_code_is_refused_and_records_from_before_it_was_hashed_are_not(tmp_path, runs) -> None:
    def changed(index: int, change) -> Path:
        folder = shutil.copytree(runs[index], tmp_path / f"{index}_{len(list(tmp_path.iterdir()))}")
        records = RunFolder(folder).evaluated()
        for record in records:
            change(record["protocol"])
        (folder / "evaluations.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        return folder

    other = changed(1, lambda protocol: protocol["code"].update({"metric.fid": "0" * 16}))
    with pytest.raises(UserError, match=r"code.metric.fid is .* and \"0000000000000000\" .*--across code"):
        compare([runs[0], other])
    assert len(compare([runs[0], other], across=["code"])[0].runs) == 2
    old = changed(1, lambda protocol: protocol.pop("code"))
    assert len(compare([runs[0], old])[0].runs) == 2


def test_unlike_protocols_are_refused_with_the_difference(tmp_path, runs) -> None:
    folders = []
    for index, path in enumerate(runs):
        folders.append(shutil.copytree(path, tmp_path / str(index)))
        (folders[-1] / "evaluations.jsonl").unlink()
    for folder, n in zip(folders, (30, 40), strict=True):
        run = ganzoo.open(folder)
        run.keep(run.evaluate(n=n))
    with pytest.raises(UserError, match=r"cannot be compared: n_fake is 30 and 40 .*--across n_fake"):
        compare(folders)
    assert len(compare(folders, across=["n_fake"])[0].runs) == 2
    run = ganzoo.open(folders[1])
    run.keep(run.evaluate(n=30))
    (row,) = compare(folders)
    assert row.values[NAME][1] == run.evaluate(n=30)[0].values[NAME], "a protocol that all have is chosen"
    (folders[0] / "evaluations.jsonl").unlink()
    with pytest.raises(UserError, match=r"has no metric records.*ganzoo evaluate"):
        compare(folders)


def test_from_the_command_line(runs, capsys, monkeypatch) -> None:
    def command(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["ganzoo", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        return f"{ended.value.code} {''.join(capsys.readouterr())}"

    before = len(RunFolder(runs[0]).evaluated())
    told = command("evaluate", runs[0], "--n", "35")
    assert told.startswith("0 quality[fashion_cnn]  ") and "35 samples against 80 of data.random (train)" in told
    assert len(RunFolder(runs[0]).evaluated()) == before + 1
    assert "quality[fashion_cnn]" in command("compare", *runs)
    assert command("evaluate", runs[0], "--metrics", "nothing").startswith("2 error: there is no component")
    assert command("compare", "nowhere").startswith("2 error: nowhere has no metric records")


def test_labels_come_from_what_is_measured_against() -> None:
    """Not from the run's own data, which need not be here; the record says from where."""
    images, labels = torch.rand(40, 1, 28, 28) * 2 - 1, torch.arange(40) % 10
    model = {
        "extends": "cgan/fashion_mnist_sample",
        "train": {"steps": 2, "batch": 4, "precision": "fp32"},
        "evaluate": {"values": None, "n": 20},
        "plugins": {"tensorboard": False},
    }
    blueprint = ganzoo.load(model, data=(images, labels)).blueprint
    values = [Value("x", "G(z, label)", parse("G(z, label)"), Origin("test"), "x")]
    assert _inputs(blueprint, values)[1]["data"] == "data.given"
    blueprint.reference = Reference(FashionMnistSample("test"), "data.fashion_mnist_sample", "train")
    blueprint.spec.against = blueprint.spec.data
    given, described = _inputs(blueprint, values)
    assert described["data"] == "data.fashion_mnist_sample" and len(given["label"]) == 20


@pytest.mark.parametrize("n", [1, 64, 65, 150])
def test_chunks_are_put_into_one_tensor(n: int) -> None:
    rows = torch.randn(n, 3)
    whole: Any = None
    for start in range(0, n, 64):
        piece = rows[start : start + 64]
        output = Scales([piece, piece.repeat_interleave(2, 0)]), torch.tensor(1.0), "text"
        whole = stored(whole, output, start, len(piece), n)
    (one, two), number, text = whole
    assert torch.equal(one, rows) and torch.equal(two, rows.repeat_interleave(2, 0)) and type(whole[0]) is Scales
    assert number.item() == 1.0 and text == "text"
