"""Who says whether a drawing shows what its caption says."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ganzoo_extractors.base import Extractor
from ganzoo_extractors.weights import fix, read
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo_text.towers import TwoTowers

FILE = Path(__file__).parent / "files" / "openmoji_ranker.safetensors"
SIDE, TEXT = 32, 384
ENCODER = "encoder.minilm"


class Embedding(NamedTuple):
    """Where images lie among captions: `features` ``B n``, of unit length."""

    features: Tensor


class OpenMojiRanker(Extractor):
    """OpenMoji's drawings among their captions: ``B 3 32 32 -> features B 64``; ``ranker.text(text)`` places captions.

    An `encoder.two_towers` trained on the real drawings of OpenMoji's training split by ``ganzoo train ranker``; no
    generator was ever trained by it. ``files/openmoji_ranker.json`` records how it was trained. It takes 32x32, and
    64x64 as the mean of every 2x2, which is how `data.openmoji` makes the one from the other; texts are those of
    `encoder.minilm`. Always in evaluation mode; gradients reach the images; the weights are constants.

    Paper: arXiv:1711.10485 section 4 (R-precision). Source: ganzoo's own.

    Args:
        in_range: The values of black and white in the images.
        text_encoder: The component that made the embeddings of the captions, if that is known.

    Raises:
        ValueError: `in_range` is not known, the texts are another encoder's, the file of weights is damaged, or (when
            called) images of another shape.
    """

    def __init__(self, in_range: tuple[float, float] | None, text_encoder: str | None = None):
        super().__init__(in_range)
        if text_encoder not in (None, ENCODER):
            raise ValueError(f"the data's texts are those of {text_encoder}, but it was trained on those of {ENCODER}")
        weights = read(FILE)
        self.sha256 = weights.sha256
        arguments = weights.record["arguments"]
        self.network = TwoTowers(3, (SIDE, SIDE), TEXT, **arguments)
        fix(self.network, weights.tensors)
        self.train(False)

    def forward(self, x: Tensor) -> Embedding:
        if x.ndim != 4 or tuple(x.shape[1:]) not in ((3, SIDE, SIDE), (3, 2 * SIDE, 2 * SIDE)):
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            raise ValueError(f"extractor.openmoji_ranker takes colour images, 3x32x32 or 3x64x64, not {given}")
        if x.shape[2] > SIDE:
            x = avg_pool2d(x, 2)
        return Embedding(self.network.image(2 * self.unit(x) - 1))

    def text(self, text: Tensor) -> Tensor:
        """Captions' embeddings ``B 384`` by `encoder.minilm`, where images lie: ``B 64``."""
        return self.network.text(text)
