"""Fully connected networks in which noise, or image, and label have branches of their own before they meet."""

from __future__ import annotations

import math

import torch
from ganzoo_layers import DiscriminatorOutput, Initialisation, Maxout, agree, initialise, one_hot, to_range
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """A branch for the noise and one for the label, joined, one more layer, the image: ``B z, B -> B *out_shape``.

    Every hidden layer ends in ReLU; what it gives is dropped with `dropout` before the next. Called without a label it
    has no branch for it.

    Paper: arXiv:1411.1784 section 4.1; its widths are the defaults.

    Args:
        z_dim: Width of the noise.
        out_shape: Shape of one sample.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        num_classes: Number of classes of the label, if it is called with one.
        noise: Width of the branch of the noise.
        classes: Width of the branch of the label.
        joint: Width of the layer in which they meet.
        dropout: Probability of dropping a value of both hidden layers.
        out_bias: Start value of the output's bias; the code that the paper builds on takes the logit of the mean pixel.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = None,
        num_classes: NonNegativeInt = 0,
        noise: PositiveInt = 200,
        classes: PositiveInt = 1000,
        joint: PositiveInt = 1200,
        dropout: Fraction = 0.5,
        out_bias: float = 0.0,
        weight_init: Initialisation = "uniform",
        init_scale: NonNegativeFloat = 0.05,
    ):
        super().__init__()
        self.noise = nn.Sequential(nn.Linear(z_dim, noise), nn.ReLU())
        branch = nn.Sequential(nn.Linear(num_classes, classes), nn.ReLU()) if num_classes else None
        self.label = _Label(branch, num_classes)
        met = noise + (classes if num_classes else 0)
        last = nn.Linear(joint, math.prod(out_shape))
        self.joint = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(met, joint), nn.ReLU(), nn.Dropout(dropout), last, to_range(out_range)
        )
        self.out_shape = tuple(out_shape)
        initialise(self, weight_init, init_scale)
        if out_bias:
            nn.init.constant_(last.bias, out_bias)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.joint(self.label(self.noise(z), label)).unflatten(1, self.out_shape)


class Discriminator(nn.Module):
    """Maxout branches for image and label, joined by another, and a logit: ``B *in_shape, B -> DiscriminatorOutput``.

    Called without a label it has no branch for it.

    Paper: arXiv:1411.1784 section 4.1; its widths and pieces are the defaults.

    Args:
        in_shape: Shape of one sample.
        num_classes: Number of classes of the label, if it is called with one.
        image: Units of the branch of the image.
        classes: Units of the branch of the label.
        joint: Units of the layer in which they meet.
        pieces: Linear maps a unit takes the largest of: in the branches, and where they meet.
        dropout: Probability of dropping a value of the hidden layers.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        num_classes: NonNegativeInt = 0,
        image: PositiveInt = 240,
        classes: PositiveInt = 50,
        joint: PositiveInt = 240,
        pieces: tuple[PositiveInt, PositiveInt] = (5, 4),
        dropout: Fraction = 0.5,
        weight_init: Initialisation = "uniform",
        init_scale: NonNegativeFloat = 0.005,
    ):
        super().__init__()
        self.image = Maxout(math.prod(in_shape), image, pieces[0])
        self.label = _Label(Maxout(num_classes, classes, pieces[0]) if num_classes else None, num_classes)
        met = image + (classes if num_classes else 0)
        self.joint = nn.Sequential(nn.Dropout(dropout), Maxout(met, joint, pieces[1]), nn.Dropout(dropout))
        self.head: nn.Module = nn.Linear(joint, 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor, label: Tensor | None = None) -> DiscriminatorOutput:
        features = self.joint(self.label(self.image(x.flatten(1)), label))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


class _Label(nn.Module):
    """Features with those of the label beside them: ``B n, B -> B (n + m)``; without classes, as they are."""

    def __init__(self, branch: nn.Module | None, num_classes: int):
        super().__init__()
        self.num_classes, self.branch = num_classes, branch

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        agree(self.branch is not None, label)
        if self.branch is None or label is None:
            return x
        return torch.cat([x, self.branch(one_hot(label, self.num_classes).to(x.dtype))], 1)
