"""Folders of images with captions."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from ganzoo_data.base import Split
from ganzoo_data.decode import Fit
from ganzoo_data.folder import ImageFolder
from ganzoo_data.listing import Listing, list_images, placed
from ganzoo_data.places import whole
from ganzoo_data.words import printable, some
from torch.nn.functional import normalize

from ganzoo.data.arrays import cache_folder
from ganzoo.data.fields import Field
from ganzoo.errors import Problem, UserError
from ganzoo.registry import plugins
from ganzoo.run.captions import encoder as made


class Captions(ImageFolder):
    """A folder of images with captions: field `real`, and the captions' embeddings, `text`.

    ``bird.png`` has its captions in ``bird.txt``, one a line; or a table of the columns ``image`` (the path below the
    folder) and ``caption`` has them all, and images that it does not name are left out. Where an image has several
    captions, its text is the mean of their embeddings, scaled to unit length. Embeddings are computed once, by
    `encoder`, and kept in ``$GANZOO_CACHE`` or ``~/.cache/ganzoo``; captions that are typed when sampling go through
    the same encoder. Without one, ``bird.npy`` holds embeddings, one a row, whose mean is taken as it is.

    Source: ganzoo's own; arXiv:1612.03242, whose authors' code averages the embeddings of several captions.

    Args:
        root: The folder.
        split: ``train``, or ``test`` for what `holdout` sets aside.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all files have one size.
        channels: 1 grey, 3 colour, 4 with transparency; 1 or 3 as the files need if not given.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``.
        holdout: The part of the files that is set aside for ``test``, chosen by a hash of each one's path.
        skip_broken: Leave out files that cannot be read, instead of naming them in an error.
        memory: How many bytes of decoded images may be in memory.
        table: The table's path below the folder; without such a file, captions are in the ``.txt`` beside each image.
        encoder: The component that makes embeddings of captions; ``null`` where they are in files.
        width: How many numbers an embedding has.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        skip_broken: bool = False,
        memory: float = 1e9,
        table: str = "captions.csv",
        encoder: str | None = "encoder.minilm",
        width: int = 384,
    ):
        super().__init__(root, split, range, size, channels, 0, fit, holdout, skip_broken, memory)
        self.table, self.encoder, self.width = table, encoder, width

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {**super().fields, "text": Field("text", (self.width,), encoder=self.encoder)}

    @cached_property
    def listing(self) -> Listing:
        """All files that have captions, of both splits."""
        every = list_images(self.root, 0)
        if self.encoder is None:
            return every
        return every.only(i for i, file in enumerate(every.files) if file.path in self.captions)

    @cached_property
    def captions(self) -> dict[str, list[str]]:
        """The captions of every image, by its path below the folder.

        Raises:
            UserError: an image has none, or the table names an image that is not there, or lacks a column.
        """
        every = list_images(self.root, 0)
        table = self.root / self.table
        return self._of_table(table, every) if table.is_file() else self._beside([file.path for file in every.files])

    def _of_table(self, table: Path, every: Listing) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with _told(table), table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"image", "caption"} - set(rows.fieldnames or ())
            if missing:
                there = some(rows.fieldnames or ()) or "none"
                raise UserError(f"{printable(table)} has no column {' and '.join(sorted(missing))} (it has {there})")
            for row in rows:
                if (row["caption"] or "").strip():
                    found.setdefault((row["image"] or "").strip(), []).append(row["caption"].strip())
        found, absent = placed(found, every)
        if absent:
            short = [name if len(name) <= 200 else f"{name[:199]}…" for name in absent]
            raise UserError(f"{printable(table)} names {len(absent)} images that are not there: {some(short, 3)}")
        if not found:
            raise UserError(f"{printable(table)} holds no captions")
        return found

    def _beside(self, files: list[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in files:
            place = (self.root / path).with_suffix(".txt")
            with suppress(FileNotFoundError), _told(place):
                text = place.read_text(encoding="utf-8")
                found[path] = [line.strip() for line in text.splitlines() if line.strip()]
        silent = [path for path in files if not found.get(path)]
        if silent:
            hint = f"write each one's into a .txt beside it, or all into {self.table} (columns image, caption)"
            raise UserError(
                f"{len(silent)} images in {printable(self.root)} have no caption: {some(silent, 3)}; {hint}"
            )
        return found

    def beside(self, mine: Listing) -> dict[str, np.ndarray]:
        """The texts. Raises UserError where the encoder is not at hand."""
        paths = [file.path for file in mine.files]
        embedded = self.encoder is not None
        return {"text": self.embeddings([self.captions[p] for p in paths]) if embedded else self.stored(paths)}

    def embeddings(self, captions: list[list[str]]) -> np.ndarray:
        """The mean embedding of each image's captions, float32 ``N width``; from the cache if they are there."""
        entry = plugins.in_use().find(self.encoder or "", ("encoder",))
        by = (entry.id, entry.plugin.dist, entry.plugin.version)
        key = hashlib.blake2b(repr((by, captions)).encode("utf-8", "replace"), digest_size=16).hexdigest()
        path = cache_folder() / "texts" / f"{key}.npy"
        with suppress(OSError, ValueError):
            return np.load(path)
        embedded = made(entry)([caption for several in captions for caption in several])
        if embedded.shape[1] != self.width:
            raise UserError(f"{entry.id} gives {embedded.shape[1]} numbers; write `width: {embedded.shape[1]}`")
        means = [rows.mean(0) for rows in embedded.split([len(several) for several in captions])]
        found = normalize(torch.stack(means), dim=1).numpy()
        with suppress(OSError), whole(path) as place, place.open("wb") as file:  # keeping it is only a courtesy
            np.save(file, found)
        return found

    def stored(self, paths: list[str]) -> np.ndarray:
        """The mean of the embeddings beside each image, float32 ``N width``.

        Raises:
            UserError: an image has none, or they are of another width.
        """
        found = np.empty((len(paths), self.width), np.float32)
        for row, path in zip(found, paths, strict=True):
            file = (self.root / path).with_suffix(".npy")
            try:
                several = np.atleast_2d(np.load(file, allow_pickle=False))
            except Exception as error:  # numpy raises many kinds for headers that are not its own
                hint = "`encoder: encoder.minilm` with `width: 384` makes them of captions"
                message = f"{printable(file)}: the embeddings of {path} cannot be read: {error}"
                raise UserError(Problem(message, hint=hint)) from error
            if several.shape[1:] != row.shape or not len(several):
                raise UserError(f"{printable(file)} is {several.shape}, but should be captions x {self.width}")
            row[:] = several.mean(0)
        return found


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with a file of captions, in a message."""
    try:
        yield
    except UnicodeDecodeError:
        raise UserError(f"{printable(path)} is not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{printable(path)} is no table of comma-separated values: {error}") from None
