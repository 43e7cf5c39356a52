"""Weights of AttnGAN: a small tree written from the authors' formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo.errors import UserError
from tests.plugins.test_weights import Wrapped, conv, double, scrambled, taken
from tests.plugins.test_weights_stackgan_pp import block, grown, image, kept, seeing, verdict

__all__ = ["double"]  # used by every test
WORD, TEXT, Z, WIDTH = 6, 5, 3, 8


def stage() -> nn.Module:
    att = Wrapped(conv_context=conv(WORD, WIDTH, 1, 1, 0, False))
    return Wrapped(att=att, residual=nn.Sequential(block(2 * WIDTH), block(2 * WIDTH)), upsample=grown(2 * WIDTH))


@pytest.fixture
def tree(tmp_path: Path) -> tuple[nn.Module, Path]:
    wide = 2 * 4 * WIDTH * 16
    root = Wrapped(
        fc=nn.Sequential(nn.Linear(Z + TEXT, wide, bias=False), nn.BatchNorm1d(wide), nn.GLU(1)),
        **{f"upsample{i}": grown(8 * WIDTH >> i) for i in (1, 2)},
    )
    network = Wrapped(
        ca_net=Wrapped(fc=nn.Linear(WORD, 4 * TEXT)),
        h_net1=root,
        **{f"h_net{number}": stage() for number in (2, 3)},
        **{f"img_net{number}": image(WIDTH) for number in (1, 2, 3)},
    )
    scrambled(network)
    torch.save(network.state_dict(), tmp_path / "netG.pth")
    return network, tmp_path / "netG.pth"


def test_the_tree_that_looks_for_words(tree: tuple[nn.Module, Path]) -> None:
    theirs, path = tree
    c, z, words = torch.rand(2, TEXT), torch.rand(2, Z), torch.rand(2, 4, WORD)
    taken(path, ganzoo.make("encoder.conditioning_glu", text_dim=WORD, size=TEXT), "encoder.conditioning_glu")
    root = ganzoo.make("generator.stackgan_pp", z_dim=Z, text_dim=TEXT, out_channels=3, out_size=(16, 16), width=WIDTH)
    assert taken(path, root, "generator.stackgan_pp").how == "layout stackgan_v2"
    h = theirs.h_net1.fc(torch.cat([c, z], 1)).view(2, 4 * WIDTH, 4, 4)
    h = theirs.h_net1.upsample2(theirs.h_net1.upsample1(h))
    assert torch.allclose(root(z, c).features, h, rtol=1e-9)
    for number, size in ((2, 16), (3, 32)):
        sizes = {"in_channels": WIDTH, "in_size": (size, size), "out_channels": 3, "out_size": (2 * size, 2 * size)}
        ours = ganzoo.make("generator.attngan_refine", **sizes, text_dim=WORD)
        with pytest.raises(UserError, match=r"one of several in it: .*branch2 and .*branch3 .*match=attngan_branch3"):
            taken(path, ours, "generator.attngan_refine")
        name = f"attngan_branch{number}"
        assert taken(path, ours, "generator.attngan_refine", match=name).how == f"layout {name}"
        network = getattr(theirs, f"h_net{number}")
        keys = network.att.conv_context(words.transpose(1, 2)[..., None]).squeeze(3)  # U e, b n t
        weights = torch.softmax(h.flatten(2).transpose(1, 2) @ keys, 2)  # of each place, b p t
        seen = (keys @ weights.transpose(1, 2)).view_as(h)
        made, x = ours(h, words), torch.cat([h, seen], 1)
        for one in network.residual:
            x = x + one.block(x)
        h = network.upsample(x)
        assert torch.allclose(made.features, h, rtol=1e-9)
        assert torch.allclose(made.image, getattr(theirs, f"img_net{number}").img(h), atol=1e-9)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_discriminators_of_three_sizes(tmp_path: Path, size: int) -> None:
    see = seeing(size)
    cond = Wrapped(jointConv=kept(16 + TEXT, 16), outlogits=verdict())
    theirs = scrambled(Wrapped(**see, UNCOND_DNET=Wrapped(outlogits=verdict()), COND_DNET=cond))
    path = tmp_path / f"netD_{size}.pth"
    torch.save(theirs.state_dict(), path)
    ours = ganzoo.make("discriminator.stackgan_pp", in_channels=3, in_size=(size, size), text_dim=TEXT, width=2)
    assert taken(path, ours, "discriminator.stackgan_pp").how == "layout attngan_discriminator"
    x, c = torch.rand(2, 3, size, size), torch.rand(2, TEXT)
    code = x
    for name in see:
        code = getattr(theirs, name)(code)
    joint = cond.jointConv(torch.cat([code, c[:, :, None, None].expand(2, TEXT, 4, 4)], 1))  # the image comes first
    found = ours(x, c)
    assert torch.allclose(found.logit, cond.outlogits[0](joint).flatten(), rtol=1e-9)
    assert torch.allclose(found.unconditional, theirs.UNCOND_DNET.outlogits[0](code).flatten(), rtol=1e-9)
