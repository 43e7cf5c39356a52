"""Sweeps: values split as YAML means them, all checked first, trained by the shared runner, resumed, pruned, told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import CliRunner

from ganzoo.cli import main
from ganzoo.cli.app import app
from ganzoo.config.yaml12 import read_value
from ganzoo.errors import Origin, Problem, UserError
from ganzoo.registry import plugins
from ganzoo.run import trainings
from ganzoo.run.trainings import NOTES, Training
from ganzoo.store.folder import RunFolder
from ganzoo.sweep import axes, results, running
from ganzoo.sweep.plan import Plan, Trial, all_trainings

MODEL = """\
extends: gan/circle
parts: {G: {hidden: [8]}, D: {hidden: [8]}}
train: {steps: 4, batch: 8, checkpoint_every: 2, precision: fp32}
evaluate: {every: 2, n: 50}
show: []
plugins: {tensorboard: false}
"""

plain = some.recursive(
    some.integers(-1000, 1000)
    | some.booleans()
    | some.none()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text("ab,'\"[]{}(): -\\#", max_size=6),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text("xy,'[", min_size=1), inner, max_size=2),
    max_leaves=6,
)


@given(some.lists(plain, min_size=1, max_size=4), some.sampled_from(["json", "yaml"]), some.sampled_from([",", ", "]))
def test_values_are_split_as_yaml_means_them(values: list[Any], style: str, comma: str) -> None:
    def written(value: Any) -> str:
        if style == "json":
            return json.dumps(value)
        quoted = isinstance(value, str)
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6, default_style="'" if quoted else None)
        return text.removesuffix("...\n").strip()

    texts = [written(value) for value in values]
    assert axes.split(comma.join(texts)) == texts


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-4,1e-3", ["1e-4", "1e-3"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ('\'a,b\', "c,]\\"",d', ["'a,b'", '"c,]\\""', "d"]),
        ("it's,theirs", ["it's", "theirs"]),
        ("adv.d(D(real), D(fake)),0", ["adv.d(D(real), D(fake))", "0"]),
        ("{use: loss.l1, weight: [1, 2]},null", ["{use: loss.l1, weight: [1, 2]}", "null"]),
        ("0..2,7", ["0", "1", "2", "7"]),
        ("'0..2'", ["'0..2'"]),
        ("1,1,2", ["1", "2"]),
    ],
)
def test_what_people_type(text: str, values: list[str]) -> None:
    (axis,) = axes.read([f"parts.G.x={text}"])
    assert list(axis.values) == values


def test_spans_are_drawn_and_have_no_grid() -> None:
    rate, width, kind = axes.read(["optimizer.lr=log:1e-5..1e-2", "parts.G.width=log:8..128", "parts.adv=a,b"])
    found = axes.drawn([rate, width, kind], 200)
    assert len({tuple(c.values()) for c in found}) == 200
    numbers = [float(c["optimizer.lr"]) for c in found]
    assert min(numbers) >= 1e-5 and max(numbers) <= 1e-2
    assert 0.25 < sum(n < 10**-3.5 for n in numbers) / 200 < 0.75, "half lie below the middle of the logarithms"
    assert all(isinstance(read_value(c["parts.G.width"], Origin("")).plain(), int) for c in found)
    assert axes.drawn([rate, width, kind], 50) == found[:50]
    assert len(axes.drawn(axes.read(["a.b=1,2", "c.d=1,2,3"]), 100)) == 6
    assert rate.span is not None and (rate.span.at(0), rate.span.at(1)) == ("1e-05", "0.01")
    with pytest.raises(UserError, match=r"optimizer.lr: a span of numbers has no grid \(list values"):
        axes.grid([rate, width, kind])
    assert len(axes.corners([rate, width, kind])) == 8
    many = axes.read([f"a.b{i}=1,2,3" for i in range(6)])
    assert len(axes.corners(many)) == 18


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a.b=1,,2"], "gives no value"),
        (["a.b=[1,2"], r"the \[ is never closed"),
        (["a.b='x"], "the ' is never closed"),
        (["a.b=x]"], r"nothing opens the \]"),
        (["a.b=3..1"], "3..1 is empty: 3 is above 1"),
        (["a.b=log:0..1"], "has no logarithms"),
        (["a.b=0..1000000"], "1,000,001 values"),
        (["a.b=0.1..0.5,3"], "stands alone"),
        (["a.b=1", "a.b=2"], "a.b is given twice"),
        (["train.seed=0.5..2"], "seeds are whole numbers"),
        (["--job"], "an option is followed by a space"),
    ],
)
def test_mistakes_in_what_is_swept_are_told(texts: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        axes.read(texts)


def model(folder: Path, text: str = MODEL) -> str:
    path = folder / "ring.yaml"
    path.write_text(text)
    return str(path)


def plan(folder: Path, *overrides: str, **more: Any) -> Plan:
    return Plan(model(folder), axes.read(overrides), folder / "out", plugins.installed(), **more)


def test_everything_is_checked_before_anything_runs(tmp_path: Path) -> None:
    wrong = plan(tmp_path, "optimizer.lr=1e-3,fast", "parts.G.hidden=[8],[x]", "train.seed=0..1")
    with pytest.raises(UserError) as error:
        running.sweep(wrong, running.Wanted(say=pytest.fail))
    text = str(error.value)
    assert "optimizer.lr=1e-3,fast" not in text, "the problem is of one value"
    assert "command line: optimizer.lr=fast" in text and "command line: parts.G.hidden=[x]" in text
    assert len(error.value.problems) == 2
    assert not (tmp_path / "out").exists()


def test_a_problem_of_a_combination_names_it(tmp_path: Path) -> None:
    text = MODEL.replace("batch: 8", "batch: 8, accumulate: 1")
    (tmp_path / "ring.yaml").write_text(text)
    both = Plan(
        str(tmp_path / "ring.yaml"), axes.read(["train.batch=8,12", "players.D.batch=8,6", "train.accumulate=1,4"]),
        tmp_path / "out", plugins.installed(),
    )  # fmt: skip
    where = "with train.batch=8 players.D.batch=6 train.accumulate=4 and 1 more: "
    with pytest.raises(UserError, match=f"{where}a batch of 6 cannot be cut into 4 equal parts"):
        both.check(axes.grid(both.swept))


def test_the_metric_is_the_models_own_or_refused_with_what_there_is(tmp_path: Path) -> None:
    own = plan(tmp_path, "optimizer.lr=1e-3")
    own.check(axes.grid(own.swept))
    assert (own.metric, own.better) == ("circle", "lower")
    terms = plan(tmp_path, "optimizer.lr=1e-3", metric="D.adversarial")
    terms.check(axes.grid(terms.swept))
    unknown = plan(tmp_path, "optimizer.lr=1e-3", metric="fid")
    with pytest.raises(UserError, match=r"has no term, metric or log entry 'fid' \(there are .*circle"):
        unknown.check(axes.grid(unknown.swept))


def fake(folder: Path, name: str, values: dict[int, float], steps: int = 100, seed: int = 0, **notes: Any) -> Training:
    """A run as it lies on the disk."""
    run = RunFolder(folder / name / f"seed_{seed}")
    run.path.mkdir(parents=True)
    for step, value in values.items():
        run.log({"step": step, "G.loss": 9.0})
        run.log({"step": step, "evaluation": {"fid[cnn]": value}})
    run.write_json(NOTES, {"seconds": 1.0, **notes})
    run.write_json("checkpoints/index.json", {"last": f"step_{max(values, default=0):08d}.pt"})
    return Training("m", (), seed, steps, run.path, f"{name}, seed {seed}")


def trial(rate: str, *runs: Training) -> Trial:
    return Trial({"optimizer.lr": rate}, {"optimizer": {"lr": float(rate)}}, runs)


def test_the_table_has_mean_and_spread_and_shows_what_failed(tmp_path: Path) -> None:
    judged = plan(tmp_path, "optimizer.lr=1,2,3", metric="fid", better="lower")
    trials = [
        trial("1", fake(tmp_path, "a", {50: 7.0, 100: 8.0}), fake(tmp_path, "a", {50: 9.0, 100: 10.0}, seed=1)),
        trial("2", fake(tmp_path, "b", {100: 4.0}), fake(tmp_path, "b", {50: 3.0}, seed=1, failed="training diverged")),
        trial("3", fake(tmp_path, "c", {100: 20.0}), fake(tmp_path, "c", {50: 3.0}, seed=1)),
    ]
    broken = {trials[2].trainings[1].folder: Problem("out of memory", hint="see the log")}
    found = results.collect(judged, trials, broken)
    assert results.table(found) == [
        ["optimizer.lr", "fid, last", "fid, best", "seeds"],
        ["1", "9 ± 1.4", "8 ± 1.4", "2 of 2"],
        ["2", "4", "4", "1 of 2, 1 diverged"],
        ["3", "20", "20", "1 of 2, 1 failed"],
    ]
    assert found.best is not None and found.best.settings == {"optimizer.lr": 1}
    assert results.failures(found) == [
        "optimizer.lr=2, train.seed=1: diverged: training diverged",
        "optimizer.lr=3, train.seed=1: failed: out of memory (see the log)",
    ]
    path = results.write_best(found, trials, tmp_path)
    assert path is not None and yaml.safe_load(path.read_text()) == {"optimizer": {"lr": 1.0}}
    assert "fid 9 ± 1.4, 2 seeds" in path.read_text()
    judged.better = "higher"
    assert [row.settings["optimizer.lr"] for row in results.collect(judged, trials, broken).rows] == [1, 3, 2]


def test_the_median_rule(tmp_path: Path) -> None:
    judged = plan(tmp_path, "optimizer.lr=1", metric="fid", better="lower")
    good = [fake(tmp_path, f"g{i}", {10: 5.0 + i, 20: 4.0 + i, 100: 1.0}) for i in range(4)]
    slow = fake(tmp_path, "slow", {10: 20.0, 20: 9.0})
    early = fake(tmp_path, "early", {10: 20.0})
    nearly = fake(tmp_path, "nearly", {10: 5.5, 20: 30.0})
    every = [*good, slow, early, nearly]

    def after(start: int, runs: list[Training] = every) -> results.Laggards:
        rule = results.Laggards(judged, start)
        rule.trainings = runs
        return rule

    rule = after(20)
    assert rule(slow) == "at step 20: fid 9, the median of 5 others 5.5"
    assert rule(early) is None, "before the step from which it counts"
    assert after(10)(early) is not None
    assert rule(nearly) is None, "the best that it has reached counts"
    assert after(0, [*good[:3], slow])(slow) is None, "three others are too few"
    assert rule(good[3]) is None, "a run at its end has ended"
    judged.better = "higher"
    assert after(10)(early) is None


def test_the_page_of_a_sweep(tmp_path: Path) -> None:
    """Every combination is a line through its settings, in the order of the table; runs have links; no name is HTML."""
    from ganzoo.sweep import page
    from tests.report.test_report import run, safe

    judged = plan(tmp_path, "optimizer.lr=1e-4,1e-2,1", metric="fid", better="lower")
    names = ("<b>a", "b", "c")
    trials = [
        Trial({"optimizer.lr": rate}, {}, (Training("m", (), 0, 400, run(tmp_path / "out" / name / "seed_0"), name),))
        for rate, name in zip(("1e-4", "1e-2", "1"), names, strict=True)
    ]
    RunFolder(trials[1].trainings[0].folder).write_json(NOTES, {"failed": "training <diverged>"})
    for index in range(3):
        RunFolder(trials[index].trainings[0].folder).write_json("checkpoints/index.json", {"last": "step_00000400.pt"})
    RunFolder(trials[0].trainings[0].folder).log({"step": 400, "evaluation": {"fid[cnn]": 6.5}})
    found = results.collect(judged, trials, {})
    text = page.write(found, tmp_path / "out").read_text()
    seen = safe(text)
    drawn = {a["data-row"]: str(a["d"]) for a in seen.all("path") if "data-row" in a}
    ends = {row: path.removeprefix("M").split("L")[-1].split() for row, path in drawn.items()}
    assert {row: float(end[1]) for row, end in ends.items() if float(end[0]) > 800} == {"0": 300.0, "1": 30.0}
    assert drawn["2"].count("L") == 0, "what has no number ends before its axis"
    assert "The best is optimizer.lr=1e-4: fid 6.5 (lower is better)." in seen.said
    assert "optimizer.lr=1e-2, train.seed=0: diverged: training <diverged>" in seen.said
    assert "optimizer.lr=1, seed 0" in seen.said
    running.write(found, trials, tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    again = CliRunner().invoke(app, ["report", str(tmp_path / "out")])
    assert again.exit_code == 0 and (tmp_path / "out" / "report.html").read_text() == text
    (tmp_path / "out" / "sweep.json").write_text("{}")
    with pytest.raises(UserError, match=r"sweep\.json is damaged"):
        CliRunner().invoke(app, ["report", str(tmp_path / "out")], catch_exceptions=False)


def test_other_protocols_are_told(tmp_path: Path) -> None:
    judged = plan(tmp_path, "evaluate.n=500,1000", metric="fid", better="lower")
    trials = []
    for n in (500, 1000):
        made = fake(tmp_path, str(n), {100: 1.0})
        line = {"step": 100, "values": {"fid[cnn]": 1.0}, "protocol": {"n_fake": n, "code": n}}
        RunFolder(made.folder).evaluations.write_text(json.dumps(line) + "\n")
        trials.append(Trial({"evaluate.n": str(n)}, {}, (made,)))
    (note,) = results.collect(judged, trials, {}).notes
    assert note == "numbers of different protocols cannot be compared: n_fake is 500 and 1000"


def test_a_gpu_each_where_there_are_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(command: list[str], env: dict[str, str], **more: Any) -> subprocess.Popen[bytes]:
        seen.append(env.get("CUDA_VISIBLE_DEVICES", "all"))
        assert env["OMP_NUM_THREADS"] == "1"
        started.append(popen([sys.executable, "-c", "import time; time.sleep(0.3)"], env=env, **more))
        return started[-1]

    monkeypatch.setattr(trainings.subprocess, "Popen", start)
    every = [Training("m", (), i, 4, tmp_path / f"seed_{i}", f"{i}") for i in range(4)]
    assert not trainings.run(every, 2, lambda _: None, devices=["3", "GPU-f00"])
    assert sorted(seen) == ["3", "3", "GPU-f00", "GPU-f00"] and set(seen[:2]) == {"3", "GPU-f00"}
    seen.clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    trainings.run([replace(every[0], folder=tmp_path / "b")], 1, lambda _: None)
    assert seen == ["all"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, 2")
    chosen = plan(tmp_path, "optimizer.lr=1e-3")
    trials = chosen.check(axes.grid(chosen.swept))
    assert running.places(chosen, trials, None) == (2, ["1", "2"])
    assert running.places(chosen, trials, 3) == (3, ["1", "2"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert running.places(chosen, trials, None) == (1, [])


def test_the_command(tmp_path: Path) -> None:
    """Trains two combinations with one seed each, one of which diverges; does not train again; tells."""
    words = ["sweep", model(tmp_path), "optimizer.lr=1e-3,1e30", "--out", str(tmp_path / "out"), "--jobs", "2",
             "--metric", "circle.radius_std"]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "2 combinations, 2 runs, 2 at a time" in done.output
    assert "optimizer.lr=1e30, train.seed=0: diverged: training diverged" in done.output
    assert "0 of 1, 1 diverged" in done.output and "best    optimizer.lr=1e-3" in done.output
    stored = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [row["runs"][0]["state"] for row in stored["rows"]] == ["finished", "diverged"]
    assert stored["best"] == {"optimizer.lr": 1e-3} and stored["rows"][0]["mean"] > 0
    again = CliRunner().invoke(app, [*words, "--json"])
    assert "starts" not in again.output and '"mean"' in again.output
    checked = CliRunner().invoke(app, ["check", str(tmp_path / "out" / "best.yaml")])
    assert checked.exit_code == 0, checked.output
    with pytest.raises(UserError, match="is a run"):
        CliRunner().invoke(
            app, ["sweep", "gan/circle", "--out", stored["rows"][0]["runs"][0]["folder"]], catch_exceptions=False
        )


def test_a_slurm_script_has_a_task_for_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, out = model(tmp_path), str(tmp_path / "a folder")
    words = ["sweep", name, "optimizer.lr=1e-4,1e-3", "parts.G.hidden=[8],[16]", "train.seed=0..2", "--out", out]
    done = CliRunner().invoke(app, [*words, "--slurm", "--jobs", "4"])
    assert done.exit_code == 0, done.output
    assert "#SBATCH --array=0-11%4" in done.output
    assert subprocess.run(["bash", "-n"], input=done.output, text=True, check=False).returncode == 0
    (command,) = [line for line in done.output.splitlines() if line.startswith("exec ganzoo sweep")]
    import shlex

    parsed = shlex.split(command.replace('"$SLURM_ARRAY_TASK_ID"', "7"))[2:]
    trained: list[Training] = []
    monkeypatch.setattr(trainings, "run", lambda todo, *rest: trained.extend(todo) or {})
    done = CliRunner().invoke(app, parsed)
    assert done.exit_code == 0, done.output
    every = all_trainings(plan(tmp_path, *words[2:5]).check(axes.grid(axes.read(words[2:4]))))
    assert [t.overrides for t in trained] == [every[7].overrides]
    assert trained[0].folder.is_relative_to(out)
    with pytest.raises(UserError, match="there is no run 12: the sweep has 12, from 0"):
        CliRunner().invoke(app, [*words, "--task", "12"], catch_exceptions=False)


@pytest.fixture
def objective(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Training]]:
    """Trainings that end at once, with a number that follows from their settings."""
    trained: list[Training] = []

    def run(todo: list[Training], *rest: Any) -> dict[Path, Problem]:
        for training in todo:
            if training.finished:
                continue
            trained.append(training)
            stated = dict(text.split("=") for text in training.overrides)
            value = abs(float(stated["optimizer.lr"]) - 0.003) + (stated["parts.adv"] == "adversarial.hinge")
            folder = RunFolder(training.folder)
            folder.path.mkdir(parents=True)
            folder.log({"step": 4, "D.adversarial": value})
            folder.write_json("checkpoints/index.json", {"last": "step_00000004.pt"})
        return {}

    monkeypatch.setattr(trainings, "run", run)
    return lambda: trained


def test_optuna_searches_and_goes_on(tmp_path: Path, objective: Callable[[], list[Training]]) -> None:
    pytest.importorskip("optuna")
    swept = ("optimizer.lr=log:1e-5..1e-1", "parts.adv=adversarial.hinge,adversarial.least_squares", "train.seed=0..1")
    first = plan(tmp_path, *swept, metric="D.adversarial")
    running.sweep(first, running.Wanted(jobs=2, optuna=6, say=lambda _: None))
    assert len(objective()) == 12, "two seeds each"
    found, broken = running.sweep(
        plan(tmp_path, *swept, metric="D.adversarial"), running.Wanted(jobs=2, optuna=14, say=lambda _: None)
    )
    assert len(objective()) == 28, "what was trained is not trained again"
    assert not broken and found.best is not None
    assert found.best.settings["parts.adv"] == "adversarial.least_squares"
    assert found.best.mean is not None and found.best.mean < 0.01
    told, _ = running.sweep(
        plan(tmp_path, *swept, metric="D.adversarial"), running.Wanted(optuna=14, finished=True, say=lambda _: None)
    )
    assert len(told.rows) == len(found.rows)
    with pytest.raises(UserError, match="a search needs a number to go by"):
        bare = Plan("tutorial/fashion_mlp", axes.read(["optimizer.lr=1e-3"]), tmp_path / "o", plugins.installed())
        running.sweep(bare, running.Wanted(optuna=2))


def test_optuna_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    words = [
        "ganzoo",
        "sweep",
        model(tmp_path),
        "optimizer.lr=1e-4..1e-3",
        "--optuna",
        "2",
        "--out",
        str(tmp_path / "o"),
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "pip install 'ganzoo[optuna]'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_training_is_told_does_not_end_the_others_and_goes_on(tmp_path: Path) -> None:
    """One of two children is killed outright; the other ends; the same command goes on from the checkpoint."""
    text = MODEL.replace("steps: 4", "steps: 3000").replace("checkpoint_every: 2", "checkpoint_every: 20")
    name = model(tmp_path, text.replace("every: 2,", "every: 3000,"))
    words = [sys.executable, "-m", "ganzoo", "sweep", name, "train.steps=20,100000", "--jobs", "2",
             "--out", str(tmp_path / "out"), "--metric", "D.adversarial"]  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while not (victims := _writing(tmp_path / "out", 100000, least=20)):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        os.kill(victims[0], signal.SIGKILL)
        out, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "train.steps=100000, train.seed=0: failed: " in said and "was killed by signal 9" in said
    assert "1 of 1" in out and "0 of 1, 1 failed" in out
    again = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert again.stderr is not None
    line = again.stderr.readline() + again.stderr.readline()
    again.terminate()  # at the moment at which the training is only being started
    try:
        again.communicate(timeout=120)
    finally:
        again.kill()
    assert "goes on from step" in line and again.returncode == 130


def _writing(out: Path, steps: int, least: int) -> list[int]:
    """The processes that write a run of so many steps which has a checkpoint."""
    found = []
    for writer in out.glob("*/*/.writer"):
        index = writer.parent / "checkpoints" / "index.json"
        locked = writer.parent / "locked.yaml"
        if index.exists() and f"steps: {steps}" in locked.read_text():
            found.append(json.loads(writer.read_text())["pid"])
    return found
