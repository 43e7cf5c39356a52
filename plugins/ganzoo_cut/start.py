"""How the networks of CUT start."""

from __future__ import annotations

from torch import nn


def xavier_normal(module: nn.Module, gain: float) -> None:
    """Weights of linear and convolutional layers from Xavier's normal distribution, biases at 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
