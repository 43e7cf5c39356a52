"""The discriminator of a branch: one head that knows the caption, one that does not."""

from __future__ import annotations

from typing import NamedTuple

from ganzoo_layers import of_size
from ganzoo_stackgan.discriminator import Discriminator as Conditional
from ganzoo_stackgan.stage_two import tiled
from torch import Tensor, cat, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo_stackgan_pp.branches import start


class Judged(NamedTuple):
    """Whether an image is real and fits its caption, `logit`; whether it is real, `unconditional`; ``B`` both."""

    logit: Tensor
    unconditional: Tensor
    features: Tensor


class Discriminator(Conditional):
    """`discriminator.stackgan` with a second head on the image alone: ``B C H W, B text -> Judged``.

    Paper: arXiv:1710.10916 section 4.2, with the widths of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 4.
        text_dim: Width of the condition.
        width: Channels after the first convolution, doubled with every halving.
        embedding: Compress the text to so many numbers first; 0 takes it as it is.

    Raises:
        ValueError: the image is smaller than 4x4, or (when called) images of another size.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        width: PositiveInt = 64,
        embedding: NonNegativeInt = 0,
    ):
        super().__init__(in_channels, in_size, text_dim, width, embedding)
        head = self.head
        assert isinstance(head, nn.Conv2d)
        self.alone = nn.Conv2d(head.in_channels, 1, (head.kernel_size[0], head.kernel_size[1]))
        start(self)

    def forward(self, x: Tensor, text: Tensor) -> Judged:  # type: ignore[override]
        of_size(x, self.size)
        seen = self.see(x)
        features = self.joint(cat([seen, tiled(self.compress(text), seen)], 1))
        return Judged(self.head(features).flatten(), self.alone(seen).flatten(), features.flatten(1))
