"""What each recipe of docs/tricks.md does to one small model: ``python -m benchmarks.tricks [--steps N] [NAME …]``.

Every recipe trains dcgan/fashion_mnist_sample at half its width, with the same seed and as many steps; printed are the
Fréchet distance in fashion_cnn's features, precision and recall, and the CPU time relative to the model without it.
"""

from __future__ import annotations

import argparse
import re
import shlex
import tempfile
import time
from pathlib import Path

from ganzoo import api
from ganzoo.store.folder import RunFolder

PAGE = Path(__file__).parents[1] / "docs" / "tricks.md"
ROWS = re.findall(r"^\| ([^|]+?) \| .* \| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
NUMBERS = (("fid", ""), ("pr", ".precision"), ("pr", ".recall"))
BASE = [
    "parts.G.width=16",
    "parts.D.width=16",
    "parts.E=extractor.fashion_cnn",
    "parts.fid=metric.fid",
    "parts.pr=metric.precision_recall",
    "evaluate={n: 2000, values: {fid: 'fid(fake, E)', pr: 'pr(fake, E)'}}",
    "train.precision=fp32",
    "plugins.tensorboard=false",
]


def measure(recipe: str, steps: int, seed: int) -> tuple[float, ...]:
    """FID, precision, recall and CPU seconds of a training with these overrides."""
    overrides = [*BASE, f"train.steps={steps}", f"train.seed={seed}", *shlex.split(recipe)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        api.Model("dcgan/fashion_mnist_sample", overrides).train(Path(folder) / "run", quiet=True)
        seconds = time.process_time() - began
        found = next(r["evaluation"] for r in reversed(RunFolder(Path(folder) / "run").records()) if "evaluation" in r)
        return (*(found[f"{name}[fashion_cnn]{field}"] for name, field in NUMBERS), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    recipes = {"none": ""} | {name: recipe for name, recipe in ROWS if not recipe.startswith("ganzoo ")}
    print("| trick | FID | precision | recall | CPU time |\n| --- | --- | --- | --- | --- |")
    plain = 0.0
    for name, recipe in recipes.items():
        if asked.names and name not in {"none", *asked.names}:
            continue
        fid, precision, recall, seconds = measure(recipe, asked.steps, asked.seed)
        plain = plain or seconds
        print(f"| {name} | {fid:.1f} | {precision:.2f} | {recall:.2f} | {seconds / plain:.2f} |", flush=True)


if __name__ == "__main__":
    main()
