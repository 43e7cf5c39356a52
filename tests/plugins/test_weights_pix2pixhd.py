"""Weights of pix2pixHD: small networks written from the authors' formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.adopt import by_layout
from ganzoo.registry import plugins
from tests.plugins.test_weights import Wrapped, conv, double, scrambled, taken

__all__ = ["double"]  # used by every test


class Residual(nn.Module):
    def __init__(self, width: int, tracked: bool):
        super().__init__()
        first = [nn.ReflectionPad2d(1), *normed(conv(width, width, 3), width, tracked)]
        last = [conv(width, width, 3), nn.InstanceNorm2d(width, track_running_stats=tracked)]
        self.conv_block = nn.Sequential(*first, nn.ReflectionPad2d(1), *last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def normed(layer: nn.Module, width: int, tracked: bool = False) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(width, track_running_stats=tracked), nn.ReLU()]


def up(a: int, b: int) -> list[nn.Module]:
    return normed(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), b)


def coarse(seen: int, width: int, downs: int, blocks: int, tracked: bool = False) -> list[nn.Module]:
    layers = [nn.ReflectionPad2d(3), *normed(conv(seen, width, 7), width, tracked)]
    for level in range(downs):
        layers += normed(conv(width << level, 2 * width << level, 3, 2, 1), 2 * width << level, tracked)
    layers += [Residual(width << downs, tracked) for _ in range(blocks)]
    for level in range(downs, 0, -1):
        layers += up(width << level, width << level - 1)
    return layers


def last(width: int, out: int = 3) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), conv(width, out, 7), nn.Tanh()]


def enhancer(seen: int, width: int, downs: int, blocks: int, own: int) -> nn.Module:
    down = [nn.ReflectionPad2d(3), *normed(conv(seen, width, 7), width)]
    down += normed(conv(width, 2 * width, 3, 2, 1), 2 * width)
    rise = [*(Residual(2 * width, False) for _ in range(own)), *up(2 * width, width), *last(width)]
    inside = coarse(seen, 2 * width, downs, blocks)
    return Wrapped(model=nn.Sequential(*inside), model1_1=nn.Sequential(*down), model1_2=nn.Sequential(*rise))


def judge(seen: int, width: int, layers: int = 3) -> list[nn.Module]:
    found: list[nn.Module] = [nn.Sequential(conv(seen, width, 4, 2, 2), nn.LeakyReLU(0.2))]
    for level in range(1, layers + 1):
        a, b = width * min(2 ** (level - 1), 8), width * min(2**level, 8)
        norm = nn.InstanceNorm2d(b)
        found.append(nn.Sequential(conv(a, b, 4, 2 if level < layers else 1, 2), norm, nn.LeakyReLU(0.2)))
    return [*found, nn.Sequential(conv(width * min(2**layers, 8), 1, 4, 1, 2))]


def make(name: str, **settings: object) -> nn.Module:
    return ganzoo.make(name, **({"in_channels": 4, "in_size": (16, 16), "out_channels": 3} | settings))


@pytest.mark.parametrize("tracked", [False, True])
def test_the_global_generator(tmp_path: Path, tracked: bool) -> None:
    theirs = scrambled(Wrapped(model=nn.Sequential(*coarse(4, 2, 2, 2, tracked), *last(2))))
    torch.save(theirs.state_dict(), tmp_path / "G.pth")
    ours = make("generator.pix2pixhd", width=2, downs=2, blocks=2)
    assert taken(tmp_path / "G.pth", ours, "generator.pix2pixhd").how == "layout pix2pixhd"
    for module in theirs.modules():
        module.train(isinstance(module, nn.InstanceNorm2d))  # their test uses the statistics of each image
    x = torch.rand(2, 4, 16, 16)
    assert torch.allclose(ours(x).image, theirs.model(x), atol=1e-12)
    for settings in ({"blocks": 1}, {"blocks": 3}, {"downs": 1}):
        with pytest.raises(UserError, match=r"layout pix2pixhd, but|does not fit the part"):
            taken(
                tmp_path / "G.pth",
                make("generator.pix2pixhd", **{"width": 2, "downs": 2, "blocks": 2} | settings),
                "generator.pix2pixhd",
            )


def test_the_local_enhancer_and_what_lies_inside(tmp_path: Path) -> None:
    theirs = scrambled(enhancer(4, 2, 2, 2, 1))
    torch.save(theirs.state_dict(), tmp_path / "G.pth")
    inside = make("generator.pix2pixhd", width=4, downs=2, blocks=2)
    tail = inside.tail[1].weight.clone()
    assert taken(tmp_path / "G.pth", inside, "generator.pix2pixhd").how == "layout pix2pixhd_inside_local"
    assert torch.equal(inside.tail[1].weight, tail), "which that file has not"
    ours = make("generator.pix2pixhd_local", in_size=(32, 32), cond_channels=4, blocks=1)
    taken(tmp_path / "G.pth", ours, "generator.pix2pixhd_local")
    x = torch.rand(2, 4, 32, 32)
    half = nn.AvgPool2d(3, 2, 1, count_include_pad=False)(x)
    expected = theirs.model1_2(theirs.model1_1(x) + theirs.model(half))
    assert torch.allclose(ours(x, inside(ganzoo.make("op.halve")(x)).maps), expected, atol=1e-12)


def test_the_encoder_of_features(tmp_path: Path) -> None:
    theirs = scrambled(Wrapped(model=nn.Sequential(*coarse(3, 2, 2, 0), *last(2, 5))))
    torch.save(theirs.state_dict(), tmp_path / "E.pth")
    ours = ganzoo.make("encoder.pix2pixhd", in_channels=3, in_size=(16, 16), features=5, width=2, downs=2)
    taken(tmp_path / "E.pth", ours, "encoder.pix2pixhd")
    x = torch.rand(1, 3, 16, 16)
    things = (torch.arange(16) > 6).double().expand(1, 1, 16, 16)
    expected = theirs.model(x)
    for thing in (0, 1):
        seen = (things == thing).expand_as(expected)
        mean = (expected * seen).sum((2, 3), keepdim=True) / seen.sum((2, 3), keepdim=True)
        expected = torch.where(seen, mean, expected)
    assert torch.allclose(ours(x, things), expected, atol=1e-12)


def test_one_scale_of_the_discriminators(tmp_path: Path) -> None:
    scales = [judge(5, 2), judge(5, 2)]
    parts = {f"scale{i}_layer{j}": layer for i, layers in enumerate(scales) for j, layer in enumerate(layers)}
    torch.save(scrambled(Wrapped(**parts)).state_dict(), tmp_path / "D.pth")
    ours = ganzoo.make("discriminator.pix2pixhd", in_channels=3, cond_channels=2, width=2)
    with pytest.raises(
        UserError, match="holds several scales; write FILE:KEY with scale0 or scale1, the last for full"
    ):
        taken(tmp_path / "D.pth", ours, "discriminator.pix2pixhd")
    x, cond = torch.rand(2, 3, 32, 32), torch.rand(2, 2, 32, 32)
    for number, layers in enumerate(scales):
        taken(tmp_path / "D.pth", ours, "discriminator.pix2pixhd", key=f"scale{number}")
        seen = [torch.cat([cond, x], 1)]
        for layer in layers:
            seen.append(layer(seen[-1]))
        found = ours(x, cond)
        assert torch.allclose(found.logit, seen[-1], atol=1e-12)
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found.maps, seen[1:-1], strict=True))


@pytest.mark.slow
def test_full_size_files_fit_the_networks_of_the_paper(monkeypatch) -> None:
    """Shapes alone, by the authors' rules: label maps of 35 classes and edges, 2048x1024."""
    monkeypatch.setattr(torch.Tensor, "normal_", lambda tensor, *_, **__: tensor)  # slow without a device
    with torch.device("meta"):
        theirs = enhancer(36, 32, 4, 9, 3)
        judges = {f"layer{i}": layer for i, layer in enumerate(judge(39, 64))}
        wide = {"in_channels": 36, "in_size": (512, 1024)}
        cases = [
            (
                Wrapped(model=nn.Sequential(*coarse(36, 64, 4, 9), *last(64))),
                "pix2pixhd",
                make("generator.pix2pixhd", **wide),
            ),
            (theirs, "pix2pixhd_inside_local", make("generator.pix2pixhd", **wide)),
            (theirs, "pix2pixhd_local", make("generator.pix2pixhd_local", **wide, cond_channels=64)),
            (
                Wrapped(**judges),
                "pix2pixhd_discriminator",
                ganzoo.make("discriminator.pix2pixhd", in_channels=3, cond_channels=36),
            ),
            (
                Wrapped(model=nn.Sequential(*coarse(3, 16, 4, 0), *last(16))),
                "pix2pixhd_encoder",
                ganzoo.make("encoder.pix2pixhd", in_channels=3, in_size=(512, 1024)),
            ),
        ]
    used = []
    for network, name, ours in cases:
        layout = next(known for known in plugins.installed().layouts if known.name == name)
        found = by_layout(ours, network.state_dict(), layout)
        assert found.used == len(ours.state_dict())
        used.append(found.used - 2 * (name == "pix2pixhd_inside_local"))
    assert used == [56, 54, 20, 10, 20]
    assert used[1] + used[2] == len(theirs.state_dict())
