"""Loggers follow runs, each into its own store, and never end one.

Weights & Biases, MLflow and trackio are tested where they are installed, without a network.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganzoo_loggers.follow import Follow

import ganzoo
from ganzoo import api, config
from ganzoo.errors import UserError
from ganzoo.registry import Plugin, Registry, plugins
from ganzoo.registry.hookspecs import RunHooks
from ganzoo.run.events import RunInfo
from ganzoo.run.start import resume
from tests.core.helpers import extended

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, modes: metric.modes}
players: {G: {ema: 0.9}}
show: {n: 20}
evaluate: {every: 4, n: 30, values: {modes: modes(fake)}}
train: {batch: 8, steps: 4, log_every: 2, checkpoint_every: 4, sample_every: 4}
"""
PACKAGES = ("wandb", "mlflow", "trackio")
HOOKS = [name for name in vars(RunHooks) if name.startswith("on_")]


def trained(folder: Path, options: dict[str, Any], registry: Registry | None = None, quiet: bool = True) -> Path:
    (folder / "m.yaml").write_text(POINTS)
    settings = {"plugins.tensorboard": False, **options}
    path, reason = api.Model(folder / "m.yaml", settings, registry or plugins.installed()).run(folder / "run", quiet)
    assert reason == "finished"
    return path.path


class Kept:
    """A sink that keeps all that it is told."""

    def __init__(self, run: Any, step: int, options: dict[str, Any]):
        self.options, self.told = options, [("open", step)]

    def __getattr__(self, method: str) -> Callable[..., None]:
        def tell(*what: Any) -> None:
            print("printed by the logger")
            self.told.append((method, *what))

        return tell


def following(*followers: Any) -> Registry:
    """A registry with more plugins that follow runs."""
    registry = extended(plugins.installed(), {})
    for follower in followers:
        registry.plugins.append(Plugin(follower.__name__, "testing", "1"))
        registry.modules.append(follower)
    return registry


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Kept]:
    """A run that one sink followed with histograms; another, which nobody asked for, did not."""
    sinks: list[Kept] = []

    def sink(*given: Any) -> Kept:
        sinks.append(Kept(*given))
        return sinks[-1]

    def never(*given: Any) -> Any:
        raise AssertionError("nobody asked")

    registry = following(Follow("kept", sink, ("place",)), Follow("never", never))
    options = {"plugins.kept": {"place": "here", "histograms": True}}
    folder = trained(tmp_path_factory.mktemp("followed"), options, registry)
    (found,) = sinks
    return folder, found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same run with loggers whose packages are not installed, and what was said."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said):
        for name in PACKAGES:
            patch.setitem(sys.modules, name, None)
        folder = trained(tmp_path_factory.mktemp("alone"), {f"plugins.{name}": True for name in PACKAGES})
    return folder, said.getvalue()


def test_a_follower_tells_its_sink_everything(followed: tuple[Path, Kept]) -> None:
    told = followed[1].told
    assert followed[1].options == {"place": "here"}
    assert [t[0] for t in told[:2]] == ["open", "text"]
    assert "adversarial: adv.g(D(fake), D(real))" in told[1][2]
    numbers = [t for t in told if t[0] == "numbers"]
    assert [t[2] for t in numbers if "G/adversarial" in t[1]] == [2, 4]
    assert [t[2] for t in numbers if "evaluation/modes.hit" in t[1]] == [4]
    assert [t[2] for t in told if t[0] == "picture"] == [0, 4]
    assert told[-1][:2] == ("close", "finished")
    assert {"G/adversarial", "evaluation/modes.hit"} <= set(told[-1][2])


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]


def test_histograms_are_of_the_gradients_whose_norms_are_logged(followed: tuple[Path, Kept]) -> None:
    folder, sink = followed
    spread = {(t[1], t[3]): t[2] for t in sink.told if t[0] == "histogram"}
    assert set(spread) == {(f"{name}/gradients", step) for name in "GD" for step in (2, 4)}
    logged = [record for record in records(folder) if "G.gradient" in record]
    assert [record["step"] for record in logged] == [2, 4]
    for record in logged:
        for name in "GD":
            norm = np.linalg.norm(spread[f"{name}/gradients", record["step"]])
            assert norm == pytest.approx(record[f"{name}.gradient"], rel=1e-4) and norm > 0


def test_a_run_that_is_followed_is_the_same_run(followed: tuple[Path, Kept], alone: tuple[Path, str]) -> None:
    def numbers(folder: Path) -> list[dict[str, Any]]:
        timed = ("seconds", "samples_per_second")
        return [{k: v for k, v in record.items() if k not in timed} for record in records(folder)]

    assert numbers(followed[0]) == numbers(alone[0])


def test_what_a_logger_prints_is_no_output_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, follow = RunInfo(tmp_path, "m", {"plugins": {"kept": True}}, 1), Follow("kept", Kept)
    follow.on_start(run, 0)
    follow.on_end(run, "finished")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "printed by the logger\n" * 2


