"""A local plugin: networks of upsamplings and of strided 3x3 convolutions, and images of noise of any size."""

import numpy as np
from torch import Tensor, nn

import ganzoo
from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field


class Upsampling(nn.Module):
    """A linear layer, then doublings by nearest upsampling and a 3x3 convolution: ``B z -> B C H W``."""

    channels_last = True

    def __init__(self, z_dim: int, out_channels: int, out_size: tuple[int, int], widths: tuple[int, ...] = (128, 64)):
        super().__init__()
        height, width = (side // 2 ** len(widths) for side in out_size)
        first = widths[0]
        layers: list[nn.Module] = [nn.Linear(z_dim, first * height * width), nn.Unflatten(1, (first, height, width))]
        layers.append(nn.BatchNorm2d(first))
        channels = first
        for grown in widths:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, grown, 3, padding=1)]
            layers += [nn.BatchNorm2d(grown), nn.LeakyReLU(0.2, inplace=True)]
            channels = grown
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, out_channels, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Strided(nn.Module):
    """3x3 convolutions of stride 2 with dropout of channels and, but for the first, batch norm: ``B C H W -> B``."""

    channels_last = True

    def __init__(self, in_channels: int, in_size: tuple[int, int], widths: tuple[int, ...] = (16, 32, 64, 128)):
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for index, width in enumerate(widths):
            layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            layers += [nn.BatchNorm2d(width)] if index else []
            channels = width
        rest = (in_size[0] * in_size[1]) // 4 ** len(widths)
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * rest, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)


class Noise(Arrays):
    """A hundred grey images of uniform noise, of any size."""

    def __init__(self, size: int):
        self.size = size

    @property
    def fields(self) -> dict[str, Field]:
        return {"real": Field("image", (1, self.size, self.size), (-1.0, 1.0))}

    def load(self) -> dict[str, np.ndarray]:
        shape = (100, self.size, self.size, 1)
        return {"real": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}


@ganzoo.hookimpl
def register(zoo) -> None:
    zoo.data("noise", Noise)
    zoo.generator("upsampling", Upsampling)
    zoo.discriminator("strided", Strided)
