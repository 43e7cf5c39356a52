"""Arrays that NumPy wrote to files, as data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np

from ganzoo.bounds import Fraction
from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_given.reading import fields_of


class ArrayFiles(Arrays):
    """The arrays of ``.npz`` or ``.npy`` files: images, labels, vectors, and series ``T C``. Source: ganzoo's own.

    What each array is follows from its axes: ``N C H W``, ``N H W C`` and ``N H W`` are images, ``N n`` vectors, whole
    numbers ``N`` labels. Images are uint8, or floats in [-1, 1] or [0, 1].

    Args:
        file: A ``.npz`` file with an array for each field, named after it, or a ``.npy`` file, the field `real`.
        label: A ``.npy`` file of the labels, where `file` has none: whole numbers from 0, or names.
        series: Arrays of three axes are series ``N T C``, not grey images.
        channels: Which axis of images holds the channels, ``first`` or ``last``; needed above 4.
        holdout: The part of the rows that is set aside for testing, drawn by their numbers.
        split: ``train`` or ``test``.

    Raises:
        UserError: a file is none of NumPy's, or holds what no model can be trained on.
    """

    def __init__(
        self,
        file: Path,
        label: Path | None = None,
        series: bool = False,
        channels: Literal["first", "last"] | None = None,
        holdout: Fraction = 0.0,
        split: Literal["train", "test"] = "train",
    ):
        self.file, self.label = Path(file).expanduser(), Path(label).expanduser() if label is not None else None
        self.series, self.channels, self.holdout, self.split = series, channels, holdout, split

    @cached_property
    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, Field]]:
        """Rows and fields of both splits."""
        columns = opened(self.file)
        if self.label is not None:
            columns["label"] = opened(self.label)["real"]
        try:
            return fields_of(columns, self.series, self.channels)
        except UserError as error:
            raise UserError(f"{self.file}: {error}") from None

    @property
    def fields(self) -> Mapping[str, Field]:
        return self._read[1]

    def load(self) -> dict[str, np.ndarray]:
        rows = self._read[0]
        if not self.holdout:
            return rows
        mine = self._held if self.split == "test" else ~self._held
        if not mine.any():
            raise UserError(f"the {self.split} split of {self.file} is empty: {len(mine)} rows, holdout {self.holdout}")
        return {name: values[mine] for name, values in rows.items()}

    @property
    def _held(self) -> np.ndarray:
        count = len(next(iter(self._read[0].values())))
        return np.random.default_rng(0).random(count) < self.holdout

    def held_out(self) -> Self | None:
        """What `holdout` sets aside, or None where that is nothing."""
        return None if self.split == "test" or not self.holdout or not self._held.any() else self.of_split("test")


def opened(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of NumPy's by their names; that of a ``.npy`` file is `real`.

    Raises:
        UserError: there is no such file, or it is another's.
    """
    try:
        with path.open("rb") as file:
            start = file.read(6)
        if start != b"\x93NUMPY" and not start.startswith(b"PK"):
            raise UserError(
                f"{path} is no file of NumPy's (.npy or .npz); write its arrays with numpy.save or numpy.savez"
            )
        found = np.load(path, allow_pickle=False)
        return {"real": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except UserError:
        raise
    except Exception as error:  # numpy raises many kinds for what is not its own
        raise UserError(f"{path} cannot be read as arrays of numbers (.npy or .npz): {error}") from None
