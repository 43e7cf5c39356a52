"""Generator and critic for rows of a table."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from ganzoo_layers import DiscriminatorOutput, to_range
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from ganzoo.parallel import draw


class Rows(NamedTuple):
    """Made rows, ``B d``, and the logits that they are from."""

    row: Tensor
    logits: Tensor


class Generator(nn.Module):
    """Layers that each see all before them, then numbers and choices: ``B z -> row B *out_shape, logits B *out_shape``.

    h_0 = z,  h_i = relu(norm(W h_{i-1})) joined with h_{i-1};  numbers are in the data's range, choices
    softmax((logits + g) / t) with g from a Gumbel distribution.

    Paper: arXiv:1907.00503 section 4.4.

    Args:
        z_dim: Width of the latent vector, condition included.
        out_shape: Shape of a row.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        out_blocks: Which numbers of a row stand alone (1) and which are a choice among k; none for all alone.
        hidden: Widths of the layers.
        temperature: Of the softmax, t.

    Raises:
        ValueError: the blocks are not those of such a row.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        out_blocks: tuple[PositiveInt, ...] = (),
        hidden: tuple[PositiveInt, ...] = (256, 256),
        temperature: PositiveFloat = 0.2,
    ):
        super().__init__()
        width = math.prod(out_shape)
        self.out_shape, self.blocks = tuple(out_shape), tuple(out_blocks) or (1,) * width
        if sum(self.blocks) != width:
            raise ValueError(f"blocks of {sum(self.blocks)} numbers do not make a row of {width}")
        self.temperature, self.bound = temperature, to_range(out_range)
        self.layers, inputs = nn.ModuleList(), z_dim
        for units in hidden:
            self.layers.append(nn.Sequential(nn.Linear(inputs, units), nn.BatchNorm1d(units), nn.ReLU()))
            inputs += units
        self.out = nn.Linear(inputs, width)

    def forward(self, z: Tensor) -> Rows:
        h = z
        for layer in self.layers:
            h = torch.cat([layer(h), h], 1)
        logits = self.out(h)
        noise = draw.uniform(*logits.shape, device=logits.device).clamp(1e-6, 1 - 1e-6)
        chosen = (logits - (-noise.log()).log()) / self.temperature
        numbers, choices = (x.split(self.blocks, 1) for x in (self.bound(logits), chosen))
        pieces = [a if a.shape[1] == 1 else b.softmax(1) for a, b in zip(numbers, choices, strict=True)]
        return Rows(torch.cat(pieces, 1).unflatten(1, self.out_shape), logits.unflatten(1, self.out_shape))


class Discriminator(nn.Module):
    """Fully connected layers on several samples at once: ``B *in_shape -> DiscriminatorOutput``.

    Logit i is of samples i, i + 1, …, i + pack - 1 of the batch, which begins again at its end.

    Paper: arXiv:1907.00503 section 4.4; packing, without overlap, arXiv:1712.04086.

    Args:
        in_shape: Shape of one sample, condition included.
        hidden: Widths of the hidden layers.
        pack: Samples that are judged together.
        dropout: Probability of dropping a value of the hidden layers.
        slope: Slope of leaky_relu for negative values.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        hidden: tuple[PositiveInt, ...] = (256, 256),
        pack: PositiveInt = 10,
        dropout: Fraction = 0.5,
        slope: NonNegativeFloat = 0.2,
    ):
        super().__init__()
        self.pack = pack
        layers: list[nn.Module] = []
        widths = (pack * math.prod(in_shape), *hidden)
        for inputs, units in zip(widths, hidden, strict=False):
            layers += [nn.Linear(inputs, units), nn.LeakyReLU(slope), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head: nn.Module = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        rows = x.flatten(1)
        features = self.body(torch.cat([rows.roll(-k, 0) for k in range(self.pack)], 1))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
