"""The smallest components for images, so that the core's tests depend on no plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from ganzoo.data.fields import Field


class Pairs:
    """Photos, sketches and labels that nobody ever reads."""

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "photo": Field("image", (3, 8, 8), (-1.0, 1.0)),
            "sketch": Field("image", (1, 8, 8), (-1.0, 1.0)),
            "label": Field("label", (), None, ("a", "b")),
        }


class Paint(nn.Module):
    """One linear layer."""

    def __init__(self, z_dim: int, out_channels: int, out_size: tuple[int, int]):
        super().__init__()
        self.shape = (out_channels, *out_size)
        self.net = nn.Linear(z_dim, out_channels * out_size[0] * out_size[1])

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.shape)


class DiscriminatorOutput(NamedTuple):
    logit: Tensor


class Conv(nn.Module):
    """One convolution.

    Raises:
        ValueError: `width` is below 1.
    """

    def __init__(self, in_channels: int, width: int = 4, kernel: int = 3):
        super().__init__()
        if width < 1:
            raise ValueError(f"width is {width}, but should be at least 1")
        self.net = nn.Conv2d(in_channels, width, kernel)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.net(x).flatten(1).mean(1))


COMPONENTS = {"data.pairs": Pairs, "generator.paint": Paint, "discriminator.conv": Conv}
