"""What a run leaves behind, and what happens when it is stopped."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.store.files import atomic
from ganzoo.store.folder import RunFolder
from tests.zoo import written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, modes: metric.modes}
players: {G: {ema: 0.9}}
show: {n: 20}
evaluate: {every: 4, n: 30, values: {modes: modes(fake)}}
train: {batch: 8, steps: 10, checkpoint_every: 2, sample_every: 5}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    path, reason = train(
        written(folder, POINTS, plugins__tensorboard=True, train__sample_every=5).blueprint,
        folder / "run",
        plugins.installed(),
        True,
    )
    assert reason == "finished"
    return path


def test_the_folder_holds_everything(run) -> None:
    names = {p.name for p in run.path.iterdir()}
    assert names == {
        *("config.yaml", "locked.yaml", "environment.json", "metrics.jsonl", "evaluations.jsonl"),
        *("samples", "checkpoints", "report.html", "status.json", "tensorboard"),
    }
    assert sorted(p.name for p in run.samples.iterdir()) == [
        *("step_00000000.png", "step_00000005.png", "step_00000010.png", "summary.json")
    ]
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    records = run.records()
    assert [r["step"] for r in records if "epoch" in r] == [2, 4, 6, 8, 10]
    assert [r["step"] for r in records if "diversity" in r] == [5, 10]
    assert [r["step"] for r in records if "evaluation" in r] == [4, 8, 10]
    assert set(records[0]) >= {"D.adversarial", "G.adversarial", "D.lr", "G.lr", "epoch", "seconds"}


def test_the_report_shows_curves_pictures_equations_and_protocol(run) -> None:
    page = (run.path / "report.html").read_text()
    for piece in ("<svg", "data:image/", "fake = G(z)", "adv.d(D(real), D(fake))", "finished; step 10"):
        assert piece in page, piece
    for piece in ("modes.hit", "radius", "out_shape", "torch"):
        assert piece in page, piece
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", ""), "it fetches nothing"


def test_tensorboard_can_read_it(run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [e.step for e in events.Scalars("D/adversarial")] == [2, 4, 6, 8, 10]
    assert len(events.Images("samples")) == 3


def test_pictures_show_the_same_noise_all_run_long(run) -> None:
    assert Image.open(run.samples / "step_00000000.png").size == Image.open(run.samples / "step_00000010.png").size


LABELLED = """
data:
  use: data.random
  count: 60
  fields:
    real: {kind: image, shape: [1, 8, 8], range: [0, 1]}
    label: {kind: label, classes: 3}
