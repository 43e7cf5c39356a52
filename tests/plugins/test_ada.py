"""Adaptive augmentation: what it does to images, how its probability moves, derivatives through it."""

from __future__ import annotations

import math

import pytest
import torch
from ganzoo_augment.ada import KINDS, Ada
from ganzoo_augment.warp import warped
from ganzoo_regularizers.gradients import R1
from torch import Tensor

X = torch.rand(64, 3, 16, 16) * 2 - 1


def only(*kinds: str, start: float = 1.0) -> Ada:
    torch.manual_seed(0)
    return Ada(kinds=kinds, start=start)  # type: ignore[arg-type]


def test_nothing_is_done_at_probability_zero_or_in_evaluation() -> None:
    assert torch.allclose(Ada()(X), X, atol=1e-5)
    assert Ada(start=1.0).eval()(X) is X


def test_flips_and_quarter_turns_move_pixels_exactly() -> None:
    flipped = only("flip")(X)
    same, mirrored = ((flipped - other).abs().amax((1, 2, 3)) < 1e-5 for other in (X, X.flip(3)))
    assert (same ^ mirrored).all() and same.any() and mirrored.any(), "half of the images that are chosen"
    turned = only("turn")(X)
    found = torch.stack([(turned - X.rot90(k, (2, 3))).abs().amax((1, 2, 3)) < 1e-4 for k in range(4)])
    assert (found.sum(0) == 1).all() and found.any(1).all()


def test_shifts_are_by_whole_pixels_and_edges_are_reflected() -> None:
    shifted = only("shift")(X)
    found = torch.zeros(len(X), dtype=torch.bool)
    for down in range(-2, 3):
        for right in range(-2, 3):
            inner = X.roll((down, right), (2, 3))[:, :, 2:-2, 2:-2]
            found |= (shifted[:, :, 2:-2, 2:-2] - inner).abs().amax((1, 2, 3)) < 1e-4
    assert found.all()
    assert shifted.min() >= X.min() - 1e-5, "nothing from outside comes in"


def test_rotation_keeps_a_disc_and_scaling_changes_its_area() -> None:
    place = torch.arange(33) - 16.0
    radius = (place[:, None] ** 2 + place**2).sqrt()
    disc = (8.5 - radius).clamp(0, 1).expand(200, 1, 33, 33)
    assert (only("rotate")(disc) - disc).abs().mean() < 0.01
    areas = only("scale")(disc).sum((1, 2, 3)) / disc[0].sum()
    assert areas.log2().std().item() == pytest.approx(2 * 0.2, rel=0.2)
    stretched = only("stretch")(disc).sum((1, 2, 3)) / disc[0].sum()
    assert stretched.log2().std().item() < 0.03, "as much narrower as higher"


def test_colours_are_changed_as_they_say() -> None:
    grey = X.mean(1, keepdim=True)
    for kind in ("hue", "saturation"):
        made = only(kind)(X)
        assert torch.allclose(made.mean(1, keepdim=True), grey, atol=1e-5), f"{kind} keeps the mean of the channels"
        assert not torch.allclose(made, X)
    turned = only("hue")(X) - grey
    assert torch.allclose(turned.norm(dim=1), (X - grey).norm(dim=1), atol=1e-4)
    inverted = only("luma_flip")(X)
    chosen = (inverted - X).abs().amax((1, 2, 3)) > 1e-4
    assert torch.allclose(inverted[chosen], (X - 2 * grey)[chosen], atol=1e-5) and 0.2 < chosen.float().mean() < 0.8
    added = (only("brightness")(X) - X).mean((1, 2, 3))
    assert added.std().item() == pytest.approx(0.2, rel=0.25)
    factors = (only("contrast")(X) / X).flatten(1).median(1).values
    assert factors.log2().std().item() == pytest.approx(0.5, rel=0.25)
    assert torch.allclose(only("saturation")(X[:, :1]), X[:, :1]), "grey has no saturation"
    twice = Ada(kinds=("brightness",), start=1.0, out_range=(0.0, 1.0))
    torch.manual_seed(0)
    assert (twice(X) - X).mean((1, 2, 3)).std().item() == pytest.approx(0.1, rel=0.25), "half the range, half of it"


def test_a_change_is_made_with_probability_p() -> None:
    many = X.repeat(8, 1, 1, 1)
    changed = (only("brightness", start=0.25)(many) - many).abs().amax((1, 2, 3)) > 1e-6
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.06)
    turned = (only("rotate", start=0.25)(many) - many).abs().amax((1, 2, 3)) > 1e-3
    assert turned.float().mean().item() == pytest.approx(0.25, abs=0.06), "before or after stretching, not twice"


def test_p_moves_by_the_share_of_images_seen_towards_the_target() -> None:
    ada = Ada(target=0.6, images=100, every=2)
    sure, unsure = torch.ones(10), torch.tensor([1.0] * 5 + [-1.0] * 5)
    assert ada.see(sure) is sure
    assert ada.p.item() == 0, "not before `every` batches"
    ada.see(sure)
    assert (ada.p.item(), ada.r.item()) == (pytest.approx(0.2), 1.0)
    ada.see(sure)
    ada.see(unsure)  # r = 0.5
    assert ada.p.item() == pytest.approx(0.0)
    ada.see(unsure)
    ada.see(unsure)
    assert (ada.p.item(), ada.r.item()) == (0.0, 0.0), "never below 0"
    for _ in range(20):
        ada.see(sure)
    assert ada.p.item() == 1.0, "never above 1"
    again = Ada(target=0.6, images=100, every=2)
    again.load_state_dict(ada.state_dict())
    assert again.p.item() == 1.0
    ada.eval().see(-sure)
    ada.see(-sure)
    assert ada.p.item() == 1.0, "nothing is learnt in evaluation"


def test_penalties_go_through_it() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3 * 16 * 16, requires_grad=True)

    def critic(x: Tensor) -> Tensor:
        return (Ada(start=1.0)(x).flatten(1) @ weight / 30).tanh()

    R1()(critic, X[:4]).backward()
    assert weight.grad is not None and torch.isfinite(weight.grad).all() and weight.grad.abs().sum() > 0


def test_the_derivative_of_moved_images_is_that_of_a_linear_map() -> None:
    torch.manual_seed(0)
    angle = torch.tensor(0.3)
    back = torch.tensor([[angle.cos(), angle.sin(), 1.2], [-angle.sin(), angle.cos(), -0.7], [0, 0, 1]]).expand(2, 3, 3)
    x, y = torch.randn(2, 2, 6, 5, requires_grad=True), torch.randn(2, 2, 6, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad((warped(x, back) * y).sum(), x, create_graph=True)
    assert (gradient * x).sum().item() == pytest.approx((warped(x, back) * y).sum().item(), rel=1e-4)
    (second,) = torch.autograd.grad((gradient * x).sum(), y)
    assert torch.allclose(second, warped(x, back), atol=1e-5)


def test_it_must_have_something_to_do() -> None:
    with pytest.raises(ValueError, match="nothing would be augmented"):
        Ada(kinds=())
    assert len(KINDS) == 12 and math.isclose(Ada().target, 0.6)
