"""Penalties on the gradient of a critic with respect to its input, one norm for each sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganzoo.bounds import PositiveFloat
from ganzoo.parallel import draw
from ganzoo.parallel.distributed import batch_mean

Critic = Callable[[Tensor], Tensor]


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """The gradient of the critic's output at each sample, flattened: ``B … -> B n``, itself differentiable.

    The graph reaches the critic's parameters and not what `x` was made from.
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(1)


def _towards(gradient: Tensor, target: float, one_sided: bool) -> Tensor:
    """E(||g|| - target)^2. The norm's derivative at a zero gradient is 0, so nothing becomes NaN there."""
    excess = torch.linalg.vector_norm(gradient, dim=1) - target
    return (excess.relu() if one_sided else excess).square().mean()


class GradientPenalty:
    """The critic's gradient norm is pulled to 1 between real and fake samples.

    E[(||grad D(x)||_2 - target)^2] at x = real + a (fake - real), a ~ U(0, 1), one for each sample.

    Paper: arXiv:1704.00028 eq. 3. A critic with batch norm has no gradient of its own for each sample: use none, or
    layer norm.

    Args:
        target: The norm aimed at.
        one_sided: Punish only norms above the target.
    """

    of_each_sample = True

    def __init__(self, target: float = 1.0, one_sided: bool = False):
        self.target, self.one_sided = target, one_sided

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """`real` and `fake` of one shape ``B …``; a scalar."""
        if real.shape != fake.shape:
            raise ValueError(f"real is {tuple(real.shape)} and fake {tuple(fake.shape)}, but they should be alike")
        alpha = draw.uniform(len(real), *(1,) * (real.ndim - 1), device=real.device)
        real, fake = real.detach(), fake.detach()
        return _towards(input_gradient(critic, real + alpha * (fake - real)), self.target, self.one_sided)


class R1:
    """The squared gradient norm at real samples: 1/2 E ||grad D(real)||^2, so that the weight is the paper's gamma.

    Paper: arXiv:1801.04406 eq. 9. Its code leaves out the 1/2: its weight of 10 is a gamma of 20. As for
    `regularizer.gradient_penalty`, no batch norm in the critic.
    """

    of_each_sample = True

    def __call__(self, critic: Critic, real: Tensor) -> Tensor:
        """`real` of shape ``B …``; a scalar."""
        return 0.5 * input_gradient(critic, real).square().sum(1).mean()


class R2:
    """The squared gradient norm at fake samples: 1/2 E ||grad D(fake)||^2. Paper: arXiv:1801.04406 eq. 10."""

    of_each_sample = True

    def __call__(self, critic: Critic, fake: Tensor) -> Tensor:
        """`fake` of shape ``B …``; a scalar."""
        return 0.5 * input_gradient(critic, fake).square().sum(1).mean()


class Dragan:
    """The critic's gradient norm is pulled to 1 around real samples only.

    E[(||grad D(x)||_2 - target)^2] at x = real + a (scale * std(real) * u), u ~ U(0, 1) for each element, a ~ U(0, 1)
    for each sample; std is one number, over the real batch of all processes. As for `regularizer.gradient_penalty`, no
    batch norm in the critic.

    Paper: arXiv:1705.07215 section 2.3, as its authors' notebook has it.

    Args:
        target: The norm aimed at.
        scale: Size of the noise, in standard deviations of the data.
    """

    of_each_sample = True

    def __init__(self, target: float = 1.0, scale: PositiveFloat = 0.5):
        self.target, self.scale = target, scale

    def __call__(self, critic: Critic, real: Tensor) -> Tensor:
        """`real` of shape ``B …``; a scalar."""
        real = real.detach()
        mean = batch_mean(real).mean()
        std = batch_mean((real - mean).square()).mean().sqrt()
        noise = draw.uniform(*real.shape, device=real.device)
        alpha = draw.uniform(len(real), *(1,) * (real.ndim - 1), device=real.device)
        return _towards(input_gradient(critic, real + alpha * self.scale * std * noise), self.target, False)
