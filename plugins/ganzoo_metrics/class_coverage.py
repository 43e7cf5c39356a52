"""Which classes a classifier finds among generated images."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures, logits_of
from ganzoo_metrics.images import nowhere

FEW = 0.25  # of its share among real images, mistakes apart: below, a class is nearly missing
CHANCE = 1e-6  # below this, so few cannot be chance
NAMED = 10


class ClassCoverage(ImageFeatures):
    """Which of the classes that an extractor recognises in real images it finds in generated ones.

    TV = 1/2 sum_k |c_k / n - p_k|, with c_k generated images recognised as class k and p_k that share of real images

    `classes` counts those that are not missing. A class is (nearly) missing if what is recognised as it, beyond what
    is mistaken for it, is less than a quarter of that among real images, c_k / n < f_k + (p_k - f_k) / 4, with f_k the
    share of real images that are recognised as k but labelled otherwise (0 where labels and logits do not match), and
    if a generator that draws it as often as the data would show so few with a probability below 1e-6 (Chernoff's bound
    exp(-n KL(c_k / n || p_k))). So chance alone never names a class, whatever n; of ten equally frequent classes an
    absent one is named from n = 132 on, and a class with p_k n < 13 never. Both sides are as recognised, so the
    extractor's habits cancel.

    Source: the class histograms of arXiv:1711.00970, with the rule above.

    Args:
        reference: The real images; a label field, if it has one, names the classes.
        real: Their field.
        n_real: How many of them; all, if not given.

    Raises:
        ValueError: `real` is no image of the reference, or the extractor gives no `logits`.
    """

    better: ClassVar = {"classes": "higher", "total_variation": "lower"}

    def __init__(self, reference: Reference, real: str = "real", n_real: PositiveInt | None = None):
        super().__init__(reference, real, n_real)
        labels = [name for name, field in reference.fields.items() if field.kind == "label"]
        self.label = labels[0] if len(labels) == 1 else ""
        self.names = reference.fields[self.label].classes if self.label else ()

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such images, and knows classes."""
        return logits_of(extractor(fake))

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        if not torch.isfinite(fake).all():
            return nowhere("classes", "total_variation", protocol=self.protocol())
        logits = self.of(fake, extractor, logits_of)
        counts = torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double()
        wanted, mistaken = self._recognised(extractor, logits.shape[1])
        missing = missing_classes(counts, wanted, mistaken)
        known = int((wanted > 0).sum())
        values = {
            "classes": float(known - len(missing)),
            "total_variation": (counts / counts.sum() - wanted).abs().sum().item() / 2,
        }
        return Measured(values, self.protocol(), self._verdict(missing, known, len(wanted)))

    def _recognised(self, extractor: nn.Module, width: int) -> tuple[Tensor, Tensor]:
        """The share of real images recognised as each class, and of those recognised as a class that is not theirs."""

        def compute() -> dict[str, Any]:
            found = torch.zeros(2, width, dtype=torch.float64)
            for rows in self.rows():
                said = self.of(rows[self.real], extractor, logits_of).argmax(1)
                found[0] += torch.bincount(said, minlength=width)
                if len(self.names) == width:
                    found[1] += torch.bincount(said[said != rows[self.label]], minlength=width)
            return {"shares": (found / found[0].sum()).numpy()}

        wanted, mistaken = torch.from_numpy(self.kept(extractor, "recognised", compute)["shares"])
        if mistaken.sum() > 0.5:  # it knows other classes than the data's
            self.names, mistaken = (), torch.zeros_like(mistaken)
        return wanted, mistaken

    def _verdict(self, missing: list[int], known: int, width: int) -> str:
        if not missing:
            return ""
        names = self.names if len(self.names) == width else [f"class {k}" for k in range(width)]
        said = ", ".join(names[k] for k in missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
        verb = "is" if len(missing) == 1 else "are"
        return f"collapsed: {len(missing)} of {known} classes {verb} (nearly) missing: {said}"


def missing_classes(counts: Tensor, wanted: Tensor, mistaken: Tensor) -> list[int]:
    """The classes that are (nearly) missing among `counts`, against the shares `wanted` and `mistaken`, all ``K``.

    Source: the docstring of :class:`ClassCoverage`.
    """
    n = counts.sum().item()
    found = []
    for k, (count, p, f) in enumerate(zip(counts.tolist(), wanted.tolist(), mistaken.tolist(), strict=True)):
        if p > 0 and count / n < f + FEW * (p - f) and n * _divergence(count / n, p) > -math.log(CHANCE):
            found.append(k)
    return found


def _divergence(q: float, p: float) -> float:
    """KL of two coins, in nats; q < p."""
    if p >= 1:
        return math.inf
    return (q * math.log(q / p) if q else 0.0) + (1 - q) * math.log((1 - q) / (1 - p))
