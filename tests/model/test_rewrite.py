"""Pairs of layers computed as one: the same numbers, gradients and second derivatives, and nothing else changed."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from ganzoo_regularizers.weights import SpectralNorm
from ganzoo_resnet.discriminator import Discriminator as ResnetD
from ganzoo_resnet.generator import Generator as ResnetG
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from ganzoo.config.schema import Ema
from ganzoo.model import explain
from ganzoo.model.rewrite import Rewritten, rewritable, rewrite, rule
from ganzoo.run.provenance import locked
from ganzoo.train.ema import Average
from tests.zoo import equal, small, tensors, trainer

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
UP, POOL = nn.Upsample(scale_factor=2, mode="nearest"), nn.AvgPool2d(2)
PAIRS = ("up_conv3", "up_conv1", "conv3_pool", "conv1_pool")


def layers(pair: str, inputs: int = 3, outputs: int = 4, bias: bool = True) -> list[nn.Module]:
    size = int(pair.strip("updco_lnv"))
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=bias)
    return [UP, conv] if pair.startswith("up") else [conv, POOL]


def both(*modules: nn.Module, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, nn.Module]:
    """A plain Sequential, and a copy that is rewritten."""
    plain = nn.Sequential(*modules).to(dtype)
    other = copy.deepcopy(plain)
    rewrite(other)
    return plain, other


def everything(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradients to weights, bias and input, and all gradients of a penalty on the gradient to the input."""
    x = x.clone().requires_grad_()
    parameters = list(module.parameters())
    out = module(x)
    out = out if isinstance(out, Tensor) else out[0]
    total = (out * torch.linspace(-1, 1, out.numel(), dtype=x.dtype).view_as(out)).sum() + out.square().sum()
    first = torch.autograd.grad(total, [x, *parameters], create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), [x, *parameters], allow_unused=True)
    return [out, *first, *(g for g in second if g is not None)]


