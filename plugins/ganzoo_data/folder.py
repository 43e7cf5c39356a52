"""A folder of images of any kind as a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ganzoo.data.arrays import label_field
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.decode import Fit, Recipe
from ganzoo_data.findings import Finding, quick
from ganzoo_data.fitted import Fitted
from ganzoo_data.listing import Listing, labelled, list_images
from ganzoo_data.store import Failed, decoded, read_all
from ganzoo_data.survey import Survey, broken, damaged, survey
from ganzoo_data.words import printable


class ImageFolder(Fitted):
    """The images under a folder, field `real`, and with class folders (``root/cat/….png``) also `label`.

    Hidden files are left out, links are followed, deeper folders belong to the class above them. Every file is decoded
    once: upright as its camera says, transparent pixels on white, 16 bits as 8. Source: ganzoo's own.

    Args:
        root: The folder.
        split: ``train``, or ``test`` for what `holdout` sets aside.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all files have one size.
        channels: 1 grey, 3 colour, 4 with transparency; 1 or 3 as the files need if not given.
        classes: How many there are, or their names in order; 0 ignores the folders. Not needed where the files are.
        fit: What happens to other sizes: ``crop`` scales until they cover and crops around the centre, ``stretch``
            scales sides apart, ``pad`` scales until they lie inside and fills with white.
        holdout: The part of the files that is set aside for ``test``, chosen by a hash of each one's path.
        skip_broken: Leave out files that cannot be read, instead of naming them in an error.
        memory: How many bytes of decoded images may be in memory; more are kept in ``$GANZOO_CACHE`` or
            ``~/.cache/ganzoo``, and mapped.
        labels: A CSV table below the folder whose columns ``image``, the path below the folder, and ``label`` give the
            classes, instead of sub-folders; images that it does not name are left out.

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
        classes: int | tuple[str, ...] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        skip_broken: bool = False,
        memory: float = 1e9,
        labels: str | None = None,
    ):
        super().__init__(root, split, range, size, channels, classes, fit, holdout)
        if labels is not None and self.classes in (0, ()):
            raise ValueError(f"classes is {classes!r}, but labels names a table of them; leave one of the two out")
        if split == "test" and not holdout:
            raise ValueError("split is test, but nothing is set aside for it; write `holdout: 0.1`")
        self.skip_broken, self.memory, self.labels = skip_broken, memory, labels

    @property
    def offers(self) -> dict[str, str]:
        """How to have labels."""
        fix = "give the images of each class a sub-folder of their own, or name a table of them: data.labels=TABLE.csv"
        return {"label": f"{printable(self.root)} has no class folders: {fix}"} if self.root.is_dir() else {}

    @cached_property
    def listing(self) -> Listing:
        """All files, of both splits."""
        if self.labels is not None and self.root.is_dir():
            return labelled(self.root, self.labels, self.classes)
        return list_images(self.root, self.classes)

    @cached_property
    def survey(self) -> Survey:
        """The headers of all files. Raises UserError where some have none and are not to be skipped.

        It names those too that would be found damaged later.
        """
        found = survey(self.listing)
        if found.failed and not (self.skip_broken and found.headers):
            raise broken(self.listing, damaged(self.listing) or found.failed)
        return found

    @cached_property
    def recipe(self) -> Recipe:
        """Size and channels, as stated or as the files have them."""
        height, width = self.size or self.common_size(self.survey)
        return Recipe(height, width, self.channels or self.survey.channels, self.fit)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Where size, channels and classes are stated, the files need not be there."""
        if not self.root.is_dir():
            return self.stated_fields()
        mine = self.listing.split(self.holdout, self.split == "test")
        label = label_field(np.asarray(mine.labels, np.int64), mine.classes) if mine.classes else None
        height, width, channels = self.recipe.shape
        real = {"real": self.image(channels, height, width)}
        return real if label is None else real | {"label": label}

    @property
    def _mine(self) -> Listing:
        """The files of this split."""
        mine = self.listing.split(self.holdout, self.split == "test")
        if not mine.files:
            why = f"{len(self.listing.files)} images, holdout {self.holdout}"
            raise UserError(f"the {self.split} split of {printable(self.root)} is empty: {why}")
        return mine

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where a file cannot be read and is not to be skipped, or nothing is left."""
        mine = self._mine
        rows, failed = read_all(mine, self.recipe, self.memory)
        if failed and not (self.skip_broken and len(rows)):
            raise broken(mine, failed)
        left_out = [f.row for f in failed]
        return {"real": rows} | {name: np.delete(more, left_out, axis=0) for name, more in self.beside(mine).items()}

    def beside(self, mine: Listing) -> dict[str, np.ndarray]:
        """What there is of each file beside its image: a row for every file, those that cannot be read too."""
        return {"label": np.asarray(mine.labels, np.int64)} if mine.classes else {}

    def chunks(self, size: int = 128) -> Iterator[dict[str, np.ndarray]]:
        """Decodes file by file and keeps nothing. Raises UserError as :meth:`load` does, at the end."""
        if "arrays" in self.__dict__:
            yield from super().chunks(size)
            return
        mine = self._mine
        beside = self.beside(mine)
        failed: list[Failed] = []
        good: list[tuple[int, np.ndarray]] = []

        def chunk() -> dict[str, np.ndarray]:
            which = [number for number, _ in good]
            return {"real": np.stack([row for _, row in good])} | {name: more[which] for name, more in beside.items()}

        for number, row in enumerate(decoded(mine, self.recipe)):
            if isinstance(row, str):
                failed.append(Failed(number, row))
                continue
            good.append((number, row))
            if len(good) == size:
                yield chunk()
                good.clear()
        if good:
            yield chunk()
        if failed and not (self.skip_broken and len(failed) < len(mine.files)):
            raise broken(mine, failed)

    def held_out(self) -> ImageSet | None:
        """What `holdout` sets aside, or None where that is nothing."""
        if self.split == "test" or not self.holdout or not self.listing.split(self.holdout, test=True).files:
            return None
        return self.of_split("test")

    def doctor(self) -> list[Finding]:
        """Also warns of class folders that are splits, as in ``root/train/cat``."""
        from ganzoo_data.folder_doctor import levels

        return [*([] if self.labels else levels(self.listing)), *quick(self)]
