"""From what a program holds to rows and fields: layouts, ranges and classes inferred, or asked for in one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from einops import rearrange
from PIL import Image

from ganzoo.data.arrays import label_field
from ganzoo.data.fields import Field
from ganzoo.data.pixels import GREY, flatten
from ganzoo.errors import UserError

_CHANNELS = (1, 2, 3, 4)
Rows = dict[str, np.ndarray]


def fields_of(data: Any, series: bool = False, channels: str | None = None) -> tuple[Rows, dict[str, Field]]:
    """Rows and fields of anything that :meth:`ganzoo_given.given.Given.hold` takes. Source: ganzoo's own.

    Args:
        data: What a program holds.
        series: Arrays of three axes are series ``N T C``, not grey images.
        channels: Which axis of images holds the channels, ``first`` or ``last``; the one of 1 to 4 if not given.

    Raises:
        UserError: it cannot be used; the message says why, and what would do.
    """
    columns, classes = _columns(data)
    if not columns:
        raise UserError("the data has no fields; give arrays, such as data={'real': images}")
    rows, fields = {}, {}
    for name, column in columns.items():
        if not name.isidentifier():
            raise UserError(f"'{name}' is no name for a field: letters, digits and _ make one")
        rows[name], fields[name] = _field(name, _array(name, column), classes.get(name), series, channels)
    lengths = {name: len(values) for name, values in rows.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"the fields have different lengths: {', '.join(f'{k} {n}' for k, n in lengths.items())}")
    if not next(iter(lengths.values())):
        raise UserError("the data is empty")
    return rows, fields


def _columns(data: Any) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """The columns by field name, and the names of classes where the data knows them."""
    if isinstance(data, Mapping):
        return dict(data), {}
    if isinstance(data, tuple) and len(data) == 2 and (_is_array(data[0]) or isinstance(data[0], list)):
        return {"real": data[0], "label": data[1]}, {}
    if _is_array(data) or (isinstance(data, list) and not (data and isinstance(data[0], tuple | Mapping))):
        return {"real": data}, {}
    if hasattr(data, "iloc"):
        raise UserError("a table of pandas has no rows to train on; give its numbers, data=table.to_numpy()")
    if hasattr(data, "column_names") and hasattr(data, "features"):
        return _of_table(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, str | bytes):
        return _of_items(data)
    known = (
        "an array or tensor, (images, labels), a mapping of arrays, a map-style data set, or a Hugging Face data set"
    )
    raise UserError(f"data of type {type(data).__name__} cannot be used; give {known}")


def _is_array(item: Any) -> bool:
    return hasattr(item, "shape") and hasattr(item, "dtype")


def _of_table(data: Any) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """A Hugging Face data set: the first column of images is `real`, the first of classes `label`."""
    columns: dict[str, Any] = {}
    classes: dict[str, Sequence[str]] = {}
    for name in data.column_names:
        values, feature = list(data[name]), data.features[name]
        if hasattr(feature, "names"):
            key = name if "label" in columns else "label"
            classes[key] = list(feature.names)
        else:
            is_image = bool(values) and np.ndim(np.asarray(values[0])) >= 2
            key = "real" if is_image and "real" not in columns else name
        columns[key] = values
    return columns, classes


def _of_items(data: Any) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """A map-style data set: items are an image, an image and a label, or a mapping."""
    items = [data[index] for index in range(len(data))]
    if not items:
        raise UserError("the data is empty")
    first = items[0]
    if isinstance(first, Mapping):
        return {key: [item[key] for item in items] for key in first}, {}
    if isinstance(first, tuple | list):
        if len(first) > 2:
            message = f"items of {len(first)} values have no names; let them be mappings, or give a mapping of arrays"
            raise UserError(message)
        names = ("real", "label")[: len(first)]
        classes: dict[str, Sequence[str]] = (
            {"label": list(data.classes)} if len(first) == 2 and hasattr(data, "classes") else {}
        )
        return {name: [item[place] for item in items] for place, name in enumerate(names)}, classes
    return {"real": items}, {}


def _array(name: str, column: Any) -> np.ndarray:
    """One column as an array; its items may be tensors, arrays, Pillow images, numbers or texts."""
    if hasattr(column, "detach"):
        column = column.detach().cpu().numpy()
    if not isinstance(column, np.ndarray):
        items: Iterable[Any] = [item.detach().cpu().numpy() if hasattr(item, "detach") else item for item in column]
        arrays = [np.asarray(item) for item in _upright(list(items))]
        shapes = list(dict.fromkeys(array.shape for array in arrays))
        if len(shapes) > 1:
            sizes = " and ".join("x".join(map(str, shape)) or "one number" for shape in shapes[:3])
            raise UserError(f"{name} has rows of different shapes, such as {sizes}; resize them to one")
        column = np.stack(arrays) if arrays else np.empty(0)
    if column.dtype == object and all(isinstance(item, str) for item in column.flat):  # as pandas has texts
        column = column.astype(str)
    if column.dtype == object:
        raise UserError(f"{name} is an array of Python objects; give numbers, all rows of one shape")
    if column.ndim == 0:
        raise UserError(f"{name} is a single number; give one row a sample")
    return column


def _upright(items: list[Any]) -> list[Any]:
    """Pillow images, whatever their modes, in 8 bits of the channels that all need; anything else as it is."""
    if not items or not all(isinstance(item, Image.Image) for item in items):
        return items
    modes = {item.mode for item in items}
    channels = 4 if modes == {"RGBA"} else 1 if modes <= GREY else 3
    return [flatten(item, channels) for item in items]


def _field(
    name: str, values: np.ndarray, classes: Sequence[str] | None, series: bool, channels: str | None
) -> tuple[np.ndarray, Field]:
    """Rows as models take them, and the spec of their field."""
    if values.dtype.kind in "US" or (classes is None and values.dtype == bool and values.ndim == 1):
        known, values = np.unique(values.astype(str), return_inverse=True)
        classes = known.tolist()
    if values.dtype.kind not in "biuf":
        raise UserError(f"{name} holds {values.dtype}, but should hold numbers")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
        raise UserError(f"{name} holds NaN or infinity in {len(rows)} rows, the first of them row {rows[0]}")
    if name == "label" and values.ndim == 2 and values.shape[1] == 1:  # as Keras has them
        values = values[:, 0]
    if values.ndim == 1 and (values.dtype.kind in "iu" or classes is not None):
        return _labels(name, values.astype(np.int64), classes)
    if name == "label":
        how = "of one-hot rows take label.argmax(1)" if values.ndim == 2 else "write label.astype(int)"
        shape = "x".join(map(str, values.shape))
        raise UserError(f"label holds {values.dtype} of shape {shape}, but labels are whole numbers from 0, N: {how}")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim == 2:
        return values.astype(np.float32), Field("vector", values.shape[1:])
    if values.ndim == 3 and series:
        return _series(values.astype(np.float32))
    if values.ndim in (3, 4):
        return _images(name, values, channels)
    raise UserError(f"{name} has the shape {'x'.join(map(str, values.shape))}; images are N C H W, vectors N n")


def _labels(name: str, values: np.ndarray, classes: Sequence[str] | None) -> tuple[np.ndarray, Field]:
    if len(values) and values.min() < 0:
        raise UserError(f"{name} holds the label {values.min()}; classes are numbered from 0")
    highest = int(values.max(initial=-1))
    if classes is not None and highest >= len(classes):
        raise UserError(f"{name} holds the label {highest}, but there are {len(classes)} classes")
    if classes is None and highest >= max(1000, len(values)):
        raise UserError(f"{name} holds whole numbers up to {highest}; labels are numbered from 0, vectors are floats")
    names = tuple(map(str, classes if classes is not None else range(highest + 1)))
    return values, label_field(values, names)


def _series(values: np.ndarray) -> tuple[np.ndarray, Field]:
    """Series ``N T C``; their range is [0, 1] or [-1, 1] if all values lie there, and none otherwise."""
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    bounds = None if low < -1 or high > 1 else (0.0, 1.0) if low >= 0 else (-1.0, 1.0)
    return values, Field("vector", values.shape[1:], bounds)


def _images(name: str, values: np.ndarray, axis: str | None) -> tuple[np.ndarray, Field]:
    """Images: uint8 stays as it is, channels last; floats are channels first, in [-1, 1] or [0, 1]."""
    if values.ndim == 3:
        values = values[..., None]
        last = True
    else:
        first, last = values.shape[1] in _CHANNELS, values.shape[3] in _CHANNELS
        if axis is not None:
            first, last = axis == "first", axis == "last"
        if first == last:
            shape = "x".join(map(str, values.shape))
            why = "could be N C H W or N H W C" if first else "has no axis of 1 to 4 channels"
            how = "write `channels: first` or `channels: last` of files, give a list of Pillow images, or N H W of grey"
            raise UserError(f"{name} has the shape {shape}, which {why}; {how}")
    if values.dtype == np.uint8:
        values = np.ascontiguousarray(values if last else rearrange(values, "n c h w -> n h w c"))
        height, width, channels = values.shape[1:]
        return values, Field("image", (channels, height, width), (-1.0, 1.0))
    if values.dtype.kind != "f":
        low, high = values.min(), values.max()
        raise UserError(f"{name} holds {values.dtype} images from {low} to {high}; give uint8 from 0 to 255, or floats")
    low, high = float(values.min()), float(values.max())
    if low < -1.001 or high > 1.001:
        advice = "divide by 255, or give uint8" if low >= 0 and high <= 255 else "scale them"
        raise UserError(f"{name} holds images from {low:g} to {high:g}, but they lie in [-1, 1] or [0, 1]: {advice}")
    values = np.ascontiguousarray(rearrange(values, "n h w c -> n c h w") if last else values, dtype=np.float32)
    return values, Field("image", values.shape[1:], (0.0, 1.0) if low >= 0 else (-1.0, 1.0))
