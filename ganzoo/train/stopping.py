"""Acting on numbers that are logged or evaluated: patience, and the end of a run before its last step."""

from __future__ import annotations

from typing import Any

from ganzoo.config.schema import Stop


class Patience:
    """Runs out after some values in a row of which none was better than the best before them.

    Args:
        values: How many such values it takes.
        mode: Whether the smaller is better, ``min``, or the larger, ``max``.
    """

    def __init__(self, values: int, mode: str):
        self.values, self.mode = values, mode
        self.best: float | None = None
        self.waited = 0

    def see(self, value: float) -> bool:
        """Whether it runs out with this value; then it begins to wait anew. What is no number is not better."""
        sign = 1 if self.mode == "max" else -1
        if value == value and (self.best is None or sign * value > sign * self.best):
            self.best, self.waited = value, 0
            return False
        self.waited += 1
        if self.waited < self.values:
            return False
        self.waited = 0
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]


class Stopping:
    """Whether ``stop:`` ends the run; the `reason` is empty as long as it does not.

    Args:
        settings: What the model says, if anything.
        mode: Whether the smaller is better, ``min``, or the larger, ``max``.
    """

    def __init__(self, settings: Stop | None, mode: str = "min"):
        self.settings = settings
        waits = settings is not None and settings.patience is not None
        self.patience = Patience(settings.patience, mode) if waits else None  # type: ignore[union-attr, arg-type]
        self.reason = ""

    @property
    def watch(self) -> str | None:
        """The name that it goes by."""
        return self.settings.watch if self.settings is not None else None

    def see(self, value: float | None, step: int) -> None:
        """Note the value of :attr:`watch` at a step; None where it was not computed."""
        if value is None or self.settings is None:
            return
        stop, said = self.settings, f"stopped at step {step}: {self.settings.watch} is {value:.4g}"
        if stop.above is not None and value > stop.above:
            self.reason = f"{said}, above {stop.above:g}"
        elif stop.below is not None and value < stop.below:
            self.reason = f"{said}, below {stop.below:g}"
        elif self.patience is not None and self.patience.see(value):
            best = self.patience.best
            better = f"better than {best:.4g}" if best is not None else "a number"
            self.reason = f"{said}; none of the last {self.patience.values} values was {better}"

    def state_dict(self) -> dict[str, Any]:
        return {"reason": self.reason, "patience": self.patience.state_dict() if self.patience is not None else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on waiting; a run that is trained on after it was stopped is not stopped before the next value."""
        if self.patience is not None and state.get("patience") is not None:
            self.patience.load_state_dict(state["patience"])
