"""Two discriminators in one, whose last layers are the same."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from ganzoo_layers import at_least, of_size
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo_cogan.generator import start

LEAST = 16  # what two 5x5 convolutions, each with a 2x2 pooling, leave something of


class Judged(NamedTuple):
    """What is said of images of both domains: `logit` ``B 2``, a column a domain, `features` ``B 2n``, their halves."""

    logit: Tensor
    features: Tensor
    a: Tensor
    b: Tensor


class JudgedAlone(NamedTuple):
    """What is said of images of the first domain: `logit` ``B``, `features` ``B n``."""

    logit: Tensor
    features: Tensor


class Discriminator(nn.Module):
    """A column of logits for each of two domains: ``B C H W, B C H W -> Judged``; of the first alone, ``B C H W``.

    Two 5x5 convolutions, each with 2x2 max pooling and no activation, one that spans the map, PReLU, and two logits,
    of fake and of real, of which the difference is returned: its cross-entropy is that of the softmax of both. The rows
    of `x` and `y` have nothing to do with each other; no layer sees both.

    Paper: arXiv:1606.07536 section 2 and appendix A, table 3, as in the authors' PyTorch code.

    Args:
        in_channels: Channels of the images of domain a.
        in_size: Height and width of both domains, at least 16.
        width: Channels of the first convolution; 2.5 and 25 times as many follow.
        shared: Number of layers, from the last of four on, that both domains pass.
        channels_b: Channels of the images of domain b; those of a if not given.

    Raises:
        ValueError: the images are smaller than 16x16, or (when called) of another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 20,
        shared: Literal[0, 1, 2, 3] = 3,
        channels_b: PositiveInt | None = None,
    ):
        super().__init__()
        at_least(in_size, LEAST)
        self.size = in_size
        height, breadth = (((side - 4) // 2 - 4) // 2 for side in in_size)
        middle, features = width * 5 // 2, 25 * width

        def layers(channels: int) -> list[nn.Module]:
            return [
                nn.Sequential(nn.Conv2d(channels, width, 5), nn.MaxPool2d(2)),
                nn.Sequential(nn.Conv2d(width, middle, 5), nn.MaxPool2d(2)),
                nn.Sequential(nn.Conv2d(middle, features, (height, breadth)), nn.PReLU(), Rearrange("b n 1 1 -> b n")),
            ]

        own = min(4 - shared, 3)
        a, b = layers(in_channels), layers(channels_b or in_channels)
        self.a, self.b = nn.Sequential(*a[:own]), nn.Sequential(*b[:own])
        self.shared = nn.Sequential(*a[own:])
        self.head: nn.Module = nn.Linear(features, 2)
        self.head_b = None if shared else nn.Linear(features, 2)
        start(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Judged | JudgedAlone:
        of_size(x, self.size)
        a = self.shared(self.a(x))
        logit = self._logit(self.head, a)
        if y is None:
            return JudgedAlone(logit, a)
        of_size(y, self.size)
        b = self.shared(self.b(y))
        logits = rearrange([logit, self._logit(self.head_b or self.head, b)], "domain b -> b domain")
        return Judged(logits, torch.cat([a, b], 1), a, b)

    @staticmethod
    def _logit(head: nn.Module, features: Tensor) -> Tensor:
        fake, real = head(features).unbind(1)
        return real - fake

    def of(self, domain: Literal["a", "b"]) -> list[nn.Module]:
        """The layers that an image of one domain passes, first to last."""
        own, head = (self.a, self.head) if domain == "a" else (self.b, self.head_b or self.head)
        return [*own, *self.shared, head]
