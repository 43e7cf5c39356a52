"""Shards: tar files of samples, in the layout of the webdataset library, for sets larger than memory."""

from __future__ import annotations

import glob
import hashlib
import io
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo.data.arrays import label_field
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet
from ganzoo_data.decode import Recipe, decode
from ganzoo_data.findings import Finding, quick
from ganzoo_data.fitted import Fitted
from ganzoo_data.pack import INDEX, read_fields, read_index
from ganzoo_data.shard_index import Index, of_shards, vector
from ganzoo_data.shard_write import LAYOUT, pack
from ganzoo_data.store import reason
from ganzoo_data.stored import StoredRows
from ganzoo_data.words import printable, some

OTHER = {"memmap": "data.packed"}
LOOKED_AT = 200  # rows that the quick check decodes


class Shards(Fitted):
    """Shards as the webdataset library writes them (``key.png``, ``key.cls``, …), or ``ganzoo data pack``.

    Samples are read one by one through an index of where each lies, and decoded by threads, ahead of the step. So
    their order is that of any other data: the same for every number of processes, and exact on resume. Shards that
    ganzoo did not write are indexed once, which reads them whole, and the index is kept in ``$GANZOO_CACHE``. The
    webdataset library itself is not needed. Images are the field `real` and ``.cls`` is `label`; ``NAME.png`` is
    `NAME`, and ``.npy`` a vector. Source: the conventions of github.com/webdataset/webdataset.

    Args:
        root: A folder of tar files, or a pattern such as ``/data/train-*.tar``. They must not be compressed.
        split: ``train``, or ``test`` for what was packed as such, or what `holdout` sets aside.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all images have one size.
        channels: 1 grey, 3 colour, 4 with transparency; as packed, or 1 or 3 as the images need, if not given.
        classes: How many there are, or their names in order; 0 ignores labels. Not needed where the files are.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``, as in `data.image_folder`.
        holdout: The part of the samples that is set aside for ``test``, chosen by a hash of each one's key.

    Raises:
        ValueError: an argument is out of bounds.
    """

    of_one_split = (*Fitted.of_one_split, "index", "files", "rows")

    @cached_property
    def packed(self) -> dict[str, Any] | None:
        """What ``ganzoo data pack`` says of each split; None where somebody else wrote the shards."""
        if not (self.root / INDEX).is_file():
            return None
        splits = read_index(self.root, LAYOUT, OTHER)["splits"]
        if self.holdout and "test" in splits:
            raise UserError(f"{printable(self.root)} has a test split of its own; leave `holdout:` out")
        return splits

    @cached_property
    def files(self) -> list[Path]:
        """The tar files of this split. Raises UserError where there are none, or one has changed."""
        if self.packed is not None:
            return [self.root / name for name, _ in self.index.shards]
        found = sorted(self.root.glob("*.tar")) if self.root.is_dir() else list(map(Path, sorted(glob.glob(self._at))))
        if not found:
            raise UserError(f"there are no shards (*.tar) at {printable(self.root)}; give data.root=FOLDER")
        return found

    @property
    def _at(self) -> str:
        return str(self.root)

    @cached_property
    def index(self) -> Index:
        """Where each sample is; of this split, if the splits are in files of their own."""
        if self.packed is None:
            return of_shards(self.files)
        stored = self.split if self.split in self.packed else "train"
        try:
            found = Index.load(self.root / f"{stored}_index")
        except Exception as error:  # json, zipfile and numpy raise many kinds
            advice = "copy it again, or pack the images again"
            raise UserError(f"the index of {printable(self.root)} cannot be read: {reason(error)}; {advice}") from error
        for name, size in found.shards:
            path = self.root / name
            if Path(name).name != name:
                raise UserError(f"the index of {printable(self.root)} names a file that is not in it: {name}")
            if not path.is_file():
                raise UserError(f"{printable(path)} is not there; copy it again")
            if path.stat().st_size != size:
                is_ = path.stat().st_size
                raise UserError(f"{printable(path)} has changed since it was packed: {is_} bytes, not {size}")
        return found

    @cached_property
    def rows(self) -> np.ndarray:
        """The samples of this split, by their numbers in the index."""
        whole = np.arange(len(self.index))
        if self.packed is not None and not self.holdout:
            if self.split in self.packed:
                return whole
        elif self.split == "train" or self.holdout:
            held = self.index.columns["draw"] < self.holdout
            whole = whole[held == (self.split == "test")]
            if len(whole):
                return whole
        else:
            whole = whole[:0]
        why = f"{len(self.index)} samples, holdout {self.holdout}; write `holdout: 0.1`"
        raise UserError(f"the {self.split} split of {printable(self.root)} is empty: {why}")

    @cached_property
    def _stored(self) -> dict[str, Field]:
        """The fields as they were packed."""
        return read_fields(next(iter(self.packed.values())), self.root) if self.packed else {}

    def recipe(self, name: str) -> Recipe:
        """Size and channels of an image field, as stated or as the files have them."""
        survey, stored = self.index.survey(name), self._stored.get(name)
        height, width = self.size or self.common_size(survey)
        return Recipe(height, width, self.channels or (stored.shape[0] if stored else survey.channels), self.fit)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Where size, channels and classes are stated, the files need not be there."""
        if not self.root.is_dir() and not glob.glob(self._at):
            return self.stated_fields()
        found = {}
        for name, kind in self.index.kinds.items():
            if kind == "image":
                height, width, channels = self.recipe(name).shape
                found[name] = self.image(channels, height, width)
            elif kind == "label" and self.classes not in (0, ()):
                labels = self.index.columns[name]
                found[name] = label_field(labels[self.rows], self._names(name, int(labels.max(initial=0))))
            elif kind == "vector":
                plain = Field("vector", tuple(self.index.shapes[name]))
                found[name] = self._stored.get(name, plain)
        return found

    def _names(self, name: str, largest: int) -> tuple[str, ...]:
        """The classes of a label field, as stated, as packed, or by their numbers."""
        stored = self._stored.get(name)
        names = stored.classes if stored else tuple(map(str, range(largest + 1)))
        if isinstance(self.classes, int):
            names = tuple(map(str, range(self.classes))) if not stored else names
        elif self.classes is not None:
            names = self.classes
        wanted = self.classes if isinstance(self.classes, int) else len(names)
        if largest >= wanted or (stored and wanted != len(stored.classes)):
            has = f"has the classes {some(stored.classes)}" if stored else f"has labels up to {largest}"
            number = len(stored.classes) if stored else largest + 1
            raise UserError(f"{printable(self.root)} {has}, not {wanted} classes; write `classes: {number}`")
        return names

    def load(self) -> dict[str, np.ndarray]:
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            if field.kind == "label":
                found[name] = self.index.columns[name][self.rows]
            elif field.kind == "image":
                found[name] = self._open(name, partial(_image, recipe=self.recipe(name)), self.recipe(name).shape)
            else:
                found[name] = self._open(name, vector, field.shape, np.float32)
        Image.init()  # not in several threads at once
        return found

    def _open(self, name: str, *how: Any) -> StoredRows:
        return StoredRows(self.files, self.index.places(name, self.rows), *how)

    def fingerprint(self) -> str:
        """A hash of the checksums of every sample, and of what is made of them; it reads no sample."""
        made = [self.recipe(name) for name, field in self.fields.items() if field.kind == "image"]
        digest = hashlib.blake2b(repr(made).encode(), digest_size=16)
        for name, column in sorted(self.index.columns.items()):
            if name not in ("shard", "draw") and not name.endswith(".offset"):
                digest.update(np.ascontiguousarray(column[self.rows]).data)
        return digest.hexdigest()

    def held_out(self) -> ImageSet | None:
        """The test split, or None where there is none."""
        has = bool(self.holdout) or (self.packed is not None and "test" in self.packed)
        return self.of_split("test") if self.split == "train" and has else None

    def doctor(self) -> list[Finding]:
        """Also says which files of the shards are not read."""
        found = [Finding("info", f"not read: {n} .{e} files") for e, n in self.index.ignored.items()]
        return [*found, *quick(self, LOOKED_AT)]

    pack = staticmethod(pack)


def _image(raw: bytes, recipe: Recipe) -> np.ndarray:
    return decode(io.BytesIO(raw), recipe)
