"""The zoo's models made small: narrow, on made-up data of the right kind, a few steps."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganzoo import api
from ganzoo.config import compose
from ganzoo.errors import UserError
from ganzoo.model import dry
from ganzoo.model.blueprint import Blueprint, load_factories, make_data, reading
from ganzoo.registry import plugins
from ganzoo.train.loop import Trainer

MODELS = list(compose.models(plugins.installed()))
# These know what their data holds, which is made up anyway.
OF_THEIR_DATA = {"metric.modes", "metric.circle", "metric.mode_map", "metric.table_tstr", "metric.marginals"}
TINY: dict[str, Any] = {"train.log_every": 2, "train.sample_every": 1000, "show.n": 4, "plugins.tensorboard": False}


class Small(api.Model):
    """A model so narrow that its check is quicker on the CPU than on the meta device, by ten times."""

    @cached_property
    def blueprint(self) -> Blueprint:
        return dry.check(self.spec, device="cpu")


@cache
def full(name: str) -> api.Model:
    """A model at its own size; where it needs files, a root that does not exist."""
    return _of(name, {})


@cache
def fields(name: str) -> dict[str, Any]:
    """A model's data as `data.random` takes it; what makes the model small may change its size."""
    given = dict(full(name).spec.about.small)
    spec = (_of(name, given) if any(key.startswith("data.") for key in given) else full(name)).spec
    data = make_data(spec.data, load_factories(spec))
    with reading(spec.data):
        return {
            key: {"kind": f.kind, "shape": list(f.shape), "range": list(f.range) if f.range else None}
            | ({"classes": len(f.classes)} if f.classes else {})
            for key, f in (data.fields if data is not None else {}).items()
        }


def _of(name: str, overrides: dict[str, Any]) -> api.Model:
    try:
        return api.Model(name, overrides)
    except UserError as error:
        if [problem.path for problem in error.problems] != ["data.root"]:
            raise
        return api.Model(name, {**overrides, "data.root": "nowhere"})


def small(name: str, steps: int = 6, **more: Any) -> api.Model:
    """A model at the reduced widths that its header names, on `data.random` in the shape of its own data."""
    model = full(name)
    random = {"use": "data.random", "fields": fields(name), "count": 50, "seed": 0}
    overrides = {**dict(model.spec.about.small), **TINY, **lasting(model, steps), **more}
    if not OF_THEIR_DATA & {part.entry.id for part in model.spec.parts.values()}:
        overrides["data"] = random
    if "evaluate" in model.spec.config:
        overrides |= {"evaluate.every": 1000, "evaluate.n": 8}
    return Small(name, overrides)


def lasting(model: api.Model, steps: int) -> dict[str, Any]:
    """Overrides by which a model trains for so many steps, at least one in each of its phases."""
    if not model.spec.config.get("phases"):
        return {"train.steps": steps}
    each, more = divmod(steps, len(model.spec.phases))
    return {f"phases.{name}.steps": max(each + (i < more), 1) for i, name in enumerate(model.spec.phases)}


def written(folder: Path, text: str, **overrides: Any) -> api.Model:
    """A model from YAML text; overrides are written with two underscores for a dot."""
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return Small(path, {**TINY, **{key.replace("__", "."): value for key, value in overrides.items()}})


def trainer(model: api.Model) -> Trainer:
    """A trainer on the CPU, without a run folder."""
    return Trainer(model.blueprint, torch.device("cpu"))


def tensors(parts: dict[str, Any], *names: str) -> dict[str, torch.Tensor]:
    """Copies of the parameters and buffers of some parts, or of all."""
    return {
        f"{name}.{key}": value.clone()
        for name, part in parts.items()
        if isinstance(part, nn.Module) and (not names or name in names)
        for key, value in part.state_dict().items()
    }


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors are the same to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
