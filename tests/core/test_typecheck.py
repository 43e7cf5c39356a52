"""Values against annotations: what passes, as what, and what the message for the rest says."""

# ruff: noqa: UP007, UP045 (older spellings of unions must work too)

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from annotated_types import Gt, Lt
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.bounds import Fraction, PositiveFloat, PositiveInt
from ganzoo.config.tree import Node, shown, wrap
from ganzoo.config.typecheck import coerce, describe, read
from ganzoo.errors import Origin, Problem

Mode = Literal["relu", "leaky_relu", "tanh"]
Width = NewType("Width", int)


class Tensor:
    """A class that no config can hold."""


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, -3, -3),
        (int, 1e5, 100_000),
        (int, 2.0, 2),
        (float, 0.5, 0.5),
        (float, 3, 3.0),
        (bool, True, True),
        (str, "on", "on"),
        (str, "3", "3"),
        (None, None, None),
        (int | None, None, None),
        (int | None, 3, 3),
        (Optional[float], 3, 3.0),
        (int | float, 3, 3),
        (float | int, 3, 3),
        (int | float, 2.0, 2.0),
        (float | str, 3, 3.0),
        (int | str, "3", "3"),
        (Mode, "tanh", "tanh"),
        (Mode | None, None, None),
        (Mode | int, 3, 3),
        (Literal[1, 2], 2, 2),
        (tuple[int, ...], [1, 2.0], (1, 2)),
        (tuple[int, ...], [], ()),
        (tuple[int, int], [1, 2], (1, 2)),
        (tuple[float, float] | None, [0, 1], (0.0, 1.0)),
        (tuple[float, float] | float, 3, 3.0),
        (tuple[tuple[int, int], ...], [[1, 2], [3, 4]], ((1, 2), (3, 4))),
        (tuple, [1, "a"], (1, "a")),
        (list[int], [1, 2.0], [1, 2]),
        (list, [1, "a"], [1, "a"]),
        (Sequence[float], [1], [1.0]),
        (Iterable[str], ["a"], ["a"]),
        (str | list[str], ["a"], ["a"]),
        (dict[str, int], {"a": 1e3}, {"a": 1000}),
        (Mapping[str, tuple[int, ...]], {"a": [1]}, {"a": (1,)}),
        (dict, {"a": [1]}, {"a": [1]}),
        (dict[str, Any], {"a": {"b": None}}, {"a": {"b": None}}),
        (Any, [1, {"a": None}], [1, {"a": None}]),
        (Annotated[int, "units"], 3.0, 3),
        (Width, 3.0, 3),
        (Path, "a/b", Path("a/b")),
        (Union[float, Tensor], 1, 1.0),
        (tuple[Union[float, Tensor], Union[float, Tensor]], [0, 0.9], (0.0, 0.9)),
    ],
)
def test_what_passes(annotation: Any, value: object, expected: object) -> None:
    found = coerce(annotation, value)
    assert found == expected
    assert repr(found) == repr(expected)  # types all the way down


