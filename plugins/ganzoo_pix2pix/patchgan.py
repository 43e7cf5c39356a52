"""The discriminator that judges patches."""

from __future__ import annotations

from typing import Literal

import torch
from ganzoo_layers import DiscriminatorOutput, initialise
from ganzoo_layers import norm as make_norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class PatchGan(nn.Module):
    """A map of logits, each of a patch of the image: ``B C H W -> DiscriminatorOutput``, whose logit is ``B 1 h w``.

    4x4 convolutions: `layers` of stride 2, then two of stride 1. A logit sees 16, 34, 70, 142 or 286 pixels square for
    1 to 5 layers, and one pixel for 0, where all convolutions are 1x1. `cond` is put beside the image.

    Paper: arXiv:1611.07004 section 6.1.2 (layers 3, its 70x70 discriminator); arXiv:1703.10593 section 7.2
    (``norm: instance``). Strides and biases as in the authors' PyTorch code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any that leaves a map.
        cond_channels: Channels of the images to condition on.
        width: Channels after the first convolution; doubled by each, up to 8 times that.
        layers: How many convolutions have stride 2.
        norm: Normalisation of all convolutions but the first and the last; ``instance`` has no scale and shift.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the image is too small for so many layers.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        cond_channels: NonNegativeInt = 0,
        width: PositiveInt = 64,
        layers: NonNegativeInt = 3,
        norm: Literal["batch", "instance", "none"] = "batch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        least = 3 * 2**layers if layers > 0 else 2
        if min(in_size) < least:
            raise ValueError(f"in_size {in_size[0]}x{in_size[1]} is too small for {layers} layers: {least}x{least} do")
        kernel, padding = (4, 1) if layers else (1, 0)
        channels = in_channels + cond_channels
        body: list[nn.Module] = [nn.Conv2d(channels, width, kernel, 2 if layers else 1, padding), nn.LeakyReLU(0.2)]
        for level in range(1, max(layers, 1) + 1):
            inputs, outputs = (width * min(2**power, 8) for power in (level - 1, level))
            stride = 2 if level < layers else 1
            body += [
                nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=norm != "batch"),
                make_norm(norm, outputs, affine=False),
                nn.LeakyReLU(0.2),
            ]
        self.cond_channels = cond_channels
        self.body = nn.Sequential(*body)
        self.head: nn.Module = nn.Conv2d(outputs, 1, kernel, 1, padding, bias=layers > 0 or norm != "batch")
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> DiscriminatorOutput:
        if (cond is None) != (self.cond_channels == 0):
            raise ValueError("it is called with a cond and without, but should always be called alike")
        features = self.body(x if cond is None else torch.cat([x, cond], 1))
        return DiscriminatorOutput(self.head(features), features)
