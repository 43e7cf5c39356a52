"""MLflow: ``plugins: {mlflow: {uri: "http://localhost:5000"}}``, or ``file:/some/folder``; else where MLflow would log.

A resumed run goes on as the same run of MLflow. Names keep their dots: in MLflow's files a slash is a folder.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo_loggers.follow import Follow, binned, identity, needed

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.run.events import RunInfo

OPTIONS = ("uri", "experiment", "name", "tags")
AT_ONCE = 100  # parameters that MLflow takes in one call


class Mlflow:
    """One run of MLflow; see :class:`ganzoo_loggers.follow.Sink`."""

    def __init__(self, run: RunInfo, step: int, options: dict[str, Any]):
        if str(options.get("uri", "")).startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 asks whether one means it
        mlflow = needed("mlflow")
        self.client = mlflow.MlflowClient(tracking_uri=options.get("uri"))
        self.entities = mlflow.entities
        self.id, new = identity(run, "mlflow", lambda: self.created(run, options))
        self.warnings: list[str] = []
        if new:
            settings = [self.entities.Param(key, str(value)[:500]) for key, value in run.settings().items()]
            for start in range(0, len(settings), AT_ONCE):
                self.client.log_batch(self.id, params=settings[start : start + AT_ONCE])
        else:
            self.client.set_terminated(self.id, "RUNNING")

    def created(self, run: RunInfo, options: dict[str, Any]) -> str:
        name = options.get("experiment", "ganzoo")
        known = self.client.get_experiment_by_name(name)
        experiment = known.experiment_id if known is not None else self.client.create_experiment(name)
        tags = {"model": run.name, "folder": str(run.folder), **options.get("tags", {})}
        made = self.client.create_run(experiment, tags=tags, run_name=options.get("name", run.folder.name))
        return made.info.run_id

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        named = {re.sub(r"[^\w. -]+", ".", name).strip("."): value for name, value in values.items()}
        self.client.log_batch(self.id, [self.entities.Metric(n, float(v), now, step) for n, v in named.items()])

    def picture(self, picture: Any, step: int) -> None:
        self.client.log_image(self.id, picture.convert("RGB"), key="samples", step=step)

    def text(self, name: str, text: str, step: int) -> None:
        if name == "warnings":
            self.warnings.append(f"step {step}: {text}")
            text = "\n".join(self.warnings)
        self.client.log_text(self.id, text, f"{name}.txt")

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        counts, edges = binned(values)
        table = {"step": step, "counts": counts.tolist(), "edges": edges.tolist()}
        self.client.log_dict(self.id, table, f"histograms/{name}/{step:08d}.json")

    def close(self, reason: str, last: Mapping[str, float]) -> None:
        self.client.set_tag(self.id, "reason", reason)
        failed = reason.startswith(("failed", "diverged", "collapsed"))
        self.client.set_terminated(self.id, "FAILED" if failed else "KILLED" if reason == "interrupted" else "FINISHED")


plugin = Follow("mlflow", Mlflow, OPTIONS)
