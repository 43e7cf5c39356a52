"""The features by which generated clothes are judged."""

from __future__ import annotations

from torch import Tensor

from ganzoo_extractors.base import Extracted, Extractor, Range
from ganzoo_extractors.cnn import Cnn
from ganzoo_extractors.weights import FILES, fix, read

SIDE, BORDER, CLASSES = 28, 2, 10


class FashionCnn(Extractor):
    """Features of a classifier of Fashion-MNIST: ``B 1 28 28 -> features B 128, logits B 10``.

    An `encoder.cnn` trained by ``ganzoo train fashion_cnn``; ``files/fashion_cnn.json`` records how, and its accuracy
    on the test images. The features are those behind the last ReLU. It takes grey images of 28x28, and those of 32x32
    that have a border of two pixels around them, which is cut off, as ``size: 32`` of the data put it there. It never
    resizes, because that changes the features. Always in evaluation mode; gradients reach the images; the weights are
    constants.

    Source: ganzoo's own; data of arXiv:1708.07747.

    Args:
        in_range: The values of black and white in the images.

    Raises:
        ValueError: `in_range` is not known, the file of weights is damaged, or (when called) images of another shape.
    """

    def __init__(self, in_range: Range):
        super().__init__(in_range)
        weights = read(FILES / "fashion_cnn.safetensors")
        self.sha256 = weights.sha256
        self.protocol["size"] = f"{SIDE}x{SIDE}, of {SIDE + 2 * BORDER}x{SIDE + 2 * BORDER} without the border"
        self.network = Cnn(1, (SIDE, SIDE), CLASSES)
        fix(self.network, weights.tensors)
        self.train(False)

    def forward(self, x: Tensor) -> Extracted:
        if tuple(x.shape[1:]) == (1, SIDE + 2 * BORDER, SIDE + 2 * BORDER):
            x = x[:, :, BORDER:-BORDER, BORDER:-BORDER]
        if tuple(x.shape[1:]) != (1, SIDE, SIDE):
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            raise ValueError(
                f"extractor.fashion_cnn takes grey images, 1x28x28 or 1x32x32, not {given}; it never converts them"
            )
        logits, features = self.network(self.unit(x))
        return Extracted(features, logits)
