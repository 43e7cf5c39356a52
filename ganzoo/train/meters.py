"""What the terms came to, kept on the device between log intervals, with the first step at which one went bad."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from ganzoo.errors import Diverged
from ganzoo.parallel import distributed

ROWS = 1024  # values kept one by one before they are joined: a scalar on a GPU takes half a kilobyte
NEVER = torch.iinfo(torch.int64).max


@dataclass
class _Meter:
    """The values of some terms of one player since the last reading: sums of older ones, then turn by turn."""

    sums: list[float]
    count: int = 0
    steps: list[int] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)
    joined: list[torch.Tensor] = field(default_factory=list)

    def join(self) -> None:
        if self.values:
            width = len(self.sums)
            self.joined.append(torch.stack([v.float() for v in self.values]).view(-1, width))
            self.values = []

    def rows(self) -> list[list[float]]:
        """One row of values a turn. Waits for the device."""
        self.join()
        return torch.cat(self.joined).tolist() if self.joined else []

    def settle(self) -> None:
        """Bring all values into the sums, one turn after the other, so that nothing depends on when this is done."""
        for row in self.rows():
            self.sums = [total + value for total, value in zip(self.sums, row, strict=True)]
        self.count += len(self.steps)
        self.steps, self.joined = [], []


class Meters:
    """Every term's values since the last reading. Adding to it never waits for the device."""

    def __init__(self, device: torch.device):
        self.device = device
        self.meters: dict[tuple[str, ...], _Meter] = {}
        self.diagnostics: dict[str, torch.Tensor] = {}
        self.noted = 0  # at which step

    def add(self, names: tuple[str, ...], losses: list[torch.Tensor], step: int) -> None:
        """Note the terms of one turn."""
        meter = self.meters.get(names)
        if meter is None:
            meter = self.meters[names] = _Meter([0.0] * len(names))
        meter.steps.append(step)
        meter.values += [loss.detach() for loss in losses]
        if len(meter.values) >= ROWS:
            meter.join()

    def note(self, of: str, values: dict[str, torch.Tensor], step: int) -> None:
        """Note scalars that belong to one step alone; a later turn of that step takes the place of an earlier one.

        `of` is the player or term that they belong to, empty for what ``log:`` names.
        """
        self.diagnostics |= {f"{of}.{name}" if of else name: value for name, value in values.items()}
        self.noted = step

    def read(self) -> dict[str, float]:
        """The mean of every term since the last reading, and the diagnostics; starts anew.

        Raises:
            Diverged: a term was NaN or infinite, or a gradient is; the message names the first one.
        """
        self.check()
        self._settle()
        means: dict[str, tuple[float, int]] = {}
        for names, meter in self.meters.items():
            for name, value in zip(names, meter.sums, strict=True):
                total, count = means.get(name, (0.0, 0))
                means[name] = (total + value, count + meter.count)
        self.meters = {}
        diagnostics = self._diagnosed()
        return {name: total / count for name, (total, count) in means.items()} | {
            name: value for name, value in diagnostics.items() if name not in means
        }

    def check(self) -> None:
        """Look for values that are not finite.

        Raises:
            Diverged: a term was NaN or infinite; the message names the first one.
        """
        if not self.meters:
            return
        names = [name for key in self.meters for name in key]
        bad: list[int] = []
        for meter in self.meters.values():
            first = [NEVER] * len(meter.sums)
            for step, row in zip(meter.steps, meter.rows(), strict=True):
                first = [min(f, NEVER if math.isfinite(v) else step) for f, v in zip(first, row, strict=True)]
            bad += first
        steps = distributed.minimum(torch.tensor(bad, device=self.device)).tolist()
        at = min(steps)
        if at != NEVER:
            player, _, term = names[steps.index(at)].partition(".")
            raise Diverged(f"term '{term}' of player {player} was not finite at step {at}", player)

    def _diagnosed(self) -> dict[str, float]:
        """What was noted since the last reading, averaged over the processes."""
        if not self.diagnostics:
            return {}
        values = torch.stack([value.float() for value in self.diagnostics.values()])
        distributed.average([values])
        found = dict(zip(self.diagnostics, values.tolist(), strict=True))
        self.diagnostics = {}
        for name, value in found.items():
            if name.endswith(".gradient") and not math.isfinite(value):
                player = name.removesuffix(".gradient")
                raise Diverged(f"the gradient of player {player} was not finite at step {self.noted}", player)
        return found

    def _settle(self) -> None:
        """The sums of all turns, averaged over the processes."""
        for meter in self.meters.values():
            meter.settle()
        if self.meters and distributed.world() > 1:
            flat = torch.tensor([v for a in self.meters.values() for v in a.sums], device=self.device)
            distributed.average([flat])
            numbers = iter(flat.tolist())
            for meter in self.meters.values():
                meter.sums = [next(numbers) for _ in meter.sums]

    def state_dict(self) -> dict[str, Any]:
        """What has been noted since the last reading, averaged over the processes, here too: all go on from there."""
        self._settle()
        return {"|".join(key): {"sums": a.sums, "count": a.count} for key, a in self.meters.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.meters = {tuple(key.split("|")): _Meter(list(a["sums"]), a["count"]) for key, a in state.items()}
