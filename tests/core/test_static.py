"""The checks of the graph: who reaches what, what can be shared, what is unused; all without torch."""

from __future__ import annotations

import difflib
import textwrap

import pytest

from ganzoo import config
from ganzoo.config import static
from ganzoo.errors import HINTED, UserError
from tests.core.graphs import BASE, Model
from tests.core.helpers import extended


def test_the_base_is_fine(model: Model) -> None:
    spec = model.load()
    assert not spec.warnings
    assert list(spec.phases["train"].players) == ["D", "G"]
    assert spec.phases["train"].players["D"].trains == ["D"]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flow: {fake: G(zz)}", "fake: there is no part, value or data field 'zz', in `G(zz)` (did you mean 'z'?)"),
        ("flow: {fake: g(z)}", "no part, value or data field 'g', in `g(z)` (did you mean 'G'?)"),
        ("flow: {fake: G(Real)}", "'Real', in `G(Real)` (did you mean 'real'?)"),
        ("flow: {fake: H(z)}", "'H', in `H(z)` (there are D, G, Z, adv)"),
        ("flow: {fake: G(stpo(z))}", "'stpo', in `G(stpo(z))` (did you mean 'stop'?)"),
        ("show: [l1(fake)]", "'l1', in `l1(fake)` (declare it: `l1: loss.l1` under parts:)"),
        ("flow: {fake: z(z)}", "'z' is a value and cannot be called, in `z(z)` (only parts can)"),
        ("flow: {fake: G(real.flip(z))}", "'real' is a value and cannot be called"),
        ("flow: {fake: G(n(z))}", "'n' is a value and cannot be called"),
        ("flow: {fake: G}", "'G' is a part, not a value, in `G` (call it: G(…))"),
        ("players: {G: {minimize: {adversarial: 2 * D}}}", "'D' is a part, not a value"),
        ("flow: {fake: G(real.size)}", "'real' is a data field and has no fields of its own"),
        ("flow: {extra: _}", "`_` stands inside an argument"),
        ("flow: {extra: '[G(z), _]'}", "`_` stands inside an argument"),
        ("flow: {extra: G(_)}", "`_` alone is no function, in `G(_)` (pass the part itself"),
        ("flow: {extra: 'G(z, D=_)'}", "`_` alone is no function"),
        ("flow: {fake: generator.g}", "'generator', in `generator.g` (components are declared under parts:"),
        ("flow: {extra: '3'}", "a number or a text by itself is no equation"),
        ("sample: fkae", "m.yaml:2: sample: there is no value 'fkae' (did you mean 'fake'?)"),
        ("parts: {G: {like: rael}}", "m.yaml:2: parts.G.like: there is no data field 'rael' (did you mean 'real' or"),
        ("share: [z, fkae]", "m.yaml:2: share: there is no value 'fkae' to share (did you mean 'fake'?)"),
        ("share: [G]", "share: there is no value 'G' to share"),
        ("players: {D: {trains: [D, H]}}", "m.yaml:2: players.D.trains: player D trains 'H', which is no part"),
        ("players: {D: {trains: [D, fake]}}", "player D trains 'fake', which is a value"),
        ("players: {E: {minimize: {x: adv.d(D(real))}}}", "player E trains 'E', which is no part (name its parts, as"),
        ("optimizer: {lr_scale: {Q: 5}}", "m.yaml:2: optimizer.lr_scale: lr_scale names 'Q', which no player trains"),
        (
            "players: {G: {optimizer: {lr_scale: {D: 5}}}}",
            "m.yaml:2: players.G.optimizer.lr_scale: lr_scale names 'D', which player G does not train (there are G)",
        ),
        ("evaluate: {values: {a: l(z)}}\nparts: {l: loss.l1}", "`l(z)` does not call a metric (write `a: metric("),
        ("evaluate: {values: {a: fake}}\nparts: {m: metric.m}", "`fake` does not call a metric (write `a: m(fake)`)"),
        ("log: {a: l2(z)}", "m.yaml:2: log.a: there is no part, value or data field 'l2', in `l2(z)`"),
        ("log: {a: 3}", "m.yaml:2: log.a: 3 should be an expression"),
        ("log: [G(z)]", "m.yaml:2: log: should be a mapping of names to expressions"),
        ("log: {step: G(z)}", "m.yaml:2: log.step: 'step' is logged of every run already (choose another name)"),
        ("log: {a: m(z)}\nparts: {m: metric.m}", "`m(z)` calls the metric m, which needs more samples than a batch"),
        ("log: {a: null}", "m.yaml:2: log.a: there is no 'a' to delete"),
        (
            "stop: {watch: sur, above: 1}\nlog: {sure: D(real).sure}",
            "m.yaml:2: stop.watch: there is no term, metric or log entry 'sur' (did you mean 'sure'?)",
        ),
        ("stop: {watch: D.adversarial}", "m.yaml:2: stop: does not say when to stop (write `above:`, `below:` or"),
        (
            "stop: {watch: D.adversarial, patience: 0}",
            "m.yaml:2: stop.patience: 0 should be a whole number of at least 1",
        ),
        ("stop: {watch: D.adversarial, above: 1, mode: max}", "stop.mode: says what is better for `patience:`, which"),
        ("stop: {above: 1}", "m.yaml:2: stop: 'watch' is missing (write `watch: …`)"),
        ("stop: 3", "m.yaml:2: stop: 3 should be a mapping (of watch, above"),
        (
            "schedule: {use: schedule.s, watch: D.adversrial}",
            "m.yaml:2: schedule.watch: there is no term, metric or log entry 'D.adversrial' (did you mean",
        ),
        (
            "players: {G: {minimize: {a: {of: adv.g(D(fake)), weight: {use: schedule.s, watch: x}}}}}",
            "players.G.minimize.a.weight.watch: there is no term, metric or log entry 'x'",
        ),
        ("train: {keep: {best: sur}}\nlog: {sure: D(real).sure}", "log entry 'sur' (did you mean 'sure'?)"),
        (
            "train: {keep: {best: D.advers}}",
            "train.keep.best: there is no term, metric or log entry 'D.advers' (did",
        ),
    ],
)
def test_names(text: str, expected: str, model: Model) -> None:
    problem = model.one(text)
    assert expected in problem
    assert problem.startswith(("m.yaml:2: ", "m.yaml:3: "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flow: {n: G(z)}", "m.yaml:2: flow.n: 'n' stands for the batch size (choose another name)"),
        ("parts: {step: generator.g}", "m.yaml:2: parts.step: 'step' stands for the step"),
        ("flow: {G: D(z)}", "m.yaml:2: flow.G: 'G' is also a part (base.yaml:2)"),
        ("flow: {real: G(z)}", "m.yaml:2: flow.real: 'real' is also a field of data.labelled"),
        ("parts: {label: generator.g}", "m.yaml:2: parts.label: 'label' is also a field of the data (rename the part)"),
        ("flow: {in: G(z)}", "m.yaml:2: flow.in: 'in' is not a name"),
        ("parts: {'G-ab': generator.g}", "m.yaml:2: parts.G-ab: 'G-ab' is not a name (letters, digits and _ make one"),
        ("flow: {_: G(z)}", "m.yaml:2: flow._: '_' is not a name"),
    ],
)
def test_collisions_are_one_problem_each(text: str, expected: str, model: Model) -> None:
    assert expected in model.one(text)


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("flow: {fake: G(fake)}", "fake -> fake"),
        ("flow:\n  fake: G(a)\n  a: stop(b)\n  b: stop(fake)", "fake -> a -> b -> fake"),
        ("flow: {a: stop(b), b: 'join(z, a)'}", "a -> b -> a"),
    ],
)
def test_cycles(text: str, circle: str, model: Model) -> None:
    assert model.one(text).startswith("m.yaml:")
    assert f"is defined by itself: {circle}" in model.one(text)


