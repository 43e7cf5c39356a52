"""Training for a time instead of a number of steps: ``train.budget: 60s``. The first steps tell how many fit."""

from __future__ import annotations

from torch.optim.lr_scheduler import LRScheduler

from ganzoo.config.spec import Component, Spec
from ganzoo.model import factory
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.optim import make_schedule

WARM, TIMED = 10, 50  # steps: the first ones are slow; after the last the number of steps is fixed
OPEN = 1_000_000_000  # steps, as long as the number is not fixed


def leave_open(spec: Spec) -> None:
    """Train until told otherwise, if a budget is given."""
    if spec.train.budget is not None:
        for phase in spec.phases.values():
            phase.steps = OPEN


def fitting(budget: float, spent: float, step: float, done: int) -> int:
    """How many steps fit, if `done` took `spent` seconds and one more takes `step` seconds."""
    return done + max(int((budget - spent) / step), 1)


def unchanged(blueprint: Blueprint, steps: int, done: int) -> bool:
    """Whether the first `done` steps were what they are in a training of `steps`: no schedule says otherwise."""
    for component in blueprint.spec.components():
        if component.kind != "schedule" or not _takes_steps(component, blueprint):
            continue
        maker = blueprint.factories[component.path]
        if isinstance(maker, type) and issubclass(maker, LRScheduler):
            return False
        before, after = (make_schedule(component, blueprint, total) for total in (OPEN, steps))
        if any(before(step) != after(step) for step in range(done + 1)):
            return False
    return True


def _takes_steps(component: Component, blueprint: Blueprint) -> bool:
    given = blueprint.args[component.path].get("steps")
    return given is None and "steps" in factory.arguments(blueprint.factories[component.path])
