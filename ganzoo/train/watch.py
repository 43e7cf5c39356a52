"""What ``log:`` asks for, computed after a step that is logged, without gradient, without a trace in what trains."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch

from ganzoo.config import static
from ganzoo.config.spec import Spec
from ganzoo.contract import first
from ganzoo.model.modes import freeze, parameters
from ganzoo.model.program import Program
from ganzoo.model.state import unchanged
from ganzoo.model.turn import Turn
from ganzoo.parallel import draw


class Watch:
    """The entries of ``log:`` as numbers.

    Parts are in the mode that they train in, and keep nothing of being asked, not even from one entry to the next.

    Args:
        spec: The model.
        parts: All its parts.
        program: Compiles the entries.
    """

    def __init__(self, spec: Spec, parts: Mapping[str, Any], program: Program):
        graph = static.Graph(spec)
        self.entries = {name: program.value(value) for name, value in spec.log.items()}
        self.asked = {
            name: [parts[needed] for needed in graph.of(value) if needed in parts] for name, value in spec.log.items()
        }
        self.every = parameters(parts, parts)

    def read(
        self, turns: list[Turn], device: torch.device, autocast: AbstractContextManager[Any], seed: Callable[[], None]
    ) -> dict[str, torch.Tensor]:
        """Every entry, averaged over the micro-batches of a step; scalars on the device.

        No parameter asks for a gradient meanwhile, but gradients can be taken, for a penalty is made of them.

        Args:
            turns: One for each micro-batch.
            device: Where to train.
            autocast: In which precision.
            seed: Seeds the global generators, whose states are then brought back.
        """
        asking = {id(parameter) for parameter in self.every if parameter.requires_grad}
        freeze(self.every, set())
        found: dict[str, list[torch.Tensor]] = {name: [] for name in self.entries}
        try:
            with _generators_kept(device), autocast:
                seed()
                for turn in turns:
                    for name, compute in self.entries.items():
                        with draw.using(turn.draws), unchanged(self.asked[name]):
                            found[name].append(_number(first(compute(turn)), device))
        finally:
            freeze(self.every, asking)
        return {name: torch.stack(values).mean() for name, values in found.items()}


def _number(value: Any, device: torch.device) -> torch.Tensor:
    """A scalar of its own, even if the value is a part's buffer."""
    number = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(float(value), device=device)
    return number.float().reshape(()).clone()


@contextmanager
def _generators_kept(device: torch.device) -> Iterator[None]:
    """The global generators go on after the block as if it had not been there."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = [] if device.type == "cpu" else [device]
    try:
        with torch.random.fork_rng(devices, device_type="cuda" if device.type == "cpu" else device.type):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
