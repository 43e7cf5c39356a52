"""A mixture of generators: each code has its own first layer, and all are told by what the classifier guesses."""

from __future__ import annotations

from tests.zoo import small, trainer


def test_both_players_minimise_the_guess() -> None:
    model = small("mgan/ring", **{"train.log_every": 1})
    tr = trainer(model)
    tr.advance()
    values = tr.meters.read()
    assert -0.5 < values["D.which"] < 0.5, "cross-entropy minus the entropy of the code: near 0 without a clue"
