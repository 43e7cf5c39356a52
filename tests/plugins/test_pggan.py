"""Progressive growing: counts, levels, fading, equal rates, and the ladder of phases."""

from __future__ import annotations

import itertools

import pytest
import torch
from ganzoo_pggan.growth import Drift, Fade, Grow, progressive
from ganzoo_pggan.networks import Discriminator, Generator, PixelNorm, channels

from ganzoo.errors import UserError
from ganzoo.model.explain import count
from tests.zoo import small

LADDER = {"resolutions": [4, 8, 16], "images": 40, "batch": {"4": 4, "8": 4, "16": 2}}


def conv(a: int, b: int, kernel: int) -> int:
    return a * b * kernel**2 + b


def test_counts_at_1024_are_those_of_the_authors_layers() -> None:
    maps = channels(8192, 512, 9)
    assert maps == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    pairs = list(itertools.pairwise(maps))
    grown = sum(conv(a, b, 3) + conv(b, b, 3) for a, b in pairs)
    shrunk = sum(conv(b, b, 3) + conv(b, a, 3) for a, b in pairs)
    G = 512 * 512 * 16 + 512 + conv(512, 512, 3) + grown + sum(conv(n, 3, 1) for n in maps)
    D = conv(513, 512, 3) + 512 * 16 * 512 + 512 + 513 + shrunk + sum(conv(3, n, 1) for n in maps)
    with torch.device("meta"):
        assert (count(Generator(512, 3, (1024, 1024))), count(Discriminator(3, (1024, 1024)))) == (G, D)


def test_levels_mix_and_repeat() -> None:
    torch.manual_seed(0)
    G = Generator(8, 1, (16, 16), width=32)
    z = torch.randn(2, 8)
    at = {level: G(z, level) for level in (0.0, 0.25, 1.0, 2.0)}
    assert torch.allclose(at[0.25], 0.75 * at[0.0] + 0.25 * at[1.0], atol=1e-6)
    assert torch.equal(G(z), at[2.0])
    assert torch.allclose(at[0.0], Fade()(at[0.0], 0.0), atol=1e-6)
    assert not torch.equal(at[2.0], Fade()(at[2.0], 1.0))


def test_a_discriminator_sees_no_detail_beyond_its_level() -> None:
    torch.manual_seed(0)
    D = Discriminator(1, (16, 16), width=32)
    x = torch.randn(4, 1, 16, 16)
    for level in (0.0, 1.0):
        assert torch.allclose(D(x, level).logit, D(Fade()(x, level), level).logit, atol=1e-5)
    assert not torch.allclose(D(x).logit, D(Fade()(x, 1.0)).logit)
    near = D(x, 1.999).logit
    assert torch.allclose(near, D(x, 2.0).logit, atol=1e-2)


def test_only_what_a_level_uses_gets_gradients() -> None:
    G = Generator(8, 1, (16, 16), width=32)
    G(torch.randn(2, 8), 0.5).sum().backward()
    used = {name.split(".")[1] for name, p in G.named_parameters() if name.startswith("levels") and p.grad is not None}
    assert used == {"0", "1"}


def test_fading_images() -> None:
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    coarse = Fade()(x, 0.0)
    assert torch.equal(coarse[0, 0, :2, :2], torch.full((2, 2), 4.5))
    assert torch.allclose(Fade()(x, 0.5), (coarse + x) / 2)
    assert torch.equal(Fade()(x, 1.0), x) and torch.equal(Fade()(x), x)
    with pytest.raises(ValueError, match="6x6 are no map of side 4 doubled"):
        Fade()(torch.zeros(1, 1, 6, 6), 0.0)


def test_equal_rates_pixel_norm_and_drift() -> None:
    torch.manual_seed(0)
    layer = Discriminator(1, (16, 16), width=64).levels[0][0]
    raw = layer.parametrizations.weight.original
    assert raw.std().item() == pytest.approx(1.0, abs=0.05)
    assert torch.allclose(layer.weight, raw * (2 / raw[0].numel()) ** 0.5)
    assert torch.allclose(PixelNorm()(torch.randn(2, 5, 3, 3)).square().mean(1), torch.ones(2, 3, 3), atol=1e-4)
    assert Drift()(torch.tensor([1.0, -3.0])) == 5


def test_phases_and_level_agree() -> None:
    phases = progressive(**LADDER)
    assert {name: phase["steps"] for name, phase in phases.items()} == {
        "train_4": 10, "fade_8": 10, "train_8": 10, "fade_16": 20, "train_16": 20,
    }  # fmt: skip
    assert list(phases["fade_16"]["players"].items()) == [("D", {"batch": 2}), ("G", {"batch": 2})]
    grow = Grow(**LADDER)
    assert [grow(s) for s in (0, 9, 10, 15, 20, 29, 30, 40, 50, 999)] == [0, 0, 0, 0.5, 1, 1, 1, 1.5, 2, 2]
    with pytest.raises(ValueError, match="from 4 to 6, but each should be twice"):
        progressive([4, 6])
    with pytest.raises(ValueError, match="no size for resolution 8"):
        progressive([4, 8], batch={"4": 4})


def test_a_phase_of_a_ladder_can_be_overridden() -> None:
    model = small("pggan/fashion_mnist_sample", **{"phases.fade_8.steps": 7})
    assert model.spec.phases["fade_8"].steps == 7 and model.spec.phases["train_8"].steps == 1
    with pytest.raises(UserError, match="no argument, and gave no phase, 'fade_9'"):
        small("pggan/fashion_mnist_sample", **{"phases.fade_9.steps": 7}).check()
