"""Convolutions from or to one channel, or to few, as products of larger matrices.

A CPU computes eight or sixteen channels at once, and convolution libraries leave the others idle. Here the places of a
kernel take the place of channels: an image is unfolded before, or a map folded after, a convolution that is then wide.
Results differ by no more than rounding, derivatives of any order included.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, unfold

SMALL = 4  # a kernel's side from which it pays
WHOLE = 32  # places up to which a kernel is unfolded in both directions; larger ones along rows alone
FEW = 4  # channels


class ThinConv2d(nn.Conv2d):
    """A convolution from one channel, or to one or few; on a CPU in full precision it is computed as above."""

    padding: Any  # never a word here

    def forward(self, input: Tensor) -> Tensor:  # named as in nn.Conv2d: the names of parameters are the contract
        if not _pays(input):
            return super().forward(input)
        large = self.kernel_size[0] * self.kernel_size[1] > WHOLE
        if self.in_channels == 1 and (large or input.requires_grad):  # the derivative to the input is what is slow
            return self._from_few(input, large)
        if self.out_channels == 1 or (self.out_channels <= FEW and large and _first(input, self.weight)):
            return self._to_few(input, large)
        return super().forward(input)

    def _from_few(self, x: Tensor, rows: bool) -> Tensor:
        """``B 1 H W`` unfolded to ``B k H' W'``, k places of the kernel, then a convolution of what is left of it."""
        (height, width), (down, right), (top, side) = self.kernel_size, self.stride, self.padding
        sizes = [
            (n + 2 * p - k) // s + 1
            for n, p, k, s in zip(x.shape[2:], (top, side), (height, width), self.stride, strict=True)
        ]
        if rows:
            places = unfold(x, (1, width), padding=(0, side), stride=(1, right)).unflatten(2, (x.shape[2], sizes[1]))
            weight = self.weight.transpose(1, 3)
            return conv2d(places, weight, self.bias, stride=(down, 1), padding=(top, 0))
        places = unfold(x, self.kernel_size, padding=self.padding, stride=self.stride).unflatten(2, sizes)
        return conv2d(places, self.weight.flatten(1)[:, :, None, None], self.bias)

    def _to_few(self, x: Tensor, rows: bool) -> Tensor:
        """A convolution to ``B (C' k) H W``, k places of the mirrored kernel, which are folded to ``B C' H' W'``."""
        (height, width), (top, side) = self.kernel_size, self.padding
        size = x.shape[2] + 2 * top - height + 1, x.shape[3] + 2 * side - width + 1
        if rows:
            weight = self.weight.flip(3).permute(0, 3, 1, 2).flatten(0, 1)[:, :, :, None]
            places, kernel, padding = conv2d(x, weight, padding=(top, 0)), (1, width), (0, width - 1 - side)
        else:
            weight = self.weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]
            places, kernel, padding = conv2d(x, weight), (height, width), (height - 1 - top, width - 1 - side)
        image = fold(places.flatten(2), size, kernel, padding=padding)
        return image if self.bias is None else image + self.bias[:, None, None]


class ThinConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution to one channel; on a CPU in full precision it is computed as above."""

    padding: Any
    output_padding: Any

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _pays(input):
            return super().forward(input, output_size)
        settings: Any = zip(
            input.shape[2:], self.stride, self.padding, self.kernel_size, self.output_padding, strict=True
        )
        size = tuple((n - 1) * s - 2 * p + k + more for n, s, p, k, more in settings)
        places = conv2d(input, self.weight.flatten(2).permute(1, 2, 0).flatten(0, 1)[:, :, None, None])
        image = fold(places.flatten(2), size, self.kernel_size, padding=self.padding, stride=self.stride)
        return image if self.bias is None else image + self.bias[:, None, None]


PLAIN: dict[type[nn.Module], type[nn.Module]] = {ThinConv2d: nn.Conv2d, ThinConvTranspose2d: nn.ConvTranspose2d}


def thin(layer: Any) -> type[nn.Module] | None:
    """The class by which :func:`ganzoo.model.rewrite.rewrite` has a layer computed otherwise, or None."""
    kind = next((kind for kind, plain in PLAIN.items() if type(layer) in (kind, plain)), None)
    if kind is None or not _usual(layer):
        return None
    if kind is ThinConvTranspose2d:
        return kind if layer.out_channels == 1 and _places(layer) <= WHOLE else None
    from_one = layer.in_channels == 1
    to_few = layer.out_channels <= FEW and layer.stride == (1, 1) and _inside(layer)
    return kind if from_one or to_few else None


def _usual(layer: Any) -> bool:
    """Whether a kernel is large enough, whole, and sees zeros outside."""
    return (
        min(layer.kernel_size) >= SMALL
        and layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _inside(layer: Any) -> bool:
    """Whether no output sees zeros alone, which folding cannot say."""
    return all(padding < size for padding, size in zip(layer.padding, layer.kernel_size, strict=True))


def _places(layer: Any) -> int:
    return layer.kernel_size[0] * layer.kernel_size[1]


def _pays(x: Any) -> bool:
    """Whether it is a batch of images on a CPU, in full precision; compilers have ways of their own."""
    return (
        isinstance(x, Tensor)
        and x.dim() == 4
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _first(*tensors: Tensor) -> bool:
    """Whether all lie with channels first; with channels last, few channels are no slower."""
    return all(t.is_contiguous() for t in tensors)
