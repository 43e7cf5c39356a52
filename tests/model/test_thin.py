"""Thin convolutions as wide ones: the same numbers, gradients and second derivatives."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganzoo_regularizers.weights import SpectralNorm
from torch import nn

from ganzoo.model.rewrite import restore, rewrite
from ganzoo.model.thin import PLAIN, ThinConv2d, ThinConvTranspose2d, thin
from tests.model.test_rewrite import both, close, everything

CASES: dict[str, nn.Module] = {
    "from one, halved": nn.Conv2d(1, 5, 4, 2, 1),
    "from one, large": nn.Conv2d(1, 5, 7, padding=(3, 0), bias=False),
    "from one, uneven": nn.Conv2d(1, 2, (4, 9), (2, 1), (0, 2)),
    "to one": nn.Conv2d(5, 1, 4, padding=1),
    "to one, large": nn.Conv2d(5, 1, 7),
    "to three, large": nn.Conv2d(4, 3, (9, 5), padding=(4, 1), bias=False),
    "one to one": nn.Conv2d(1, 1, 5, padding=4),
    "transposed": nn.ConvTranspose2d(5, 1, 4, 2, 1),
    "transposed, uneven": nn.ConvTranspose2d(5, 1, (5, 4), (2, 1), (2, 0), output_padding=(1, 0), bias=False),
}


@pytest.mark.parametrize("name", CASES)
def test_values_gradients_and_second_derivatives(name: str) -> None:
    plain, other = both(CASES[name], nn.Tanh())
    assert type(other[0]) in PLAIN and type(plain[0]) not in PLAIN  # type: ignore[index]
    for shape in ((2, 9, 12), (1, 11, 9)):
        x = torch.randn(shape[0], CASES[name].in_channels, *shape[1:], dtype=torch.float64)  # type: ignore[arg-type]
        assert close(everything(plain, x), everything(other, x), 1e-10), shape


@pytest.mark.parametrize("name", CASES)
def test_the_narrow_convolution_is_not_computed(name: str, monkeypatch) -> None:
    _, other = both(CASES[name], dtype=torch.float32)
    x = torch.randn(1, CASES[name].in_channels, 9, 12, requires_grad=True)  # type: ignore[arg-type]
    monkeypatch.setattr(nn.Conv2d, "forward", None)
    monkeypatch.setattr(nn.ConvTranspose2d, "forward", None)
    other(x)


ALONE = {
    "3x3": nn.Conv2d(1, 8, 3),
    "many": nn.Conv2d(8, 8, 7),
    "to five": nn.Conv2d(8, 5, 7),
    "to one, halved": nn.Conv2d(8, 1, 4, 2),
    "reflected": nn.Conv2d(1, 8, 5, padding=2, padding_mode="reflect"),
    "dilated": nn.Conv2d(1, 8, 5, dilation=2),
    "groups": nn.Conv2d(4, 4, 5, groups=4),
    "padded by name": nn.Conv2d(1, 8, 5, padding="same"),
    "zeros alone": nn.Conv2d(8, 1, 4, padding=4),
    "transposed to two": nn.ConvTranspose2d(8, 2, 4),
}


@pytest.mark.parametrize("name", ALONE)
def test_left_alone(name: str) -> None:
    module = copy.deepcopy(ALONE[name])
    rewrite(module)
    assert thin(module) is None and type(module) is type(ALONE[name])


def test_other_devices_precisions_and_shapes_meet_the_plain_layers(monkeypatch) -> None:
    _, other = both(nn.Conv2d(4, 1, 4), dtype=torch.float32)
    x, seen = torch.randn(2, 4, 6, 6), []
    forward = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: seen.append(x.shape) or forward(self, x))
    other(x)
    assert not seen
    with torch.autocast("cpu", torch.bfloat16):
        other(x)
    other(x[0])
    other.to("meta")(x.to("meta"))
    assert len(seen) == 3


def test_weights_are_needed_alone_where_an_image_is_given(monkeypatch) -> None:
    """The derivative to a small kernel is fast as it is; that to the image is not."""
    _, other = both(nn.Conv2d(1, 4, 4, 2), dtype=torch.float32)
    found: list[bool] = []
    monkeypatch.setattr(ThinConv2d, "_from_few", lambda self, x, rows: found.append(rows))
    other(torch.randn(1, 1, 8, 8))
    other(torch.randn(1, 1, 8, 8, requires_grad=True))
    assert found == [False]


def test_a_network_is_restored_and_norms_of_weights_are_seen() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 1, 4)).double()
    other = copy.deepcopy(plain)
    rewrite(other)
    assert [type(layer) for layer in other] == [ThinConv2d, ThinConvTranspose2d]
    assert list(other.state_dict()) == list(plain.state_dict())
    calls: list[Any] = []
    other[0].register_forward_hook(lambda *_: calls.append(None))
    for module in (plain, other):
        torch.manual_seed(0)
        SpectralNorm().attach(module)
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    assert close(everything(plain.eval(), x), everything(other.eval(), x), 1e-10) and len(calls) == 1
    fresh = nn.Sequential(nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 1, 4))
    rewrite(fresh)
    restore(fresh)
    assert [type(layer) for layer in fresh] == [nn.Conv2d, nn.ConvTranspose2d]
