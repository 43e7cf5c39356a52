"""Large images through a network piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from torch import Tensor

from ganzoo.contract import Pieces


def tiled(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    scale: int,
    tile: int,
    reach: int,
    range: tuple[float, float] = (-math.inf, math.inf),
    finish: Callable[[Tensor], Tensor] | None = None,
    near: int = 0,
) -> Pieces:
    """What `network` makes of images, ``B C H W -> B C' (H scale) (W scale)``, in tiles of at most `tile` a side.

    A pixel of the output is kept only where everything it depends on lies in its tile, or beyond the image's border,
    so the result is that of the whole image up to rounding. A tile is computed when the piece is asked for.
    Source: ganzoo's own.

    Args:
        network: Enlarges images by `scale`; with `finish` it keeps their size.
        x: The images.
        scale: The factor.
        tile: The largest side of what is computed at once, in pixels of the input; above ``2 reach``.
        reach: Distance, in pixels of the input, up to which an output depends on the input around its place.
        range: What the result is clamped to.
        finish: The last layers, which enlarge what `network` made; of a tile one ninth after the other, for theirs
            are the largest maps.
        near: Distance, in pixels of the input, up to which an output of `finish` depends on its input.
    """
    height, width = x.shape[2:]

    def made() -> Iterator[tuple[int, int, Tensor]]:
        if max(height, width) <= tile:
            yield 0, 0, (network(x) if finish is None else finish(network(x))).clamp(*range)
            return
        for rows, columns in _windows((0, height), (0, width), tile - 2 * reach, reach, (height, width)):
            piece = network(x[:, :, rows.start : rows.end, columns.start : columns.end])
            parts: Iterable[tuple[_Window, _Window, Tensor]] = [(rows, columns, piece)]
            if finish is not None:
                step = -(-max(rows.to - rows.at, columns.to - columns.at) // 3)
                inside = _windows(rows[:2], columns[:2], step, near, (height, width))
                parts = ((r, c, finish(_cut(piece, rows, columns, r[2:], c[2:], 1))) for r, c in inside)
            for r, c, whole in parts:
                yield r.at * scale, c.at * scale, _cut(whole, r, c, r[:2], c[:2], scale).clamp(*range)

    return Pieces(height * scale, width * scale, made())


class _Window(NamedTuple):
    """Of one side: what is kept, from `at` up to `to`, and what is read for it, from `start` up to `end`."""

    at: int
    to: int
    start: int
    end: int


def _windows(
    rows: tuple[int, int], columns: tuple[int, int], step: int, reach: int, size: tuple[int, int]
) -> Iterator[tuple[_Window, _Window]]:
    """Where an area is cut: pieces of `step` a side, each read with `reach` around it, as far as the image goes."""
    down, across = (
        [
            _Window(at, to := min(at + step, stop), max(at - reach, 0), min(to + reach, length))
            for at in range(start, stop, step)
        ]
        for (start, stop), length in zip((rows, columns), size, strict=True)
    )
    return product(down, across)


def _cut(
    piece: Tensor, rows: _Window, columns: _Window, high: tuple[int, int], wide: tuple[int, int], scale: int
) -> Tensor:
    """Of what was made from these windows, `scale` times as large, some rows and columns of the image."""
    top, bottom = ((at - rows.start) * scale for at in high)
    left, right = ((at - columns.start) * scale for at in wide)
    return piece[:, :, top:bottom, left:right]
