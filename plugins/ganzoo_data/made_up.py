"""Made-up data with the shape of any other: for tests, and for trying a model without its data."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganzoo.data.arrays import stated_label
from ganzoo.data.columns import Column
from ganzoo.data.fields import Field
from ganzoo.errors import choices
from ganzoo_data.base import ImageSet, Split

KEYS = {
    "image": ("shape", "range"),
    "label": ("classes", "frequencies"),
    "text": ("shape", "range", "encoder"),
    "vector": ("shape", "range", "blocks", "names", "frequencies", "columns"),
}
EVERY = ("kind", "shape", "range", "classes", "frequencies", "encoder", "blocks", "names", "columns")


class Random(ImageSet):
    """Noise in the shape of any data set; the same seed gives the same rows. Source: ganzoo's own.

    Images are uniform bytes, labels follow their frequencies, vectors and texts are uniform in their range, or without
    one normal; texts then have unit length.

    Args:
        fields: What to make: name -> ``{kind: image|label|text|vector, shape: [C, H, W], range: [low, high],
            classes: K or names, frequencies: [...], blocks: [...],
            names: [...]}``, where what is empty counts as not given; one
            image field `real` of 3x32x32 if there are none.
        count: Rows of each split.
        seed: Seed of the drawing; the splits differ, and so does every field.
        split: ``train`` or ``test``.
        range: Range of the images that do not state their own.

    Raises:
        ValueError: a field cannot be made; the message says which and why.
    """

    def __init__(
        self,
        fields: dict[str, dict[str, Any]] | None = None,
        count: int = 256,
        seed: int = 0,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
    ):
        super().__init__(split, range)
        if count < 1:
            raise ValueError(f"count is {count}, but should be at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, but should not be negative")
        specs = fields or {"real": {"kind": "image", "shape": [3, 32, 32]}}
        self.count, self.seed = count, seed
        self._fields = {name: _field(name, spec, self.range) for name, spec in specs.items()}

    @property
    def fields(self) -> Mapping[str, Field]:
        return self._fields

    def load(self) -> dict[str, np.ndarray]:
        return {name: self.draw(name, field) for name, field in self._fields.items()}

    def draw(self, name: str, field: Field) -> np.ndarray:
        """The rows of one field, which do not depend on the other fields."""
        random = np.random.default_rng([self.seed, self.split == "test", zlib.crc32(name.encode())])
        shape = (self.count, *field.shape)
        if field.kind == "image":
            channels, height, width = field.shape
            return random.integers(256, size=(self.count, height, width, channels), dtype=np.uint8)
        if field.kind == "label":
            weights = np.asarray(field.frequencies, float)
            return random.choice(len(field.classes), self.count, p=weights / weights.sum()).astype(np.int64)
        if field.range is not None:
            return random.uniform(*field.range, shape).astype(np.float32)
        rows = random.standard_normal(shape)
        if field.kind == "text":
            rows /= np.linalg.norm(rows.reshape(self.count, -1), axis=1).reshape(-1, *[1] * len(field.shape))
        return rows.astype(np.float32)


def _field(name: str, spec: Any, range: tuple[float, float]) -> Field:
    where = f"fields: {name}"
    kind = spec.get("kind", "image") if isinstance(spec, Mapping) else None
    if kind not in KEYS:
        raise ValueError(f"{where} should be {{kind: {'|'.join(KEYS)}, …}}, not {spec!r}")
    for key, value in spec.items():
        if key not in EVERY or (key not in ("kind", *KEYS[kind]) and value not in (None, [], ())):
            raise ValueError(f"{where}: a field of kind {kind} has no '{key}' ({choices(key, KEYS[kind])})")
    if kind == "label":
        return _label(where, spec)
    shape = spec.get("shape") or ([3, 32, 32] if kind == "image" else None)
    if not isinstance(shape, list | tuple) or not shape or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(f"{where}: shape is {shape!r}, but should be a list of sizes above 0")
    if kind == "image" and len(shape) != 3:
        raise ValueError(f"{where}: shape is {list(shape)}, but an image needs [C, H, W]")
    limits = spec.get("range") or (range if kind == "image" else None)
    if limits is not None and (not isinstance(limits, list | tuple) or len(limits) != 2 or not limits[0] < limits[1]):
        raise ValueError(f"{where}: range is {limits!r}, but should be [low, high]")
    bounds = None if limits is None else (float(limits[0]), float(limits[1]))
    blocks = tuple(spec.get("blocks") or ())
    if not all(isinstance(n, int) and n > 0 for n in blocks) or (blocks and sum(blocks) != math.prod(shape)):
        raise ValueError(f"{where}: blocks is {list(blocks)}, but should be sizes that add up to {math.prod(shape)}")
    names = tuple(map(str, spec.get("names") or ()))
    if names and (len(names) != math.prod(shape) or len(set(names)) != len(names)):
        raise ValueError(f"{where}: names is {list(names)}, but should be {math.prod(shape)} different ones")
    weights = tuple(map(float, spec.get("frequencies") or ()))
    if weights and (tuple(shape) != (len(weights),) or min(weights) < 0 or sum(weights) <= 0):
        raise ValueError(f"{where}: frequencies should be {math.prod(shape)} numbers, none below 0, not all 0")
    columns = tuple(map(Column.from_json, spec.get("columns") or ()))
    return Field(kind, tuple(shape), bounds, (), weights, spec.get("encoder"), blocks, names, columns)


def _label(where: str, spec: Mapping[str, Any]) -> Field:
    classes = spec.get("classes", 10)
    count = len(classes) if isinstance(classes, list | tuple) else classes
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"{where}: classes is {classes!r}, but should be a number above 0 or a list of names")
    label = stated_label(classes if isinstance(classes, int) else tuple(map(str, classes)))
    weights = tuple(map(float, spec.get("frequencies") or label.frequencies))
    if len(weights) != len(label.classes) or not weights or min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f"{where}: frequencies should be {len(label.classes)} numbers, none below 0, not all 0")
    return Field("label", (), None, label.classes, weights)
