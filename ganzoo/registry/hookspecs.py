"""The hooks a plugin may implement: one that registers components, and those that follow a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ganzoo.evaluation.records import Record
    from ganzoo.registry import Zoo
    from ganzoo.run.events import RunInfo

PROJECT = "ganzoo"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register(zoo: Zoo) -> None:
    """Add components and models: ``zoo.generator("name", "package.module:Class")``, ``zoo.configs(folder)``."""


class RunHooks:
    """What happens during a run, on the first process. Hooks see numbers on the host and never slow the step."""

    @hookspec
    def on_start(self, run: RunInfo, step: int) -> None:
        """Training starts, or goes on, after `step` steps."""

    @hookspec
    def on_step(self, run: RunInfo, step: int, values: Mapping[str, float]) -> None:
        """Every ``train.log_every`` steps: the mean of every term, the learning rates, the speed."""

    @hookspec
    def on_evaluation(self, run: RunInfo, step: int, values: Mapping[str, float], records: Sequence[Record]) -> None:
        """Every ``evaluate.every`` steps: what the metrics say, all numbers by name, and with their protocols."""

    @hookspec
    def on_samples(self, run: RunInfo, step: int, picture: Any) -> None:
        """Every ``train.sample_every`` steps: the picture of ``show:`` as a PIL image."""

    @hookspec
    def on_health(self, run: RunInfo, step: int, values: Mapping[str, float], warnings: Sequence[str]) -> None:
        """Samples were compared with the data, or something begins to look wrong: numbers, and warnings in words."""

    @hookspec
    def on_gradients(self, run: RunInfo, step: int, gradients: Mapping[str, Any]) -> None:
        """After ``on_step``, if a plugin's options ask for ``histograms``: each part's gradient, a flat array."""

    @hookspec
    def on_checkpoint(self, run: RunInfo, step: int, path: Path) -> None:
        """A checkpoint was written."""

    @hookspec
    def on_end(self, run: RunInfo, step: int, reason: str) -> None:
        """Training ends: ``finished``, ``interrupted``, or why: ``stopped …``, ``diverged: …``, ``collapsed: …``,
        ``failed: …``."""
