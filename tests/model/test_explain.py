"""The model in words."""

from __future__ import annotations

from pathlib import Path

import ganzoo
from ganzoo.model.explain import explain, text
from tests.zoo import written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 100}
parts: {mse: loss.mse}
"""


def test_what_is_logged_is_shown(tmp_path: Path) -> None:
    blueprint = written(tmp_path, POINTS, log={"near": "mse(fake, real)"}).blueprint
    assert explain(blueprint)["log"] == {"near": "mse(fake, real)"}
    assert "\nlog\n  near = mse(fake, real)\n" in text(blueprint)


def test_a_part_says_what_it_keeps_from_step_to_step() -> None:
    parts = explain(ganzoo.load("cyclegan/openmoji").blueprint)["parts"]
    assert parts["pool_a"]["state"] == ["stored", "count"] and parts["G_ab"]["state"] == []
    parts = explain(ganzoo.load("sngan/sngan").blueprint)["parts"]
    assert parts["G"]["state"] == ["running statistics"] and parts["D"]["state"] == ["singular vectors"]
    shown = text(ganzoo.load("cyclegan/openmoji").blueprint)
    assert "keeps stored, count" in shown


def test_a_pass_that_is_written_twice_in_a_players_terms_is_told(tmp_path: Path) -> None:
    twice = {"players.G.minimize.again": "0.1 * mse(D(fake), D(real))"}
    player = {p["player"]: p for p in explain(written(tmp_path, POINTS, **twice).blueprint)["phases"][0]["players"]}
    assert player["D"]["again"] == {} and player["G"]["again"] == {"D(fake)": 2}, "adv.g does not read D(real)"
    assert "computes 2 times: D(fake)   (a name for it under flow computes it once)" in text(
        written(tmp_path, POINTS, **twice).blueprint
    )
    once = {
        "flow.d_fake": "D(fake)",
        "flow.d_real": "D(real)",
        "players.G.minimize.adversarial": "adv.g(d_fake, d_real)",
    }
    once["players.G.minimize.again"] = "0.1 * mse(d_fake, d_real)"
    found = explain(written(tmp_path, POINTS, **once).blueprint)["phases"][0]["players"]
    assert not any(player["again"] for player in found)
