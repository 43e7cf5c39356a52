"""Neighbouring layers computed as one where that gives the same numbers for less work.

A network is written with plain layers. Its modules, parameters, their names and hooks stay what they are; only the
arithmetic changes, and results by no more than rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d
from torch.nn.utils.parametrize import type_before_parametrizations

from ganzoo.model.thin import PLAIN, thin

SMALL = 64  # pixels
GLOBAL_HOOKS = [f"_global_{kind}_hooks" for kind in ("forward", "forward_pre", "backward", "backward_pre")]
Rule = Callable[[Any, Any, Tensor], Tensor]


class Rewritten(nn.Sequential):
    """A ``nn.Sequential`` that computes two neighbours as one where :func:`rule` knows how.

    It looks anew at every call, so that hooks, parametrisations and layers may come and go.
    """

    def forward(self, input):  # named as in nn.Sequential: the names of parameters are the contract of parts
        layers = list(self)
        index = 0
        while index < len(layers):
            first, second = layers[index], layers[index + 1] if index + 1 < len(layers) else None
            found = rule(first, second) if _is_images(input) else None
            input = first(input) if found is None else found(first, second, input)
            index += 1 if found is None else 2
        return input


def rewrite(module: nn.Module) -> None:
    """Have every plain ``nn.Sequential`` in a module compute as one the pairs that :func:`rewritable` lists.

    A layer that has a hook, or gets one later, is computed by itself. Thin convolutions are computed as
    :mod:`ganzoo.model.thin` says.
    """
    for layer in module.modules():
        if type(layer) is nn.Sequential and any(rule(a, b) for a, b in itertools.pairwise(layer)):
            layer.__class__ = Rewritten
        elif type(layer) not in PLAIN and (kind := thin(layer)) is not None:
            layer.__class__ = kind


def restore(module: nn.Module) -> None:
    """Undo :func:`rewrite`."""
    for layer in module.modules():
        plain = nn.Sequential if type(layer) is Rewritten else PLAIN.get(type(layer))
        if plain is not None:
            layer.__class__ = plain


def rewritable(module: nn.Module) -> list[str]:
    """The neighbours that :func:`rewrite` has computed as one, such as ``["blocks.0.main.2 + 3"]``."""
    found = []
    for name, layer in module.named_modules():
        if type(layer) in (nn.Sequential, Rewritten):
            named = itertools.pairwise(layer._modules.items())  # one layer may stand in several places
            found += [f"{name}.{a} + {b}".lstrip(".") for (a, x), (b, y) in named if rule(x, y)]
    return found


def rule(first: nn.Module, second: nn.Module | None) -> Rule | None:
    """How to compute two neighbouring layers as one, or None where each is to be computed by itself."""
    kinds = _kind(first), _kind(second)
    if kinds == (nn.Upsample, nn.Conv2d) and _doubles(first):
        return _up_conv3 if _is_conv(second, 3) else _up_conv1 if _is_conv(second, 1) else None
    if kinds == (nn.Conv2d, nn.AvgPool2d) and _halves(second):
        return _conv3_pool if _is_conv(first, 3) else _conv1_pool if _is_conv(first, 1) else None
    return None


def _up_conv3(up: nn.Upsample, conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Upsampling, then a 3x3 convolution: one transposed 4x4 convolution of stride 2.

    Of each row of three weights ``a b c``, an even pixel sees its own source with b + c and the one before with a, an
    odd pixel its own with a + b and the one after with c. Padding with zeros is what lies outside for both.
    Small maps in bfloat16 on a CPU are left alone: there a transposed convolution takes longer than both layers.
    """
    if x.shape[-2] * x.shape[-1] <= SMALL and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return conv(up(x))
    weight = _sums(conv.weight, mirrored=True).transpose(0, 1)
    return conv_transpose2d(x, weight, conv.bias, stride=2, padding=1)


def _conv3_pool(conv: nn.Conv2d, pool: nn.AvgPool2d, x: Tensor) -> Tensor:
    """A 3x3 convolution, then means of 2x2: one 4x4 convolution of stride 2, the mean of four shifted 3x3 ones."""
    return conv2d(x, _sums(conv.weight) / 4, conv.bias, stride=2, padding=1)


def _up_conv1(up: nn.Upsample, conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Upsampling copies pixels, so a 1x1 convolution may come before it."""
    return up(conv(x))


def _conv1_pool(conv: nn.Conv2d, pool: nn.AvgPool2d, x: Tensor) -> Tensor:
    """A 1x1 convolution is affine and the weights of a mean add up to 1, so the mean may come before it."""
    return conv(pool(x))


def _sums(weight: Tensor, mirrored: bool = False) -> Tensor:
    """Kernels ``O I 3 3`` convolved with 2x2 ones: ``O I 4 4``. One matrix product; in full precision, as the weights.

    A row of three ``a b c`` becomes ``a, a+b, b+c, c``.
    """
    with torch.autocast(weight.device.type, enabled=False):
        eye = torch.eye(4, dtype=weight.dtype, device=weight.device)
        row = eye[:, :3] + eye[:, 1:]
        both = torch.kron(row, row)
        return (weight.flatten(2) @ (both.flip(0) if mirrored else both).T).unflatten(2, (4, 4))


def _kind(layer: nn.Module | None) -> type | None:
    """The class of a layer, its parametrisations aside; None where a hook wants to see it called."""
    if layer is None or layer._forward_hooks or layer._forward_pre_hooks:
        return None
    if layer._backward_hooks or layer._backward_pre_hooks:
        return None
    if any(getattr(nn.modules.module, hooks, None) for hooks in GLOBAL_HOOKS):
        return None
    kind = type_before_parametrizations(layer)
    return nn.Upsample if kind is nn.UpsamplingNearest2d else kind


def _is_images(x: Any) -> bool:
    """Whether it is a batch of images. On meta nothing is computed, and the layers say best what does not fit."""
    return isinstance(x, Tensor) and x.dim() == 4 and x.device.type in ("cpu", "cuda")


def _is_conv(conv: Any, size: int) -> bool:
    """Whether a convolution keeps the size, seeing `size` pixels in both directions and zeros outside."""
    return (
        conv.kernel_size == (size, size)
        and conv.stride == (1, 1)
        and conv.padding == (size // 2, size // 2)
        and (size == 1 or (conv.dilation == (1, 1) and conv.groups == 1 and conv.padding_mode == "zeros"))
    )


def _doubles(up: Any) -> bool:
    return up.size is None and up.scale_factor in (2, (2, 2)) and up.mode in ("nearest", "nearest-exact")


def _halves(pool: Any) -> bool:
    return (
        pool.kernel_size in (2, (2, 2))
        and pool.stride in (2, (2, 2))
        and pool.padding in (0, (0, 0))
        and not pool.ceil_mode
        and pool.divisor_override is None
    )
