"""Values as ONNX files: ``python -m benchmarks.export [RUN...]``.

Each of eight values of different models is exported as ``ganzoo export`` does. Printed are the largest difference from
PyTorch, sizes in single precision, 16 and 8 bits, the PSNR of the smaller two over 8 samples, and how long onnxruntime
takes for one sample, divided by how long PyTorch does (medians over rounds of processor time, both on one thread).

A run given stands for the model of its name. Models of which no run is given have random weights (He), so that outputs
use their range: times and sizes are those of trained ones, differences need not be.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, NamedTuple

import onnx
import torch
from torch import nn

import ganzoo
from benchmarks.harness import interleave
from ganzoo import api
from ganzoo.config.static import Graph
from ganzoo.model.traced import Traced, flat
from ganzoo.run import formats


class Case(NamedTuple):
    """A value of a model, and what has to be said to export it."""

    model: str
    value: str
    settings: Mapping[str, Any] = MappingProxyType({})


CASES = (
    Case("dcgan/fashion_mnist_sample", "fake"),
    Case("cgan/fashion_mnist_sample", "fake"),
    Case("infogan/fashion_mnist_sample", "Q(D(real).features).logits"),
    Case("srgan/srresnet_photos", "sr", {"starts": ["lr"]}),
    Case("pix2pix/openmoji", "fake", {"dropout": "off"}),
    Case("cyclegan/openmoji", "fake_b"),
    Case("stackgan/openmoji", "fake"),
    Case("biggan/fashion_mnist_sample", "fake"),
)
HEAD = (
    "| model | value | weights | largest difference | MB: 32, 16, 8 bits | PSNR: 16, 8 bits | onnxruntime / PyTorch |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def untrained(case: Case, folder: Path) -> Any:
    """The model with random weights in the parts that the value needs."""
    model = ganzoo.load(case.model)
    needed = Graph(model.spec).of(api.opened(case.model).equation(case.value))
    settings = []
    torch.manual_seed(0)
    for name, part in model.blueprint.build("cpu", [n for n in needed if n in model.spec.parts]).items():
        if isinstance(part, nn.Module) and any(True for _ in part.parameters()):
            for layer in part.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.kaiming_normal_(layer.weight)
            torch.save(part.state_dict(), folder / f"{name}.pth")
            settings.append(f"parts.{name}.init={folder / f'{name}.pth'}")
    return api.opened(case.model, settings)


def measure(case: Case, run: Any, folder: Path, rounds: int) -> str:
    """A line of the table."""
    made = run.export(case.value, folder / "fp32.onnx", **case.settings)
    if case.settings.get("dropout") == "off":
        run = run.altered({"parts.G.eval_dropout": False})
    equation = run.equation(case.value)
    inference = run.inference(equation)
    with inference.evaluating(), inference.standing([equation], {}):
        traced = Traced(inference, equation, case.settings.get("starts", ()))
        samples = traced.record(8, 1)[0].made
        wanted = next(iter(flat(traced.own(samples)).values()))
        sizes, losses = [made.bytes], []
        for precision in ("fp16", "int8"):
            path = folder / f"{precision}.onnx"
            onnx.save(formats.smaller(onnx.load(folder / "fp32.onnx"), precision), path)
            sizes.append(path.stat().st_size)
            error = formats.loaded(path, "onnx")(samples)[0].double() - wanted
            losses.append(10 * math.log10(float((wanted.max() - wanted.min()) ** 2 / (error**2).mean())))
        given = traced.record(1, 0)[0].made
        there = formats.loaded(folder / "fp32.onnx", "onnx")
        times = interleave({"there": lambda: there(given), "here": lambda: traced.own(given)}, rounds)
    ratio = median(a / b for a, b in zip(times["there"], times["here"], strict=True))
    of = f"step {run.step}" if run.step else "random"
    megabytes = ", ".join(f"{size / 1e6:.2f}" for size in sizes)
    lost = ", ".join(f"{loss:.1f}" for loss in losses)
    start = f"| `{case.model}` | `{case.value}` | {of} | {made.difference:.1e}"
    return f"{start} | {megabytes} | {lost} dB | {ratio:.2f} |"


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--only", default="", metavar="MODEL", help="the models whose names begin so")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args(given)
    torch.set_num_threads(1)
    runs = {run.name: run for run in (ganzoo.open(path, device="cpu") for path in arguments.runs)}
    print(HEAD, flush=True)
    for case in (case for case in CASES if case.model.startswith(arguments.only)):
        with tempfile.TemporaryDirectory() as folder:
            run = runs.get(case.model) or untrained(case, Path(folder))
            print(measure(case, run, Path(folder), arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
