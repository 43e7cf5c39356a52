"""Published models: what is written, what is refused, and that nothing is half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.evaluation import records
from ganzoo.run import card, publish
from ganzoo.store import published
from ganzoo.store.published import Published

SMALL = {"train.steps": 3, "train.batch": 8, "evaluate.n": 50}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    more = {"parts.G.width": 8, "parts.D.width": 8, "train.checkpoint_every": 2, "train.keep.last": 2}
    folder = tmp_path_factory.mktemp("clothes") / "run"
    return ganzoo.load("cgan/fashion_mnist_sample", SMALL | more).train(folder, quiet=True)


@pytest.fixture(scope="module")
def made(run) -> Path:
    return run.save_pretrained(run.path.parent / "model")


def test_samples_are_those_of_the_run_within_half_precision(run, made: Path) -> None:
    opened = ganzoo.open(made)
    assert (opened.name, opened.step) == (run.name, 3)
    ours, theirs = opened.sample(4, label="sneaker"), run.sample(4, label="sneaker")
    assert not torch.equal(ours, theirs)
    assert torch.allclose(ours, theirs, atol=5e-3)
    whole = run.save_pretrained(made.parent / "whole", metrics=None, precision="fp32")
    assert torch.equal(ganzoo.open(whole).sample(4, label=7), theirs)
    assert "evaluations.jsonl" not in {path.name for path in whole.iterdir()}


def test_int8_is_within_half_a_step_of_each_output(run, made: Path) -> None:
    coarse = run.save_pretrained(made.parent / "coarse", metrics=None, precision="int8")
    fine = ganzoo.open(run.path).part("G").state_dict()
    found, tensors = ganzoo.open(coarse).part("G").state_dict(), load_file(coarse / "model.safetensors")
    assert {t.dtype for t in tensors.values()} >= {torch.int8, torch.float32}
    for name, tensor in fine.items():
        step = tensors.get(f"G.{name}|step", torch.tensor(1e-9))
        large = tensor.abs().amax() * 6e-4 if f"G.{name}|step" not in tensors else 0
        assert ((found[name] - tensor).abs() <= step * 0.5001 + large).all(), name
    assert Published.at(coarse).bytes < 0.7 * Published.at(made).bytes
    with pytest.raises(UserError, match="there is no precision 'fp8'"):
        run.save_pretrained(made.parent / "no", precision="fp8")


def test_only_what_is_needed_is_written_and_averaged(run, made: Path) -> None:
    tensors = load_file(made / "model.safetensors")
    assert {key.partition(".")[0] for key in tensors} == {"G"}
    averages = ganzoo.open(run.path).part("G").state_dict()
    raw = ganzoo.open(run.path, raw=True).part("G").state_dict()
    name, tensor = next((k, t) for k, t in tensors.items() if t.dtype == torch.float16)
    own = averages[name.removeprefix("G.")]
    assert torch.equal(tensor, own.half())
    assert not torch.equal(own, raw[name.removeprefix("G.")])
    assert {t.dtype for t in tensors.values() if t.ndim < 2 and t.is_floating_point()} == {torch.float32}
    opened = ganzoo.open(made)
    with pytest.raises(UserError, match="was published without D, which this needs"):
        opened.compute("D(join(fake, maps(code, fake)))", n=2)
    with pytest.raises(UserError, match="averaged weights; there are no others"):
        ganzoo.open(made, raw=True)


def test_the_numbers_are_those_of_the_written_weights(made: Path) -> None:
    (record,) = Published.at(made).records
    (again,) = ganzoo.open(made).evaluate()
    assert record["values"] == again.values
    assert record["protocol"] == again.protocol
    assert record["weights"] == Published.at(made).header["weights"]["sha256"]
    assert f"{next(iter(again.values.values())):.5g}" in (made / "README.md").read_text()


def test_parts_start_from_it_and_it_cannot_be_resumed(made: Path) -> None:
    narrow = {"parts.G.width": 8, "parts.D.width": 8, "parts.G.init": str(made)}
    model = ganzoo.load("cgan/fashion_mnist_sample", SMALL | narrow)
    from ganzoo.run import warm

    parts = model.blueprint.build("cpu")
    (line,) = warm.start(model.spec, parts)
    assert "not matched" not in line
    started, stored = parts["G"].state_dict(), ganzoo.open(made).part("G").state_dict()
    assert all(torch.equal(started[name], tensor) for name, tensor in stored.items())
    with pytest.raises(UserError, match="published model, which holds nothing to go on from"):
        ganzoo.resume(made)


def test_it_is_published_again_in_less_precision_only(made: Path) -> None:
    opened, before = ganzoo.open(made), Published.at(made)
    again = Published.at(opened.save_pretrained(made.parent / "again", precision="int8"))
    tensors = load_file(again.path / "model.safetensors")
    for name, tensor in opened.part("G").state_dict().items():
        if (step := tensors.get(f"G.{name}|step")) is not None:
            assert ((tensors[f"G.{name}"] * step - tensor).abs() <= step * 0.5001).all(), name
    about = before.header["weights"] | {"precision": "int8"}
    assert again.header == before.header | {
        "weights": about | {k: again.header["weights"][k] for k in ("sha256", "bytes")}
    }
    assert again.bytes < 0.7 * before.bytes
    assert [record["weights"] for record in again.records] == [again.header["weights"]["sha256"]]
    assert {path.name for path in again.path.iterdir()} == {path.name for path in made.iterdir()}
    with pytest.raises(UserError, match="is in int8, which fp16 cannot improve"):
        ganzoo.open(again.path).save_pretrained(made.parent / "worse")
    replaced = ganzoo.open(again.path).save_pretrained(again.path, None, replace=True, precision="int8")
    assert load_file(replaced / "model.safetensors").keys() == tensors.keys()


def test_what_may_not_be_published_is_refused_and_leaves_nothing(run, tmp_path: Path) -> None:
    early = ganzoo.open(run.path / "checkpoints" / "step_00000002.pt")
    assert early.step == 2
    assert publish.finished(early, 3)  # its run went on to the end
    assert not publish.finished(early, 4)
    out = CliRunner().invoke(
        app, ["publish", str(run.path), "--out", str(tmp_path / "zoo"), "--licence", "CC-BY-ND-4.0"]
    )
    assert "allows no works made from it" in str(out.exception)
    assert list(tmp_path.iterdir()) == []
    facts = run.spec.data.entry.facts
    known = facts.pop("licence")
    try:
        with pytest.raises(UserError, match=r"nobody says under which licence data\.fashion_\w+ is .*--licence"):
            run.save_pretrained(tmp_path / "model")
        told = Published.at(run.save_pretrained(tmp_path / "model", metrics=None, licence="CC-BY-4.0"))
    finally:
        facts["licence"] = known
    assert told.header["data"] | {"licence": "CC-BY-4.0", "told": True} == told.header["data"]


def test_unfinished_runs_and_taken_folders(tmp_path: Path) -> None:
    run = ganzoo.load("gan/circle", SMALL).train(tmp_path / "run", quiet=True)
    header = run.checkpoint.header
    run.spec.phases[next(iter(run.spec.phases))].steps = 9
    with pytest.raises(UserError, match=r"was trained for 3 of 9 steps .*resume"):
        publish.prepare(run)
    assert publish.prepare(run, unfinished=True).header["steps"] == 9
    assert header["session"]
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    ready = publish.prepare(run, unfinished=True)
    with pytest.raises(UserError, match="is not empty"):
        publish.write(ready, tmp_path / "taken")
    made = publish.write(ready, tmp_path / "model", metrics=None)
    with pytest.raises(UserError, match=r"already holds gan/circle .--replace"):
        publish.write(ready, tmp_path / "model")
    before = (tmp_path / "model" / "config.json").read_bytes()
    with pytest.raises(UserError, match="nothing_such"):
        publish.write(ready, tmp_path / "model", metrics=["nothing_such"], replace=True)
    assert (tmp_path / "model" / "config.json").read_bytes() == before
    assert publish.write(ready, tmp_path / "model", replace=True).values
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run", "taken"]
    assert made.bytes == (tmp_path / "model" / "model.safetensors").stat().st_size


def test_several_runs_are_published_all_or_none(run, tmp_path: Path) -> None:
    out = tmp_path / "zoo"
    invoke = CliRunner().invoke
    done = invoke(app, ["publish", str(run.path), str(run.path), "--out", str(out), "--no-evaluate"])
    assert "several runs are of cgan/fashion_mnist_sample" in str(done.exception)
    assert not out.exists()
    done = invoke(app, ["publish", str(run.path), "--out", str(out), "--no-evaluate", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["name"] == "cgan/fashion_mnist_sample"
    assert published.is_one(out / "cgan" / "fashion_mnist_sample")


def test_places_on_the_training_machine_stay_there(run) -> None:
    config = {"data": {"root": "/home/someone/photos", "use": "data.image_folder"}, "parts": {"G": {"init": "/x/y.pt"}}}
    plain = publish.portable(config)
    assert plain == {"data": {"root": "photos", "use": "data.image_folder"}, "parts": {"G": {"init": "y.pt"}}}
    assert config["data"]["root"].startswith("/home")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("srgan/srresnet_photos", "compute MODEL sr lr=FILE"),
        ("denoising/fashion_mnist_sample", "compute MODEL denoised noisy=FILE"),
        ("pix2pix/openmoji", "compute MODEL fake line=FILE"),
        ("cyclegan/openmoji", "compute MODEL fake_b real_a=FILE"),
        ("stackgan/openmoji", "sample MODEL text='a caption'"),
        ("cgan/fashion_mnist_sample", "sample MODEL label='t-shirt'"),
        ("gan/circle", "sample MODEL\n"),
    ],
)
def test_the_card_says_what_to_give(model: str, said: str, tmp_path: Path) -> None:
    loaded = ganzoo.load(model)
    weights = {"parts": ["G"], "left_out": [], "averaged": [], "precision": "fp16", "bytes": 1, "sha256": "0"}
    header = {
        **{"name": model, "step": 1, "steps": 1, "ganzoo": "0", "weights": weights, "config": loaded.locked()},
        "data": {"use": "d", "licence": "MIT", "credit": "", "told": False},
        "trained": {"seconds": 1, "device": "cpu", "torch": "2"},
    }
    assert said in card.text(Published(tmp_path, header), loaded.spec)


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({}, ""),
        ({"n_real": 67}, "67"),  # a metric that brings its own rows
        ({"n_real": 67, "field": "real", "split": "test"}, "67 (test)"),
        ({"n_real": 2000, "real": "real", "split": "test"}, "2000 of real (test)"),
    ],
)
def test_what_was_compared_with_is_said_as_far_as_a_metric_says_it(protocol: dict[str, Any], said: str) -> None:
    assert records.against(protocol) == said
    assert records.in_words({"n_fake": 9, "seed": 0} | protocol) == f"9 samples{said and f' against {said}'}, seed 0"


@pytest.mark.parametrize("what", ["cut", "other", "json", "newer", "nan"])
def test_damaged_ones_get_one_message(made: Path, tmp_path: Path, what: str) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    if what == "cut":
        weights.write_bytes(weights.read_bytes()[:-9])
    elif what == "other":
        config.write_text(json.dumps({"model_type": "bert"}))
    elif what == "json":
        config.write_text(config.read_text()[:-30])
    elif what == "newer":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 99}))
    else:
        tensors = {name: tensor.clone() for name, tensor in load_file(weights).items()}
        next(tensor for tensor in tensors.values() if tensor.is_floating_point()).fill_(torch.nan)
        published.write(tmp_path, json.loads(config.read_text()), tensors)
    said = {"cut": "is damaged", "newer": "upgrade ganzoo", "nan": "not finite"}.get(
        what, "does not describe a model of ganzoo"
    )
    with pytest.raises(UserError, match=said):
        ganzoo.open(tmp_path)
