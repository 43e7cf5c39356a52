"""Weights that others publish: small networks written from the authors' formulas, and our outputs with theirs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from ganzoo_regularizers.virtual import VirtualBatchNorm
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils import spectral_norm

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.adopt import Adopted, adopt
from ganzoo.model.revert import revert
from ganzoo.registry import Layout, plugins
from ganzoo.store import weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Formulas are compared in float64: batch norm over two values magnifies what a CPU rounds in float32."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def scrambled(network: nn.Module) -> nn.Module:
    """Statistics and gains away from 0 and 1, in evaluation mode."""
    generator = torch.Generator().manual_seed(3)
    for name, tensor in network.state_dict().items():
        if name.endswith(("_u", "_v", "num_batches_tracked")):
            continue
        tensor.add_(torch.rand(tensor.shape, generator=generator) * (1.0 if "running" in name else 0.2))
    return network.eval()


def taken(path: Path, part: nn.Module, target: str, key: str = "", match: str | None = None) -> Adopted:
    found = adopt(part, target, weights.chosen(path, key), plugins.installed().layouts, match)
    part.load_state_dict(found.tensors, strict=False)
    part.eval()
    layout = next(
        (known for known in plugins.installed().layouts if found.how.split(",")[0] == f"layout {known.name}"), None
    )
    if layout is not None and (layout.back is not None or layout.convert is None):
        gives_back(part, layout, found, path, key)
    return found


def gives_back(part: nn.Module, layout: Layout, found: Adopted, path: Path, key: str) -> None:
    """What was read can be written again under the names of the file, but for what the part has no use for."""
    if any(hasattr(module, "parametrizations") for module in part.modules()):
        with pytest.raises(UserError, match=r"no way back: its weights are reparametrised"):
            revert(part, layout)
        return
    theirs = weights.chosen(path, key)[0][1]
    written = revert(part, layout)
    assert len(written) == len(part.state_dict())
    for name, tensor in written.items():
        if name in theirs and not name.endswith("num_batches_tracked"):
            assert torch.allclose(tensor, theirs[name], rtol=1e-6, atol=1e-7), name
    folded = [name for name in theirs if name.endswith(("weight_orig", "weight_u", "weight_v"))]
    unused = {*found.unused, *folded, *(n for n in theirs if n.endswith(("running_mean", "running_var", "tracked")))}

    def plainly(name: str) -> str:
        """Without spectral norm, and without dropout, behind which CycleGAN's layers come one later."""
        return name.replace("weight_orig", "weight").replace("conv_block.6", "conv_block.5")

    assert {plainly(name) for name in theirs if name not in unused or "orig" in name} <= written.keys()
    assert {name for name in written if not name.endswith("tracked")} <= {plainly(name) for name in theirs}


class Wrapped(nn.Module):
    """A network under the name that its authors give it."""

    def __init__(self, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def conv(a: int, b: int, k: int, s: int = 1, p: int = 0, bias: bool = True) -> nn.Module:
    return nn.Conv2d(a, b, k, s, p, bias=bias)


# -- pytorch-CycleGAN-and-pix2pix --------------------------------------------------------------------------------------


class Residual(nn.Module):
    def __init__(self, width: int, tracked: bool, dropout: bool):
        super().__init__()
        norm = lambda: nn.InstanceNorm2d(width, track_running_stats=tracked)  # noqa: E731
        drop = [nn.Dropout(0.5)] if dropout else []
        layers = [nn.ReflectionPad2d(1), conv(width, width, 3), norm(), nn.ReLU(), *drop]
        self.conv_block = nn.Sequential(*layers, nn.ReflectionPad2d(1), conv(width, width, 3), norm())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def resnet(tracked: bool, dropout: bool) -> nn.Module:
    def normed(layer: nn.Module, width: int) -> list[nn.Module]:
        return [layer, nn.InstanceNorm2d(width, track_running_stats=tracked), nn.ReLU()]

    layers = [nn.ReflectionPad2d(3), *normed(conv(3, 2, 7), 2), *normed(conv(2, 4, 3, 2, 1), 4)]
    layers += [*normed(conv(4, 8, 3, 2, 1), 8), Residual(8, tracked, dropout)]
    layers += normed(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), 4) + normed(nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), 2)
    return Wrapped(model=nn.Sequential(*layers, nn.ReflectionPad2d(3), conv(2, 3, 7), nn.Tanh()))


