"""From files to one tree: extends, merging, overrides, interpolation, and where everything came from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.config import compose, layout
from ganzoo.config.tree import Node, wrap
from ganzoo.errors import Origin, Problem, UserError
from ganzoo.registry import Registry
from tests.core.helpers import extended, line_of


class Models:
    """A folder of models that a plugin gives."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.registry = extended(Registry(), {}, folder)
        self.problems: list[Problem] = []
        self.tree = Node({}, Origin(""))

    def write(self, **files: str) -> Models:
        for name, text in files.items():
            path = self.folder / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"))
        return self

    def compose(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Any:
        self.problems = []
        _, self.tree = compose.compose(model, overrides, self.registry, self.problems)
        return self.tree.plain()

    def good(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Any:
        found = self.compose(model, overrides)
        assert not self.problems, self.problems
        return found

    def refused(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> str:
        try:
            self.compose(model, overrides)
        except UserError as error:
            self.problems += error.problems
        assert self.problems
        return "\n".join(map(str, self.problems))

    def origin(self, *path: str) -> str:
        node = self.tree.get(*path)
        assert node is not None
        return f"{Path(node.origin.file).stem}:{node.origin.line}" if node.origin.line else node.origin.file


@pytest.fixture
def models(tmp_path: Path) -> Models:
    folder = tmp_path / "models"
    folder.mkdir()
    return Models(folder)


BASE = """
    parts:
      G: {use: generator.a, width: 8, depth: 2}
      D: discriminator.a
    flow:
      z: Z(n)
      fake: G(z)
    players:
      D: {minimize: {adversarial: "adv.d(D(real), D(fake))"}}
      G: {minimize: {adversarial: "adv.g(D(fake))"}}
    train: {steps: 10, batch: 4}
    share: fake
"""


# -- finding models ----------------------------------------------------------------------------------------------------


def test_models_by_name_paper_and_path(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    models.write(m__m="train: {steps: 1}", m__small="train: {steps: 2}", base__b="train: {steps: 3}")
    for name, steps in {"m": 1, "m/m": 1, "m/small": 2, "base/b": 3, str(models.folder / "m/small.yaml"): 2}.items():
        assert models.good(name)["train"]["steps"] == steps
    assert compose.find("m", models.registry)[0] == "m/m"
    assert compose.find(models.folder / "m/small.yaml", models.registry)[0] == "m/small"
    assert list(compose.models(models.registry)) == ["m/m", "m/small"]
    (models.folder.parent / "mine.yaml").write_text("train: {steps: 4}")
    monkeypatch.chdir(models.folder.parent)
    assert compose.find("mine.yaml", models.registry)[0] == "mine"
    assert models.good("mine.yaml")["train"]["steps"] == 4


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wgan/rnig", "did you mean 'wgan/ring'"),
        ("wgna", "did you mean 'wgan'"),
        ("wgan", "there are wgan/grid, wgan/ring"),
        ("wgan/nothing_alike", "there are wgan/grid, wgan/ring"),
        ("xyz", "`ganzoo list` shows them all"),
        ("wgan/rnig.yaml", "did you mean 'wgan/ring'"),
        ("gone/file.yml", "there is no file gone/file.yml"),
    ],
)
def test_a_model_that_does_not_exist(name: str, hint: str, models: Models) -> None:
    models.write(wgan__ring="a: 1", wgan__grid="a: 1")
    assert hint in models.refused(name)


def test_two_plugins_with_one_model(models: Models, tmp_path: Path) -> None:
    models.write(m__m="train: {steps: 1}")
    other = Models(tmp_path / "models")
    other.folder = tmp_path / "other"
    other.folder.mkdir()
    other.write(m__m="train: {steps: 2}")
    registry = extended(models.registry, {}, other.folder)
    with pytest.raises(UserError, match=r"two plugins have a model 'm/m': .*give the path"):
        compose.find("m", registry)


def test_a_plugin_that_ships_a_base_of_the_same_name_changes_no_model_of_another(tmp_path: Path) -> None:
    registry = Registry()
    for name, steps in (("ours", 1), ("theirs", 2)):
        (tmp_path / name).mkdir()
        models = Models(tmp_path / name)
        models.write(base__b=f"train: {{steps: {steps}}}", **{f"m{steps}__m": "extends: base/b.yaml"})
        registry = extended(registry, {}, models.folder)
    for name, steps in (("m1/m", 1), ("m2/m", 2)):
        _, tree = compose.compose(name, [], registry, [])
        assert tree.plain()["train"]["steps"] == steps
    (tmp_path / "mine.yaml").write_text("extends: base/b\n")
    with pytest.raises(UserError, match=r"mine.yaml:1: extends: two plugins have 'base/b': .*\(give the path\)"):
        compose.compose(tmp_path / "mine.yaml", [], registry, [])


def test_the_title_is_the_first_comment(models: Models) -> None:
    models.write(m__m="# A GAN, arXiv:1\ntrain: {}", m__n="train: {}")
    assert compose.title(models.folder / "m/m.yaml") == "A GAN, arXiv:1"
    assert compose.title(models.folder / "m/n.yaml") == ""


# -- extends -----------------------------------------------------------------------------------------------------------


def test_extends_by_model_name_relative_path_and_list(models: Models) -> None:
    models.write(
        base__a="train: {steps: 1, batch: 1, seed: 1}",
        m__b="extends: base/a.yaml\ntrain: {batch: 2, seed: 2}",
        m__c="train: {seed: 3}\nshare: [c]",
        m__m="extends: [b.yaml, m/c]\ntrain: {device: cpu}",
    )
    assert models.good() == {"train": {"steps": 1, "batch": 2, "seed": 3, "device": "cpu"}, "share": ["c"]}
    assert models.origin("train", "steps") == "a:1"
    assert models.origin("train", "batch") == "b:2"
    assert models.origin("train", "seed") == "c:1"
    assert models.origin("train", "device") == "m:2"


def test_the_nearer_file_wins_over_the_folder_of_models(models: Models, tmp_path: Path) -> None:
    models.write(b="train: {steps: 1}", m__b="train: {steps: 2}", m__m="extends: b")
    assert models.good()["train"]["steps"] == 2


def test_what_a_file_says_of_itself_is_not_inherited(models: Models) -> None:
    models.write(m__b="about: {title: b}\ntrain: {steps: 1}", m__m="extends: b")
    assert models.good() == {"train": {"steps": 1}}


def test_extends_in_a_circle(models: Models) -> None:
    models.write(m__m="extends: a", m__a="x: 1\nextends: b", m__b="extends: a")
    message = models.refused()
    assert "m/b.yaml:1: extends: extends in a circle: m.yaml -> a.yaml -> b.yaml -> a.yaml" in message
    models.write(m__m="extends: m")
    assert "m/m.yaml:1: extends: extends in a circle: m.yaml -> m.yaml" in models.refused()


@pytest.mark.parametrize(
    ("extends", "hint"),
    [
        ("base/a.yml", "did you mean 'base/a.yaml'"),
        ("base/aa", "did you mean 'base/a.yaml'"),
        ("smal", "did you mean 'small.yaml'"),
        ("nothing_alike", "give a model's name, or a path"),
    ],
)
def test_a_base_that_does_not_exist(extends: str, hint: str, models: Models) -> None:
    models.write(base__a="train: {}", m__small="train: {}", m__m=f"train: {{}}\nextends: {extends}")
    message = models.refused()
    assert f"m.yaml:2: extends: there is no file '{extends}'" in message
    assert hint in message


def test_extends_that_is_no_path(models: Models) -> None:
    models.write(m__m="extends: [3]\ntrain: {}")
    assert "m.yaml:1: extends: should be a path or a list of paths" in models.refused()


def test_a_broken_base_is_reported_with_its_own_file(models: Models) -> None:
    models.write(base__a="x: 1\n\ty: 2", m__m="extends: base/a")
    assert "base/a.yaml:2: not valid YAML: a tab" in models.refused()


# -- merging -----------------------------------------------------------------------------------------------------------


def merged(models: Models, over: str, base: str = BASE) -> Any:
    models.write(m__base=base, m__m=f"extends: base\n{textwrap.dedent(over)}")
    return models.good()


def test_mappings_merge_and_lists_replace(models: Models) -> None:
    found = merged(models, "train: {batch: 8}\nshare: []")
    assert found["train"] == {"steps": 10, "batch": 8}
    assert found["share"] == []


def test_the_same_use_merges(models: Models) -> None:
    assert merged(models, "parts: {G: {width: 16}}")["parts"]["G"] == {"use": "generator.a", "width": 16, "depth": 2}
    found = merged(models, "parts: {G: {use: generator.a, width: 16}}")
    assert found["parts"]["G"] == {"use": "generator.a", "width": 16, "depth": 2}
    assert merged(models, "parts: {G: generator.a}")["parts"]["G"]["width"] == 8


def test_a_changed_use_replaces(models: Models) -> None:
    assert merged(models, "parts: {G: {use: generator.b, size: 3}}")["parts"]["G"] == {"use": "generator.b", "size": 3}
    assert merged(models, "parts: {G: generator.b}")["parts"]["G"] == {"use": "generator.b"}
    found = merged(models, "optimizer: o.b", BASE + "\n    optimizer: {use: o.a, lr: 1}")
    assert found["optimizer"] == {"use": "o.b"}


@pytest.mark.parametrize(
    ("base", "over", "path"),
    [
        (BASE, "parts: {D: null}", ("parts", "D")),
        (BASE, "flow: {z: null}", ("flow", "z")),
        (BASE, "players: {D: null}", ("players", "D")),
        (BASE, "players: {G: {minimize: {adversarial: null, x: y}}}", ("players", "G", "minimize", "adversarial")),
        ("players: {G: {after: {c: r.c}}}", "players: {G: {after: {c: null}}}", ("players", "G", "after", "c")),
        ("parts: {G: {use: g.a, with: {sn: r.s}}}", "parts: {G: {with: {sn: null}}}", ("parts", "G", "with", "sn")),
        ("phases: {a: {steps: 1}, b: {steps: 2}}", "phases: {a: null}", ("phases", "a")),
        ("phases: {a: {players: {G: {}}}}", "phases: {a: {players: {G: null}}}", ("phases", "a", "players", "G")),
        ("evaluate: {values: {a: m(x)}}", "evaluate: {values: {a: null}}", ("evaluate", "values", "a")),
    ],
)
def test_null_deletes_an_entry(base: str, over: str, path: tuple[str, ...], models: Models) -> None:
    found = merged(models, over, base)
    for key in path[:-1]:
        found = found[key]
    assert path[-1] not in found


@pytest.mark.parametrize(
    ("over", "path"),
    [
        ("parts: {G: {depth: null}}", ("parts", "G", "depth")),
        ("parts: {G: {new: null}}", ("parts", "G", "new")),
        ("data: {use: data.a, root: null}", ("data", "root")),
        ("players: {G: {schedule: null}}", ("players", "G", "schedule")),
        ("players: {G: {after: {c: {use: r.c, bound: null}}}}", ("players", "G", "after", "c", "bound")),
        ("about: {small: {parts.D.with.sn: null}}", ("about", "small", "parts.D.with.sn")),
    ],
)
def test_null_elsewhere_is_a_value(over: str, path: tuple[str, ...], models: Models) -> None:
    found = merged(models, over)
    for key in path:
        found = found[key]
    assert found is None


def test_null_that_deletes_nothing_is_an_error(models: Models) -> None:
    models.write(m__m="parts: {Gen: generator.a}\nflow:\n  x: null")
    assert "m.yaml:3: flow.x: there is no 'x' to delete" in models.refused()
    models.write(m__base=BASE, m__m="extends: base\nparts:\n  g: null\n")
    assert "m.yaml:3: parts.g: there is no 'g' to delete (did you mean 'G'?)" in models.refused()


def test_a_list_of_bases_may_delete_from_each_other(models: Models) -> None:
    models.write(m__a=BASE, m__b="parts: {D: null}", m__m="extends: [a, b]")
    assert set(models.good()["parts"]) == {"G"}


def test_a_deleted_entry_may_come_back(models: Models) -> None:
    models.write(m__a=BASE, m__b="extends: a\nparts: {D: null}", m__m="extends: b\nparts: {D: {use: discriminator.c}}")
    assert models.good()["parts"]["D"] == {"use": "discriminator.c"}


def test_what_a_phase_deletes_from_a_player_is_kept_for_the_phase(models: Models) -> None:
    over = "phases: {a: {steps: 1, players: {G: {minimize: {adversarial: null, l: l1(x)}}}}}"
    terms = merged(models, over)["phases"]["a"]["players"]["G"]["minimize"]
    assert terms == {"adversarial": None, "l": {"of": "l1(x)"}}


def test_order_is_the_base_s_unless_every_entry_is_named(models: Models) -> None:
    assert list(merged(models, "players: {G: {repeat: 2}}")["players"]) == ["D", "G"]
    assert list(merged(models, "players: {G: {}, D: {}}")["players"]) == ["G", "D"]
    assert list(merged(models, "players: {E: {}, G: {}, D: {}}")["players"]) == ["E", "G", "D"]
    assert list(merged(models, "players: {E: {}, G: {}}")["players"]) == ["D", "G", "E"]
    assert list(merged(models, "flow: {a: x, z: Z(n)}")["flow"]) == ["z", "fake", "a"]


def test_short_forms(models: Models) -> None:
    models.write(
        m__m="""
        data: data.a
        parts:
          D: {use: discriminator.a, with: {sn: regularizer.s}}
        players:
          G:
            trains: G
            minimize: {a: x, b: {of: y, weight: schedule.w}}
            optimizer: optimizer.a
            schedule: schedule.a
            after: {c: regularizer.c}
            ema: 0.9
          D: {schedule: {lr: schedule.a, betas: "acme:schedule.b"}}
        schedule: {use: schedule.linear, mode: schedules}
        optimizer: optimizer.a
        share: fake
        requires: acme
        show: fake
        train: {keep: 3}
        phases: {p: {players: {G: {minimize: {a: x}, trains: H}}}}
        """
    )
    found = models.good()
    player = found["players"]["G"]
    assert found["data"] == {"use": "data.a"}
    assert found["parts"]["D"]["with"] == {"sn": {"use": "regularizer.s"}}
    assert player["trains"] == ["G"]
    assert player["minimize"] == {"a": {"of": "x"}, "b": {"of": "y", "weight": {"use": "schedule.w"}}}
    assert (player["optimizer"], player["schedule"]) == ({"use": "optimizer.a"}, {"use": "schedule.a"})
    assert (player["after"], player["ema"]) == ({"c": {"use": "regularizer.c"}}, {"decay": 0.9})
    schedules = found["players"]["D"]["schedule"]
    assert schedules == {"lr": {"use": "schedule.a"}, "betas": {"use": "acme:schedule.b"}}
    assert found["schedule"] == {"use": "schedule.linear", "mode": "schedules"}
    assert (found["share"], found["requires"]) == (["fake"], ["acme"])
    assert (found["show"], found["train"]) == ({"values": ["fake"]}, {"keep": {"last": 3}})
    assert found["phases"]["p"]["players"]["G"] == {"minimize": {"a": {"of": "x"}}, "trains": ["H"]}
    assert layout.normalise(models.tree).plain() == found  # once is enough


# -- overrides ---------------------------------------------------------------------------------------------------------


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


# -- properties --------------------------------------------------------------------------------------------------------

keys = st.sampled_from(["a", "b", "use", "parts", "train"])
values = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2) | st.sampled_from(["x", "y"])
trees = st.recursive(values, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=8)
mappings = st.dictionaries(st.sampled_from(["a", "data", "train"]), trees, max_size=3)
HERE, THERE = Origin("here"), Origin("there")


@given(mappings)
def test_merging_nothing_changes_nothing(tree: dict[str, Any]) -> None:
    base = wrap(tree, HERE)
    assert layout.merge(base, wrap({}, THERE)).plain() == tree
    assert layout.merge(None, base).plain() == tree
    assert base.plain() == tree


@given(mappings, mappings)
def test_what_is_merged_over_wins(base: dict[str, Any], over: dict[str, Any]) -> None:
    under, upper = wrap(base, HERE), wrap(over, THERE)
    merged = layout.merge(under, upper)
    for path, leaf in upper.leaves():
        found = merged.get(*[p for p in path if not p.isdigit()])
        assert found is not None
        assert not isinstance(found.value, dict) or leaf.value == found.value
    assert (under.plain(), upper.plain()) == (base, over)
    assert layout.merge(merged, upper).plain() == merged.plain()
