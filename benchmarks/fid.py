"""The Fréchet distance of 10,000 images by ganzoo against torch-fidelity's own, with the same extractor and images."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch_fidelity
from ganzoo_data.made_up import Random
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_metrics.fid import Fid
from torch import Tensor

from benchmarks import harness
from ganzoo.data.reference import Reference

COUNT = 10_000
RANGE = (0.0, 1.0)
NAME = "benchmark-fashion-cnn"
SETTINGS = {"cuda": False, "cache": False, "save_cpu_ram": True, "verbose": False}  # without workers, as ours
Distances = dict[str, float]


def noise(count: int, seed: int) -> Random:
    """Grey images of 28x28, of uniform noise."""
    return Random({"real": {"kind": "image", "shape": [1, 28, 28]}}, count, seed, range=RANGE)


class Extractor(torch_fidelity.FeatureExtractorBase):
    """Ours, as torch-fidelity takes one."""

    def __init__(self, name: str, features_list: list[str], **_: Any):
        super().__init__(name, features_list)
        self.network = FashionCnn(RANGE)

    @staticmethod
    def get_provided_features_list() -> tuple[str]:
        return ("features",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "features"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> None:
        return None

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.network(images.float() / 255).features,)


class Rows(torch.utils.data.Dataset):
    """Images of uint8, one at a time."""

    def __init__(self, images: np.ndarray):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def rows(rounds: int, count: int = COUNT, found: Distances | None = None) -> Iterator[harness.Row]:
    """`found` is told both distances."""
    torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY.setdefault(NAME, Extractor)
    extractor, said = FashionCnn(RANGE), {} if found is None else found
    real, fake = noise(count, 0), noise(count, 1)
    first, second = Rows(fake.arrays["real"]), Rows(real.arrays["real"])
    images = first.images / 255
    known = Fid(Reference(real, "noise"))

    def ours(metric: Fid) -> None:
        said["ganzoo"] = float(metric(images.clone(), extractor).values)  # features of the same tensor are remembered

    def anew() -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["GANZOO_CACHE"] = folder
            ours(Fid(Reference(real, "noise")))

    def theirs() -> None:
        settings = {"feature_extractor": NAME, "batch_size": 512, "fid": True, **SETTINGS}
        result = torch_fidelity.calculate_metrics(input1=first, input2=second, **settings)
        said["torch-fidelity"] = result["frechet_inception_distance"]

    before = os.environ.get("GANZOO_CACHE")
    try:
        anew()
        cases = {"torch-fidelity": theirs, "ganzoo": anew, "ganzoo, real images known": lambda: ours(known)}
        times = harness.interleave(cases, rounds)
    finally:
        os.environ.pop("GANZOO_CACHE")
        os.environ |= {} if before is None else {"GANZOO_CACHE": before}
    title = f"FID of {count:,} images against as many, 128 features"
    yield harness.ratio(times, "torch-fidelity", "ganzoo", title, gain=True)
    yield harness.ratio(times, "torch-fidelity", "ganzoo, real images known", title, gain=True)


if __name__ == "__main__":
    harness.main({"fid": rows}, __doc__)
