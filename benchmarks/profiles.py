"""Where the steps of six models go: their share of the ceiling of a convolution, and what the rest is."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks import harness
from ganzoo import api
from ganzoo.train.profile import profile

MODELS: dict[str, tuple[str, ...]] = {  # and overrides; the last phase of those that have several
    "dcgan/fashion_mnist_sample": (),
    "wgan_gp/fashion_mnist_sample": (),
    "pix2pix/openmoji": (),
    "cyclegan/openmoji": (),
    "srgan/photos": (),
    "stylegan2/fashion_mnist_sample": (),
}
KINDS = {"convolutions": "conv.", "matrix products": "matrix", "norms": "norms", "elementwise and sums": "elementwise"}
KINDS |= {"copies": "copies", "draws": "draws", "optimizers": "optim."}
HEAD = f"| model | ms a step | GFLOP/s | ceiling | share | {' | '.join(KINDS.values())} | Python, autograd |"
AIM = 0.6


def report(model: str, overrides: tuple[str, ...], steps: int) -> dict[str, Any]:
    """A profile in fp32, by the time of the process."""
    loaded = api.load(model, ["train.device=cpu", "train.precision=fp32", "evaluate=null", *overrides])
    phase = list(loaded.blueprint.spec.phases)[-1]
    return profile(loaded.blueprint, torch.device("cpu"), steps, phase, time.process_time)


def line(found: Mapping[str, Any]) -> str:
    """A row of the table."""
    seconds, spent = found["step"]["seconds"], found["operations"]
    rate, ceiling = found["step"]["flops"] / seconds, found["ceiling"]["rate"]
    whole = max(seconds, sum(spent.values()))  # they are timed one after the other
    shares = [f"{spent[kind] / whole:.0%}" for kind in KINDS]
    shares.append(f"{1 - sum(spent.values()) / whole:.0%}")
    numbers = [f"{seconds * 1e3:.0f}", f"{rate / 1e9:.0f}", f"{ceiling / 1e9:.0f}", f"{rate / ceiling:.0%}"]
    return f"| `{found['model']}` | {' | '.join([*numbers, *shares])} |"


def lines(models: list[str], steps: int) -> Iterator[str]:
    yield HEAD
    yield "|".join(["", *[" --- "] * (HEAD.count("|") - 1), ""])
    for model in models:
        yield line(report(model, MODELS[model], steps))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("--steps", type=int, default=10, help="how many to time; more where lazy terms take more")
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="MODEL")
    parser.add_argument("--page", type=Path, help="a Markdown page whose table is to be replaced")
    given = parser.parse_args()
    harness.one_thread()
    table = [harness.circumstances(given.steps).replace("rounds", "steps"), ""]
    print(table[0], flush=True)
    for row in lines(given.only, given.steps):
        table.append(row)
        print(row, flush=True)
    if given.page is not None:
        harness.put(given.page, {"profiles": "\n".join(table)})


if __name__ == "__main__":
    main()
