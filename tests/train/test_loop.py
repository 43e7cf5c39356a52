"""The loop does what the YAML says: against loops written by hand, and rule by rule."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganzoo.parallel import draw
from tests.zoo import equal, tensors, trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts:
  G: {hidden: [8]}
  D: {hidden: [8]}
train: {batch: 8}
"""
PHASES = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, mse: loss.mse}
train: {batch: 8}
phases:
  warm: {steps: 3, players: {G: {minimize: {adversarial: null, near: "mse(fake, real)"}}}}
  main: {steps: 3}
"""


def hand_noise(step: int, player: str, repeat: int, n: int = 8) -> torch.Tensor:
    draws = draw.Draws((0, step, player, repeat), torch.device("cpu"))
    draws.part = "Z"
    with draw.using(draws):
        return draw.normal(n, 2)


def hand_batches(tr, count: int) -> list[torch.Tensor]:
    feed = copy.copy(tr.feed)
    feed.cursor = 0
    return [feed.take(8)[0]["real"] for _ in range(count)]


def adam(part: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(part.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)


def test_alternating_turns_equal_a_loop_written_by_hand(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS, share=[]))
    G, D = copy.deepcopy(tr.parts["G"]), copy.deepcopy(tr.parts["D"])
    opt_g, opt_d = adam(G), adam(D)
    for step, real in enumerate(hand_batches(tr, 5)):
        fake = G(hand_noise(step, "D", 0)).detach()
        loss = softplus(-D(real).logit).mean() + softplus(D(fake).logit).mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        loss = softplus(-D(G(hand_noise(step, "G", 0))).logit).mean()
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
    for _ in range(5):
        tr.advance()
    assert equal(tensors({"G": G, "D": D}), tensors(tr.parts))


def test_a_shared_fake_is_computed_once_and_reaches_both_players(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS))
    G, D = copy.deepcopy(tr.parts["G"]), copy.deepcopy(tr.parts["D"])
    opt_g, opt_d = adam(G), adam(D)
    calls = []
    tr.parts["G"].register_forward_hook(lambda *_: calls.append(1))
    for step, real in enumerate(hand_batches(tr, 4)):
        fake = G(hand_noise(step, "share", 8 * (step + 1)))
        loss = softplus(-D(real).logit).mean() + softplus(D(fake.detach()).logit).mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        loss = softplus(-D(fake).logit).mean()
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
    for _ in range(4):
        tr.advance()
    assert len(calls) == 4
    assert equal(tensors({"G": G, "D": D}), tensors(tr.parts))


def test_repeats_take_new_batches_and_new_noise(tmp_path) -> None:
    text = POINTS + "players: {D: {repeat: 3}}\nshare: []\n"
    tr = trainer(written(tmp_path, text, parts__adv="adversarial.wasserstein"))
    G, D = copy.deepcopy(tr.parts["G"]), copy.deepcopy(tr.parts["D"])
    opt_g, opt_d = adam(G), adam(D)
    batches = iter(hand_batches(tr, 6))
    for step in range(2):
        for repeat in range(3):
            loss = D(G(hand_noise(step, "D", repeat)).detach()).logit.mean() - D(next(batches)).logit.mean()
            opt_d.zero_grad()
            loss.backward()
            opt_d.step()
        loss = -D(G(hand_noise(step, "G", 0))).logit.mean()
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
    tr.advance()
    tr.advance()
    assert equal(tensors({"G": G, "D": D}), tensors(tr.parts))
    assert tr.feed.cursor == 2 * 3 * 8


def test_simultaneous_players_take_gradients_before_anyone_steps(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS, update="simultaneous", share=[]))
    G, D = copy.deepcopy(tr.parts["G"]), copy.deepcopy(tr.parts["D"])
    opt_g, opt_d = adam(G), adam(D)
    for step, real in enumerate(hand_batches(tr, 3)):
        fake = G(hand_noise(step, "D", 0)).detach()
        d_loss = softplus(-D(real).logit).mean() + softplus(D(fake).logit).mean()
        d_grads = torch.autograd.grad(d_loss, list(D.parameters()))
        g_loss = softplus(-D(G(hand_noise(step, "G", 0))).logit).mean()
        g_grads = torch.autograd.grad(g_loss, list(G.parameters()))
        for part, grads, optimizer in ((D, d_grads, opt_d), (G, g_grads, opt_g)):
            for parameter, grad in zip(part.parameters(), grads, strict=True):
                parameter.grad = grad
            optimizer.step()
    for _ in range(3):
        tr.advance()
    assert equal(tensors({"G": G, "D": D}), tensors(tr.parts))


def test_dirac_gan_circles_when_simultaneous_and_converges_with_r1(tmp_path) -> None:
    """arXiv:1801.04406 section 2: D(x) = psi x, G = theta, the data a point at 0."""
    plugin = tmp_path / "dirac.py"
    plugin.write_text(
        '''
import ganzoo, torch
from torch import nn

class Point(nn.Module):
    """G. Source: arXiv:1801.04406."""
    def __init__(self, z_dim: int):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(1.0))
    def forward(self, z):
        return self.theta.expand(len(z), 1)

class Slope(nn.Module):
    """D. Source: arXiv:1801.04406."""
    def __init__(self):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(1.0))
    def forward(self, x):
        return (self.psi * x).squeeze(1)

@ganzoo.hookimpl
def register(zoo):
    zoo.generator("dirac", Point)
    zoo.discriminator("dirac", Slope)
'''
    )
    from ganzoo import api

    text = """