def test_a_logger_that_fails_is_named_once_and_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In every hook, by an error or by leaving the program; the run goes on to its end."""
    calls: list[str] = []

    def failing(hook: str, error: BaseException) -> Any:
        def fail(run: Any) -> None:
            calls.append(hook)
            raise error

        made = type("Failing", (), {hook: staticmethod(ganzoo.hookimpl(fail))})()
        made.__name__ = f"acme_{hook}"
        return made

    errors = {hook: SystemExit(1) if hook == "on_step" else RuntimeError("the server is gone") for hook in HOOKS}
    registry = following(*(failing(hook, error) for hook, error in errors.items()))
    folder = trained(tmp_path, {"plugins.made_up": {"histograms": True}}, registry)
    said = [line for line in capfd.readouterr().err.splitlines() if "left out" in line]
    wanted = [f"plugin acme_{h} failed in {h} and is left out from here on: {e!r}" for h, e in errors.items()]
    assert sorted(said) == sorted(wanted)
    assert sorted(calls) == sorted(HOOKS)
    assert (folder / "report.html").is_file()


def test_an_option_that_there_is_not_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(POINTS)
    with pytest.raises(
        UserError, match=r"plugins.wandb.projct: there is no option 'projct' \(did you mean 'project'\?"
    ):
        config.load(tmp_path / "m.yaml", {"plugins.wandb": {"projct": "faces"}}, plugins.installed())
    for stated in (True, False, {"project": "faces"}):
        config.load(tmp_path / "m.yaml", {"plugins.wandb": stated}, plugins.installed())


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_not_installed(name: str, alone: tuple[Path, str]) -> None:
    folder, said = alone
    assert said.count(f"plugin {name} failed in on_start and is left out from here on: the package {name}") == 1
    assert f"pip install 'ganzoo[{name}]', or leave it out with plugins.{name}=false" in said
    assert not [path for path in folder.iterdir() if path.suffix == ".id"]


def test_tensorboard_has_pictures_equations_settings_and_gradients(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import HISTOGRAMS, EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    folder = trained(tmp_path, {"plugins.tensorboard": {"histograms": True}})
    events = EventAccumulator(str(folder / "tensorboard"), {HISTOGRAMS: 0}).Reload()
    tags = events.Tags()
    assert {"G/adversarial", "D/adversarial/right", "evaluation/modes.hit", "diversity"} <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    assert set(tags["histograms"]) == {"G/gradients", "D/gradients"}
    assert [e.step for e in events.Histograms("G/gradients")] == [2, 4]
    told = events.Tensors("equations/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "fake = G(z)" in told
    kept = {tag: HParamsPluginData.FromString(data) for tag, data in events.PluginTagToContent("hparams").items()}
    start = kept["_hparams_/session_start_info"].session_start_info.hparams
    assert start["train.batch"].number_value == 8
    assert start["parts.G.use"].string_value == "generator.mlp"
    metrics = [info.name.tag for info in kept["_hparams_/experiment"].experiment.metric_infos]
    assert {"evaluation/modes.hit", "G/adversarial"} <= set(metrics) <= set(tags["scalars"])


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    folder = trained(tmp_path, {"plugins.wandb": {"mode": "offline", "project": "faces", "histograms": True}})
    resume(folder, plugins.installed(), 6, True)
    assert "left out" not in capfd.readouterr().err
    runs = [path for path in (folder / "wandb").iterdir() if path.name.startswith("offline-run-")]
    name = (folder / "wandb.id").read_text().strip()
    assert len(runs) == 2  # one a stretch, of one id
    assert all(path.name.endswith(name) for path in runs)
    stored = b"".join(path.read_bytes() for run in runs for path in run.glob("*.wandb"))
    for piece in (b"G/adversarial", b"evaluation/modes.hit", b"faces", b"adv.g(D(fake), D(real))", b"G/gradients"):
        assert piece in stored, piece
    assert list(folder.glob("wandb/offline-run-*/files/media/images/samples*.png"))


def test_mlflow_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    folder = trained(tmp_path, {"plugins.mlflow": {"uri": uri, "experiment": "faces", "histograms": True}})
    resume(folder, plugins.installed(), 6, True)
    assert "left out" not in capfd.readouterr().err
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("faces").experiment_id])
    assert run.info.run_id == (folder / "mlflow.id").read_text().strip()
    assert run.info.status == "FINISHED"
    assert run.data.params["train.batch"] == "8"
    assert run.data.tags["reason"] == "finished"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "G.adversarial")] == [2, 4, 6]
    assert {"D.adversarial.right", "evaluation.modes.hit", "diversity"} <= set(run.data.metrics)
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"equations.txt", "images", "histograms"} <= files


def test_trackio_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    folder = trained(tmp_path, {"plugins.trackio": {"project": "faces", "histograms": True}})
    resume(folder, plugins.installed(), 6, True)
    assert "left out" not in capfd.readouterr().err
    rows = SQLiteStorage.get_logs("faces", folder.name)
    assert [row["step"] for row in rows if "G/adversarial" in row] == [2, 4, 6]
    assert [row["step"] for row in rows if "samples" in row] == [0, 4, 6]
    assert any("evaluation/modes.hit" in row for row in rows)
