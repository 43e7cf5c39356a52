"""From latent vectors to styles."""

from __future__ import annotations

from typing import ClassVar

import torch
from ganzoo_layers import agree, one_hot
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeInt, PositiveFloat, PositiveInt
from ganzoo.parallel.distributed import batch_mean
from ganzoo_stylegan2.layers import GAIN, Linear, activated


def normalised(x: Tensor) -> Tensor:
    """Rows of mean square 1."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """Fully connected layers from a latent vector, scaled to unit mean square, to a style: ``B z -> B size``.

    w = f(z / sqrt(mean z^2)). When a trained model is sampled, styles may be drawn to their mean, which makes samples
    more alike and better: w_mean + psi (w - w_mean), ``ganzoo sample RUN psi=0.7``. With classes, an embedding of the
    label stands beside z.

    Paper: arXiv:1812.04948 section 2 and appendix B (truncation in W); arXiv:1912.04958 appendix B (half the learning
    rates, and the `rate`).

    Args:
        z_dim: Width of the latent vector.
        size: Width of the style and of all layers.
        layers: Number of layers.
        rate: Learning rate of these layers, as a share of that of others.
        psi: How far styles lie from their mean in evaluation, as a share of the distance; 1 leaves them where they are.
        decay: Decay of the mean of styles, which is kept in training.
        num_classes: Number of classes of the label, if it is called with one.
    """

    at_sampling: ClassVar = ("psi",)
    mean: Tensor

    def __init__(
        self,
        z_dim: PositiveInt,
        size: PositiveInt = 512,
        layers: PositiveInt = 8,
        rate: PositiveFloat = 0.01,
        psi: Fraction = 1.0,
        decay: Fraction = 0.995,
        num_classes: NonNegativeInt = 0,
    ):
        super().__init__()
        self.psi, self.decay, self.num_classes = psi, decay, num_classes
        self.embedding = Linear(num_classes, size) if num_classes else None
        first = z_dim + size if num_classes else z_dim
        self.layers = nn.ModuleList(Linear(size if index else first, size, rate) for index in range(layers))
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.num_classes > 0, label)
        x = normalised(z)
        if self.embedding is not None and label is not None:
            x = torch.cat([x, normalised(self.embedding(one_hot(label, self.num_classes)))], 1)
        for layer in self.layers:
            x = activated(layer(x, gain=GAIN))
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(batch_mean(x.detach().float()), 1 - self.decay)
            return x
        return x if self.psi == 1 else self.mean.lerp(x, self.psi)
