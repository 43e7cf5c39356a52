"""A shared value that several players train: computed once a step; each gets the gradient of its own terms alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.train.loop import Trainer
from tests.train.test_resume import assert_same, logged, run_in_two
from tests.zoo import equal, tensors, trainer, written

VAE_GAN = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts:
  E: {use: encoder.conditioning, size: 3}
  Z: {size: 3}
  G: {hidden: [8]}
  D: {hidden: [8]}
  kl: loss.kl_normal
  mse: loss.mse
flow:
  code: E(real)
  recon: G(code.sample)
  judged: D(recon)
players:
  E: {minimize: {prior: "0.1 * kl(code.mu, code.logvar)", near: "mse(recon, real)"}}
  G: {minimize: {near: "0.5 * mse(recon, real)", adversarial: "adv.g(judged, D(real))"}}
  D: {minimize: {adversarial: "adv.d(D(real), judged)"}}
optimizer: {use: optimizer.sgd, lr: 0.05}
update: simultaneous
train: {batch: 8}
"""
SHARES = (["recon"], ["code", "recon"], ["judged"], ["code", "recon", "judged"])


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn of a step draws the same noise, so that nothing depends on who computes a value."""
    made = Trainer.turn

    def turn(self: Trainer, batch: Any, size: int, player: str, repeat: int, index: int, shared: Any) -> Any:
        found = made(self, batch, size, player, repeat, index, shared)
        found.draws = draw.Draws((self.train.seed, self.step), self.device, found.draws.share)
        return found

    monkeypatch.setattr(Trainer, "turn", turn)


def gradients(tr: Trainer) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": parameter.grad.clone()
        for name in ("E", "G", "D")
        for key, parameter in tr.parts[name].named_parameters()
    }


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize("share", SHARES, ids=" ".join)
@pytest.mark.parametrize("more", [{}, {"train__accumulate": 2}, {"players__G__every": 2}], ids=["", "micro", "every"])
@pytest.mark.parametrize("order", ["EGD", "DGE"])
def test_gradients_are_those_without_sharing(tmp_path, share: list[str], more: dict[str, Any], order: str) -> None:
    alone, together = (trainer(written(tmp_path, VAE_GAN, share=s, **more)) for s in ([], share))
    for tr in (alone, together):
        players = tr.phase.players
        tr.phase.players = {name: players[name] for name in order}
    assert not alone.together
    assert together.together >= {"E", "G"}
    for _ in range(4):
        alone.advance()
        together.advance()
        expected, found = gradients(alone), gradients(together)
        for name in expected:
            torch.testing.assert_close(
                found[name], expected[name], rtol=1e-5, atol=1e-7, msg=lambda m, n=name: f"{n}: {m}"
            )
    assert alone.meters.read() == pytest.approx(together.meters.read(), rel=1e-5)


@pytest.mark.parametrize(("share", "calls"), [([], 3), (["code"], 3), (["recon"], 1), (["code", "recon", "judged"], 1)])
def test_a_shared_value_is_computed_once_a_step(tmp_path, share: list[str], calls: int) -> None:
    tr = trainer(written(tmp_path, VAE_GAN, share=share))
    seen = []
    tr.parts["G"].register_forward_hook(lambda *_: seen.append(1))
    tr.advance()
    assert len(seen) == calls


def test_it_resumes_exactly(tmp_path) -> None:
    text = VAE_GAN + "share: [code, recon, judged]\n"
    text = text.replace("batch: 8", "batch: 8, checkpoint_every: 5")
    a, b = run_in_two(tmp_path, text, 12, 8)
    assert_same(a.state, b.state)
    assert logged(tmp_path / "a" / "run") == logged(tmp_path / "b" / "run")


def test_players_who_step_in_between_cannot_share(tmp_path) -> None:
    with pytest.raises(UserError) as caught:
        written(tmp_path, VAE_GAN, share=["recon"], update="alternating").spec  # noqa: B018
    (problem,) = caught.value.problems
    assert problem.message == "recon cannot be shared: E and G both train a part that produces it"
    assert problem.hint == "write `share: []` to compute it afresh each turn, or `update: simultaneous`"


@pytest.mark.usefixtures("same_noise")
def test_a_value_keeps_its_graph_though_a_player_without_gradient_asked_first_for_what_is_made_of_it(tmp_path) -> None:
    """D computes `recon`, which nobody trains by, and with it `code`, by which E learns."""
    head, end = VAE_GAN.split("players:")[0], VAE_GAN.split("}\noptimizer:")[1]
    players = """players:
  D: {minimize: {adversarial: "adv.d(D(real), judged)"}}
  E: {minimize: {prior: "kl(code.mu, code.logvar)"}}
  G: null
"""
    text = head + players + "optimizer:" + end
    shares: tuple[list[str], ...] = ([], ["code", "recon"])
    alone, together = (trainer(written(tmp_path, text, share=share, update="alternating")) for share in shares)
    for tr in (alone, together):
        for _ in range(3):
            tr.advance()
    assert equal(tensors(alone.parts, "E", "D"), tensors(together.parts, "E", "D"))
