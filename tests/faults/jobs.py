"""What is hit: commands that write, what goes on with them afterwards, and what has to be there in the end."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzoo.store import checkpoint
from ganzoo.store.files import read_lines
from ganzoo.store.folder import RunFolder
from ganzoo.store.lock import WRITER
from tests.faults.trace import Outcome, run

MODEL = """
extends: base/unconditional.yaml
data: {{use: data.image_folder, root: {root}/images, memory: 1}}
parts:
  Z: {{size: 4}}
  G: {{use: generator.mlp, hidden: [8]}}
  D: {{use: discriminator.mlp, hidden: [8], dropout: 0.5}}
  near: metric.psnr
players: {{G: {{ema: 0.9}}}}
evaluate: {{every: 2, n: 8, values: {{near: "near(fake, real)"}}}}
show: {{n: 4}}
plugins: {{tensorboard: false}}
train:
  {{steps: 4, batch: 4, log_every: 1, checkpoint_every: 2, sample_every: 2, precision: fp32,
  keep: {{last: 2, best: near}}}}
"""
CLAIM = """
title: A claim
paper: arXiv:1406.2661
where: nowhere
reported: {metric: near, protocol: none}
model: toy/toy
metric: near
better: higher
bounds: {near: [0, 99]}
seeds: [0]
budget: 4 steps
needs: cpu
"""
PLUGIN = """
from pathlib import Path
import ganzoo

@ganzoo.hookimpl
def register(zoo):
    zoo.configs(Path(__file__).parent / "configs")
"""
TIMED = ("seconds", "samples_per_second")  # what is logged and differs from run to run


def command(*words: object) -> Callable[[], None]:
    """What a process does that runs a command of ganzoo, by its own entry point."""

    def work() -> None:
        from ganzoo.cli import main

        sys.argv = ["ganzoo", *map(str, words)]
        main()

    return work


class Job:
    """A command, in a folder that is prepared once and copied for each hit.

    Args:
        name: Of the job.
        start: Words of the command; ``ROOT`` stands for the folder.
        target: What it makes.
        resumes: Whether ``ganzoo resume`` goes on with it.
        before: Prepares the folder, beside images and a model.
        same: How what was made differs from what it should be.
        keeps: Whether something may be there that is not whole, beside which the next one finds its place.
        upto: Only so many of its first calls are hit, if the others are those of another job.
    """

    def __init__(
        self,
        name: str,
        start: str,
        target: str,
        resumes: bool = False,
        before: Callable[[Path], None] = lambda root: None,
        same: Callable[[Path, Path], str] | None = None,
        keeps: bool = False,
        upto: int | None = None,
    ):
        self.name, self.start, self.target, self.resumes, self.before = name, start, target, resumes, before
        self.keeps, self.upto = keeps, upto
        self.same = same or (same_runs if resumes else same_files)

    def words(self, root: Path) -> list[str]:
        return [word.replace("ROOT", str(root)) for word in self.start.split()]

    def work(self, root: Path) -> Callable[[], None]:
        def within() -> None:
            os.environ["GANZOO_CACHE"] = str(root / "cache")
            os.chdir(root)
            command(*self.words(root))()

        return within

    def again(self, root: Path) -> Outcome:
        """Go on as the documents say: resume if there is a checkpoint, else the same command once more."""
        target = root / self.target
        if self.resumes and any((target / "checkpoints").glob("step_*.pt")):
            return run(self.resumed(root, target), root)
        found = run(self.work(root), root)
        if found.code == 2 and "delete it" in found.said:  # as the message says
            shutil.rmtree(target)
            found = run(self.work(root), root)
        return found

    def resumed(self, root: Path, target: Path) -> Callable[[], None]:
        def within() -> None:
            os.environ["GANZOO_CACHE"] = str(root / "cache")
            os.chdir(root)
            command("resume", target, "--quiet")()

        return within


def images(root: Path) -> None:
    """Eight small images and a model that trains on them."""
    from PIL import Image

    (root / "images").mkdir(parents=True)
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (8, 4, 4), np.uint8)):
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
    (root / "model.yaml").write_text(MODEL.format(root=root))


def same_runs(found: Path, straight: Path, readonly: bool = False) -> str:
    """How a run differs from the one that was never hit; nothing if it does not."""
    a, b = (checkpoint.load(checkpoint.locate(folder)) for folder in (found, straight))
    if a.step != b.step or not equal(a.state, b.state):
        return f"the checkpoint differs, at step {a.step}"
    if a.header["session"]["best_file"] != b.header["session"]["best_file"]:
        return "another checkpoint is the best"
    for read in (RunFolder.records, RunFolder.evaluated):
        if untimed(read(RunFolder(found))) != untimed(read(RunFolder(straight))):
            return f"{read.__name__} differ"
    names = [sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) for folder in (found, straight)]
    if readonly:  # what a run could not remove
        names[0] = [name for name in names[0] if Path(name).name != WRITER and not name.endswith(".tmp")]
    if names[0] != names[1]:
        return f"there are other files: {sorted(set(names[0]) ^ set(names[1]))}"
    for name in names[0]:
        path = found / name
        exact = path.is_file() and path.name not in ("environment.json", "report.html", "metrics.jsonl")
        exact = exact and path.suffix != ".pt"
        if exact and path.read_bytes() != (straight / name).read_bytes():
            return f"{name} differs"
    return ""


def untimed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return json.loads(json.dumps([{k: v for k, v in r.items() if k not in TIMED} for r in records]))


def equal(a: Any, b: Any) -> bool:
    """Equal to the bit, all the way down."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def same_files(found: Path, straight: Path) -> str:
    """How a file or folder differs from the one whose making was never hit."""
    if straight.is_file():
        return "" if found.read_bytes() == straight.read_bytes() else "it differs"
    names = [sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) for folder in (found, straight)]
    if names[0] != names[1]:
        return f"there are other files: {sorted(set(names[0]) ^ set(names[1]))}"
    both = [(name, found / name, straight / name) for name in names[0]]
    differing = [name for name, a, b in both if a.is_file() and a.read_bytes() != b.read_bytes()]
    return f"{differing[0]} differs" if differing else ""


