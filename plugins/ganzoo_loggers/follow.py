"""What loggers have in common: they open with a run, are given what happens in it, and close with it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ganzoo
from ganzoo.errors import Problem, UserError

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.run.events import RunInfo


class Sink(Protocol):
    """Where one run is logged."""

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name: ``G/adversarial``, ``evaluation/fid``."""

    def picture(self, picture: Any, step: int) -> None:
        """The sample picture, a PIL image."""

    def text(self, name: str, text: str, step: int) -> None:
        """The equations, or a warning."""

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        """How values are spread, such as a part's gradient."""

    def close(self, reason: str, last: Mapping[str, float]) -> None:
        """The run ends: why, and the last value of everything."""


class Follow:
    """A plugin that follows runs into a sink; registered as an object, it implements ganzoo's run hooks.

    Args:
        name: The plugin's name, under which a model file has its options, ``plugins.<name>``.
        sink: What opens it: the run, the step from which it goes on (0 for a new one), and the options.
        options: Every option that it has.
        unasked: Whether it follows runs whose model does not name it.
    """

    def __init__(
        self,
        name: str,
        sink: Callable[[RunInfo, int, dict[str, Any]], Sink],
        options: Sequence[str] = (),
        unasked: bool = False,
    ):
        self.__name__ = self.name = name
        self.sink, self.options, self.unasked = sink, (*options, "histograms"), unasked
        self.open: dict[Path, Sink] = {}
        self.last: dict[Path, dict[str, float]] = {}

    @ganzoo.hookimpl
    def on_start(self, run: RunInfo, step: int) -> None:
        options = run.options(self.name)
        if options is None or not (self.unasked or self.name in (run.config.get("plugins") or {})):
            return
        self.last[run.folder] = {}
        with redirect_stdout(sys.stderr):
            self.open[run.folder] = self.sink(run, step, {k: v for k, v in options.items() if k != "histograms"})
        self.tell(run, "text", "equations", run.equations(), step)

    def tell(self, run: RunInfo, method: str, *what: Any) -> None:
        """Pass something on, if the run is followed; what packages print is no output of ours."""
        if run.folder in self.open:
            with redirect_stdout(sys.stderr):
                getattr(self.open[run.folder], method)(*what)

    def numbers(self, run: RunInfo, values: Mapping[str, float], step: int) -> None:
        self.last.get(run.folder, {}).update(values)
        self.tell(run, "numbers", values, step)

    @ganzoo.hookimpl
    def on_step(self, run: RunInfo, step: int, values: Mapping[str, float]) -> None:
        self.numbers(run, {name.replace(".", "/"): value for name, value in values.items()}, step)

    @ganzoo.hookimpl
    def on_evaluation(self, run: RunInfo, step: int, values: Mapping[str, float]) -> None:
        self.numbers(run, {f"evaluation/{name}": value for name, value in values.items()}, step)

    @ganzoo.hookimpl
    def on_health(self, run: RunInfo, step: int, values: Mapping[str, float], warnings: Sequence[str]) -> None:
        if values:
            self.numbers(run, values, step)
        for text in warnings:
            self.tell(run, "text", "warnings", text, step)

    @ganzoo.hookimpl
    def on_samples(self, run: RunInfo, step: int, picture: Any) -> None:
        self.tell(run, "picture", picture, step)

    @ganzoo.hookimpl
    def on_gradients(self, run: RunInfo, step: int, gradients: Mapping[str, Any]) -> None:
        if (run.options(self.name) or {}).get("histograms"):
            for name, values in gradients.items():
                self.tell(run, "histogram", f"{name}/gradients", values, step)

    @ganzoo.hookimpl
    def on_end(self, run: RunInfo, reason: str) -> None:
        self.tell(run, "close", reason, self.last.pop(run.folder, {}))
        self.open.pop(run.folder, None)


def needed(package: str) -> Any:
    """A package that an extra of the same name installs, imported now.

    Raises:
        UserError: it is not installed; says how to.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        hint = f"pip install 'ganzoo[{package}]', or leave it out with plugins.{package}=false"
        raise UserError(Problem(f"the package {package} is not installed", hint=hint)) from error


def binned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts, and the edges between them."""
    import numpy as np

    return np.histogram(values, bins=64)


def identity(run: RunInfo, name: str, make: Callable[[], str]) -> tuple[str, bool]:
    """By what a logger knows this run again when it is resumed, kept in the run folder; and whether it is new."""
    from ganzoo.store.files import write_atomic

    path = run.folder / f"{name}.id"
    if path.is_file():
        return path.read_text(encoding="utf-8").strip(), False
    made = make()
    write_atomic(path, f"{made}\n")
    return made, True
