"""The JSON Schema of model files: true of every bundled model, and refusing what people get wrong."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, Lt
from jsonschema import Draft7Validator

from ganzoo.bounds import Fraction, PositiveInt
from ganzoo.cli.schema import LINE, with_line
from ganzoo.config import json_types, schema, typecheck
from ganzoo.config.meanings import MEANINGS
from ganzoo.config.yaml12 import read_file
from ganzoo.errors import UserError
from ganzoo.model import docs, json_schema
from ganzoo.registry import Registry, plugins
from tests.core.helpers import extended
from tests.core.mistakes import LATE, STATIC, Mistake, write

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = CONFIGS / "schema.json"
FILES = sorted(CONFIGS.glob("*/*.yaml"))
MAKE_IT = "ganzoo schema --out configs/schema.json configs/*/*.yaml"
REFUSED = (
    *("top-level key", "training key", "nested key", "player key", "term key", "evaluation key", "about key"),
    *("phase key", "text for a number", "quoted number", "truth for a number", "fraction", "literal", "yes for true"),
    *("players in a list", "parts in a list", "terms in a list", "a mapping of settings", "number for an expression"),
    *("name for a list", "update", "component", "kind", "no kind", "number for a component", "wrong kind of data"),
    *("wrong kind of part", "wrong kind below with", "optimizer", "schedule", "sum", "number behind", "index"),
    *("bracket", "repeat", "every", "batch", "decay", "clip", "weight", "argument", "argument's items"),
    *("argument's choice", "argument's range", "argument of data", "learning rate as text", "constraint's range"),
)


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    found = json.loads(SHIPPED.read_text(encoding="utf-8"))
    Draft7Validator.check_schema(found)
    return Draft7Validator(found)


def plain(path: Path) -> Any:
    try:
        return read_file(path, []).plain()
    except UserError:
        return None


def test_every_bundled_model_is_valid(validator: Draft7Validator) -> None:
    assert len(FILES) > 100
    for path in FILES:
        found = [f"{path}: {list(e.absolute_path)}: {e.message[:200]}" for e in validator.iter_errors(plain(path))]
        assert not found, found[0]


def test_every_bundled_model_names_the_schema() -> None:
    for path in FILES:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines()[:2] if line.startswith(LINE)]
        assert lines, f"{path} lacks the line for editors: {MAKE_IT}"
        assert (path.parent / lines[0].removeprefix(LINE)).resolve() == SHIPPED


def ours(text: str, registry: Registry) -> dict[str, Any]:
    """A schema without the components that PyTorch defines, whose arguments change with its version."""
    found = json.loads(text)
    for entry in registry:
        if getattr(entry.load(), "__module__", "").startswith("torch"):
            assert found["definitions"].pop(entry.id)
    return {key: value for key, value in found["definitions"].items() if not key.startswith("part of ")} | found[
        "properties"
    ]


def test_the_shipped_file_is_what_the_command_writes() -> None:
    registry = plugins.installed()
    if any(plugin.dist != "ganzoo" for plugin in registry.plugins):
        pytest.skip("other plugins are installed")
    now, shipped = ours(json_schema.text(registry), registry), ours(SHIPPED.read_text(encoding="utf-8"), registry)
    changed = [key for key in now | shipped if now.get(key) != shipped.get(key)]
    assert not changed, f"{changed} changed: {MAKE_IT}"


@pytest.mark.parametrize("mistake", [m for m in STATIC + LATE if m.name in REFUSED], ids=lambda m: m.name)
def test_a_mistake_is_refused_where_it_stands(mistake: Mistake, validator: Draft7Validator, tmp_path: Path) -> None:
    """As they are in tests/core/mistakes.py; a mapping as a whole may be what is complained of."""
    found = list(validator.iter_errors(plain(write(mistake, tmp_path))))
    assert found
    places = {".".join(map(str, error.absolute_path)) for error in found}
    assert any(mistake.path.startswith(place) or place.startswith(mistake.path) for place in places), places


def test_enough_mistakes_are_refused() -> None:
    known = {mistake.name for mistake in STATIC + LATE}
    assert set(REFUSED) <= known
    assert len(REFUSED) >= 20


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("G(z)", True),
        ("10 * l1(back, real)", True),
        ("-0.5 * adv.g(D(fake), D(real))", True),
        ("${train.batch} * l1(a, b)", True),
        ("1e-4 * gp(D(_, label), real, fake)", True),
        ("D(x).features", True),
        ("resize(x, size=[4, 4], mode='area')", True),
        ("[a, b]", True),
        ("clip(x, -1, 1.5)", True),
        ("???", True),
        ("G(z) + G(z)", False),
        ("G(z) - G(z)", False),
        ("fake * 2", False),
        ("D(fake)[0]", False),
        ("G(z", False),
        ("G)z(", False),
        ("a / b", False),
        ("", False),
        (3, False),
        (["G(z)"], False),
    ],
)
def test_expressions_have_a_pattern(text: Any, right: bool, validator: Draft7Validator) -> None:
    assert validator.is_valid({"flow": {"a": text}}) is right


VALUES = (0, 1, -3, 2.0, 0.5, True, None, "a", "b", "1", [], [1], [1, 2], [0.5, 2], ["a"], {"a": 1}, {"a": "b"})
ANNOTATIONS: tuple[Any, ...] = (
    *(int, float, bool, str, Path, int | None, float | None, PositiveInt, Fraction, Annotated[float, Gt(0), Lt(1)]),
    *(Literal["a", "b"], Literal["a"] | None, Literal[1, "a"], list[int], list[PositiveInt] | None, tuple[int, int]),
    *(
        tuple[float, float] | None,
        tuple[int, ...],
        dict[str, float],
        int | list[int],
        str | int,
        str | None,
        Any,
        object,
    ),
    *(float | Literal["a"], PositiveInt | tuple[PositiveInt, PositiveInt]),
)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_a_type_in_json_takes_what_the_check_takes(annotation: Any) -> None:
    for value in VALUES:
        try:
            typecheck.coerce(annotation, value)
            taken = True
        except TypeError:
            taken = False
        assert Draft7Validator(json_types.of(annotation)).is_valid(value) is taken, value


@pytest.mark.parametrize("annotation", [a for a in ANNOTATIONS if a not in (Any, object)], ids=str)
def test_a_reference_may_stand_in_any_place(annotation: Any) -> None:
    made = Draft7Validator(json_types.of(annotation))
    assert made.is_valid("${train.batch}")
    assert made.is_valid("???")


def test_every_setting_says_what_it_is() -> None:
    named = {"train": schema.Train, "train.keep": schema.Keep, "players.*": schema.PlayerSettings, "show": schema.Show}
    named |= {
        "evaluate": schema.Evaluate,
        "stop": schema.Stop,
        "about": schema.About,
        "term": schema.TermSettings,
        "phases.*": schema.PhaseSettings,
    }
    wanted = {f"{path}.{item.name}" for path, cls in named.items() for item in fields(cls)}
    assert wanted | set(schema.TOP) <= set(MEANINGS)


def test_a_components_docs_defaults_and_bounds_are_in_it() -> None:
    class Thing:
        """Does a thing.

        Paper: arXiv:1234.56789.

        Args:
            width: How wide
                it is.
            depth (int, optional): How deep.
        """

        def __init__(self, width: PositiveInt, depth: int = 3, in_channels: int | None = None):
            pass

    registry = extended(Registry(), {"loss.thing": Thing})
    made = json_schema.model_schema(registry)
    thing = made["definitions"]["loss.thing"]
    assert thing["description"] == "Does a thing.\n\nPaper: arXiv:1234.56789."
    width, depth, channels = (thing["properties"][key] for key in ("width", "depth", "in_channels"))
    assert (width["minimum"], width["description"]) == (1, "How wide it is.")
    assert (depth["default"], depth["description"]) == (3, "How deep.")
    assert channels["description"] == "(Read from the model if not given.)"
    check = Draft7Validator(made)
    for use, right in (("loss.thing", True), ("testing:loss.thing", True), ("loss.thingy", False)):
        assert check.is_valid({"parts": {"a": {"use": use, "width": 3}}}) is right
    assert not check.is_valid({"parts": {"a": {"use": "testing:loss.thing", "wdith": 3}}})
    assert not check.is_valid({"parts": {"a": {"use": "loss.thing", "width": 0}}})


def test_a_component_that_cannot_be_imported_takes_anything() -> None:
    made = json_schema.model_schema(extended(Registry(), {"loss.gone": "nowhere_to_be_found:Loss"}))
    assert Draft7Validator(made).is_valid({"parts": {"a": {"use": "loss.gone", "any": 3}}})


def test_docstrings_of_arguments_are_read() -> None:
    def factory() -> None:
        """One line.

        Args:
            a, b: Two of them.
            c: One: of
                three lines,
                all read.

        Raises:
            ValueError: never.
        """

    assert docs.arguments(factory) == {"a": "Two of them.", "b": "Two of them.", "c": "One: of three lines, all read."}
    assert docs.text(factory) == "One line."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Title\ndata: x\n", "# Title\n# yaml-language-server: $schema=../s.json\ndata: x\n"),
        ("data: x\n", "# yaml-language-server: $schema=../s.json\ndata: x\n"),
        ("", "# yaml-language-server: $schema=../s.json\n"),
        (
            "# Title\n# yaml-language-server: $schema=old.json\ndata: x\n",
            "# Title\n# yaml-language-server: $schema=../s.json\ndata: x\n",
        ),
    ],
)
def test_the_line_stands_below_the_title(before: str, after: str) -> None:
    assert with_line(before, Path("../s.json")) == after
    assert with_line(after, Path("../s.json")) == after
