"""What the Fréchet distance by `extractor.fashion_cnn` says of images that are known: the table of docs/evaluation.md.

python benchmarks/yardstick.py [FOLDER with Fashion-MNIST]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.idx_sets import FashionMnist
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_metrics.fid import Fid
from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo.data.reference import Reference

RANGE = (0.0, 1.0)


def everything(data: FashionMnist | FashionMnistSample) -> dict[str, Tensor]:
    return data.batch(torch.arange(len(data)), torch.device("cpu"))


def resized(images: Tensor, size: int) -> Tensor:
    def to(x: Tensor, side: int) -> Tensor:
        return interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)

    return to(to(images, size), 28)


def cases(train: FashionMnist, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    held = train.held_out()
    assert isinstance(held, FashionMnist), "the test files are needed too"
    rows = everything(held)
    test, label = rows["real"], rows["label"]
    yield "test images", test
    for n in (5000, 2000, 1000):
        yield f"test images, the first {n}", test[:n]
    yield "bundled sample, train", everything(FashionMnistSample("train", RANGE))["real"]
    yield "bundled sample, test", everything(FashionMnistSample("test", RANGE))["real"]
    yield "test images, mirrored", test.flip(3)
    yield "test images, shifted right by one pixel", torch.roll(test, 1, 3)
    yield "test images, resized to 32 and back", resized(test, 32)
    for sd in (10, 25, 50):
        yield f"test images + noise of sd {sd}/255", test + sd / 255 * torch.randn(test.shape, generator=generator)
    yield "test images without trousers, sneakers and bags", test[(label != 1) & (label != 7) & (label != 8)]
    yield "test images without T-shirts, pullovers and coats", test[(label != 0) & (label != 2) & (label != 4)]
    yield "sneakers alone", test[label == 7]
    yield (
        "one test image a class, 1000 times",
        torch.cat([test[label == k][:1] for k in range(10)]).repeat(1000, 1, 1, 1),
    )
    yield "the mean of the test images", test.mean(0, keepdim=True).repeat(10000, 1, 1, 1)
    yield "uniform noise", torch.rand(test.shape, generator=generator)


def main() -> None:
    train = FashionMnist(root=sys.argv[1] if len(sys.argv) > 1 else None, range=RANGE)
    metric, extractor = Fid(Reference(train, "data.fashion_mnist")), FashionCnn(RANGE)
    print(f"extractor.fashion_cnn {extractor.sha256}, n_real {len(train)}, split {train.split}")
    print("| images | n | distance |\n| --- | --- | --- |")
    for name, images in cases(train, torch.Generator().manual_seed(0)):
        print(f"| {name} | {len(images)} | {metric(images.clamp(*RANGE), extractor).values:.3g} |", flush=True)


if __name__ == "__main__":
    main()
