"""Schedules as functions of the step; what they return multiplies the optimizer's own value, or is a term's weight."""

from __future__ import annotations

import math
from typing import Any, Literal

from ganzoo.bounds import Fraction, NonNegativeFloat, PositiveInt
from ganzoo.train.stopping import Patience


class Linear:
    """From `begin` to `end` in a straight line between two steps, constant outside.

    Paper: arXiv:1703.10593 section 4 (constant, then linear decay to 0).

    Args:
        start: The step at which the line begins; below 1, the part of training after which it does.
        stop: The step at which it ends; the last of training if not given.
        begin: The factor up to `start`.
        end: The factor from `stop` on.

    Raises:
        ValueError: `stop` is not after `start`.
    """

    def __init__(
        self, start: float = 0, stop: int | None = None, begin: float = 1.0, end: float = 0.0, steps: int | None = None
    ):
        self.start = round(start * (steps or 0)) if start < 1 else int(start)
        self.begin, self.end = begin, end
        self.stop = stop if stop is not None else max(steps or 0, self.start + 1)
        if self.stop <= self.start:
            raise ValueError(f"stop is {self.stop}, but should be after start, {self.start}")

    def __call__(self, step: int) -> float:
        done = min(max((step - self.start) / (self.stop - self.start), 0.0), 1.0)
        return self.begin + (self.end - self.begin) * done


class CosineBetween(Linear):
    """From `begin` to `end` along half a cosine between two steps, constant outside.

    begin + (end - begin) (1 - cos(pi t)) / 2,  t from 0 to 1

    Paper: arXiv:1608.03983 eq. 5, without restarts; arXiv:2501.05441 (all that its training changes).

    Args:
        start: The step at which it begins; below 1, the part of training after which it does.
        stop: The step at which it ends; the last of training if not given.
        begin: The factor up to `start`.
        end: The factor from `stop` on.

    Raises:
        ValueError: `stop` is not after `start`.
    """

    def __call__(self, step: int) -> float:
        done = min(max((step - self.start) / (self.stop - self.start), 0.0), 1.0)
        return self.begin + (self.end - self.begin) * (1 - math.cos(math.pi * done)) / 2


class Exponential:
    """Multiplied by `rate` every step, never below `floor`: max(rate^step, floor).

    Paper: arXiv:1406.2661 (its code divides the rate by 1.000004 at each update, down to a floor).
    """

    def __init__(self, rate: float, floor: float = 0.0):
        self.rate, self.floor = rate, floor

    def __call__(self, step: int) -> float:
        return max(self.rate**step, self.floor)


class Plateau:
    """Multiplied by `factor` whenever a number that is logged or evaluated stops improving, never below `floor`.

    Source: the usual rule; torch.optim.lr_scheduler.ReduceLROnPlateau.

    Args:
        watch: The name of a term, a metric, or an entry of ``log:``.
        patience: How many values in a row, none better than the best before them, it takes.
        factor: What the schedule is multiplied by each time.
        floor: The smallest that it becomes.
        mode: Whether smaller values are better, ``min``, or larger ones, ``max``.
    """

    def __init__(
        self,
        watch: str,
        patience: PositiveInt = 10,
        factor: Fraction = 0.5,
        floor: NonNegativeFloat = 0.0,
        mode: Literal["min", "max"] = "min",
    ):
        self.watch, self.factor, self.floor = watch, factor, floor
        self.patience = Patience(patience, mode)
        self.now = 1.0

    def __call__(self, step: int) -> float:
        return self.now

    def see(self, value: float) -> None:
        """Note the next value of what is watched."""
        if self.patience.see(value):
            self.now = max(self.now * self.factor, self.floor)

    def state_dict(self) -> dict[str, Any]:
        return {"now": self.now, "patience": self.patience.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.now = state["now"]
        self.patience.load_state_dict(state["patience"])
