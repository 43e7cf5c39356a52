"""How much of what is generated is real, and how much of what is real is generated."""

from __future__ import annotations

from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures, engine
from ganzoo_metrics.images import nowhere

ROWS = 1000  # whose distances are held at once


class PrecisionRecall(ImageFeatures):
    """Improved precision and recall: ``precision_recall(fake, E) -> {precision, recall, f_score}``; 1 is best.

    precision: the share of fakes that lie within some real image's distance to its k-th nearest real neighbour, in E's
    features; recall: the same with the sides exchanged; f_score: their harmonic mean

    Both depend on how many samples each side has, so there are as many real images as generated ones, if not said
    otherwise.

    Paper: arXiv:1904.06991 eq. 1 and 2. Source: torch-fidelity.

    Args:
        reference: The real images.
        real: Their field.
        n_real: How many of them; as many as are generated, or all where there are fewer, if not given.
        neighborhood: k.

    Raises:
        ValueError: `real` is no image of the reference, or (when called) a side has no k neighbours.
    """

    better = "higher"

    def __init__(
        self, reference: Reference, real: str = "real", n_real: PositiveInt | None = None, neighborhood: PositiveInt = 3
    ):
        super().__init__(reference, real, n_real)
        self.neighborhood = neighborhood

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        return self.joined([self.share(fake, extractor)], extractor)

    def joined(self, shares: list[Tensor | None], extractor: nn.Module) -> Measured:
        """From the features of all shares."""
        from torch_fidelity.metric_prc import prc_features_to_metric

        features = self.all_of(shares)
        if features is None:
            return nowhere("precision", "recall", "f_score")
        made = len(features)
        n = self.n_real or min(made, len(self.reference))
        if min(made, n) <= self.neighborhood:
            raise ValueError(f"{made} generated and {n} real samples have no {self.neighborhood} neighbours each")
        found = prc_features_to_metric(
            features,
            self.of_real(extractor, n),
            prc_neighborhood=self.neighborhood,
            prc_batch_size=ROWS,
            save_cpu_ram=True,
            verbose=False,
        )
        protocol = {"neighborhood": self.neighborhood, **engine()}
        return Measured(found, {**self.protocol(n), **protocol})
