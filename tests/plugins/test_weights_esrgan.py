"""Weights of ESRGAN, BasicSR and Real-ESRGAN: small networks written from the authors' formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_unshuffle

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.adopt import adopt, by_layout
from ganzoo.model.revert import revert
from ganzoo.registry import Layout, plugins
from ganzoo.store import weights
from tests.plugins.test_weights import Wrapped, conv, double, scrambled, taken

__all__ = ["double"]  # used by every test
WIDTH, GROWTH = 4, 3


def dense(width: int = WIDTH, growth: int = GROWTH) -> list[nn.Module]:
    layers = [conv(width + i * growth, growth, 3, 1, 1) for i in range(4)]
    return [*layers, conv(width + 4 * growth, width, 3, 1, 1)]


def network(kind: str, blocks: int, seen: int, width: int = WIDTH, growth: int = GROWTH) -> nn.Module:
    """The tensors of a generator by the names of one generation."""

    def same() -> nn.Module:
        return conv(width, width, 3, 1, 1)

    if kind == "basicsr_rrdb":
        names, block, trunk = ("conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"), "rdb", "body"
    else:
        names = ("conv_first", "trunk_conv", "upconv1", "upconv2", "HRconv", "conv_last")
        block, trunk = "RDB", "RRDB_trunk"

    def one(layer: nn.Module) -> nn.Module:
        return nn.Sequential(layer) if kind == "esrgan_first" else layer

    def rrdb() -> nn.Module:
        inside = [{f"conv{i}": one(layer) for i, layer in enumerate(dense(width, growth), 1)} for _ in range(3)]
        return Wrapped(**{f"{block}{i}": Wrapped(**layers) for i, layers in enumerate(inside, 1)})

    first, *middle, final = conv(seen, width, 3, 1, 1), *(same() for _ in range(4)), conv(width, 3, 3, 1, 1)
    body = [rrdb() for _ in range(blocks)]
    if kind == "esrgan_first":
        sub, up = nn.Sequential(*body, middle[0]), nn.Upsample(scale_factor=2)
        ups = [up, middle[1], nn.LeakyReLU(0.2), up, middle[2], nn.LeakyReLU(0.2)]
        return Wrapped(model=nn.Sequential(first, Wrapped(sub=sub), *ups, middle[3], nn.LeakyReLU(0.2), final))
    return Wrapped(**dict(zip(names, [first, *middle, final], strict=True)), **{trunk: nn.Sequential(*body)})


def computed(theirs: nn.Module, kind: str, x: Tensor) -> Tensor:
    """The authors' formula for images in [0, 1]."""

    def layer(*names: str) -> nn.Module:
        return theirs.get_submodule(next(n for n in names if n in dict(theirs.named_modules())))

    def block(y: Tensor, convolutions: nn.Module) -> Tensor:
        seen = [y]
        for one in list(convolutions.children())[:4]:
            seen.append(leaky_relu(one(torch.cat(seen, 1)), 0.2))
        return y + 0.2 * list(convolutions.children())[4](torch.cat(seen, 1))

    if kind == "esrgan_first":
        blocks = list(layer("model.1.sub").children())[:-1]
        after = list(layer("model.1.sub").children())[-1]
        head, up1, up2, hr, last = (layer(f"model.{i}") for i in (0, 3, 6, 8, 10))
    else:
        blocks = list(layer("body", "RRDB_trunk").children())
        head, after = layer("conv_first"), layer("conv_body", "trunk_conv")
        up1, up2 = layer("conv_up1", "upconv1"), layer("conv_up2", "upconv2")
        hr, last = layer("conv_hr", "HRconv"), layer("conv_last")
    y = first = head(x)
    for rrdb in blocks:
        z = y
        for convolutions in rrdb.children():
            z = block(z, convolutions)
        y = y + 0.2 * z
    y = first + after(y)
    for up in (up1, up2):
        y = leaky_relu(up(interpolate(y, scale_factor=2, mode="nearest")), 0.2)
    return last(leaky_relu(hr(y), 0.2))


def part(scale: int = 4, **settings: object) -> nn.Module:
    size = {"in_channels": 3, "in_size": (8, 8), "out_channels": 3, "out_size": (8 * scale, 8 * scale)}
    return ganzoo.make("generator.rrdb", **(size | {"width": WIDTH, "growth": GROWTH, "blocks": 2} | settings))


def layout(name: str) -> Layout:
    return next(known for known in plugins.installed().layouts if known.name == name)


def calm(theirs: nn.Module) -> nn.Module:
    """Outputs inside (0, 1), which are clamped in evaluation."""
    for name, tensor in theirs.state_dict().items():
        if name in ("conv_last.bias", "model.10.bias"):
            tensor.fill_(0.5)
    return theirs.eval()


