"""How time and memory of a step grow with batch, width and resolution: the exponent of a power law."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness, models

AXES = {
    "batch": ([16, 32, 64, 128], ["train.batch={}"]),
    "width": ([16, 32, 64, 128], ["parts.G.width={}", "parts.D.width={}"]),
    "resolution": ([16, 32, 64, 128], ["data.size={}"]),
}


def peak(overrides: list[str]) -> float:
    """Bytes of memory that a few steps add to a fresh process at their peak (Linux)."""
    words = [sys.executable, "-m", "benchmarks.growth", "--peak", *overrides]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return float(done.stdout.split()[-1])


def _grown(overrides: list[str]) -> float:
    harness.one_thread()
    trainer = models.trainer("noise", *overrides, code="layers.py")
    before = _resident("VmRSS")
    for _ in range(3):
        trainer.advance()
    return _resident("VmHWM") - before


def _resident(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def rows(rounds: int, most: int = 128) -> Iterator[harness.Row]:
    for axis, (every, keys) in AXES.items():
        sizes = [size for size in every if size <= most]
        overrides = {size: [key.format(size) for key in keys] for size in sizes}
        trainers = {str(size): models.trainer("noise", *overrides[size], code="layers.py") for size in sizes}
        times = harness.interleave({name: trainer.advance for name, trainer in trainers.items()}, rounds)
        del trainers
        fits = [harness.exponent([*map(float, sizes)], list(costs)) for costs in zip(*times.values(), strict=True)]
        what = f"time of a step, {axis} {sizes[0]} to {sizes[-1]}"
        yield harness.Row(what, axis, *harness.summary(fits), len(fits), "exponent")
        if Path("/proc/self/status").exists():
            fit = harness.exponent([*map(float, sizes)], [peak(overrides[size]) for size in sizes])
            yield harness.Row(what.replace("time", "memory"), axis, fit, fit, fit, 1, "exponent")


if __name__ == "__main__":
    if "--peak" in sys.argv:
        print(_grown(sys.argv[sys.argv.index("--peak") + 1 :]))
    else:
        harness.main({"growth": rows}, __doc__)
