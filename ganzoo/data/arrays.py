"""Data held in memory, or mapped from a file, and batched by indexing: what most data components build on."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from einops import rearrange

from ganzoo.data.fields import Field

DEVICE_BUDGET = 2 << 30  # arrays up to this many bytes are kept on the accelerator


def cache_folder() -> Path:
    """Where what was computed from data is kept: ``$GANZOO_CACHE``, or ``~/.cache/ganzoo``."""
    given = os.environ.get("GANZOO_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "ganzoo"


class Arrays(ABC):
    """A data set of arrays with one row a sample. Images are uint8 ``N H W C`` and become float on the device.

    A subclass gives `fields`, the specs of its fields, and :meth:`load`, which opens the files when first needed.
    An array may also be an object with its `shape`, `dtype`, length and ``[…]`` that reads rows when they are asked
    for, and with ``ahead(index)``, which is told, as int64 numbers, which ones that will be.
    """

    of_one_split: ClassVar[tuple[str, ...]] = ("arrays", "_resident")  # what belongs to no other split

    @property
    def offers(self) -> Mapping[str, str]:
        """For fields that it has not, but could have: what the user would have to do, as the hint of a message."""
        return {}

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Field]:
        """The spec of every field, without reading more than that takes."""

    @abstractmethod
    def load(self) -> dict[str, np.ndarray]:
        """The rows of every field: uint8 ``N H W C`` for images, int64 ``N`` for labels, float32 otherwise."""

    def held_out(self) -> Arrays | None:
        """The part of the data that is not trained on, or None. Sample pictures take their inputs from it."""
        return None

    def of_split(self, split: str) -> Self:
        """The same data with another `split`; what both have in common is not read again."""
        other = object.__new__(type(self))
        common = {name: value for name, value in vars(self).items() if name not in self.of_one_split}
        vars(other).update(common, split=split)
        return other

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        return self.load()

    @cached_property
    def _resident(self) -> dict[tuple[str, torch.device], torch.Tensor]:
        return {}

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def batch(self, index: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        """The rows with these numbers, as float images in their range, integer labels and float vectors."""
        return {name: self._rows(name, rows, index, device) for name, rows in self.arrays.items()}

    @cached_property
    def reads_ahead(self) -> bool:
        """Whether it helps to be told which rows come next."""
        return any(hasattr(rows, "ahead") for rows in self.arrays.values())

    def ahead(self, index: torch.Tensor) -> None:
        """These rows will be asked for next: what has to be read or decoded for them begins now, in other threads."""
        for rows in self.arrays.values():
            if hasattr(rows, "ahead"):
                rows.ahead(index.numpy())

    def chunks(self, size: int = 128) -> Iterator[dict[str, np.ndarray]]:
        """All rows in their order, `size` at a time: what packing reads."""
        for start in range(0, len(self), size):
            yield {name: np.asarray(rows[start : start + size]) for name, rows in self.arrays.items()}

    def _rows(self, name: str, rows: np.ndarray, index: torch.Tensor, device: torch.device) -> torch.Tensor:
        if isinstance(rows, np.memmap):  # a sorted read is sequential on the disk
            order = index.argsort()
            taken = torch.from_numpy(rows[index[order].numpy()])[order.argsort()].to(device, non_blocking=True)
        elif not isinstance(rows, np.ndarray):
            taken = torch.from_numpy(rows[index.numpy()]).to(device, non_blocking=True)
        else:
            home = device if rows.nbytes <= DEVICE_BUDGET else torch.device("cpu")
            if (name, home) not in self._resident:
                self._resident[name, home] = torch.from_numpy(rows).to(home)
            taken = self._resident[name, home][index.to(home, non_blocking=True)].to(device, non_blocking=True)
        return to_field(taken, self.fields[name])

    def fingerprint(self) -> str:
        """A hash of the data: all of it up to 256 MB, evenly spaced rows beyond."""
        digest = hashlib.blake2b(digest_size=16)
        for name, rows in sorted(self.arrays.items()):
            digest.update(f"{name} {rows.shape} {rows.dtype}".encode())
            step = max(1, rows.nbytes // 2**28)
            for start in range(0, len(rows), 4096 * step):  # never more than some rows in memory
                digest.update(np.ascontiguousarray(rows[start : start + 4096 * step : step]).data)
        return digest.hexdigest()


def to_field(rows: torch.Tensor, field: Field) -> torch.Tensor:
    """Stored rows as the field promises: uint8 ``N H W C`` images become float ``N C H W`` in its range."""
    if field.kind != "image" or rows.dtype != torch.uint8:
        return rows
    low, high = field.range or (-1.0, 1.0)
    images = rearrange(rows, "n h w c -> n c h w").contiguous()
    images = images.flatten().view(images.shape)  # strides that say channels first, for one channel too
    return images.float().mul_((high - low) / 255.0).add_(low)


def to_uint8(images: torch.Tensor, range: tuple[float, float] | None) -> torch.Tensor:
    """Float images ``N C H W`` of a range as uint8 ``N H W C``, rounded, for pictures and metrics."""
    low, high = range or (-1.0, 1.0)
    scaled = (images.float() - low) * (255.0 / (high - low))
    return rearrange(scaled.round().clamp_(0, 255).to(torch.uint8), "n c h w -> n h w c")


def label_field(labels: np.ndarray, classes: tuple[str, ...]) -> Field:
    """The spec of a label field, with the frequency of each class."""
    counts = np.bincount(labels, minlength=len(classes)).astype(float)
    return Field("label", (), None, classes, tuple((counts / max(counts.sum(), 1)).round(6).tolist()))


def stated_label(classes: Any) -> Field:
    """A label field of which only the number or the names of the classes are known."""
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
    return Field("label", (), None, names, (1.0 / max(len(names), 1),) * len(names))
