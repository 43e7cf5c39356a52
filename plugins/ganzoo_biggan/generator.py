"""The generator of SAGAN and BigGAN."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from ganzoo_layers import ClassNorm, SelfAttention, VectorNorm, agree, doubling_path, in_turn, through, to_range
from ganzoo_resnet.blocks import Start, attended, start, upsampled, widths
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveFloat, PositiveInt


class UpBlock(nn.Module):
    """``x -> conv1x1(up(x)) + conv(relu(norm(conv(up(relu(norm(x)))))))``, twice the size."""

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]):
        super().__init__()
        self.main = in_turn(
            norm(inputs),
            nn.ReLU(),
            upsampled(),
            nn.Conv2d(inputs, outputs, 3, 1, 1),
            norm(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
        )
        self.shortcut = nn.Sequential(upsampled(), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.shortcut(x) + through(self.main, x, condition)


class Generator(nn.Module):
    """Residual blocks with self-attention, whose norms are told the class: ``B z, B -> B C H W``.

    Without `shared` every norm has a gain and a bias of each class. With it, they are linear in one embedding of the
    class that all share, (1 + V [e(y), z_i]) * norm(x) + W [e(y), z_i], where the chunk z_i of the latent vector
    joins it if `chunks`; the first chunk alone starts the smallest map.

    Paper: arXiv:1809.11096 section 3 and appendix B; arXiv:1805.08318 for attention and without `shared`.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        num_classes: Number of classes of the label; 0 if it is called without one.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of every map, or a list: of the smallest map, then of each block.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        shared: Width of the embedding that all norms share; 0 for gains and biases of each class.
        chunks: Whether each block gets a chunk of the latent vector of its own, with `shared` alone.
        attention: The side of the maps on which self-attention stands, behind the block that gives it; 0 for none.
        weight_init: Distribution that the weights start from.
        init_scale: Standard deviation or gain of `weight_init`.

    Raises:
        ValueError: the size cannot be reached, `width` is a list of the wrong length, `z_dim` cannot be cut into
            chunks, no map has the side of `attention`, or there is nothing to share.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        num_classes: NonNegativeInt = 0,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt | list[PositiveInt] = 256,
        base: PositiveInt | None = None,
        shared: NonNegativeInt = 0,
        chunks: bool = False,
        attention: NonNegativeInt = 0,
        weight_init: Start = "orthogonal",
        init_scale: PositiveFloat = 1.0,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        channels = widths(width, len(self.path))
        self.pieces = len(self.path) if chunks else 1
        if z_dim % self.pieces:
            raise ValueError(f"a latent vector of {z_dim} cannot be cut into {self.pieces} chunks of one size")
        if (shared or chunks) and not (shared and num_classes):
            raise ValueError("shared and chunks are for a generator with classes, and chunks needs shared")
        piece = z_dim // self.pieces

        def norm(features: int) -> nn.Module:
            if not num_classes:
                return nn.BatchNorm2d(features)
            if not shared:
                return ClassNorm(features, num_classes)
            return VectorNorm(features, shared + (piece if chunks else 0))

        self.stem = nn.Sequential(
            nn.Linear(piece, channels[0] * math.prod(self.path[0])),
            Rearrange("b (c h w) -> b c h w", h=self.path[0][0], w=self.path[0][1]),
        )
        self.blocks = nn.ModuleList(UpBlock(a, b, norm) for a, b in itertools.pairwise(channels))
        place = attended(attention, [max(size) for size in self.path[1:]]) if attention else -1
        self.attention = nn.ModuleDict({str(place): SelfAttention(channels[place + 1])} if attention else {})
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels[-1]),
            nn.ReLU(),
            nn.Conv2d(channels[-1], out_channels, 3, 1, 1),
            to_range(out_range),
        )
        start(self, weight_init, init_scale)
        self.embedding = nn.Embedding(num_classes, shared) if shared else None
        self.conditional = num_classes > 0

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.conditional, label)
        first, *rest = rearrange(z, "b (chunk n) -> chunk b n", chunk=self.pieces)
        x = self.stem(first)
        for index, (block, (height, width)) in enumerate(zip(self.blocks, self.path[1:], strict=True)):
            x = block(x, self.condition(label, rest[index : index + 1]))[:, :, :height, :width]
            if str(index) in self.attention:
                x = self.attention[str(index)](x)
        return self.head(x)

    def condition(self, label: Tensor | None, chunk: list[Tensor]) -> Tensor | None:
        """What the norms of a block are told: the label, or its embedding with a chunk of the latent vector."""
        return label if self.embedding is None else torch.cat([self.embedding(label), *chunk], 1)
