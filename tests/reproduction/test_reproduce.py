"""Claims of papers: read strictly, trained seed by seed, laid beside the paper; the page says what the ledger says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli import reproduce as command
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.registry import Plugin, plugins
from ganzoo.reproduction import claims, reproduce, tables
from ganzoo.run import trainings
from ganzoo.store.lock import held

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reproduction.md"
ZOO = PAGE.with_name("zoo.md")
CLAIM = """\
title: Points on a circle
paper: arXiv:1406.2661
where: the tutorial
reported: {metric: a picture, protocol: drawn}
model: gan/circle
overrides:
  {parts.G.hidden: [8], parts.D.hidden: [8], train.batch: 8, train.steps: 6, train.precision: fp32, evaluate.every: 3,
   train.checkpoint_every: 2, evaluate.n: 50, show: [], plugins.tensorboard: false}
metric: circle.radius_std
bounds: {circle.radius: [0.0, 100.0], circle.sectors: [37, null]}
budget: a second
needs: cpu
seeds: [0, 1]
"""


def write(folder: Path, text: str = CLAIM, name: str = "toys/circle") -> Path:
    path = folder / "reproduce" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def one(folder: Path, text: str = CLAIM) -> claims.Claim:
    return claims.read_claim("toys/circle", write(folder, text))


def ledger_line(claim: str, seed: int, last: float, best: float | None = None, **more: Any) -> dict[str, Any]:
    values = [{"step": step, "values": {"fid": value}} for step, value in ((9, last), (6, best or last))]
    about = {
        "settings": "s",
        "seconds": 1.0,
        "machine": {"processor": "P", "device": "cpu", "threads": 1, "torch": "2"},
    }
    return {"claim": claim, "seed": seed, "last": values[0], "best": values[1], "protocol": {}, **about, **more}


def ranked(folder: Path, name: str, value: float | None) -> claims.Claim:
    text = "\n".join(line for line in CLAIM.splitlines() if not line.startswith(("bounds", "metric")))
    figure = "" if value is None else f", value: {value}, spread: 1"
    text = text.replace("drawn}", f"drawn{figure}}}") + "\nmetric: fid\n"
    return claims.read_claim(f"group/{name}", write(folder, text, f"group/{name}"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "seeds:",
            "seed:",
            "toys/circle.yaml:13: seed: there is no setting 'seed' here (did you mean 'seeds' or 'needs'?)",
        ),
        ("needs: cpu", "needs: gpu", "needs: 'gpu' should be 'cpu' or 'cuda'; did you mean 'cpu'?"),
        ("metric: circle.radius_std\n", "", "'metric' is missing"),
        ("[37, null]", "[null, null]", "bounds.circle.sectors: bounds nothing"),
        ("[0.0, 100.0]", "[3, 2]", "3.0 is above 2.0"),
        ("[0, 1]", "[0, 0]", "needs seeds, each once"),
        ("arXiv:1406.2661", "Goodfellow", "'Goodfellow' is no paper"),
        ("protocol: drawn", "protocols: drawn", "reported.protocols: there is no setting 'protocols' here"),
    ],
)
def test_claims_are_read_strictly(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        one(tmp_path, CLAIM.replace(old, new))
    assert message in str(error.value)
    assert "circle.yaml:" in str(error.value)


def test_a_claim_says_what_its_model_does_not_measure(tmp_path: Path) -> None:
    claim = one(tmp_path, CLAIM.replace("circle.radius_std", "fid"))
    with pytest.raises(UserError, match=r"gan/circle does not measure 'fid' \(there are circle\)"):
        claim.spec(plugins.installed())
    wrong = one(tmp_path, CLAIM.replace("parts.G.hidden: [8]", "parts.H.hidden: [8]"))
    with pytest.raises(UserError, match="toys/circle: gan/circle: "):
        wrong.spec(plugins.installed())


def test_every_claim_of_the_zoo_has_a_model_that_measures_it() -> None:
    registry = plugins.installed()
    known = claims.every(registry)
    assert {claim.group for claim in known.values()} >= {"toys", "lucic2018"}
    extractors = {entry.id for entry in registry if entry.kind == "extractor"}
    for claim in known.values():
        if {v for v in claim.said.overrides.values() if str(v).startswith("extractor.")} <= extractors:
            claim.spec(registry)


def test_other_settings_are_another_run_and_another_seed_is_not(tmp_path: Path) -> None:
    registry = plugins.installed()
    claim = one(tmp_path)
    spec = claim.spec(registry)
    longer = one(tmp_path, CLAIM.replace("train.steps: 6", "train.steps: 7")).spec(registry)
    shown = one(tmp_path, CLAIM.replace("show: []", "show: [fake]")).spec(registry)
    seeded = one(tmp_path, CLAIM.replace("train.batch", "train.seed: 4, train.batch")).spec(registry)
    assert (
        trainings.settings(spec)
        == trainings.settings(shown)
        == trainings.settings(seeded)
        != trainings.settings(longer)
    )
    assert reproduce.task(claim, spec, 0, tmp_path).folder != reproduce.task(claim, longer, 0, tmp_path).folder


def test_trains_reuses_resumes_and_tells(tmp_path: Path) -> None:
    claim = one(tmp_path)
    spec = claim.spec(plugins.installed())
    tasks = [reproduce.task(claim, spec, seed, tmp_path / "runs") for seed in (0, 1)]
    said: list[str] = []
    assert reproduce.line(claim, spec, tasks[0]) is None
    reproduce.run(tasks, 2, said.append)
    lines = [reproduce.line(claim, spec, task) for task in tasks]
    assert [line["last"]["step"] for line in lines] == [6, 6]  # type: ignore[index]
    first = lines[0]
    assert first is not None
    assert first["best"]["values"]["circle.radius_std"] <= first["last"]["values"]["circle.radius_std"]
    assert first["last"]["values"].keys() == {"circle.radius", "circle.radius_std", "circle.sectors"}
    assert first["protocol"]["circle"]["n_fake"] == 50
    assert first["machine"]["threads"] == 1 and first["seconds"] > 0
    assert len(said) == 4

    reproduce.run(tasks, 2, said.append)
    assert len(said) == 4, "what is finished is not trained again"

    rows = tables.table([claim], reproduce.current(lines))  # type: ignore[arg-type]
    verdicts = {row[1].strip("`"): row[-1] for row in rows[1:]}
    assert verdicts["circle.radius"] == ">= 0 and <= 100 in 2 of 2"
    assert verdicts["circle.sectors"] == ">= 37 in 0 of 2: does not hold"


def test_an_interrupted_training_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    claim = one(tmp_path, CLAIM.replace("train.batch: 8", "train.batch: 8, train.keep.last: 9"))
    spec = claim.spec(plugins.installed())
    task = reproduce.task(claim, spec, 0, tmp_path)
    said: list[str] = []
    reproduce.run([task], 1, said.append)
    whole = reproduce.line(claim, spec, task)
    kept = task.folder / "checkpoints"
    (kept / "step_00000006.pt").unlink()
    index = json.loads((kept / "index.json").read_text())
    (kept / "index.json").write_text(json.dumps({**index, "last": "step_00000004.pt"}))
    assert task.last == 4 and not task.finished and reproduce.line(claim, spec, task) is None
    reproduce.run([task], 1, said.append)
    assert "goes on from step 4" in said[2]
    again = reproduce.line(claim, spec, task)
    assert whole is not None and again is not None
    assert (again["last"], again["best"]) == (whole["last"], whole["best"])
    assert again["seconds"] > whole["seconds"], "what the first part took counts too"

    for file in (*kept.iterdir(), task.folder / trainings.NOTES):
        file.unlink()
    reproduce.run([task], 1, said.append)
    assert "starts" in said[4] and task.finished, "without a checkpoint it begins anew"


def test_a_training_that_diverges_is_told_and_others_are_errors(tmp_path: Path) -> None:
    bad = one(tmp_path, CLAIM.replace("train.batch: 8", "train.batch: 8, optimizer.lr: 1.0e+30"))
    spec = bad.spec(plugins.installed())
    task = reproduce.task(bad, spec, 0, tmp_path / "runs")
    reproduce.run([task], 1, lambda text: None)
    assert task.finished
    line = reproduce.line(bad, spec, task)
    assert line is not None and line["failed"].startswith("training diverged") and "last" not in line
    row = tables.table([bad], reproduce.current([line]))[1]
    assert "1 diverged" in row[5] and "in 0 of 1" not in row[3]

    broken = one(tmp_path, CLAIM.replace("train.batch: 8", "train.batch: 8, parts.G.activation: nothing"))
    spec = broken.spec(plugins.installed())
    with pytest.raises(UserError, match="nothing"):
        reproduce.run([reproduce.task(broken, spec, 0, tmp_path / "runs")], 1, lambda text: None)


def test_ranks_and_their_correlation(tmp_path: Path) -> None:
    assert tables.ranks([3.0, 1.0, 3.0, 0.5]) == [3.5, 2.0, 3.5, 1.0]
    assert tables.spearman([(1, 1), (2, 2), (3, 3)]) == pytest.approx(1.0)
    assert tables.spearman([(1, 2), (2, 1), (3, 3), (4, 4)]) == pytest.approx(0.8)  # 1 - 6*2 / (4*15)
    assert tables.spearman([(1, 1), (2, 2)]) is None
    assert tables.spearman([(1, 1), (2, 1), (3, 1)]) is None

    group = [ranked(tmp_path, name, value) for name, value in (("a", 10), ("b", 20), ("c", 30), ("d", None))]
    lines = [
        ledger_line(f"group/{name}", seed, last)
        for name, last in zip("abcd", (6, 5, 9, 1), strict=True)
        for seed in (0, 1)
    ]
    found = reproduce.current([*lines, ledger_line("group/a", 1, 8, 4.0)])  # the newest line of a seed counts
    rows = {row[0]: row for row in tables.table(group, found)}
    assert rows["`group/a`"][2:] == [
        "10 ± 1 (a picture)",
        "7.0 ± 1.4",
        "5.0 ± 1.4",
        "2, step 9",
        "rank 2 of 3, in the paper 1",
    ]
    assert rows["`group/b`"][-1] == "rank 1 of 3, in the paper 2"
    assert rows["`group/d`"][2] == "no figure" and rows["`group/d`"][-1] == "not ranked"
    assert "Spearman's rank correlation with the paper: 0.50, over 3 rows" in tables.section(group, found)
    assert "settings have changed since" in tables.table(group, found, ["group/a"])[1][-1]


def test_lines_of_other_settings_are_not_mixed() -> None:
    lines = [ledger_line("g/a", 0, 1), ledger_line("g/a", 1, 2), ledger_line("g/a", 0, 3, settings="t")]
    assert list(reproduce.current(lines)["g/a"]) == [0]


def test_the_ledger_takes_each_line_once_and_only_in_a_checkout(tmp_path: Path) -> None:
    path = one(tmp_path).ledger
    assert path == tmp_path / "reproduce" / "ledger.jsonl"
    with pytest.raises(UserError, match="not in a checkout"):
        reproduce.record(path, [])
    (tmp_path / "pyproject.toml").touch()
    assert reproduce.record(path, [{"claim": "a"}]) == 1
    assert reproduce.record(path, [{"claim": "a"}, {"claim": "b"}]) == 1
    assert reproduce.read_ledger(path) == [{"claim": "a"}, {"claim": "b"}]


def test_tables_go_between_the_marks(tmp_path: Path) -> None:
    claim = one(tmp_path)
    page = "before\n<!-- reproduce: toys -->\nold\n<!-- end -->\nafter\n"
    text = tables.rewritten(page, [claim], {})
    assert text.startswith("before\n<!-- reproduce: toys -->\n| claim") and text.endswith("<!-- end -->\nafter\n")
    assert "not run here" in text and "old" not in text
    assert tables.rewritten(text, [claim], {}) == text
    with pytest.raises(UserError, match="the page has no line `<!-- reproduce: toys -->`"):
        tables.rewritten("nothing", [claim], {})
    with pytest.raises(UserError, match="there are no claims 'other'"):
        tables.rewritten(page + "<!-- reproduce: other -->\n<!-- end -->", [claim], {})
    two = "<!-- reproduce: toys -->\n<!-- reproduce: other -->\n<!-- end -->\n"
    with pytest.raises(UserError, match="the page has no `<!-- end -->"):
        tables.rewritten(two, [claim, replace(claim, name="other/one")], {})


def test_the_page_says_what_the_ledger_says() -> None:
    registry = plugins.installed()
    known = {n: c for n, c in claims.every(registry).items() if c.path.is_relative_to(ROOT)}
    made = tables.rewritten(PAGE.read_text(encoding="utf-8"), known.values(), *command.held(known, registry))
    assert made == PAGE.read_text(encoding="utf-8"), "run: ganzoo reproduce --page docs/reproduction.md"


def test_the_page_of_the_zoo_says_what_models_and_ledger_say() -> None:
    registry = plugins.installed()
    known = {n: c for n, c in claims.every(registry).items() if c.path.is_relative_to(ROOT)}
    made = command.whole_zoo(ZOO.parent, known, registry)
    assert made == ZOO.read_text(encoding="utf-8"), "run: ganzoo reproduce --zoo docs/zoo.md"
    assert "| `cyclegan/cyclegan` " in made and "![samples of cyclegan](images/cyclegan.png)" in made
    assert "| `toys/ring` " in made


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugins.discover()
    (tmp_path / "configs").mkdir()
    registry.folders.append((Plugin("mine", "mine", "1"), tmp_path / "configs"))
    write(tmp_path)
    write(tmp_path, CLAIM.replace("needs: cpu", "needs: cuda"), "mine/large")
    write(tmp_path, CLAIM.replace("[0, 1]", "[0]"), "mine/small")
    monkeypatch.setattr(command.api, "registry", lambda code: registry)
    monkeypatch.setattr(reproduce, "has_cuda", lambda: False)
    (tmp_path / "pyproject.toml").touch()
    runner = CliRunner()
    listed = runner.invoke(app, ["reproduce", "--list"]).output
    assert "mine/small" in listed and "lucic2018/wgan_gp" in listed
    done = runner.invoke(app, ["reproduce", "mine", "--out", str(tmp_path / "runs"), "--jobs", "1", "--record"])
    assert done.exit_code == 0, done.output
    assert "mine/large needs cuda" in done.output and "1 new lines" in done.output
    row = next(line for line in done.output.splitlines() if line.startswith("| `mine/large`"))
    assert "not run here" in row and "needs cuda" in row
    (line,) = reproduce.read_ledger(tmp_path / "reproduce" / "ledger.jsonl")
    assert line["claim"] == "mine/small" and line["protocol"]["circle"]["seed"] == 0
    more = runner.invoke(
        app, ["reproduce", "mine/small", "--out", str(tmp_path / "runs"), "--seeds", "0,1", "--finished"]
    )
    assert "starts" not in more.output and "1, step 6" in more.output
    with pytest.raises(UserError, match="these are no whole numbers"):
        runner.invoke(app, ["reproduce", "mine", "--seeds", "a"], catch_exceptions=False)
    with pytest.raises(UserError, match="there is no claim and no group 'min'"):
        runner.invoke(app, ["reproduce", "min"], catch_exceptions=False)


def test_the_claim_of_the_page_is_one(tmp_path: Path) -> None:
    from tests.test_packaging import blocks

    (text,) = [text for _, language, text in blocks(PAGE.read_text()) if language == "yaml"]
    claim = one(tmp_path, text)
    claim.spec(plugins.installed())
    fields = claims.Settings.__dataclass_fields__.keys()
    assert {line.split(":")[0] for line in text.splitlines() if line[0] != " "} == set(fields)


def test_a_killed_command_leaves_nothing_running_and_goes_on(tmp_path: Path) -> None:
    """Of a third party's plugin, whose local file the trainings need too."""
    (tmp_path / "mine" / "own").mkdir(parents=True)
    (tmp_path / "mine" / "own" / "own.yaml").write_text("extends: gan/circle\ntrain: {steps: 100000}\n")
    steps = CLAIM.replace("model: gan/circle", "model: own").replace("train.steps: 6", "train.steps: 1000000")
    write(tmp_path, steps.replace("[0, 1]", "[0]"), "mine/endless")
    code = tmp_path / "code.py"
    folder = str(tmp_path / "mine")
    code.write_text(f"import ganzoo\n\n@ganzoo.hookimpl\ndef register(zoo):\n    zoo.configs({folder!r})\n")
    command = [
        sys.executable,
        "-m",
        "ganzoo",
        "reproduce",
        "mine",
        "--code",
        str(code),
        "--out",
        str(tmp_path / "runs"),
    ]

    def started(least: int) -> Path:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            until = time.monotonic() + 120
            while len(found := list(tmp_path.rglob("checkpoints/index.json"))) < 1 or last(found[0]) < least:
                if process.poll() is not None or time.monotonic() > until:
                    process.kill()
                    pytest.fail(f"it did not get there: {process.stderr and process.stderr.read()}")
                time.sleep(0.1)
            process.terminate()
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(60) == 130, said
        assert ("goes on from step" in said) == (least > 4)
        return found[0]

    def last(index: Path) -> int:
        return int(json.loads(index.read_text())["last"].split("_")[1].split(".")[0])

    stopped = last(started(4))
    time.sleep(1)
    assert last(next(tmp_path.rglob("checkpoints/index.json"))) == stopped, "nothing trains on"
    assert last(started(stopped + 1)) > stopped


