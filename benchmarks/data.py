"""Batches of resident uint8 images against a DataLoader that makes each image through PIL."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks import harness
from ganzoo.train.feed import Feed

BATCH = 64
TENSOR = [transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]


class Pictures(Dataset[Any]):
    """Images as most torchvision data sets give them: a PIL image, then transforms."""

    def __init__(self, images: np.ndarray, steps: list[Any], files: bool = False):
        self.images = images.squeeze(3)
        self.transform = transforms.Compose(steps)
        self.files = [_png(image) for image in self.images] if files else None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        opened = (
            Image.fromarray(self.images[index]) if self.files is None else Image.open(io.BytesIO(self.files[index]))
        )
        return self.transform(opened)


def _png(image: np.ndarray) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "PNG")
    return stored.getvalue()


def endless(data: Pictures) -> Iterator[torch.Tensor]:
    while True:
        yield from DataLoader(data, BATCH, shuffle=True, drop_last=True)


def rows(rounds: int) -> Iterator[harness.Row]:
    data = FashionMnistSample()
    feed = Feed(data, 0, torch.device("cpu"))
    images = data.arrays["real"]
    loaders = {
        "DataLoader of PIL images": endless(Pictures(images, TENSOR)),
        "DataLoader of PIL images, resized to 32": endless(Pictures(images, [transforms.Resize(32), *TENSOR])),
        "DataLoader of PNG files in memory": endless(Pictures(images, TENSOR, files=True)),
    }
    cases: dict[str, Any] = {name: (lambda loader=loader: next(loader)) for name, loader in loaders.items()}
    times = harness.interleave({"resident uint8": lambda: feed.take(BATCH)[0]["real"], **cases}, rounds)
    for name in loaders:
        yield harness.ratio(times, name, "resident uint8", "28x28", least=20)


if __name__ == "__main__":
    harness.main({"data": rows}, __doc__)
