"""What passes from phase to phase, and that resume is exact in each."""

from __future__ import annotations

import copy

import pytest

from tests.zoo import equal, tensors, trainer, written

LADDER = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {G: {hidden: [8]}, D: {hidden: [8]}, mse: loss.mse}
players: {P: {trains: [G], minimize: {near: "mse(fake, real)"}, ema: 0.5}}
train: {batch: 8}
phases:
  warm: {steps: 3, players: {P: {}}}
  main:
    steps: 4
    players:
      G: {minimize: {adversarial: {of: "adv.g(D(fake), D(real))", weight: {use: schedule.linear}}}}
      D: {after: {clip: {use: regularizer.clip_weights, bound: 0.001}}}
  end: {steps: 3, players: {D: {}}}
"""


class TestPhases:
    def test_an_average_ends_when_another_player_trains_its_part(self, tmp_path) -> None:
        tr = trainer(written(tmp_path, LADDER))
        for _ in range(3):
            tr.advance()
        assert list(tr.averages()) == ["G"]
        tr.advance()
        assert not tr.averages()

    def test_constraints_of_a_later_phase_hold(self, tmp_path) -> None:
        tr = trainer(written(tmp_path, LADDER, phases__warm__players={"P": {}, "D": {}}))
        for _ in range(5):
            tr.advance()
        assert max(p.abs().max().item() for p in tr.parts["D"].parameters()) <= 0.001001

    def test_constraints_act_on_the_parts_they_name(self, tmp_path) -> None:
        on = {"use": "regularizer.clip_weights", "bound": 0.001, "on": ["D"]}
        both = {"trains": ["D", "E"], "after": {"clip": on}, "minimize": {"more": "adv.d(E(real), E(fake))"}}
        extra = {"parts__E": {"use": "discriminator.mlp", "hidden": [8]}, "phases__main__players__D": both, "share": []}
        tr = trainer(written(tmp_path, LADDER, **extra))
        for _ in range(5):
            tr.advance()
        largest = {name: max(p.abs().max().item() for p in tr.parts[name].parameters()) for name in "DE"}
        assert largest["D"] <= 0.001001 < 0.01 < largest["E"]

    def test_weights_that_follow_a_schedule_begin_with_their_player(self, tmp_path) -> None:
        tr = trainer(written(tmp_path, LADDER))
        for _ in range(4):
            tr.advance()
        (_, _, weight), state = tr.terms["G"][0], tr.players["G"]
        assert [weight(step) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
        assert state.schedules.count == 1

    def test_a_schedule_ends_with_the_phases_that_share_its_optimizer(self, tmp_path) -> None:
        falling = {"use": "schedule.linear", "end": 0.1}
        overrides = {f"phases__{name}__players": {"P": {"schedule": falling}} for name in ("warm", "main")}
        last = {"P": {"schedule": falling, "optimizer": {"lr": 1.0}}}
        tr = trainer(written(tmp_path, LADDER, **overrides, phases__end__players=last, optimizer__lr=0.5, share=[]))
        rates = []
        for _ in range(10):
            tr.advance()
            rates.append(tr.players["P"].optimizer.param_groups[0]["lr"])
        assert rates[6] == pytest.approx(0.5 * 0.1)  # after 3 + 4 steps
        assert rates[9] == pytest.approx(1.0 * 0.1)
        assert rates[7] == pytest.approx(1.0 - 0.9 / 3)

    def test_an_average_goes_on_when_only_the_learning_rate_changes(self, tmp_path) -> None:
        text = LADDER.replace("players: {P: {}}", "players: {G: {}, D: {}}").replace(
            "ema: 0.5}", "ema: 0.5}\n  G: {ema: 0.9}", 0
        )
        tr = trainer(written(tmp_path, text, players__G__ema=0.9, phases__main__players__G__optimizer__lr=1e-5))
        for _ in range(4):
            tr.advance()
        assert tr.players["G"].ema.count == 4

    @pytest.mark.parametrize("stop", range(1, 10))
    def test_resume_in_any_phase_is_exact(self, tmp_path, stop) -> None:
        text = LADDER + "schedule: {use: schedule.linear}\n"
        extra = {"players__D__ema": 0.9, "phases__main__players__G__ema": 0.9}
        straight, before, after = (trainer(written(tmp_path, text, **extra)) for _ in range(3))
        while straight.advance():
            pass
        for _ in range(stop):
            before.advance()
        after.load_state_dict(copy.deepcopy(before.state_dict()))
        while after.advance():
            pass
        assert equal(tensors(straight.parts), tensors(after.parts))
        assert equal(tensors(straight.averages()), tensors(after.averages()))
        assert straight.rates() == after.rates()