def close(a: list[Tensor], b: list[Tensor], tolerance: float, least: float = 1e-3) -> bool:
    """Whether tensors agree relative to the largest number in each, or to `least` where all are smaller."""
    return len(a) == len(b) and all(
        x.shape == y.shape and (x - y).abs().max() <= tolerance * x.abs().max().clamp(min=least)
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pair", PAIRS)
def test_values_gradients_and_second_derivatives(pair: str, bias: bool, dtype: torch.dtype) -> None:
    plain, other = both(*layers(pair, bias=bias), nn.Tanh(), dtype=dtype)
    for shape in ((2, 3, 4, 4), (1, 3, 5, 8), (3, 3, 7, 2), (2, 3, 11, 3)):
        x = torch.randn(shape, dtype=dtype)
        assert close(everything(plain, x), everything(other, x), TOLERANCE[dtype]), shape


@settings(deadline=None, max_examples=40)
@given(
    pair=st.sampled_from(PAIRS),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 9), st.integers(2, 9)),
    outputs=st.integers(1, 4),
)
def test_any_size_and_number_of_channels(pair: str, shape: tuple[int, ...], outputs: int) -> None:
    plain, other = both(*layers(pair, shape[1], outputs))
    x = torch.randn(shape, dtype=torch.float64)
    assert close(everything(plain, x), everything(other, x), 1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_each_border_pixel_alone(pair: str) -> None:
    """What an image of one bright pixel becomes shows the padding, corner by corner and side by side."""
    plain, other = both(*layers(pair, 1, 1))
    for index in range(6 * 4):
        x = torch.zeros(24, dtype=torch.float64)
        x[index] = 1
        assert torch.allclose(plain(x.view(1, 1, 6, 4)), other(x.view(1, 1, 6, 4)), rtol=0, atol=1e-12)


def test_a_single_pixel_is_upsampled_too() -> None:
    plain, other = both(*layers("up_conv3"))
    x = torch.randn(2, 3, 1, 1, dtype=torch.float64)
    assert close(everything(plain, x), everything(other, x), 1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_pair_is_computed_as_one(pair: str, monkeypatch) -> None:
    """Upsampling and pooling are not called, or where they see fewer channels or pixels."""
    found = rule(*layers(pair))  # type: ignore[arg-type]
    assert found is not None and found.__name__ == f"_{pair}"
    _, other = both(*layers(pair))
    seen: list[int] = []
    for kind in (nn.Upsample, nn.AvgPool2d):
        forward = kind.forward
        monkeypatch.setattr(kind, "forward", lambda s, x, forward=forward: seen.append(x.shape[1]) or forward(s, x))
    other(torch.randn(2, 3, 4, 4, dtype=torch.float64))
    assert seen == {"up_conv1": [4], "conv1_pool": [3]}.get(pair, [])


CONV = {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1}


class Scaled(nn.Conv2d):
    """A convolution whose weights are not what they seem."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


ALONE: dict[str, list[nn.Module]] = {
    "given size": [nn.Upsample(size=(8, 8)), nn.Conv2d(**CONV)],
    "thrice": [nn.Upsample(scale_factor=3), nn.Conv2d(**CONV)],
    "one direction": [nn.Upsample(scale_factor=(2, 1)), nn.Conv2d(**CONV)],
    "one and a half": [nn.Upsample(scale_factor=1.5), nn.Conv2d(**CONV)],
    "bilinear": [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(**CONV)],
    "5x5": [UP, nn.Conv2d(4, 4, 5, padding=2)],
    "stride": [UP, nn.Conv2d(**CONV, stride=2)],
    "no padding": [UP, nn.Conv2d(4, 4, 3)],
    "reflected": [UP, nn.Conv2d(**CONV, padding_mode="reflect")],
    "circular": [nn.Conv2d(**CONV, padding_mode="circular"), POOL],
    "dilation": [UP, nn.Conv2d(4, 4, 3, padding=2, dilation=2)],
    "groups": [UP, nn.Conv2d(**CONV, groups=2)],
    "padded 1x1": [UP, nn.Conv2d(4, 4, 1, padding=1)],
    "strided 1x1": [nn.Conv2d(4, 4, 1, stride=2), POOL],
    "subclass": [UP, Scaled(**CONV)],
    "means of 3x3": [nn.Conv2d(**CONV), nn.AvgPool2d(3)],
    "overlapping": [nn.Conv2d(**CONV), nn.AvgPool2d(2, 1)],
    "rounded up": [nn.Conv2d(**CONV), nn.AvgPool2d(2, ceil_mode=True)],
    "padded means": [nn.Conv2d(**CONV), nn.AvgPool2d(2, padding=1)],
    "sums": [nn.Conv2d(**CONV), nn.AvgPool2d(2, divisor_override=1)],
    "maxima": [nn.Conv2d(**CONV), nn.MaxPool2d(2)],
    "something between": [UP, nn.ReLU(), nn.Conv2d(**CONV)],
    "wrong order": [nn.Conv2d(**CONV), UP],
    "transposed": [UP, nn.ConvTranspose2d(4, 4, 3, padding=1)],
}


@pytest.mark.parametrize("name", ALONE)
def test_left_alone(name: str) -> None:
    module = nn.Sequential(*ALONE[name])
    rewrite(module)
    assert type(module) is nn.Sequential and not rewritable(module)


@pytest.mark.parametrize(
    "up", [nn.Upsample(scale_factor=(2, 2), mode="nearest-exact"), nn.UpsamplingNearest2d(None, 2)]
)
def test_other_names_of_nearest_upsampling(up: nn.Module) -> None:
    plain, other = both(up, nn.Conv2d(3, 4, 3, padding=1))
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    assert isinstance(other, Rewritten) and close(everything(plain, x), everything(other, x), 1e-10)


def stack() -> nn.Sequential:
    return nn.Sequential(UP, nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), POOL)


def test_one_layer_in_several_places() -> None:
    plain, other = both(UP, nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), UP, nn.Conv2d(3, 2, 1))
    assert rewritable(other) == ["0 + 1", "3 + 4"]
    x = torch.randn(2, 3, 3, 5, dtype=torch.float64)
    assert close(everything(plain, x), everything(other, x), 1e-10)


def test_modules_parameters_and_names_stay() -> None:
    module = stack()
    before = dict(module.named_parameters()), list(module.state_dict()), list(module.named_modules())
    rewrite(module)
    rewrite(module)
    assert rewritable(module) == ["0 + 1", "3 + 4"]
    assert all(p is before[0][name] for name, p in module.named_parameters())
    assert list(module.state_dict()) == before[1]
    assert [(name, id(m)) for name, m in module.named_modules()] == [(name, id(m)) for name, m in before[2]]
    assert isinstance(module, nn.Sequential) and type(module[0]) is nn.Upsample and type(module[1]) is nn.Conv2d
    assert torch.equal(module[:1](torch.ones(1, 3, 2, 2)), torch.ones(1, 3, 4, 4))


def test_copies_compute_with_their_own_weights() -> None:
    module, x = stack().eval(), torch.randn(2, 3, 4, 4)
    rewrite(module)
    before = module(x)
    average = Average(Ema(0.9), {"G": module}, ["G"])
    stored = io.BytesIO()
    torch.save(module, stored)
    stored.seek(0)
    copies = [copy.deepcopy(module), average.parts["G"], torch.load(stored, weights_only=False)]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert module(x).abs().max() == 0
    assert all(rewritable(c) == ["0 + 1", "3 + 4"] and torch.equal(c(x), before) for c in copies)


@pytest.mark.parametrize("layer", [0, 1, 3, 4])
@pytest.mark.parametrize("register", ["forward_hook", "forward_pre_hook", "full_backward_hook", "everywhere"])
def test_hooks_on_either_layer_are_called(register: str, layer: int) -> None:
    module, x = stack().eval(), torch.randn(2, 3, 4, 4, requires_grad=True)
    rewrite(module)
    expected, calls = module(x), []

    def hook(called: nn.Module, *seen: Any) -> None:
        if called is module[layer]:
            calls.append(called)

    if register == "everywhere":
        handle = register_module_forward_hook(hook)
    else:
        handle = getattr(module[layer], f"register_{register}")(hook)
    out = module(x)
    out.sum().backward()
    handle.remove()
    assert calls == [module[layer]]
    assert torch.allclose(out, expected, atol=1e-6)
    module(x).sum().backward()
    assert len(calls) == 1


@pytest.mark.parametrize("pair", PAIRS)
def test_spectral_norm_takes_one_round_at_each_forward(pair: str) -> None:
    plain = nn.Sequential(*layers(pair), nn.Tanh()).double()
    SpectralNorm().attach(plain)
    other = copy.deepcopy(plain)
    rewrite(other)
    assert isinstance(other, Rewritten)
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    for _ in range(3):
        assert close(everything(plain, x), everything(other, x), 1e-10)
    assert equal(tensors({"D": plain}), tensors({"D": other}))


def test_spectral_norm_by_hooks_is_left_to_them() -> None:
    module = nn.Sequential(UP, nn.utils.spectral_norm(nn.Conv2d(3, 4, 3, padding=1)))
    rewrite(module)
    assert not rewritable(module)


@pytest.mark.parametrize("pair", PAIRS)
def test_autocast_and_channels_last(pair: str) -> None:
    plain, other = both(*layers(pair, 8, 16), dtype=torch.float32)
    x = torch.randn(4, 8, 6, 10)
    exact = plain(x)
    assert torch.allclose(other(x.to(memory_format=torch.channels_last)), exact, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        a, b = plain(x), other(x)
    assert a.dtype == b.dtype == torch.bfloat16
    assert (b - exact).abs().max() < 2 * (a - exact).abs().max() + 1e-3
    half, rewritten = both(*layers(pair, 8, 16), dtype=torch.bfloat16)
    assert torch.allclose(half(x.bfloat16()), rewritten(x.bfloat16()), atol=0.05)


def test_what_is_no_batch_of_images_meets_the_plain_layers() -> None:
    plain, other = both(nn.Conv2d(3, 4, 3, padding=1), POOL)
    x = torch.randn(3, 6, 6, dtype=torch.float64)
    assert torch.equal(plain(x), other(x))
    assert other.to("meta")(torch.empty(2, 3, 6, 8, dtype=torch.float64, device="meta")).shape == (2, 4, 3, 4)


def test_compiles_into_one_graph() -> None:
    _, other = both(*layers("up_conv3"), nn.ReLU(), *layers("conv3_pool", 4), dtype=torch.float32)
    x = torch.randn(2, 3, 4, 4)
    compiled = torch.compile(other, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(x), other(x), atol=1e-6)


NETWORKS = [
    (ResnetG(8, 3, (16, 24), width=6), torch.randn(3, 8), 4),
    (ResnetG(8, 1, (13, 18), width=6, base=4), torch.randn(3, 8), 6),
    (ResnetD(3, (16, 24), width=6, base=4), torch.randn(3, 3, 16, 24), 5),
    (ResnetD(1, (13, 17), width=6, base=4, norm="layer"), torch.randn(3, 1, 13, 17), 3),
]


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(("network", "x", "count"), NETWORKS)
def test_residual_networks(network: nn.Module, x: Tensor, count: int, spectral: bool) -> None:
    plain = copy.deepcopy(network).double()
    if spectral:
        SpectralNorm().attach(plain)
    other = copy.deepcopy(plain)
    rewrite(other)
    assert len(rewritable(other)) == count
    assert close(everything(plain, x.double()), everything(other, x.double()), 1e-10, least=1.0)
    assert close([*plain.state_dict().values()], [*other.state_dict().values()], 1e-9)


SMALL = "sngan/sngan"


def has_rewritten(part: nn.Module) -> bool:
    return any(isinstance(module, Rewritten) for module in part.modules())


def rewritten(parts: dict[str, Any]) -> list[str]:
    return [name for name, p in parts.items() if isinstance(p, nn.Module) and has_rewritten(p)]


def test_training_is_the_same_up_to_rounding() -> None:
    descent = {"use": "optimizer.sgd", "lr": 0.01}  # Adam makes whole steps of gradients that are but rounding
    with_it, without = (trainer(small(SMALL, optimizer=descent, **{"train.rewrite": on})) for on in (True, False))
    assert rewritten(with_it.parts) == ["G", "D"] and not rewritten(without.parts)
    assert equal(tensors(with_it.parts), tensors(without.parts))
    for _ in range(3):
        with_it.advance()
        without.advance()
    a, b = tensors(with_it.parts), tensors(without.parts)
    assert all(torch.allclose(a[key].double(), b[key].double(), rtol=1e-3, atol=1e-5) for key in a)


def test_a_resumed_run_is_the_same_to_the_bit() -> None:
    straight, first, second = (trainer(small(SMALL)) for _ in range(3))
    for _ in range(4):
        straight.advance()
    for _ in range(2):
        first.advance()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(2):
        second.advance()
    assert "G" in rewritten(second.parts)
    assert equal(tensors(straight.parts), tensors(second.parts))


def test_it_is_written_down() -> None:
    on, off = small(SMALL), small(SMALL, **{"train.rewrite": False})
    assert locked(on.blueprint)["train"]["rewrite"] is True
    assert locked(off.blueprint)["train"]["rewrite"] is False
    assert "blocks.0.main.2 + 3" in explain.explain(on.blueprint)["parts"]["G"]["rewritten"]
    assert "layer pairs computed as one: 6" in explain.text(on.blueprint)
    assert "computed as one" not in explain.text(off.blueprint)
