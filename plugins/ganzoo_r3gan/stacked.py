"""Grey images stacked as channels: a mode for each choice of their classes, a thousand of ten classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.fashion_sample import FashionMnistSample
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.fields import Field

CHUNK = 1000


class StackedFashion(ImageSet):
    """Three bundled clothes, drawn at random, as the channels of one image, field `real`: 1000 modes.

    Those of the test split are made of images that the training split does not have. Source: arXiv:1611.02163
    section 3.3.1, where digits are stacked. Licence: MIT, see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: 28, or 32 for a border of two black pixels; images are never resized.
        count: How many are made.
        seed: Seed of the drawing.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: Literal[28, 32] = 28,
        count: PositiveInt = 20000,
        seed: int = 0,
    ):
        super().__init__(split, range)
        self.size, self.count, self.seed = size, count, seed

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {"real": self.image(3, self.size, self.size)}

    def load(self) -> dict[str, np.ndarray]:
        images = FashionMnistSample(self.split, self.range, self.size).load()["real"]
        chosen = np.random.default_rng(self.seed).integers(len(images), size=(self.count, 3))
        return {"real": rearrange(images[chosen], "n c h w 1 -> n h w c")}


class StackedModes:
    """How many combinations of classes the channels of images show: ``B C H W -> {modes, kl}``, E with logits.

    Each channel is classified as a grey image; K classes and C channels make K^C modes. `kl` is
    KL(share of each mode || uniform) in nats. n samples that are uniform themselves have about K^C / (2 n).

    Source: arXiv:1611.02163 section 3.3.1; the divergence as in arXiv:1705.07761 and arXiv:1712.04086.
    """

    better = {"modes": "higher", "kl": "lower"}  # noqa: RUF012

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such channels, and knows classes."""
        return _logits(extractor(fake[:, :1]))

    @torch.no_grad()
    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        grey = rearrange(fake, "b c h w -> (b c) 1 h w")
        held = next((t for t in (*extractor.buffers(), *extractor.parameters())), grey)
        logits = torch.cat([_logits(extractor(some.to(held.device))).cpu() for some in grey.split(CHUNK)])
        classes, channels = logits.shape[1], fake.shape[1]
        of_channel = rearrange(logits.argmax(1), "(b c) -> b c", c=channels)
        mode = (of_channel * classes ** torch.arange(channels)).sum(1)
        share = torch.bincount(mode, minlength=classes**channels).double() / len(mode)
        seen = share[share > 0]
        kl = (seen * seen.log()).sum().item() + channels * math.log(classes)
        return Measured({"modes": float(len(seen)), "kl": kl}, {"of_modes": classes**channels})


def _logits(output: Any) -> Tensor:
    """Raises ValueError: there are none."""
    if not hasattr(output, "logits"):
        raise ValueError("the extractor gives no logits, so it was no classifier")
    return output.logits
