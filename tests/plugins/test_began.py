"""BEGAN: its loss and weight k in closed form, its networks counted, and how they play together."""

from __future__ import annotations

import pytest
import torch
from ganzoo_began.balance import Balance
from ganzoo_began.between import Between
from ganzoo_began.measure import Convergence
from ganzoo_began.nets import Autoencoder, Decoder
from ganzoo_layers import Reconstructed
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganzoo.model import explain
from ganzoo.store.folder import RunFolder
from tests.zoo import small, tensors, trainer

ERRORS = st.lists(st.floats(0, 2, width=32), min_size=2, max_size=2).map(torch.tensor)


@given(ERRORS, ERRORS, st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_the_loss_takes_k_as_it_was_and_then_moves_it(real, fake, gamma: float, start: float) -> None:
    balance = Balance(gamma, rate=0.25, start=start)
    loss = balance(real, fake)
    a, b = real.mean(), fake.mean()
    assert torch.allclose(loss, a - start * b, atol=1e-5)
    assert torch.allclose(balance.k, (start + 0.25 * (gamma * a - b)).clamp(0, 1), atol=1e-5)
    assert 0 <= balance.k <= 1
    assert torch.allclose(balance.measure, a + (gamma * a - b).abs(), atol=1e-5)


def test_k_rises_while_samples_are_reconstructed_too_well_and_falls_otherwise() -> None:
    balance, real = Balance(0.5, rate=0.1, start=0.5), torch.tensor(1.0)
    balance(real, torch.tensor(0.3))
    assert balance.k > 0.5
    balance(real, torch.tensor(0.9))
    assert balance.k < 0.5


def test_k_has_no_gradient_and_the_backward_pass_comes_after_it_has_moved() -> None:
    balance = Balance(start=0.5)
    real, fake = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    balance(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (1.0, -0.5)
    assert not balance.k.requires_grad


def test_evaluation_moves_nothing() -> None:
    balance = Balance(start=0.5).eval()
    balance(torch.tensor(1.0), torch.tensor(0.0))
    assert (balance.k.item(), balance.measure.item()) == (0.5, 0.0)


def test_the_measure_is_the_mean_of_all_calls_then_that_of_recent_ones() -> None:
    balance, zero = Balance(gamma=0.0, memory=4), torch.tensor(0.0)
    for error in (1.0, 2.0, 6.0):
        balance(torch.tensor(error), zero)
    assert balance.measure.item() == pytest.approx(3.0)
    for _ in range(60):
        balance(torch.tensor(8.0), zero)
    assert balance.measure.item() == pytest.approx(8.0)


def test_the_metric_is_the_measure_of_the_paper() -> None:
    found = Convergence(gamma=0.5)(-torch.tensor([0.1, 0.3]), -torch.tensor([0.3, 0.5]))
    assert found == pytest.approx({"measure": 0.2 + 0.3, "error_real": 0.2, "ratio": 2.0})


def test_counts_of_grey_images_of_32x32() -> None:
    parts = Decoder(64, 1, (32, 32), width=64), Autoencoder(1, (32, 32), width=64)
    assert [explain.count(part) for part in parts] == [488385, 2308673]


def test_the_generator_is_the_decoder_of_d() -> None:
    g, d = Decoder(8, 3, (24, 40), width=4), Autoencoder(3, (24, 40), width=4, code=8)
    assert {k: v.shape for k, v in g.state_dict().items()} == {k: v.shape for k, v in d.decoder.state_dict().items()}
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in (*g.modules(), *d.modules()))
    assert {type(m) for m in d.modules() if "activation" in type(m).__module__} == {nn.ELU}


def test_d_is_judged_by_the_mean_absolute_error_of_its_reconstruction() -> None:
    d, x = Autoencoder(1, (9, 12), width=4, code=5), torch.randn(3, 1, 9, 12)
    out = d(x)
    assert isinstance(out, Reconstructed)
    assert out.features.shape == (3, 5)
    assert torch.allclose(out.logit, -(out.reconstruction - x).abs().mean((1, 2, 3)))
    with pytest.raises(ValueError, match="built for images of 9x12"):
        d(torch.randn(3, 1, 12, 9))


def test_lines_hold_both_ends_and_stay_together() -> None:
    x, y = torch.randn(2, 3), torch.randn(2, 3)
    rows = Between(5)(x, y)
    assert torch.equal(rows[[0, 5]], x)
    assert torch.equal(rows[[4, 9]], y)
    assert torch.allclose(rows[2], (x[0] + y[0]) / 2)


def records(model, folder) -> dict:
    model.train(folder, quiet=True)
    return next(r for r in RunFolder(folder).records() if "k" in r)


def test_both_players_and_k_read_the_same_errors_of_networks_before_either_steps(tmp_path) -> None:
    settings = {"parts.balance.rate": 0.5, "parts.balance.start": 0.5, "train.log_every": 1, "optimizer.lr": 0.05}
    settings["parts.balance.gamma"] = 0.7
    found = records(small("began/fashion_mnist_sample", 1, **settings), tmp_path / "run")
    fake = found["G.error"]
    real = found["D.balance"] + 0.5 * fake
    assert found["k"] == pytest.approx(min(max(0.5 + 0.5 * (0.7 * real - fake), 0), 1), abs=1e-5)
    assert found["measure"] == pytest.approx(real + abs(0.7 * real - fake), abs=1e-5)


def test_g_learns_through_the_sample_and_through_its_reconstruction() -> None:
    """The error of both ends of |G(z) - D(G(z))|: cutting either changes G's step."""
    after = []
    for error in ("l1(d_fake.reconstruction, fake)", "l1(d_fake.reconstruction, stop(fake))"):
        run = trainer(small("began/fashion_mnist_sample", 1, **{"flow.error_fake": error}))
        run.advance()
        after.append(tensors(run.parts, "G"))
    assert any(not torch.equal(after[0][name], after[1][name]) for name in after[0])


def test_the_rate_is_halved_when_the_measure_stalls(tmp_path) -> None:
    settings = {"optimizer.lr": 1e-12, "schedule.patience": 1, "train.log_every": 1, "schedule.floor": 0.25}
    small("began/fashion_mnist_sample", 60, **settings).train(tmp_path / "run", quiet=True)
    rates = [r["D.lr"] for r in RunFolder(tmp_path / "run").records() if "D.lr" in r]
    assert sorted(set(rates), reverse=True) == pytest.approx([1e-12, 5e-13, 2.5e-13])