@pytest.mark.parametrize(("tracked", "dropout"), [(False, False), (True, False), (True, True)])
def test_the_residual_generator_of_cyclegan(tmp_path, tracked, dropout) -> None:
    theirs = scrambled(resnet(tracked, dropout))
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G_A.pth")
    ours = ganzoo.make("generator.cyclegan", in_channels=3, in_size=(16, 16), out_channels=3, blocks=1, width=2)
    assert "pytorch_cyclegan" in taken(tmp_path / "latest_net_G_A.pth", ours, "generator.cyclegan").how
    for module in theirs.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.train()  # their test uses the statistics of each image
    x = torch.rand(2, 3, 16, 16)
    assert torch.allclose(ours(x), theirs.model(x), atol=1e-5)


class Skip(nn.Module):
    def __init__(self, outer: int, inner: int, inputs: int, inside: nn.Module | None, outermost: bool = False):
        super().__init__()
        self.outermost = outermost
        down: list[nn.Module] = [conv(inputs, inner, 4, 2, 1, bias=False)]
        up: list[nn.Module] = [nn.ReLU()]
        grow = nn.ConvTranspose2d(inner * (1 if inside is None else 2), outer, 4, 2, 1, bias=outermost)
        if outermost:
            up += [grow, nn.Tanh()]
        else:
            down = [nn.LeakyReLU(0.2), *down, *([nn.BatchNorm2d(inner)] if inside is not None else [])]
            up += [grow, nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*down, *([inside] if inside is not None else []), *up)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def test_the_unet_of_pix2pix(tmp_path) -> None:
    inside = Skip(8, 16, 8, Skip(16, 16, 16, None))
    theirs = scrambled(Wrapped(model=Skip(3, 4, 3, Skip(4, 8, 4, inside), True)))
    torch.save(theirs.state_dict(), tmp_path / "G.pth")
    sizes = {"in_channels": 3, "in_size": (16, 16), "out_channels": 3}
    ours = ganzoo.make("generator.unet", **sizes, width=4, downs=4)
    # widths double: 4 8 16 32; theirs stops at 16, so the last level differs
    with pytest.raises(UserError, match="another shape"):
        taken(tmp_path / "G.pth", ours, "generator.unet")
    theirs = scrambled(Wrapped(model=Skip(3, 4, 3, Skip(4, 8, 4, Skip(8, 16, 8, Skip(16, 32, 16, None))), True)))
    torch.save({"module." + key: value for key, value in theirs.state_dict().items()}, tmp_path / "G.pth")
    found = taken(tmp_path / "G.pth", ours, "generator.unet")
    assert found.used == len(ours.state_dict())
    x = torch.rand(2, 3, 16, 16)
    assert torch.allclose(ours(x), theirs.model(x), atol=1e-5)


def test_the_patch_discriminators(tmp_path) -> None:
    layers = [conv(5, 2, 4, 2, 1), nn.LeakyReLU(0.2), conv(2, 4, 4, 2, 1, False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)]
    layers += [conv(4, 8, 4, 1, 1, False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2), conv(8, 1, 4, 1, 1)]
    pixels = [conv(5, 2, 1), nn.LeakyReLU(0.2), conv(2, 4, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)]
    pixels.append(conv(4, 1, 1, bias=False))
    x, cond = torch.rand(2, 3, 16, 16), torch.rand(2, 2, 16, 16)
    for name, network, count in (("model", layers, 2), ("net", pixels, 0)):
        theirs = scrambled(Wrapped(**{name: nn.Sequential(*network)}))
        torch.save(theirs.state_dict(), tmp_path / "D.pth")
        sizes = {"in_channels": 3, "in_size": (16, 16), "cond_channels": 2}
        ours = ganzoo.make("discriminator.patchgan", **sizes, width=2, layers=count)
        taken(tmp_path / "D.pth", ours, "discriminator.patchgan")
        expected = getattr(theirs, name)(torch.cat([cond, x], 1))
        assert torch.allclose(ours(x, cond).logit, expected, atol=1e-5)


# -- StackGAN, SRGAN ---------------------------------------------------------------------------------------------------


def up_block(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), conv(a, b, 3, 1, 1, False), nn.BatchNorm2d(b), nn.ReLU())


