"""Auto-encoders as discriminators: convolutional for images, fully connected for points and small images."""

from __future__ import annotations

import itertools
import math
from typing import Literal

from einops import rearrange, reduce
from ganzoo_layers import Activation, Initialisation, Norm, Reconstructed, initialise, multiples, to_range
from ganzoo_layers import activation as activated
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn
from torch.linalg import vector_norm

from ganzoo.bounds import NonNegativeFloat, PositiveInt

Error = Literal["norm", "mean"]


class Autoencoder(nn.Module):
    """Convolutions of stride 2, and transposed ones back to the image: ``B C H W -> Reconstructed``.

    logit = -|x - Dec(Enc(x))|, or minus the mean squared error of its pixels

    Channels start at `width` and double with every halving. All layers but the first have a norm, the last too; the
    code is the smallest map, flattened.

    Paper: arXiv:1609.03126 section 2.3 (energy) and appendix D (layers).

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, multiples of 2^`halvings`.
        in_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels after the first convolution.
        halvings: How often the encoder halves the image.
        error: The energy: ``norm``, the Euclidean length of a sample's error, or ``mean``, its mean square.
        norm: Normalisation of all layers but the first.
        activation: Activation of all layers but the last.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: a side is no multiple of 2^`halvings`.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        in_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        halvings: PositiveInt = 3,
        error: Error = "norm",
        norm: Norm = "batch",
        activation: Activation = "leaky_relu",
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        if any(side % 2**halvings for side in in_size):
            near = multiples(in_size, 2**halvings)
            raise ValueError(f"in_size {in_size[0]}x{in_size[1]} cannot be halved {halvings} times; {near} would do")
        self.error = error
        widths = [in_channels, *(width * 2**level for level in range(halvings))]
        down: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            down += [nn.Conv2d(inputs, outputs, 4, 2, 1), make_norm(norm if level else "none", outputs)]
            down.append(activated(activation))
        up: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(reversed(widths)):
            last = len(up) == 3 * (halvings - 1)
            up += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), make_norm(norm, outputs)]
            up.append(to_range(in_range) if last else activated(activation))
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Reconstructed:
        code = self.encoder(x)
        return _judged(x, code, self.decoder(code), self.error)


class DenseAutoencoder(nn.Module):
    """Fully connected layers to a code, and one linear layer back: ``B *in_shape -> Reconstructed``.

    logit = -|x - Dec(Enc(x))|, or minus the mean squared error of its values

    Paper: arXiv:1609.03126 section 4.1 (the decoder always has one layer).

    Args:
        in_shape: Shape of one sample.
        in_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        hidden: Widths of the encoder's layers; the last is that of the code.
        error: The energy: ``norm``, the Euclidean length of a sample's error, or ``mean``, its mean square.
        activation: Activation of the encoder's layers.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        in_range: tuple[float, float] | None = None,
        hidden: tuple[PositiveInt, ...] = (1024,),
        error: Error = "norm",
        activation: Activation = "relu",
        weight_init: Initialisation = "xavier",
        init_scale: NonNegativeFloat = 1.0,
    ):
        super().__init__()
        self.error, self.shape = error, tuple(in_shape)
        widths = [math.prod(in_shape), *hidden]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), activated(activation)]
        self.encoder = nn.Sequential(*layers)
        self.decoder = nn.Sequential(nn.Linear(widths[-1], widths[0]), to_range(in_range))
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Reconstructed:
        code = self.encoder(rearrange(x, "b ... -> b (...)"))
        return _judged(x, code, self.decoder(code).unflatten(1, self.shape), self.error)


def _judged(x: Tensor, code: Tensor, made: Tensor, error: Error) -> Reconstructed:
    lost = rearrange((made - x).float(), "b ... -> b (...)")
    energy = vector_norm(lost, dim=1) if error == "norm" else reduce(lost.square(), "b n -> b", "mean")
    return Reconstructed(-energy, rearrange(code, "b ... -> b (...)"), made)
