"""What a person looks at: grids of images with perhaps a score below each, scatters of points; or see `charts`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from PIL import Image, ImageDraw, ImageFont

from ganzoo.contract import first
from ganzoo.data.arrays import to_uint8
from ganzoo.data.fields import Field
from ganzoo.report.frames import CELLS
from ganzoo.run import charts

GAP = 2
LABEL = 14


def image_range(fields: Mapping[str, Field], name: str = "", shape: Sequence[int] = ()) -> tuple[float, float]:
    """The range of images: of the data field of that name, or shape ``C H W``, or as many channels, or of the first."""
    known = {key: (field.shape, field.range) for key, field in fields.items() if field.kind == "image" and field.range}
    like = [range for key, (_, range) in known.items() if key == name]
    like += [range for of, range in known.values() if of == tuple(shape)]
    like += [range for of, range in known.values() if of[:1] == tuple(shape[:1])]
    return next(iter([*like, *(range for _, range in known.values())]), (-1.0, 1.0))


def ranges(images: Mapping[str, torch.Tensor], fields: Mapping[str, Field]) -> dict[str, tuple[float, float]]:
    """The range of each of several images by name, ``n C H W``."""
    return {name: image_range(fields, name, t.shape[1:]) for name, t in images.items()}


def picture(
    columns: Mapping[str, Any],
    fields: Mapping[str, Field],
    scores: torch.Tensor | None = None,
    real: torch.Tensor | None = None,
    across: int | None = None,
) -> Image.Image | None:
    """One picture of the values shown: a grid for one image value, a column each for several, solids for voxels, a
    scatter for points, panels of lines for series, means and spreads for other rows of numbers.

    Args:
        columns: The values by name, ``n …`` each.
        fields: The data's fields; a value is in the range of the images that it is like.
        scores: A number for each sample, written below it.
        real: Points, series or rows of the data, drawn beside the generated ones.
        across: Images in a row of a grid of one value; near square if not given.

    Returns:
        The picture, or None if there is nothing that can be shown.
    """
    tensors = {name: first(value) for name, value in columns.items()}
    images = {name: t for name, t in tensors.items() if isinstance(t, torch.Tensor) and t.ndim == 4}
    if images:
        return grid(images, ranges(images, fields), scores, across)
    solids = {name: t for name, t in tensors.items() if isinstance(t, torch.Tensor) and t.ndim == 5}
    if solids:
        drawn = {name: charts.volumes(_filled(t, fields)) for name, t in solids.items()}
        return grid(drawn, dict.fromkeys(drawn, (0.0, 1.0)), scores, across)
    rows = {name: t for name, t in tensors.items() if isinstance(t, torch.Tensor) and t.ndim in (2, 3) and len(t)}
    for shape in dict.fromkeys(t.shape[1:] for t in rows.values()):
        alike = {name: t for name, t in rows.items() if t.shape[1:] == shape}
        beside = real if real is not None and real.shape[1:] == shape else None
        if len(shape) == 2:
            return charts.lines(alike, beside)
        if shape[0] > 1:
            return scatter(alike, beside) if shape[0] == 2 else charts.spreads(alike, beside)
    return None


def grid(
    images: Mapping[str, torch.Tensor],
    ranges: Mapping[str, tuple[float, float]],
    scores: Any = None,
    across: int | None = None,
) -> Image.Image:
    """Images side by side: a near-square grid of one value, or a row a sample with a column a value."""
    stacks = [_tiles(t, ranges[name]) for name, t in images.items()]
    height = max(stack.shape[1] for stack in stacks)
    width = max(stack.shape[2] for stack in stacks)
    scale = max(1, math.ceil((64 if scores is not None else 32) / width))
    if len(stacks) == 1:
        across = across or math.ceil(math.sqrt(len(stacks[0])))
        order = [(0, i) for i, _ in enumerate(stacks[0])]
    else:
        per_row = max(1, round(math.sqrt(len(stacks[0]) / len(stacks) / 1.5)))
        across = per_row * len(stacks)
        order = [(c, i) for i, _ in enumerate(stacks[0]) for c, _ in enumerate(stacks)]
    label = LABEL if scores is not None else 0
    down, high, wide = math.ceil(len(order) / across), height * scale + GAP + label, width * scale + GAP
    cells = np.full((down * across, high, wide, 3), 255, np.uint8)
    for cell, (column, index) in zip(cells, order, strict=False):
        tile = repeat(stacks[column][index], "h w c -> (h a) (w b) c", a=scale, b=scale)
        cell[: tile.shape[0], : tile.shape[1]] = tile
    pixels = rearrange(cells, "(down across) h w c -> (down h) (across w) c", across=across)
    canvas = Image.fromarray(np.pad(pixels, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255))
    where = {"across": across, "cell": [wide, high], "image": [width * scale, height * scale], "gap": GAP}
    canvas.info[CELLS] = json.dumps({"names": list(images), "count": len(stacks[0]), **where})
    if scores is not None:
        pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=11)
        for place, (column, index) in enumerate(order):
            if column == len(stacks) - 1:
                left, top = place % across * wide + GAP, place // across * high + GAP + height * scale
                pen.text((left, top), f"{float(scores[index]):.2f}", fill="black", font=font)
    return canvas


def _tiles(images: torch.Tensor, range: tuple[float, float]) -> np.ndarray:
    """Images of any channel count as RGB tiles: one channel grey, two padded, four on white, more cut."""
    pixels = to_uint8(images, range).numpy()
    channels = pixels.shape[-1]
    if channels == 1:
        return repeat(pixels, "n h w 1 -> n h w c", c=3)
    if channels == 2:
        return np.concatenate([pixels, np.zeros_like(pixels[..., :1])], -1)
    if channels == 4:  # as an image viewer shows the file that is written of one
        opaque = pixels[..., 3:].astype(np.uint16)
        return ((pixels[..., :3] * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)
    return pixels[..., :3]


def _filled(voxels: torch.Tensor, fields: Mapping[str, Field]) -> np.ndarray:
    """Where voxels, ``n c d h w``, are above the middle of the range of the field that is like them."""
    low, high = next((f.range for f in fields.values() if f.shape == voxels.shape[1:] and f.range), (0.0, 1.0))
    return (voxels > (low + high) / 2).any(1).numpy()


def scatter(points: Mapping[str, torch.Tensor], real: torch.Tensor | None) -> Image.Image:
    """Points of the data in grey, generated ones in colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=110, layout="tight")
    axes = figure.subplots()
    every = [t for t in [real, *points.values()] if t is not None]
    if real is not None:
        axes.scatter(real[:, 0], real[:, 1], s=5, c="0.65", label="real", linewidths=0)
    for name, tensor in points.items():
        axes.scatter(tensor[:, 0], tensor[:, 1], s=5, label=name, alpha=0.7, linewidths=0)
    reach = 1.15 * max(float(t.abs().nan_to_num(0.0).quantile(0.99)) for t in every)
    reach = min(reach, 2 * float(real.abs().max())) if real is not None else reach
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.legend(loc="upper right", fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def describe(points: torch.Tensor) -> dict[str, dict[str, float]]:
    """Count, mean, spread and quartiles of every coordinate, and of the radius: ``n d``."""
    table = {}
    names = ["x", "y", "z"][: points.shape[1]] if points.shape[1] <= 3 else [str(i) for i in range(points.shape[1])]
    for name, column in [*zip(names, points.T, strict=True), ("radius", points.norm(dim=1))]:
        low, middle, high = np.quantile(column.numpy(), [0.25, 0.5, 0.75])
        table[name] = {
            "count": float(len(column)),
            "mean": column.mean().item(),
            "std": column.std().item(),
            "min": column.min().item(),
            "25%": float(low),
            "50%": float(middle),
            "75%": float(high),
            "max": column.max().item(),
        }
    return table
