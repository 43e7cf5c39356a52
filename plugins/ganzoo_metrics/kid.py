"""How far generated images are from real ones, by a kernel."""

from __future__ import annotations

from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures, engine
from ganzoo_metrics.images import nowhere


class Kid(ImageFeatures):
    """The kernel distance of generated images from real ones: ``kid(fake, E) -> {mean, std}``; 0 is best.

    MMD^2 = E k(r, r') + E k(f, f') - 2 E k(r, f),  k(a, b) = (a.b / d + 1)^3, over d features of E; the unbiased
    estimate on random subsets, of which mean and standard deviation are given

    It does not depend on the number of samples as a Fréchet distance does, and may be a little below 0.

    Paper: arXiv:1801.01401 section 4. Source: torch-fidelity.

    Args:
        reference: The real images.
        real: Their field.
        n_real: How many of them; all, if not given.
        subsets: How many subsets.
        subset_size: How many generated and as many real images in each; all, where there are fewer.

    Raises:
        ValueError: `real` is no image of the reference, or a number is too small.
    """

    def __init__(
        self,
        reference: Reference,
        real: str = "real",
        n_real: PositiveInt | None = None,
        subsets: int = 100,
        subset_size: int = 1000,
    ):
        super().__init__(reference, real, n_real)
        if subsets < 1 or subset_size < 2:
            raise ValueError(f"subsets is {subsets} and subset_size {subset_size}, but 1 and 2 are the least")
        self.subsets, self.subset_size = subsets, subset_size

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        return self.joined([self.share(fake, extractor)], extractor)

    def joined(self, shares: list[Tensor | None], extractor: nn.Module) -> Measured:
        """From the features of all shares."""
        from torch_fidelity.metric_kid import kid_features_to_metric

        features = self.all_of(shares)
        if features is None:
            return nowhere("mean", "std")
        real = self.of_real(extractor)
        size = min(self.subset_size, len(features), len(real))
        found = kid_features_to_metric(features, real, kid_subsets=self.subsets, kid_subset_size=size, verbose=False)
        protocol = {"subsets": self.subsets, "subset_size": size, **engine()}
        few = f"subsets of {size} samples, as there are no more; the usual size is {self.subset_size}"
        return Measured(
            {key: found[f"kernel_inception_distance_{key}"] for key in ("mean", "std")},
            {**self.protocol(), **protocol},
            few if size < self.subset_size else "",
        )
