"""How evenly images change as the latent vector moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Gt, Le
from torch import Tensor, nn

from ganzoo.contract import Measured, first
from ganzoo_metrics.features import engine

CHUNK = 64


class PathLength:
    """Perceptual path length: ``path_length(G(_), Z(n), E) -> {mean, std}``, E an extractor; less is smoother.

    |E(G(z_t)) - E(G(z_0))|^2 / epsilon^2,  z_t on the way from z_0 to z_1 at t = epsilon

    z_1 is the latent vector of the next sample. Outliers on both sides are left out before mean and standard deviation
    are taken. Images are not quantised. The papers' numbers are those of LPIPS on VGG-16: none by another E compares
    with them.

    Paper: arXiv:1812.04948 eq. 2, at the beginning of each path. Source: torch-fidelity.

    Args:
        epsilon: The step t.
        interpolation: The way: a straight line, or one along the sphere as the paper has it in Z.
        discard: The percentiles below and above which distances are left out; null keeps all.

    Raises:
        ValueError: epsilon or a percentile is impossible, or (when called) `z` are no vectors, or fewer than two, or E
            rounds images to 8 bits, which hides such steps.
    """

    def __init__(
        self,
        epsilon: Annotated[float, Gt(0), Le(1)] = 1e-4,
        interpolation: Literal["lerp", "slerp"] = "lerp",
        discard: tuple[float, float] | None = (1.0, 99.0),
    ):
        if discard is not None and not 0 <= discard[0] < discard[1] <= 100:
            raise ValueError(f"discard is {list(discard)}, but should be two rising percentiles in [0, 100]")
        self.epsilon, self.interpolation, self.discard = epsilon, interpolation, discard

    def dry(self, generator: Callable[[Tensor], Tensor], z: Tensor, extractor: nn.Module) -> Tensor:
        """Whether all three fit together."""
        _sees_small_steps(extractor)
        return first(extractor(generator(z)))

    def __call__(self, generator: Callable[[Tensor], Tensor], z: Tensor, extractor: nn.Module) -> Measured:
        from torch_fidelity.noise import batch_lerp, batch_slerp_any

        if z.ndim != 2 or len(z) < 2:
            raise ValueError(f"two latent vectors or more are needed, not {'x'.join(map(str, z.shape))}")
        _sees_small_steps(extractor)
        between = batch_slerp_any if self.interpolation == "slerp" else batch_lerp
        ends = generator(z), generator(between(z, z.roll(-1, 0), self.epsilon))
        held = next((t for t in (*extractor.buffers(), *extractor.parameters())), z)
        distances = []
        with torch.no_grad():
            for pair in zip(*(end.split(CHUNK) for end in ends), strict=True):
                a, b = (first(extractor(images.to(held.device))).double() for images in pair)
                distances.append((a - b).square().sum(1).cpu())
        found: np.ndarray = torch.cat(distances).div(self.epsilon**2).numpy()
        if self.discard is not None and np.isfinite(found).all():
            low = np.percentile(found, self.discard[0], method="lower")
            high = np.percentile(found, self.discard[1], method="higher")
            found = found[(low <= found) & (found <= high)]
        return Measured({"mean": float(found.mean()), "std": float(found.std())}, {"quantised": "no", **engine()})


def _sees_small_steps(extractor: nn.Module) -> None:
    if getattr(extractor, "quantise", False):
        raise ValueError("the extractor rounds images to 8 bits, which hides such steps; give it `quantise: false`")
