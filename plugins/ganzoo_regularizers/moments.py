"""What a network's activations are like while it trains."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS = (nn.SELU, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.PReLU, nn.Softplus, nn.GELU, nn.SiLU)


class ActivationMoments:
    """Mean and variance of what every activation layer gave last, as numbers that can be logged; it changes nothing.

    Put on a part it counts the part's activation layers from 1, in their order, and keeps `mean_1`, `variance_1`,
    `mean_2`, … over batch, channels and places of each training forward: ``log: {g1: G.mean_1}``. Self-normalising
    activations stay near mean 0 and variance 1.

    Paper: arXiv:1706.02515 section 2 (the mapping of mean and variance from layer to layer), which arXiv:1711.06491
    argues with.
    """

    def attach(self, part: nn.Module) -> None:
        found = [layer for layer in part.modules() if isinstance(layer, ACTIVATIONS)]
        for number, layer in enumerate(found, 1):
            part.register_buffer(f"mean_{number}", torch.zeros(()))
            part.register_buffer(f"variance_{number}", torch.zeros(()))
            layer.register_forward_hook(_watching(part, number))


def _watching(part: nn.Module, number: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    @torch.no_grad()
    def watch(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if layer.training:
            variance, mean = torch.var_mean(output.detach().float(), correction=0)
            part.get_buffer(f"mean_{number}").copy_(mean)
            part.get_buffer(f"variance_{number}").copy_(variance)

    return watch
