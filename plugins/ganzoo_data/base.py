"""What the image sets share: a split, a range, the other split, and a quick look for accidents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field

if TYPE_CHECKING:
    from ganzoo_data.findings import Finding

Split = Literal["train", "test"]


class ImageSet(Arrays):
    """Images of one split as floats in a range. Source: ganzoo's own.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white, such as (-1, 1) or (0, 1).

    Raises:
        ValueError: `split` or `range` is none.
    """

    of_one_split = (*Arrays.of_one_split, "fields")

    def __init__(self, split: Split = "train", range: tuple[float, float] = (-1.0, 1.0)):
        if split not in ("train", "test"):
            raise ValueError(f"split is {split!r}, but should be 'train' or 'test'")
        if len(range) != 2 or not all(map(math.isfinite, range)) or not range[0] < range[1]:
            raise ValueError(f"range is {list(range)}, but should be [low, high], such as [-1, 1]")
        self.split = split
        self.range = (float(range[0]), float(range[1]))

    def image(self, channels: int, height: int, width: int) -> Field:
        """The spec of an image field in this set's range."""
        return Field("image", (channels, height, width), self.range)

    def held_out(self) -> ImageSet | None:
        """The test split with the same settings; None of the test split itself."""
        return self.of_split("test") if self.split == "train" else None

    def diagnose(self) -> list[Finding]:
        """All that the data doctor finds, worst first; reads every file's header and many images."""
        from ganzoo_data.doctor import diagnose

        return diagnose(self)

    def doctor(self) -> list[Finding]:
        """Warnings about the rows in memory that cost next to nothing: labels all equal, constant images, NaN."""
        from ganzoo_data.findings import quick

        return quick(self)
