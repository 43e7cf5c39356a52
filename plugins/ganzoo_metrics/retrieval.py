"""Whether images say what their captions say."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from einops import einsum
from torch import Tensor
from torch.nn.functional import normalize

from ganzoo.contract import Measured
from ganzoo_metrics.images import share

CHUNK = 500
CHANCE = 1.5  # times what chance gives: below, the captions do not show


class RPrecision:
    """The share of images whose own caption is the nearest of several: ``r_precision(e(fake), t(text))``.

    1/n sum_i 1[cos(x_i, y_i) > cos(x_i, y_j) for all j in S_i], S_i = `candidates` - 1 other captions drawn at random

    Captions equal to the image's own are never among the others. Chance gives 1 / `candidates`; below one and a half
    times that a verdict says that the captions do not show.

    Paper: arXiv:1711.10485 section 4 (with 99 others).

    Args:
        candidates: How many captions an image is compared with, its own among them.
        seed: Seed of the drawing.

    Raises:
        ValueError: `candidates` is below 2, or (when called) the embeddings, ``n d`` both, differ in shape, or a
            caption has too few that differ from it.
    """

    better = "higher"

    def __init__(self, candidates: Annotated[int, Ge(2)] = 10, seed: int = 0):
        self.candidates, self.seed = candidates, seed

    def __call__(self, x: Tensor, y: Tensor) -> Measured:
        if x.shape != y.shape or x.ndim != 2:
            raise ValueError(f"embeddings are n x d and n x d, not {tuple(x.shape)} and {tuple(y.shape)}")
        caption = torch.unique(y, dim=0, return_inverse=True)[1]
        fewest = len(y) - int(torch.bincount(caption).max())
        if fewest < self.candidates - 1:
            raise ValueError(f"a caption differs from {fewest} others only, too few for {self.candidates} candidates")
        images, texts = normalize(x.double(), dim=1), normalize(y.double(), dim=1)
        generator = torch.Generator().manual_seed(self.seed)
        right = 0
        for rows in torch.arange(len(x)).split(CHUNK):
            drawn = torch.rand(len(rows), len(x), generator=generator)
            drawn[caption[rows, None] == caption[None]] = -1
            others = drawn.topk(self.candidates - 1, dim=1).indices
            own = (images[rows] * texts[rows]).sum(1)
            right += int((own > einsum(images[rows], texts[others], "n d, n c d -> n c").amax(1)).sum())
        found, chance = right / len(x), 1 / self.candidates
        verdict = ""
        if found < CHANCE * chance:
            verdict = f"captions do not show: images find {share(found)} of their own, and chance {share(chance)}"
        return Measured(found, {"candidates": self.candidates, "draw_seed": self.seed}, verdict)
