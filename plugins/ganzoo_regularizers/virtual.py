"""Batch norm whose statistics come from one batch that never changes."""

from __future__ import annotations

from typing import Any

from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils._pytree import tree_map_only

Call = tuple[list[Any], dict[str, Any]]  # the arguments of a forward
Statistics = tuple[Tensor, Tensor, int]  # mean and variance of each channel, and of how many samples

AXES = {2: "b c -> b c", 3: "b c l -> b c", 4: "b c h w -> b c", 5: "b c d h w -> b c"}


class VirtualBatchNorm:
    """Every batch norm of a part takes its statistics from a reference batch, and a little from the sample itself.

    With N samples in the reference batch, whose mean and mean square in a layer are m and s, and a sample's own, m_x
    and s_x over its places: mean = (N m + m_x) / (N + 1), square = (N s + s_x) / (N + 1), y = (x - mean) /
    sqrt(square - mean^2 + eps). So a sample does not depend on the others of its batch, neither in training nor when
    sampled. The reference batch is what the part is given first in training; before each forward it passes through
    the part with the weights of that moment. It is stored in checkpoints. With several processes each has one of its
    own until it resumes.

    Paper: arXiv:1606.03498 section 3.4, which uses it in the generator only, for its cost: two forward passes.

    Raises:
        ValueError: the part has no batch norm.
    """

    def attach(self, part: nn.Module) -> None:
        found = [
            (owner, name, layer)
            for owner in part.modules()
            for name, layer in owner.named_children()
            if isinstance(layer, BatchNorm)
        ]
        if not found:
            raise ValueError("it has no batch norm layer")
        for owner, name, layer in found:
            setattr(owner, name, Virtual(layer))
        _virtual(part)[0].reference = Reference()  # a place where it is stored, and no layer of a list of layers
        part.register_forward_pre_hook(_refer, with_kwargs=True)
        part.register_forward_hook(_forget)


class Reference(nn.Module):
    """The arguments that a part was given first in training; an averaged copy of the part refers to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.batch: Call | None = None
        self.passing = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Reference:
        return self

    def get_extra_state(self) -> Call | None:
        return self.batch

    def set_extra_state(self, state: Call | None) -> None:
        self.batch = state


class Virtual(nn.Module):
    """A layer that normalises by statistics of a reference batch and of each sample: ``B C … -> B C …``."""

    def __init__(self, layer: BatchNorm):
        super().__init__()
        self.weight, self.bias, self.eps = layer.weight, layer.bias, layer.eps
        self.statistics: Statistics | None = None
        self.passed: Statistics | None = None

    def forward(self, x: Tensor) -> Tensor:
        pattern, places = AXES[x.ndim], " ".join("1" for _ in x.shape[2:])

        def everywhere(of_channel: Tensor) -> Tensor:
            return rearrange(of_channel, f"b c -> b c {places}")

        x, dtype = x.float(), x.dtype
        mean = reduce(x, pattern, "mean")
        variance = reduce((x - everywhere(mean)).square(), pattern, "mean")
        if self.statistics is None:
            mean, own = mean.mean(0, keepdim=True), mean
            variance = (variance + (own - mean).square()).mean(0, keepdim=True)
            self.passed = mean, variance, len(x)
        else:  # what square - mean^2 comes to, which would lose a small variance beside a large mean
            of_mean, of_variance, n = self.statistics
            apart = (mean - of_mean).square() * n / (n + 1)
            mean, variance = (n * of_mean + mean) / (n + 1), (n * of_variance + variance + apart) / (n + 1)
        y = (x - everywhere(mean)) * everywhere((variance + self.eps).rsqrt())
        if self.weight is not None:
            y = y * everywhere(self.weight[None]) + everywhere(self.bias[None])
        return y.to(dtype)


def _refer(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Before a forward the reference batch passes, and leaves its statistics; the first batch becomes it."""
    reference = _reference(part)
    if reference.passing:
        return
    given = (list(args), kwargs)
    tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
    if reference.batch is None and part.training and not any(x.is_meta for x in tensors):
        reference.batch = tree_map_only(Tensor, lambda x: x.detach().clone(), given)
    if reference.batch is None:
        return
    first, named = tree_map_only(Tensor, lambda x: x.to(tensors[0].device), reference.batch)
    reference.passing = True
    try:
        part(*first, **named)
    finally:
        reference.passing = False
    for layer in _virtual(part):
        layer.statistics = layer.passed


def _forget(part: nn.Module, *_: Any) -> None:
    """After a forward no statistics stay, nor the graph that they hang on."""
    if not _reference(part).passing:
        for layer in _virtual(part):
            layer.statistics = layer.passed = None


def _virtual(part: nn.Module) -> list[Virtual]:
    return [layer for layer in part.modules() if isinstance(layer, Virtual)]


def _reference(part: nn.Module) -> Reference:
    found = _virtual(part)[0].reference
    assert isinstance(found, Reference)
    return found
