"""The discriminator's loss with its weight k, which keeps it and the generator in balance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, PositiveInt
from ganzoo.parallel.distributed import batch_mean


class Balance(nn.Module):
    """D's loss from the reconstruction errors of real and generated samples, of any shape, with k moved after it.

    L_D = L(real) - k L(fake),  then  k <- clip(k + rate (gamma L(real) - L(fake)), 0, 1)

    While it trains, `k` holds the weight and `measure` the mean of M = L(real) + |gamma L(real) - L(fake)| over recent
    calls; both can be logged. The errors are those of all processes; in evaluation nothing is moved.

    Paper: arXiv:1703.10717 section 3.4 (k) and 3.4.1 (M).

    Args:
        gamma: The error of generated samples that is aimed at, as a share of that of real ones; less of it gives
            sharper and less diverse samples.
        rate: How much of the imbalance k takes up at each call.
        start: The first k.
        memory: The number of calls that `measure` is about the mean of.
    """

    k: Tensor
    measure: Tensor
    calls: Tensor

    def __init__(
        self,
        gamma: Fraction = 0.5,
        rate: NonNegativeFloat = 0.001,
        start: Fraction = 0.0,
        memory: PositiveInt = 100,
    ):
        super().__init__()
        self.gamma, self.rate, self.memory = gamma, rate, memory
        self.register_buffer("k", torch.tensor(float(start)))
        self.register_buffer("measure", torch.tensor(0.0))
        self.register_buffer("calls", torch.tensor(0.0))

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        loss = real.mean() - self.k.clone() * fake.mean()
        if self.training:
            self._move(real.detach(), fake.detach())
        return loss

    @torch.no_grad()
    def _move(self, real: Tensor, fake: Tensor) -> None:
        error, other = batch_mean(torch.stack([real.mean(), fake.mean()])[None].float())
        balance = self.gamma * error - other
        self.k.add_(self.rate * balance).clamp_(0, 1)
        self.calls.add_(1)
        self.measure.lerp_(error + balance.abs(), 1 / self.calls.clamp(max=self.memory))
