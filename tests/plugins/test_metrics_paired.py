"""Metrics of pairs: hand values, brute force, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ganzoo_data.made_up import Random
from ganzoo_metrics.paired import Mae, Perceptual, Psnr, Ssim, luma
from ganzoo_metrics.points import CircleFit, Modes
from ganzoo_metrics.retrieval import RPrecision
from ganzoo_metrics.similarity import ms_ssim, scales, ssim
from ganzoo_points.points import Circle, Ring

from ganzoo.data.reference import Reference
from ganzoo.testing.inputs import Means

RANGES = [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)]


def images(seed: int, *shape: int) -> torch.Tensor:
    """Whole bytes from 0 to 255."""
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed)).float()


def ranged(pixels: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * pixels / 255


@pytest.mark.parametrize("limits", RANGES)
def test_psnr_of_a_constant_error(limits: tuple[float, float]) -> None:
    real = torch.full((2, 3, 16, 16), 100.0)
    fake = real + torch.tensor([5.0, 10.0]).view(2, 1, 1, 1)
    wanted = (20 * math.log10(255 / 5) + 20 * math.log10(255 / 10)) / 2
    assert Psnr(limits)(ranged(fake, *limits), ranged(real, *limits)).values == pytest.approx(wanted, rel=1e-6)
    # of equal errors in red, green and blue Y has 219/255
    y = Psnr(limits, channel="y")(ranged(fake, *limits), ranged(real, *limits)).values
    assert y == pytest.approx(wanted + 20 * math.log10(255 / 219), rel=1e-6)
    assert Psnr(limits)(ranged(real, *limits), ranged(real, *limits)).values == math.inf


def test_luma_of_white_black_and_red() -> None:
    pixels = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=torch.float64).view(3, 3, 1, 1)
    assert torch.allclose(luma(pixels, "y").flatten() * 255, torch.tensor([235.0, 16, 81.481], dtype=torch.float64))
    grey = luma(pixels, "grey").flatten()
    assert torch.allclose(grey, torch.tensor([1, 0, 0.299], dtype=torch.float64))


def test_a_border_is_cut() -> None:
    real = images(0, 1, 3, 24, 24)
    fake = real.clone()
    fake[..., :4, :] = 0
    fake[..., 8, 8] = 255 - fake[..., 8, 8]
    whole = Psnr((0.0, 255.0))(fake, real).values
    assert (
        Psnr((0.0, 255.0), border=4)(fake, real).values
        == Psnr((0.0, 255.0))(fake[..., 4:-4, 4:-4], real[..., 4:-4, 4:-4]).values
    )
    assert Psnr((0.0, 255.0), border=4)(fake, real).values > whole


def test_ssim_against_brute_force() -> None:
    """Window by window, with weighted means written out."""
    x, y = images(1, 1, 1, 14, 13), images(2, 1, 1, 14, 13)
    at = np.arange(11) - 5
    window = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    a, b = (t[0, 0].double().numpy() / 255 for t in (x, y))
    found = []
    for i in range(4):
        for j in range(3):
            p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            found.append((2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert Ssim((0.0, 255.0))(x, y).values == pytest.approx(np.mean(found), rel=1e-9)


def test_ssim_agrees_with_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    x, y = images(1, 1, 1, 40, 50), images(2, 1, 1, 40, 50)
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    full = metrics.structural_similarity(x[0, 0].double().numpy(), y[0, 0].double().numpy(), full=True, **how)[1]
    assert Ssim((0.0, 255.0))(x, y).values == pytest.approx(full[5:-5, 5:-5].mean(), rel=1e-6)


def test_ssim_of_equal_and_of_flat_images() -> None:
    x = images(0, 2, 3, 20, 20)
    assert Ssim((0.0, 255.0))(x, x).values == pytest.approx(1, abs=1e-9)
    a, b = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    assert ssim(a, b).item() == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), rel=1e-6)
    assert torch.allclose(ssim(x / 255, x.flip(3) / 255), ssim(x.flip(3) / 255, x / 255)), "symmetric"


def test_ms_ssim_has_the_scales_that_fit() -> None:
    for side, count in ((11, 1), (21, 1), (22, 2), (28, 2), (64, 3), (175, 4), (176, 5), (500, 5)):
        assert scales(torch.zeros(1, 1, side, side + 3)) == count, side
    x, y = images(0, 2, 1, 28, 28) / 255, images(1, 2, 1, 28, 28) / 255
    assert torch.allclose(ms_ssim(x, x), torch.ones(2, dtype=torch.float64))
    assert (ms_ssim(x, y) < 0.3).all()
    small = x[..., :15, :15]
    assert torch.allclose(ms_ssim(small, small * 0.9), ssim(small, small * 0.9)[:, 0].clamp(min=0)), "one scale is SSIM"
    with pytest.raises(ValueError, match="11x11 or more, not 10x28"):
        ms_ssim(x[..., :10, :], x[..., :10, :])


@pytest.mark.parametrize("use", [Psnr, Ssim])
def test_what_cannot_be_compared_is_refused(use) -> None:
    with pytest.raises(ValueError, match="in_range is not known"):
        use(None)
    with pytest.raises(ValueError, match="border is -1"):
        use((0.0, 1.0), border=-1)
    with pytest.raises(ValueError, match="channel y needs images of 3 channels, not 1"):
        use((0.0, 1.0), channel="y").dry(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match="a border of 16 leaves 0x0"):
        use((0.0, 1.0), border=16)(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match="cannot be compared"):
        use((0.0, 1.0))(torch.zeros(2, 1, 32, 32), torch.zeros(3, 1, 32, 32))
    assert math.isnan(use((0.0, 1.0))(torch.full((1, 1, 32, 32), math.nan), torch.zeros(1, 1, 32, 32)).values)


def test_mean_absolute_error() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert Mae((0.0, 10.0))(x, torch.zeros(2, 2)) == (11 / 4, {"range": [0.0, 10.0]}, "")
    with pytest.raises(ValueError, match="cannot be compared"):
        Mae()(x, x[:1])


def test_perceptual_distance_of_equal_scaled_and_opposite_features() -> None:
    data = Random({"real": {"kind": "image", "shape": [1, 8, 8]}}, count=20)
    metric, x = Perceptual(Reference(data, "data.random")), ranged(images(0, 5, 1, 8, 8), -1, 1)
    assert metric(x, x, Means()).values == 0
    plus, minus = torch.ones(3, 1, 8, 8), -torch.ones(3, 1, 8, 8)
    assert metric(plus, minus, Means()).values == pytest.approx(4), "opposite"
    third = torch.full((3, 1, 8, 8), 1 / 3)
    assert metric(plus, third, Means()).values == pytest.approx(0, abs=1e-9), "length does not count"


# -- captions ----------------------------------------------------------------------------------------------------------


def test_retrieval_of_perfect_and_of_unrelated_embeddings() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2000, 16, generator=generator) for _ in range(2))
    assert RPrecision()(3 * x, x) == (1.0, {"candidates": 10, "draw_seed": 0}, "")
    chance = RPrecision()(x, y)
    assert chance.values == pytest.approx(0.1, abs=0.03) and chance.verdict.startswith("captions do not show")
    assert RPrecision(candidates=4)(x, y).values == pytest.approx(0.25, abs=0.04)
    assert RPrecision()(x, y) == chance
    assert RPrecision()(torch.ones(2000, 16), y).values == pytest.approx(0.1, abs=0.03)


def test_equal_captions_are_never_among_the_others() -> None:
    captions = torch.eye(12)[torch.arange(120) % 12]
    assert RPrecision()(captions, captions).values == 1.0
    with pytest.raises(ValueError, match="differs from 60 others only, too few for 62 candidates"):
        RPrecision(candidates=62)(torch.eye(2)[torch.arange(120) % 2], torch.eye(2)[torch.arange(120) % 2])
    with pytest.raises(ValueError, match="n x d"):
        RPrecision()(torch.zeros(4, 3), torch.zeros(4, 2))


# -- points ------------------------------------------------------------------------------------------------------------


def test_missed_modes_and_sectors_are_named() -> None:
    ring, circle = Ring(points=2000), Circle(points=2000)
    modes, fit = Modes(ring), CircleFit(circle)
    points = ring.batch(torch.arange(2000), torch.device("cpu"))["real"]
    assert modes(points).values["hit"] == 8 and not modes(points).verdict
    few = points[torch.cdist(points, modes.centers).argmin(1) < 3]
    assert modes(few).values["hit"] == 3 and modes(few).verdict == "collapsed: 3 of 8 modes are hit"
    assert not modes(few[:100]).verdict, "too few to say"
    round_ = circle.batch(torch.arange(2000), torch.device("cpu"))["real"]
    assert not fit(round_).verdict and fit(round_).values["sectors"] == 36
    half = fit(torch.cat([round_[:, :1].abs(), round_[:, 1:]], 1))
    assert half.verdict == "collapsed: 18 of 36 sectors hold a sample"