def test_an_op_that_two_plugins_have(model: Model) -> None:
    model.registry = extended(model.registry, {"op.stop": dict}, name="acme")
    assert model.one("flow: {fake: G(stop(z))}") == (
        "m.yaml:2: flow.fake: op.stop is claimed by acme 1.0 and by testing 1.0 "
        "(declare stop under parts: and write 'acme:op.stop' or 'testing:op.stop')"
    )
    assert not model.problems("parts: {stop: 'acme:op.stop'}\nflow: {fake: G(stop(z))}")


def test_two_circles_are_two_problems(model: Model) -> None:
    assert len(model.problems("flow: {a: stop(a), b: stop(c), c: stop(b)}")) == 2


# -- who trains what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "part", "terms"),
    [
        ("players: {G: {minimize: {adversarial: adv.g(D(real))}}}", "G", "adversarial"),
        ("players: {G: {minimize: {adversarial: adv.g(D(z)), b: adv.g(D(real))}}}", "G", "adversarial, b"),
        ("parts: {E: encoder.e}\nplayers: {G: {trains: [G, E]}}", "E", "adversarial"),
    ],
)
def test_a_part_that_no_term_reaches(text: str, part: str, terms: str, model: Model) -> None:
    found = [p for p in model.problems(text) if f"trains {part}, but none of its terms ({terms}) reaches it" in p]
    assert len(found) == 1
    assert "add a term, or do not train it" in found[0]


