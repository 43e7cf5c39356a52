"""Weights of StackGAN-v2: small networks written from the authors' formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.errors import UserError
from tests.plugins.test_weights import Wrapped, conv, double, scrambled, taken

__all__ = ["double"]  # used by every test
TEXT, Z = 5, 3


def gated(a: int, b: int) -> list[nn.Module]:
    return [conv(a, 2 * b, 3, 1, 1, False), nn.BatchNorm2d(2 * b), nn.GLU(1)]


def grown(a: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), *gated(a, a // 2))


def image(width: int) -> nn.Module:
    return Wrapped(img=nn.Sequential(conv(width, 3, 3, 1, 1, False), nn.Tanh()))


def block(width: int) -> nn.Module:
    return Wrapped(block=nn.Sequential(*gated(width, width), conv(width, width, 3, 1, 1, False), nn.BatchNorm2d(width)))


def stage(width: int) -> nn.Module:
    joint, blocks = nn.Sequential(*gated(width + TEXT, width)), nn.Sequential(block(width))
    return Wrapped(jointConv=joint, residual=blocks, upsample=grown(width))


@pytest.fixture
def tree(tmp_path: Path) -> tuple[nn.Module, Path]:
    root = Wrapped(
        fc=nn.Sequential(nn.Linear(Z + TEXT, 2 * 32 * 16, bias=False), nn.BatchNorm1d(2 * 32 * 16), nn.GLU(1)),
        **{f"upsample{i}": grown(64 >> i) for i in (1, 2)},
    )
    network = Wrapped(
        ca_net=Wrapped(fc=nn.Linear(7, 4 * TEXT)), h_net1=root, img_net1=image(8), h_net2=stage(8), img_net2=image(4)
    )
    for name, part in (("h_net3", stage(4)), ("img_net3", image(2))):
        network.add_module(name, part)
    scrambled(network)
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, tmp_path / "netG.pth")
    return network, tmp_path / "netG.pth"


def test_the_tree_and_its_conditioning(tree: tuple[nn.Module, Path]) -> None:
    theirs, path = tree
    text, c, z = torch.rand(2, 7), torch.rand(2, TEXT), torch.rand(2, Z)
    conditioning = ganzoo.make("encoder.conditioning_glu", text_dim=7, size=TEXT)
    taken(path, conditioning, "encoder.conditioning_glu")
    value, gate = theirs.ca_net.fc(text).chunk(2, 1)
    assert torch.allclose(conditioning(text).mu, (value * gate.sigmoid())[:, :TEXT], atol=1e-12)

    root = ganzoo.make("generator.stackgan_pp", z_dim=Z, text_dim=TEXT, out_channels=3, out_size=(16, 16), width=8)
    assert taken(path, root, "generator.stackgan_pp").how == "layout stackgan_v2"
    h = theirs.h_net1.fc(torch.cat([c, z], 1)).view(2, 32, 4, 4)
    h = theirs.h_net1.upsample2(theirs.h_net1.upsample1(h))
    made = root(z, c)
    assert torch.allclose(made.image, theirs.img_net1.img(h), atol=1e-12)

    for number, size in ((2, 16), (3, 32)):
        sizes = {"in_channels": h.shape[1], "in_size": (size, size), "text_dim": TEXT}
        ours = ganzoo.make(
            "generator.stackgan_pp_refine", **sizes, out_channels=3, out_size=(2 * size, 2 * size), blocks=1
        )
        assert taken(path, ours, "generator.stackgan_pp_refine").how == f"layout stackgan_v2_branch{number}"
        network = getattr(theirs, f"h_net{number}")
        before = network.jointConv(torch.cat([c[:, :, None, None].expand(2, TEXT, size, size), h], 1))
        made = ours(h, c)
        h = network.upsample(before + network.residual[0].block(before))
        assert torch.allclose(made.features, h, rtol=1e-9)
        assert torch.allclose(made.image, getattr(theirs, f"img_net{number}").img(h), atol=1e-9)
    sizes = {"in_channels": 8, "in_size": (16, 16), "text_dim": TEXT, "out_channels": 3, "out_size": (32, 32)}
    with pytest.raises(UserError, match=r"stackgan_v2_branch2, but does not fit the part: .* tensors are missing"):
        more = ganzoo.make("generator.stackgan_pp_refine", **sizes, blocks=2)
        taken(path, more, "generator.stackgan_pp_refine")


def halved(a: int, b: int) -> list[nn.Module]:
    return [conv(a, b, 4, 2, 1, False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]


def kept(a: int, b: int) -> nn.Module:
    return nn.Sequential(conv(a, b, 3, 1, 1, False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))


def seeing(size: int) -> dict[str, nn.Module]:
    """What sees an image of `size`, by the authors' names; StackGAN-v2 and AttnGAN have the same."""
    first = [conv(3, 2, 4, 2, 1, False), nn.LeakyReLU(0.2), *halved(2, 4), *halved(4, 8), *halved(8, 16)]
    see: dict[str, nn.Module] = {"img_code_s16": nn.Sequential(*first)}
    if size > 64:
        see["img_code_s32"] = nn.Sequential(*halved(16, 32))
    if size == 128:
        see["img_code_s32_1"] = kept(32, 16)
    if size == 256:
        see |= {"img_code_s64": nn.Sequential(*halved(32, 64)), "img_code_s64_1": kept(64, 32)}
        see["img_code_s64_2"] = kept(32, 16)
    return see


def verdict() -> nn.Module:
    return nn.Sequential(conv(16, 1, 4, 4), nn.Sigmoid())


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_discriminators_of_three_sizes(tmp_path: Path, size: int) -> None:
    see = seeing(size)
    theirs = scrambled(Wrapped(**see, logits=verdict(), jointConv=kept(16 + TEXT, 16), uncond_logits=verdict()))
    torch.save(theirs.state_dict(), tmp_path / "netD.pth")
    ours = ganzoo.make("discriminator.stackgan_pp", in_channels=3, in_size=(size, size), text_dim=TEXT, width=2)
    taken(tmp_path / "netD.pth", ours, "discriminator.stackgan_pp")
    x, c = torch.rand(2, 3, size, size), torch.rand(2, TEXT)
    code: Tensor = x
    for name in see:
        code = getattr(theirs, name)(code)
    joint = theirs.jointConv(torch.cat([c[:, :, None, None].expand(2, TEXT, 4, 4), code], 1))
    found = ours(x, c)
    assert torch.allclose(found.logit, theirs.logits[0](joint).flatten(), rtol=1e-9)
    assert torch.allclose(found.unconditional, theirs.uncond_logits[0](code).flatten(), rtol=1e-9)
