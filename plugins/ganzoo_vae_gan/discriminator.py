"""The discriminator, one of whose layers says how alike two images are."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from einops.layers.torch import Rearrange
from ganzoo_layers import Initialisation, initialise, of_size
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo_vae_gan.encoder import after_halvings, halved


class Judged(NamedTuple):
    """A `logit` for each image, the `features` it is read from, and the `maps` of the layer that compares images."""

    logit: Tensor
    features: Tensor
    maps: Tensor


class Discriminator(nn.Module):
    """A 5x5 convolution, halving ones, a linear layer, a logit: ``B C H W -> logit B, features B n, maps B C h w``.

    Batch norm and a ReLU follow every layer but the first, which has a ReLU alone, and the last. `maps` is what the
    convolution of number `layer` gives, before its batch norm.

    Paper: arXiv:1512.09300 table 1 and eq. 7, with the widths and the layer of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        stem: Channels behind the first convolution.
        widths: Channels behind each halving.
        hidden: Width of the linear layer behind them.
        layer: Which of the halving convolutions gives `maps`, counted from 1.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: there is no such layer, or (when called) images have another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        stem: PositiveInt = 32,
        widths: tuple[PositiveInt, ...] = (128, 256, 256),
        hidden: PositiveInt = 512,
        layer: PositiveInt = 3,
        weight_init: Initialisation = "he",
        init_scale: NonNegativeFloat = 0.2357,
    ):
        super().__init__()
        if layer > len(widths):
            raise ValueError(f"layer is {layer}, but there are {len(widths)} halving convolutions")
        self.size = in_size
        layers: list[nn.Module] = [nn.Conv2d(in_channels, stem, 5, 1, 2), nn.ReLU()]
        for before, after in pairwise((stem, *widths)):
            layers += halved(before, after)
        cut = 2 + 3 * (layer - 1) + 1
        height, width = after_halvings(in_size, len(widths))
        self.see = nn.Sequential(*layers[:cut])
        self.body = nn.Sequential(
            *layers[cut:],
            Rearrange("b c h w -> b (c h w)"),
            nn.Linear(widths[-1] * height * width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
        )
        self.head: nn.Module = nn.Linear(hidden, 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Judged:
        of_size(x, self.size)
        maps = self.see(x)
        features = self.body(maps)
        return Judged(self.head(features).squeeze(1), features, maps)
