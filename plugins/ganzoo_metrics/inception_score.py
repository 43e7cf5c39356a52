"""How sure a classifier is of each image, and how unsure of all together."""

from __future__ import annotations

from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures, engine, logits_of
from ganzoo_metrics.images import nowhere


class InceptionScore(ImageFeatures):
    """The Inception Score: ``inception_score(fake, E) -> {mean, std}``, E an extractor with logits; K classes at best.

    exp(mean_x KL(p(y|x) || p(y))), p of E's logits; mean and standard deviation over splits

    It reads no real image: it is blind to what E cannot name, and to copies within a class. It is that of the papers
    with ``extractor.inception`` alone.

    Paper: arXiv:1606.03498 section 4. Source: torch-fidelity.

    Args:
        reference: The data, whose range the images have.
        real: The field that they are like.
        splits: Number of pieces that the samples are cut into.

    Raises:
        ValueError: `real` is no image of the reference, or (when called) the extractor gives no logits, or there are
            fewer samples than splits.
    """

    better = "higher"

    def __init__(self, reference: Reference, real: str = "real", splits: PositiveInt = 10):
        super().__init__(reference, real)
        self.splits = splits

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such images, and has logits."""
        return logits_of(extractor(fake))

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        return self.joined([self.share(fake, extractor)], extractor)

    def share(self, fake: Tensor, extractor: nn.Module) -> Tensor | None:
        """The logits of a process's share of the images, or None if some are not finite."""
        return self.of(fake, extractor, logits_of) if fake.isfinite().all() else None

    def joined(self, shares: list[Tensor | None], extractor: nn.Module) -> Measured:
        """From the logits of all shares."""
        from torch_fidelity.metric_isc import isc_features_to_metric

        logits = self.all_of(shares)
        if logits is None:
            return nowhere("mean", "std")
        if len(logits) < self.splits:
            raise ValueError(f"{self.splits} splits need {self.splits} samples or more, not {len(logits)}")
        found = isc_features_to_metric(logits, self.splits)
        return Measured(
            {key: found[f"inception_score_{key}"] for key in ("mean", "std")},
            {"quantised": "uint8", "splits": self.splits, **engine()},
        )
