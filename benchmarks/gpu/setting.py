"""Where a section runs and how long it may, and the models that it runs."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganzoo import api
from ganzoo.model import dry
from ganzoo.model.blueprint import Blueprint
from ganzoo.train.machine import synchronize

Row = dict[str, Any]  # what it is about (`what`), numbers, and `error` or `left_out` with the reason
QUIET: dict[str, Any] = {"plugins.tensorboard": False, "train.log_every": 1_000_000, "train.precision": "fp32"}


class LeftOut(Exception):
    """Something that has no meaning here, with the reason."""


@dataclass
class Setting:
    """A device, a folder, an end.

    Args:
        device: Where everything runs.
        out: Where files go.
        seconds: How long the section may take.
        tiny: Whether networks, steps and rounds are as small as they can be.
    """

    device: torch.device
    out: Path
    seconds: float
    tiny: bool = False
    began: float = field(default_factory=time.monotonic)
    longest: float = 0.0  # item so far

    @property
    def left(self) -> float:
        """Seconds until the section must end."""
        return self.began + self.seconds - time.monotonic()

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def wait(self) -> None:
        synchronize(self.device)

    def clock(self) -> float:
        """The time when all that was started is done."""
        self.wait()
        return time.perf_counter()

    def attempt(self, what: str, measure: Callable[[], Row]) -> Row:
        """One row: what was measured, or why it was not; an item that would not fit in the time is left out."""
        if self.left < self.longest:
            return {"what": what, "left_out": f"{max(self.left, 0):.0f} s were left"}
        self.tidy()  # for the most memory that it takes to be its own
        began = time.monotonic()
        try:
            return {"what": what, **measure()}
        except LeftOut as reason:
            return {"what": what, "left_out": str(reason)}
        except Exception as error:
            return {"what": what, "error": explained(error)}
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    def tidy(self) -> None:
        """Give back the memory of what was measured before; a trainer goes in circles, which wait to be collected."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()


def explained(error: BaseException) -> str:
    """The first line of an error, of what caused it, and the line of the repository that it came from."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    frames = [f for f in traceback.extract_tb(root.__traceback__) if "site-packages" not in f.filename]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(root).__name__}: {(str(root).strip() or '?').splitlines()[0]}{place}"


def model(name: str, on: Setting, **overrides: Any) -> api.Model:
    """A model of the zoo in single precision, at the reduced widths of its header where everything is tiny.

    In the names of overrides two underscores stand for a dot.
    """
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    small = dict(api.Model(name, given).spec.about.small) if on.tiny else {}
    return api.Model(name, {**small, **QUIET, "train.device": str(on.device), **given})


def checked(name: str, on: Setting, **overrides: Any) -> Blueprint:
    """A model's blueprint; networks that are tiny are checked faster on the CPU than on the meta device."""
    found = model(name, on, **overrides)
    return dry.check(found.spec, device="cpu") if on.tiny else found.blueprint


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether matrix products and convolutions of single precision may be computed in TF32 inside the block."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = allowed
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before
