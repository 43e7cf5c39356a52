"""Weights of the authors' PyTorch code, of three generations, and of Real-ESRGAN."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganzoo_esrgan.anchor import NAME, flattened

REMEMBERED = f"{NAME}.weights"


def generator(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """As they are, for a part that computes as theirs does; what it remembers is the same network.

    Source: XPixelGroup/BasicSR, basicsr/archs/rrdbnet_arch.py.

    Raises:
        ValueError: the part has other settings.
    """
    computes(part)
    wide, own = tensors["head.weight"].shape[1], part.head.in_channels
    colours = own // part.unshuffle**2
    factor = next((u for u in (1, 2, 4) if wide == colours * u**2), part.unshuffle)
    if factor != part.unshuffle:
        raise ValueError(f"its first layer sees {wide} channels; write `unshuffle: {factor}`")
    count = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    if count != len(part.blocks):
        raise ValueError(f"it has {count} blocks, the part {len(part.blocks)}; write `blocks: {count}`")
    if hasattr(part, NAME):
        tensors[REMEMBERED] = flattened(tensors[name] for name, _ in part.named_parameters())
    return tensors


def plain(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back, without what is remembered. Source: as above.

    Raises:
        ValueError: the part has other settings.
    """
    computes(part)
    return {name: value for name, value in tensors.items() if name != REMEMBERED}


def plain_of_four(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back to code that has two doublings whatever the scale. Source: as above.

    Raises:
        ValueError: the part has other settings, or another number of doublings.
    """
    if part.scale * part.unshuffle != 4:
        raise ValueError(f"it doubles twice, the part {(part.scale * part.unshuffle).bit_length() - 1} times")
    return plain(tensors, part)


def computes(part: Any) -> None:
    """Whether a part computes as theirs does. Source: as above.

    Raises:
        ValueError: it does not.
    """
    if part.base != "none":
        raise ValueError("the part has `base: bicubic`, which it does not; write `base: none`")
    if part.residual != 0.2:
        raise ValueError(f"the part has `residual: {part.residual}`; write `residual: 0.2`")


def last(part: Any) -> list[str]:
    """Layers that count from the end, and so among the doublings too. Source: as above."""
    return [f"{layer}.{tensor}" for layer in ("conv_hr", "conv_last", "HRconv") for tensor in ("weight", "bias")]


def after(part: Any) -> list[str]:
    """The layer behind the blocks counts on from them. Source: xinntao/ESRGAN, block.py."""
    return [f"model.1.sub.{len(part.blocks)}.{tensor}" for tensor in ("weight", "bias")]


def hidden(part: Any) -> list[str]:
    """The hidden layer of the discriminator does not count among its pairs. Source: as above."""
    return ["linear1.weight", "linear1.bias"]
