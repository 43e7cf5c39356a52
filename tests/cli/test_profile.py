"""``ganzoo profile``: what it says to people and machines, and of mistakes."""

from __future__ import annotations

import json

from tests.cli.conftest import SMALL


def test_profile_for_people_and_machines(ganzoo, monkeypatch) -> None:
    from ganzoo.train import machine

    monkeypatch.setattr(machine, "SECONDS", 0.0)
    result = ganzoo("profile", "gan/circle", *SMALL, "--steps", "2")
    assert result.code == 0, result.err
    for piece in ("Time a step, by part", "D.adversarial", "between", "Memory", "What holds it back\n* "):
        assert piece in result.out
    report = json.loads(ganzoo("profile", "gan/circle", *SMALL, "--steps", "2", "--json").out)
    assert report["steps"] == 2 and set(report["players"]) == {"G", "D"}


def test_profile_mistakes(ganzoo) -> None:
    result = ganzoo("profile", "gan/circle", *SMALL, "--phase", "late")
    assert result.code == 2 and "no phase 'late'" in result.err
    assert ganzoo("profile", "gan/circle", *SMALL, "--steps", "0").code == 2
    assert ganzoo("profile", "dcgan").code == 2
