"""Losses against closed forms and against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from ganzoo_adversarial.critic import Hinge, Wasserstein
from ganzoo_adversarial.least_squares import LeastSquares
from ganzoo_adversarial.logistic import Minimax, NonSaturating
from ganzoo_adversarial.relativistic import Relativistic, RelativisticAverage
from ganzoo_ebgan.energy import Energy
from ganzoo_losses.losses import L1, BinaryCrossEntropy, CrossEntropy, FeatureMatching, KLNormal, MeanSquaredError
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

import ganzoo
from ganzoo.errors import UserError

LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3).map(torch.tensor)


def bce(logit: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logit, torch.full_like(logit, target))


@given(LOGITS, LOGITS, st.floats(0, 0.5))
def test_nonsaturating_is_cross_entropy_with_one_sided_smoothing(real: Tensor, fake: Tensor, smoothing: float) -> None:
    loss = NonSaturating(smoothing)
    assert torch.allclose(loss.d(real, fake), bce(real, 1 - smoothing) + bce(fake, 0), atol=1e-4)
    assert torch.allclose(loss.g(fake), bce(fake, 1), atol=1e-5)


@given(LOGITS, LOGITS)
def test_minimax_is_the_value_of_the_game(real: Tensor, fake: Tensor) -> None:
    value = F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()
    assert torch.allclose(Minimax().d(real, fake), -value, atol=1e-4)
    assert torch.allclose(Minimax().g(fake), F.logsigmoid(-fake).mean(), atol=1e-5)


def test_the_2014_scale() -> None:
    real, fake = torch.tensor([0.3]), torch.tensor([-0.2])
    assert torch.allclose(NonSaturating(scale=0.5).d(real, fake), 0.5 * NonSaturating().d(real, fake))


def test_at_the_optimum_d_is_log_4() -> None:
    zero = torch.zeros(5)
    assert NonSaturating().d(zero, zero).item() == pytest.approx(math.log(4))


def test_least_squares_by_hand() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert LeastSquares().d(real, fake).item() == pytest.approx(0.5 * (0 + 4) / 2 + 0.5 * (0 + 4) / 2)
    assert LeastSquares().g(fake).item() == pytest.approx(0.5 * (1 + 1) / 2)
    assert LeastSquares(scale=2).d(real, fake).item() == pytest.approx(2 * LeastSquares().d(real, fake).item())
    assert LeastSquares(scale=2).g(fake).item() == pytest.approx(2 * LeastSquares().g(fake).item())
    pearson = LeastSquares(a=-1, b=1, c=0)
    assert pearson.d(real, fake).item() == pytest.approx(0.5 * 4 / 2 + 0.5 * (1 + 9) / 2)
    assert pearson.g(fake).item() == pytest.approx(0.5 * 4 / 2)


def test_critics_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert Wasserstein().d(real, fake).item() == pytest.approx(-1.5 - 1.25)
    assert Wasserstein().g(fake).item() == pytest.approx(1.5)
    assert Hinge().d(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1) / 2)
    assert Hinge().g(fake).item() == pytest.approx(1.5)


@given(LOGITS)
def test_what_wants_real_samples_taken_for_fake_ones_is_the_mirror_of_g(real: Tensor) -> None:
    assert torch.allclose(NonSaturating().e(real), bce(real, 0), atol=1e-4)
    for loss in (NonSaturating(), Minimax(), Wasserstein(), Hinge(), Energy()):
        assert torch.allclose(loss.e(real), loss.g(-real), atol=1e-5)
    assert torch.allclose(LeastSquares().e(real), LeastSquares().g(1 - real), rtol=1e-4, atol=1e-4)
    pearson = LeastSquares(a=-1, b=1, c=0)
    assert torch.allclose(pearson.e(real), pearson.g(-real))


@given(LOGITS, LOGITS)
def test_relativistic_losses_are_cross_entropy_of_differences(real: Tensor, fake: Tensor) -> None:
    assert torch.allclose(Relativistic().d(real, fake), bce(real - fake, 1), atol=1e-4)
    assert torch.allclose(Relativistic().g(fake, real), bce(fake - real, 1), atol=1e-4)
    average = (bce(real - fake.mean(), 1) + bce(fake - real.mean(), 0)) / 2
    assert torch.allclose(RelativisticAverage().d(real, fake), average, atol=1e-4)
    swapped = (bce(real - fake.mean(), 0) + bce(fake - real.mean(), 1)) / 2
    assert torch.allclose(RelativisticAverage().g(fake, real), swapped, atol=1e-4)


def test_gradient_flows_through_the_average() -> None:
    real, fake = torch.zeros(2, requires_grad=True), torch.zeros(2)
    RelativisticAverage().d(real, fake).backward()
    # 1/2 [mean softplus(-(real_i - mean fake)) + mean softplus(fake_j - mean real)], each derivative 1/2 at 0
    assert torch.allclose(real.grad, torch.full((2,), -0.5 * (0.5 / 2 + 0.5 / 2)))  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_out_of_bounds(smoothing: float) -> None:
    with pytest.raises(UserError, match=r"smoothing: .* should be a number of at least 0 and below 1"):
        ganzoo.make("adversarial.nonsaturating", smoothing=smoothing)


def test_distances() -> None:
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0]])
    assert L1()(x, y).item() == 1.5
    assert MeanSquaredError()(x, y).item() == 2.5
    assert MeanSquaredError()(x, 1.0).item() == 0.5


@given(LOGITS)
def test_cross_entropies(x: Tensor) -> None:
    assert torch.allclose(BinaryCrossEntropy()(x, 0.7), bce(x, 0.7), atol=1e-4)
    label = torch.tensor([1])
    assert torch.allclose(CrossEntropy()(x[None], label), -x.log_softmax(0)[1], atol=1e-4)
    assert torch.allclose(
        CrossEntropy()(x[None], F.one_hot(label, 3).float()), CrossEntropy()(x[None], label), atol=1e-4
    )


def test_feature_matching_compares_batch_means() -> None:
    fake, real = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    assert FeatureMatching()(fake, real).item() == pytest.approx((4 + 4) / 2)
    assert FeatureMatching()(fake, fake.flip(0)).item() == 0


def test_kl_of_a_standard_normal_is_zero_and_grows() -> None:
    zero = torch.zeros(4, 3)
    assert KLNormal()(zero, zero).item() == 0
    assert KLNormal()(zero + 2, zero).item() == pytest.approx(3 * 0.5 * 4)
    logvar = torch.full((4, 3), math.log(4.0))
    assert KLNormal()(zero, logvar).item() == pytest.approx(3 * 0.5 * (4 - 1 - math.log(4)))
