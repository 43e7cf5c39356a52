"""What is measured beside the terms, and what is said of it: the same training to the bit, no false alarm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import Scales, api
from ganzoo.errors import Collapsed, Diverged
from ganzoo.registry import plugins
from ganzoo.run import session
from ganzoo.run.start import resume, train
from ganzoo.store.folder import RunFolder
from ganzoo.train import diagnostics
from ganzoo.train.health import Health, diversity
from ganzoo.train.loop import Trainer
from tests.train.test_resume import logged
from tests.zoo import equal, tensors, trainer, written

POINTS = """
extends: base/points.yaml
data: {use: data.ring, points: 500}
parts: {G: {hidden: [16, 16]}, D: {hidden: [16, 16]}}
optimizer: {lr: 1.0e-3}
show: {n: 64}
train: {steps: 300, batch: 32, checkpoint_every: 100}
"""
WATCHED = {"train__log_every": 20, "train__sample_every": 100}


def advanced(folder: Path, text: str = POINTS, steps: int = 6, **overrides: Any) -> Trainer:
    made = trainer(written(folder, text, **overrides))
    for _ in range(steps):
        made.advance()
    return made


# -- diagnostics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    ["", "players: {G: {clip: 0.01}, D: {repeat: 2}}", "share: []\nupdate: simultaneous", "parts: {D: {dropout: 0.5}}"],
)
def test_measuring_changes_no_bit_of_training(more: str, tmp_path: Path) -> None:
    text = POINTS + more + "\n" if "parts" not in more else POINTS.replace("D: {hidden", "D: {dropout: 0.5, hidden")
    one, two = (advanced(tmp_path, text, 6, train__log_every=every) for every in (1, 1000))
    assert equal(tensors(one.parts), tensors(two.parts))
    assert set(one.meters.read()) > set(two.meters.read())


def test_nothing_is_measured_in_other_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    tr = trainer(written(tmp_path, POINTS, train__log_every=3))
    for name in ("gradient", "confidence"):
        plain = getattr(diagnostics, name)
        monkeypatch.setattr(diagnostics, name, lambda *a, plain=plain: calls.append(tr.step) or plain(*a))
    for _ in range(7):
        tr.advance()
    assert calls == [2] * 4 + [5] * 4, "two players, two diagnostics each, in the steps that are logged"


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_the_gradient_is_that_before_clipping(clip: float | None, tmp_path: Path) -> None:
    tr = trainer(written(tmp_path, POINTS, train__log_every=1, players__G__clip=clip))
    norms = {}
    average = tr.update

    def update(player: Any) -> None:
        found = [p.grad.flatten() for p in tr.players[player.name].own]
        norms[f"{player.name}.gradient"] = torch.cat(found).norm().item()
        average(player)

    tr.update = update  # type: ignore[method-assign]
    tr.advance()
    values = tr.meters.read()
    assert norms["G.gradient"] > 1e-3
    for name, norm in norms.items():
        assert values[name] == pytest.approx(norm, rel=1e-5)


class Loss:
    boundary: float | None

    def __init__(self, boundary: float | None):
        self.boundary = boundary


def sure(boundary: float | None, side: str, real: Any, fake: Any) -> dict[str, float]:
    seen = [(Loss(boundary), side, {"real": real, "fake": fake})]
    return {name: round(value.item(), 5) for name, value in diagnostics.confidence(seen).items()}


def test_how_sure_d_is() -> None:
    real, fake = torch.tensor([3.0, 1.0, -1.0, 1.0]), torch.tensor([-2.0, 2.0, -2.0, -4.0])
    assert sure(0.0, "d", real, fake) == {"right": 6 / 8, "margin": 16 / 8}
    assert sure(0.0, "g", None, fake) == {"fooled": 1 / 4, "margin": 10 / 4}
    assert sure(1.5, "d", real, fake) == {"right": 4 / 8, "margin": (1.5 + 0.5 + 2.5 + 0.5 + 3.5 + 0.5 + 3.5 + 5.5) / 8}
    assert sure(None, "g", None, fake) == {}, "what a critic's score alone means, nobody knows"
    shifted = sure(None, "d", real + 100, fake + 100)
    assert shifted["apart"] == 6 / 8, "of a critic, only differences count"
    assert sure(0.0, "d", [real, real], [fake, fake]) == sure(0.0, "d", Scales((real, real)), Scales((fake, fake)))
    assert sure(0.0, "d", [real, real], fake) == {"right": 0.75, "margin": 1.83333}


@pytest.mark.parametrize(
    ("loss", "of_d", "of_g"),
    [
        ("nonsaturating", "right", "fooled"),
        ("least_squares", "right", "fooled"),
        ("hinge", "right", "fooled"),
        ("wasserstein", "apart", None),
        ("relativistic_average", "apart", "apart"),
    ],
)
def test_adversarial_terms_are_known_by_their_kind(loss: str, of_d: str, of_g: str | None, tmp_path: Path) -> None:
    text = POINTS.replace("parts: {", f"parts: {{adv: null, versus: adversarial.{loss}, ").replace(
        "optimizer:",
        "players:\n  D: {minimize: {adversarial: null, one: 'versus.d(fake=D(fake), real=D(real))', "
        "two: '0.1 * versus.d(D(real), [D(fake), D(fake)])'}}\n"
        "  G: {minimize: {adversarial: null, one: 'versus.g(D(fake), D(real))'}}\noptimizer:",
    )
    if loss == "relativistic_average":
        text = text.replace("D(real), [D(fake), D(fake)]", "D(real), D(fake)")
    values = advanced(tmp_path, text, 2, train__log_every=2).meters.read()
    signs = {name for name in values if name.count(".") == 2}
    assert signs == {
        *(f"D.{term}.{what}" for term in ("one", "two") for what in (of_d, "margin")),
        *(f"G.one.{what}" for what in (of_g, "margin") if of_g),
    }
    assert all(0 <= values[name] <= 1 for name in signs if not name.endswith("margin"))


def test_a_bad_gradient_is_noticed_where_the_terms_are_finite(tmp_path: Path) -> None:
    tr = advanced(tmp_path, steps=0, train__log_every=1)
    plain = tr.update

    def update(player: Any) -> None:
        if player.name == "G":
            tr.players["G"].own[0].grad.fill_(float("nan"))
        plain(player)

    tr.update = update  # type: ignore[method-assign]
    tr.advance()
    with pytest.raises(Diverged, match="the gradient of player G was not finite at step 0"):
        tr.meters.read()


# -- diversity ---------------------------------------------------------------------------------------------------------


def test_diversity_is_relative_to_the_data(tmp_path: Path) -> None:
    spec = written(tmp_path, POINTS).spec
    real = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    measure = lambda fake, **given: diversity(spec, fake, {"real": real, **given})  # noqa: E731
    assert measure(real.clone()) == {"diversity": pytest.approx(1)}
    assert measure(3 * real + 5) == {"diversity": pytest.approx(3, rel=1e-5)}
    assert measure(torch.full((50, 2), 0.7))["diversity"] < 1e-5
    assert measure(1000 + 1e-3 * real)["diversity"] == pytest.approx(1e-3, rel=0.05), "small beside a large mean"
    assert measure(real * float("nan")) == {}
    assert measure(torch.randn(50, 3)) == {}, "no field is like that"
    assert measure(real, other=real) == {}, "which of two?"
    spec.parts["G"].like = "real"
    assert measure(real, other=0 * real) == {"diversity": pytest.approx(1)}


# -- signs -------------------------------------------------------------------------------------------------------------


def said(records: list[dict[str, float]]) -> list[tuple[float, str]]:
    health = Health()
    return [(r["step"], text) for r in records for text in health.see(int(r["step"]), r)]


def history(**columns: list[float]) -> list[dict[str, float]]:
    rows = zip(*columns.values(), strict=True)
    names = [name.replace("__", ".") for name in columns]
    return [{"step": 50 * (i + 1), **dict(zip(names, row, strict=True))} for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("columns", "steps", "words"),
    [
        ({"D__a__right": [1.0] * 9, "D__a__margin": [1.0 + i for i in range(9)]}, [300], "D wins"),
        ({"D__a__right": [1.0] * 9, "D__a__margin": [5.0] * 9}, [], ""),
        ({"D__a__right": [1.0, 1, 1, 1, 0.9] * 3, "D__a__margin": [float(i) for i in range(15)]}, [], ""),
        ({"D__a__right": [0.1] * 9, "D__a__margin": [5.0] * 9}, [250], "D is wrong about 90%"),
        ({"D__a__right": [0.52, 0.48] * 15, "D__a__margin": [0.1] * 30}, [1000], "has not told real from fake once"),
        ({"D__a__right": [0.7] + [0.5] * 30, "D__a__margin": [0.1] * 31}, [], ""),
        ({"G__a__fooled": [1.0] * 9}, [250], "G wins"),
        ({"G__a__fooled": [0.95] * 9}, [], ""),
        ({"G__gradient": [1.0] * 5 + [99.0, 1.0, 101.0, 150.0, 1.0]}, [400], "the gradient of G explodes"),
        ({"G__gradient": [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]}, [250, 450], "exactly 0"),
        ({"G__lr": [1.0] * 8 + [0.0]}, [], ""),
        ({"G__lr": [0.0] * 9}, [250], "learning rate of G has been 0"),
        ({"G__pixel": [0.5] * 9}, [300], "G.pixel has been exactly 0.5"),
        ({"G__penalty": [0.0] * 9}, [], ""),
        ({"diversity": [0.5, 0.09, 0.5] + [0.09] * 6}, [400], "nearly all alike"),
        ({"diversity": [0.01 * 1.2**i for i in range(12)]}, [], ""),
        ({"diversity": [2.0] + [5.0] * 6}, [300], "run away"),
    ],
)
def test_signs_begin_once_and_only_where_they_should(columns: Any, steps: list[int], words: str) -> None:
    found = said(history(**columns))
    assert [step for step, _ in found] == steps
    assert all(words in text for _, text in found)


def test_an_exploding_loss_and_exchanged_terms() -> None:
    sane = {"D__a": [1.4, 1.2, 0.01, 1.3, 1.1, 9.0, 95.0, 900.0], "D__a__right": [0.7] * 8, "D__a__margin": [1.0] * 8}
    assert [(step, text.split(":")[0]) for step, text in said(history(**sane))] == [(350, "D.a explodes")]
    columns = {"D__a__right": [1.0] * 9, "D__a__margin": [float(i) for i in range(9)], "G__a__fooled": [1.0] * 9}
    ((step, text),) = said(history(**columns))
    assert step == 250
    assert "exchanged" in text


def test_a_log_brings_health_back_wherever_it_is_cut() -> None:
    records = history(
        D__a=[1.0 + 0.1 * i for i in range(20)],
        D__a__right=[1.0] * 9 + [0.8] + [1.0] * 10,
        D__a__margin=[1.0 + i for i in range(20)],
        G__gradient=[1.0] * 6 + [1e3, 0.0, 0.0] + [1.0] * 11,
    )
    whole = said(records)
    assert len(whole) == 4
    for cut in range(len(records)):
        health = Health()
        health.recall([*records[:cut], {"step": 50 * cut, "warning": "said"}, {"step": 50 * cut, "evaluation": {}}])
        rest = [(r["step"], text) for r in records[cut:] for text in health.see(int(r["step"]), r)]
        assert rest == [(step, text) for step, text in whole if step > 50 * cut]


# -- runs --------------------------------------------------------------------------------------------------------------

CONSTANT = '''
import ganzoo, torch

class Constant(torch.nn.Module):
    """One learned point, whatever the noise. Source: this test."""
    def __init__(self, out_shape):
        super().__init__()
        self.point = torch.nn.Parameter(torch.ones(*out_shape))
    def forward(self, z):
        return self.point + 0 * z[:, :1]

@ganzoo.hookimpl
def register(zoo):
    zoo.generator("constant", Constant)
'''


def warned(folder: RunFolder | Path) -> list[str]:
    records = RunFolder(folder if isinstance(folder, Path) else folder.path).records()
    return [record["warning"] for record in records if "warning" in record]


def test_an_honest_run_gives_no_warning_and_its_numbers_are_there(tmp_path: Path) -> None:
    folder, _ = train(written(tmp_path, POINTS, **WATCHED).blueprint, tmp_path / "run", plugins.installed(), True)
    assert warned(folder) == []
    assert [r["step"] for r in folder.records() if "diversity" in r] == [100, 200, 300]
    page = (folder.path / "report.html").read_text()
    assert "<h2>Signs</h2>" in page
    assert "<h2>Warnings</h2>" not in page


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"players__G__optimizer__lr": 0.0}, "the learning rate of G has been 0"),
        ({"players__D__optimizer__lr": 0.0}, "the learning rate of D has been 0"),
        (
            {"players__D__minimize__adversarial": "adv.d(D(fake), D(real))", "optimizer__lr": 0.005},
            "real and fake are exchanged",
        ),
        ({"parts__G": "generator.constant"}, "the samples are nearly all alike"),
        ({"optimizer__lr": 3.0}, "learning rate|explodes|exactly 0|alike|run away|wrong"),
    ],
)
def test_sabotage_is_noticed(overrides: dict[str, Any], words: str, tmp_path: Path, capsys: Any) -> None:
    plugin = tmp_path / "constant.py"
    plugin.write_text(CONSTANT)
    (tmp_path / "m.yaml").write_text(POINTS)
    registry = api.registry(plugin)
    settings = {k.replace("__", "."): v for k, v in {**WATCHED, **overrides}.items()}
    model = api.Model(tmp_path / "m.yaml", {**settings, "plugins.tensorboard": False}, registry)
    folder, _ = train(model.blueprint, tmp_path / "run", registry)
    import re

    found = warned(folder)
    assert any(re.search(words, text) for text in found), found
    assert len(found) == len(set(found))
    printed = capsys.readouterr().err
    assert all(printed.count(f"warning: {text}") == 1 for text in found)
    import html

    page = (folder.path / "report.html").read_text()
    assert all(html.escape(text) in page for text in found)


SICK = {**WATCHED, "players__G__optimizer__lr": 0.0}


@pytest.mark.parametrize("cut", [215, 250])
def test_a_resumed_run_says_what_an_uninterrupted_one_says(cut: int, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    train(written(tmp_path / "a", POINTS, **SICK).blueprint, tmp_path / "a" / "run", plugins.installed(), True)
    advance = Trainer.advance

    def crash(self: Trainer) -> bool:
        if self.step == cut:
            raise RuntimeError("power cut")
        return advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(written(tmp_path / "b", POINTS, **SICK).blueprint, tmp_path / "b" / "run", plugins.installed(), True)
    resume(tmp_path / "b" / "run", plugins.installed(), quiet=True)
    assert warned(tmp_path / "a" / "run")
    assert logged(tmp_path / "a" / "run") == logged(tmp_path / "b" / "run")


def test_it_can_stop_the_run(tmp_path: Path) -> None:
    model = written(tmp_path, POINTS, **SICK, train__on_collapse="stop")
    with pytest.raises(Collapsed) as caught:
        train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    message = str(caught.value)
    assert message.startswith("stopped by train.on_collapse: the learning rate of G has been 0 for 200 steps")
    assert "step_00000200.pt" in message
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 220
    assert "collapsed: the learning rate" in (tmp_path / "run" / "report.html").read_text()


def test_divergence_says_what_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = {"use": "schedule.linear", "start": 0.0, "end": 0.0}  # what is advised is not what is left of the rate
    model = written(tmp_path, POINTS, train__steps=20, train__log_every=1, schedule=falling)
    monkeypatch.setattr(session.Trainer, "finite", lambda self: True)
    plain = Trainer.evaluate

    def poison(self: Trainer, player: Any, *rest: Any) -> bool:
        if self.step == 3:
            with torch.no_grad():
                self.players["D"].own[0].fill_(float("nan"))
        return plain(self, player, *rest)

    monkeypatch.setattr(Trainer, "evaluate", poison)
    with pytest.raises(Diverged) as caught:
        train(model.blueprint, tmp_path / "run", plugins.installed(), True)
    for words in ("player D was not finite at step 3", "players.D.optimizer.lr=0.0002", "players.D.clip=1"):
        assert words in str(caught.value)
    again = written(tmp_path, POINTS, players__D__optimizer__lr=0.0002, players__D__clip=1)
    assert again.check() == []
