"""Which classes a classifier finds among generated images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ganzoo.contract import Measured
from ganzoo.reference import Reference
from ganzoo_metrics.features import ImageFeatures

FEW = 0.2  # of its share among real images: below, a class is nearly missing
CHANCE = 1e-6  # below this, so few cannot be chance
NAMED = 10


class ClassCoverage(ImageFeatures):
    """Which of the classes that an extractor recognises in real images it finds in generated ones.

    TV = 1/2 sum_k |c_k / n - p_k|, with c_k generated images recognised as class k and p_k that share of real images

    `classes` counts those that are not missing. A class is (nearly) missing if c_k < n p_k / 5 and a generator that
    draws it as often as the data would show so few with a probability below 1e-6 (Chernoff's bound
    exp(-n KL(c_k / n || p_k))). So chance alone never names a class, whatever n; of ten equally frequent classes an
    absent one is named from n = 132 on, and a class with p_k n < 14 never. A fifth leaves room for images of other
    classes that are mistaken for the missing one. Both sides are as recognised, so the extractor's habits cancel.

    Source: the class histograms of arXiv:1711.00970, with the rule above.

    Args:
        reference: The real images; a label field, if it has one, names the classes.
        real: Their field.
        n_real: How many of them; all, if not given.

    Raises:
        ValueError: `real` is no image of the reference, or the extractor gives no `logits`.
    """

    def __init__(self, reference: Reference, real: str = "real", n_real: int | None = None):
        super().__init__(reference, real, n_real)
        labels = [field for field in reference.fields.values() if field.kind == "label"]
        self.names = labels[0].classes if len(labels) == 1 else ()

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such images, and knows classes."""
        output = extractor(fake)
        if not hasattr(output, "logits"):
            raise ValueError("the extractor gives no logits, but a classifier is needed")
        return output.logits

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        if not torch.isfinite(fake).all():
            return Measured({"classes": float("nan"), "total_variation": float("nan")}, self.protocol())
        of_real = self.of_real(extractor, "logits")
        counts = _counts(self.of(fake, extractor, "logits"))
        wanted = _counts(of_real) / len(of_real)
        missing = missing_classes(counts, wanted)
        known = int((wanted > 0).sum())
        values = {
            "classes": float(known - len(missing)),
            "total_variation": (counts / counts.sum() - wanted).abs().sum().item() / 2,
        }
        return Measured(values, self.protocol(), self._verdict(missing, known, len(wanted)))

    def _verdict(self, missing: list[int], known: int, width: int) -> str:
        if not missing:
            return ""
        names = self.names if len(self.names) == width else [f"class {k}" for k in range(width)]
        said = ", ".join(names[k] for k in missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
        verb = "is" if len(missing) == 1 else "are"
        return f"collapsed: {len(missing)} of {known} classes {verb} (nearly) missing: {said}"


def _counts(logits: Tensor) -> Tensor:
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double()


def missing_classes(counts: Tensor, wanted: Tensor) -> list[int]:
    """The classes that are (nearly) missing among `counts` ``K``, against the shares `wanted` ``K``.

    Source: the docstring of :class:`ClassCoverage`.
    """
    n = counts.sum().item()
    found = []
    for k, (count, p) in enumerate(zip(counts.tolist(), wanted.tolist(), strict=True)):
        if p > 0 and count < FEW * n * p and n * _divergence(count / n, p) > -math.log(CHANCE):
            found.append(k)
    return found


def _divergence(q: float, p: float) -> float:
    """KL of two coins, in nats; q < p."""
    if p >= 1:
        return math.inf
    return (q * math.log(q / p) if q else 0.0) + (1 - q) * math.log((1 - q) / (1 - p))
