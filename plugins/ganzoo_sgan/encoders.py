"""The classifier whose layers are inverted, and what is read of the noise."""

from __future__ import annotations

from typing import NamedTuple

from ganzoo_layers import at_least, initialise
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class Seen(NamedTuple):
    """Class `logits`, ``B K``, and the `features` that they are computed from, ``B n``, none below 0."""

    logits: Tensor
    features: Tensor


class Classifier(nn.Module):
    """Two 5x5 convolutions with pooling, a hidden layer, classes: ``B C H W -> logits B K, features B n``.

    ``E.classify(features)`` is the upper layer alone: the logits of features from elsewhere.

    Paper: arXiv:1612.04357 section 4.1, with the layers of the authors' code for MNIST.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 16.
        num_classes: Number of classes.
        width: Channels of both convolutions.
        features: Width of the hidden layer.

    Raises:
        ValueError: the image is too small.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        num_classes: PositiveInt,
        width: PositiveInt = 32,
        features: PositiveInt = 256,
    ):
        super().__init__()
        at_least(in_size, 16)
        height, breadth = (((side - 4) // 2 - 4) // 2 for side in in_size)
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, width, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(width * height * breadth, features),
            nn.ReLU(),
        )
        self.head = nn.Linear(features, num_classes)
        initialise(self, "xavier", 1.0)

    def forward(self, x: Tensor) -> Seen:
        features = self.body(x)
        return Seen(self.classify(features), features)

    def classify(self, features: Tensor) -> Tensor:
        """The logits of features: ``B n -> B K``."""
        return self.head(features)


class NoiseHead(nn.Module):
    """The noise that a sample was made from, guessed from the discriminator's features: ``B n -> B size`` in (0, 1).

    It is the mean of a normal distribution q(z|x) of fixed variance: the squared error is -log q(z|x) up to constants.

    Paper: arXiv:1612.04357 section 3 (its network Q).

    Args:
        features_dim: Width of the features.
        size: Width of the noise, which is uniform between 0 and 1.
        init_scale: Standard deviation of the weights at the start.
    """

    def __init__(self, features_dim: PositiveInt, size: PositiveInt = 50, init_scale: NonNegativeFloat = 0.02):
        super().__init__()
        self.guess = nn.Sequential(nn.Linear(features_dim, size), nn.Sigmoid())
        initialise(self, "normal", init_scale)

    def forward(self, features: Tensor) -> Tensor:
        return self.guess(features)
