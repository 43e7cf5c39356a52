"""R3GAN's generator, and its mirror image, the discriminator."""

from __future__ import annotations

import itertools
import math

import torch
from einops import rearrange
from ganzoo_layers import DiscriminatorOutput, agree, at_least, doubling_path, halvings
from ganzoo_resnet.blocks import widths
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo_r3gan.blocks import Block, Resample, started, to_width


class Generator(nn.Module):
    """A learnt map, weighed by the latent vector, grown by residual blocks without norms: ``B z -> B C H W``.

    The first map is a learnt constant, whose channels are multiplied by a linear function of z. Each stage is some
    blocks of one size. The image is a 1x1 convolution of the last map, unbounded.

    Called with a label, ``G(z, label)``, z is joined with a learnt vector of the class.

    Paper: arXiv:2501.05441 section 3.3, config E, as its code has it.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        width: Channels of every stage, or a list: of the smallest map, then of each doubling.
        blocks: Number of blocks in each stage.
        expansion: How many times as many channels a block has inside.
        group: Channels of each group of the 3x3 convolutions; all, where there are fewer.
        base: Start from maps of at most this side, and crop what the doublings give too much.
        num_classes: Number of classes of the label, if it is called with one.
        embedding: Width of the vector of a class.

    Raises:
        ValueError: the size cannot be reached, `width` is a list of the wrong length, or groups do not come out even.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt | list[PositiveInt] = 768,
        blocks: PositiveInt = 2,
        expansion: PositiveInt = 2,
        group: PositiveInt = 16,
        base: PositiveInt | None = None,
        num_classes: NonNegativeInt = 0,
        embedding: PositiveInt = 64,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        channels = widths(width, len(self.path))
        count = blocks * len(channels)
        self.classes = nn.Embedding(num_classes, embedding) if num_classes else None
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, 1 / math.sqrt(num_classes))
        self.constant = nn.Parameter(torch.randn(channels[0], *self.path[0]))
        self.weigh = started(nn.Linear(z_dim + (embedding if num_classes else 0), channels[0], bias=False))
        self.stages = nn.ModuleList(
            nn.Sequential(*grow, *(Block(outputs, expansion, group, count) for _ in range(blocks)))
            for grow, outputs in [([], channels[0])]
            + [([*to_width(a, b), Resample(up=True)], b) for a, b in itertools.pairwise(channels)]
        )
        self.head = started(nn.Conv2d(channels[-1], out_channels, 1, bias=False))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        agree(self.classes is not None, label)
        if self.classes is not None and label is not None:
            z = torch.cat([z, self.classes(label)], 1)
        x = self.constant * rearrange(self.weigh(z), "b c -> b c 1 1")
        for stage, (height, width) in zip(self.stages, self.path, strict=True):
            x = stage(x)[:, :, :height, :width]
        return self.head(x)


class Discriminator(nn.Module):
    """Residual blocks without norms, halving the image, each last map weighed: ``B C H W -> DiscriminatorOutput``.

    A 1x1 convolution, then stages of blocks with halvings between them, then one weight for each place of each map, and
    a linear layer.

    Called with a label, ``D(x, label)``, the linear layer gives a vector, whose product with that of the class is the
    logit.

    Paper: arXiv:2501.05441 section 3.3, config E, as its code has it.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 4.
        width: Channels of every stage, or a list: of the image's size, then of each halving.
        blocks: Number of blocks in each stage.
        expansion: How many times as many channels a block has inside.
        group: Channels of each group of the 3x3 convolutions; all, where there are fewer.
        base: Halve until no side exceeds this; until one would fall below 4 if not given.
        num_classes: Number of classes of the label, if it is called with one.
        embedding: Width of the vector of a class; that of the last stage if not given.

    Raises:
        ValueError: the image is too small, `width` is a list of the wrong length, or groups do not come out even.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt | list[PositiveInt] = 768,
        blocks: PositiveInt = 2,
        expansion: PositiveInt = 2,
        group: PositiveInt = 16,
        base: PositiveInt | None = None,
        num_classes: NonNegativeInt = 0,
        embedding: PositiveInt | None = None,
    ):
        super().__init__()
        at_least(in_size, 4)
        downs = halvings(in_size, base)
        channels = widths(width, downs + 1)
        count = blocks * len(channels)
        shrinks = [[Resample(up=False), *to_width(a, b)] for a, b in itertools.pairwise(channels)]
        self.body = nn.Sequential(
            started(nn.Conv2d(in_channels, channels[0], 1, bias=False)),
            *(
                nn.Sequential(*(Block(inputs, expansion, group, count) for _ in range(blocks)), *shrink)
                for inputs, shrink in zip(channels, [*shrinks, []], strict=True)
            ),
            started(nn.Conv2d(channels[-1], channels[-1], _halved(in_size, downs), groups=channels[-1], bias=False)),
            nn.Flatten(),
        )
        outputs = (embedding or channels[-1]) if num_classes else 1
        self.head: nn.Module = started(nn.Linear(channels[-1], outputs, bias=False))
        self.classes = nn.Embedding(num_classes, outputs) if num_classes else None
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, 1 / math.sqrt(outputs * num_classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> DiscriminatorOutput:
        agree(self.classes is not None, label)
        features = self.body(x)
        said = self.head(features)
        if self.classes is not None and label is not None:
            said = said * self.classes(label)
        return DiscriminatorOutput(said.sum(1), features)


def _halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    return size[0] // 2**times, size[1] // 2**times
