"""Trainings as processes of their own: some at a time, each gone on with where it was, and what came of each."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ganzoo.config.spec import Spec
from ganzoo.errors import Problem
from ganzoo.store.folder import RunFolder
from ganzoo.store.lock import held

NOTES = "reproduced.json"  # in a run folder: what its training took, and whether it failed
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ELSEWHERE = ("about", "show", "sample", "plugins", "requires")  # of a model: says nothing of its numbers
POLL = 0.2  # seconds between two looks at a training that may be stopped early


@dataclass(frozen=True)
class Training:
    """One training: a model with overrides and a seed, in a folder that is named after them.

    `steps` is None where a budget of time decides; `label` says in a message what is trained.
    """

    model: str
    overrides: tuple[str, ...]
    seed: int
    steps: int | None
    folder: Path
    label: str

    @property
    def arguments(self) -> list[str]:
        """Of `ganzoo train`."""
        return [self.model, *self.overrides]

    @property
    def notes(self) -> dict[str, Any]:
        path = self.folder / NOTES
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train: it is at its end, or was stopped, pruned, or diverged."""
        ended = self.last == self.steps if self.steps is not None else "ended" in self.notes
        return ended or self.index.get("stopped") is not None or bool({"failed", "pruned"} & self.notes.keys())

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

    @property
    def log(self) -> Path:
        """What its processes printed."""
        return self.folder.with_suffix(".log")


def settings(spec: Spec) -> str:
    """A hash of all of a model that its numbers depend on, without the seed of training."""
    kept = {key: value for key, value in spec.config.items() if key not in ELSEWHERE}
    kept["train"] = {k: v for k, v in (kept.get("train") or {}).items() if k not in ("seed", "device")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def steps_of(spec: Spec) -> int | None:
    """The steps of a model's training; None if a budget of time decides."""
    return None if spec.train.budget is not None else sum(phase.steps for phase in spec.phases.values())


def place(spec: Spec, seed: int, out: Path) -> Path:
    """The folder is named after the model and all its settings, so that other settings find another."""
    return out / f"{spec.name.replace('/', '-')}-{settings(spec)[:8]}" / f"seed_{seed}"


def run(
    trainings: Iterable[Training],
    jobs: int,
    say: Callable[[str], None] = print,
    code: str | Path | None = None,
    devices: Sequence[str] = (),
    stop: Callable[[Training], str | None] | None = None,
) -> dict[Path, Problem]:
    """Train what is not finished, `jobs` at a time; an interrupted training goes on where it was.

    Args:
        trainings: What to train; each folder once.
        jobs: How many at a time.
        say: Told when one starts and ends.
        code: A local plugin that they need.
        devices: GPUs as ``CUDA_VISIBLE_DEVICES`` names them; each training sees one of them. All, if none are given.
        stop: Asked about a training while it runs; a reason to end it early, which then counts as its end.

    Returns:
        What kept a training from its end, by folder. One that diverged has ended.

    Raises:
        KeyboardInterrupt: after all that run have saved.
    """
    todo = {t.folder: t for t in trainings if not t.finished}
    more = ["--quiet", *(["--code", str(Path(code).resolve())] if code else [])]
    problems: dict[Path, Problem] = {}
    running = _Running()
    free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for slot in range(max(jobs, 1)):
        free.put(devices[slot % len(devices)] if devices else None)

    def one(training: Training) -> None:
        goes = f"goes on from step {training.last}" if training.last else "starts"
        say(f"{training.label}: {goes}; log {training.log}")
        device = free.get()
        with held(training.folder.with_suffix(".lock")) as alone:
            taken = Problem(f"another process trains {training.folder}", hint="wait for it, or give another --out")
            try:
                problem = _train(training, more, running, device, stop) if alone else taken
            finally:
                free.put(device)
        if problem:
            problems[training.folder] = problem
        notes = training.notes
        pruned = f"pruned {notes['pruned']}" if "pruned" in notes else None
        ended = notes.get("failed") or pruned or "finished"
        say(f"{training.label}: {problem.message if problem else ended}")

    with _polite(), ThreadPoolExecutor(max(jobs, 1)) as pool:
        try:
            list(pool.map(one, todo.values()))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            running.end()
            raise
    return problems


class _Running:
    """The processes that train. Once all were told to end, so is one that was only just started."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.ended = False

    def add(self, process: subprocess.Popen[bytes]) -> None:
        self.processes.add(process)
        if self.ended:
            process.terminate()

    def end(self) -> None:
        self.ended = True
        for process in list(self.processes):
            process.terminate()  # it saves


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


def _train(
    training: Training,
    more: list[str],
    running: _Running,
    device: str | None,
    stop: Callable[[Training], str | None] | None,
) -> Problem | None:
    """Train in a process with one thread, so that the bits depend on neither cores nor load."""
    folder, log = training.folder, training.log
    if training.last is None and folder.exists():
        shutil.rmtree(folder)  # stopped before its first checkpoint
    command = ["resume", str(folder)] if training.last else ["train", *training.arguments, "--out", str(folder)]
    before, reason = training.notes, None
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    with log.open("ab") as file:
        begun = file.tell()
        process = subprocess.Popen(  # in a session of its own: Ctrl-C reaches it once, through us
            [sys.executable, "-m", "ganzoo", *command, *more],
            env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
        running.add(process)
        if stop is None:
            code, seconds = _wait(process)
        else:
            code, seconds, reason = _watch(process, training, stop)
        running.processes.discard(process)
    lines = log.read_bytes()[begun:].decode(errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith("error: ")), "").removeprefix("error: ")
    notes = {"seconds": round(before.get("seconds", 0.0) + seconds, 1), "machine": machine(), "date": f"{date.today()}"}
    if code == 1 and said.startswith(("training diverged", "stopped by train.on_collapse")):
        notes["failed"] = said.split(";")[0]
    elif code == 130 and reason is not None:
        notes["pruned"] = reason
    elif code == 0:
        notes["ended"] = True
    elif code != 130:
        message = f"{' '.join(training.arguments)}: {said or _ended(code)}"
        return Problem(message, hint=f"see {log}")
    if folder.exists():
        RunFolder(folder).write_json(NOTES, notes)
    if code == 130 and reason is None:
        return Problem(f"{folder} was interrupted", hint="the same command goes on with it")
    return None


def _ended(code: int) -> str:
    """What an exit code says, where the process said nothing."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _watch(
    process: subprocess.Popen[bytes], training: Training, stop: Callable[[Training], str | None]
) -> tuple[int, float, str | None]:
    """As :func:`_wait`, and why it was ended early, if it was."""
    reason: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(POLL):
            if (found := stop(training)) is not None:
                reason.append(found)
                with suppress(ProcessLookupError):  # it may have ended by itself
                    os.kill(process.pid, signal.SIGTERM)  # it saves; `terminate` could reap it before `_wait` does
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        code, seconds = _wait(process)
    finally:
        done.set()
        watcher.join()
    return code, seconds, reason[0] if reason else None


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
