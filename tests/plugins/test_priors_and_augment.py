"""Priors have the distributions they claim; DiffAugment does what its paper says."""

from __future__ import annotations

import pytest
import torch
from ganzoo_augment.diffaugment import DiffAugment
from ganzoo_augment.flip import Flip
from ganzoo_optim.schedules import Exponential, Linear
from ganzoo_priors.priors import Categorical, Normal, Uniform

import ganzoo
from ganzoo.config.static import Graph
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from tests.zoo import full

N = 4000


def test_moments() -> None:
    torch.manual_seed(0)
    normal, uniform = Normal(10, std=2.0)(N), Uniform(10, low=-3.0, high=1.0)(N)
    assert normal.std().item() == pytest.approx(2, rel=0.02)
    assert uniform.mean().item() == pytest.approx(-1, abs=0.02)
    assert uniform.std().item() == pytest.approx(4 / 12**0.5, rel=0.02)
    assert uniform.min() >= -3
    assert uniform.max() < 1


def test_truncated_normal_has_no_tails_and_the_right_spread() -> None:
    torch.manual_seed(0)
    z = Normal(10, truncation=1.0)(N)
    assert z.abs().max() <= 1
    assert z.std().item() == pytest.approx(0.5396, rel=0.02)  # of a standard normal cut at +-1


def test_categorical_is_one_hot_or_labels() -> None:
    torch.manual_seed(0)
    one_hot, labels = Categorical(5)(N), Categorical(5, one_hot=False)(N)
    assert torch.equal(one_hot.sum(1), torch.ones(N))
    assert (one_hot.mean(0) - 0.2).abs().max() < 0.03
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("normal", {"size": 0}), ("uniform", {"size": 3, "low": 1, "high": 1}), ("normal", {"truncation": 0})],
)
def test_bad_arguments(name: str, arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match="should be"):
        ganzoo.make(f"prior.{name}", **arguments)


def test_schedules() -> None:
    line = Linear(start=10, stop=20, begin=1, end=0.5)
    assert [line(s) for s in (0, 10, 15, 20, 99)] == [1, 1, 0.75, 0.5, 0.5]
    assert Linear(start=5, steps=15)(10) == 0.5
    decay = Exponential(0.5, floor=0.1)
    assert [decay(s) for s in (0, 1, 2, 10)] == [1, 0.5, 0.25, 0.1]
    with pytest.raises(ValueError, match="stop is 3, but should be after start"):
        Linear(start=5, stop=3)


def test_translation_moves_by_up_to_an_eighth_and_fills_with_zeros() -> None:
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 16, 24)
    x[:, :, 8, 12] = 1
    moved = DiffAugment(["translation"])(x)
    places = moved.nonzero()
    assert len(places) == 64
    shift = places[:, 2:] - torch.tensor([8, 12])
    assert shift[:, 0].unique().tolist() == list(range(-2, 3))
    assert shift[:, 1].unique().tolist() == list(range(-3, 4))
    edge = DiffAugment(["translation"])(torch.ones(64, 1, 16, 16))
    assert set(edge.unique().tolist()) == {0.0, 1.0}


def test_cutout_zeroes_one_square_of_half_the_size() -> None:
    torch.manual_seed(0)
    cut = DiffAugment(["cutout"])(torch.ones(200, 2, 16, 16))
    holes = (cut == 0).all(1)
    assert holes.flatten(1).sum(1).max() == 64
    assert 16 <= holes.flatten(1).sum(1).min() < 64, "a square at the border is cut off"
    assert torch.equal(cut[:, 0], cut[:, 1])


def test_colour_has_no_saturation_for_grey_images() -> None:
    torch.manual_seed(0)
    x = torch.rand(8, 1, 6, 6) * 2 - 1
    y = DiffAugment(["color"])(x)
    centred_x, centred_y = (t - t.mean((1, 2, 3), keepdim=True) for t in (x, y))
    ratio = (centred_y / centred_x).flatten(1)
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-3), "contrast is one factor an image"
    assert ((ratio[:, 0] > 0.5) & (ratio[:, 0] < 1.5)).all()
    shift = (y.mean((1, 2, 3)) - x.mean((1, 2, 3))).abs()
    assert (shift <= 0.5 + 1e-6).all()


@pytest.mark.parametrize("policy", ["color", "translation", "cutout"])
def test_images_from_0_to_1_are_augmented_like_those_from_minus_1(policy) -> None:
    x = torch.rand(8, 3, 9, 7)
    with draw.using(draw.Draws((0,), torch.device("cpu"))):
        wide = DiffAugment([policy])(2 * x - 1)
    with draw.using(draw.Draws((0,), torch.device("cpu"))):
        narrow = DiffAugment([policy], out_range=(0.0, 1.0))(x)
    assert torch.allclose(wide, 2 * narrow - 1, atol=1e-6)


def test_an_empty_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be augmented"):
        DiffAugment([])


def test_voxels_are_mirrored_in_their_last_axis_and_series_not_at_all() -> None:
    x = torch.arange(2 * 2 * 2 * 3.0).view(2, 1, 2, 2, 3)
    assert torch.equal(Flip(1.0)(x), x.flip(4))
    assert torch.equal(Flip(1.0).eval()(x), x), "what is translated is not mirrored"
    with pytest.raises(ValueError, match="it is for images"):
        Flip()(torch.zeros(2, 5, 1))


@pytest.mark.parametrize("name", ["stargan/stargan", "cyclegan/photos", "esrgan/esrgan", "pix2pix/pix2pix", "cut/cut"])
def test_what_is_translated_is_not_augmented(name: str) -> None:
    """Augmentations that stand between the data and a sample are modules, which rest in evaluation mode."""
    spec = full(name).spec
    between = [spec.parts[n] for n in Graph(spec).needs([spec.sample]) if n in spec.parts]
    augments = [part.entry.load()(**part.args).eval() for part in between if part.kind == "augment"]
    x = torch.rand(4, 3, 16, 16)
    assert augments and all(torch.equal(augment(x), x) for augment in augments)
