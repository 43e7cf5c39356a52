"""What the terms came to, kept on the device between log intervals, with the first step at which one went bad."""

from __future__ import annotations

from typing import Any

import torch

from ganzoo import distributed
from ganzoo.errors import Diverged

NEVER = torch.iinfo(torch.int64).max


class Ledger:
    """Sums of every term since the last reading. Adding to it never waits for the device."""

    def __init__(self, device: torch.device):
        self.device = device
        self.sums: dict[tuple[str, ...], torch.Tensor] = {}
        self.bad: dict[tuple[str, ...], torch.Tensor] = {}
        self.counts: dict[tuple[str, ...], int] = {}

    def add(self, names: tuple[str, ...], losses: list[torch.Tensor], step: int) -> None:
        """Add the terms of one turn; a value that is not finite marks the term with the step."""
        values = torch.stack([loss.detach().float() for loss in losses])
        if names not in self.sums:
            self.sums[names] = torch.zeros_like(values)
            self.bad[names] = torch.full_like(values, NEVER, dtype=torch.int64)
            self.counts[names] = 0
        self.sums[names] += values
        self.counts[names] += 1
        now = torch.where(torch.isfinite(values), NEVER, step)
        torch.minimum(self.bad[names], now, out=self.bad[names])

    def read(self) -> dict[str, float]:
        """The mean of every term since the last reading; starts anew.

        Raises:
            Diverged: a term was NaN or infinite; the message names the first one.
        """
        self.check()
        means: dict[str, tuple[float, int]] = {}
        if self.sums:
            keys = list(self.sums)
            flat = torch.cat([self.sums[key] for key in keys])
            distributed.average([flat])
            numbers = iter(flat.tolist())
            for key in keys:
                for name in key:
                    total, count = means.get(name, (0.0, 0))
                    means[name] = (total + next(numbers), count + self.counts[key])
        self.sums, self.bad, self.counts = {}, {}, {}
        return {name: total / count for name, (total, count) in means.items()}

    def check(self) -> None:
        """Look at the marks.

        Raises:
            Diverged: a term was NaN or infinite; the message names the first one.
        """
        if not self.bad:
            return
        steps = distributed.minimum(torch.cat(list(self.bad.values()))).tolist()
        first = min(steps)
        if first != NEVER:
            name = [name for names in self.bad for name in names][steps.index(first)]
            player, _, term = name.partition(".")
            raise Diverged(f"term '{term}' of player {player} was not finite at step {first}")

    def state_dict(self) -> dict[str, Any]:
        """What has been added since the last reading, averaged over the processes, here too: all go on from there."""
        distributed.average(list(self.sums.values()))
        return {
            "|".join(key): {"sums": value.cpu().clone(), "bad": self.bad[key].cpu(), "count": self.counts[key]}
            for key, value in self.sums.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums = {tuple(k.split("|")): v["sums"].to(self.device) for k, v in state.items()}
        self.bad = {tuple(k.split("|")): v["bad"].to(self.device) for k, v in state.items()}
        self.counts = {tuple(k.split("|")): v["count"] for k, v in state.items()}
