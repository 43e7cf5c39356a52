"""Claims put to the test: each seed trained in a process of its own with one thread, and what came of it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ganzoo.config.spec import Spec
from ganzoo.errors import Problem, UserError
from ganzoo.reproduction.claims import Claim, settings
from ganzoo.store.files import append
from ganzoo.store.folder import RunFolder
from ganzoo.store.lock import held

NOTES = "reproduced.json"  # in a run folder: what its training took, and whether it failed
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One training: the model of a claim with one seed. Claims of equal models share it."""

    claim: Claim
    seed: int
    steps: int
    folder: Path

    @property
    def arguments(self) -> list[str]:
        """Of `ganzoo train`."""
        said = self.claim.said
        stated = {**said.overrides, "train.seed": self.seed, "train.device": said.needs}
        return [said.model, *(f"{key}={json.dumps(value)}" for key, value in stated.items())]

    @property
    def notes(self) -> dict[str, Any]:
        path = self.folder / NOTES
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def finished(self) -> bool:
        return self.last == self.steps or self.index.get("stopped") is not None or "failed" in self.notes

    @property
    def index(self) -> dict[str, Any]:
        """Which checkpoints there are."""
        index = self.folder / "checkpoints" / "index.json"
        return json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}

    @property
    def last(self) -> int | None:
        """The step of the last checkpoint."""
        name = self.index.get("last")
        return int(name.removeprefix("step_").removesuffix(".pt")) if name else None


def task(claim: Claim, spec: Spec, seed: int, out: Path) -> Task:
    """The folder is named after the model and all its settings, so that other settings find another."""
    steps = sum(phase.steps for phase in spec.phases.values())
    folder = out / f"{spec.name.replace('/', '-')}-{settings(spec)[:8]}" / f"seed_{seed}"
    return Task(claim, seed, steps, folder)


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def run(tasks: Iterable[Task], jobs: int, say: Callable[[str], None] = print, code: str | Path | None = None) -> None:
    """Train what is not finished, `jobs` at a time; an interrupted training goes on where it was.

    Args:
        tasks: What to train; each folder once.
        jobs: How many at a time.
        say: Told when one starts and ends.
        code: A local plugin that they need.

    Raises:
        UserError: a training could not be done, and did not merely diverge.
        KeyboardInterrupt: after all that run have saved.
    """
    todo = {t.folder: t for t in tasks if not t.finished}
    more = ["--quiet", *(["--code", str(Path(code).resolve())] if code else [])]
    problems: list[Problem] = []
    running: set[subprocess.Popen[bytes]] = set()

    def one(task: Task) -> None:
        what = f"{task.claim.said.model}, seed {task.seed}"
        say(f"{what}: {f'goes on from step {task.last}' if task.last else 'starts'}; log {_log(task)}")
        with held(task.folder.with_suffix(".lock")) as free:
            taken = Problem(f"another process trains {task.folder}", hint="wait for it, or give another --out")
            problem = _train(task, more, running) if free else taken
        if problem:
            problems.append(problem)
        say(f"{what}: {problem.message if problem else task.notes.get('failed', 'finished')}")

    with _polite(), ThreadPoolExecutor(max(jobs, 1)) as pool:
        try:
            list(pool.map(one, todo.values()))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.terminate()  # it saves
            raise
    if problems:
        raise UserError(problems)


@contextmanager
def _polite() -> Iterator[None]:
    """A polite kill is like Ctrl-C: no training may go on alone, or the next command would meet it in its folder."""

    def interrupt(number: int, frame: Any) -> None:  # not by SIGINT, which a shell has its background jobs ignore
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _log(task: Task) -> Path:
    return task.folder.with_suffix(".log")


