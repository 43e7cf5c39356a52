"""The features by which generated clothes are judged."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from ganzoo_extractors.cnn import Cnn
from ganzoo_extractors.weights import FILES, fix, read

SHAPE, CLASSES = (1, 28, 28), 10


class Extracted(NamedTuple):
    """What an extractor returns: `features` ``B n``, and of a classifier the class logits ``B K``."""

    features: Tensor
    logits: Tensor


class FashionCnn(nn.Module):
    """Features of a classifier of Fashion-MNIST: ``B 1 28 28 -> features B 128, logits B 10``.

    An `encoder.cnn` trained by ``ganzoo train fashion_cnn``; ``files/fashion_cnn.json`` records how, and its accuracy
    on the test images. The features are those behind the last ReLU. It takes grey images of 28x28 and nothing else,
    because resizing them to 32 and back changes the features. Always in evaluation mode; gradients reach the images;
    the weights are constants.

    Source: ganzoo's own; data of arXiv:1708.07747.

    Args:
        in_range: The values of black and white in the images.

    Raises:
        ValueError: `in_range` is not known, the file of weights is damaged, or (when called) images of another shape.
    """

    def __init__(self, in_range: tuple[float, float] | None):
        super().__init__()
        if in_range is None:
            raise ValueError("in_range is not known; write the values of black and white, such as [-1, 1]")
        self.low, self.high = in_range
        weights = read(FILES / "fashion_cnn.safetensors")
        self.sha256 = weights.sha256
        self.network = Cnn(SHAPE[0], SHAPE[1:], CLASSES)
        fix(self.network, weights)
        self.train(False)

    def train(self, mode: bool = True) -> FashionCnn:
        """Stays in evaluation mode, whatever is asked."""
        return super().train(False)

    def forward(self, x: Tensor) -> Extracted:
        if x.ndim != 4 or tuple(x.shape[1:]) != SHAPE:
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            raise ValueError(f"extractor.fashion_cnn takes grey images, 1x28x28, not {given}; it never converts them")
        logits, features = self.network((x - self.low) / (self.high - self.low))
        return Extracted(features, logits)
