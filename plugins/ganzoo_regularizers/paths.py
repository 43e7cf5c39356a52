"""How far an image moves when its style does."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganzoo.bounds import Fraction, PositiveInt
from ganzoo.parallel import draw
from ganzoo.parallel.distributed import batch_mean


class PathLength(nn.Module):
    """A step in the space of styles changes the image by a length that is the same everywhere: E(||J^T y||_2 - a)^2.

    J is the derivative of the image by the style z, y ~ N(0, 1) / sqrt(H W) an image of noise, and a, kept as `mean`,
    the mean of such lengths over training. J^T y is the gradient of <G(z), y>, so J is never made. With a style for
    each layer, ``B layers n``, the squared length is the mean over the layers, as in the authors' code.

    The gradient reaches what makes the styles too: ``path(G(_), M(z))``. Any generator has such lengths, in its latent
    vector: ``path(G(_), z)``.

    Paper: arXiv:1912.04958 eq. 4.

    Args:
        decay: Decay of the mean of lengths.
        shrink: The batch is cut to one of so many parts, for this costs twice the memory of a step; not with labels.
    """

    mean: Tensor

    def __init__(self, decay: Fraction = 0.99, shrink: PositiveInt = 1):
        super().__init__()
        self.decay, self.shrink = decay, shrink
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, generator: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
        z = z[: max(len(z) // self.shrink, 1)]
        z = z if z.requires_grad else z.detach().requires_grad_()
        image = generator(z)
        noise = draw.normal(*image.shape, device=image.device) / math.sqrt(math.prod(image.shape[2:]))
        (gradient,) = torch.autograd.grad((image * noise).sum(), z, create_graph=True)
        layers = z.shape[1] if z.dim() == 3 else 1
        lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1) / math.sqrt(layers)
        mean = self.mean.lerp(batch_mean(lengths.detach().float()), 1 - self.decay)
        if self.training:
            self.mean.copy_(mean)
        return (lengths - mean).square().mean()
