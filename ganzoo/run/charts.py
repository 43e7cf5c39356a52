"""Pictures of what is neither an image nor a point: series over time, and rows of many numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

LINES = 16


def lines(series: Mapping[str, torch.Tensor], real: torch.Tensor | None) -> Image.Image:
    """The first series of each value, ``n time channels``, a small panel each; real ones first, in grey."""
    from matplotlib.figure import Figure

    every = ({"real": real} if real is not None else {}) | dict(series)
    count = min(LINES, *(len(t) for t in every.values()))
    across = 4 if len(every) > 1 else 8
    down = -(-count // across)
    figure = Figure(figsize=(1.5 * across * len(every), 1.0 * down + 0.3), dpi=80)
    limit = 1.1 * max(float(t.abs().nan_to_num(0.0).quantile(0.99)) for t in every.values()) or 1.0
    panels = figure.subplots(down, across * len(every), squeeze=False)
    for block, (name, rows) in enumerate(every.items()):
        for place, panel in enumerate(panels[:, block * across : (block + 1) * across].flat):
            panel.set(xticks=[], yticks=[], ylim=(-limit, limit))
            if place < count:
                panel.plot(rows[place].float().numpy(), color="0.45" if name == "real" else None, linewidth=1)
        panels[0, block * across].set_title(name, fontsize=9, loc="left")
    return _drawn(figure)


def spreads(rows: Mapping[str, torch.Tensor], real: torch.Tensor | None) -> Image.Image:
    """The mean of every number of some rows, ``n d``, with its standard deviation; those of the data in grey."""
    from matplotlib.figure import Figure

    every = ({"real": real} if real is not None else {}) | dict(rows)
    width = next(iter(every.values())).shape[1]
    figure = Figure(figsize=(min(3 + 0.25 * width, 16), 3), dpi=90, layout="tight")
    axes = figure.subplots()
    for shift, (name, values) in enumerate(every.items()):
        mean, std = (f(values.float(), 0).numpy() for f in (torch.mean, torch.std))
        place = np.arange(len(mean)) + 0.25 * (shift - (len(every) - 1) / 2)
        axes.errorbar(place, mean, std, fmt="o", ms=3, lw=1, label=name, color="0.45" if name == "real" else None)
    axes.set_xlabel("number of the row")
    axes.legend(fontsize=8)
    return _drawn(figure)


def volumes(filled: np.ndarray, width: int = 96) -> torch.Tensor:
    """Solids seen from aside and above, as grey images on white: ``n d h w`` of truth values ``-> n 1 width width``.

    Every filled voxel is a square of the picture, nearer ones over those behind, as bright as the surface faces the
    light; a surface faces where the smoothed solid falls off.
    """
    from scipy.ndimage import gaussian_filter

    c, s, ct, st = (f(np.radians(angle)) for angle in (35, 25) for f in (np.cos, np.sin))
    view = np.array([[c, -s, 0], [s * ct, c * ct, st], [-s * st, -c * st, ct]])  # across, towards the onlooker, up
    view = view @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # of d h w: w across, d away, h down
    light = view.T @ np.array([-0.42, 0.7, 0.58])
    sides = np.array(filled.shape[1:])
    pixels = 0.95 * width / np.linalg.norm(sides)  # to a voxel, so that the whole box fits
    square = np.arange(int(np.ceil(1.5 * pixels)))
    made = np.ones((len(filled), width, width), np.float32)
    for image, solid in zip(made, filled, strict=True):
        places = np.argwhere(solid)
        smooth = gaussian_filter(np.pad(solid, 1).astype(np.float32), 1.0)
        slope = np.stack(np.gradient(smooth), -1)[1:-1, 1:-1, 1:-1][solid]
        facing = -(slope @ light) / np.maximum(np.linalg.norm(slope, axis=1), 1e-6)
        across, near, up = view @ (places - (sides - 1) / 2).T
        order = near.argsort()  # of several values for one pixel, the last is kept
        left, top = ((width - len(square)) / 2 + pixels * way[order] for way in (across, -up))
        columns, rows = (start.round().astype(int)[:, None] + square for start in (left, top))
        image[rows[:, :, None], columns[:, None, :]] = (0.45 + 0.4 * facing[order])[:, None, None]
    return torch.from_numpy(made)[:, None]


def _drawn(figure: Any) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