def test_the_first_stage_of_stackgan_and_its_conditioning(tmp_path) -> None:
    theirs = Wrapped(
        ca_net=Wrapped(fc=nn.Linear(6, 10)),
        fc=nn.Sequential(nn.Linear(8, 8 * 16, bias=False), nn.BatchNorm1d(8 * 16), nn.ReLU()),
        upsample1=up_block(8, 4),
        upsample2=up_block(4, 2),
        img=nn.Sequential(conv(2, 3, 3, 1, 1, False), nn.Tanh()),
    )
    scrambled(theirs)
    torch.save(theirs.state_dict(), tmp_path / "netG.pth")
    z, c, text = torch.rand(2, 3), torch.rand(2, 5), torch.rand(2, 6)
    ours = ganzoo.make("generator.stackgan", z_dim=3, text_dim=5, out_channels=3, out_size=(16, 16), width=4)
    assert taken(tmp_path / "netG.pth", ours, "generator.stackgan").unused == ["ca_net.fc.weight", "ca_net.fc.bias"]
    h = theirs.fc(torch.cat([z, c], 1)).view(2, 8, 4, 4)
    assert torch.allclose(ours(z, c), theirs.img(theirs.upsample2(theirs.upsample1(h))), atol=1e-5)
    encoder = ganzoo.make("encoder.conditioning", text_dim=6, size=5)
    with pytest.raises(UserError, match="activation: relu"):
        taken(tmp_path / "netG.pth", encoder, "encoder.conditioning")
    encoder = ganzoo.make("encoder.conditioning", text_dim=6, size=5, activation="relu")
    taken(tmp_path / "netG.pth", encoder, "encoder.conditioning")
    assert torch.allclose(encoder(text).mu, theirs.ca_net.fc(text).relu()[:, :5], atol=1e-6)


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        second = [conv(width, width, 3, 1, 1, False), nn.BatchNorm2d(width)]
        self.block = nn.Sequential(conv(width, width, 3, 1, 1, False), nn.BatchNorm2d(width), nn.ReLU(), *second)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.block(x)).relu()


def test_the_second_stage_of_stackgan_and_its_discriminator(tmp_path) -> None:
    def halved(a: int, b: int, act: nn.Module) -> list[nn.Module]:
        return [conv(a, b, 4, 2, 1, False), nn.BatchNorm2d(b), act]

    theirs = Wrapped(
        encoder=nn.Sequential(
            conv(3, 2, 3, 1, 1, False), nn.ReLU(), *halved(2, 4, nn.ReLU()), *halved(4, 8, nn.ReLU())
        ),
        hr_joint=nn.Sequential(conv(13, 8, 3, 1, 1, False), nn.BatchNorm2d(8), nn.ReLU()),
        residual=nn.Sequential(Block(8)),
        **{f"upsample{i}": up_block(2 ** (4 - i), 2 ** (3 - i)) for i in (1, 2, 3)},
        img=nn.Sequential(conv(1, 3, 3, 1, 1, False), nn.Tanh()),
    )
    scrambled(theirs)
    torch.save(theirs.state_dict(), tmp_path / "netG.pth")
    sizes = {"in_channels": 3, "in_size": (8, 8), "text_dim": 5, "out_channels": 3, "out_size": (16, 16)}
    ours = ganzoo.make("generator.stackgan_refine", **sizes, width=2, blocks=1)
    taken(tmp_path / "netG.pth", ours, "generator.stackgan_refine")
    x, c = torch.rand(2, 3, 8, 8), torch.rand(2, 5)
    tiled = c[:, :, None, None].expand(2, 5, 2, 2)
    h = theirs.residual(theirs.hr_joint(torch.cat([theirs.encoder(x), tiled], 1)))
    expected = theirs.img(theirs.upsample3(theirs.upsample2(theirs.upsample1(h))))
    assert torch.allclose(ours(x, c), expected, atol=1e-5)

    joint = nn.Sequential(conv(9, 4, 3, 1, 1, False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), conv(4, 1, 4, 4))
    judge = Wrapped(
        encode_img=nn.Sequential(conv(3, 2, 4, 2, 1, False), nn.LeakyReLU(0.2), *halved(2, 4, nn.LeakyReLU(0.2))),
        get_cond_logits=Wrapped(outlogits=joint),
    )
    scrambled(judge)
    torch.save(judge.state_dict(), tmp_path / "netD.pth")
    ours = ganzoo.make("discriminator.stackgan", in_channels=3, in_size=(16, 16), text_dim=5, width=2)
    taken(tmp_path / "netD.pth", ours, "discriminator.stackgan")
    x = torch.rand(2, 3, 16, 16)
    expected = joint(torch.cat([judge.encode_img(x), c[:, :, None, None].expand(2, 5, 4, 4)], 1)).flatten()
    assert torch.allclose(ours(x, c).logit, expected, atol=1e-5)


