"""GAN-CLS and StackGAN: mismatched captions, conditions, and two stages, of which the first stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ganzoo_data.openmoji import OpenMoji
from ganzoo_losses.contrastive import Contrastive
from ganzoo_losses.losses import KLNormal
from ganzoo_ops.batch import Mismatch, Mix, Shrink
from ganzoo_stackgan.conditioning import Conditioning
from ganzoo_stackgan.discriminator import Discriminator
from ganzoo_stackgan.stage_one import StageOne
from ganzoo_stackgan.stage_two import StageTwo
from torch import nn

import ganzoo
from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.registry import plugins
from tests.zoo import TINY, equal, full, tensors, trainer

CPU = torch.device("cpu")


def drawing(seed: int, share: tuple[int, int] = (0, 1)):
    return draw.using(draw.Draws((seed,), CPU, share))


@pytest.mark.parametrize("n", [2, 3, 7, 64])
def test_no_row_keeps_its_own_caption_and_none_is_lost(n: int) -> None:
    rows = torch.arange(n)[:, None].float().expand(n, 3)
    seen = set()
    for seed in range(20):
        with drawing(seed):
            moved = Mismatch()(rows)
        assert (moved != rows).all()
        assert torch.equal(moved.sort(0).values, rows)
        with drawing(seed):
            assert torch.equal(Mismatch()(rows), moved)
        seen.add(tuple(moved[:, 0].tolist()))
    assert len(seen) > 1 or n == 2


def test_one_caption_has_no_other() -> None:
    with pytest.raises(ValueError, match="batch of 1"):
        Mismatch()(torch.ones(1, 3))


TWO = """
import sys, torch
from ganzoo.parallel import distributed, draw
from ganzoo_losses.contrastive import Contrastive
from ganzoo_ops.batch import Mismatch
distributed.start("cpu")
rank, world = distributed.rank(), distributed.world()
x, y, weight = torch.load("rows.pt")
own = slice(rank * len(x) // world, (rank + 1) * len(x) // world)
with draw.using(draw.Draws((5,), torch.device("cpu"), (rank, world))):
    moved = Mismatch()(x[own])
weight.requires_grad_()
loss = Contrastive()(x[own] @ weight, y[own])
loss.backward()
distributed.average([weight.grad])
torch.save((moved, weight.grad), f"{world}_{rank}.pt")
distributed.stop()
"""


@pytest.mark.slow
def test_two_processes_see_the_batch_of_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save((torch.randn(6, 4), torch.randn(6, 5), torch.randn(4, 5)), tmp_path / "rows.pt")
    (tmp_path / "two.py").write_text(TWO)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for command in ([], torchrun):
        subprocess.run([sys.executable, *command, "two.py"], cwd=tmp_path, env=environment, check=True, timeout=180)
    one, gradient = torch.load(tmp_path / "1_0.pt")
    halves = [torch.load(tmp_path / f"2_{rank}.pt") for rank in (0, 1)]
    assert torch.equal(one, torch.cat([moved for moved, _ in halves]))
    for _, each in halves:
        torch.testing.assert_close(each, gradient)


def test_the_contrastive_loss_is_that_of_its_formula() -> None:
    x, y = torch.eye(3), torch.eye(3)
    expected = -torch.log_softmax(torch.eye(3) / 0.5, 1).diagonal().mean()
    torch.testing.assert_close(Contrastive(0.5)(x, y), expected)
    assert Contrastive()(x, y) < Contrastive()(x, y.roll(1, 0))
    with pytest.raises(UserError, match=r"temperature: 0.* should be a number above 0"):
        ganzoo.make("loss.contrastive", temperature=0.0)


def test_shrinking_is_how_openmoji_makes_its_small_drawings() -> None:
    index = torch.arange(20)
    large, small = (OpenMoji(fields=("real",), size=size).batch(index, CPU)["real"] for size in (64, 32))
    assert (Shrink(2)(large) - small).abs().max() <= 2 / 255 + 1e-6  # a step of 8 bits
    with pytest.raises(ValueError, match="cannot be divided by 3"):
        Shrink(3)(large)


def test_a_mix_lies_between() -> None:
    x, y = torch.randn(2, 3, 4)
    torch.testing.assert_close(Mix(0.25)(x, y), 0.25 * x + 0.75 * y)


def test_conditions_are_normal_and_cost_nothing_only_at_the_standard_one() -> None:
    condition = Conditioning(6, 4)
    text = torch.randn(20000, 6)
    with torch.no_grad():
        for parameter in condition.parameters():
            parameter.zero_()
        condition.linear[0].bias[:4] = 2.0
        condition.linear[0].bias[4:] = 2 * torch.tensor(0.5).log()
        seen = condition(text)
    torch.testing.assert_close(seen.sample.mean(0), torch.full((4,), 2.0), atol=0.02, rtol=0)
    torch.testing.assert_close(seen.sample.std(0), torch.full((4,), 0.5), atol=0.02, rtol=0)
    kl, zero = KLNormal(), torch.zeros(3, 4)
    assert kl(zero, zero) == 0
    assert kl(seen.mu, seen.logvar) > 0 and kl(zero, zero + 0.1) > 0 and kl(zero, zero - 0.1) > 0
    assert (Conditioning(6, 4, "relu")(text).logvar >= 0).all()


@pytest.mark.parametrize(("small", "large"), [((16, 16), (64, 64)), ((64, 64), (256, 256)), ((8, 16), (16, 32))])
def test_the_second_stage_reaches_any_doubling(small: tuple[int, int], large: tuple[int, int]) -> None:
    with torch.device("meta"):
        stage = StageTwo(3, small, 5, 3, large, width=4)
        assert stage(torch.empty(2, 3, *small), torch.empty(2, 5)).shape == (2, 3, *large)


def test_sizes_without_a_way_are_refused_with_some_that_have_one() -> None:
    with pytest.raises(ValueError, match=r"30x30 to 64x64.*16x16, 64x64"):
        StageTwo(3, (30, 30), 5, 3, (64, 64))


def test_a_discriminator_of_256_narrows_again() -> None:
    with torch.device("meta"):
        judge = Discriminator(3, (256, 256), 128)
    widths = [m.out_channels for m in judge.see if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1024, 2048, 1024, 512]


def test_noise_and_condition_both_matter() -> None:
    stage = StageOne(5, 6, 3, (16, 16), width=8).eval()
    z, text = torch.randn(2, 5), torch.randn(2, 6)
    with torch.no_grad():
        image = stage(z, text)
        assert not torch.allclose(image, stage(z, -text))
        assert not torch.allclose(image, stage(-z, text))


def test_the_first_stage_is_the_same_to_the_bit_after_the_second() -> None:
    small = {**full("stackgan/openmoji").spec.about.small, **TINY, "phases.stage_one.steps": 2}
    tr = trainer(api.Model("stackgan/openmoji", small))
    start = tensors(tr.parts, "G1", "C1", "D1")
    second = tensors(tr.parts, "G2", "C2", "D2")
    tr.advance()
    tr.advance()
    first = tensors(tr.parts, "G1", "C1", "D1")
    assert not equal(start, first)
    assert equal(second, tensors(tr.parts, "G2", "C2", "D2"))
    tr.advance()
    assert tr.phase.name == "stage_two"
    tr.advance()
    assert equal(first, tensors(tr.parts, "G1", "C1", "D1"))
    assert not tr.parts["G1"].training
    after = tensors(tr.parts, "G2", "C2", "D2")
    assert all(not torch.equal(after[key], second[key]) for key in second if key.endswith("weight"))


def test_a_condition_reaches_d_without_its_gradient() -> None:
    """The generator's conditions learn only from the generator's own terms."""
    model = api.Model("stackgan/stackgan", {"data.root": "nowhere"})
    assert "stop" in model.spec.flow["seen1"].text
    with pytest.raises(UserError, match="text_dim"):
        api.Model("stackgan/openmoji", {"flow.seen1": "real"}).check()


@pytest.mark.parametrize("part", ["discriminator.stackgan", "discriminator.gan_cls"])
def test_images_of_another_size_than_a_discriminator_was_built_for_are_refused(part: str) -> None:
    judge = plugins.installed().find(part).load()(3, (16, 16), 4, width=4)
    assert judge(torch.zeros(2, 3, 16, 16), torch.zeros(2, 4)).logit.shape == (2,)
    with pytest.raises(ValueError, match="built for images of 16x16, and is given 32x16"):
        judge(torch.zeros(2, 3, 32, 16), torch.zeros(2, 4))


def test_only_g_sees_captions_between_captions() -> None:
    spec = full("gan_cls/int").spec
    players = next(iter(spec.phases.values())).players
    assert "middle" in players["G"].terms["interpolation"].text
    assert not any("middle" in term.text for term in players["D"].terms.values())
    assert spec.flow["middle"].text == "between(text, mismatch(text))"
    assert spec.parts["between"].args["weight"] == 0.5
