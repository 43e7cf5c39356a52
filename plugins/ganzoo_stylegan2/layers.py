"""Layers whose weights are scaled when they are used, a low-pass filter, and what a style modulates.

The gain of an activation is a factor on what goes into it, for a leaky ReLU of c x is c times that of x; there it
costs nothing, for weights and biases are smaller than maps.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

SLOPE, GAIN = 0.2, math.sqrt(2)


class Linear(nn.Linear):
    """A linear layer with an equalised learning rate: ``B n -> B m``, weights N(0, 1) / rate times rate / sqrt(n).

    Paper: arXiv:1710.10196 section 4.1; the `rate` is arXiv:1812.04948 appendix C.
    """

    equalized = True

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0, start: float = 0.0):
        self.rate, self.start = rate, start
        super().__init__(inputs, outputs)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, 0.0, 1 / self.rate)
        nn.init.constant_(self.bias, self.start)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        return linear(x, self.weight * (gain * self.rate / math.sqrt(self.in_features)), self.bias * (gain * self.rate))


class Conv(nn.Conv2d):
    """A convolution with an equalised learning rate that keeps the size, or halves it behind a low-pass filter."""

    equalized = True

    def __init__(self, inputs: int, outputs: int, size: int, down: bool = False, bias: bool = True):
        super().__init__(inputs, outputs, size, bias=bias)
        self.down, self.scale = down, 1 / math.sqrt(inputs * size**2)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        weight = self.weight * (gain * self.scale)
        bias = None if self.bias is None else self.bias * gain
        edge = self.kernel_size[0] // 2
        if not self.down:
            return conv2d(x, weight, bias, padding=edge)
        if edge == 0:
            return conv2d(filtered(x, padding=1, stride=2), weight, bias)
        return conv2d(filtered(x, padding=1 + edge), weight, bias, stride=2)


def activated(x: Tensor) -> Tensor:
    """The activation of all layers; its gain has gone into `x` already."""
    return leaky_relu(x, SLOPE)


def taps(channels: int, like: Tensor) -> Tensor:
    """The low-pass filter [1, 3, 3, 1] in both directions, of sum 1, for each channel: ``C 1 4 4``."""
    place = torch.arange(4, dtype=like.dtype, device=like.device)  # a list from the host would wait for the device
    row = 0.5 - 0.25 * (place - 1.5).abs()
    return torch.outer(row, row).expand(channels, 1, 4, 4)


def filtered(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """A map through the low-pass filter, channel by channel, every `stride`-th place of it."""
    height, width = ((n + 2 * padding - 4) // stride + 1 for n in x.shape[2:])
    return _filter(x, (height, width), padding, stride, gain, False)


def doubled(x: Tensor) -> Tensor:
    """A map of twice the size: zeros between its places, then the low-pass filter."""
    height, width = x.shape[2:]
    return _filter(x, (2 * height, 2 * width), 1, 2, 4.0, True)


def _filter(x: Tensor, size: tuple[int, int], padding: int, stride: int, gain: float, spread: bool) -> Tensor:
    """The filter, or with `spread` its transpose, from a map to one of `size`.

    Where there are derivatives it says itself what they are. Torch's second one of a convolution of many groups also
    computes that of the weights, which are constant here, group by group.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        return _Filter.apply(x, size, padding, stride, gain, spread)
    weight = taps(x.shape[1], x) * gain
    if not spread:
        return conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])
    more = [to - ((n - 1) * stride - 2 * padding + 4) for to, n in zip(size, x.shape[2:], strict=True)]
    return conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=more, groups=x.shape[1])


class _Filter(torch.autograd.Function):
    """A linear map, so its derivative is its transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: Any, padding: int, stride: int, gain: float, spread: bool) -> Tensor:
        ctx.settings = tuple(x.shape[2:]), padding, stride, gain, not spread
        with torch.no_grad():
            return _filter(x, size, padding, stride, gain, spread)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _filter(gradients[0], *ctx.settings), None, None, None, None, None


def lying_like(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A map with channels last in memory where a convolution's weights have them so."""
    last = conv.weight.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last) if last else x


class Modulated(nn.Module):
    """A convolution whose inputs are scaled by a style, and its outputs back: ``B C H W, B n -> B C' H W``.

    w'_ijk = s_i w_ijk / sqrt(sum over i, k of (s_i w_ijk)^2 + 1e-8), s = A(style). No weight of a sample is made: s
    scales the maps that go in, and the root those that come out, which is the same and cheaper. With `up` the map is
    doubled, by a transposed convolution and the low-pass filter; without `demodulate` there is no root.

    Paper: arXiv:1912.04958 eq. 1 and 3.
    """

    def __init__(self, inputs: int, outputs: int, size: int, styles: int, up: bool = False, demodulate: bool = True):
        super().__init__()
        self.affine = Linear(styles, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.up, self.demodulate = up, demodulate
        self.scale = 1.0 if demodulate else 1 / math.sqrt(inputs * size**2)

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor | None]:
        """The maps before they are scaled back, and the factors that do it, ``B C' 1 1``."""
        style = self.affine(style, gain=self.scale)
        x = x * style[:, :, None, None]
        if self.up:
            x = conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = filtered(x, padding=1, gain=4.0)
        else:
            x = conv2d(x, self.weight, padding=self.weight.shape[2] // 2)
        if not self.demodulate:
            return x, None
        power = linear(style.square(), self.weight.square().sum((2, 3)))
        return x, (power + 1e-8).rsqrt()[:, :, None, None]
