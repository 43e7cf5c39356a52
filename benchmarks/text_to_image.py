"""Whether generated emoji show what their captions say: ``python benchmarks/text_to_image.py RUN... [--seeds 4]``.

For every caption of OpenMoji's test split one image is drawn with each seed. Of those, of smaller ones (``fake1``,
``fake2``, where the model has them and they are 32x32 or more; enlarged bilinearly) and of the real drawings it prints

* right: how many are nearer to their own caption than to nine others' by ``extractor.openmoji_ranker`` (chance 0.1),
* energy: the mean squared difference of neighbouring pixels, of the range (-1, 1), at the size of the real drawings,
* frechet: the Fréchet distance to the 1,916 drawings for training, in the 64 features of the ranker.
"""

from __future__ import annotations

import argparse

import torch
from ganzoo_data.openmoji import OpenMoji
from ganzoo_metrics.moments import frechet_distance
from ganzoo_text.export import first_of
from ganzoo_text.ranker import SIDE, OpenMojiRanker
from torch import Tensor
from torch.nn.functional import interpolate

import ganzoo

CPU = torch.device("cpu")


def rows(split: str, size: int) -> dict[str, Tensor]:
    data = OpenMoji(fields=("real", "text"), split=split, size=size)  # type: ignore[arg-type]
    return data.batch(torch.arange(len(data)), CPU)


def energy(images: Tensor) -> float:
    across, down = images.diff(dim=3), images.diff(dim=2)
    return (across.square().mean() + down.square().mean()).item()


@torch.no_grad()
def measure(run: str, seeds: int, best: bool) -> None:
    opened = ganzoo.open(run, "best" if best else "last", device="cpu")
    size = opened.fields["real"].shape[1]
    test, train = rows("test", size), rows("train", size)
    ranker = OpenMojiRanker((-1.0, 1.0))
    texts, known = ranker.text(test["text"]), ranker(train["real"]).features
    n = len(test["text"])
    stages = [name for name in ("fake", "fake2", "fake1") if name in opened.spec.flow]
    images = {
        name: torch.cat([opened.sample(n, seed, name, text=test["text"]) for seed in range(seeds)]) for name in stages
    }
    images = {name: shown for name, shown in images.items() if shown.shape[2] >= SIDE}
    print(f"{run}: step {opened.step}, {n} captions, {seeds} seeds")
    for name, shown in {"real": test["real"], **images}.items():
        large = shown
        if shown.shape[2] != size:
            large = interpolate(shown, (size, size), mode="bilinear", align_corners=False).clamp(-1, 1)
        features = ranker(shown).features
        right = sum(first_of(piece, texts) for piece in features.split(n)) / (len(features) // n)
        distance = frechet_distance(ranker(large).features.double(), known.double())
        print(f"  {name:6} right {right:.3f}  energy {energy(large):.4f}  frechet {float(distance):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--best", action="store_true")
    given = parser.parse_args()
    for run in given.runs:
        measure(run, given.seeds, given.best)


if __name__ == "__main__":
    main()
