"""Relativistic losses: D says how much more real a real sample is than a fake one."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.parallel.distributed import batch_mean


class Relativistic:
    """Each real logit is compared with the fake one of the same place in the batch.

    d = E[softplus(fake - real)],  g = e = E[softplus(real - fake)]

    Paper: arXiv:1807.00734 (RSGAN); arXiv:2501.05441 (RpGAN).

    Raises:
        ValueError: there are more logits of one kind than of the other.
    """

    boundary = None

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of equal shape; a scalar."""
        if real.shape != fake.shape:
            raise ValueError(f"pairs need as many real as fake logits, not {tuple(real.shape)} and {tuple(fake.shape)}")
        return softplus(fake - real).mean()

    def g(self, fake: Tensor, real: Tensor) -> Tensor:
        """G's loss from logits of equal shape; a scalar."""
        return self.d(fake, real)

    def e(self, real: Tensor, fake: Tensor) -> Tensor:
        """What wants real samples taken for fake ones: the same as G's loss; a scalar."""
        return self.d(fake, real)


class RelativisticAverage:
    """Each logit is compared with the mean logit of the other side, over the batch of all processes.

    d = (E[softplus(-(real - E fake))] + E[softplus(fake - E real)]) / 2,  g = e = the same, real and fake swapped

    Paper: arXiv:1807.00734 (RaSGAN), halved as in its code.
    """

    boundary = None

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of any shape; a scalar."""
        ahead = softplus(-(real - batch_mean(fake).mean())).mean()
        behind = softplus(fake - batch_mean(real).mean()).mean()
        return 0.5 * (ahead + behind)

    def g(self, fake: Tensor, real: Tensor) -> Tensor:
        """G's loss from logits of any shape; a scalar."""
        return self.d(fake, real)

    def e(self, real: Tensor, fake: Tensor) -> Tensor:
        """What wants real samples taken for fake ones: the same as G's loss; a scalar."""
        return self.d(fake, real)
