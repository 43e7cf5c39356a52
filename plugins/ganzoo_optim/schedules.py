"""Schedules as functions of the step; what they return multiplies the optimizer's own value, or is a term's weight."""

from __future__ import annotations


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


class Exponential:
    """Multiplied by `rate` every step, never below `floor`: max(rate^step, floor).

    Paper: arXiv:1406.2661 (its code divides the rate by 1.000004 at each update, down to a floor).
    """

    def __init__(self, rate: float, floor: float = 0.0):
        self.rate, self.floor = rate, floor

    def __call__(self, step: int) -> float:
        return max(self.rate**step, self.floor)
