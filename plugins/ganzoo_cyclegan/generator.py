"""The generator of CycleGAN."""

from __future__ import annotations

from typing import Literal

from ganzoo_layers import initialise, quartered, to_range
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """An image shrunk to a quarter, residual blocks, and back to its size: ``B C H W -> B out H W``.

    A 7x7 convolution, two of stride 2, `blocks` of two 3x3 convolutions with a skip, two transposed convolutions, a 7x7
    one; edges are reflected.

    Paper: arXiv:1703.10593 section 7.2, after arXiv:1603.08155; instance norm without scale and shift as in the
    authors' PyTorch code.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both multiples of 4; other such sizes do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Residual blocks; the paper has 6 for 128x128 and 9 for 256x256.
        width: Channels at full size; doubled at each halving.
        norm: Normalisation of all layers but the last; ``instance`` has no scale and shift.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the sides are no multiples of 4, or below 8.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        blocks: NonNegativeInt = 9,
        width: PositiveInt = 64,
        norm: Literal["batch", "instance"] = "instance",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        quartered(in_size)
        bias = norm != "batch"

        def normed(layer: nn.Module, channels: int) -> list[nn.Module]:
            return [layer, make_norm(norm, channels, affine=False), nn.ReLU()]

        layers = [nn.ReflectionPad2d(3), *normed(nn.Conv2d(in_channels, width, 7, bias=bias), width)]
        for channels in (width, 2 * width):
            layers += normed(nn.Conv2d(channels, 2 * channels, 3, 2, 1, bias=bias), 2 * channels)
        layers += [Block(4 * width, norm, bias) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            half = channels // 2
            layers += normed(nn.ConvTranspose2d(channels, half, 3, 2, 1, output_padding=1, bias=bias), half)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), to_range(out_range)]
        self.net = nn.Sequential(*layers)
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> Tensor:
        quartered(x.shape[2:])
        return self.net(x)


class Block(nn.Module):
    """``x + norm(conv(act(norm(conv(x)))))``, edges reflected; nothing follows the sum."""

    def __init__(self, channels: int, norm: Literal["batch", "instance"], bias: bool):
        super().__init__()
        self.main = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels, affine=False),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels, affine=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)
