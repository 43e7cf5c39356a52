"""Large images through a network piece by piece."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def tiled(network: Callable[[Tensor], Tensor], x: Tensor, scale: int, tile: int, reach: int) -> Tensor:
    """What `network` makes of images, ``B C H W -> B C' (H scale) (W scale)``, in tiles of at most `tile` a side.

    A pixel of the output is kept only where everything it depends on lies in its tile, or beyond the image's border,
    so the result is that of the whole image up to rounding. Source: ganzoo's own.

    Args:
        network: Enlarges images by `scale`.
        x: The images.
        scale: The factor.
        tile: The largest side of what is computed at once, in pixels of the input; above ``2 reach``.
        reach: Distance, in pixels of the input, up to which an output depends on the input around its place.
    """
    height, width = x.shape[2:]
    if max(height, width) <= tile:
        return network(x)
    rows = []
    for top, start, stop, end in _cuts(height, tile, reach):
        row = []
        for left, first, last, right in _cuts(width, tile, reach):
            piece = network(x[:, :, start:end, first:right])
            kept = (slice((top - start) * scale, (stop - start) * scale), slice((left - first) * scale, None))
            row.append(piece[:, :, kept[0], kept[1]][..., : (last - left) * scale].clone())
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def _cuts(length: int, tile: int, reach: int) -> list[tuple[int, int, int, int]]:
    """Where a side is cut: the first pixel kept, the first read, the end of those kept, the end of those read."""
    if length <= tile:
        return [(0, 0, length, length)]
    step = tile - 2 * reach
    ends = [(at, min(at + step, length)) for at in range(0, length, step)]
    return [(start, max(start - reach, 0), stop, min(stop + reach, length)) for start, stop in ends]
