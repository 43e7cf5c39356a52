"""A small convolutional classifier."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt

SMALLEST = 8


class Classified(NamedTuple):
    """What a classifier says: class logits ``B K``, and the `features` ``B n`` that they are read from."""

    logits: Tensor
    features: Tensor


class Cnn(nn.Module):
    """Classifier of four 3x3 convolutions and a hidden layer: ``B C H W -> logits B K, features B features``.

    Convolutions of width, 2 width, 2 width and 4 width channels, each with batch norm and ReLU; the first, third and
    fourth are followed by 2x2 max pooling; then one linear layer with batch norm and ReLU gives the features, and one
    linear layer, behind dropout, the logits.

    Source: ganzoo's own, in the manner of arXiv:1409.1556 with the batch norm of arXiv:1502.03167.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width.
        num_classes: Number of classes of the labels.
        width: Channels of the first convolution.
        features: Width of the hidden layer.
        dropout: The share of features dropped in training before the logits are read.

    Raises:
        ValueError: a side of the image is smaller than 8.
    """

    def __init__(
        self,
        in_channels: int,
        in_size: tuple[int, int],
        num_classes: PositiveInt,
        width: PositiveInt = 24,
        features: int = 128,
        dropout: float = 0.3,
    ):
        super().__init__()
        if min(in_size) < SMALLEST:
            raise ValueError(f"in_size {in_size[0]}x{in_size[1]} is too small: three halvings need 8x8 or more")
        channels = [in_channels, width, 2 * width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(pairwise(channels)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            if index != 1:
                layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers, nn.Flatten())
        flat = 4 * width * (in_size[0] // 8) * (in_size[1] // 8)
        self.hidden = nn.Sequential(nn.Linear(flat, features, bias=False), nn.BatchNorm1d(features), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, num_classes))

    def forward(self, x: Tensor) -> Classified:
        features = self.hidden(self.body(x.contiguous(memory_format=torch.channels_last)))  # twice as fast on CPUs
        return Classified(self.head(features), features)
