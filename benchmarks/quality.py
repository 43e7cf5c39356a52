"""What the recipe of `dcgan/fashion_mnist` reaches in a given time on one thread: Fréchet distances, some seeds.

python -m benchmarks.quality [FOLDER with Fashion-MNIST] [--budgets 15 30 60 240] [--seeds 3] [--samples FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean

import torch
from ganzoo_data.idx_sets import FashionMnist
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_metrics.fid import Fid

import ganzoo
from benchmarks import harness
from ganzoo.data.reference import Reference

SAMPLES = 10_000


def distance(images: torch.Tensor, root: str | None) -> float:
    """Of images in [-1, 1] to all training images, in the features of `extractor.fashion_cnn`."""
    measured = Fid(Reference(FashionMnist(root=root), "data.fashion_mnist"))(images, FashionCnn((-1.0, 1.0)))
    return float(measured.values)  # type: ignore[arg-type]


def trained(budget: float, seed: int, root: str | None, folder: Path) -> tuple[float, float, int, ganzoo.Run]:
    """Distance, CPU seconds of training with all that comes with it, steps, and the run."""
    settings = {"data.root": root, "train.budget": budget, "train.seed": seed, "plugins.tensorboard": False}
    settings |= {"train.sample_every": 10**6, "train.checkpoint_every": 10**6}
    start = time.process_time()
    run = ganzoo.load("dcgan/fashion_mnist", settings).train(folder / f"{budget:g}s-{seed}", quiet=True)
    seconds = time.process_time() - start
    return distance(run.sample(SAMPLES), root), seconds, run.step, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?")
    parser.add_argument("--budgets", nargs="+", type=float, default=[15, 30, 60, 240])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--samples", type=Path, help="a folder for a grid of 100 samples of each run")
    given = parser.parse_args()
    harness.one_thread()
    print("| seconds | steps | CPU seconds, start and checkpoint included | distance, each seed | mean |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for budget in given.budgets:
            found = []
            for seed in given.seeds:
                value, seconds, steps, run = trained(budget, seed, given.root, Path(folder))
                found.append((value, seconds, steps))
                if given.samples:
                    from ganzoo.run.inputs import write

                    given.samples.mkdir(parents=True, exist_ok=True)
                    write(run.sample(100), given.samples / f"{budget:g}s-{seed}.png", run.fields, (-1.0, 1.0), [])
            values, cpu, steps = zip(*found, strict=True)
            listed = ", ".join(f"{value:.1f}" for value in values)
            print(
                f"| {budget:g} | {min(steps)} to {max(steps)} | {mean(cpu):.0f} | {listed} | {mean(values):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
