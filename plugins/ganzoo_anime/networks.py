"""Residual networks for drawn faces: SRResNet's body behind a latent vector, and a deep discriminator without norms."""

from __future__ import annotations

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, Initialisation, images_only, initialise, multiples, of_size, to_range
from ganzoo_layers.sizes import at_least
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm around a ReLU, added to their input: ``B C H W -> B C H W``.

    Paper: arXiv:1708.05509 figure 4.
    """

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Generator(nn.Module):
    """SRResNet behind a latent vector: residual blocks on small maps, then pixel shuffles: ``B z -> B C H W``.

    A linear layer makes the first maps; `blocks` residual blocks and a batch norm are added to them; for each of
    `doublings` a 3x3 convolution, pixel shuffle, batch norm and ReLU; a 9x9 convolution.

    Paper: arXiv:1708.05509 section 3.2 and figure 4.

    Args:
        z_dim: Width of the latent vector, with the attributes beside it.
        out_channels: Channels of the images.
        out_size: Height and width, multiples of 2 to the power of `doublings`.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of all maps.
        blocks: How many residual blocks.
        doublings: How many times the first maps are doubled; three if not given, or as often as the size allows.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        blocks: NonNegativeInt = 16,
        doublings: NonNegativeInt | None = None,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        height, breadth = out_size
        if doublings is None:
            doublings = next(count for count in (3, 2, 1, 0) if not (height | breadth) % 2**count)
        step = 2**doublings
        if height % step or breadth % step:
            near = multiples(out_size, step)
            raise ValueError(f"{height}x{breadth} is not {doublings} doublings of a smaller size; {near} would do")
        height, breadth = height // step, breadth // step
        self.start = nn.Sequential(
            nn.Linear(z_dim, width * height * breadth),
            Rearrange("b (c h w) -> b c h w", h=height, w=breadth),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.trunk = nn.Sequential(*(Residual(width) for _ in range(blocks)), nn.BatchNorm2d(width), nn.ReLU())
        ups: list[nn.Module] = []
        for _ in range(doublings):
            ups += [
                nn.Conv2d(width, 4 * width, 3, padding=1),
                Rearrange("b (c h2 w2) h w -> b c (h h2) (w w2)", h2=2, w2=2),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.tail = nn.Sequential(*ups, nn.Conv2d(width, out_channels, 9, padding=4), to_range(out_range))
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor) -> Tensor:
        first = self.start(z)
        return self.tail(first + self.trunk(first))


class Plain(nn.Module):
    """Two 3x3 convolutions without norms, added to their input, leaky ReLU: ``B C H W -> B C H W``.

    Paper: arXiv:1708.05509 figure 5.
    """

    def __init__(self, width: int, slope: float):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(slope), nn.Conv2d(width, width, 3, padding=1)
        )
        self.activation = nn.LeakyReLU(slope)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.body(x))


class Discriminator(nn.Module):
    """Pairs of residual blocks without norms, between 4x4 convolutions of stride 2: ``B C H W -> DiscriminatorOutput``.

    Channels double from `width` on, behind every pair. There is no batch norm, so that the gradient of an image's
    logit, which DRAGAN penalises, is a matter of that image alone. Its features are the last map, flat, for a head
    that names attributes.

    Paper: arXiv:1708.05509 section 3.2 and figure 5.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, at least 2 to the power of `pairs` + 1.
        width: Channels of the first convolution.
        pairs: How many pairs of residual blocks; five if not given, or as many as the size allows.
        slope: Slope of leaky ReLU for negative values.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: the images are too small, or (when called) of another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 32,
        pairs: NonNegativeInt | None = None,
        slope: NonNegativeFloat = 0.01,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        pairs = min(max(min(in_size).bit_length() - 2, 0), 5) if pairs is None else pairs
        at_least(in_size, 2 ** (pairs + 1))
        self.size = tuple(in_size)
        layers: list[nn.Module] = [*_halved(in_channels, width, slope)]
        for pair in range(pairs):
            channels = width * 2**pair
            layers += [Plain(channels, slope), Plain(channels, slope), *_halved(channels, 2 * channels, slope)]
        self.body = nn.Sequential(*layers, Rearrange("b c h w -> b (c h w)"))
        height, breadth = (side >> (pairs + 1) for side in in_size)
        self.head: nn.Module = nn.Linear(width * 2**pairs * height * breadth, 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        images_only(x)
        of_size(x, self.size)
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def _halved(inputs: int, outputs: int, slope: float) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(slope)]
