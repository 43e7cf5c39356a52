"""The fully connected networks of semi-supervised learning on MNIST."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from ganzoo_extractors.cnn import Classified
from ganzoo_layers import to_range
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class UnitRows(nn.Module):
    """Weights of which each output's have length 1, as a parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        return normalize(weight, dim=1)


class Centred(nn.Module):
    """Batch norm with a bias and no gain: ``B n -> B n``."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) + self.bias


class Noise(nn.Module):
    """Normal noise on what passes, in training only: ``B n -> B n``."""

    def __init__(self, std: float):
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


class Generator(nn.Module):
    """Hidden layers with softplus and a batch norm without gain, and a weight-normalised last one: ``B z -> B C H W``.

    Paper: arXiv:1606.03498 section 6.1, as in its code.

    Args:
        z_dim: Width of the latent vector.
        out_shape: Shape of one sample.
        out_range: Range of the data: (0, 1) ends in sigmoid, (-1, 1) in tanh, none in nothing.
        hidden: Widths of the hidden layers.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = (0.0, 1.0),
        hidden: tuple[PositiveInt, ...] = (500, 500),
    ):
        super().__init__()
        widths = (z_dim, *hidden)
        layers: list[nn.Module] = []
        for n, m in zip(widths, hidden, strict=False):
            layers += [nn.Linear(n, m, bias=False), Centred(m), nn.Softplus()]
        last = weight_norm(nn.Linear(widths[-1], math.prod(out_shape)))
        self.net = nn.Sequential(*layers, last, to_range(out_range))
        self.out_shape = tuple(out_shape)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.out_shape)


class Classifier(nn.Module):
    """Noisy layers with weights of length 1, and class logits: ``B *in_shape -> logits B K, features B n``.

    The features are what the last layer reads. Normal noise is added to the image and before every other layer while it
    trains.

    Paper: arXiv:1606.03498 section 6.1, as in its code.

    Args:
        in_shape: Shape of one sample.
        num_classes: Number of classes of the labels.
        hidden: Widths of the hidden layers.
        input_noise: Standard deviation of the noise on the image.
        noise: Standard deviation of the noise before every other layer.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        num_classes: PositiveInt,
        hidden: tuple[PositiveInt, ...] = (1000, 500, 250, 250, 250),
        input_noise: NonNegativeFloat = 0.3,
        noise: NonNegativeFloat = 0.5,
    ):
        super().__init__()
        widths = (math.prod(in_shape), *hidden)
        layers: list[nn.Module] = []
        for k, (n, m) in enumerate(zip(widths, hidden, strict=False)):
            layer = nn.Linear(n, m)
            parametrize.register_parametrization(layer, "weight", UnitRows())
            layers += [Noise(noise if k else input_noise), layer, nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(Noise(noise), weight_norm(nn.Linear(widths[-1], num_classes)))

    def forward(self, x: Tensor) -> Classified:
        features = self.body(rearrange(x, "b ... -> b (...)"))
        return Classified(self.head(features), features)


class AnyClass:
    """The logit that an image is of any class, which is to be real: ``B K -> B``, log sum exp of the class logits.

    It stands for a class K + 1, generated, whose logit is held at 0: sigmoid of it is sum exp l / (sum exp l + 1).

    Paper: arXiv:1606.03498 section 5.
    """

    def __call__(self, x: Tensor) -> Tensor:
        return x.logsumexp(1)
