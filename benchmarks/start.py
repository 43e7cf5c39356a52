"""How long commands take to start, and a training to its first step, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness

TIMES = 5
COMMANDS = {"--help": 0.5, "list": 0.5, "plugins": None}
MODEL = "dcgan/fashion_mnist_sample"
GANZOO = [sys.executable, "-m", "ganzoo"]


def command(*words: str) -> tuple[float, float]:
    """Wall and CPU seconds of one command."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([*GANZOO, *words], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def first_step(*overrides: str) -> tuple[float, float]:
    """Wall and CPU seconds until a training has written what its first step came to; then it is ended."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        words = ["train", MODEL, "--quiet", "--out", str(out), "train.log_every=1", "train.device=cpu", *overrides]
        before, start = os.times(), time.perf_counter()
        process = subprocess.Popen([*GANZOO, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        metrics = out / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.01)
        wall, failed = time.perf_counter() - start, process.poll() is not None
        process.kill()
        process.wait()
        after = os.times()
    if failed:
        raise RuntimeError(f"ganzoo {' '.join(words)} failed")
    return wall, sum(after[2:4]) - sum(before[2:4])


def _rows(what: str, found: list[tuple[float, float]], most: float | None) -> Iterator[harness.Row]:
    for against, values in zip(("wall", "CPU"), zip(*found, strict=True), strict=True):
        yield harness.Row(what, against, *harness.summary(values), len(values), "s", most=most)


def rows(rounds: int) -> Iterator[harness.Row]:
    times = min(rounds, TIMES)
    for word, most in COMMANDS.items():
        command(word)
        yield from _rows(f"`ganzoo {word}`", [command(word) for _ in range(times)], most)
    title = f"`ganzoo train {MODEL}` to its first step"
    yield from _rows(title, [first_step() for _ in range(times)], 8)
    single = [first_step("train.precision=fp32") for _ in range(times)]
    yield from _rows(f"{title}, precision given", single, 8)


if __name__ == "__main__":
    harness.main({"start": rows}, __doc__)