parts: {C: op.one_hot, l1: loss.l1, maps: op.maps, G: {use: generator.mlp, hidden: [8]}}
flow: {fake: "G(C(label))", told: "maps(C(label), real)"}
players: {G: {minimize: {a: "l1(fake, real)"}}}
optimizer: optimizer.adam
show: {values: [told], n: 12, rows: label}
train: {batch: 8, steps: 1, sample_every: 1}
"""


def test_a_picture_has_a_row_of_each_class(tmp_path) -> None:
    """The one-hot label as a picture of three colours: a row of each."""
    folder, _ = train(written(tmp_path, LABELLED, show__n=12).blueprint, tmp_path / "run", plugins.installed(), True)
    seen = Image.open(folder.samples / "step_00000001.png").convert("RGB")
    assert seen.size == (4 * 34 + 2, 3 * 34 + 2)
    tops = [[seen.getpixel((34 * column + 10, 34 * row + 10)) for column in range(4)] for row in range(3)]
    assert all(len(set(row)) == 1 for row in tops) and len({row[0] for row in tops}) == 3


def test_the_images_across_a_picture_can_be_set(tmp_path) -> None:
    text = LABELLED.replace("rows: label", "across: 6")
    folder, _ = train(written(tmp_path, text, show__n=12).blueprint, tmp_path / "run", plugins.installed(), True)
    assert Image.open(folder.samples / "step_00000001.png").size == (6 * 34 + 2, 2 * 34 + 2)


@pytest.mark.parametrize(("show", "says"), [("rows: real", "no label 'real'"), ("across: 0", "at least 1")])
def test_rows_that_cannot_be_are_refused(show, says, tmp_path) -> None:
    text = LABELLED.replace("rows: label", show)
    with pytest.raises(UserError, match=says):
        written(tmp_path, text).check()


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (1, [10]),
        ({"last": 2}, [8, 10]),
        ({"last": 1, "every": 4}, [4, 8, 10]),
        ({"last": 100}, [2, 4, 6, 8, 10]),
    ],
)
def test_checkpoints_are_kept_as_asked(keep, kept, tmp_path) -> None:
    folder, _ = train(
        written(tmp_path, POINTS, train__keep=keep).blueprint, tmp_path / "run", plugins.installed(), True
    )
    assert [int(p.stem.removeprefix("step_")) for p in checkpoint.every(folder)] == kept


def test_the_best_checkpoint_is_kept_and_can_be_opened(tmp_path) -> None:
    model = written(
        tmp_path, POINTS, train__keep={"last": 1, "best": "G.adversarial", "mode": "min"}, train__log_every=1
    )
    folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    records = [r for r in folder.records() if "epoch" in r]
    best = min(records, key=lambda r: r["G.adversarial"])
    index = json.loads((folder.checkpoints / "index.json").read_text())
    assert index["best"] == checkpoint.name(best["step"])
    assert index["value"] == pytest.approx(best["G.adversarial"])
    assert ganzoo.open(folder.path, which="best").step == best["step"]
    assert ganzoo.open(folder.path).step == 10


def test_whether_more_is_better_is_what_the_metric_says(tmp_path) -> None:
    text = """
data: {use: data.random, count: 40, fields: {real: {kind: image, shape: [3, 16, 16]}}}
parts: {psnr: metric.psnr, mae: metric.mae}
evaluate: {every: 1, n: 8, values: {psnr: "psnr(fake, real)", mae: "mae(fake, real)"}}
"""
    text = "extends: base/images.yaml\n" + text.replace("parts: {", "parts: {G: {width: 4}, D: {width: 4}, ")
    for name, best in (("psnr", max), ("mae", min)):
        (tmp_path / name).mkdir()
        model = written(tmp_path / name, text, train__keep={"best": name}, train__steps=4, train__batch=8)
        folder, _ = train(model.blueprint, tmp_path / name / "run", plugins.installed(), True)
        found = [r["values"][name] for r in folder.evaluated() if name in r["values"]]
        assert len(found) == 4 and min(found) < max(found)
        assert json.loads((folder.checkpoints / "index.json").read_text())["value"] == best(found)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, monkeypatch, capsys) -> None:
    from ganzoo.train.loop import Trainer

    advance = Trainer.advance

    def interrupted(self):
        if self.step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(self)

    monkeypatch.setattr(Trainer, "advance", interrupted)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is started without
    model = written(tmp_path, POINTS, train__checkpoint_every=100)
    folder, reason = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    assert reason == "interrupted"
    assert checkpoint.load(checkpoint.locate(folder.path)).step == 7
    assert "stopping after this step" in capsys.readouterr().err
    assert "interrupted; step 7" in (folder.path / "report.html").read_text()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_taken_folder_is_refused_before_anything_is_written(tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("do not lose me")
    with pytest.raises(UserError, match="is not empty"):
        train(written(tmp_path, POINTS).blueprint, tmp_path / "run", plugins.installed(), True)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_failing_write_leaves_the_old_file(tmp_path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as file:
        file.write(b"half of the n")
        raise RuntimeError("disk full")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_plugin_that_fails_in_a_hook_does_not_stop_training(tmp_path, capsys) -> None:
    plugin = tmp_path / "noisy.py"
    plugin.write_text(
        """
import ganzoo

@ganzoo.hookimpl
def on_step(step):
    raise OSError("the logging server is down")
