"""What is put into a composed tree: overrides, interpolations, and what is required and not given."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ganzoo.config import compose
from ganzoo.errors import Problem, UserError
from ganzoo.registry import Registry
from tests.core.helpers import extended, line_of
from tests.core.models import BASE, Models


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("train.batch=8", ("train", "batch"), 8),
        ("train.seed=3", ("train", "seed"), 3),
        ("parts.G.width=16", ("parts", "G", "width"), 16),
        ("parts.G.extra=[1, 2]", ("parts", "G", "extra"), [1, 2]),
        ("parts.G.depth=null", ("parts", "G", "depth"), None),
        ("parts.G={use: generator.b, size: 1e-4}", ("parts", "G"), {"use": "generator.b", "size": 1e-4}),
        ("parts.G=generator.b", ("parts", "G"), {"use": "generator.b"}),
        ("parts.E=encoder.a", ("parts", "E"), {"use": "encoder.a"}),
        ("parts.D.with.sn=regularizer.s", ("parts", "D", "with"), {"sn": {"use": "regularizer.s"}}),
        ("flow.z=Z(n, 3)", ("flow", "z"), "Z(n, 3)"),
        ("flow.more=G(z)", ("flow", "more"), "G(z)"),
        ("players.D.repeat=5", ("players", "D", "repeat"), 5),
        ("players.D.minimize.gp=10 * gp(D, real)", ("players", "D", "minimize", "gp"), {"of": "10 * gp(D, real)"}),
        ("players.D.minimize.adversarial.weight=2", ("players", "D", "minimize", "adversarial", "weight"), 2),
        ("share=[]", ("share",), []),
        ("share=z", ("share",), ["z"]),
        ("show.n=3", ("show", "n"), 3),
        ("train.device=on", ("train", "device"), "on"),
        ("train.device='3'", ("train", "device"), "3"),
        ("train.device=a=b", ("train", "device"), "a=b"),
        (" train.batch =8", ("train", "batch"), 8),
        ("train={batch: 2}", ("train",), {"steps": 10, "batch": 2}),
    ],
)
def test_an_override(override: str, path: tuple[str, ...], value: object, models: Models) -> None:
    models.write(m__m=BASE)
    found = models.good(overrides=[override])
    for key in path:
        found = found[key]
    assert found == value
    leaf = models.tree.get(*path)
    assert leaf is not None
    if not isinstance(leaf.value, dict):
        assert leaf.origin == (f"command line: {override}", None)


def test_overrides_from_python(models: Models, tmp_path: Path) -> None:
    models.write(m__m=BASE)
    data = {"use": "data.a", "root": tmp_path}
    found = models.good(overrides={"train.batch": 8, "parts.G": {"width": (1, 2)}, "data": data, "parts.D": None})
    assert found["train"]["batch"] == 8
    assert found["parts"] == {"G": {"use": "generator.a", "width": [1, 2], "depth": 2}}
    assert found["data"]["root"] == str(tmp_path)
    assert models.origin("train", "batch") == "override train.batch"


@pytest.mark.parametrize("path", ["parts.D", "flow.fake", "players.D", "players.D.minimize.adversarial"])
def test_an_override_may_delete_an_entry(path: str, models: Models) -> None:
    models.write(m__m=BASE)
    found = models.good(overrides=[f"{path}=null"])
    *above, last = path.split(".")
    for key in above:
        found = found[key]
    assert last not in found


def test_overrides_are_applied_in_order(models: Models) -> None:
    models.write(m__m=BASE)
    assert models.good(overrides=["train.batch=8", "train.batch=9"])["train"]["batch"] == 9
    several = ["parts.E.use=encoder.a", "parts.E.width=3", "parts.D=null", "parts.D=discriminator.b"]
    found = models.good(overrides=several)
    assert found["parts"]["E"] == {"use": "encoder.a", "width": 3}
    assert found["parts"]["D"] == {"use": "discriminator.b"}


@pytest.mark.parametrize("chosen", ["parts.E.use=encoder.a", "parts.E=encoder.a"])
def test_a_component_is_put_in_before_its_arguments(models: Models, chosen: str) -> None:
    models.write(m__m=BASE)
    for several in (["parts.E.width=3", "parts.Z.size=4", chosen], [chosen, "parts.E.width=3"]):
        assert models.good(overrides=several)["parts"]["E"] == {"use": "encoder.a", "width": 3}


def test_an_override_leaves_all_other_origins_alone(models: Models) -> None:
    models.write(m__m=BASE)
    models.compose()
    before = {path: node.origin for path, node in models.tree.leaves()}
    player = models.origin("players", "D")
    models.compose(overrides=["players.D.repeat=5"])
    after = {path: node.origin for path, node in models.tree.leaves()}
    assert after.pop(("players", "D", "repeat")).file == "command line: players.D.repeat=5"
    assert after == before
    assert models.origin("players", "D") == player == f"m:{line_of(textwrap.dedent(BASE).lstrip(), '  D: {minimize')}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.batch", "command line: train.batch: is not an override (write path=value)"),
        ("=3", "command line: =3: is not an override (write path=value)"),
        ("--out=x", "command line: --out=x: is not an override (an option is followed by a space"),
        ("train.batch=", "command line: train.batch=: gives no value (write null for nothing"),
        ("train.batch=[1", "command line: train.batch=[1: not valid YAML"),
        ("train..batch=1", "train..batch: is no path"),
        ("extends=base/x", "extends: cannot be overridden"),
        ("train.batch.x=1", "train.batch.x: train.batch is 4, not a mapping"),
        ("share.0=z", "share.0: share is a list: give it whole"),
        ("flow.fake.x=z", "flow.fake.x: flow.fake is 'G(z)', not a mapping"),
        ("parts.g=null", "parts.g: there is nothing to delete (did you mean 'G'?)"),
        ("parts.Gg.with.sn=null", "parts.Gg.with.sn: there is nothing to delete (did you mean 'G'?)"),
        ("parts.G.with.sn=null", "parts.G.with.sn: there is nothing to delete"),
    ],
)
def test_an_override_that_is_refused(override: str, message: str, models: Models) -> None:
    models.write(m__m=BASE)
    assert message in models.refused(overrides=[override])
    assert len(models.problems) == 1
    assert models.problems[0].origin == (f"command line: {override}", None)


def test_a_value_from_python_that_no_config_can_hold(models: Models) -> None:
    models.write(m__m=BASE)
    message = models.refused(overrides={"train.batch": object(), "parts.G": {"f": [print]}})
    assert "override train.batch: train.batch: a value of type object cannot stand in a config" in message
    assert "a value of type builtin_function_or_method" in message


# -- interpolation -----------------------------------------------------------------------------------------------------


def test_interpolation(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_ROOT", "/data")
    models.write(
        m__m="""
        data: {use: data.a, root: "${oc.env:SOME_ROOT}/faces", size: "${train.batch}"}
        parts:
          G: {use: generator.a, widths: "${parts.D.widths}", like: "${names.like}"}
          D: {use: discriminator.a, widths: [8, 16], "on": 1}
          E: ${parts.D}
        players:
          G: {minimize: {l: "${names.weight} * l1(x, ${names.like})"}}
        names: {weight: 10, like: real}
        train: {batch: 4}
        about: {small: {parts.G.width: "${train.batch}"}}
        """
    )
    found = models.good()
    assert found["data"] == {"use": "data.a", "root": "/data/faces", "size": 4}
    assert found["parts"]["G"] == {"use": "generator.a", "widths": [8, 16], "like": "real"}
    assert found["parts"]["E"] == found["parts"]["D"]
    assert found["players"]["G"]["minimize"]["l"] == {"of": "10 * l1(x, real)"}
    assert found["about"]["small"] == {"parts.G.width": 4}
    assert models.origin("parts", "G", "widths") == "m:3"
    assert models.good(overrides=["names.weight=0.5"])["players"]["G"]["minimize"]["l"] == {"of": "0.5 * l1(x, real)"}


def test_a_whole_text_may_stand_for_a_short_form(models: Models) -> None:
    models.write(m__m="parts: {D: '${names.d}'}\nnames: {d: discriminator.a}")
    assert models.good()["parts"]["D"] == {"use": "discriminator.a"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("${train.bacth}", "interpolation key 'train.bacth' not found", "did you mean 'train.batch'?"),
        ("${train.batch", "it is no interpolation", ""),
        ("${nope:1}", "unsupported interpolation type nope", "`${oc.env:HOME}`"),
        ("${oc.env:SURELY_NOT_SET}", "nvironment variable 'SURELY_NOT_SET' not found", ""),
        ("${parts.G.x}", "recursive interpolation", ""),
        ("x ${parts.G.x}", "recursive interpolation", ""),
        ("${train.batch.x}", "is not a container", ""),
    ],
)
def test_an_interpolation_that_fails(text: str, message: str, hint: str, models: Models) -> None:
    models.write(m__m=f"train: {{batch: 4}}\nparts:\n  G: {{use: g.a, x: '{text}'}}\n")
    report = models.refused()
    assert len(models.problems) == 1
    assert f"m.yaml:3: parts.G.x: cannot resolve `{text}`: " in report
    assert message in report
    assert hint in report


@pytest.mark.parametrize(
    ("each", "message"),
    [
        (", ".join(["'${data.a%d}'"] * 9), "they stand for more than 300,000 characters"),
        ("'" + "${data.a%d}" * 9 + "'", "they stand for more than 300,000 characters"),
        ("'" + "${data.${data.n%d}}" * 9 + "'", "more than 8 are inside others or computed"),
        ("'${oc.select:data.a%d}${oc.select:data.a0}'", "more than 8 are inside others or computed"),
    ],
)
def test_references_that_stand_for_too_much_are_refused_at_once(each: str, message: str, models: Models) -> None:
    """Ten levels of nine would be three thousand million values."""
    lines = ["data:", "  a0: [x]", *(f"  n{i}: a{i}" for i in range(10))]
    lines += [f"  a{i}: [{each.replace('%d', str(i - 1))}]" for i in range(10, 0, -1)]
    with pytest.raises(UserError, match=message) as error:
        models.write(m__m="\n".join(lines)).compose()
    assert len(error.value.problems) == 1


def test_references_may_be_inside_others_and_relative(models: Models) -> None:
    text = """
        data: {which: b, a: "${data.${data.which}}", b: "${.c[1]}", c: [1, "${..d}"], d: 4, e: ["${data.c}", 5]}
        """
    assert models.write(m__m=text).compose()["data"] == {
        "which": "b", "a": 4, "b": 4, "c": [1, 4], "d": 4, "e": [[1, 4], 5]
    }  # fmt: skip


def test_an_interpolation_to_what_is_missing_is_one_problem(models: Models) -> None:
    models.write(m__m="data: {use: data.a, root: '???'}\nparts: {G: {use: g.a, x: '${data.root}/y'}}")
    report = models.refused()
    assert [problem.path for problem in models.problems] == ["data.root"]
    assert "m.yaml:1: data.root: is required and not given (give it: data.root=…)" in report
    assert models.good(overrides=["data.root=z"])["parts"]["G"]["x"] == "z/y"


def test_what_is_required_and_not_given(models: Models) -> None:
    models.write(m__m="data: ???\nparts:\n  G: ???\n  D: {use: '???'}\n  E: {use: e.a, size: '???'}\n")
    models.refused()
    assert [(p.path, p.origin.line, p.hint) for p in models.problems if p.origin] == [
        ("data", 1, "give it: data=…"),
        ("parts.G", 3, "give it: parts.G=…"),
        ("parts.D", 4, "give it: parts.D=…"),
        ("parts.E.size", 5, "give it: parts.E.size=…"),
    ]
    given = ["data=data.a", "parts.G=g.a", "parts.D=d.a", "parts.E.size=3"]
    assert models.good(overrides=given)["data"] == {"use": "data.a"}


def test_a_missing_data_set_names_the_variant_on_bundled_data(tmp_path: Path) -> None:
    registry = extended(Registry(), {}, tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "m.yaml").write_text("data: {use: data.a, root: '???'}")
    (tmp_path / "m" / "small.yaml").write_text("extends: m\ndata: data.b")
    registry.entries.update(extended(Registry(), {"data.b": dict}).entries)
    registry.entries["data.b"][0].facts["bundled"] = True
    problems: list[Problem] = []
    compose.compose("m", (), registry, problems)
    assert problems[0].hint == "give it: data.root=…; on bundled data: m/small"