def test_the_line_is_that_of_trains(model: Model) -> None:
    text = "parts: {E: encoder.e}\nplayers:\n  G:\n    trains:\n      - G\n      - E"
    assert model.one(text).startswith("m.yaml:7: players.G.trains: player G trains E")


def test_a_part_is_reached_through_values_and_functions(model: Model) -> None:
    assert not model.problems(
        """
        parts: {E: encoder.e, r: regularizer.r}
        flow: {code: E(real), back: G(code)}
        players:
          G: {trains: [G, E], minimize: {l: "adv.g(D(back))"}}
          D: {minimize: {gp: "10 * r(D(_, label), real, fake)"}}
        """
    )


@pytest.mark.parametrize(
    "text",
    [
        "flow: {fake: 'G(z'}",
        "flow: {fake: G(zz)}",
        "flow: {fake: z(z)}",
        "parts: {G: generator.nope}",
        "parts: {D: discriminator.nope}",
        "data: data.nope",
        "data: 0",
        "data: ???",
        "parts: ???",
        "flow: ???",
        "flow: {new: null}",
        "flow: {new: null, other: stop(new)}\nshow: [other]",
        "players: {G: {minimize: {adversarial: 'adv.g(D(fake'}}}",
        "players: {G: {minimize: {adversarial: adv.g(D(faek))}}}",
        "players: {G: {minimize: {adversarial: null, x: 3}}}",
        "parts: {m: metric.nope}\nevaluate: {values: {a: m(fake)}}",
        "share: [fake]\nflow: {fake: 'G('}",
        "train: {keep: {best: G.x}}\nplayers: {G: {minimize: {x: 'D('}}}",
        "players: [D, G]",
        "players: {D: {minimize: [x]}}",
        "players: {D: 3}",
        "parts: [D]",
        "parts: {D: {with: [r]}}",
        "flow: G(z)",
        "train: 3",
        "train: {accumulate: 0}",
        "phases: {a: {steps: none}}",
    ],
)
def test_one_mistake_is_one_problem(text: str, model: Model) -> None:
    model.write("base", textwrap.dedent(BASE).replace('fake: "G(z)"', "fake: G(z)"))
    found = model.problems(text)
    assert len(found) == 1, found


def test_all_problems_in_one_report(model: Model) -> None:
    text = """
        parts: {D: discriminator.nope, l: loss.l1}
        flow:
          a: G(zz)
          b: G(x + 1)
          c: stop(c)
        players:
          D: {repeat: 0}
          G: {optimizer: optimizer.nope, every: x}
        share: [gone]
        train: {batch: 0, bathc: 3}
        show: [missing]
    """
    found = model.problems(text)
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == [2, 4, 5, 6, 8, 9, 9, 10, 11, 11, 12], found


def test_many_unknown_names_are_told_but_not_all_compared(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    matches = difflib.get_close_matches
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda name, *a, **k: compared.append(name) or matches(name, *a, **k)
    )
    found = model.problems("flow:\n" + "\n".join(f"  v{i}: stop_{i}(x{i})" for i in range(1000)))
    assert len(found) == 2000
    assert "did you mean 'stop'" in found[0]
    assert found[-1].endswith("there is no part, value or data field 'x999', in `stop_999(x999)`")
    assert len(compared) < 6 * HINTED


