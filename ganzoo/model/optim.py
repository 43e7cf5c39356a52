"""A player's optimizer and schedules, made from their components."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from ganzoo.config.spec import Component, Player
from ganzoo.errors import Problem, UserError, listed
from ganzoo.model import factory
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.light import eager_optimizers
from ganzoo.model.modes import parameters


def make_optimizer(player: Player, blueprint: Blueprint, parts: Mapping[str, Any]) -> torch.optim.Optimizer:
    """One parameter group a part, with its ``lr_scale``; fused kernels where the optimizer has them.

    Raises:
        UserError: the optimizer refuses its arguments.
    """
    assert player.optimizer is not None
    maker, args = blueprint.factories[player.optimizer.path], dict(blueprint.args[player.optimizer.path])
    seen: set[int] = set()
    groups = []
    for name in player.trains:
        params = [p for p in parameters(parts, [name]) if id(p) not in seen]
        seen |= set(map(id, params))
        groups.append({"params": params, "part": name})
    devices = {p.device.type for group in groups for p in group["params"]}  # type: ignore[attr-defined]
    takes_fused = "fused" in inspect.signature(maker).parameters
    if takes_fused and args.get("fused") is None and not args.get("foreach") and devices <= {"cpu", "cuda"}:
        args["fused"] = True
    if not blueprint.spec.train.compile:
        eager_optimizers()
    optimizer = factory.make(player.optimizer, maker, {"params": groups, **args})
    for group in optimizer.param_groups:
        group["lr"] *= player.lr_scale.get(group["part"], 1.0)
    return optimizer


def hyperparameters(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """What each group of parameters is trained by, such as its rate."""
    return [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]


class Schedules:
    """Hyperparameters of one optimizer as functions of the step.

    A schedule is a torch scheduler, or a function of the step that gives the factor on the optimizer's own value. One
    that has ``see(value)`` goes by the values of the name that its argument and attribute ``watch`` gives.
    """

    def __init__(self, player: Player, optimizer: torch.optim.Optimizer, blueprint: Blueprint, steps: int):
        self.optimizer = optimizer
        self.count = 0
        self.factors: dict[str, Any] = {}
        self.torch: dict[str, LRScheduler] = {}
        self.base: dict[str, list[float]] = {}
        for key, component in player.schedules.items():
            maker = blueprint.factories[component.path]
            if isinstance(maker, type) and issubclass(maker, LRScheduler):
                if key != "lr":
                    message = f"{component.entry.id} schedules the learning rate, not '{key}'"
                    hint = "use a function of the step, such as those that are no torch scheduler"
                    raise UserError(Problem(message, component.origin, component.path, hint))
                self.torch[key] = make_schedule(component, blueprint, steps, optimizer)
                continue
            for group in optimizer.param_groups:
                if not isinstance(group.get(key), int | float):
                    known = listed(k for k, v in group.items() if isinstance(v, float))
                    message = f"the optimizer has no number '{key}' to schedule"
                    raise UserError(Problem(message, component.origin, component.path, f"it has {known}"))
            self.factors[key] = make_schedule(component, blueprint, steps)
            self.base[key] = [group[key] for group in optimizer.param_groups]
        self._set()

    def step(self) -> None:
        """Go on by one step of the loop."""
        self.count += 1
        for scheduler in self.torch.values():
            scheduler.step()
        self._set()

    def see(self, find: Callable[[str], float | None]) -> None:
        """Tell schedules what they go by, as far as there is a new value of it."""
        tell(self.factors, find)
        self._set()

    def _set(self) -> None:
        for key, factor in self.factors.items():
            now = factor(self.count)
            for group, base in zip(self.optimizer.param_groups, self.base[key], strict=True):
                group[key] = base * now

    def state_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "torch": {key: s.state_dict() for key, s in self.torch.items()},
            "seen": states(self.factors),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
        for key, scheduler in self.torch.items():
            scheduler.load_state_dict(state["torch"][key])
        load_states(self.factors, state.get("seen", {}))
        self._set()


def tell(schedules: Mapping[str, Any], find: Callable[[str], float | None]) -> None:
    """Give those schedules that go by something the newest value of it."""
    for schedule in schedules.values():
        if hasattr(schedule, "see") and (value := find(schedule.watch)) is not None:
            schedule.see(value)


def states(schedules: Mapping[str, Any]) -> dict[str, Any]:
    """The states of those schedules that are more than a function of the step."""
    return {key: schedule.state_dict() for key, schedule in schedules.items() if hasattr(schedule, "state_dict")}


def load_states(schedules: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    for key, state in saved.items():
        schedules[key].load_state_dict(state)


def make_schedule(component: Component, blueprint: Blueprint, steps: int, optimizer: Any = None) -> Any:
    """One schedule; ``steps`` and ``optimizer`` are given to those that ask for them."""
    maker, args = blueprint.factories[component.path], dict(blueprint.args[component.path])
    known = factory.arguments(maker)
    if "steps" in known and args.get("steps") is None:
        args["steps"] = steps
    if "optimizer" in known:
        if optimizer is None:
            message = f"{component.entry.id} schedules an optimizer, not a weight"
            raise UserError(Problem(message, component.origin, component.path, "use a function of the step"))
        args["optimizer"] = optimizer
    return factory.make(component, maker, args)