extends: base/unconditional.yaml
data: {use: data.random, count: 20, fields: {real: {kind: vector, shape: [1], range: [0, 1.0e-9]}}}
parts:
  Z: {use: prior.normal, size: 1}
  G: generator.dirac
  D: discriminator.dirac
  adv: adversarial.minimax
  r1: regularizer.r1
optimizer: {use: optimizer.sgd, lr: 0.1}
update: simultaneous
train: {batch: 4}
"""
    (tmp_path / "dirac.yaml").write_text(text)
    registry = api.registry(plugin)

    def radius(steps: int, **overrides) -> float:
        tr = trainer(api.Model(tmp_path / "dirac.yaml", overrides, registry))
        for _ in range(steps):
            tr.advance()
        return (tr.parts["G"].theta ** 2 + tr.parts["D"].psi ** 2).sqrt().item()

    start = 2**0.5
    assert radius(300) >= start
    assert radius(600, **{"players.D.minimize.r1": "r1(D, real)"}) < 0.05 * start


def test_parts_that_nobody_trains_do_not_change(tmp_path) -> None:
    text = """
extends: base/images.yaml
data: {use: data.random, count: 20, fields: {real: {kind: image, shape: [1, 16, 16]}}}
parts: {Z: {size: 4}, G: {width: 4}, D: {width: 4}}
players: {G: null}
train: {batch: 4}
show: []
"""
    tr = trainer(written(tmp_path, text))
    before = tensors(tr.parts)
    assert not tr.parts["G"].training
    for _ in range(3):
        tr.advance()
    after = tensors(tr.parts)
    assert equal({k: v for k, v in before.items() if k[0] == "G"}, {k: v for k, v in after.items() if k[0] == "G"})
    assert not equal(before, after)


def test_a_players_turn_changes_nobody_else(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS))
    seen = []
    original = tr.update

    def update(player):
        others = {name: part for name, part in tr.parts.items() if name != player.name}
        before = tensors(others)
        original(player)
        seen.append(equal(before, tensors(others)))
        grads = [p.grad for name in others for p in getattr(tr.parts[name], "parameters", list)() if p.requires_grad]
        assert grads == []

    tr.update = update
    tr.advance()
    assert seen == [True, True]


def test_lazy_terms_play_every_k_steps_and_are_rescaled(tmp_path) -> None:
    term = "players: {D: {minimize: {adversarial: null, r1: {of: '2 * r1(D, real)', weight: 3, every: 4}}}}\n"
    tr = trainer(written(tmp_path, POINTS + term, parts__r1="regularizer.r1"))
    grads = []
    original = tr.update

    def update(player):
        if player.name == "D":
            grads.append([p.grad.clone() if p.grad is not None else None for p in tr.parts["D"].parameters()])
        original(player)

    tr.update = update
    from ganzoo_regularizers.gradients import R1

    D = copy.deepcopy(tr.parts["D"])
    real = hand_batches(tr, 1)[0]
    expected = torch.autograd.grad(
        2 * 3 * 4 * R1()(lambda x: D(x).logit, real), list(D.parameters()), allow_unused=True
    )
    for _ in range(5):
        tr.advance()
    assert len(grads) == 2, "D has nothing to step for in between"
    for mine, hand in zip(grads[0], expected, strict=True):
        assert (mine is None and hand is None) or torch.allclose(mine, hand, rtol=1e-5)


def test_a_player_may_play_every_k_steps(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS, players__G__every=3))
    changed = []
    for _ in range(6):
        before = tensors(tr.parts, "G")
        tr.advance()
        changed.append(not equal(before, tensors(tr.parts, "G")))
    assert changed == [True, False, False, True, False, False]


def test_weights_may_follow_a_schedule(tmp_path) -> None:
    text = POINTS.replace("D: {hidden: [8]}", "D: {hidden: [8]}\n  mse: loss.mse")
    text += (
        "players: {G: {minimize: {adversarial: null, near: {of: 'mse(fake, real)', "
        "weight: {use: schedule.linear, start: 0, stop: 4, begin: 1, end: 0}}}}}\n"
        "optimizer: {use: optimizer.sgd, lr: 1}\n"
    )
    tr = trainer(written(tmp_path, text))
    norms = []
    for _ in range(6):
        before = tensors(tr.parts, "G")
        tr.advance()
        norms.append(sum(float((v - before[k]).abs().sum()) for k, v in tensors(tr.parts, "G").items()))
    assert all(n > 0 for n in norms[:4])
    assert norms[4:] == [0.0, 0.0]


def test_phases_take_turns_and_keep_or_renew_optimizers(tmp_path) -> None:
    tr = trainer(written(tmp_path, PHASES))
    d_before = tensors(tr.parts, "D")
    for _ in range(3):
        tr.advance()
    assert tr.phase.name == "warm"
    assert equal(d_before, tensors(tr.parts, "D")), "D does not play in the first phase"
    g_optimizer = tr.players["G"].optimizer
    for _ in range(3):
        tr.advance()
    assert tr.phase.name == "main"
    assert tr.players["G"].optimizer is g_optimizer, "same parts, same optimizer: its state goes on"
    assert not tr.advance()
    assert tr.step == 6


def test_a_phase_with_another_optimizer_starts_it_fresh(tmp_path) -> None:
    text = PHASES.replace("main: {steps: 3}", "main: {steps: 3, players: {G: {optimizer: {lr: 0.5}}, D: {}}}")
    tr = trainer(written(tmp_path, text))
    for _ in range(4):
        tr.advance()
    assert tr.players["G"].optimizer.param_groups[0]["lr"] == 0.5
    assert all(s["step"] == 1 for s in tr.players["G"].optimizer.state.values())


def test_averages_follow_the_formula(tmp_path) -> None:
    tr = trainer(written(tmp_path, POINTS, players__G__ema={"decay": 0.9, "start": 2}))
    expected: dict[str, torch.Tensor] = {}
    for step in range(6):
        tr.advance()
        for key, value in tensors(tr.parts, "G").items():
            expected[key] = value if step < 2 else expected[key] * 0.9 + value * 0.1
    for key, value in tensors(tr.averages()).items():
        assert torch.allclose(value, expected[key], atol=1e-6), key


def test_gradients_are_clipped(tmp_path) -> None:
    text = POINTS + "optimizer: {use: optimizer.sgd, lr: 1}\n"
    tr = trainer(written(tmp_path, text, players__G__clip=1e-3))
    before = tensors(tr.parts, "G")
    tr.advance()
    moved = torch.cat([(v - before[k]).flatten() for k, v in tensors(tr.parts, "G").items()]).norm()
    assert 0.99e-3 < moved < 1.001e-3


def test_accumulated_gradients_equal_one_big_batch(tmp_path) -> None:
    whole, parts = (trainer(written(tmp_path, POINTS, train__accumulate=n)) for n in (1, 4))
    for _ in range(5):
        whole.advance()
        parts.advance()
    for key, value in tensors(whole.parts).items():
        assert torch.allclose(value, tensors(parts.parts)[key], atol=1e-6), key


def test_learning_rates_can_differ_by_part_and_follow_schedules(tmp_path) -> None:
    text = POINTS + "schedule: {use: schedule.linear, start: 0, stop: 10}\n"
    tr = trainer(written(tmp_path, text, players__G__optimizer={"lr_scale": {"G": 5.0}}))
    assert tr.rates() == {"D.lr": pytest.approx(2e-4), "G.lr": pytest.approx(1e-3)}
    for _ in range(5):
        tr.advance()
    assert tr.rates() == {"D.lr": pytest.approx(1e-4), "G.lr": pytest.approx(5e-4)}


def test_bf16_keeps_penalties_and_parameters_in_fp32(tmp_path) -> None:
    text = """
