"""What the content networks share: colour images that leave a feature map."""

from __future__ import annotations

from torch import Tensor

from ganzoo_extractors.base import Extractor, Range


class ContentNetwork(Extractor):
    """An extractor whose features are maps, so that images have a smallest size. Source: ganzoo's own.

    Args:
        in_range: The values of black and white in the images.
        smallest: The smallest side that leaves a feature map.

    Raises:
        ValueError: `in_range` is not known.
    """

    def __init__(self, in_range: Range, smallest: int):
        super().__init__(in_range)
        self.smallest = smallest

    def unit(self, x: Tensor) -> Tensor:
        """Colour images in [0, 1].

        Raises:
            ValueError: they are no colour images, or too small.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < self.smallest:
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            raise ValueError(f"it takes colour images, 3 channels and {self.smallest} pixels or more, not {given}")
        return super().unit(x)
