"""What extractors share: what they return, the range of images, and grey images only where that is written."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from einops import repeat
from torch import Tensor, nn

Grey = Literal["refuse", "repeat"]
Range = tuple[float, float] | None


class Features(NamedTuple):
    """What an extractor returns: `features` ``B n``."""

    features: Tensor


class Extracted(NamedTuple):
    """What an extractor returns that was a classifier: `features` ``B n``, and the class logits ``B K``."""

    features: Tensor
    logits: Tensor


class Extractor(nn.Module):
    """A network of fixed weights, always in evaluation mode. Source: ganzoo's own.

    `sha256` is the hash of its weights' file, and `protocol` says in words what it does to images before it looks.

    Args:
        in_range: The values of black and white in the images.

    Raises:
        ValueError: `in_range` is not known.
    """

    sha256 = ""

    def __init__(self, in_range: Range):
        super().__init__()
        if in_range is None:
            raise ValueError("in_range is not known; write the values of black and white, such as [-1, 1]")
        self.low, self.high = in_range
        self.protocol: dict[str, str] = {}

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever is asked."""
        return super().train(False)

    def unit(self, x: Tensor) -> Tensor:
        """Images in [0, 1]."""
        return (x - self.low) / (self.high - self.low)


class ColourExtractor(Extractor):
    """One of colour images of any size. Source: ganzoo's own.

    Args:
        in_range: The values of black and white in the images.
        grey: What becomes of grey images: refused, or their channel repeated three times, which every record says.
    """

    def __init__(self, in_range: Range, grey: Grey):
        super().__init__(in_range)
        self.grey = grey
        if grey == "repeat":
            self.protocol["grey"] = "repeated to three channels"

    def colour(self, x: Tensor) -> Tensor:
        """Images in [0, 1], ``B 3 H W``.

        Raises:
            ValueError: they are no such images.
        """
        if x.ndim == 4 and x.shape[1] == 1 and self.grey == "repeat":
            x = repeat(x, "b 1 h w -> b c h w", c=3)
        if x.ndim != 4 or x.shape[1] != 3:
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            hint = "; `grey: repeat` takes grey ones" if x.ndim == 4 and x.shape[1] == 1 else ""
            raise ValueError(f"it takes colour images, 3 channels, not {given}{hint}")
        return self.unit(x)