@pytest.mark.parametrize("kind", ["basicsr_rrdb", "esrgan", "esrgan_first"])
def test_the_generator_of_esrgan_in_three_generations(tmp_path: Path, kind: str) -> None:
    theirs = calm(network(kind, 2, 3))
    torch.save(
        {"params_ema": theirs.state_dict()} if kind == "basicsr_rrdb" else theirs.state_dict(), tmp_path / "g.pth"
    )
    ours = part()
    found = taken(tmp_path / "g.pth", ours, "generator.rrdb")
    assert found.how.split(",")[0] == f"layout {kind}" and not found.unused
    x = torch.rand(2, 3, 8, 6)
    expected = computed(theirs, kind, x)
    assert expected.min() > 0 and expected.max() < 1 and expected.std() > 0.001
    assert torch.allclose(ours(2 * x - 1), 2 * expected - 1, atol=1e-12)


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 2), (1, 4)])
def test_real_esrgan_enlarges_twice_by_moving_pixels_to_channels(tmp_path: Path, scale: int, unshuffle: int) -> None:
    theirs = calm(network("basicsr_rrdb", 1, 3 * unshuffle**2))
    torch.save({"params_ema": theirs.state_dict()}, tmp_path / "x2.pth")
    with pytest.raises(
        UserError, match=f"its first layer sees {3 * unshuffle**2} channels; write `unshuffle: {unshuffle}`"
    ):
        taken(tmp_path / "x2.pth", part(scale, blocks=1), "generator.rrdb")
    ours = part(scale, blocks=1, unshuffle=unshuffle)
    taken(tmp_path / "x2.pth", ours, "generator.rrdb")
    x = torch.rand(1, 3, 8, 12)
    expected = computed(theirs, "basicsr_rrdb", pixel_unshuffle(x, unshuffle))
    assert torch.allclose(ours(2 * x - 1), 2 * expected - 1, atol=1e-12)
    assert ours(x[:, :, :5, :7]).shape[2:] == (5 * scale, 7 * scale), "sides that are no multiples are continued"


def test_tiles_begin_at_whole_squares_of_pixels() -> None:
    whole = part(2, unshuffle=2, blocks=1)
    pieces = part(2, unshuffle=2, blocks=1, tile=32, margin=14)
    pieces.load_state_dict(whole.state_dict())
    x = torch.rand(1, 3, 47, 8)
    assert torch.allclose(whole.eval()(x), pieces.eval()(x), atol=1e-3)
    with pytest.raises(UserError, match="multiples of unshuffle 2"):
        part(2, unshuffle=2, tile=99)


def test_settings_that_would_mean_something_else_are_refused(tmp_path: Path) -> None:
    torch.save(network("esrgan", 2, 3).state_dict(), tmp_path / "g.pth")
    for settings, message in (
        ({"blocks": 1}, "it has 2 blocks, the part 1; write `blocks: 2`"),
        ({"residual": 0.1}, "write `residual: 0.2`"),
        ({"base": "bicubic"}, "write `base: none`"),
        ({"growth": 2}, "another shape"),
    ):
        with pytest.raises(UserError, match=message):
            taken(tmp_path / "g.pth", part(**settings), "generator.rrdb")
    with pytest.raises(UserError, match="doubles twice, the part 1 times"):
        revert(part(2), layout("esrgan"))


def test_what_a_part_remembers_is_the_network_of_the_file(tmp_path: Path) -> None:
    theirs = calm(network("esrgan", 2, 3))
    torch.save(theirs.state_dict(), tmp_path / "g.pth")
    ours = part()
    ganzoo.make("regularizer.anchor").attach(ours)
    found = adopt(ours, "generator.rrdb", weights.chosen(tmp_path / "g.pth"), plugins.installed().layouts, None)
    ours.load_state_dict(found.tensors)
    assert torch.equal(ours.anchor.weights, torch.cat([p.float().flatten() for p in ours.parameters()]))
    written = revert(ours, layout("esrgan"))
    assert written.keys() == theirs.state_dict().keys()


def test_the_discriminator_of_basicsr(tmp_path: Path) -> None:
    widths = [2, 4, 8, 16, 16]
    layers: dict[str, nn.Module] = {}
    before = 3
    for i, width in enumerate(widths):
        layers[f"conv{i}_0"] = conv(before, width, 3, 1, 1, bias=i == 0)
        if i:
            layers[f"bn{i}_0"] = nn.BatchNorm2d(width)
        layers[f"conv{i}_1"] = conv(width, width, 4, 2, 1, bias=False)
        layers[f"bn{i}_1"] = nn.BatchNorm2d(width)
        before = width
    theirs = scrambled(Wrapped(**layers, linear1=nn.Linear(16, 7), linear2=nn.Linear(7, 1)))
    torch.save({"params": theirs.state_dict()}, tmp_path / "d.pth")
    ours = ganzoo.make("discriminator.esrgan", in_channels=3, in_size=(32, 32), width=2, hidden=7)
    taken(tmp_path / "d.pth", ours, "discriminator.esrgan")
    x = torch.rand(2, 3, 32, 32)
    y = x
    for name, layer in theirs.named_children():
        if name.startswith("linear1"):
            y = y.flatten(1)
        y = layer(y)
        if name.startswith(("bn", "linear1")) or name == "conv0_0":
            y = leaky_relu(y, 0.2)
    assert torch.allclose(ours(x).logit, y.flatten(), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "blocks", "scale", "unshuffle"),
    [
        ("esrgan_first", 23, 4, 1),
        ("esrgan", 23, 4, 1),
        ("basicsr_rrdb", 23, 4, 1),
        ("basicsr_rrdb", 6, 4, 1),
        ("basicsr_rrdb", 23, 2, 2),
    ],
)
def test_full_size_files_fit_the_networks_of_the_papers(
    monkeypatch, kind: str, blocks: int, scale: int, unshuffle: int
) -> None:
    """Shapes alone, by the authors' rules, of ESRGAN, and of Real-ESRGAN with 6 blocks and twice as large."""
    monkeypatch.setattr(torch.Tensor, "normal_", lambda tensor, *_, **__: tensor)  # slow without a device
    with torch.device("meta"):
        theirs = network(kind, blocks, 3 * unshuffle**2, 64, 32).state_dict()
        ours = part(scale, width=64, growth=None, blocks=blocks, unshuffle=unshuffle)
    assert layout(kind).share(theirs) == 1
    found = by_layout(ours, theirs, layout(kind))
    assert found.used == len(theirs) == len(ours.state_dict()) == 2 * (15 * blocks + 6)
    assert revert(ours.to_empty(device="cpu"), layout(kind)).keys() == theirs.keys()
