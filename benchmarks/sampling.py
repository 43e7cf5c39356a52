"""Samples of a trained model against a bare forward loop, with and without pictures written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

import ganzoo
from benchmarks import harness
from ganzoo.model.inference import CHUNK
from ganzoo.run.inputs import write
from ganzoo.run.pictures import image_range

COUNT = 512
MOST = 1.05  # of the time a loop takes, so 0.95 of its images a second
MODEL = "zoo:dcgan/fashion_mnist_sample"


def rows(rounds: int, count: int = COUNT, model: str = MODEL) -> Iterator[harness.Row]:
    opened = ganzoo.open(model, device="cpu")
    names = [f"{index:05d}" for index in range(count)]
    G = opened.inference(opened.equation("fake")).parts["G"].eval()
    size = opened.part("Z").size

    @torch.no_grad()
    def loop() -> torch.Tensor:
        return torch.cat([G(torch.randn(min(CHUNK, count - at), size)) for at in range(0, count, CHUNK)])

    with tempfile.TemporaryDirectory() as folder:

        def pictures() -> None:
            write(opened.sample(count), Path(folder) / "ours", opened.fields, image_range(opened.fields), names)

        def files() -> None:
            (other := Path(folder) / "loop").mkdir(exist_ok=True)
            pixels = loop().add_(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).squeeze(1).numpy()
            for name, image in zip(names, pixels, strict=True):
                Image.fromarray(image).save(other / f"{name}.png")

        cases = {"ganzoo": lambda: opened.sample(count), "forward loop": loop}
        times = harness.interleave(cases | {"ganzoo, files": pictures, "loop that saves files": files}, rounds)
    title = f"DCGAN recipe, {count} samples"
    yield harness.ratio(times, "ganzoo", "forward loop", title, most=MOST)
    yield harness.ratio(times, "ganzoo, files", "loop that saves files", title, most=MOST)


if __name__ == "__main__":
    harness.main({"sampling": rows}, __doc__)
