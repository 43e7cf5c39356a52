"""The U-Net of pix2pix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from ganzoo_layers import initialise, multiples, to_range
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt

MOST = 8  # halvings, and the largest multiple of `width`


class UNet(nn.Module):
    """An image halved to a bottleneck and doubled back, with skips between equal sizes: ``B C H W -> B out H W``.

    Channels start at `width` and double with every halving up to 8 times that. Neither the first convolution nor the
    bottleneck has a norm. Dropout is the only noise: let the part keep it when sampling with ``eval_dropout: true``.

    Paper: arXiv:1611.07004 section 6.1.1; convolutions before a batch norm have no bias, as in the authors' PyTorch
    code; dropout in the first three decoder layers as in the paper and its Torch code.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both multiples of ``2^downs``; other such sizes do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels after the first convolution.
        downs: How often the image is halved; as often as the size allows, up to 8, if not given.
        dropout: Probability of dropping a value of the first `drops` layers of the decoder.
        drops: How many layers have dropout.
        norm: Normalisation of all layers but the first, the bottleneck and the last; ``instance`` has no scale
            and shift.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the size cannot be halved so often, or, if `downs` is not given, not to maps near 4x4.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        downs: Annotated[int, Ge(2)] | None = None,
        dropout: Fraction = 0.5,
        drops: NonNegativeInt = 3,
        norm: Literal["batch", "instance", "none"] = "batch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.downs = _halvings(in_size) if downs is None else downs
        self._check(in_size)
        widths = [width * min(2**level, MOST) for level in range(self.downs)]
        bias = norm != "batch"
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level, (inputs, outputs) in enumerate(itertools.pairwise([in_channels, *widths])):
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias))
            if 0 < level < self.downs - 1:
                layers.append(make_norm(norm, outputs, affine=False))
            self.encoder.append(nn.Sequential(*layers))
        for level, (inputs, outputs) in enumerate(itertools.pairwise(reversed(widths))):
            layers = [nn.ReLU(), nn.ConvTranspose2d(inputs * (2 if level else 1), outputs, 4, 2, 1, bias=bias)]
            layers.append(make_norm(norm, outputs, affine=False))
            if level < drops:
                layers.append(nn.Dropout(dropout))
            self.decoder.append(nn.Sequential(*layers))
        last = nn.ConvTranspose2d(2 * width, out_channels, 4, 2, 1)
        self.decoder.append(nn.Sequential(nn.ReLU(), last, to_range(out_range)))
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x.shape[2:])
        skips: list[Tensor] = []
        for down in self.encoder:
            x = down(x)
            skips.append(x)
        x = self.decoder[0](skips.pop())
        for up in self.decoder[1:]:
            x = up(torch.cat([x, skips.pop()], 1))
        return x

    def _check(self, size: Sequence[int]) -> None:
        height, breadth = size
        step = 2**self.downs
        if height % step or breadth % step:
            near = multiples(size, step)
            raise ValueError(f"an image of {height}x{breadth} cannot be halved {self.downs} times; {near} would do")


def _halvings(size: Sequence[int]) -> int:
    """How often both sides can be halved, 8 times at most."""
    count = next((count for count in range(MOST) if size[0] % 2 ** (count + 1) or size[1] % 2 ** (count + 1)), MOST)
    least = min(max(min(size).bit_length() - 3, 2), MOST)  # to 4 to 7 pixels
    if count < least:
        near = multiples(size, 2**least)
        shallow = f", or write `downs: {count}`" if count >= 2 else ""
        times = f"{count} time" if count == 1 else f"{count} times"
        raise ValueError(f"in_size {size[0]}x{size[1]} can be halved only {times}; {near} would do{shallow}")
    return count
