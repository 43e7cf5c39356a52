"""What makes a network conditional on a class: norms with gains of each class, and the projection of features."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ganzoo_layers.blocks import DiscriminatorOutput, Norm, norm


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and bias are read from a condition: ``B C …, condition -> B C …``."""

    gain: nn.Module
    bias: nn.Module

    def __init__(self, features: int, dimensions: int = 2):
        super().__init__()
        self.norm = (nn.BatchNorm2d if dimensions else nn.BatchNorm1d)(features, affine=False)

    def gains(self, condition: Tensor) -> Tensor:
        return self.gain(condition)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        ones = (1,) * (x.dim() - 2)
        gain, bias = (read(condition).unflatten(1, (-1, *ones)) for read in (self.gains, self.bias))
        return torch.addcmul(bias, gain, self.norm(x))


class ClassNorm(ConditionalNorm):
    """Batch norm with a gain and a bias of each class: ``B C …, B -> B C …``, gain[label] * norm(x) + bias[label].

    Paper: arXiv:1610.07629 eq. 5 (conditional instance norm); arXiv:1802.05637 section 5 (batch norm).
    """

    def __init__(self, features: int, num_classes: int, dimensions: int = 2):
        super().__init__(features, dimensions)
        self.gain = nn.Embedding(num_classes, features)
        self.bias = nn.Embedding(num_classes, features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)


class VectorNorm(ConditionalNorm):
    """Batch norm with gain and bias linear in a vector: ``B C …, B n -> B C …``, (1 + V c) * norm(x) + W c.

    Paper: arXiv:1809.11096 appendix B.1.
    """

    def __init__(self, features: int, condition: int, dimensions: int = 2):
        super().__init__(features, dimensions)
        self.gain = nn.Linear(condition, features, bias=False)
        self.bias = nn.Linear(condition, features, bias=False)

    def gains(self, condition: Tensor) -> Tensor:
        return 1 + self.gain(condition)


class Conditioned(nn.Module):
    """Layers in their order, of which conditional norms also see the condition; the others stand in runs."""

    def __init__(self, layers: Iterable[nn.Module]):
        super().__init__()
        self.runs = nn.ModuleList()
        for conditional, group in itertools.groupby(layers, lambda layer: isinstance(layer, ConditionalNorm)):
            run = list(group)
            self.runs.extend(run if conditional else [nn.Sequential(*run)])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for run in self.runs:
            x = run(x, condition) if isinstance(run, ConditionalNorm) else run(x)
        return x


def class_norm(name: Norm, features: int, num_classes: int = 0, dimensions: int = 2) -> nn.Module:
    """A norm by name; with classes, batch norm has a gain and a bias of each.

    Raises:
        ValueError: there are classes, and the norm is another.
    """
    if not num_classes:
        return norm(name, features, dimensions)
    if name != "batch":
        raise ValueError(f"norm {name} has no gains of each class; `norm: batch` has, for {num_classes} classes here")
    return ClassNorm(features, num_classes, dimensions)


def in_turn(*layers: nn.Module) -> nn.Module:
    """Layers one after another: a plain ``nn.Sequential`` unless there are conditional norms among them."""
    conditional = any(isinstance(layer, ConditionalNorm) for layer in layers)
    return Conditioned(layers) if conditional else nn.Sequential(*layers)


def through(layers: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    """What :func:`in_turn` has put together, computed."""
    return layers(x, condition) if isinstance(layers, Conditioned) else layers(x)


class Projection(nn.Module):
    """The inner product of features with a vector of each class: ``B n, B -> B``. Paper: arXiv:1802.05637 eq. 3."""

    def __init__(self, num_classes: int, features: int):
        super().__init__()
        self.vectors = nn.Embedding(num_classes, features)
        nn.init.xavier_uniform_(self.vectors.weight)

    def forward(self, features: Tensor, label: Tensor) -> Tensor:
        return (self.vectors(label) * features).sum(1)


def discriminator_output(
    head: nn.Module, projection: Projection | None, features: Tensor, label: Tensor | None
) -> DiscriminatorOutput:
    """The logit of a linear head, and with a projection that of the class added: l(h) + <v_label, h>."""
    agree(projection is not None, label)
    logit = head(features).squeeze(1)
    return DiscriminatorOutput(logit if projection is None else logit + projection(features, label), features)


def agree(conditional: bool, label: Tensor | None) -> None:
    """A network with classes is called with a label, one without them is not.

    Raises:
        ValueError: it is not so.
    """
    if conditional and label is None:
        raise ValueError("it has classes, so every call needs a label")
    if label is not None and not conditional:
        raise ValueError("it has no classes (num_classes: 0), but is called with a label")
