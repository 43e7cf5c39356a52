"""Weights of PyTorch code for StyleGAN2: rosinality's, to which others are converted, and state dicts of NVIDIA's."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from ganzoo_stylegan2.layers import GAIN, activated
from ganzoo_stylegan2.mapping import normalised

RATE, GROUP = 0.01, 4
SAMPLES = 4096  # of which rosinality's generate.py takes the mean


def styles(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """A mapping; where a file has no mean of styles, it is that of 4096 styles, as the code has it.

    Source: rosinality/stylegan2-pytorch, model.py and generate.py; NVlabs/stylegan2-ada-pytorch, training/networks.py.

    Raises:
        ValueError: the part has another `rate`.
    """
    if part.layers[0].rate != RATE:
        raise ValueError(f"the part has `rate: {part.layers[0].rate}`; write `rate: {RATE}`")
    if "mean" not in tensors:
        first = tensors["layers.0.weight"]
        drawn = torch.randn(SAMPLES, first.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        x = normalised(drawn).to(first.dtype)
        for index in range(len(part.layers)):
            weight, bias = tensors[f"layers.{index}.weight"], tensors[f"layers.{index}.bias"]
            x = activated(linear(x, weight * (GAIN * RATE / math.sqrt(weight.shape[1])), bias * (GAIN * RATE)))
        tensors["mean"] = x.mean(0)
    return tensors


def flattened(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """Without the axes of size 1 that weights, biases and strengths of noise have there.

    Source: rosinality/stylegan2-pytorch, model.py.
    """
    own = part.state_dict()

    def shaped(name: str, value: Tensor) -> Tensor:
        same = name in own and value.squeeze().shape == own[name].squeeze().shape
        return value.reshape(own[name].shape) if same else value

    return {name: shaped(name, value) for name, value in tensors.items()}


def shaped(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back of :func:`flattened`. Source: as above."""
    found = dict(tensors)
    for name, value in tensors.items():
        if name.endswith(("conv.weight", "strength")):
            found[name] = value[None]
        elif name.startswith("images.") and name.endswith(".bias") and "affine" not in name:
            found[name] = value[None, :, None, None]
    return found


def layers(part: Any) -> list[str]:
    """Names of a generator's tensors. Source: as above."""
    convs = ["conv1", *(f"convs.{i}" for i in range(len(part.layers) - 1))]
    images = ["to_rgb1", *(f"to_rgbs.{i}" for i in range(len(part.images) - 1))]
    both = ("conv.weight", "conv.modulation.weight", "conv.modulation.bias")
    found = [f"{conv}.{tensor}" for conv in convs for tensor in (*both, "noise.weight", "activate.bias")]
    return [*found, *(f"{image}.{tensor}" for image in images for tensor in (*both, "bias"))]


def grouped(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """As they are, for a part that judges as theirs does. Source: as above.

    Raises:
        ValueError: it has another group, or no shortcuts.
    """
    if part.group != GROUP:
        raise ValueError(f"the part has `group: {part.group}`; write `group: {GROUP}`")
    return residual(tensors, part)


def residual(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """As they are, for a part that has shortcuts. Source: NVlabs/stylegan2-ada-pytorch, training/networks.py.

    Raises:
        ValueError: it has none.
    """
    if any(block.shortcut is None for block in part.blocks):
        raise ValueError("the part has `residual: false`; write `residual: true`")
    return tensors


def judges(part: Any) -> list[str]:
    """Names of a discriminator's tensors: biases stand in the activation behind. Source: rosinality, model.py."""
    found = ["convs.0.0.weight", "convs.0.1.bias", "final_conv.0.weight", "final_conv.1.bias"]
    tensors = ("conv1.0.weight", "conv1.1.bias", "conv2.1.weight", "conv2.2.bias")
    return [*found, *(f"convs.{i}.{tensor}" for i in range(1, len(part.blocks) + 1) for tensor in tensors)]


def constant(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The constant map with an axis for samples. Source: NVlabs/stylegan2-ada-pytorch, training/networks.py."""
    return tensors | {"constant": tensors["constant"][None]}


def first(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back of :func:`constant`. Source: as above."""
    return tensors | {"constant": tensors["constant"][0]}


def blocks(part: Any) -> list[str]:
    """Names of a generator's tensors: blocks are called by their size. Source: as above."""
    both, found = ("weight", "bias", "affine.weight", "affine.bias"), []
    for level in range(len(part.images)):
        start = f"synthesis.b{4 << level}"
        found += [f"{start}.torgb.{tensor}" for tensor in both]
        for conv in ("conv0", "conv1")[level == 0 :]:
            found += [f"{start}.{conv}.{tensor}" for tensor in (*both, "noise_strength")]
    return found


def halvings(part: Any) -> list[str]:
    """Names of a discriminator's tensors. Source: as above."""
    largest = 4 << len(part.blocks)
    found = [f"b{largest}.fromrgb.weight", f"b{largest}.fromrgb.bias"]
    for level in range(1, len(part.blocks) + 1):
        layers = ("conv0.weight", "conv0.bias", "conv1.weight", "conv1.bias", "skip.weight")
        found += [f"b{4 << level}.{tensor}" for tensor in layers]
    return found
