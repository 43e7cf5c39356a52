"""Every registered component keeps the promises of its kind."""

from __future__ import annotations

from typing import Any

import pytest
from ganzoo_points.points import Circle, Ring

import ganzoo.testing

ARGUMENTS: dict[str, dict[str, Any]] = {
    "metric.modes": {"data": Ring(points=10)},
    "metric.circle": {"data": Circle(points=10)},
    "schedule.exponential": {"rate": 0.99},
    "schedule.cosine": {"T_max": 10},
    "schedule.step": {"step_size": 3},
    "schedule.multi_step": {"milestones": [2, 4]},
    "schedule.one_cycle": {"max_lr": 0.1, "total_steps": 10},
}


@pytest.mark.parametrize("name", ganzoo.testing.components())
def test_conforms(name: str) -> None:
    ganzoo.testing.conforms(name, **ARGUMENTS.get(name, {}))
