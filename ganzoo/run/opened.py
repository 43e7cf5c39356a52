"""A finished or running run, opened for use: its parts, samples, and any named value from given inputs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganzoo import config, distributed
from ganzoo.config.spec import Value
from ganzoo.errors import UserError, choices
from ganzoo.expression import Name
from ganzoo.fields import Field
from ganzoo.model import build
from ganzoo.model.build import Blueprint
from ganzoo.model.inference import Inference
from ganzoo.registry import Registry
from ganzoo.run import checkpoint
from ganzoo.run.warm import averaged


class Run:
    """A run folder or a checkpoint, opened. A checkpoint alone is enough, without the data.

    Args:
        path: The run folder or the checkpoint file.
        registry: Finds the components.
        which: Of a run folder, the ``last`` checkpoint or the ``best``.
        raw: Use the trained weights even where averages are kept.
        device: Where to compute.

    Raises:
        UserError: there is no such run, a plugin is missing, or the checkpoint is damaged.
    """

    def __init__(
        self, path: str | Path, registry: Registry, which: str = "last", raw: bool = False, device: str = "auto"
    ):
        self.path = Path(path)
        self.registry = registry
        self.checkpoint = checkpoint.load(checkpoint.locate(path, which))
        self.raw = raw
        self.device = distributed.start(device)
        header = self.checkpoint.header
        self.name: str = header["name"]
        self.config: dict[str, Any] = header["config"]
        self.fields = {name: Field.from_json(stored) for name, stored in self.config["locked"]["fields"].items()}
        self.spec = config.from_plain(self.name, self.config, str(self.checkpoint.path), registry)

    @property
    def step(self) -> int:
        """The steps trained."""
        return self.checkpoint.step

    @cached_property
    def blueprint(self) -> Blueprint:
        return build.draw_up(self.spec, self.fields)

    @cached_property
    def parts(self) -> dict[str, Any]:
        """The parts by name, plain ``nn.Module`` in evaluation mode, with averaged weights where those are kept."""
        state = self.checkpoint.state
        averages = {} if self.raw else averaged(state)
        parts = self.blueprint.build(self.device)
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                part.load_state_dict(averages.get(name, state["parts"][name]))
                part.eval().requires_grad_(False)
        return parts

    @cached_property
    def inference(self) -> Inference:
        return Inference(self.blueprint, self.parts, {}, self.step)

    def sample(self, n: int = 64, seed: int = 0, value: str | None = None, **given: Any) -> Any:
        """`n` samples of the value that the model's ``sample:`` names, ``n …`` on the CPU.

        Args:
            n: How many.
            seed: The same seed gives the same samples.
            value: Another named value instead.
            given: Inputs by name: tensors ``n …``, or for labels a number, a class name, or a list of those.

        Raises:
            UserError: an input is needed that is not given, or does not fit.
        """
        return self.compute(value or self.spec.sample, n=n, seed=seed, **given)

    def compute(self, value: str, n: int | None = None, seed: int = 0, **given: Any) -> Any:
        """Any named value from given inputs; `n` is the number of rows given, or else 1.

        Raises:
            UserError: there is no such value, or an input is missing or does not fit.
        """
        known = [*self.spec.flow, *self.fields]
        if value not in known:
            raise UserError(f"there is no value '{value}' ({choices(value, known)})")
        inputs = {name: self.input(name, item, n) for name, item in given.items()}
        rows = {len(tensor) for tensor in inputs.values()}
        if n is None:
            n = max(rows, default=1)
        for name, tensor in inputs.items():
            if len(tensor) != n:
                raise UserError(f"{name} has {len(tensor)} rows, but {n} are wanted")
        equation = self.spec.flow.get(value)
        if equation is None:
            equation = Value(value, value, Name(value), self.spec.origins.get("data.use"), value)  # type: ignore[arg-type]
        return self.inference.compute([equation], n, (seed, "sample"), inputs)[0]

    def input(self, name: str, item: Any, n: int | None) -> torch.Tensor:
        """One input as a tensor with its batch."""
        known = [*self.fields, *self.spec.flow]
        if name not in known:
            raise UserError(f"there is no input '{name}' ({choices(name, known)})")
        if isinstance(item, torch.Tensor):
            return item
        field = self.fields.get(name)
        if field is None or field.kind != "label":
            raise UserError(f"{name} should be a tensor")
        items = item if isinstance(item, list | tuple) else [item] * (n or 1)
        return torch.tensor([field.label(str(i)) for i in items])
