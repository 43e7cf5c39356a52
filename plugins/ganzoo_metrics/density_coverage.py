"""How many real samples have generated ones near, and how dense these lie where real ones are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference
from ganzoo_metrics.features import ImageFeatures
from ganzoo_metrics.images import nowhere, share

CHUNK = 1000
BOUND = 0.1  # of the coverage that perfect samples would have
INSIDE = 0.5  # density from which on samples lie among real ones


class DensityCoverage(ImageFeatures):
    """Density and coverage of generated images in the features of an extractor: ``density_coverage(fake, E)``.

    density  = 1/(k M) sum_j sum_i 1[y_j in B(x_i, r_i)]
    coverage = 1/N sum_i 1[there is a j with y_j in B(x_i, r_i)]

    with M generated features y, N real ones x, and r_i the distance of x_i to its k-th nearest real neighbour. Perfect
    samples have density 1 and coverage 1 - C with C = (N - 1)!/(N - 1 - k)! (N + M - 1 - k)!/(N + M - 1)!, 0.97 for
    k = 5 and N = M. The verdict is given where samples lie among real ones (density above 0.5) but coverage is below a
    tenth of that.

    Paper: arXiv:2002.09797 section 3.

    Args:
        reference: The real images.
        real: Their field.
        k: Which neighbour of a real feature its radius reaches to.
        n_real: How many real images; if not given, as many as there are generated ones, or all.

    Raises:
        ValueError: `real` is no image of the reference, or `k` is below 1 or not below the number of real images.
    """

    better = "higher"

    def __init__(self, reference: Reference, real: str = "real", k: PositiveInt = 5, n_real: PositiveInt | None = None):
        super().__init__(reference, real, n_real)
        self.k = k

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        return self.joined([self.share(fake, extractor)], extractor)

    def joined(self, shares: list[Tensor | None], extractor: nn.Module) -> Measured:
        """From the features of all shares."""
        features = self.all_of(shares)
        if features is None:
            return nowhere("density", "coverage", protocol={**self.protocol(), "k": self.k})
        n = self.n_real or min(len(features), len(self.reference))
        protocol = {**self.protocol(n), "k": self.k}
        real = self.of_real(extractor, n)
        density, coverage = density_coverage(real, features, self.k)
        verdict = ""
        if density > INSIDE and coverage < BOUND * expected_coverage(len(real), len(features), self.k):
            verdict = f"collapsed: the samples lie among real ones, but near only {share(coverage)} of them"
        return Measured({"density": density, "coverage": coverage}, protocol, verdict)


def density_coverage(real: Tensor, fake: Tensor, k: PositiveInt) -> tuple[float, float]:
    """Density and coverage of features ``M d`` against real ones ``N d``.

    Paper: arXiv:2002.09797 section 3.
    """
    if k >= len(real):
        raise ValueError(f"k is {k}, but should be below the number of real images, {len(real)}")
    real, fake = real.double(), fake.double()
    inside, covered = 0, 0
    for start in range(0, len(real), CHUNK):
        some = real[start : start + CHUNK]
        among = torch.cdist(some, real)
        among[torch.arange(len(some)), start + torch.arange(len(some))] = torch.inf  # itself is no neighbour
        radius = among.kthvalue(k, 1, keepdim=True).values
        hit = torch.cdist(some, fake) <= radius
        inside += int(hit.sum())
        covered += int(hit.any(1).sum())
    return inside / (k * len(fake)), covered / len(real)


def expected_coverage(n_real: int, n_fake: int, k: PositiveInt) -> float:
    """The coverage of samples of the real distribution itself.

    1 - prod_(i=0)^(k-1) (N - 1 - i) / (N + M - 1 - i)

    Paper: arXiv:2002.09797 section 3 (the order of N - 1 + M exchangeable distances).
    """
    missed = 1.0
    for i in range(k):
        missed *= (n_real - 1 - i) / (n_real + n_fake - 1 - i)
    return 1 - missed