# -- plugins and checkpoints -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("requires: Testing>=1.0", ""),
        ("requires: [testing, testing<2]", ""),
        (
            "requires: [testing>=2]",
            "m.yaml:2: requires: needs the plugin testing>=2, but 1.0 is installed (pip install",
        ),
        ("requires: [sr]", "m.yaml:2: requires: needs the plugin sr, which is not installed (pip install 'sr')"),
        ("requires: ['>=2']", "'>=2' is no requirement (write one as in 'ganzoo-sr>=0.2')"),
        ("requires: [3]", "[3] should be a list of names"),
    ],
)
def test_required_plugins(text: str, expected: str, model: Model) -> None:
    assert expected in "".join(model.problems(text))
    assert bool(model.problems(text)) == bool(expected)


def test_a_complete_config_is_read_again_without_its_files(model: Model) -> None:
    spec = model.load("show: [fake]\nshare: [fake]\nphases: {a: {steps: 3, players: {G: {every: 2}}}}")
    again = config.from_plain("m", spec.config, "last.pt", model.registry)
    assert (again.parts.keys(), again.flow.keys(), again.share) == (spec.parts.keys(), spec.flow.keys(), spec.share)
    assert again.phases["a"].players["G"].every == 2
    assert again.config == spec.config
    assert {str(part.origin) for part in again.parts.values()} == {"last.pt"}


def test_a_complete_config_whose_plugin_is_gone_says_so(model: Model) -> None:
    spec = model.load()
    spec.config["parts"]["G"]["use"] = "acme:generator.unet"
    with pytest.raises(UserError) as caught:
        config.from_plain("m", spec.config, "last.pt", model.registry)
    message = "last.pt: parts.G: the plugin 'acme' is not installed, so there is no generator.unet (pip install acme)"
    assert str(caught.value) == message


# -- phases ------------------------------------------------------------------------------------------------------------


def test_a_phase_changes_what_it_names(model: Model) -> None:
    spec = model.load(
        """
        parts: {l: loss.l1}
        players: {G: {repeat: 2}}
        phases:
          pretrain: {steps: 5, players: {G: {minimize: {adversarial: null, pixel: "l(fake, real)"}, repeat: 1}}}
          adversarial: {steps: 7}
        """
    )
    pretrain, adversarial = spec.phases.values()
    assert (pretrain.steps, adversarial.steps) == (5, 7)
    assert list(pretrain.players) == ["G"]
    assert list(pretrain.players["G"].terms) == ["pixel"]
    assert pretrain.players["G"].repeat == 1
    assert list(adversarial.players) == ["D", "G"]
    assert list(adversarial.players["G"].terms) == ["adversarial"]
    assert adversarial.players["G"].repeat == 2
    assert pretrain.trained() == {"G"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phases: {a: {}}", "m.yaml:2: phases.a: 'steps' is missing (write `steps: …`)"),
        ("phases: {a: {steps: 0}}", "m.yaml:2: phases.a.steps: 0 should be at least 1"),
        ("phases: {a: 3}", "m.yaml:2: phases.a: 3 should be a mapping (of steps)"),
        ("phases: {a: {steps: 1, plyers: {}}}", "there is no setting 'plyers' here"),
        ("phases: {a: {steps: 1, players: {Q: {}}}}", "phases.a.players.Q: there is no player 'Q' (there are D, G)"),
        ("phases: {a: {steps: 1, players: {d: {}}}}", "there is no player 'd' (did you mean 'D'?)"),
        ("phases: {a: {steps: 1, players: {G: null}}}", "there is no 'G' to delete (`G: {}` lets it play as it is)"),
        (
            "phases: {a: {steps: 1, players: {G: {minimize: {advers: null}}}}}",
            "phases.a.players.G.minimize.advers: there is no 'advers' to delete (did you mean 'adversarial'?)",
        ),
        (
            "phases: {a: {steps: 1, players: {G: {minimize: {adversarial: null}}}}}",
            "phases.a.players.G.minimize: this player minimises nothing",
        ),
        ("phases: {a: {steps: 1}}\ntrain: {steps: 3}", "m.yaml:3: train.steps: a model with phases has no train.steps"),
    ],
)
def test_phases_that_are_wrong(text: str, expected: str, model: Model) -> None:
    assert expected in model.one(text)


