"""The generator of CUT, whose first half also encodes."""

from __future__ import annotations

from typing import Literal

from ganzoo_cyclegan.generator import Block
from ganzoo_layers import norm as make_norm
from ganzoo_layers import quartered, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt
from ganzoo.contract import Scales
from ganzoo_cut.blur import BlurDown, BlurUp
from ganzoo_cut.start import xavier_normal


class Generator(nn.Module):
    """CycleGAN's generator with blurs where it resizes: ``B C H W -> B out H W``.

    ``G.maps(x)`` gives what the layers of its first half make of an image: the image itself with its edges reflected,
    both resizing convolutions, the first residual block and the middle one.

    Paper: arXiv:2007.15651 section 3 and appendix C.1, layers 0, 4, 8, 12 and 16 of the authors' code.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both multiples of 4; other such sizes do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Residual blocks.
        width: Channels at full size; doubled at each halving.
        antialias: Resize by a blur behind or before a convolution of stride 1, instead of by a strided one.
        norm: Normalisation of all layers but the last; ``instance`` has no scale and shift.
        init_scale: Gain of Xavier's normal distribution of the weights at the start.

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
        antialias: bool = True,
        norm: Literal["batch", "instance"] = "instance",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        quartered(in_size)
        bias = norm != "batch"

        def normed(layer: nn.Module, channels: int) -> list[nn.Module]:
            return [layer, make_norm(norm, channels, affine=False), nn.ReLU()]

        layers = [nn.ReflectionPad2d(3), *normed(nn.Conv2d(in_channels, width, 7, bias=bias), width)]
        self.seen = [0]
        for channels in (width, 2 * width):
            self.seen.append(len(layers))
            stride = 1 if antialias else 2
            layers += normed(nn.Conv2d(channels, 2 * channels, 3, stride, 1, bias=bias), 2 * channels)
            layers += [BlurDown()] if antialias else []
        self.seen += [len(layers) + block for block in dict.fromkeys((0, blocks // 2)) if block < blocks]
        layers += [Block(4 * width, norm, bias) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            half = channels // 2
            if antialias:
                layers += [BlurUp(), *normed(nn.Conv2d(channels, half, 3, 1, 1, bias=bias), half)]
            else:
                grow = nn.ConvTranspose2d(channels, half, 3, 2, 1, output_padding=1, bias=bias)
                layers += normed(grow, half)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), to_range(out_range)]
        self.net = nn.Sequential(*layers)
        xavier_normal(self, init_scale)

    def forward(self, x: Tensor) -> Tensor:
        quartered(x.shape[2:])
        return self.net(x)

    def maps(self, x: Tensor) -> Scales:
        """What the layers of the first half make of an image, ``B c h w`` each."""
        quartered(x.shape[2:])
        found = []
        for number, layer in enumerate(self.net[: self.seen[-1] + 1]):
            x = layer(x)
            if number in self.seen:
                found.append(x)
        return Scales(found)
