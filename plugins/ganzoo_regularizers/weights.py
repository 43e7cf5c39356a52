"""Regularizers of weights: a penalty, a constraint after each step, and a reparametrisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Orthogonal:
    """Filters of a layer are kept orthogonal to each other: sum over layers of ||W W^T o (1 - I)||_F^2.

    W has one row for each output; the norms of the rows are left alone.

    Paper: arXiv:1809.11096 eq. 3, with its weight of 1e-4.
    """

    def __call__(self, part: nn.Module) -> Tensor:
        """A scalar for all linear and convolution layers of a part."""
        total: Tensor | None = None
        for layer in part.modules():
            if isinstance(layer, LAYERS):
                weight = layer.weight
                transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
                rows = (weight.transpose(0, 1) if transposed else weight).flatten(1)
                product = rows @ rows.T
                loss = product.square().sum() - product.diagonal().square().sum()
                total = loss if total is None else total + loss
        if total is None:
            raise ValueError("the part has no linear or convolution layer")
        return total


class ClipWeights:
    """After each step of the player every parameter is clamped to [-bound, bound], norms' included.

    Paper: arXiv:1701.07875 algorithm 1.

    Raises:
        ValueError: `bound` is not above 0.
    """

    def __init__(self, bound: float = 0.01):
        if bound <= 0:
            raise ValueError(f"bound is {bound}, but should be above 0")
        self.bound = bound

    @torch.no_grad()
    def after_step(self, part: nn.Module) -> None:
        torch._foreach_clamp_min_(list(part.parameters()), -self.bound)
        torch._foreach_clamp_max_(list(part.parameters()), self.bound)


class SpectralNorm:
    """Every weight is divided by its largest singular value, followed by power iteration at each training forward.

    W / sigma(W), with W as a matrix of one row for each output; the layer's Lipschitz constant becomes about 1.

    Paper: arXiv:1802.05957 algorithm 1.

    Args:
        iterations: Power iterations a forward pass.
        embeddings: Also normalise embeddings.

    Raises:
        ValueError: the part has no layer to normalise, or is normalised already.
    """

    def __init__(self, iterations: int = 1, embeddings: bool = True):
        self.iterations, self.embeddings = iterations, embeddings

    def attach(self, part: nn.Module) -> None:
        kinds = (*LAYERS, nn.Embedding) if self.embeddings else LAYERS
        layers = [layer for layer in part.modules() if isinstance(layer, kinds)]
        if not layers:
            raise ValueError("it has no linear, convolution or embedding layer")
        for layer in layers:
            if nn.utils.parametrize.is_parametrized(layer, "weight"):
                raise ValueError("its weights are reparametrised already")
            parametrizations.spectral_norm(layer, n_power_iterations=self.iterations)
