"""Which parameters may change in a turn, and which parts are in training mode in a phase."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ganzoo.config.spec import Part, Phase

FIXED = "ganzoo_fixed"


def parameters(parts: Mapping[str, Any], names: Iterable[str]) -> list[nn.Parameter]:
    """The parameters of the named parts that can be trained, each once, though parts may share modules."""
    found: dict[int, nn.Parameter] = {}
    for name in names:
        if isinstance(parts[name], nn.Module):
            found |= {id(p): p for p in parts[name].parameters() if not getattr(p, FIXED, False)}
    return list(found.values())


def keep_fixed(part: nn.Module) -> None:
    """Mark what a component froze when it was built, for no turn to thaw it."""
    for parameter in part.parameters():
        setattr(parameter, FIXED, not parameter.requires_grad)


def freeze(every: Iterable[nn.Parameter], own: set[int]) -> None:
    """Let only the parameters with these ids ask for gradients."""
    for parameter in every:
        parameter.requires_grad_(id(parameter) in own)


def lay_out(part: nn.Module) -> None:
    """Channels last in the memory of a network that says ``channels_last = True``, where that is faster: not with
    instance norm. Its layers then give tensors that lie so, which ``view`` may refuse and ``flatten`` does not.
    """
    slower = any(isinstance(module, nn.InstanceNorm2d) for module in part.modules())
    if getattr(part, "channels_last", False) and not slower:
        part.to(memory_format=torch.channels_last)


def for_phase(parts: Mapping[str, Any], specs: Mapping[str, Part], phase: Phase) -> None:
    """Training mode for the parts some player trains, and for stateful helpers; evaluation for the others."""
    trained = phase.trained()
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            learns = any(True for _ in part.parameters())
            set_mode(part, specs[name], training=name in trained or not learns)


def set_mode(part: nn.Module, spec: Part, training: bool) -> None:
    """Training or evaluation mode.

    In evaluation, ``eval_bn: batch`` normalises with batch statistics without touching the running ones, and
    ``eval_dropout: true`` keeps dropping.
    """
    part.train(training)
    for module in part.modules():
        if isinstance(module, _BatchNorm) and spec.eval_bn == "batch" and module.running_mean is not None:
            module.track_running_stats = training
            module.train()
        if isinstance(module, _DropoutNd) and spec.eval_dropout:
            module.train()
