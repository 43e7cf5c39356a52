"""LAPGAN: a pyramid that adds up exactly, levels that learn apart, one chain that samples."""

from __future__ import annotations

import pytest
import torch
from einops import reduce
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_lapgan.nets import Discriminator, Generator
from ganzoo_lapgan.pyramid import Laplacian, resize, weights
from torch.nn.functional import interpolate

import ganzoo
from ganzoo.errors import UserError
from tests.zoo import equal, small, tensors, trainer

SIZES = [(7, 14), (14, 28), (8, 14), (5, 13), ((4, 6), (9, 7))]


@pytest.mark.parametrize(("small", "large"), SIZES)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_an_image_is_its_enlarged_small_one_and_the_residual_to_the_last_bit(small, large, scale: float) -> None:
    level = Laplacian(small, large)
    torch.manual_seed(0)
    x = scale * (2 * torch.rand(50, 3, *level.large) - 1)
    made = level(x)
    assert torch.equal(made.coarse, level.up(made.small))
    again = level.restore(made.small, made.residual)
    assert torch.equal(made.coarse + made.residual, again)
    assert torch.equal(again, (x * 2**16).round() / 2**16)  # x itself, on the grid
    assert (again - x).abs().max() <= 2.0**-17


def test_the_bundled_images_pass_three_levels_and_come_back() -> None:
    x = FashionMnistSample(range=(-1.0, 1.0)).batch(torch.arange(200), torch.device("cpu"))["real"]
    fine, middle = Laplacian(14, 28), Laplacian(7, 14)
    at0 = fine(x)
    at1 = middle(at0.small)
    back = fine.restore(middle.restore(at1.small, at1.residual), at0.residual)
    assert torch.equal(middle.restore(at1.small, at1.residual), at0.small)
    assert torch.equal(back, at0.coarse + at0.residual)
    assert torch.equal(fine(back).residual, at0.residual)
    assert ((back - x).abs() <= 2.0**-17).all()


def test_shrinking_is_the_mean_of_the_area_and_enlarging_is_linear_from_edge_to_edge() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 28, 14)
    halved = reduce(x, "b c (h i) (w j) -> b c h w", "mean", i=2, j=2)
    assert torch.allclose(resize(x, (14, 7)), halved, atol=1e-6)
    assert torch.allclose(resize(x, (31, 30)), interpolate(x, (31, 30), mode="bilinear", align_corners=True), atol=1e-5)
    assert torch.equal(resize(x, (28, 14)), x)
    # 7 pixels in 4: each new one covers 1.75 old ones
    expected = torch.tensor([[1, 0.75, 0, 0, 0, 0, 0], [0, 0.25, 1, 0.5, 0, 0, 0]]) / 1.75
    assert torch.allclose(weights(7, 4)[:2], expected)
    for side, to in ((28, 8), (14, 8), (8, 14), (7, 28), (1, 5)):
        assert torch.allclose(weights(side, to).sum(1), torch.ones(to), atol=1e-6)


def test_gradients_pass_the_rounding() -> None:
    level = Laplacian(4, 8)
    low, residual = torch.rand(2, 1, 4, 4, requires_grad=True), torch.rand(2, 1, 8, 8, requires_grad=True)
    level.restore(low, residual).sum().backward()
    assert torch.equal(residual.grad, torch.ones_like(residual))
    assert torch.allclose(low.grad.sum((1, 2, 3)), torch.full((2,), 64.0))


def test_other_sizes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="small is 28x28, but should be below large, 14x14"):
        Laplacian(28, 14)
    with pytest.raises(ValueError, match="images of 14x14, and is given a batch of 2x1x28x28"):
        Laplacian(7, 14)(torch.zeros(2, 1, 28, 28))


COUNTS = [
    (Generator(196, 3, (14, 14), 3), 218_179),
    (Generator(784, 3, (28, 28), 3), 218_179),
    (Generator(784, 3, (28, 28), 3, width=128), 837_763),
    (Generator(1024, 3, (32, 32), 3, num_classes=10), 232_579),  # its class plane included
    (Generator(784, 1, (28, 28), 1), 208_705),
    (Discriminator(3, (14, 14)), 107_905),
    (Discriminator(3, (28, 28)), 113_729),
    (Discriminator(3, (32, 32), width=128), 437_889),
    (Discriminator(1, (28, 28)), 110_529),
    (Discriminator(3, (32, 32), num_classes=10), 129_409),
]


@pytest.mark.parametrize(("network", "count"), COUNTS)
def test_counts(network: torch.nn.Module, count: int) -> None:
    assert sum(p.numel() for p in network.parameters()) == count


