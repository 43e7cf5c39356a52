"""Parameter counts of the papers, sizes, starts, and what makes the networks what they are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from ganzoo_dcgan.discriminator import Discriminator as DcganD
from ganzoo_dcgan.generator import Generator as DcganG
from ganzoo_layers import Maxout, doubling_path, halvings
from ganzoo_lsgan.nets import Generator as LsganG
from ganzoo_mlp.nets import Discriminator as MlpD
from ganzoo_mlp.nets import Generator as MlpG
from ganzoo_resnet.discriminator import Discriminator as ResnetD
from ganzoo_resnet.generator import Generator as ResnetG
from ganzoo_sngan.nets import Discriminator as SnD
from ganzoo_sngan.nets import Generator as SnG
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

IMAGE = ((64, 64), (32, 32), (28, 28))
COUNTS: list[tuple[str, Any, dict[str, Any], int]] = [
    ("gan_mlp_mnist G", MlpG, {"z_dim": 100, "out_shape": (784,)}, 2_503_984),
    ("gan_mlp_mnist D", MlpD, {"in_shape": (784,), "activation": "maxout"}, 1_231_441),
    ("dcgan64 G", DcganG, {"z_dim": 100, "out_channels": 3, "out_size": (64, 64)}, 3_576_704),
    ("dcgan64 D", DcganD, {"in_channels": 3, "in_size": (64, 64)}, 2_765_568),
    ("dcgan64 grey G", DcganG, {"z_dim": 100, "out_channels": 1, "out_size": (64, 64)}, 3_574_656),
    ("dcgan64 grey D", DcganD, {"in_channels": 1, "in_size": (64, 64)}, 2_763_520),
    ("dcgan64 width 128 G", DcganG, {"z_dim": 100, "out_channels": 3, "out_size": (64, 64), "width": 128}, 12_658_432),
    ("dcgan64 width 128 D", DcganD, {"in_channels": 3, "in_size": (64, 64), "width": 128}, 11_036_160),
    ("dcgan128 G", DcganG, {"z_dim": 100, "out_channels": 3, "out_size": (128, 128)}, 12_786_560),
    ("dcgan128 D", DcganD, {"in_channels": 3, "in_size": (128, 128)}, 11_164_416),
    ("dcgan32 grey G", DcganG, {"z_dim": 100, "out_channels": 1, "out_size": (32, 32)}, 1_066_880),
    ("dcgan32 grey z128 G", DcganG, {"z_dim": 128, "out_channels": 1, "out_size": (32, 32)}, 1_181_568),
    ("dcgan32 D", DcganD, {"in_channels": 3, "in_size": (32, 32)}, 663_296),
    (
        "dcgan_theano64 G",
        DcganG,
        {"z_dim": 100, "out_channels": 3, "out_size": (64, 64), "width": 128, "kernel": 5, "stem": "linear"},
        18_885_760,
    ),
    ("dcgan_theano64 D", DcganD, {"in_channels": 3, "in_size": (64, 64), "width": 128, "kernel": 5}, 17_232_768),
    (
        "infogan28 G",
        DcganG,
        {"z_dim": 62, "out_channels": 1, "out_size": (28, 28), "hidden": 1024, "stem": "linear", "bias": True},
        6_640_193,
    ),
    ("infogan28 D", DcganD, {"in_channels": 1, "in_size": (28, 28), "hidden": 1024, "bias": True}, 6_559_169),
    ("wgan_mlp512 G", MlpG, {"z_dim": 100, "out_shape": (3, 64, 64), "hidden": (512, 512, 512)}, 6_880_768),
    ("wgan_mlp512 D", MlpD, {"in_shape": (3, 64, 64), "hidden": (512, 512, 512)}, 6_817_793),
    (
        "wgangp_mnist G",
        DcganG,
        {
            **{"z_dim": 128, "out_channels": 1, "out_size": (28, 28), "kernel": 5, "stem": "linear"},
            **{"norm": "none", "bias": True, "base": 4},
        },
        1_554_177,
    ),
    (
        "wgangp_mnist D",
        DcganD,
        {"in_channels": 1, "in_size": (28, 28), "kernel": 5, "norm": "none", "bias": True, "base": 4},
        1_030_145,
    ),
    (
        "wgangp_cifar_resnet G",
        ResnetG,
        {"z_dim": 128, "out_channels": 3, "out_size": (32, 32), "width": 128},
        1_204_483,
    ),
    ("wgangp_cifar_resnet D", ResnetD, {"in_channels": 3, "in_size": (32, 32), "head_bias": True}, 1_053_825),
    ("wgangp grey G", ResnetG, {"z_dim": 128, "out_channels": 1, "out_size": (32, 32), "width": 128}, 1_202_177),
    ("wgangp grey D", ResnetD, {"in_channels": 1, "in_size": (32, 32), "head_bias": True}, 1_051_265),
    ("wgangp_toy512 G", MlpG, {"z_dim": 2, "out_shape": (2,), "hidden": (512, 512, 512)}, 527_874),
    ("wgangp_toy512 D", MlpD, {"in_shape": (2,), "hidden": (512, 512, 512)}, 527_361),
    ("lsgan112 G", LsganG, {"z_dim": 1024, "out_channels": 3, "out_size": (112, 112)}, 15_591_427),
    ("lsgan112 D", DcganD, {"in_channels": 3, "in_size": (112, 112), "kernel": 5, "bias": True}, 4_333_441),
    ("dragan_mlp G", MlpG, {"z_dim": 100, "out_shape": (784,), "hidden": (128,)}, 114_064),
    ("dragan_mlp D", MlpD, {"in_shape": (784,), "hidden": (128,)}, 100_609),
    ("sngan_resnet32 G", ResnetG, {"z_dim": 128, "out_channels": 3, "out_size": (32, 32)}, 4_276_739),
    ("sngan_resnet32 D", ResnetD, {"in_channels": 3, "in_size": (32, 32)}, 1_053_824),
    ("sngan grey G", ResnetG, {"z_dim": 128, "out_channels": 1, "out_size": (32, 32)}, 4_272_129),
    ("sngan grey D", ResnetD, {"in_channels": 1, "in_size": (32, 32)}, 1_051_264),
    ("sngan small grey G", ResnetG, {"z_dim": 128, "out_channels": 1, "out_size": (32, 32), "width": 64}, 367_617),
    ("sngan small grey D", ResnetD, {"in_channels": 1, "in_size": (32, 32), "width": 64}, 263_488),
    ("sndcgan32 G", SnG, {"z_dim": 128, "out_channels": 3, "out_size": (32, 32)}, 3_812_355),
    ("sndcgan32 D", SnD, {"in_channels": 3, "in_size": (32, 32)}, 2_935_873),
    ("sndcgan32 grey D", SnD, {"in_channels": 1, "in_size": (32, 32)}, 2_934_721),
]


@pytest.mark.parametrize(("name", "network", "args", "count"), COUNTS, ids=[c[0] for c in COUNTS])
def test_parameter_counts_of_the_papers(name: str, network: Any, args: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in network(**args).parameters()) == count


def test_dcgan_128_adds_one_level() -> None:
    with torch.device("meta"):
        small, large = (DcganG(100, 3, (s, s)) for s in (64, 128))
    assert len(large.levels) == len(small.levels) + 1


@given(st.integers(4, 9), st.integers(4, 9), st.integers(1, 4))
def test_any_base_doubled_is_reached(height: int, width: int, doublings: int) -> None:
    size = (height * 2**doublings, width * 2**doublings)
    path = doubling_path(size)
    assert path[-1] == size
    assert all((a[0] * 2, a[1] * 2) == b for a, b in itertools.pairwise(path))
    assert min(path[0]) >= 4


@given(st.integers(5, 70), st.integers(5, 70))
def test_any_size_at_all_with_a_base(height: int, width: int) -> None:
    with torch.device("meta"):
        net = DcganG(3, 2, (height, width), width=2, base=4)
        assert net(torch.empty(2, 3)).shape == (2, 2, height, width)
        verdict = DcganD(2, (height, width), width=2)(torch.empty(2, 2, height, width))
    assert verdict.logit.shape == (2,)
    assert halvings((height, width), base=4) == len(net.levels)


@pytest.mark.parametrize(("size", "near"), [((27, 27), "26x26 or 28x28"), ((33, 64), "32x64 or 34x64")])
def test_sizes_that_do_not_fit_name_sizes_that_do(size: tuple[int, int], near: str) -> None:
    with pytest.raises(ValueError, match=near):
        doubling_path(size)


def test_starts_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    G, D = DcganG(100, 3, (64, 64)), DcganD(3, (64, 64))
    for part in (G, D):
        weights = torch.cat(
            [m.weight.flatten() for m in part.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        )
        assert weights.std().item() == pytest.approx(0.02, rel=0.02)
        gains = torch.cat([m.weight for m in part.modules() if isinstance(m, nn.BatchNorm2d)])
        assert gains.mean().item() == pytest.approx(1, abs=0.005)
        assert gains.std().item() == pytest.approx(0.02, rel=0.15)
    maxout = MlpD((784,), activation="maxout", weight_init="uniform", init_scale=0.005)
    assert max(p.abs().max().item() for p in maxout.parameters()) <= 0.005
    glorot = ResnetD(3, (32, 32))
    conv = glorot.body[1].main[2]
    half_width = (2**0.5) * (6 / (128 * 9 + 128 * 9)) ** 0.5
    assert conv.weight.abs().max().item() == pytest.approx(half_width, rel=0.01)
    rgb = ResnetG(8, 3, (32, 32), width=64).head[2]
    assert rgb.weight.abs().max().item() == pytest.approx((6 / (64 * 9 + 3 * 9)) ** 0.5, rel=0.01)


def test_fans_are_those_of_one_pixel() -> None:
    """WGAN-GP on MNIST: standard deviations by layer, uniform, from fans that strides divide."""
    torch.manual_seed(0)
    args: dict[str, Any] = {"kernel": 5, "base": 4, "norm": "none", "bias": True, "weight_init": "glorot"}
    G = DcganG(128, 1, (28, 28), stem="linear", init_scale=1.0, **args)
    D = DcganD(1, (28, 28), init_scale=1.0, **args)
    std = {
        G.stem[0]: (2 / (128 + 4096)) ** 0.5,
        G.levels[0][0]: (4 / (256 * 25 / 4 + 128 * 25)) ** 0.5,
        G.levels[2][0]: (4 / (64 * 25 / 4 + 25)) ** 0.5,
        D.body[0]: (4 / (25 + 64 * 25 / 4)) ** 0.5,
        D.head: (2 / (4096 + 1)) ** 0.5,
    }
    for layer, expected in std.items():
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert layer.weight.abs().max().item() == pytest.approx(3**0.5 * expected, rel=0.05)


def test_dcgan_has_no_norm_at_its_ends() -> None:
    G, D = DcganG(10, 3, (32, 32), width=4), DcganD(3, (32, 32), width=4)
    kinds = [type(m) for m in G.levels[-1]]
    assert kinds[-2:] == [nn.ConvTranspose2d, nn.Tanh]
    assert [type(m) for m in D.body][:3] == [nn.Conv2d, nn.Identity, nn.LeakyReLU]


@pytest.mark.parametrize(("range", "last"), [((-1.0, 1.0), nn.Tanh), ((0.0, 1.0), nn.Sigmoid), (None, nn.Identity)])
def test_the_last_activation_follows_the_range(range: Any, last: type) -> None:
    assert isinstance(MlpG(4, (2,), range).net[-1], last)
    assert isinstance(DcganG(4, 1, (16, 16), range, width=4).levels[-1][-1], last)


def test_an_odd_range_is_filled() -> None:
    out = MlpG(4, (2000,), (-3.0, 5.0), init_scale=20)(torch.randn(4, 4))
    assert -3 <= out.min() < -2.9
    assert 4.9 < out.max() <= 5


def test_maxout_takes_the_largest_of_its_pieces() -> None:
    layer = Maxout(3, 2, 4)
    x = torch.randn(5, 3)
    pieces = layer.linear(x).view(5, 2, 4)
    assert torch.equal(layer(x), pieces.max(2).values)


def test_the_output_bias_of_2014() -> None:
    net = MlpG(4, (6,), (0.0, 1.0), out_bias=-1.895, weight_init="uniform", init_scale=1e-6)
    assert net(torch.zeros(1, 4)).mean().item() == pytest.approx(0.1307, abs=1e-3)


def test_sum_and_mean_pooling() -> None:
    torch.manual_seed(0)
    a = ResnetD(1, (32, 32), width=4, pool="sum")
    b = ResnetD(1, (32, 32), width=4, pool="mean")
    b.load_state_dict(a.state_dict())
    x = torch.randn(2, 1, 32, 32)
    assert torch.allclose(a(x).features, 64 * b(x).features, rtol=1e-4)


def test_a_list_of_widths() -> None:
    with torch.device("meta"):
        net = ResnetG(8, 3, (32, 32), width=[32, 16, 8, 4])
        assert net(torch.empty(1, 8)).shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="width lists 2 numbers, but 4 are needed"):
        ResnetG(8, 3, (32, 32), width=[32, 16])
