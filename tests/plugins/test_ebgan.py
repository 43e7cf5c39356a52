"""EBGAN: margin, energy and pulling-away in closed form, and how the margin acts in a model."""

from __future__ import annotations

import pytest
import torch
from ganzoo_ebgan.energy import Active, Energy, PullingAway
from ganzoo_ebgan.nets import Autoencoder, DenseAutoencoder
from ganzoo_layers import Reconstructed
from torch import nn

from ganzoo.errors import UserError
from ganzoo.store.folder import RunFolder
from tests.zoo import small, tensors, trainer


def test_the_loss_by_hand() -> None:
    loss = Energy(margin=5.0)
    real, fake = -torch.tensor([1.0, 2.0]), -torch.tensor([3.0, 9.0])  # logits are minus energies
    assert loss.d(real, fake).item() == pytest.approx(1.5 + (2.0 + 0.0) / 2)
    assert loss.g(fake).item() == pytest.approx(6.0)


def test_samples_beyond_the_margin_have_no_gradient_in_d() -> None:
    fake = -torch.tensor([3.0, 9.0])
    fake.requires_grad_()
    Energy(margin=5.0).d(-torch.ones(2), fake).backward()
    assert fake.grad.tolist() == [0.5, 0.0]
    assert Active(margin=5.0)(fake).item() == 0.5


def test_g_lowers_energies_beyond_the_margin_all_the_same() -> None:
    fake = (-torch.tensor([3.0, 9.0])).requires_grad_()
    Energy(margin=5.0).g(fake).backward()
    assert fake.grad.tolist() == [-0.5, -0.5]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (torch.tensor([[1.0, 2.0]]).repeat(4, 1), 1.0),  # identical
        (torch.tensor([[1.0, 2.0], [-3.0, -6.0]]), 1.0),  # opposite: the cosine is squared
        (3 * torch.eye(4), 0.0),  # orthogonal
        (torch.tensor([[1.0, 0.0], [1.0, 1.0]]), 0.5),  # 45 degrees
    ],
)
def test_pulling_away_is_the_mean_squared_cosine_of_pairs(codes, expected: float) -> None:
    assert PullingAway()(codes).item() == pytest.approx(expected, abs=1e-6)


def test_pulling_away_spreads_codes_and_needs_two() -> None:
    codes = nn.Parameter(torch.randn(4, 8) + 2)
    before = PullingAway()(codes).item()
    optimizer = torch.optim.SGD([codes], lr=5)
    for _ in range(50):
        optimizer.zero_grad()
        PullingAway()(codes).backward()
        optimizer.step()
    assert PullingAway()(codes).item() < 0.2 * before
    with pytest.raises(ValueError, match="batch of 1"):
        PullingAway()(torch.randn(1, 8))


@pytest.mark.parametrize("error", ["norm", "mean"])
def test_the_energy_is_the_length_of_the_error_or_its_mean_square(error) -> None:
    x, points = torch.randn(3, 2, 8, 12), torch.randn(3, 5)
    for d, given in (
        (Autoencoder(2, (8, 12), width=4, halvings=2, error=error), x),
        (DenseAutoencoder((5,), hidden=(6,), error=error), points),
    ):
        out = d(given)
        assert isinstance(out, Reconstructed)
        lost = (out.reconstruction - given).flatten(1)
        energy = lost.norm(dim=1) if error == "norm" else lost.square().mean(1)
        assert torch.allclose(out.logit, -energy, atol=1e-5)
        assert out.features.ndim == 2


def test_the_layers_of_the_convolutional_one() -> None:
    """(64)4c2s-(128)4c2s-(256)4c2s and back; norms everywhere but behind the first; the range of the data."""
    d = Autoencoder(3, (64, 64))
    assert [m.out_channels for m in d.modules() if isinstance(m, nn.Conv2d)] == [64, 128, 256]
    assert [m.out_channels for m in d.modules() if isinstance(m, nn.ConvTranspose2d)] == [128, 64, 3]
    assert [m.num_features for m in d.modules() if isinstance(m, nn.BatchNorm2d)] == [128, 256, 128, 64, 3]
    assert d(torch.randn(2, 3, 64, 64)).reconstruction.abs().max() <= 1
    with pytest.raises(ValueError, match="24x24 or 32x32"):
        Autoencoder(1, (28, 28))


def record(folder, **settings) -> dict:
    small("ebgan/fashion_mnist_sample", 1, **{"train.log_every": 1, **settings}).train(folder, quiet=True)
    return next(r for r in RunFolder(folder).records() if "active" in r)


def test_the_share_of_samples_within_the_margin_is_logged(tmp_path) -> None:
    assert record(tmp_path / "far", **{"parts.active.margin": 1e6})["active"] == 1.0
    assert record(tmp_path / "near", **{"parts.active.margin": 1e-6})["active"] == 0.0


def test_with_all_samples_beyond_the_margin_d_learns_real_ones_alone() -> None:
    """Then another draw of noise leaves D's gradient where it is."""
    after = []
    for std in (1.0, 2.0):
        settings = {"parts.active.margin": 1e-6, "parts.Z": {"use": "prior.normal", "size": 8, "std": std}}
        run = trainer(small("ebgan/ring", 1, **settings))
        run.advance()
        after.append(tensors(run.parts, "D"))
    assert all(torch.equal(after[0][name], after[1][name]) for name in after[0])


def test_pulling_away_reaches_g_alone_and_another_loss_can_take_the_margins_place() -> None:
    after = []
    for weight in (0.0, 100.0):
        term = f"{weight} * pull(d_fake.features)"
        run = trainer(small("ebgan/ring", 1, **{"players.G.minimize.pulling_away": term}))
        run.advance()
        after.append(tensors(run.parts, "G", "D"))
    same = {name: torch.equal(after[0][name], after[1][name]) for name in after[0]}
    assert all(same[name] for name in same if name.startswith("D."))
    assert not all(same[name] for name in same if name.startswith("G."))
    for loss in ("hinge", "wasserstein", "nonsaturating"):
        try:
            small("ebgan/fashion_mnist_sample", 1, **{"parts.adv": f"adversarial.{loss}"}).check()
        except UserError as error:
            pytest.fail(f"{loss}: {error}")
