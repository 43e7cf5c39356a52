"""TensorBoard: every number and picture of a run, in ``RUN/tensorboard``. ``plugins.tensorboard=false`` leaves it out.

Registers no component: it only follows runs.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ganzoo

_writers: dict[Path, Any] = {}


def _hand_on(failed: threading.ExceptHookArgs) -> None:
    """No traceback of the thread that writes: whoever logs next is given its error, such as of a full disk."""
    if type(failed.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(failed)


@ganzoo.hookimpl
def on_start(run, step):
    if run.options("tensorboard") is None:
        return
    from torch.utils.tensorboard import SummaryWriter

    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _hand_on
    _writers[run.folder] = SummaryWriter(str(run.folder / "tensorboard"), purge_step=step + 1 if step else None)


@ganzoo.hookimpl
def on_step(run, step, values):
    for name, value in values.items():
        if run.folder in _writers:
            _writers[run.folder].add_scalar(name.replace(".", "/"), value, step)


@ganzoo.hookimpl
def on_evaluation(run, step, values):
    for name, value in values.items():
        if run.folder in _writers:
            _writers[run.folder].add_scalar(f"evaluation/{name}", value, step)


@ganzoo.hookimpl
def on_samples(run, step, picture):
    if run.folder in _writers:
        import numpy

        _writers[run.folder].add_image("samples", numpy.asarray(picture), step, dataformats="HWC")


@ganzoo.hookimpl
def on_health(run, step, values, warnings):
    if run.folder in _writers:
        for name, value in values.items():
            _writers[run.folder].add_scalar(name, value, step)
        for text in warnings:
            _writers[run.folder].add_text("warnings", text, step)


@ganzoo.hookimpl
def on_end(run):
    writer = _writers.pop(run.folder, None)
    if writer is not None:
        writer.close()
