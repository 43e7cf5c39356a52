"""Features of generated images and of the reference's, the latter kept on the disk."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.contract import first, map_tensors
from ganzoo.data.arrays import cache_folder, to_field, to_uint8
from ganzoo.data.reference import Reference
from ganzoo.errors import UserError
from ganzoo.evaluation.evaluate import PIECE
from ganzoo.model.inference import joined
from ganzoo.store.files import atomic
from ganzoo_metrics.images import field_of
from ganzoo_metrics.moments import Moments

CHUNK = 512
VERSION = 3  # of what is kept on the disk
LARGEST = 2**28  # bytes of features that are kept there

_remembered: dict[Any, tuple[int | None, Any, Any]] = {}


class ImageFeatures:
    """What metrics in the features of an extractor build on: ``metric(fake, extractor)``.

    Images become uint8 first, as they would in files, then what the extractor gives for them: its first output, or
    another, which a function picks. The reference's side is computed once and kept in ``$GANZOO_CACHE`` (or
    ``~/.cache/ganzoo``) under the fingerprint of its rows and the hash of the extractor's weights.

    Args:
        reference: The real images.
        real: Their field.
        n_real: How many of them; all, if not given.

    Raises:
        ValueError: `real` is no image of the reference.
    """

    def __init__(self, reference: Reference, real: str = "real", n_real: PositiveInt | None = None):
        self.reference, self.real, self.n_real = reference, real, n_real
        self.field = field_of(reference.fields, real, "image")
        self._moments: dict[str, Moments] = {}

    def dry(self, fake: Tensor, extractor: nn.Module) -> Tensor:
        """Whether the extractor takes such images."""
        features = first(extractor(fake))
        if features.ndim != 2:
            raise ValueError(f"the extractor gives {features.ndim - 1}-dimensional features, but vectors are needed")
        return features

    def of(self, images: Tensor, extractor: nn.Module, output: Callable[[Any], Tensor] = first) -> Tensor:
        """Of images in the data's range, quantised: ``n d`` on the CPU.

        They are remembered as long as the images are held, for one metric after the other asks for the same.
        """
        key = id(images), id(extractor), self.field.range
        version, by, found = _remembered.get(key, (None, weakref.ref(self), None))
        if version != images._version or by() is not extractor:
            found = self._extract(images, extractor)
            _remembered[key] = images._version, weakref.ref(extractor), found
            weakref.finalize(images, _remembered.pop, key, None)
        return output(found)

    def _extract(self, images: Tensor, extractor: nn.Module) -> Any:
        held = next((t for t in (*extractor.buffers(), *extractor.parameters())), images)
        pieces = []
        for some in images.split(PIECE):
            quantised = to_field(to_uint8(some.to(held.device), self.field.range), self.field)
            with torch.no_grad():
                pieces.append(map_tensors(lambda t: t.float().cpu(), extractor(quantised)))
        return joined(pieces)

    def of_real(self, extractor: nn.Module, n: int | None = None) -> Tensor:
        """Of `n` of the reference's images, or of `n_real`: ``n d``."""

        def compute() -> dict[str, Any]:
            return {"features": torch.cat([self.of(batch[self.real], extractor) for batch in self.rows(n)]).numpy()}

        return torch.from_numpy(self.kept(extractor, "features", compute, n)["features"])

    def share(self, fake: Tensor, extractor: nn.Module) -> Any:
        """What is to be known of a process's share of the images: their features, or None if some are not finite."""
        return self.of(fake, extractor) if torch.isfinite(fake).all() else None

    def all_of(self, shares: list[Tensor | None]) -> Tensor | None:
        """The features of all shares, ``n d``, or None if some image was not finite."""
        known = [share for share in shares if share is not None]
        return torch.cat(known) if len(known) == len(shares) else None

    def moments_of_real(self, extractor: nn.Module) -> Moments:
        """Mean and covariance of the features of the reference's images, without holding them all."""

        def compute() -> dict[str, Any]:
            found = Moments()
            for batch in self.rows():
                found.update(self.of(batch[self.real], extractor))
            return found.arrays()

        key = self._key(extractor, "moments", self.n_real)
        if key in self._moments:
            return self._moments[key]
        found = Moments.from_arrays(self.kept(extractor, "moments", compute))
        if getattr(extractor, "sha256", ""):  # another may have learnt since
            self._moments[key] = found
        return found

    def protocol(self, n: int | None = None) -> dict[str, Any]:
        """What the number depends on, beside the extractor."""
        n_real = n or self.n_real or len(self.reference)
        return {**self.reference.protocol(), "field": self.real, "n_real": n_real, "quantised": "uint8"}

    def rows(self, n: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The reference's rows, `n` or `n_real`, some at a time."""
        return self.reference.batches(n or self.n_real, CHUNK)

    def _key(self, extractor: nn.Module | None, what: str, n: int | None) -> str:
        does = getattr(extractor, "sha256", ""), getattr(extractor, "protocol", {})
        key = (VERSION, torch.__version__, self.reference.fingerprint, self.real, self.field.range, n, does, what)
        return hashlib.sha256(repr(key).encode()).hexdigest()[:32]

    def kept(self, extractor: nn.Module, what: str, compute: Any, n: int | None = None) -> dict[str, Any]:
        """Arrays read from the disk, or computed and written there if the extractor's weights have a hash."""
        if not getattr(extractor, "sha256", ""):
            return compute()
        path = cache_folder() / "statistics" / f"{self._key(extractor, what, n or self.n_real)}.npz"
        found = _stored(path)
        if found is None:
            found = compute()
            if sum(getattr(array, "nbytes", 0) for array in found.values()) <= LARGEST:
                with suppress(OSError, UserError), atomic(path) as file:  # keeping it is only a courtesy
                    np.savez(file, **found)
        return found


def logits_of(output: Any) -> Tensor:
    """The class logits among an extractor's outputs.

    Raises:
        ValueError: there are none.
    """
    if not hasattr(output, "logits"):
        raise ValueError("the extractor gives no logits, so it was no classifier")
    return output.logits


def engine() -> dict[str, str]:
    """The library that computed a number, for its protocol."""
    import torch_fidelity  # here, because that takes seconds

    return {"engine": f"torch-fidelity {torch_fidelity.__version__}"}


def _stored(path: Path) -> dict[str, Any] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # absent, or damaged
        return None
