"""Weights & Biases: ``plugins: {wandb: {project: faces}}``; ``mode: offline`` keeps it on this machine.

What is written lies in ``RUN/wandb``; a resumed run goes on under its own id.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo_loggers.follow import Follow, binned, identity, needed

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.run.events import RunInfo

OPTIONS = ("project", "entity", "name", "group", "tags", "notes", "mode")


class Wandb:
    """One run of Weights & Biases; see :class:`ganzoo_loggers.follow.Sink`."""

    def __init__(self, run: RunInfo, step: int, options: dict[str, Any]):
        self.wandb = needed("wandb")
        chosen = {"project": "ganzoo", "name": run.folder.name, **options}
        self.run = self.wandb.init(
            dir=str(run.folder),
            id=identity(run, "wandb", lambda: uuid.uuid4().hex[:12])[0],
            resume="allow",
            reinit="create_new",
            config={key: value for key, value in run.config.items() if key != "locked"},
            settings=self.wandb.Settings(console="off", silent=True),
            **chosen,
        )
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")
        self.texts: dict[str, list[str]] = {}

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self.run.log({"step": step, **values})

    def picture(self, picture: Any, step: int) -> None:
        self.run.log({"step": step, "samples": self.wandb.Image(picture)})

    def text(self, name: str, text: str, step: int) -> None:
        told = self.texts.setdefault(name, [])
        told.append(text if name == "equations" else f"step {step}: {text}")
        self.run.summary[name] = "\n".join(told)

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        spread = self.wandb.Histogram(np_histogram=binned(values))
        self.run.log({"step": step, name: spread})

    def close(self, reason: str, last: Mapping[str, float]) -> None:
        self.run.summary["reason"] = reason
        self.run.finish(exit_code=int(reason.startswith(("failed", "diverged", "collapsed"))))


plugin = Follow("wandb", Wandb, OPTIONS)
