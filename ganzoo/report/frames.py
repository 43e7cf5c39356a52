"""Sample pictures in a page: through training one after the other, small ones, and before and after."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, features

from ganzoo.report.page import text
from ganzoo.store.folder import RunFolder

CELLS = "cells"  # in the text of a PNG: which values it shows, and where each of their images is
MOST = 24  # pictures of one run
ROOM = 1_500_000  # bytes for them; a third more in base64
LONGEST = 1100  # pixels
PAIRS = 8
LARGEST = 256  # pixels of one image of a pair
THUMBNAIL = 144  # pixels


def pictures(folder: RunFolder) -> list[Path]:
    """All sample pictures, from the first to the newest."""
    return sorted(folder.samples.glob("step_*.png"))


def step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step_"))


@lru_cache(maxsize=256)
def _encoded(path: Path, changed: int, longest: int) -> tuple[str, bytes]:
    """A picture for a page: as it is if that is small, else as WebP, no longer than `longest`."""
    whole = path.read_bytes()
    with Image.open(io.BytesIO(whole)) as opened:
        image = opened.convert("RGB")
    if max(image.size) > longest:
        image.thumbnail((longest, longest))
    elif len(whole) <= 30_000:
        return "png", whole
    return _compressed(image)


def _compressed(image: Image.Image) -> tuple[str, bytes]:
    """As WebP, or as PNG where it is tiny."""
    buffer = io.BytesIO()
    kind = "png" if max(image.size) <= 64 or not features.check("webp") else "webp"
    image.save(buffer, kind.upper(), quality=82)
    return kind, buffer.getvalue()


def encoded(path: Path, longest: int = LONGEST) -> tuple[str, bytes] | None:
    """A picture for a page; None if it cannot be read."""
    with suppress(OSError, ValueError, SyntaxError):
        return _encoded(path, path.stat().st_mtime_ns, longest)
    return None


def img(kind: str, data: bytes, alt: str, classes: str = "") -> str:
    """A picture that lies in the page."""
    inside = base64.b64encode(data).decode()
    more = f" class='{classes}'" if classes else ""
    return f"<img{more} src='data:image/{kind};base64,{inside}' alt='{text(alt)}'>"


def chosen(paths: Sequence[Path], room: int = ROOM) -> list[tuple[int, str, bytes]]:
    """As many pictures as there is room for, evenly through training, the newest for sure: step, kind, bytes."""
    readable = {path: found for path in _even(paths, MOST) if (found := encoded(path)) is not None}
    kept, count = list(readable), len(readable)
    while count > 1 and sum(len(readable[path][1]) for path in kept) > room:
        count -= 1
        kept = _even(list(readable), count)
    return [(step_of(path), *readable[path]) for path in kept]


def _even(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of them, the last and evenly many before it."""
    count = min(count, len(paths))
    places = [len(paths) - 1 - round(i * (len(paths) - 1) / max(count - 1, 1)) for i in range(count)]
    return [paths[place] for place in sorted(set(places))]


def slider(folder: RunFolder, room: int = ROOM) -> str:
    """The samples of a run through time, with a slider and a button that plays them; without scripts, a strip with the
    newest first.
    """
    found = chosen(pictures(folder), room)
    if not found:
        return ""
    figures = [
        f"<figure data-step={step}>{img(kind, data, f'samples at step {step}', _small(data))}"
        f"<figcaption>step {step:,}</figcaption></figure>"
        for step, kind, data in reversed(found)
    ]
    player = (
        "<div class=player><button type=button>play</button>"
        f"<input type=range min=0 max={len(found) - 1} value={len(found) - 1} aria-label='time'></div>"
    )
    return f"<div class=frames>{''.join(figures)}{player if len(found) > 1 else ''}</div>"


def _small(data: bytes) -> str:
    """Small pictures are shown larger, with visible pixels."""
    with Image.open(io.BytesIO(data)) as image:
        return "small-image" if max(image.size) < 256 else ""


def thumbnail(folder: RunFolder) -> str:
    """The newest samples, small."""
    for path in reversed(pictures(folder)):
        if (found := encoded(path, THUMBNAIL)) is not None:
            return img(*found, f"samples of {folder.path.name}")
    return ""


def pairs(folder: RunFolder, config: Mapping[str, Any]) -> str:
    """What a translator is given and what it makes of it, from the newest picture, with a slider between them."""
    paths = pictures(folder)
    if not paths:
        return ""
    with suppress(OSError, ValueError, KeyError, SyntaxError), Image.open(paths[-1]) as opened:
        cells = json.loads(opened.info[CELLS])
        image = opened.convert("RGB")
        blocks = translated(cells["names"], config)
        each = max(PAIRS // max(len(blocks), 1), 2)
        return "".join(_block(image, cells, names, each, step_of(paths[-1])) for names in blocks)
    return ""


def _block(image: Image.Image, cells: Mapping[str, Any], names: tuple[str, str], count: int, step: int) -> str:
    """Some samples, each before and after."""
    rows = []
    for place in range(min(count, cells["count"])):
        cuts = [_cell(image, cells, place, cells["names"].index(name)) for name in names]
        both = "".join(img(*_compressed(cut), name) for cut, name in zip(cuts, names, strict=True))
        slide = f"<input type=range min=0 max=100 value=50 aria-label='{text(' to '.join(names))}'>"
        rows.append(f"<div class=pair>{both}{slide}</div>")
    label = f"<p class=soft>left {text(names[0])}, right {text(names[1])}; step {step:,}</p>"
    return f"{label}<div class=pairs>{''.join(rows)}</div>"


def translated(names: Sequence[str], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which of the values shown are images of the data, each with the first that is made from it."""
    fields = (config.get("locked") or {}).get("fields") or {}
    flow = {name: str(equation) for name, equation in (config.get("flow") or {}).items()}

    def needs(value: str, wanted: str, seen: frozenset[str] = frozenset()) -> bool:
        found = set(re.findall(r"[A-Za-z_]\w*", flow.get(value, ""))) - seen
        return wanted in found or any(needs(name, wanted, seen | found) for name in found if name in flow)

    given = [name for name in names if (fields.get(name) or {}).get("kind") == "image"]
    made = [name for name in names if name not in given]
    found = [(name, next((value for value in made if needs(value, name)), None)) for name in given]
    return [(name, after) for name, after in found if after is not None]


def _cell(image: Image.Image, cells: Mapping[str, Any], place: int, column: int) -> Image.Image:
    """One image of a picture: of the sample at a place, in a column of values."""
    index = place * len(cells["names"]) + column
    wide, high = cells["cell"]
    left, top = index % cells["across"] * wide + cells["gap"], index // cells["across"] * high + cells["gap"]
    width, height = cells["image"]
    found = image.crop((left, top, left + width, top + height))
    found.thumbnail((LARGEST, LARGEST))
    return found