def test_d_sees_the_sum_of_residual_and_coarse_image() -> None:
    D = Discriminator(1, (14, 14), width=4).eval()
    torch.manual_seed(0)
    residual, coarse, moved = torch.randn(3, 5, 1, 14, 14)
    assert torch.equal(D(residual, coarse).logit, D(residual + coarse).logit)
    assert torch.allclose(D(residual, coarse).logit, D(residual + moved, coarse - moved).logit, atol=1e-5)
    assert not torch.allclose(D(residual, coarse).logit, D(residual).logit)


def test_the_residual_has_either_sign_and_no_bound_and_noise_is_a_plane() -> None:
    G = Generator(196, 1, (14, 14), 1, width=4)
    for parameter in G.parameters():
        parameter.data *= 10
    torch.manual_seed(0)
    z, x = torch.randn(4, 196), torch.randn(4, 1, 14, 14)
    made = G(z, x)
    assert made.min() < -1
    assert made.max() > 1
    assert torch.equal(G.noise(z), z.view(4, 1, 14, 14))
    assert G.net[0].in_channels == 2
    assert Generator(2 * 196, 1, (14, 14), 1, width=4).net[0].in_channels == 3
    assert Generator(100, 1, (14, 14), 1, width=4)(torch.randn(2, 100), x[:2]).shape == (2, 1, 14, 14)


def test_labels_are_asked_for_where_there_are_classes() -> None:
    G, D = Generator(4, 1, (9, 9), 1, num_classes=3, width=4), Discriminator(1, (9, 9), num_classes=3, width=4).eval()
    z, x, label = torch.randn(2, 4), torch.randn(2, 1, 9, 9), torch.tensor([0, 2])
    assert not torch.equal(G(z, x, label), G(z, x, label.flip(0)))
    assert not torch.equal(D(x, x, label).logit, D(x, x, label.flip(0)).logit)
    with pytest.raises(ValueError, match="every call needs a label"):
        G(z, x)


def test_each_level_learns_by_itself() -> None:
    tr = trainer(small("lapgan/fashion_mnist_sample", steps=3))
    names = ["G2", "D2", "G1", "D1", "G0", "D0"]
    moved = []
    for _ in range(3):
        before = {name: tensors(tr.parts, name) for name in names}
        tr.advance()
        moved.append([name for name in names if not equal(before[name], tensors(tr.parts, name))])
    assert moved == [["G2", "D2"], ["G1", "D1"], ["G0", "D0"]]


def test_momentum_does_not_lengthen_steps_as_in_the_authors_optimizer() -> None:
    """Torch7's v <- m v + (1 - m) g: under a gradient that stays the same every step is the learning rate times it."""
    tr = trainer(small("lapgan/lapgan", steps=3))
    seen = []
    while tr.advance():
        for name in tr.phase.players:
            optimizer = tr.players[name].optimizer
            for count in (0, 100_000):
                tr.players[name].schedules.load_state_dict({"count": count, "torch": {}})
                (group,) = optimizer.param_groups
                assert group["momentum"] == group["dampening"]
                seen.append((name, count, round(group["momentum"], 4)))
                optimizer.state.clear()
                for _ in range(3):
                    before = [p.detach().double() for p in group["params"]]
                    for p in group["params"]:
                        p.grad = torch.ones_like(p)
                    optimizer.step()
                    moved = [b - p.detach().double() for b, p in zip(before, group["params"], strict=True)]
                    assert all(torch.allclose(m, torch.full_like(m, 0.02), atol=1e-6) for m in moved)
    assert ("D2", 0, 0.0) in seen and ("D2", 100_000, 0.1136) in seen  # 0.7 x 100,000 / 616,000
    assert ("G0", 0, 0.5) in seen and ("G0", 100_000, 0.6136) in seen  # 0.5 + 0.2 x 100,000 / 176,000


def test_one_checkpoint_samples_the_whole_chain(tmp_path) -> None:
    run = small("lapgan/fashion_mnist_sample", steps=3).train(tmp_path / "run", quiet=True)
    assert run.sample(3).shape == (3, 1, 28, 28)
    given = torch.rand(3, 1, 7, 7) * 2 - 1
    made = ganzoo.open(tmp_path / "run").sample(3, fake2=given)
    level = Laplacian(14, 28)
    smooth = level.up(Laplacian(7, 14).up(given))
    assert made.shape == smooth.shape
    assert (made - smooth).abs().mean() < (made - smooth.flip(0)).abs().mean()  # it goes on from what is given


def test_a_wrong_size_is_one_message() -> None:
    with pytest.raises(UserError, match="14x14"):
        small("lapgan/fashion_mnist_sample", **{"parts.level1.large": 16}).check()
