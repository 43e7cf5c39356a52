"""A layer that lets a discriminator see the whole batch."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class MinibatchDiscrimination:
    """How close each sample is to the others of its batch, seen by the discriminator's last layer.

    M_i = f_i T (kernels x width), the columns of T of learnt length; o_i,b = bias_b + sum over j != i of
    exp(-||M_i,b - M_j,b||_1); the logit reads [f, o]. Put on a discriminator whose last layer is `head`, from features
    ``B n`` to logits ``B 1``. Real and fake samples come in batches of their own. With several processes a batch is
    each process's own.

    Paper: arXiv:1606.03498 section 3.2; the lengths as in its code, which also sets them from a first batch.

    Args:
        kernels: The number of similarities, the length of o.
        width: The number of dimensions that each is measured in.

    Raises:
        ValueError: the part has no linear `head`.
    """

    def __init__(self, kernels: PositiveInt = 50, width: PositiveInt = 5):
        self.kernels, self.width = kernels, width

    def attach(self, part: nn.Module) -> None:
        head = getattr(part, "head", None)
        if not isinstance(head, nn.Linear):
            raise ValueError("it has no linear `head` that reads the features")
        part.head = Similar(head, self.kernels, self.width)


class Similar(nn.Module):
    """A linear head over features and their similarities: ``B n -> B m``."""

    def __init__(self, head: nn.Linear, kernels: PositiveInt, width: PositiveInt):
        super().__init__()
        self.head = head
        self.kernels = kernels
        self.directions = nn.Parameter(torch.randn(head.in_features, kernels * width) * 0.05)
        self.log_scale = nn.Parameter(torch.zeros(kernels * width))
        self.bias = nn.Parameter(torch.full((kernels,), -1.0))
        self.read = nn.Linear(kernels, head.out_features, bias=False)
        nn.init.normal_(self.read.weight, 0.0, 0.02)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features) + self.read(self.similarity(features))

    def similarity(self, features: Tensor) -> Tensor:
        """o of each sample, ``B kernels``."""
        weight = self.directions * (self.log_scale.exp() / self.directions.norm(dim=0))
        mapped = rearrange(features @ weight, "b (kernels width) -> b kernels width", kernels=self.kernels)
        distance = (mapped[:, None] - mapped[None]).abs().sum(3)
        to_itself = 1.0  # exp(-0)
        return (-distance).exp().sum(1) - to_itself + self.bias