@pytest.mark.parametrize("annotation", [Tensor, Callable[[int], int], Callable, type, "a text", type[int]])
@pytest.mark.parametrize("value", [3, "a", [1], None])
def test_an_annotation_that_no_config_can_satisfy_is_not_checked(annotation: Any, value: object) -> None:
    assert coerce(annotation, value) == value


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "3", "'3' should be a whole number; write it without quotes"),
        (int, "many", "'many' should be a whole number"),
        (int, 1.5, "1.5 should be a whole number"),
        (int, True, "true should be a whole number"),
        (int, None, "null should be a whole number"),
        (int, [1], "[1] should be a whole number"),
        (int, math.inf, "inf should be a whole number"),
        (int, math.nan, "nan should be a whole number"),
        (float, "1e-3", "'1e-3' should be a number; write it without quotes"),
        (float, False, "false should be a number"),
        (float, 10**400, "should be a number"),
        (bool, 1, "1 should be true or false"),
        (bool, "yes", "'yes' should be true or false"),
        (str, 3, "3 should be a text; quote it"),
        (str, False, "false should be a text; quote it"),
        (str, ["a"], "['a'] should be a text"),
        (int | None, "x", "'x' should be a whole number or null"),
        (Mode, "rleu", "'rleu' should be 'relu' or 'leaky_relu' or 'tanh'; did you mean 'relu'?"),
        (Mode, 3, "3 should be 'relu' or 'leaky_relu' or 'tanh'"),
        (Mode, None, "null should be 'relu'"),
        (Literal["1", "2"], 1, "1 should be '1' or '2'; quote it"),
        (Literal[1, 2], True, "true should be 1 or 2"),
        (Literal[1, 2], "1", "'1' should be 1 or 2"),
        (tuple[int, ...], 3, "3 should be a list of whole numbers"),
        (tuple[int, ...], "ab", "'ab' should be a list of whole numbers"),
        (tuple[int, ...], [1, "2"], "[1, '2'] should be a list of whole numbers"),
        (tuple[int, ...], [True], "[true] should be a list of whole numbers"),
        (tuple[float, float], [1], "[1] should be a list of 2 numbers"),
        (tuple[float, float], [1, 2, 3], "[1, 2, 3] should be a list of 2 numbers"),
        (tuple[tuple[int, int], ...], [[1]], "should be a list of lists of 2 whole numbers"),
        (list[Mode], ["tnah"], "['tnah'] should be a list of 'relu' or"),
        (list, 3, "3 should be a list"),
        (dict[str, float], {"a": "b"}, "{a: 'b'} should be a mapping of names to numbers"),
        (dict, [1], "[1] should be a mapping"),
        (None, 3, "3 should be null"),
        (Path, 3, "3 should be a path"),
        (Union[float, Tensor], "fast", "'fast' should be a number"),
        (Annotated[int, "units"], "x", "'x' should be a whole number"),
    ],
)
def test_what_is_refused(annotation: Any, value: object, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        coerce(annotation, value)
    assert message in str(caught.value)
    assert "; " in message or "; " not in str(caught.value)  # no advice that does not fit


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(TypeError) as caught:
        coerce(int, "x" * 500)
    assert len(str(caught.value)) < 130


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (Mode | None, "'relu' or 'leaky_relu' or 'tanh' or null"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[PositiveInt, PositiveInt], "tuple[int of at least 1, int of at least 1]"),
        (dict[str, list[Mode]], "dict[str, list['relu' or 'leaky_relu' or 'tanh']]"),
        (Optional[list[str]], "list[str] or null"),
        (Any, "Any"),
    ],
)
def test_describe(annotation: Any, text: str) -> None:
    assert describe(annotation) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), ([1, "a", None], "[1, 'a', null]"), ({"a": False}, "{a: false}"), (0.5, "0.5")],
)
def test_values_are_shown_as_yaml_has_them(value: object, text: str) -> None:
    assert shown(value) == text


# -- settings ----------------------------------------------------------------------------------------------------------


@dataclass
class Inner:
    last: int = 1


@dataclass
class Settings:
    steps: int
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner = field(default_factory=Inner)


def settings(value: Any, **origins: int) -> tuple[Settings, list[str]]:
    node = wrap(value, Origin("m.yaml", 1))
    for key, line in origins.items():
        node.value[key].origin = Origin("m.yaml", line)
    problems: list[Problem] = []
    return read(Settings, node, "train", problems), [str(problem) for problem in problems]


def test_settings_are_read() -> None:
    assert settings({"steps": 3, "inner": {"last": 2}}) == (Settings(3, "fast", Inner(2)), [])
    assert settings({"steps": 3, "inner": None}) == (Settings(3), [])


