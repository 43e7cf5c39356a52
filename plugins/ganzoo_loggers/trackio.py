"""trackio: ``plugins: {trackio: {project: faces}}``; `trackio show` then shows it. A resumed run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo_loggers.follow import Follow, binned, identity, needed

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.run.events import RunInfo

OPTIONS = ("project", "name", "group", "space_id", "dataset_id", "private")


class Trackio:
    """One run of trackio; see :class:`ganzoo_loggers.follow.Sink`."""

    def __init__(self, run: RunInfo, step: int, options: dict[str, Any]):
        self.trackio = needed("trackio")
        given = {"project": "ganzoo", **options}
        given["name"], _ = identity(run, "trackio", lambda: options.get("name") or run.folder.name)
        self.run = self.trackio.init(config=run.settings(), resume="allow", embed=False, auto_log_gpu=False, **given)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, picture: Any, step: int) -> None:
        self.run.log({"samples": self.trackio.Image(picture)}, step=step)

    def text(self, name: str, text: str, step: int) -> None:
        self.run.log({name: self.trackio.Markdown(f"```\n{text}\n```")}, step=step)

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        self.run.log({name: self.trackio.Histogram(np_histogram=binned(values))}, step=step)

    def close(self, reason: str, last: Mapping[str, float]) -> None:
        self.trackio.finish()


plugin = Follow("trackio", Trackio, OPTIONS)
