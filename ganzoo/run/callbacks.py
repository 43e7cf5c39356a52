"""ganzoo's own run hooks: the log of numbers, the pictures, the console."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.evaluation.records import Record
from ganzoo.registry.hookspecs import hookimpl
from ganzoo.report.facts import STATUS, Facts
from ganzoo.run.events import RunInfo
from ganzoo.run.provenance import subject
from ganzoo.store.files import atomic
from ganzoo.store.folder import RunFolder


class Log:
    """Every number of a run, a JSON line each time: ``metrics.jsonl``."""

    def __init__(self, folder: RunFolder):
        self.folder = folder

    @hookimpl
    def on_step(self, step: int, values: Mapping[str, float]) -> None:
        self.folder.log({"step": step, **values})

    @hookimpl
    def on_health(self, step: int, values: Mapping[str, float], warnings: Sequence[str]) -> None:
        for record in (values, *({"warning": text} for text in warnings)):
            if record:
                self.folder.log({"step": step, **record})

    @hookimpl
    def on_evaluation(self, run: RunInfo, step: int, values: Mapping[str, float], records: Sequence[Record]) -> None:
        self.folder.log({"step": step, "evaluation": dict(values)})
        self.folder.log_records(records, subject(run.name, run.config, step))


class Pictures:
    """Sample pictures: ``samples/step_….png``."""

    def __init__(self, folder: RunFolder):
        self.folder = folder

    @hookimpl
    def on_samples(self, step: int, picture: Any) -> None:
        from PIL.PngImagePlugin import PngInfo

        told = PngInfo()
        for key, value in picture.info.items():
            told.add_text(key, value)
        with atomic(self.folder.samples / f"step_{step:08d}.png") as file:
            picture.save(file, format="PNG", pnginfo=told)


class Console:
    """A progress bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self.console = RichConsole(file=sys.stderr)
        self.bar: Any = None
        self.task: Any = None
        self.last = 0.0
        self.cell: Any = None  # in a notebook, one line that is written again and again

    @hookimpl
    def on_start(self, run: RunInfo, step: int) -> None:
        self.last = time.monotonic()
        if self.console.is_jupyter:
            from IPython.display import display  # type: ignore[import-not-found]

            self.cell = display({"text/plain": f"step {step}"}, raw=True, display_id=True)
            return
        if not self.console.is_terminal:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self.bar = Progress(*columns, console=self.console)
        self.task = self.bar.add_task("", total=run.steps, completed=step)
        self.bar.start()

    @hookimpl
    def on_step(self, run: RunInfo, step: int, values: Mapping[str, float]) -> None:
        terms = [name for name in values if name.count(".") == 1 and not name.endswith((".lr", ".gradient"))]
        terms += [name for name in run.config.get("log") or {} if name in values]
        shown = [f"{name} {values[name]:.3g}" for name in terms]
        text = "  ".join(shown)
        if self.bar is not None:
            self.bar.update(self.task, completed=step, total=run.steps, description=text)
        elif time.monotonic() - self.last > (1 if self.cell is not None else 5) or step == run.steps:
            self.last = time.monotonic()
            line = f"step {step}" + (f"/{run.steps}" if run.steps else "") + f"  {text}"
            if self.cell is not None:
                self.cell.update({"text/plain": line}, raw=True)
            else:
                self.say(line)

    @hookimpl
    def on_health(self, step: int, warnings: Sequence[str]) -> None:
        for text in warnings:
            self.say(f"step {step}  warning: {text}")

    @hookimpl
    def on_evaluation(self, step: int, values: Mapping[str, float], records: Sequence[Record]) -> None:
        self.say(f"step {step}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items()))
        for record in records:
            if record.verdict:
                self.say(f"step {step}  {record.metric}: {record.verdict}")

    @hookimpl
    def on_end(self) -> None:
        if self.bar is not None:
            self.bar.stop()

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)


class Report:
    """The page that shows the run: ``report.html``, written once a minute with a checkpoint, and at the end, when
    ``status.json`` says why it ended."""

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self.last = time.monotonic()

    @hookimpl
    def on_start(self) -> None:
        (self.folder.path / STATUS).unlink(missing_ok=True)

    @hookimpl
    def on_checkpoint(self, run: RunInfo, step: int, path: Path) -> None:
        if time.monotonic() - self.last > 60:
            self.write(run, f"running; step {step}")
            self.last = time.monotonic()

    @hookimpl
    def on_end(self, run: RunInfo, step: int, reason: str) -> None:
        self.write(run, f"{reason}; step {step}")
        self.folder.write_json(STATUS, {"reason": reason, "step": step})  # last, as it says that nothing is left to do

    def write(self, run: RunInfo, status: str) -> None:
        from ganzoo.report.one import write

        write(Facts(self.folder, run.name, run.config, status, run.steps))
