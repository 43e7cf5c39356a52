"""Checks of data and of the metrics that measure against it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ganzoo.contract import Measured
from ganzoo.registry import Entry
from ganzoo.testing.common import seeded
from ganzoo.testing.inputs import Example, Means, arrange, images, parameters_of


def data(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """What it gives is what its fields promise."""
    data = factory(**args)
    fields = dict(data.fields)
    stated = entry.facts.get("fields")
    promised = stated(dict(args)) if callable(stated) else stated
    if promised is not None:
        assert sorted(promised) == sorted(fields), f"{entry.id} registers fields {promised}, but has {sorted(fields)}"
    index = torch.tensor([0, len(data) - 1, 0])
    batch = data.batch(index, torch.device("cpu"))
    assert sorted(batch) == sorted(fields), f"{entry.id} gives {sorted(batch)}, but promises {sorted(fields)}"
    for name, field in fields.items():
        rows = batch[name]
        assert tuple(rows.shape) == (3, *field.shape), (
            f"{entry.id}: {name} is {tuple(rows.shape[1:])}, not {field.shape}"
        )
        assert torch.equal(rows[0], rows[2]), f"{entry.id}: one index gives two rows"
        if field.kind == "label":
            assert rows.dtype == torch.int64, f"{entry.id}: labels are int64"
            assert int(rows.min()) >= 0 and int(rows.max()) < len(field.classes), f"{entry.id}: a label has no class"
        else:
            assert rows.dtype == torch.float32, f"{entry.id}: {name} is {rows.dtype}, not float32"
        if field.range is not None:
            low, high = field.range
            assert low <= float(rows.min()) and float(rows.max()) <= high, f"{entry.id}: {name} leaves its range"
    assert data.fingerprint() == factory(**args).fingerprint(), f"{entry.id}: its fingerprint changes"


def _of_images(source: Any) -> bool:
    """Whether that is data, or a reference, with images."""
    return any(field.kind == "image" for field in getattr(source, "fields", {}).values())


def metric(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """It gives finite numbers by names, a protocol that can be stored, and says which direction is better."""
    metric = factory(**args)
    taken = parameters_of(metric)
    of_images = "extractor" in taken or any(_of_images(value) for value in args.values()) or "in_range" in args
    example = Example(1, (28, 28), batch=20) if of_images else Example(points=True)
    given = {**example.inputs(seeded()), "logit": torch.randn(8, generator=seeded()), "extractor": Means()}
    given["generator"] = images(example, seeded())
    if "label" in taken and taken["label"].annotation in (int, "int"):
        given["label"] = 1
    elif "label" in taken:
        given["logit"] = torch.randn(example.batch, example.classes, generator=seeded())
    found = metric(**arrange(metric, given))
    values, protocol, _ = found if isinstance(found, Measured) else Measured(found)
    numbers = values.values() if isinstance(values, Mapping) else [values]
    assert all(isinstance(v, float) and math.isfinite(v) for v in numbers), f"{entry.id} gives {values}"
    json.dumps(dict(protocol))
    better = getattr(metric, "better", "lower")
    said = {**better} if isinstance(better, Mapping) else {"": better}
    assert set(said.values()) <= {"lower", "higher"}, f"{entry.id}: better is {better}, not lower or higher"
    assert set(said) <= {"", *(values if isinstance(values, Mapping) else ())}, f"{entry.id} gives no {sorted(said)}"