def test_later_evaluations_do_not_stand_in_for_the_trainings_own(tmp_path: Path) -> None:
    claim = one(tmp_path, CLAIM.replace("metric: circle.radius_std", "metric: circle.sectors\nbetter: higher"))
    spec = claim.spec(plugins.installed())
    task = reproduce.task(claim, spec, 0, tmp_path / "out")
    reproduce.run([task], 1, lambda _: None)
    found = reproduce.line(claim, spec, task)
    assert found is not None
    last, best = (found[when]["values"]["circle.sectors"] for when in ("last", "best"))
    assert best > last or found["best"]["step"] == 6, "of equal numbers the later is the best"
    run = ganzoo.open(task.folder)
    run.keep(run.evaluate(n=7))
    assert reproduce.line(claim, spec, task) == found


def test_two_commands_do_not_train_one_folder(tmp_path: Path) -> None:
    claim = one(tmp_path)
    task = reproduce.task(claim, claim.spec(plugins.installed()), 0, tmp_path / "out")
    with held(task.folder.with_suffix(".lock")) as free:
        assert free
        with pytest.raises(UserError, match=r"another process trains .*seed_0"):
            reproduce.run([task], 1, lambda _: None)
    assert not task.folder.exists()


def test_seeds_of_other_protocols_and_missing_seeds_are_seen(tmp_path: Path) -> None:
    old, new = ({"fid": {"versions": {"torch": v}}} for v in ("1", "2"))
    lines = [ledger_line("group/a", 0, 1.0, protocol=old), ledger_line("group/a", 1, 3.0, protocol=new)]
    found = reproduce.current(lines)
    assert list(found["group/a"]) == [1]
    claim = ranked(tmp_path, "a", None)
    row = tables.table([claim], {"group/a": {1: lines[1]}})[1]
    assert row[5].startswith("1 of 2")
    assert math.isnan(tables.deviation([math.inf, math.inf]))
