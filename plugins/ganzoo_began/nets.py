"""The networks of BEGAN: a decoder as generator, and an encoder and another decoder as discriminator."""

from __future__ import annotations

from einops import reduce
from einops.layers.torch import Rearrange
from ganzoo_layers import Initialisation, Reconstructed, doubling_path, initialise, of_size
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class Decoder(nn.Module):
    """A latent vector grown by nearest upsampling and 3x3 convolutions of one width: ``B z -> B C H W``.

    Every level has two convolutions with ELU; the last convolution has no activation, so values may leave the range of
    the data. There is no normalisation.

    Paper: arXiv:1703.10717 section 3.5 and figure 1.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width, any that is larger than `base`.
        width: Channels of every map.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: no side of the image is larger than `base`.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 128,
        base: PositiveInt = 8,
        weight_init: Initialisation = "xavier",
        init_scale: NonNegativeFloat = 1.0,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        height, breadth = self.path[0]
        self.levels = nn.ModuleList()
        for level in range(len(self.path)):
            stem = [nn.Linear(z_dim, width * height * breadth), Rearrange("b (c h w) -> b c h w", h=height, w=breadth)]
            self.levels.append(
                nn.Sequential(
                    *(stem if level == 0 else [nn.Upsample(scale_factor=2, mode="nearest")]),
                    nn.Conv2d(width, width, 3, 1, 1),
                    nn.ELU(),
                    nn.Conv2d(width, width, 3, 1, 1),
                    nn.ELU(),
                )
            )
        self.last = nn.Conv2d(width, out_channels, 3, 1, 1)
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor) -> Tensor:
        x = z
        for level, (height, width) in zip(self.levels, self.path, strict=True):
            x = level(x)[:, :, :height, :width]
        return self.last(x)


class Autoencoder(nn.Module):
    """An image encoded and decoded again, judged by the error of that: ``B C H W -> Reconstructed``.

    logit = -mean |x - Dec(Enc(x))|

    Level i of the encoder has two 3x3 convolutions to i `width` channels and, but for the last, one of stride 2; the
    decoder is the generator's network with weights of its own.

    Paper: arXiv:1703.10717 section 3.5 and figure 1.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any that is larger than `base`.
        width: Channels of the encoder's first level, and of every map of the decoder.
        code: Width of the code between encoder and decoder.
        base: The encoder halves until no side exceeds this.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: no side of the image is larger than `base`, or (when called) it has another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 128,
        code: PositiveInt = 64,
        base: PositiveInt = 8,
        weight_init: Initialisation = "xavier",
        init_scale: NonNegativeFloat = 1.0,
    ):
        super().__init__()
        self.size = tuple(in_size)
        path = doubling_path(in_size, base)
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, 1, 1), nn.ELU()]
        channels = width
        for level in range(1, len(path) + 1):
            grown = level * width
            layers += [nn.Conv2d(channels, grown, 3, 1, 1), nn.ELU(), nn.Conv2d(grown, grown, 3, 1, 1), nn.ELU()]
            if level < len(path):
                layers += [nn.Conv2d(grown, grown, 3, 2, 1), nn.ELU()]
            channels = grown
        height, breadth = path[0]
        self.encoder = nn.Sequential(
            *layers, Rearrange("b c h w -> b (c h w)"), nn.Linear(channels * height * breadth, code)
        )
        initialise(self.encoder, weight_init, init_scale)
        self.decoder = Decoder(code, in_channels, in_size, width, base, weight_init, init_scale)

    def forward(self, x: Tensor) -> Reconstructed:
        of_size(x, self.size)
        code = self.encoder(x)
        made = self.decoder(code)
        return Reconstructed(-reduce((x - made).abs(), "b c h w -> b", "mean"), code, made)
