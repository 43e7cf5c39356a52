"""Every image of a listing decoded once, by several threads, into memory or into a file that is mapped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from ganzoo.data.arrays import cache_folder
from ganzoo.errors import UserError
from ganzoo_data.decode import Recipe, decode
from ganzoo_data.listing import Listing
from ganzoo_data.npy import NpyWriter
from ganzoo_data.places import whole

Out = TypeVar("Out")
VERSION = 1  # of what decode() makes; a new one makes the kept files useless
SLOW = 10.0  # seconds of decoding after which the result is kept even if it fits into memory


class Failed(NamedTuple):
    """A file that could not be read: its number in the listing, and why."""

    row: int
    reason: str


class Decoded(NamedTuple):
    """The rows that could be read, uint8 ``N H W C``, and those that could not."""

    rows: np.ndarray
    failed: list[Failed]


def read_all(listing: Listing, recipe: Recipe, memory: float) -> Decoded:
    """Decode every file, or open what was decoded before. Source: ganzoo's own.

    Args:
        listing: The files.
        recipe: What to make of each.
        memory: How many bytes may be held in memory; more are written to a file in :func:`cache_folder` and mapped.

    Raises:
        UserError: that file cannot be written.
    """
    mapped = len(listing.files) * int(np.prod(recipe.shape)) > memory
    path = cache_folder() / "images" / f"{listing.key(VERSION, *recipe)}.npy"
    kept = _kept(path, mapped)
    if kept is not None:
        return kept
    if mapped:
        try:
            _write(path, listing, recipe)
        except OSError as error:
            advice = "make room, set GANZOO_CACHE to another folder, or raise `memory:`"
            raise UserError(f"the decoded images cannot be written to {path.parent}: {error}; {advice}") from error
        kept = _kept(path, mapped)
        if kept is None:
            raise UserError(f"the decoded images were deleted from {path.parent} while they were written; start again")
        return kept
    begin = time.monotonic()
    rows = np.empty((len(listing.files), *recipe.shape), np.uint8)
    failed = _fill(listing, recipe, rows.__setitem__)
    rows = rows[: len(rows) - len(failed)]
    if time.monotonic() - begin > SLOW:
        with suppress(OSError):  # keeping it is only a courtesy
            _keep(path, rows, failed)
    return Decoded(rows, failed)


def _kept(path: Path, mapped: bool) -> Decoded | None:
    """What an earlier run kept; the list of failures is written last, so a file without it is not used."""
    try:
        failed = [Failed(*pair) for pair in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))]
        return Decoded(np.load(path, mmap_mode="r" if mapped else None), failed)
    except (OSError, ValueError):
        return None


def _keep(path: Path, rows: np.ndarray, failed: list[Failed]) -> None:
    with whole(path) as place, place.open("wb") as file:
        np.save(file, rows)
    _keep_failed(path, failed)


def _keep_failed(path: Path, failed: list[Failed]) -> None:
    with whole(path.with_suffix(".json")) as place:
        place.write_text(json.dumps(failed), encoding="utf-8")


def _write(path: Path, listing: Listing, recipe: Recipe) -> None:
    """Decode into a file, row after row; never more than a few rows are in memory."""
    with whole(path) as place:
        needed, free = len(listing.files) * int(np.prod(recipe.shape)), shutil.disk_usage(path.parent).free
        if needed > free:
            raise OSError(f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")
        with closing(NpyWriter(place, recipe.shape)) as file:
            failed = _fill(listing, recipe, lambda _, row: file.append(row[None]))
    _keep_failed(path, failed)


def _fill(listing: Listing, recipe: Recipe, put: Callable[[int, np.ndarray], Any]) -> list[Failed]:
    """Decode every file in order; `put` gets the rows that succeed, numbered without gaps."""
    failed: list[Failed] = []
    for number, row in enumerate(decoded(listing, recipe)):
        if isinstance(row, str):
            failed.append(Failed(number, row))
        else:
            put(number - len(failed), row)
    return failed


def decoded(listing: Listing, recipe: Recipe) -> Iterator[np.ndarray | str]:
    """Every file in order: uint8 ``H W C``, or why it cannot be read. Source: ganzoo's own."""
    Image.init()  # not in several threads at once

    def one(path: Path) -> np.ndarray | str:
        try:
            return decode(path, recipe)
        except Exception as error:  # Pillow's readers raise anything
            return reason(error)

    return in_order(one, [listing.root / file.path for file in listing.files], "reading images")


def reason(error: Exception) -> str:
    """What a reader's error says, in one line. Source: ganzoo's own."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__


def cores() -> int:
    """How many cores this process may use. Source: sched_getaffinity(2)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Path], Out], paths: Sequence[Path], what: str) -> Iterator[Out]:
    """`work` done on every path, by as many threads as there are cores. Source: concurrent.futures."""
    from rich.console import Console
    from rich.progress import track

    quiet = len(paths) < 2000 or not sys.stderr.isatty()
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        for path in track(paths, what, console=Console(stderr=True), transient=True, disable=quiet):
            waiting.append(pool.submit(work, path))
            if len(waiting) == 32 * cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