"""
    )
    from ganzoo import api

    registry = plugins.discover()
    plugins.add_file(registry, plugin)
    (tmp_path / "m.yaml").write_text(POINTS)
    model = api.Model(tmp_path / "m.yaml", {"plugins.tensorboard": False, "train.log_every": 2}, registry)
    _, reason = train(model.blueprint, tmp_path / "run", registry, True)
    assert reason == "finished"
    assert capsys.readouterr().err.count("the logging server is down") == 1


def test_metrics_lines_cut_short_by_a_crash_are_left_out(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.log({"step": 1})
    folder.log({"step": 2})
    with folder.metrics.open("a") as file:
        file.write('{"step": 3, "D.adv')
    assert [r["step"] for r in folder.records()] == [1, 2]
    folder.cut_back(1)
    assert [r["step"] for r in folder.records()] == [1]


class TestWarmStart:
    def source(self, tmp_path):
        folder, _ = train(written(tmp_path, POINTS).blueprint, tmp_path / "source", plugins.installed(), True)
        return folder.path

    def test_copies_what_fits_and_reports_the_rest(self, tmp_path, capsys) -> None:
        source = self.source(tmp_path)
        text = POINTS.replace("G: {hidden: [8]}", f"G: {{hidden: [8, 8], init: '{source}'}}").replace(
            "steps: 10", "steps: 1"
        )
        model = written(tmp_path, text, optimizer__lr=1e-12)
        folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed())
        report = capsys.readouterr().err
        assert "tensors from" in report
        assert "not matched here" in report
        mine, theirs = ganzoo.open(folder.path, raw=True), ganzoo.open(source)
        assert torch.allclose(mine.parts["G"].net[0].weight, theirs.parts["G"].net[0].weight, atol=1e-6)

    def test_another_part_can_be_named(self, tmp_path) -> None:
        source = self.source(tmp_path)
        model = written(
            tmp_path, POINTS.replace("steps: 10", "steps: 1"), parts__D__init=f"{source}:D", optimizer__lr=1e-12
        )
        folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
        mine, theirs = ganzoo.open(folder.path), ganzoo.open(source)
        assert torch.allclose(mine.parts["D"].head.weight, theirs.parts["D"].head.weight, atol=1e-6)

    def test_what_a_layer_keeps_beside_tensors_stays_where_it_is(self, tmp_path, capsys) -> None:
        normal = POINTS.replace(
            "G: {hidden: [8]}", "G: {hidden: [8, 8], norm: batch, with: {vbn: regularizer.virtual_batch_norm}}"
        )
        source, _ = train(written(tmp_path, normal).blueprint, tmp_path / "source", plugins.installed(), True)
        model = written(tmp_path, normal, parts__G__init=str(source.path), train__steps=1, optimizer__lr=1e-12)
        folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed())
        report = capsys.readouterr().err
        assert "tensors from" in report
        assert "not matched here" not in report
        mine, theirs = (ganzoo.open(path, raw=raw) for path, raw in ((folder.path, True), (source.path, False)))
        for one, other in zip(mine.parts["G"].parameters(), theirs.parts["G"].parameters(), strict=True):
            assert torch.allclose(one, other, atol=1e-6)

    @pytest.mark.parametrize(
        ("init", "message"),
        [("nowhere", "there is no run or checkpoint"), ("{source}:E", "has no part 'E'")],
    )
    def test_what_cannot_be_read_is_refused_and_nothing_is_written(self, init, message, tmp_path) -> None:
        source = self.source(tmp_path)
        model = written(tmp_path, POINTS, parts__G__init=init.format(source=source))
        with pytest.raises(UserError, match=message):
            train(model.blueprint, tmp_path / "run", plugins.installed(), True)
        assert not (tmp_path / "run").exists()


def test_a_warm_start_reaches_the_averages(tmp_path) -> None:
    source, _ = train(written(tmp_path, POINTS).blueprint, tmp_path / "source", plugins.installed(), True)
    settings = {"parts.G.init": str(source.path), "players.G.ema": 0.999, "train.steps": 1, "optimizer.lr": 1e-12}
    model = written(tmp_path, POINTS, **{k.replace(".", "__"): v for k, v in settings.items()})
    folder, _ = train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    averaged, theirs = ganzoo.open(folder.path), ganzoo.open(source.path)
    for mine, other in zip(averaged.parts["G"].parameters(), theirs.parts["G"].parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


def test_an_older_checkpoint_can_be_gone_on_from(tmp_path) -> None:
    settings = {"train__steps": 6, "train__checkpoint_every": 2, "train__keep": {"last": 3}}
    folder, _ = train(written(tmp_path, POINTS, **settings).blueprint, tmp_path / "run", plugins.installed(), True)
    last = checkpoint.load(folder.checkpoints / "step_00000006.pt").state
    resume(folder.checkpoints / "step_00000002.pt", plugins.installed(), quiet=True)
    assert torch.equal(
        last["parts"]["G"]["net.0.weight"],
        checkpoint.load(checkpoint.locate(folder.path)).state["parts"]["G"]["net.0.weight"],
    )
    assert (folder.checkpoints / "step_00000006.pt.old").exists()
    stray = tmp_path / "stray.pt"
    stray.write_bytes((folder.checkpoints / "step_00000002.pt").read_bytes())
    with pytest.raises(UserError, match="does not lie in a run folder"):
        resume(stray, plugins.installed(), quiet=True)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) // 2], "cut short"),
        (
            lambda data: data[: len(data) // 2] + b"x" * 128 + data[len(data) // 2 + 128 :],  # more than padding
            "checksums|short|more than",
        ),
        (lambda data: b"no zip at all", "cut short, or another file"),
    ],
    ids=["cut", "flipped", "text"],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage, says) -> None:
    folder, _ = train(written(tmp_path, POINTS).blueprint, tmp_path / "run", plugins.installed(), True)
    path = checkpoint.locate(folder.path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=says):
        checkpoint.load(path)


def test_runs_that_start_at_once_take_folders_of_their_own(tmp_path) -> None:
    first = RunFolder.claim(None, "a/b", tmp_path)
    assert [first.name, RunFolder.claim(None, "a/b", tmp_path).name] == ["a-b-001", "a-b-002"]


def test_a_run_that_cannot_start_leaves_nothing(tmp_path) -> None:
    model = written(tmp_path, POINTS, parts__G__init=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"command|override"):
        train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    assert not (tmp_path / "run").exists()


def test_the_first_samples_do_not_depend_on_how_many_there_are(tmp_path) -> None:
    folder, _ = train(written(tmp_path, POINTS).blueprint, tmp_path / "run", plugins.installed(), True)
    run = ganzoo.open(folder.path)
    assert torch.allclose(run.sample(4), run.sample(20)[:4], atol=1e-5)
    with pytest.raises(UserError, match="does not depend on real"):
        run.sample(4, real=torch.zeros(4, 2))
    with pytest.raises(UserError, match="should be a whole number"):
        run.sample(0)
    logit = run.compute("D(real)", real=torch.zeros(5, 2, dtype=torch.float64))
    assert logit.logit.shape == (5,)


@pytest.mark.parametrize("text", ["1e-4", "1e5", ".5e3", "yes", "012", "null", "1_000", "~", "0x1f", "2020-01-01"])
def test_texts_that_look_like_something_else_read_back(text, tmp_path) -> None:
    from ganzoo.config.yaml12 import read_file
    from ganzoo.store.files import dump_yaml

    path = tmp_path / "m.yaml"
    path.write_text(dump_yaml({"a": text, "b": [text], "c": 1e-5, "d": 1e20, "e": None, "f": True}))
    expected = {"a": text, "b": [text], "c": 1e-5, "d": 1e20, "e": None, "f": True}
    assert read_file(path, []).plain() == expected
