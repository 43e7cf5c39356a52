"""The networks of a level: what an enlarged image lacks, and whether it looks right with it."""

from __future__ import annotations

from math import prod

import torch
from einops import rearrange
from ganzoo_layers import DiscriminatorOutput, Initialisation, agree, at_least, initialise, of_size, one_hot
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt


class Planes(nn.Module):
    """Vectors as planes of an image's size: ``B n -> B m H W``.

    As many numbers as the image has pixels, or a multiple, are planes already; others become one by a linear layer.
    """

    def __init__(self, features: int, size: tuple[int, int], relu: bool = False):
        super().__init__()
        self.size, pixels = size, prod(size)
        self.ready = features % pixels == 0 and not relu
        self.count = features // pixels if self.ready else 1
        linear = nn.Sequential(nn.Linear(features, pixels), nn.ReLU() if relu else nn.Identity())
        self.make: nn.Module = nn.Identity() if self.ready else linear

    def forward(self, z: Tensor) -> Tensor:
        h, w = self.size
        return rearrange(self.make(z), "b (m h w) -> b m h w", m=self.count, h=h, w=w)


class Generator(nn.Module):
    """Convolutions from an enlarged image, beside noise, to its residual: ``B z, B C H W -> B C' H W``.

    The residual is unbounded. Noise of as many numbers as the image has pixels is a plane beside it; of any other
    width, a linear layer makes a plane of it. With classes, the label becomes one more plane: linear, then ReLU.

    Paper: arXiv:1506.05751 section 3, with the layers of the authors' code.

    Args:
        z_dim: Width of the noise.
        in_channels: Channels of the enlarged image.
        in_size: Its height and width, any.
        out_channels: Channels of the residual.
        num_classes: Number of classes; 0 for none.
        width: Channels of the hidden layers.
        kernel: Size of the two hidden layers' filters, odd; the last layer's are 5.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: the kernel is even, or (when called) there is a label without classes, or the other way round.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        width: PositiveInt = 64,
        kernel: PositiveInt = 7,
        weight_init: Initialisation = "torch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}, but should be odd, so that the image keeps its size")
        self.num_classes = num_classes
        self.noise = Planes(z_dim, in_size)
        self.classes = Planes(num_classes, in_size, relu=True) if num_classes else None
        planes = in_channels + self.noise.count + (num_classes > 0)
        self.net = nn.Sequential(
            nn.Conv2d(planes, width, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, 5, padding="same"),
        )
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor, x: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.classes is not None, label)
        of_size(x, self.noise.size)
        planes = [self.noise(z), x]
        if self.classes is not None and label is not None:
            planes.insert(1, self.classes(one_hot(label, self.num_classes)))
        return self.net(torch.cat(planes, 1))


class Discriminator(nn.Module):
    """Two 5x5 convolutions and a linear layer, on an image: ``B C H W, B C H W -> DiscriminatorOutput``.

    The image is the sum of a residual and the enlarged image that it belongs to; called with one image, it judges that.
    With classes, the label becomes one more plane: linear, then ReLU.

    Paper: arXiv:1506.05751 section 3, with the layers of the authors' code.

    Args:
        in_channels: Channels of the residual.
        in_size: Its height and width, any from 9.
        num_classes: Number of classes; 0 for none.
        width: Channels of the two layers.
        dropout: Probability of dropping a value before the last layer.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: the image is too small, or (when called) has another size, or there is a label without classes, or
            the other way round.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        num_classes: NonNegativeInt = 0,
        width: PositiveInt = 64,
        dropout: Fraction = 0.5,
        weight_init: Initialisation = "torch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        at_least(in_size, 9)
        self.size, self.num_classes = in_size, num_classes
        self.classes = Planes(num_classes, in_size, relu=True) if num_classes else None
        self.body = nn.Sequential(
            nn.Conv2d(in_channels + (num_classes > 0), width, 5),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
        )
        self.head: nn.Module = nn.Linear(width * prod((side - 9) // 2 + 1 for side in in_size), 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor, cond: Tensor | None = None, label: Tensor | None = None) -> DiscriminatorOutput:
        agree(self.classes is not None, label)
        of_size(x, self.size)
        image = x if cond is None else x + cond
        if self.classes is not None and label is not None:
            image = torch.cat([image, self.classes(one_hot(label, self.num_classes))], 1)
        features = self.body(image)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
