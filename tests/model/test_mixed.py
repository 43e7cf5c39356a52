"""Penalties on each sample's gradient, and discriminators that mix samples."""

from __future__ import annotations

import pytest

import ganzoo

NARROW = {"parts.G.width": 4, "parts.D.width": 4, "train.batch": 4}


@pytest.mark.parametrize(
    ("model", "changes", "mixes"),
    [
        ("wgan_gp/fashion_mnist_sample", {}, False),
        ("wgan_gp/fashion_mnist_sample", {"parts.D.norm": "batch"}, True),
        ("wgan_gp/fashion_mnist_sample", {"parts.D.norm": "layer"}, False),
        ("dcgan/fashion_mnist_sample", {"parts.r": "regularizer.r1", "players.D.minimize.r": "r(D, real)"}, True),
        ("dcgan/fashion_mnist_sample", {"parts.r": "regularizer.r2", "players.D.minimize.r": "r(D(_), fake)"}, True),
        ("dcgan/fashion_mnist_sample", {}, False),
    ],
)
def test_a_batch_norm_under_a_penalty_is_warned_of(model: str, changes: dict[str, str], mixes: bool) -> None:
    warnings = ganzoo.load(model, NARROW | changes).check()
    assert [w for w in warnings if "batch norms of D mix samples" in w and "players.D.minimize." in w] == warnings
    assert len(warnings) == mixes