def _train(task: Task, more: list[str], running: set[subprocess.Popen[bytes]]) -> Problem | None:
    """Train in a process with one thread, so that the bits depend on neither cores nor load."""
    if task.last is None and task.folder.exists():
        shutil.rmtree(task.folder)  # stopped before its first checkpoint
    command = ["resume", str(task.folder)] if task.last else ["train", *task.arguments, "--out", str(task.folder)]
    before = task.notes
    task.folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    with _log(task).open("ab") as log:
        begun = log.tell()
        process = subprocess.Popen(  # in a session of its own: Ctrl-C reaches it once, through us
            [sys.executable, "-m", "ganzoo", *command, *more],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        running.add(process)
        code, seconds = _wait(process)
        running.discard(process)
    lines = _log(task).read_bytes()[begun:].decode(errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith("error: ")), "").removeprefix("error: ")
    notes = {"seconds": round(before.get("seconds", 0.0) + seconds, 1), "machine": machine(), "date": f"{date.today()}"}
    if code == 1 and said.startswith("training diverged"):
        notes["failed"] = said.split(";")[0]
    elif code not in (0, 130):
        return Problem(
            f"{' '.join(task.arguments)}: {said or f'ended with exit code {code}'}", hint=f"see {_log(task)}"
        )
    if task.folder.exists():
        RunFolder(task.folder).write_json(NOTES, notes)
    return Problem(f"{task.folder} was interrupted", hint="the same command goes on with it") if code == 130 else None


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """The exit code, and the seconds of CPU that were used (of the clock, where the system does not tell)."""
    begun = time.monotonic()
    if not hasattr(os, "wait4"):
        return process.wait(), time.monotonic() - begun
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def machine() -> str:
    """The model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def line(claim: Claim, spec: Spec, task: Task) -> dict[str, Any] | None:
    """One line of the ledger: what a seed gave, last and best, with all that it depends on; None if it is not done."""
    from ganzoo.evaluation.records import named

    if not task.finished:
        return None
    notes, folder = task.notes, RunFolder(task.folder)
    made = json.loads((task.folder / "environment.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"claim": claim.name, "seed": task.seed, "model": spec.name, "settings": settings(spec)}
    if "failed" in notes:
        found["failed"] = notes["failed"]
    else:
        records = folder.evaluated()
        values: dict[int, dict[str, float]] = {}
        for record in records:
            values[record["step"]] = {**record["values"], **values.get(record["step"], {})}  # the training's own first
        measured = {s: {m: v for m in claim.metrics if (v := named(m, held)) is not None} for s, held in values.items()}
        numbers = {s: v[claim.said.metric] for s, v in measured.items() if claim.said.metric in v}
        finite = [step for step, number in numbers.items() if number == number]
        sign = -1 if claim.said.better == "lower" else 1
        best = max(finite, key=lambda step: (sign * numbers[step], step)) if finite else task.steps
        last = {record["metric"]: record for record in reversed(records) if record["step"] == task.steps}
        if not last:
            raise UserError(f"{task.folder} has no record at its last step, {task.steps}")
        found |= {
            "config": next(iter(last.values()))["config"],
            "last": {"step": task.steps, "values": measured[task.steps]},
            "best": {"step": best, "values": measured[best]},
            "protocol": {metric: record["protocol"] for metric, record in reversed(last.items())},
        }
    return found | {
        "seconds": notes.get("seconds"),
        "machine": {
            "processor": notes.get("machine"),
            "device": made["device"],
            "threads": made["threads"],
            "torch": made["packages"]["torch"],
        },
        "ganzoo": made["ganzoo"],
        "date": notes.get("date"),
    }


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every line of a ledger."""
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def record(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    """Append lines that the ledger does not hold yet; how many.

    Raises:
        UserError: there is no checkout to keep it in.
    """
    if not (path.parents[1] / "pyproject.toml").is_file():
        raise UserError(f"{path.parent} is not in a checkout, where a ledger could be kept")
    known = read_ledger(path)
    new = [item for item in lines if item not in known]
    append(path, "".join(json.dumps(item) + "\n" for item in new))
    return len(new)


def current(lines: Iterable[dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """By claim and seed: the newest line of each seed, of those measured as the claim's newest line was."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for item in lines:
        seeds = found.setdefault(item["claim"], {})
        if any(_unlike(other, item) for other in seeds.values()):
            seeds.clear()
        seeds[item["seed"]] = item
    return found


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two seeds cannot stand in one row: other settings, or numbers of other protocols."""
    protocols = a.get("protocol"), b.get("protocol")
    return a["settings"] != b["settings"] or (None not in protocols and protocols[0] != protocols[1])
