"""Whole photographs enlarged: ``python -m benchmarks.super_resolution RUN...``, runs or checkpoint files.

The four photographs held out of ``data.photos`` are made four times smaller, and large again by the run's ``sr`` and by
``bicubic``. Of each it prints, as the mean over the photographs,

* psnr and ssim of Y, 4 pixels cut off on each side, as arXiv:1609.04802,
* perceptual: the distance in the maps of EfficientNet-Lite2 (models here are trained with Lite0),
* energy: the mean squared difference of neighbouring pixels, of the range (-1, 1).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from ganzoo_data.photos import Photos
from ganzoo_extractors.efficientnet_maps import EfficientNetMaps
from ganzoo_metrics.paired import Perceptual, Psnr, Ssim
from PIL import Image
from torch import Tensor

import ganzoo
from benchmarks.text_to_image import energy
from ganzoo.data.reference import Reference

RANGE = (-1.0, 1.0)


def photographs() -> list[Tensor]:
    """Those held out, ``1 3 H W``, cut to multiples of 4."""
    found = []
    for path in Photos("test").files:
        with Image.open(path) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB")))
        height, width = (side // 4 * 4 for side in pixels.shape[:2])
        found.append(pixels[:height, :width].permute(2, 0, 1)[None] / 127.5 - 1)
    return found


@torch.no_grad()
def measure(run: str) -> None:
    opened = ganzoo.open(run, device="cpu")
    psnr, ssim = Psnr(RANGE, "y", 4), Ssim(RANGE, "y", 4)
    judge, perceptual = EfficientNetMaps(RANGE, lite=2), Perceptual(Reference(Photos("test"), "photos", "train"))
    print(f"{run}: step {opened.step}")
    originals = photographs()
    for name in ("bicubic", "sr"):
        made = [opened.compute(name, real=x) for x in originals]
        pairs = list(zip(made, originals, strict=True))
        rows = {
            "psnr": [psnr(y, x).values for y, x in pairs],
            "ssim": [ssim(y, x).values for y, x in pairs],
            "perceptual": [perceptual(y, x, judge).values for y, x in pairs],
            "energy": [energy(y) for y, _ in pairs],
        }
        print(f"  {name:8}", "  ".join(f"{key} {np.mean(values):.4f}" for key, values in rows.items()), flush=True)
    print(f"  original energy {np.mean([energy(x) for x in originals]):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    for run in parser.parse_args().runs:
        measure(run)


if __name__ == "__main__":
    main()
