"""Whether the steps of a model can be captured as CUDA graphs, and whether that is worth it."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.config.expression import names
from ganzoo.config.spec import Component, Spec
from ganzoo.errors import Problem, UserError
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.modes import parameters
from ganzoo.parallel import distributed

PARAMETERS = 4_000_000  # above, kernels should take longer than their launches; a guess, not measured yet
REFUSED = "steps cannot be captured as CUDA graphs"
VALUES = 2**20  # numbers in a batch, likewise


def refused(spec: Spec, reason: str) -> UserError:
    """The error of ``train.graphs: true`` where it cannot be done."""
    return UserError(
        Problem(f"{REFUSED}: {reason}", spec.origins.get("train.graphs"), "train.graphs", "train.graphs=false")
    )


def impossible(spec: Spec, device: torch.device) -> str | None:
    """Why the steps of a model cannot be captured, as far as can be told without computing one."""
    if device.type != "cuda":
        return f"the device is {device.type}, and only GPUs of NVIDIA have them"
    if distributed.world() > 1:
        return f"{distributed.world()} processes train together"
    if spec.train.compile:
        return "train.compile makes graphs of its own"
    if spec.train.accumulate > 1:
        return f"batches are accumulated in {spec.train.accumulate} parts"
    for phase in spec.phases.values():
        for term in (term for player in phase.players.values() for term in player.terms.values()):
            if isinstance(term.weight, Component):
                return f"the weight of {term.player}.{term.name} is a schedule"
    for value in spec.equations():
        if "step" in names(value.expr):
            return f"`{value.text}` depends on the step"
    return None


def large(blueprint: Blueprint) -> str | None:
    """Why graphs would not make a step faster: networks or batches whose kernels take longer than their launches."""
    count = sum(p.numel() for p in parameters(blueprint.parts, blueprint.parts))
    values = blueprint.spec.train.batch * max((math.prod(f.shape) for f in blueprint.fields.values()), default=0)
    if count > PARAMETERS:
        return f"{count:,} parameters are more than {PARAMETERS:,}"
    return f"{values:,} numbers in a batch are more than {VALUES:,}" if values > VALUES else None


def held(parts: Mapping[str, Any]) -> dict[str, Any]:
    """What the host knows of parts and would not be seen to change by a graph: numbers, places of tensors, generators.

    What is in a tensor may change.
    """
    found = {"Python's random": random.getstate(), "NumPy's random": repr(np.random.get_state())}
    for name, part in parts.items():
        for path, module in part.named_modules() if isinstance(part, nn.Module) else [("", part)]:
            for key, value in getattr(module, "__dict__", {}).items():
                found[".".join(filter(None, (name, path, key)))] = _mark(value)
    return found


def _mark(value: Any) -> Any:
    if isinstance(value, Tensor):
        return id(value), None if value.is_meta else value.data_ptr()
    if isinstance(value, dict):
        return [(key, _mark(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | set) or type(value).__name__ == "deque":
        return [_mark(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else id(value)