def test_phases_take_out_the_steps_of_a_base(model: Model) -> None:
    model.write("base", f"{textwrap.dedent(BASE)}train: {{steps: 100}}\n")
    assert "base.yaml:8: train.steps" in model.one("phases: {a: {steps: 1}}")
    assert not model.problems("phases: {a: {steps: 1}}\ntrain: {steps: null}")


def test_a_mistake_in_a_player_is_told_once_for_all_its_phases(model: Model) -> None:
    text = "phases: {a: {steps: 1, players: {G: {}, D: {}}}, b: {steps: 1}}\nplayers: {G: {repeat: 0}}"
    assert "players.G.repeat: 0 should be at least 1" in model.one(text)


# -- what is unused ----------------------------------------------------------------------------------------------------


def test_unused_parts_and_values_are_one_line_each(model: Model) -> None:
    spec = model.load("parts:\n  E: encoder.e\n  l: loss.l1\nflow:\n  extra: G(z)\n  more: D(extra)")
    here = model.folder
    assert spec.warnings == [
        f"unused parts: E ({here}/m.yaml:3), l ({here}/m.yaml:4)",
        f"unused values: extra ({here}/m.yaml:6), more ({here}/m.yaml:7)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "show: [extra]",
        "show: {values: [fake], score: extra}",
        "sample: extra",
        "parts: {m: metric.m}\nevaluate: {values: {a: m(extra)}}",
        "players: {D: {minimize: {x: adv.g(D(extra))}}}",
        "phases: {a: {steps: 1, players: {D: {minimize: {x: adv.g(D(extra))}}, G: {}}}}",
    ],
)
def test_what_is_shown_sampled_measured_or_minimised_is_used(text: str, model: Model) -> None:
    assert not model.load(f"flow: {{extra: stop(fake)}}\n{text}").warnings


# -- data whose fields are not known yet -------------------------------------------------------------------------------


def test_unknown_fields_are_checked_once_they_are_known(model: Model) -> None:
    spec = model.load("data: data.unknown\nflow: {fake: 'G(z, lable)'}\nshare: [fake]")
    assert spec.fields is None
    spec.found_fields = ["real", "label"]
    (problem,) = static.check(spec)
    assert "'lable', in `G(z, lable)` (did you mean 'label'?)" in str(problem)
    spec.found_fields = ["real", "lable"]
    assert not static.check(spec)
    assert not static.check(spec)
    assert not spec.warnings


def test_calls_are_checked_even_then(model: Model) -> None:
    assert "there is no part 'H', in `H(z)`" in model.one("data: data.unknown\nflow: {fake: H(z)}")


def test_a_model_without_data(model: Model) -> None:
    problem = model.problems("data: null")[0]
    assert "there is no part, value or data field 'real'" in problem
    assert problem.endswith("(the model has no `data:` to give it)")
    term = "{minimize: {adversarial: adv.g(D(fake))}}"
    assert not model.problems(f"data: null\nplayers: {{D: {term}, G: {term}}}")


# -- what is logged ----------------------------------------------------------------------------------------------------


def test_what_is_logged_is_used_and_can_be_taken_out(model: Model) -> None:
    text = "parts: {C: encoder.e}\nflow: {guess: C(real)}"
    assert model.load(text).warnings
    spec = model.load(f"{text}\nlog: {{guessed: guess.sure, k: C.k}}")
    assert not spec.warnings
    assert {name: value.text for name, value in spec.log.items()} == {"guessed": "guess.sure", "k": "C.k"}
    model.write("logging", "extends: base\nlog: {sure: D(real).sure, k: adv.k}")
    path = model.write("m", "extends: logging\nlog: {k: null, fooled: D(fake).sure}")
    assert list(config.load(path, (), model.registry).log) == ["sure", "fooled"]


def test_what_is_logged_is_not_named_like_a_metric(model: Model) -> None:
    text = "parts: {m: metric.m}\nevaluate: {values: {a: m(fake)}}\nlog: {a: D(real).sure}"
    assert "log.a: 'a' is a metric of this model already" in model.one(text)