def with_half_a_run(root: Path) -> None:
    """A run that was left after its checkpoint of step 2, with what it had logged after that."""
    done(run(command("train", root / "model.yaml", "--out", root / "run", "--quiet"), root))
    for path in (root / "run" / "checkpoints").glob("step_*.pt"):
        path.unlink()
    (root / "run" / "status.json").unlink()
    made = root / "short"
    done(run(command("train", root / "model.yaml", "train.steps=2", "--out", made, "--quiet"), root))
    stored = checkpoint.load(made / "checkpoints" / "step_00000002.pt")
    stored.header["config"]["train"]["steps"] = 4
    checkpoint.save(root / "run" / "checkpoints" / stored.path.name, stored.header, stored.state)
    shutil.rmtree(made)


def with_a_run(root: Path) -> None:
    """A run at its end."""
    done(run(command("train", root / "model.yaml", "--out", root / "run", "--quiet"), root))


def with_a_published_run(root: Path) -> None:
    """A run at its end that was published before."""
    with_a_run(root)
    done(run(command(*PUBLISH.replace("ROOT", str(root)).split()), root))


def with_a_claim(root: Path) -> None:
    """A claim in a checkout of its own, trained."""
    for folder in ("configs/toy", "reproduce/toy"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "plugin.py").write_text(PLUGIN)
    shutil.move(root / "model.yaml", root / "configs" / "toy" / "toy.yaml")
    (root / "reproduce" / "toy" / "claim.yaml").write_text(CLAIM)
    words = f"reproduce toy/claim --jobs 1 --out {root}/runs --code {root}/plugin.py"
    done(run(command(*words.split()), root))


def done(found: Outcome) -> None:
    """Raises RuntimeError where a command that nothing hit did not do what it should."""
    if found.code:
        raise RuntimeError(found.said)


def same_pictures(found: Path, straight: Path) -> str:
    """How a folder of pictures differs, without what a kill left of one."""
    both = [{p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".tmp"} for folder in (found, straight)]
    return "" if both[0] == both[1] else f"{sorted(both[0])}, or other pictures"


def same_lines(found: Path, straight: Path) -> str:
    """How a file of records differs; a record may be there twice, and half of one that was killed is none."""
    wanted, lines = untimed(read_lines(straight)), untimed(read_lines(found))
    return "" if lines and all(line in wanted for line in lines) else f"{len(lines)} records, or others"


def same_run_and_name(found: Path, straight: Path) -> str:
    """How a run differs that was to find a place of its own."""
    ends = [p for p in sorted(found.glob("*-*")) if any((p / "checkpoints").glob("step_*.pt"))]
    return same_runs(ends[-1], next(straight.glob("*-001"))) if ends else "there is no run"


PUBLISH = "publish ROOT/run --out ROOT/shelf --licence CC0-1.0 --no-evaluate"
EVALUATE = "evaluate ROOT/run --metrics near -n 8 --out ROOT/scores.jsonl"
LEDGER = "reproduce toy/claim --finished --record --out ROOT/runs --code ROOT/plugin.py"
JOBS = [
    Job("train", "train ROOT/model.yaml --out ROOT/run --quiet", "run", True),
    Job("resume", "resume ROOT/run --quiet", "run", True, with_half_a_run),
    Job(
        "claim a folder",
        "train ROOT/model.yaml --quiet train.steps=2",
        "runs",
        same=same_run_and_name,
        keeps=True,
        upto=24,
    ),
    Job("pack as memmap", "data pack ROOT/images holdout=0.3 --out ROOT/packed", "packed"),
    Job("pack as shards", "data pack ROOT/images holdout=0.3 --out ROOT/packed --format shards", "packed"),
    Job("publish", PUBLISH, "shelf/model", False, with_a_run),
    Job("publish again", PUBLISH + " --replace --precision fp16", "shelf/model", False, with_a_published_run),
    Job("export", "export ROOT/run fake --out ROOT/fake.safetensors", "fake.safetensors", False, with_a_run),
    Job("sample", "sample ROOT/run -n 4 --out ROOT/samples.png", "samples.png", False, with_a_run),
    Job("sample to files", "sample ROOT/run -n 4 --out ROOT/files", "files", False, with_a_run, same_pictures, True),
    Job("report", "report ROOT/run --out ROOT/page.html", "page.html", False, with_a_run),
    Job("evaluate", EVALUATE, "scores.jsonl", False, with_a_run, same_lines, keeps=True),
    Job("reproduce", LEDGER, "reproduce/ledger.jsonl", False, with_a_claim, same_lines, keeps=True),
]
