"""Two towers that meet: one for images, one for texts."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import normalize

SMALLEST = 8


class Embedded(NamedTuple):
    """An image's and a text's place in one space, ``B n`` each, of unit length."""

    image: Tensor
    text: Tensor


class TwoTowers(nn.Module):
    """Images and texts in one space, where what belongs together is near: ``B C H W, B text_dim -> Embedded``.

    Images: four 3x3 convolutions of width, 2 width, 4 width and 4 width channels with batch norm and ReLU, the first
    three followed by 2x2 max pooling, and one linear layer. Texts: dropout and two linear layers.

    Paper: arXiv:2103.00020 section 2.3, on a small scale.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width.
        text_dim: Width of the text embedding.
        width: Channels of the first convolution.
        size: Width of the common space.
        hidden: Width of the hidden layer of the text tower.
        dropout: The share of numbers dropped in training, of texts and before the image's linear layer.

    Raises:
        ValueError: a side of the image is smaller than 8.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: int,
        in_size: tuple[int, int],
        text_dim: int,
        width: int = 32,
        size: int = 64,
        hidden: int = 128,
        dropout: float = 0.2,
    ):
        super().__init__()
        if min(in_size) < SMALLEST:
            raise ValueError(f"in_size {in_size[0]}x{in_size[1]} is too small: three halvings need 8x8 or more")
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise([in_channels, width, 2 * width, 4 * width, 4 * width])):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if level < 3 else []
        flat = 4 * width * (in_size[0] // 8) * (in_size[1] // 8)
        self.images = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(flat, size))
        self.texts = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(text_dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, size)
        )

    def forward(self, x: Tensor, text: Tensor) -> Embedded:
        return Embedded(self.image(x), self.text(text))

    def image(self, x: Tensor) -> Tensor:
        """Images ``B C H W`` in the common space, ``B size``."""
        return normalize(self.images(x), dim=1)

    def text(self, text: Tensor) -> Tensor:
        """Texts ``B text_dim`` in the common space, ``B size``."""
        return normalize(self.texts(text), dim=1)