extends: wgan_gp/fashion_mnist_sample
data: {use: data.random, count: 20, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts: {Z: {size: 4}, G: {width: 4}, D: {width: 4}}
train: {batch: 4, precision: bf16}
"""
    tr = trainer(written(tmp_path, text))
    seen = set()
    head = tr.parts["D"].head
    head.register_forward_hook(lambda module, args, out: seen.add((out.dtype, torch.is_grad_enabled())))
    for _ in range(2):
        tr.advance()
    assert {dtype for dtype, _ in seen} == {torch.bfloat16, torch.float32}, (
        "the penalty runs D in fp32, the rest in bf16"
    )
    assert all(p.dtype == torch.float32 for part in ("G", "D") for p in tr.parts[part].parameters())
    assert tr.finite()
    assert all(torch.isfinite(torch.tensor(list(tr.meters.read().values()))))


def test_bf16_with_spectral_norm_and_a_penalty(tmp_path) -> None:
    text = """
extends: sngan/fashion_mnist_sample
data: {use: data.random, count: 20, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts: {Z: {size: 4}, G: {width: 4}, D: {width: 4}, r1: regularizer.r1}
players: {D: {minimize: {penalty: "r1(D, real)"}}}
train: {batch: 4, precision: bf16}
"""
    tr = trainer(written(tmp_path, text))
    for _ in range(2):
        tr.advance()
    assert tr.finite()
    assert {t.dtype for t in tr.parts["D"].state_dict().values()} == {torch.float32}


def test_d_alone_can_be_trained_as_a_classifier(tmp_path) -> None:
    text = """
data: {use: data.random, count: 40, fields: {real: {kind: vector, shape: [2]}, label: {kind: label, classes: 3}}}
parts: {D: {use: discriminator.mlp, hidden: [8]}, ce: loss.bce}
players: {D: {minimize: {one: "ce(D(real), 1)"}}}
optimizer: {use: optimizer.adam, lr: 0.01}
train: {batch: 8}
"""
    tr = trainer(written(tmp_path, text))
    tr.advance()
    first = tr.meters.read()["D.one"]
    for _ in range(50):
        tr.advance()
    tr.meters.read()
    tr.advance()
    assert tr.meters.read()["D.one"] < first


def test_simultaneous_players_cannot_train_one_part(tmp_path) -> None:
    from ganzoo.errors import UserError

    text = POINTS + "update: simultaneous\nplayers: {P: {trains: [G], minimize: {near: 'adv.g(D(fake), D(real))'}}}\n"
    with pytest.raises(UserError, match="both train G in a simultaneous update"):
        written(tmp_path, text)


def test_lazy_terms_of_a_player_that_plays_rarely_are_not_rescaled_twice(tmp_path) -> None:
    term = "players: {D: {every: 2, minimize: {adversarial: null, r1: {of: 'r1(D, real)', every: 2}}}}\n"
    tr = trainer(written(tmp_path, POINTS + term, parts__r1="regularizer.r1"))
    D, real = copy.deepcopy(tr.parts["D"]), hand_batches(tr, 1)[0]
    grads = []
    update = tr.update
    tr.update = lambda player: (
        grads.append([p.grad for p in tr.players["D"].own]) if player.name == "D" else None,
        update(player),
    )
    from ganzoo_regularizers.gradients import R1

    expected = torch.autograd.grad(R1()(lambda x: D(x).logit, real), list(D.parameters()), allow_unused=True)
    tr.advance()
    for mine, hand in zip(grads[0], expected, strict=True):
        assert (mine is None and hand is None) or torch.allclose(mine, hand, rtol=1e-5)


def test_only_the_learning_rate_follows_torch_s_schedulers(tmp_path) -> None:
    from ganzoo.errors import UserError

    model = written(tmp_path, POINTS + "schedule: {weight_decay: {use: schedule.step, step_size: 2}}\n")
    with pytest.raises(UserError, match="schedules the learning rate, not 'weight_decay'"):
        model.check()


def test_a_schedule_for_all_and_others_for_one_player(tmp_path) -> None:
    text = (
        POINTS
        + """
schedule: {use: schedule.linear, stop: 10}
players: {D: {schedule: {weight_decay: {use: schedule.linear, begin: 0.0, end: 1.0, stop: 10}}}}
"""
    )
    tr = trainer(written(tmp_path, text, optimizer__weight_decay=0.5))
    for _ in range(5):
        tr.advance()
    assert tr.rates() == {"D.lr": pytest.approx(1e-4), "G.lr": pytest.approx(1e-4)}
    assert tr.players["D"].optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.25)
