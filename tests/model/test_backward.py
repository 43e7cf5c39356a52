"""A backward pass that fails names the term, and says what its author may have done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo import api
from ganzoo.errors import EvaluationError, UserError
from ganzoo.registry import plugins
from tests.core.helpers import extended
from tests.zoo import trainer

IN_PLACE = "was changed in place after it was used: use a copy of it"
SECOND = "leads into the graph of an earlier backward pass, which is gone: detach what is kept"


class Careless(nn.Module):
    """``(k x)^2``, and k moves in place after so many calls; with `copies`, as it should be done."""

    def __init__(self, after: int = 0, copies: bool = False):
        super().__init__()
        self.register_buffer("k", torch.ones(()))
        self.calls, self.after, self.copies = 0, after, copies

    def forward(self, x: Tensor) -> Tensor:
        loss = (x * (self.k.clone() if self.copies else self.k)).square().mean().exp()
        if self.calls >= self.after:
            with torch.no_grad():
                self.k.add_(0.01)
        self.calls += 1
        return loss


class Remembers(nn.Module):
    """A moving average that keeps its graph, or not."""

    def __init__(self, detaches: bool = False):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.detaches = detaches

    def forward(self, x: Tensor) -> Tensor:
        mean = 0.9 * self.mean + 0.1 * x.square().mean()
        self.mean = mean.detach() if self.detaches else mean
        return mean * x.square().mean()


def model(folder: Path, odd: str, **more: Any) -> api.Model:
    path = folder / "model.yaml"
    path.write_text(
        f"""extends: gan/circle
parts: {{l1: loss.l1, odd: {odd}}}
train: {{batch: 8, steps: 4}}
players:
  D:
    minimize:
      near: l1(D(real).logit, 1.0)
      odd: odd(D(fake).logit)
      far: l1(D(real).logit, 2.0)
"""
    )
    zoo = extended(plugins.installed(), {"loss.careless": Careless, "loss.remembers": Remembers})
    return api.Model(path, more, zoo)


@pytest.mark.parametrize(("odd", "meaning"), [("loss.careless", IN_PLACE), ("loss.remembers", SECOND)])
def test_a_check_names_the_term(odd: str, meaning: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=meaning) as error:
        model(tmp_path, odd).check()
    (problem,) = error.value.problems
    assert (problem.path, problem.origin and problem.origin.line) == ("players.D.minimize.odd", 8)
    assert problem.message.startswith(f"the gradient of term odd ({odd}) of player D cannot be computed")


@pytest.mark.parametrize("odd", ["{use: loss.careless, copies: true}", "{use: loss.remembers, detaches: true}"])
@pytest.mark.parametrize("accumulate", [1, 8])
def test_state_that_is_kept_with_care_is_no_problem(odd: str, accumulate: int, tmp_path: Path) -> None:
    loop = trainer(model(tmp_path, odd, **{"train.accumulate": accumulate}))
    assert loop.advance() and loop.advance()


@pytest.mark.parametrize(
    ("odd", "spoilt", "meaning"),
    [
        ("{use: loss.careless, after: 2}", {"after": 0}, IN_PLACE),
        ("{use: loss.remembers, detaches: true}", {"detaches": False}, SECOND),
    ],
)
def test_training_names_the_term_whose_graph_is_half_gone(
    odd: str, spoilt: dict[str, Any], meaning: str, tmp_path: Path
) -> None:
    """What a check did not meet: the part changes its ways later. The other terms' graphs are freed by then."""
    loop = trainer(model(tmp_path, odd))
    assert loop.advance()
    vars(loop.parts["odd"]).update(spoilt)
    with pytest.raises(EvaluationError, match=meaning) as error:
        loop.advance()
        loop.advance()
    assert "the gradient of term odd (loss." in str(error.value) and error.value.path == "players.D.minimize.odd"
