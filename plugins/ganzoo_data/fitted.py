"""Images from files of any size: what folders and shards have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ganzoo.data.arrays import stated_label
from ganzoo.data.fields import Field
from ganzoo.data.pixels import MODES
from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.decode import Fit
from ganzoo_data.listing import refuse_file
from ganzoo_data.survey import Survey
from ganzoo_data.words import printable, some


class Fitted(ImageSet):
    """Images that are brought to one size. Source: ganzoo's own.

    Args:
        root: Where they are.
        split: ``train``, or ``test`` for what `holdout` sets aside.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square.
        channels: 1 grey, 3 colour, 4 with transparency.
        classes: How many there are, or their names in order; 0 for none.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``.
        holdout: The part of the files that is set aside for ``test``.

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
    ):
        super().__init__(split, range)
        sides = (size, size) if isinstance(size, int) else size
        if sides is not None and (len(sides) != 2 or min(sides) < 1):
            raise ValueError(f"size is {size}, but should be [H, W] or one number, above 0")
        if channels is not None and channels not in MODES:
            raise ValueError(f"channels is {channels}, but should be 1 (grey), 3 (colour) or 4 (with transparency)")
        if isinstance(classes, int) and classes < 0:
            raise ValueError(f"classes is {classes}, but should be how many there are, their names, or 0 for none")
        if isinstance(classes, list | tuple) and len(set(classes)) != len(classes):
            twice = [name for name, times in Counter(classes).items() if times > 1]
            raise ValueError(f"classes names one twice: {some(twice)}")
        if fit not in ("crop", "stretch", "pad"):
            raise ValueError(f"fit is {fit!r}, but should be 'crop', 'stretch' or 'pad'")
        if not 0 <= holdout < 1:
            raise ValueError(f"holdout is {holdout}, but should be a part of 1, such as 0.1")
        self.root = Path(root).expanduser()
        self.size, self.channels, self.fit, self.holdout = sides, channels, fit, holdout
        self.classes = tuple(classes) if isinstance(classes, list) else classes

    def common_size(self, found: Survey) -> tuple[int, int]:
        """The height and width of all images.

        Raises:
            UserError: they have several.
        """
        sizes = found.sizes
        if len(sizes) > 1:
            listed = some([f"{h}x{w} ({n})" for (h, w), n in sizes.most_common()], 5)
            side = min(min(size) for size in sizes)
            raise UserError(
                f"the images in {printable(self.root)} have {len(sizes)} sizes, height x width: {listed}; "
                f"write `size: {side}` or `size: [H, W]` (`fit:` says how: crop, stretch or pad)"
            )
        return next(iter(sizes))

    def stated_fields(self) -> Mapping[str, Field]:
        """The fields where the files are not there, but size, channels and classes are stated.

        Raises:
            UserError: one of them is not.
        """
        refuse_file(self.root)
        missing = [n for n in ("size", "channels", "classes") if getattr(self, n) is None]
        if self.size is None or self.channels is None or self.classes is None:
            advice = f"give data.root=FOLDER, or state {', '.join(missing)} to check the model without it"
            raise UserError(f"there is no folder {printable(self.root)}; {advice}")
        real = {"real": self.image(self.channels, *self.size)}
        return real | {"label": stated_label(self.classes)} if self.classes else real
