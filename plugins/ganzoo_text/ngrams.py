"""A text encoder without weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


class NGrams:
    """Words and their character 3-grams, hashed into counts: ``n`` strings ``-> n size``, of unit length.

    Captions that share words, or pieces of words, are alike; what words mean it does not know. Each piece adds 1 or -1
    to one number, both chosen by its hash.

    Paper: arXiv:1607.04606 section 3.2 (subwords); arXiv:0902.2206 eq. 1 (the hashing trick).

    Args:
        size: How many numbers.

    Raises:
        ValueError: `size` is below 1.
    """

    def __init__(self, size: int = 384):
        if size < 1:
            raise ValueError(f"size is {size}, but should be at least 1")
        self.width = size

    def __call__(self, captions: Sequence[str]) -> Tensor:
        found = torch.zeros(len(captions), self.width)
        for row, caption in zip(found, captions, strict=True):
            words = "".join(ch if ch.isalnum() else " " for ch in caption.lower()).split()
            for word in words:
                marked = f"<{word}>"
                for piece in (marked, *(marked[i : i + 3] for i in range(len(marked) - 2))):
                    drawn = int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=8).digest(), "big")
                    row[(drawn >> 1) % self.width] += 1 if drawn & 1 else -1
        return normalize(found, dim=1)