def test_srresnet_and_its_discriminator(tmp_path) -> None:
    def rcb() -> nn.Module:
        first = [conv(4, 4, 3, 1, 1, False), nn.BatchNorm2d(4), nn.PReLU()]
        return Wrapped(rcb=nn.Sequential(*first, conv(4, 4, 3, 1, 1, False), nn.BatchNorm2d(4)))

    def doubled() -> nn.Module:
        return Wrapped(upsample_block=nn.Sequential(conv(4, 16, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()))

    theirs = Wrapped(
        conv1=nn.Sequential(conv(3, 4, 9, 1, 4), nn.PReLU()),
        trunk=nn.Sequential(rcb(), rcb()),
        conv2=nn.Sequential(conv(4, 4, 3, 1, 1, False), nn.BatchNorm2d(4)),
        upsampling=nn.Sequential(doubled(), doubled()),
        conv3=conv(4, 3, 9, 1, 4),
    )
    scrambled(theirs)
    theirs.conv3.weight.data.mul_(5e-7)
    theirs.conv3.bias.data.fill_(0.5)
    torch.save({"epoch": 3, "state_dict": theirs.state_dict(), "optimizer": {"state": {}}}, tmp_path / "g.pth.tar")
    ours = ganzoo.make(
        "generator.srresnet",
        in_channels=3,
        in_size=(8, 8),
        out_channels=3,
        scale=4,
        out_size=(32, 32),
        width=4,
        blocks=2,
    )
    taken(tmp_path / "g.pth.tar", ours, "generator.srresnet")
    x = torch.rand(2, 3, 8, 8)
    first = theirs.conv1(x)
    y = first
    for block in theirs.trunk:
        y = y + block.rcb(y)
    y = first + theirs.conv2(y)
    for up in theirs.upsampling:
        y = up.upsample_block(y)
    assert torch.allclose(ours(2 * x - 1), 2 * theirs.conv3(y).clamp(0, 1) - 1, atol=1e-5)
    assert 0.01 < theirs.conv3(y).std() < 0.5

    layers: list[nn.Module] = [conv(3, 2, 3, 1, 1), nn.LeakyReLU(0.2)]
    channels = [2, 2, 4, 4, 8, 8, 16, 16]
    for index, (a, b) in enumerate(pairwise(channels)):
        layers += [conv(a, b, 3, 1 + (index + 1) % 2, 1, False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
    judge = Wrapped(
        features=nn.Sequential(*layers), classifier=nn.Sequential(nn.Linear(64, 7), nn.LeakyReLU(0.2), nn.Linear(7, 1))
    )
    scrambled(judge)
    torch.save(judge.state_dict(), tmp_path / "d.pth")
    ours = ganzoo.make("discriminator.srgan", in_channels=3, in_size=(32, 32), width=2, hidden=7)
    taken(tmp_path / "d.pth", ours, "discriminator.srgan")
    x = torch.rand(2, 3, 32, 32)
    assert torch.allclose(ours(x).logit, judge.classifier(judge.features(x).flatten(1)).flatten(), rtol=1e-4)


# -- mimicry, BigGAN ---------------------------------------------------------------------------------------------------


def test_the_generator_of_mimicry(tmp_path) -> None:
    def block() -> nn.Module:
        norms = {"b1": nn.BatchNorm2d(4), "b2": nn.BatchNorm2d(4)}
        return Wrapped(c1=conv(4, 4, 3, 1, 1), c2=conv(4, 4, 3, 1, 1), c_sc=conv(4, 4, 1), **norms)

    theirs = scrambled(Wrapped(l1=nn.Linear(5, 64), block2=block(), b3=nn.BatchNorm2d(4), c3=conv(4, 3, 3, 1, 1)))
    torch.save({"model_state_dict": theirs.state_dict(), "global_step": 9}, tmp_path / "netG.pth")
    sizes = {"z_dim": 5, "out_channels": 3, "out_size": (8, 8), "width": 4}
    with pytest.raises(UserError, match="upsample: bilinear"):
        taken(tmp_path / "netG.pth", ganzoo.make("generator.resnet", **sizes), "generator.resnet")
    ours = ganzoo.make("generator.resnet", **sizes, upsample="bilinear")
    taken(tmp_path / "netG.pth", ours, "generator.resnet")

    def doubled(x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    z = torch.randn(2, 5)
    x, b = theirs.l1(z).view(2, 4, 4, 4), theirs.block2
    x = b.c_sc(doubled(x)) + b.c2(b.b2(b.c1(doubled(b.b1(x).relu()))).relu())
    assert torch.allclose(ours(z), theirs.c3(theirs.b3(x).relu()).tanh(), atol=1e-5)


@pytest.mark.parametrize("kept", [True, False])
def test_spectral_norm_is_kept_or_folded_in(tmp_path, kept) -> None:
    def block(a: int, shortcut: bool) -> nn.Module:
        layers = {"c1": conv(a, 4, 3, 1, 1), "c2": conv(4, 4, 3, 1, 1)} | ({"c_sc": conv(a, 4, 1)} if shortcut else {})
        return Wrapped(**{name: spectral_norm(layer) for name, layer in layers.items()})

    theirs = scrambled(Wrapped(block1=block(3, True), block2=block(4, False), l3=spectral_norm(nn.Linear(4, 1))))
    torch.save(theirs.state_dict(), tmp_path / "netD.pth")
    ours = ganzoo.make(
        "discriminator.resnet", in_channels=3, in_size=(8, 8), width=4, plain=1, base=4, head_bias=True, rectified=True
    )
    with pytest.raises(UserError, match="rectified: true"):
        plain = ganzoo.make(
            "discriminator.resnet", in_channels=3, in_size=(8, 8), width=4, plain=1, base=4, head_bias=True
        )
        taken(tmp_path / "netD.pth", plain, "discriminator.resnet")
    if kept:
        ganzoo.make("regularizer.spectral_norm").attach(ours)
    taken(tmp_path / "netD.pth", ours, "discriminator.resnet")
    pool = nn.AvgPool2d(2)
    x = torch.rand(2, 3, 8, 8)
    one, two = theirs.block1, theirs.block2
    y = one.c_sc(pool(x)) + pool(one.c2(one.c1(x).relu()))
    y = y.relu() + two.c2(two.c1(y.relu()).relu())  # their ReLU works in place
    assert torch.allclose(ours(x).logit, theirs.l3(y.relu().sum((2, 3))).flatten(), atol=1e-4)


def test_biggan_with_one_singular_vector(tmp_path) -> None:
    ours = ganzoo.make(
        "generator.biggan",
        z_dim=6,
        out_channels=3,
        out_size=(8, 8),
        num_classes=3,
        width=8,
        shared=4,
        chunks=True,
        attention=8,
    )
    state, theirs = scrambled(ours).state_dict(), {}
    names = {"embedding.": "shared.", "stem.0.": "linear.", "head.": "output_layer.", "attention.0.": "blocks.0.1."}
    names |= {"blocks.0.main.runs.0.": "blocks.0.0.bn1.", "blocks.0.main.runs.1.2.": "blocks.0.0.conv1."}
    names |= {"blocks.0.main.runs.2.": "blocks.0.0.bn2.", "blocks.0.main.runs.3.1.": "blocks.0.0.conv2."}
    names |= {"blocks.0.shortcut.1.": "blocks.0.0.conv_sc."}
    for name, value in state.items():
        start = next(s for s in names if name.startswith(s))
        key = (
            (names[start] + name.removeprefix(start))
            .replace("norm.running_", "stored_")
            .replace("0.running_", "0.stored_")
        )
        key = key.replace("output_layer.0.weight", "output_layer.0.gain")
        if not key.endswith("num_batches_tracked"):
            theirs[key] = value.clone()
    for name in [n for n in theirs if n.endswith("conv1.weight")]:
        theirs[name] *= 5  # and divided by its norm again
        matrix = theirs[name].flatten(1)
        u, s, _ = torch.linalg.svd(matrix, full_matrices=False)
        theirs[name.replace("weight", "u0")], theirs[name.replace("weight", "sv0")] = u[None, :, 0], s[:1]
    torch.save(theirs, tmp_path / "G_ema.pth")
    found = taken(tmp_path / "G_ema.pth", ours, "generator.biggan").tensors
    for name, value in state.items():
        if name == "blocks.0.main.runs.1.2.weight":
            assert torch.linalg.matrix_norm(found[name].flatten(1), 2).item() == pytest.approx(1, abs=1e-4)
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize("match", [None, "shapes"])
def test_what_a_layer_keeps_beside_tensors_is_asked_of_no_file(match) -> None:
    part = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    VirtualBatchNorm().attach(part)
    given = {name: tensor + 1 for name, tensor in part.state_dict().items() if isinstance(tensor, Tensor)}
    assert adopt(part, "generator.mlp", [("", given)], (), match).tensors == given


def test_every_layout_stands_in_the_table() -> None:
    text = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
    for layout in plugins.installed().layouts:
        assert f"`{layout.name}`" in text
        assert layout.target in {entry.id for entry in plugins.installed()}