def test_every_problem_of_settings_is_found_and_the_default_stays() -> None:
    found, problems = settings({"steps": "x", "mode": "fats", "innr": {}, "inner": {"last": True}}, steps=2, mode=3)
    assert found == Settings(None)  # type: ignore[arg-type]
    assert problems == [
        "m.yaml:2: train.steps: 'x' should be a whole number",
        "m.yaml:3: train.mode: 'fats' should be 'fast' or 'slow'; did you mean 'fast'?",
        "m.yaml:1: train.innr: there is no setting 'innr' here (did you mean 'inner'?)",
        "m.yaml:1: train.inner.last: true should be a whole number",
    ]


def test_settings_that_are_missing_or_no_mapping() -> None:
    assert settings({})[1] == ["m.yaml:1: train: 'steps' is missing (write `steps: …`)"]
    assert settings(3)[1] == ["m.yaml:1: train: 3 should be a mapping (of steps, mode, inner)"]
    assert settings([1])[1] == ["m.yaml:1: train: [1] should be a mapping (of steps, mode, inner)"]


def test_what_was_reported_already_is_left_alone() -> None:
    assert settings({"steps": "???"})[1] == []
    problems: list[Problem] = []
    read(Settings, Node("???", Origin("m.yaml", 1)), "train", problems)
    assert not problems


# -- properties --------------------------------------------------------------------------------------------------------

ANNOTATIONS: list[Any] = [
    int,
    float,
    bool,
    str,
    None,
    Mode,
    int | None,
    float | str,
    tuple[int, ...],
    tuple[float, int],
    list[int | None],
    dict[str, float],
    tuple[tuple[int, ...], ...] | float,
    Any,
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["relu", "1"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(st.sampled_from(ANNOTATIONS), values)
def test_any_value_passes_or_is_refused_and_passing_is_stable(annotation: Any, value: object) -> None:
    try:
        found = coerce(annotation, value)
    except TypeError as error:
        assert "should be" in str(error)
        assert "\n" not in str(error)
    else:
        assert repr(coerce(annotation, found)) == repr(found)


@given(st.integers(-(2**50), 2**50))
def test_integral_floats_are_integers(number: int) -> None:
    found = coerce(int, float(number))
    assert found == number
    assert type(found) is int


@given(st.lists(st.integers() | st.integers(-(2**50), 2**50).map(float)))
def test_lists_become_tuples_of_integers(items: list[int | float]) -> None:
    found = coerce(tuple[int, ...], items)
    assert found == tuple(items)
    assert all(type(item) is int for item in found)


@given(values.filter(lambda v: type(v) is not bool))
def test_only_booleans_are_booleans(value: object) -> None:
    with pytest.raises(TypeError):
        coerce(bool, value)


@given(st.text())
def test_texts_are_never_numbers(text: str) -> None:
    for annotation in (int, float, bool, int | None, tuple[int, ...]):
        with pytest.raises(TypeError):
            coerce(annotation, text)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (PositiveInt, 0, "0 should be a whole number of at least 1"),
        (PositiveFloat, 0, "0 should be a number above 0"),
        (Fraction, 1.5, "1.5 should be a number from 0 to 1"),
        (Annotated[float, Lt(1), Gt(0)], 1, "1 should be a number below 1 and above 0"),
        (PositiveInt | None, -2, "-2 should be a whole number of at least 1 or null"),
        (PositiveInt | list[PositiveInt], [4, -1], "whole number of at least 1 or a list of whole numbers of at least"),
        (tuple[PositiveInt, PositiveInt], [0, 1], "a list of 2 whole numbers of at least 1"),
        (PositiveInt, "4", "write it without quotes"),
    ],
)
def test_bounds(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        coerce(annotation, value)


def test_numbers_within_their_bounds_pass() -> None:
    assert coerce(PositiveInt, 1.0) == 1 and coerce(Fraction, 1) == 1.0 and coerce(PositiveInt | None, None) is None
    assert coerce(PositiveInt | Fraction, 2) == 2 and coerce(list[PositiveFloat], [1, 0.5]) == [1.0, 0.5]
    assert describe(PositiveInt) == "int of at least 1" and describe(Fraction | None) == "float from 0 to 1 or null"
