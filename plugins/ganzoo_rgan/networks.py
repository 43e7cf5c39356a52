"""The recurrent networks of RGAN, with labels RCGAN."""

from __future__ import annotations

import math

import torch
from einops import rearrange, repeat
from ganzoo_layers import DiscriminatorOutput, agree, one_hot, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Lstm(nn.LSTM):
    """Long short-term memory over all steps: ``B T n -> B T hidden``.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b),  c_t = f c_{t-1} + i tanh(W x_t + U h_{t-1} + b),  h_t = o tanh(c_t)

    Weights start uniform by the sum of inputs and outputs, as in the authors' code; the forget gate has a bias of 1. It
    is computed without cuDNN, whose LSTM cannot be differentiated twice, as penalties want.
    """

    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter
    bias_ih_l0: nn.Parameter
    bias_hh_l0: nn.Parameter

    def __init__(self, features: int, hidden: int):
        super().__init__(features, hidden, batch_first=True)
        bound = math.sqrt(6 / (features + 5 * hidden))
        for weight in (self.weight_ih_l0, self.weight_hh_l0):
            nn.init.uniform_(weight, -bound, bound)
        for bias in (self.bias_ih_l0, self.bias_hh_l0):
            nn.init.zeros_(bias)
        nn.init.ones_(self.bias_ih_l0[hidden : 2 * hidden])
        self.bias_hh_l0.requires_grad_(False)  # one bias is enough

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        with torch.backends.cudnn.flags(enabled=False):
            return super().forward(x)[0]


class Generator(nn.Module):
    """An LSTM that reads noise and a one-hot label at every step, and a linear layer: ``B z -> B T C``.

    An image, ``C H W``, is a series of its H rows, and a vector one of its numbers.

    Paper: arXiv:1706.02633 section 3 (labels: RCGAN).

    Args:
        z_dim: Width of the latent vector.
        out_shape: Steps and channels of a series.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        hidden: Units of the LSTM.
        each: How many numbers of the latent vector each step sees, of its own; all see the whole of it if not given.
        num_classes: Number of classes of the label, if it is called with one.

    Raises:
        ValueError: the latent vector has not `each` numbers a step.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        hidden: PositiveInt = 100,
        each: PositiveInt | None = None,
        num_classes: NonNegativeInt = 0,
    ):
        super().__init__()
        self.shape, self.classes = tuple(out_shape), num_classes
        self.steps, channels = series(self.shape)
        if each and each * self.steps != z_dim:
            raise ValueError(f"z has {z_dim} numbers; {self.steps} steps of {each} each take {each * self.steps}")
        self.each = each
        self.lstm = Lstm((each or z_dim) + num_classes, hidden)
        self.out = nn.Linear(hidden, channels)
        self.range = to_range(out_range)
        _truncated(self.out)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.classes > 0, label)
        deal = (rearrange, "b (t n) -> b t n") if self.each else (repeat, "b n -> b t n")
        noise = deal[0](z, deal[1], t=self.steps)
        made = self.range(self.out(self.lstm(_told(noise, label, self.classes))))
        return _shaped(made, self.shape)


class Discriminator(nn.Module):
    """An LSTM on a series, with the one-hot label beside every step, and a logit for each: ``B T C -> logit B T``.

    Its `features`, ``B hidden``, are the mean state. An image, ``C H W``, is a series of its H rows, and a vector one
    of its numbers.

    Paper: arXiv:1706.02633 section 3 (labels: RCGAN).

    Args:
        in_shape: Steps and channels of a series.
        hidden: Units of the LSTM.
        num_classes: Number of classes of the label, if it is called with one.
    """

    def __init__(self, in_shape: tuple[PositiveInt, ...], hidden: PositiveInt = 100, num_classes: NonNegativeInt = 0):
        super().__init__()
        self.classes = num_classes
        self.lstm = Lstm(series(tuple(in_shape))[1] + num_classes, hidden)
        self.out = nn.Linear(hidden, 1)
        _truncated(self.out)

    def forward(self, x: Tensor, label: Tensor | None = None) -> DiscriminatorOutput:
        agree(self.classes > 0, label)
        states = self.lstm(_told(_series(x), label, self.classes))
        return DiscriminatorOutput(rearrange(self.out(states), "b t 1 -> b t"), states.mean(1))


def series(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many steps a sample has, and how many numbers each: of images their rows, of vectors their numbers."""
    if len(shape) == 3:
        return shape[1], shape[0] * shape[2]
    return shape[0], math.prod(shape[1:])


def _series(x: Tensor) -> Tensor:
    if x.ndim == 4:
        return rearrange(x, "b c t w -> b t (c w)")
    return rearrange(x, "b t ... -> b t (...)")


def _shaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    if len(shape) == 3:
        return rearrange(x, "b t (c w) -> b c t w", c=shape[0])
    return x.reshape(-1, *shape)


def _told(x: Tensor, label: Tensor | None, classes: int) -> Tensor:
    if label is None:
        return x
    return torch.cat([x, repeat(one_hot(label, classes), "b k -> b t k", t=x.shape[1])], 2)


def _truncated(layer: nn.Linear) -> None:
    """Weights and biases from N(0, 1), none beyond 2, as the authors' code has it."""
    for parameter in layer.parameters():
        nn.init.trunc_normal_(parameter, 0.0, 1.0, -2.0, 2.0)
