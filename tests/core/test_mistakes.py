"""Seeded mistakes: each is answered by one problem, at its line, with its path and the likely fix."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo import api, config
from ganzoo.config import schema
from ganzoo.errors import UserError
from ganzoo.registry import Registry, plugins
from tests.core.helpers import extended
from tests.core.mistakes import BASE, LATE, STATIC, Mistake, write

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answers to every static mistake, from one process."""
    command = [sys.executable, "-m", "tests.core.mistakes", str(tmp_path_factory.mktemp("static"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def judge(mistake: Mistake, problems: list[Any]) -> None:
    assert len(problems) == 1, f"one mistake, {len(problems)} problems: {[p[0] for p in problems]}"
    ((text, path, line, file),) = problems
    assert mistake.says in text
    assert path == mistake.path
    assert (line or 0) == mistake.line
    assert "\n" not in text
    assert len(text) < 600
    if mistake.line == 0:
        assert file.startswith(("command line: ", "override "))
    else:
        assert text.startswith(f"{file}:{line}: ")
        assert Path(file).name in (f"{mistake.name.replace(' ', '_')}.yaml", "base.yaml")


def test_there_are_enough_and_no_two_of_a_name() -> None:
    every = [mistake.name for mistake in STATIC + LATE]
    assert len(set(every)) == len(every) >= 100


def test_torch_was_not_imported(answers: dict[str, Any]) -> None:
    assert answers["torch"] is False


@pytest.mark.parametrize("mistake", STATIC, ids=lambda m: m.name)
def test_a_static_mistake(mistake: Mistake, answers: dict[str, Any]) -> None:
    judge(mistake, answers["answers"][mistake.name])


@pytest.fixture(scope="module")
def registry() -> Registry:
    return plugins.discover()


def answer(path: Path, overrides: Any, registry: Registry) -> list[Any]:
    try:
        api.Model(path, overrides, registry).check()
    except UserError as error:
        return [(str(p), p.path, p.origin and p.origin.line, p.origin and p.origin.file) for p in error.problems]
    return []


@pytest.mark.parametrize("mistake", LATE, ids=lambda m: m.name)
def test_a_mistake_that_only_the_components_know(mistake: Mistake, registry: Registry, tmp_path: Path) -> None:
    path = write(mistake, tmp_path)
    judge(mistake, answer(path, mistake.overrides, registry))


def test_the_base_has_no_mistake(registry: Registry, tmp_path: Path) -> None:
    path = write(Mistake("right", "", 0, "", ""), tmp_path)
    assert answer(path, (), registry) == []
    assert answer(path.with_name("base.yaml"), (), registry) == []
    assert answer(path, {"plugins.tensorboard": False, "plugins.made_up": {"option": 1}}, registry) == []
    assert "# A small model" in BASE


# -- images, with components that are only registered here -------------------------------------------------------------

IMAGES = """
data: data.pairs
parts:
  Z: {use: prior.normal, size: 3}
  G: {use: generator.paint, like: photo}
  D: {use: discriminator.conv}
  adv: adversarial.hinge
flow: {z: Z(n), fake: G(z)}
players:
  D: {minimize: {a: "adv.d(D(photo), D(fake))"}}
  G: {minimize: {a: adv.g(D(fake))}}
optimizer: optimizer.adam
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "says"),
    [
        (", like: photo", "", 5, "parts.G", "needs out_channels and out_size, but the data has 2 image fields"),
        (", like: photo", "", 5, "parts.G", "(write `like: photo` or `like: sketch`)"),
        ("like: photo", "like: phto", 5, "parts.G.like", "there is no data field 'phto' (did you mean 'photo'?)"),
        ("like: photo", "like: label", 5, "parts.G", "but the data's field is a scalar, not an image"),
        ("G(z)", "G(photo)", 5, "parts.G", "needs z_dim, but `photo` is 3x8x8, not a vector (write `z_dim: …`)"),
        ("adv.g(D(fake))", "adv.g(D(z))", 11, "players.G.trains", "trains G, but none of its terms (a) reaches it"),
        ("D(photo)", "D(z)", 10, "players.D.minimize.a", "[z 2x3] for player D: RuntimeError: Expected 3D"),
        ("D(photo), D(fake)", "D(photo), D(z)", 6, "parts.D", "needs in_channels, but `z` is 3, not an image"),
        ("D(photo)", "D(sketch)", 10, "players.D.minimize.a", "[sketch 2x1x8x8] for player D: RuntimeError"),
        (
            "D(photo)",
            "D(sketch)",
            10,
            "players.D.minimize.a",
            "(D was made for in_channels 3, which its first call says, and is given 1)",
        ),
        (
            ".conv",
            ".conv, in_channels: 1",
            10,
            "players.D.minimize.a",
            "(D was made for in_channels 1, and is given 3)",
        ),
        (".conv", ".conv, in_channels: 1", 10, "players.D.minimize.a", "[photo 2x3x8x8] for player D: RuntimeError"),
        (".conv", ".conv, width: 0", 6, "parts.D.width", "width is 0, but should be at least 1"),
        (".conv", ".conv, kernel: 9", 10, "players.D.minimize.a", "computing a = adv.d(D(photo), D(fake)) [photo"),
    ],
)
def test_a_mistake_with_images(
    old: str, new: str, line: int, path: str, says: str, registry: Registry, tmp_path: Path
) -> None:
    from tests.core.images import COMPONENTS

    with_images = extended(registry, COMPONENTS)
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text(IMAGES)
    assert answer(right, (), with_images) == []
    wrong.write_text(IMAGES.replace(old, new))
    (text, *place), *others = answer(wrong, (), with_images)
    assert says in text
    assert place == [path, line, str(wrong)]
    for other, *_ in others:  # the other player calls D too
        assert other.split("Error: ")[1] == text.split("Error: ")[1]


# -- any other mistake -------------------------------------------------------------------------------------------------

KEYS = ("D", "G", "z", "fake", "use", "with", "of", "weight", "every", "repeat", "steps", "batch", "a", "n", "_")
TEXTS = ("x", "", "???", "${train.batch}", "${nope}", "G", "fake", "D(fake)", "3 * l1(fake, real)", "stop(fake).x")
COMPONENTS = ("generator.mlp", "loss.l1", "regularizer.r1", "metric.circle", "data.ring", "optimizer.adam", "op.stop")
keys = st.sampled_from(sorted({*schema.TOP, *KEYS}))
words = st.sampled_from(TEXTS) | st.sampled_from(COMPONENTS)
scalars = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | words
values = st.recursive(scalars, lambda v: st.lists(v, max_size=2) | st.dictionaries(keys, v, max_size=2), max_leaves=5)


@settings(max_examples=200)
@given(
    places=st.lists(st.tuples(st.integers(0, 200), keys | st.none(), values), min_size=1, max_size=3), data=st.data()
)
def test_whatever_is_written_is_answered_at_a_place(
    places: list[tuple[int, str | None, Any]], data: st.DataObject, registry: Registry, tmp_path_factory: Any
) -> None:
    """Random changes anywhere in a right config: it loads, or every problem has a place; nothing else is raised."""
    config_ = yaml.safe_load(textwrap.dedent(BASE))
    for number, key, value in places:
        mappings = list(_mappings(config_))
        node = mappings[number % len(mappings)]
        node[key or data.draw(st.sampled_from(sorted(node) or ["a"]))] = value
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_text(json.dumps(config_).replace("NaN", ".nan").replace("Infinity", ".inf"))
    overrides = {".".join(data.draw(st.lists(keys, min_size=1, max_size=3))): data.draw(values)}
    try:
        config.load(path, data.draw(st.sampled_from([{}, overrides])), registry)
    except UserError as error:
        for problem in error.problems:
            assert problem.origin is not None, problem
            assert "\n" not in str(problem)


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in list(node.values()):
            yield from _mappings(child)
