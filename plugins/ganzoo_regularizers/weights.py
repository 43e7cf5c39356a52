"""Regularizers of weights: a penalty, a constraint after each step, and a reparametrisation."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

from ganzoo.bounds import PositiveFloat, PositiveInt

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)


class Orthogonal:
    """Filters of a layer are kept orthogonal to each other: sum over layers of ||W W^T o (1 - I)||_F^2.

    W has one row for each output; the norms of the rows are left alone. Of a reparametrised layer, such as a spectrally
    normalised one, it is the weight before that.

    Paper: arXiv:1809.11096 eq. 3, with its weight of 1e-4; the gradient that its PyTorch code adds at the same weight
    is half of this one's.
    """

    def __call__(self, part: nn.Module) -> Tensor:
        """A scalar for all linear and convolution layers of a part."""
        total: Tensor | None = None
        for layer in part.modules():
            if isinstance(layer, LAYERS):
                rows = rearrange(
                    own(layer), "i o ... -> o (i ...)" if isinstance(layer, TRANSPOSED) else "o ... -> o (...)"
                )
                product = rows @ rows.T
                loss = (product - product.diagonal().diag()).square().sum()
                total = loss if total is None else total + loss
        if total is None:
            raise ValueError("the part has no linear or convolution layer")
        return total


def own(layer: nn.Module) -> Tensor:
    """The weight that is trained, before any reparametrisation; as it is used, where several tensors make it."""
    if parametrize.is_parametrized(layer, "weight") and hasattr(layer.parametrizations.weight, "original"):  # type: ignore[union-attr]
        return layer.parametrizations.weight.original  # type: ignore[union-attr, return-value]
    return layer.weight  # type: ignore[return-value]


class ClipWeights:
    """After each step of the player every parameter is clamped to [-bound, bound], norms' included.

    Paper: arXiv:1701.07875 algorithm 1.
    """

    def __init__(self, bound: PositiveFloat = 0.01):
        self.bound = bound

    @torch.no_grad()
    def after_step(self, part: nn.Module) -> None:
        torch._foreach_clamp_min_(list(part.parameters()), -self.bound)
        torch._foreach_clamp_max_(list(part.parameters()), self.bound)


class Spectral(nn.Module):
    """A weight over its largest singular value, W / sigma with sigma = u^T W v, as a parametrisation.

    u and v follow W by one round of power iteration at every training forward. They are constants to the gradient,
    and are replaced, not changed in place, so that one backward may go through several forwards.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor, dim: int, iterations: PositiveInt):
        super().__init__()
        self.dim, self.iterations = dim, iterations
        rows, columns = self.matrix(weight).shape
        self.register_buffer("u", normalize(weight.new_empty(rows).normal_(), dim=0))
        self.register_buffer("v", normalize(weight.new_empty(columns).normal_(), dim=0))

    def matrix(self, weight: Tensor) -> Tensor:
        """One row for each output."""
        return (weight.transpose(0, self.dim) if self.dim else weight).flatten(1)

    def forward(self, weight: Tensor) -> Tensor:
        device = weight.device.type
        known = torch.amp.is_autocast_available(device)  # not on meta
        with torch.autocast(device, enabled=False) if known else nullcontext():
            matrix = self.matrix(weight)
            if self.training and not weight.is_meta:  # a check on the meta device is after shapes alone
                with torch.no_grad():
                    for _ in range(self.iterations):
                        self.v = _direction(matrix.T @ self.u, self.v)
                        self.u = _direction(matrix @ self.v, self.u)
            sigma = torch.dot(self.u, matrix @ self.v)
            return weight / torch.where(sigma == 0, 1.0, sigma)

    def adopt(self, weight: Tensor, u: Tensor | None = None, v: Tensor | None = None) -> dict[str, Tensor]:
        """The buffers for a weight from elsewhere; what is not stored with it comes from power iteration.

        Source: ganzoo's own.
        """
        matrix = self.matrix(weight.float())
        rounds = 0 if v is not None else 1 if u is not None else 50
        u = torch.ones(len(matrix)) if u is None else u
        for _ in range(rounds):
            v = normalize(matrix.T @ u, dim=0)
            u = normalize(matrix @ v, dim=0)
        assert v is not None
        return {"u": u, "v": v}


def _direction(x: Tensor, before: Tensor) -> Tensor:
    """A vector of length 1; the one before, where x is 0, for from 0 no iteration comes back."""
    return torch.where(x.any(), normalize(x, dim=0), before)


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

    def __init__(self, iterations: PositiveInt = 1, embeddings: bool = True):
        self.iterations, self.embeddings = iterations, embeddings

    def attach(self, part: nn.Module) -> None:
        kinds = (*LAYERS, nn.Embedding) if self.embeddings else LAYERS
        layers = [layer for layer in part.modules() if isinstance(layer, kinds)]
        if not layers:
            raise ValueError("it has no linear, convolution or embedding layer")
        for layer in layers:
            if parametrize.is_parametrized(layer, "weight"):
                raise ValueError("its weights are reparametrised already")
            spectral = Spectral(layer.weight.detach(), int(isinstance(layer, TRANSPOSED)), self.iterations)
            parametrize.register_parametrization(layer, "weight", spectral)


class HistoricalAveraging(nn.Module):
    """Parameters are held near the mean of all that they have been: ||theta - 1/t sum of theta_i||^2.

    The mean is taken on at every call that trains, and a checkpoint holds it. One for each part.

    Paper: arXiv:1606.03498 section 3.3.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.means: list[Tensor] = []

    def forward(self, part: nn.Module) -> Tensor:
        """A scalar for all trained parameters of a part; 0 at the first call."""
        values = [p for p in part.parameters() if p.requires_grad]
        if self.training and torch.is_grad_enabled():
            self.calls += 1
            old = self.means or [value.detach() for value in values]
            self.means = [
                mean.to(value.device).lerp(value.detach(), 1 / self.calls)
                for mean, value in zip(old, values, strict=True)
            ]
        distances = [(v - m.to(v.device)).square().sum() for v, m in zip(values, self.means or values, strict=True)]
        return torch.stack(distances).sum()

    def get_extra_state(self) -> dict[str, Any]:
        return {"calls": self.calls, "means": self.means}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.calls, self.means = state["calls"], list(state["means"])
