"""From files to one tree: extends, merging, short forms, and where everything came from."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.config import compose, layout
from ganzoo.config.tree import wrap
from ganzoo.errors import Origin, UserError
from ganzoo.registry import Registry
from tests.core.helpers import extended
from tests.core.models import BASE, Models

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


def test_what_a_phase_deletes_from_itself_alone_is_gone(models: Models) -> None:
    added = "phases: {a: {steps: 1, players: {G: {minimize: {l: l1(x), adversarial: adv.g(x)}}}}}"
    out = "phases: {a: {players: {G: {minimize: {l: null, adversarial: null}}}}}"
    models.write(m__a=BASE, m__b=f"extends: a\n{added}", m__m=f"extends: b\n{out}")
    assert models.good()["phases"]["a"]["players"]["G"]["minimize"] == {"adversarial": None}


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
