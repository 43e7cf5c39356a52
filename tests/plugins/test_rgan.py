"""RGAN: counts of the authors' code, LSTMs over steps in order, waves that are what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganzoo_rgan.networks import Discriminator, Generator, Lstm
from ganzoo_rgan.sines import Sines

from ganzoo.model import explain
from tests.zoo import full


def test_counts_of_the_code() -> None:
    parts = full("rgan/rgan").blueprint.parts
    assert explain.count(parts["G"]) == 4 * 100 * (5 + 100 + 1) + 100 + 1
    assert explain.count(parts["D"]) == 4 * 100 * (1 + 100 + 1) + 100 + 1
    digits = Generator(70, (14, 14), each=5, num_classes=3)  # the code's settings for digits of three kinds
    assert sum(p.numel() for p in digits.parameters() if p.requires_grad) == 4 * 100 * (5 + 3 + 100 + 1) + 14 * 101


def test_an_lstm_is_its_equations_and_can_be_differentiated_twice() -> None:
    lstm = Lstm(2, 3)
    assert lstm.bias_ih_l0.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    torch.nn.init.normal_(lstm.bias_ih_l0)
    x = torch.randn(4, 5, 2, requires_grad=True)
    h = c = torch.zeros(4, 3)
    for t, state in enumerate(lstm(x).unbind(1)):
        gates = x[:, t] @ lstm.weight_ih_l0.T + h @ lstm.weight_hh_l0.T + lstm.bias_ih_l0
        i, f, new, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * new.tanh()
        h = o.sigmoid() * c.tanh()
        torch.testing.assert_close(state, h)
    (slope,) = torch.autograd.grad(lstm(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert lstm.weight_hh_l0.grad is not None and lstm.weight_hh_l0.grad.abs().sum() > 0
    assert lstm.bias_hh_l0.grad is None


def test_noise_of_a_step_reaches_that_step_and_later_ones() -> None:
    made = Generator(30, (10, 2), each=3, hidden=4)
    z = torch.randn(1, 30)
    other = z.clone()
    other[:, 12:15] += 1  # of step 4
    changed = (made(z) != made(other)).any(2)[0]
    assert changed.tolist() == [False] * 4 + [True] * 6
    with pytest.raises(ValueError, match=r"z has 30 numbers; 10 steps of 4 each take 40"):
        Generator(30, (10, 2), each=4)
    everywhere = Generator(5, (10, 2), hidden=4)
    assert (everywhere(torch.zeros(1, 5)) != everywhere(torch.ones(1, 5))).any(2).all()


def test_a_logit_for_each_step_knows_what_came_before() -> None:
    judge = Discriminator((10, 2), hidden=4, num_classes=3)
    x = torch.randn(2, 10, 2)
    label = torch.tensor([0, 2])
    seen = judge(x, label)
    assert seen.logit.shape == (2, 10) and seen.features.shape == (2, 4)
    other = x.clone()
    other[:, 6] += 1
    assert torch.equal(judge(other, label).logit[:, :6], seen.logit[:, :6])
    assert (judge(other, label).logit[:, 6:] != seen.logit[:, 6:]).all()
    assert (judge(x, label.flip(0)).logit != seen.logit).all()
    with pytest.raises(ValueError, match="label"):
        judge(x)


def test_an_image_is_a_series_of_its_rows() -> None:
    torch.manual_seed(0)
    judge = Discriminator((2, 6, 3), hidden=4)
    x = torch.randn(2, 2, 6, 3)
    other = x.clone()
    other[:, :, 4] += 1
    assert torch.equal(judge(other).logit[:, :4], judge(x).logit[:, :4])
    assert (judge(other).logit[:, 4:] != judge(x).logit[:, 4:]).all()
    assert Generator(6, (2, 6, 3), hidden=4)(torch.randn(2, 6)).shape == (2, 2, 6, 3)


def test_waves_have_the_frequency_of_their_band() -> None:
    data = Sines(count=300, length=120, channels=2, low=3, high=12)
    real, label = data.arrays["real"], data.arrays["label"]
    assert real.shape == (300, 120, 2) and set(label.tolist()) == {0, 1, 2}
    assert 0.85 < np.abs(real).max() <= 0.9
    power = np.abs(np.fft.rfft(real, axis=1)) ** 2
    peak = power.argmax(1)  # periods in a sample, to the next whole number
    for band in range(3):
        assert (np.abs(peak[label == band] - (4.5 + 3 * band)) <= 2.1).all()
    np.testing.assert_array_equal(Sines(count=300, length=120, channels=2, low=3, high=12).load()["real"], real)
    other = data.held_out()
    assert other is not None and len(other) == 75 and other.held_out() is None
    assert not np.isin(other.arrays["real"][:, 0], real[:, 0]).any()
    with pytest.raises(ValueError, match="above low, 5"):
        Sines(low=5, high=5)
