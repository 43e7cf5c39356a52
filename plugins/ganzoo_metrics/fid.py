"""How far generated images are from real ones, in the features of an extractor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.contract import Measured
from ganzoo_metrics.features import ImageFeatures
from ganzoo_metrics.images import nowhere
from ganzoo_metrics.moments import Moments, moments_distance


class Fid(ImageFeatures):
    """The Fréchet distance of generated images from real ones: ``fid(fake, E)``, E an extractor; 0 is best.

    d^2 = |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), with mean m and covariance C of E's features, in float64

    Fewer samples give larger values: compare numbers of equal protocol. With ``extractor.inception`` it is the FID of
    the papers.

    Paper: arXiv:1706.08500 eq. 6.

    Args:
        reference: The real images.
        real: Their field.
        n_real: How many of them; all, if not given.

    Raises:
        ValueError: `real` is no image of the reference.
    """

    def __call__(self, fake: Tensor, extractor: nn.Module) -> Measured:
        return self.joined([self.share(fake, extractor)], extractor)

    def share(self, fake: Tensor, extractor: nn.Module) -> Moments | None:
        """Mean and covariance of a process's share of the images, or None if some are not finite."""
        return Moments.of(self.of(fake, extractor)) if torch.isfinite(fake).all() else None

    def joined(self, shares: list[Moments | None], extractor: nn.Module) -> Measured:
        """From the moments of all shares."""
        found = Moments()
        for share in shares:
            if share is None:
                return nowhere(protocol=self.protocol())
            found.merge(share)
        few = f"{found.count} samples for {len(found.mean)} features: the distance is far too large"
        distance = moments_distance(self.moments_of_real(extractor), found)
        return Measured(distance, self.protocol(), few if found.count <= len(found.mean) else "")
