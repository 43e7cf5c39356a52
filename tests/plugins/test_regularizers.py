"""Penalties, constraints and layers against closed forms."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganzoo_regularizers.gradients import R1, R2, Dragan, GradientPenalty
from ganzoo_regularizers.minibatch import MinibatchDiscrimination
from ganzoo_regularizers.weights import ClipWeights, Orthogonal, SpectralNorm
from torch import Tensor, nn

from ganzoo.parallel import draw


def linear(weight: Tensor) -> Any:
    return lambda x: x.flatten(1) @ weight


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 2, 3, 3, generator=generator), torch.randn(6, 2, 3, 3, generator=generator)


class TestLinearCritic:
    """The gradient of a linear critic is its weight, everywhere."""

    weight = torch.linspace(-1, 1, 18)

    def test_gradient_penalty(self, batch) -> None:
        norm = self.weight.norm()
        assert GradientPenalty()(linear(self.weight), *batch).item() == pytest.approx(float((norm - 1) ** 2), rel=1e-5)
        assert GradientPenalty(target=0)(linear(self.weight), *batch).item() == pytest.approx(float(norm**2), rel=1e-5)

    def test_one_sided(self, batch) -> None:
        small = self.weight / self.weight.norm() / 2
        assert GradientPenalty(one_sided=True)(linear(small), *batch).item() == 0
        assert GradientPenalty()(linear(small), *batch).item() == pytest.approx(0.25, rel=1e-5)

    def test_r1_and_r2(self, batch) -> None:
        half = 0.5 * float(self.weight.norm() ** 2)
        assert R1()(linear(self.weight), batch[0]).item() == pytest.approx(half, rel=1e-5)
        assert R2()(linear(self.weight), batch[1]).item() == pytest.approx(half, rel=1e-5)

    def test_dragan(self, batch) -> None:
        expected = float((self.weight.norm() - 1) ** 2)
        assert Dragan()(linear(self.weight), batch[0]).item() == pytest.approx(expected, rel=1e-5)


def quadratic(x: Tensor) -> Tensor:
    """Its gradient at x is x."""
    return 0.5 * x.flatten(1).square().sum(1)


def test_r1_of_a_quadratic_is_half_the_squared_norm(batch) -> None:
    expected = 0.5 * batch[0].flatten(1).square().sum(1).mean()
    assert torch.allclose(R1()(quadratic, batch[0]), expected)


def test_gradient_penalty_mixes_with_one_alpha_a_sample(batch) -> None:
    seen: list[Tensor] = []

    def spy(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return quadratic(x)

    with draw.using(draw.Draws((0,), torch.device("cpu"))):
        GradientPenalty()(spy, *batch)
    real, fake = batch
    alpha = ((seen[0] - real) / (fake - real)).flatten(1)
    assert torch.allclose(alpha, alpha[:, :1].expand_as(alpha), atol=1e-3), "alpha varies inside a sample"
    assert alpha[:, 0].unique().numel() == len(real), "alpha is shared by samples"
    assert ((alpha > -1e-3) & (alpha < 1 + 1e-3)).all()


def test_dragan_stays_near_real_samples(batch) -> None:
    seen: list[Tensor] = []

    def spy(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return quadratic(x)

    Dragan(scale=0.5)(spy, batch[0])
    offset = seen[0] - batch[0]
    std = batch[0].std(correction=0)
    assert (offset >= 0).all()
    assert (offset <= 0.5 * std + 1e-6).all()
    assert offset.flatten(1).unique().numel() > len(offset), "the noise is one number a sample"


@pytest.mark.parametrize("penalty", [GradientPenalty(), R1(), Dragan()], ids=lambda p: type(p).__name__)
def test_a_zero_gradient_gives_finite_gradients(penalty, batch) -> None:
    weight = torch.zeros(18, requires_grad=True)
    args = batch if isinstance(penalty, GradientPenalty) else batch[:1]
    penalty(linear(weight), *args).backward()
    assert torch.isfinite(weight.grad).all()  # type: ignore[arg-type]


def test_the_penalty_reaches_the_critic_and_not_the_fake(batch) -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.Tanh(), nn.Linear(4, 1))
    fake = batch[1].requires_grad_()
    GradientPenalty()(critic, batch[0], fake).backward()
    assert fake.grad is None
    assert all(p.grad is not None for n, p in critic.named_parameters() if n != "3.bias")


def test_the_penalty_is_second_order_correct() -> None:
    """Against the derivative by hand: D(x) = w x^2 in one dimension, gradient 2 w x, R1 = 2 w^2 E x^2."""
    x, w = torch.tensor([[1.0], [2.0]]), torch.tensor(3.0, requires_grad=True)
    R1()(lambda x: w * x.square().sum(1), x).backward()
    assert w.grad is not None
    assert w.grad.item() == pytest.approx(4 * 3.0 * (1 + 4) / 2)


def test_unlike_batches_are_refused(batch) -> None:
    with pytest.raises(ValueError, match="should be alike"):
        GradientPenalty()(quadratic, batch[0], batch[1][:3])


def test_clip_weights_clamps_everything_with_norms() -> None:
    part = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    ClipWeights(0.01).after_step(part)
    assert max(p.abs().max().item() for p in part.parameters()) <= 0.01
    assert part[1].weight.tolist() == pytest.approx([0.01] * 3)


def test_orthogonal_is_zero_for_orthogonal_rows_and_counts_the_rest() -> None:
    part = nn.Linear(3, 2)
    with torch.no_grad():
        part.weight.copy_(torch.tensor([[2.0, 0, 0], [0, 3, 0]]))
    assert Orthogonal()(part).item() == 0
    with torch.no_grad():
        part.weight.copy_(torch.tensor([[1.0, 0, 0], [2, 0, 0]]))
    assert Orthogonal()(part).item() == pytest.approx(2 * 2.0**2)


def test_orthogonal_looks_behind_a_reparametrisation_and_moves_nothing() -> None:
    part = nn.Linear(3, 2)
    with torch.no_grad():
        part.weight.copy_(torch.tensor([[1.0, 0, 0], [2, 0, 0]]))
    SpectralNorm().attach(part)
    before = copy.deepcopy(part.state_dict())
    assert Orthogonal()(part).item() == pytest.approx(2 * 2.0**2)
    assert all(torch.equal(before[k], v) for k, v in part.state_dict().items())


class TestSpectralNorm:
    def normalised(self, layer: nn.Module, x: Tensor, rounds: int = 100) -> nn.Module:
        SpectralNorm().attach(layer)
        layer.train()
        with torch.no_grad():
            for _ in range(rounds):
                layer(x)
        return layer

    @pytest.mark.parametrize(
        ("layer", "x", "dim"),
        [
            (nn.Linear(5, 7), torch.randn(2, 5), 0),
            (nn.Conv2d(3, 6, 3), torch.randn(2, 3, 5, 5), 0),
            (nn.ConvTranspose2d(3, 6, 4, 2, 1), torch.randn(2, 3, 5, 5), 1),
        ],
        ids=["linear", "conv", "transposed"],
    )
    def test_the_largest_singular_value_becomes_1(self, layer, x, dim) -> None:
        weight = self.normalised(layer, x).eval().weight
        matrix = (weight.transpose(0, dim) if dim else weight).flatten(1)
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=0.02)

    def test_sigma_agrees_with_torch(self) -> None:
        torch.manual_seed(0)
        ours, theirs = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        theirs.load_state_dict(ours.state_dict())
        x = torch.randn(1, 3, 6, 6)
        self.normalised(ours, x)
        nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=100)
        theirs(x)
        assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-5)

    def test_evaluation_moves_nothing_and_two_forwards_share_a_backward(self) -> None:
        layer = nn.Linear(4, 4)
        SpectralNorm().attach(layer)
        (layer(torch.randn(2, 4)).sum() + layer(torch.randn(2, 4)).sum()).backward()
        layer.eval()
        before = copy.deepcopy(layer.state_dict())
        layer(torch.randn(2, 4))
        assert all(torch.equal(before[k], v) for k, v in layer.state_dict().items())

    def test_the_gradient_flows_through_sigma(self) -> None:
        """W / sigma does not change with the scale of W, so the gradient has no part along W."""
        layer = nn.Linear(4, 3, bias=False)
        self.normalised(layer, torch.randn(2, 4))
        layer.eval()
        layer(torch.randn(5, 4)).square().sum().backward()
        original = layer.parametrizations.weight.original
        assert abs(float((original.grad * original.detach()).sum())) < 1e-4

    def test_stays_in_single_precision_under_autocast(self) -> None:
        layer = nn.Linear(4, 3)
        SpectralNorm().attach(layer)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.randn(2, 4)).dtype == torch.bfloat16
        assert {t.dtype for t in layer.state_dict().values()} == {torch.float32}
        layer(torch.randn(2, 4)).sum().backward()

    def test_twice_is_refused(self) -> None:
        layer = nn.Linear(2, 2)
        SpectralNorm().attach(layer)
        with pytest.raises(ValueError, match="already"):
            SpectralNorm().attach(layer)


class TestMinibatchDiscrimination:
    def head(self) -> nn.Module:
        part = nn.Module()
        part.head = nn.Linear(6, 1)
        MinibatchDiscrimination(kernels=3, width=2).attach(part)
        return part.head

    def test_alike_samples_are_similar_and_oneself_does_not_count(self) -> None:
        head = self.head()
        alike = head.similarity(torch.ones(4, 6)) - head.bias
        assert torch.allclose(alike, torch.full((4, 3), 3.0))
        apart = head.similarity(1000 * torch.randn(4, 6)) - head.bias
        assert apart.abs().max() < 1e-3

    def test_by_hand(self) -> None:
        head = self.head()
        f = torch.randn(3, 6)
        with torch.no_grad():
            head.log_scale.copy_(torch.linspace(-1, 1, 6))
        T = head.directions / head.directions.square().sum(0).sqrt() * head.log_scale.exp()
        M = (f @ T).view(3, 3, 2)
        expected = torch.zeros(3, 3)
        for i in range(3):
            for j in range(3):
                if i != j:
                    expected[i] += torch.exp(-(M[i] - M[j]).abs().sum(1))
        assert torch.allclose(head.similarity(f), expected + head.bias, atol=1e-5)

    def test_parameters_as_in_the_paper(self) -> None:
        part = nn.Module()
        part.head = nn.Linear(192, 1)
        before = sum(p.numel() for p in part.parameters())
        MinibatchDiscrimination(100, 5).attach(part)
        # arXiv:1606.03498 with A = 192: A x 500 + 500 lengths + 100 biases; and 100 weights that read the similarities
        assert sum(p.numel() for p in part.parameters()) - before == 96_600 + 100

    def test_similarities_at_the_start_do_not_depend_on_the_width(self) -> None:
        torch.manual_seed(0)
        means = []
        for width in (64, 8192):
            part = nn.Module()
            part.head = nn.Linear(width, 1)
            MinibatchDiscrimination().attach(part)
            means.append((part.head.similarity(torch.randn(64, width)) - part.head.bias).mean().item())
        assert means[0] == pytest.approx(means[1], rel=0.2)
        assert means[0] > 0.1

    def test_needs_a_linear_head(self) -> None:
        with pytest.raises(ValueError, match="no linear `head`"):
            MinibatchDiscrimination().attach(nn.Linear(2, 2))


def test_spectral_norm_of_a_weight_that_starts_from_zero() -> None:
    torch.manual_seed(0)
    part = nn.Sequential(nn.Linear(3, 2, bias=False))
    nn.init.zeros_(part[0].weight)  # type: ignore[arg-type]
    SpectralNorm().attach(part)
    x = torch.ones(1, 3)
    assert torch.equal(part(x), torch.zeros(1, 2))
    part(x).sum().backward()
    with torch.no_grad():
        for parameter in part.parameters():
            assert torch.isfinite(parameter.grad).all()  # type: ignore[arg-type]
            parameter -= 0.1 * parameter.grad  # type: ignore[operator]
    for _ in range(20):
        part(x)
    assert torch.linalg.matrix_norm(part[0].weight, 2).item() == pytest.approx(1, abs=1e-3)  # type: ignore[arg-type]
