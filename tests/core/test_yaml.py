"""YAML as ganzoo reads it: YAML 1.2 scalars, lines, and a message for each of the usual accidents."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.config.tree import Node, wrap
from ganzoo.config.yaml12 import read_file, read_value
from ganzoo.errors import Origin, Problem, UserError


def read(text: str | bytes, tmp_path: Path, name: str = "m.yaml") -> tuple[Node | None, list[Problem]]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems: list[Problem] = []
    try:
        return read_file(path, problems), problems
    except UserError as error:
        return None, problems + error.problems


def plain(text: str) -> Any:
    return read_value(text, Origin("test")).plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("Null", None),
        ("none", "none"),
        ("010", 10),
        ("+3", 3),
        ("-3", -3),
        ("1_000", 1000),
        ("1_", "1_"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1e-4", 1e-4),
        ("1e5", 1e5),
        ("5.0e-5", 5e-5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("'3'", "3"),
        ('"true"', "true"),
        ("!!str 3", "3"),
        ("[0, 1]", [0, 1]),
        ("{a: [on, 1e1], b: }", {"a": ["on", 10.0], "b": None}),
        ("10 * l1(x, y)", "10 * l1(x, y)"),
        ("adv.d(D(real), D(fake))", "adv.d(D(real), D(fake))"),
        ("${train.batch}", "${train.batch}"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(plain(".nan"))


TREE = """
# a comment
data:
  use: data.circle
parts:
  G: {use: generator.mlp,
      hidden: [8,
               9]}
  D:
    use: discriminator.mlp
text: >-
  folded
  over lines
"""


def test_every_node_knows_its_line(tmp_path: Path) -> None:
    tree, problems = read(TREE, tmp_path)
    assert tree is not None
    assert not problems

    def line(*path: str) -> int | None:
        node = tree.get(*path)
        assert node is not None
        return node.origin.line

    assert line("data") == 3
    assert line("data", "use") == 4
    assert line("parts", "G") == 6
    assert line("parts", "G", "hidden") == 7
    assert line("parts", "D") == 9
    assert line("parts", "D", "use") == 10
    assert line("text") == 11
    hidden = tree.get("parts", "G", "hidden")
    assert hidden is not None
    assert [item.origin.line for item in hidden.value] == [7, 8]
    assert {node.origin.file for _, node in tree.leaves()} == {str(tmp_path / "m.yaml")}
    assert tree.get("text").plain() == "folded over lines"  # type: ignore[union-attr]
    assert dict(tree.leaves())["parts", "G", "hidden", "1"].value == 9


def test_a_file_below_the_working_directory_is_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tree, _ = read("a: 1", tmp_path)
    assert tree is not None
    assert tree.origin.file == "m.yaml"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\tb: 1", 2, "a tab in the indentation (indent with spaces)"),
        ("a: 1\n\tb: 2", 2, "a tab in the indentation (indent with spaces)"),
        ("x: 1\na: b: c", 2, "a ':' where none can stand (quote a text that holds ': ')"),
        ("players\n  D: 3", 2, "a ':' where none can stand (is one missing on the line above"),
        ("a: 1\n  b: 2", 2, "a ':' where none can stand (is one missing on the line above"),
        ("a:\n  b: 1\n c: 2", 3, "the indentation does not fit"),
        ("a:\n  - b\n  c: 2", 3, "the indentation does not fit"),
        ("a: *b * 3", 1, "quote a text that begins with *"),
        ("a: @x", 1, "a text cannot begin with @ (quote it)"),
        ("a: [1, 2", 2, "in what line 1 opens"),
        ("a:\n  b: {c: 1\nd: 2", 3, "in what line 2 opens"),
        ("a: {b: adv.d([x, y], z)}", 1, "quote an expression that holds a comma or brackets"),
        ("data: {root: ???}", 1, "write '???' in quotes"),
        ("x: 1\na: 'b", 2, "the quote that opens on line 2 is never closed"),
        ("a: 1\n---\nb: 2", 2, "one file holds one model"),
        ("a: 1\nb: \0", 2, "control characters"),
        (b"a: 1\nb: \xff", 2, "is not UTF-8 text"),
        ("- a\n- b", 1, "a model is a mapping"),
        ("just words", 1, "a model is a mapping"),
        ("", None, "a model is a mapping"),
        ("# nothing\n", None, "a model is a mapping"),
        ("[" * 10**5, None, "nested too deeply"),
        ("a: " + "[" * 499 + "]" * 499, None, "nested too deeply"),
        ("- " * 10**5, None, "nested too deeply"),
    ],
)
def test_what_is_not_yaml(text: str | bytes, line: int | None, message: str, tmp_path: Path) -> None:
    tree, (problem,) = read(text, tmp_path)
    assert tree is None
    assert problem.origin == (str(tmp_path / "m.yaml"), line)
    assert message in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2", 4, "b.c", "'c' is given twice, first on line 3"),
        ("a: !foo 1", 1, "a", "the tag !foo is not allowed"),
        ("a: !foo {b: 1}", 1, "a", "the tag !foo is not allowed"),
        ("a: !foo [1]", 1, "a", "the tag !foo is not allowed"),
        ("a: !!set {b, c}", 1, "a", "the tag !!set is not allowed"),
        ("a: !!binary aGk=", 1, "a", "the tag !!binary is not allowed"),
        ("a: !!python/object/apply:os.getcwd []", 1, "a", "the tag !!python/object/apply:os.getcwd is not allowed"),
        ("a: !!int b", 1, "a", "b is no number that can be held"),
        ("x: 1\nsha: 695e0514", 2, "sha", "695e0514 is no number that can be held; quote it if it is a text"),
        ("a: " + "9" * 5000, 1, "a", "is no number that can be held"),
        ("a: &x {b: *x}", 1, "a.b", "the alias stands inside what it stands for"),
        ("<<: {b: 1}", 1, "", "merge keys are not supported (use `extends:`"),
        ("? [a, b]\n: 1", 1, "", "a key must be a plain word"),
        ("a: {b: f(x, y), c: 1}", 1, "a.b", "an unquoted comma inside brackets tears `f(x, y)` apart (quote it"),
        ("a: [z, f(x, y, g(w)), v]", 1, "a", "an unquoted comma inside brackets tears `f(x, y, g(w))` apart"),
    ],
)
def test_what_is_yaml_but_no_model(text: str, line: int, path: str, message: str, tmp_path: Path) -> None:
    tree, (problem,) = read(text, tmp_path)
    assert tree is not None
    assert (problem.origin, problem.path) == ((str(tmp_path / "m.yaml"), line), path)
    assert message in str(problem)


def test_a_torn_text_is_put_together_again(tmp_path: Path) -> None:
    tree, problems = read("{a: f(x, y), b: 'f(', c: g(z, w), show: [p, h(q, r), s]}", tmp_path)
    assert tree is not None
    assert tree.plain() == {"a": "f(x, y)", "b": "f(", "c": "g(z, w)", "show": ["p", "h(q, r)", "s"]}
    assert [p.path for p in problems] == ["a", "c", "show"]


def test_only_what_follows_in_brackets_is_put_together(tmp_path: Path) -> None:
    for text, expected in {
        "{a: f(x, b: 3, y)}": {"a": "f(x", "b": 3, "y)": None},
        "a: f(x\ny):\n": {"a": "f(x", "y)": None},
        "a:\n- f(x\n- y)": {"a": ["f(x", "y)"]},
        "{a: [f(x, [1], y)]}": {"a": ["f(x", [1], "y)"]},
    }.items():
        tree, problems = read(text, tmp_path)
        assert not problems
        assert tree is not None
        assert tree.plain() == expected


def test_all_problems_of_a_file_are_found_at_once(tmp_path: Path) -> None:
    _, problems = read("a: 1\na: 2\nb: !x 3\nc: 1e999\n", tmp_path)
    assert [p.origin.line for p in problems if p.origin] == [2, 3, 4]


def test_what_may_look_odd_and_is_fine(tmp_path: Path) -> None:
    for text, expected in {
        b"\xef\xbb\xbfa: 1": {"a": 1},
        b"a: 1\r\nb: 2\r\n": {"a": 1, "b": 2},
        b"a: &x [1]\nb: *x": {"a": [1], "b": [1]},
        b"1: one\ntrue: yes": {"1": "one", "true": "yes"},
        "é: ü".encode(): {"é": "ü"},
    }.items():
        tree, problems = read(text, tmp_path)
        assert not problems
        assert tree is not None
        assert tree.plain() == expected


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.yaml: cannot be read: No such file"):
        read_file(tmp_path / "gone.yaml", [])
    with pytest.raises(UserError, match="Is a directory"):
        read_file(tmp_path, [])


def test_values_on_the_command_line_have_one_origin() -> None:
    origin = Origin("command line: a=…")
    tree = read_value("{b: [1, {c: 2}]}", origin)
    assert {node.origin for _, node in tree.leaves()} == {origin}
    for text in ("", "  ", "[1", "!x 1", "{a: 1, a: 2}", "1e999"):
        with pytest.raises(UserError) as caught:
            read_value(text, origin)
        assert {problem.origin for problem in caught.value.problems} == {origin}


def test_python_values_are_wrapped() -> None:
    origin = Origin("here")
    assert wrap({"a": (1, 2), 3: Path("x/y")}, origin).plain() == {"a": [1, 2], "3": "x/y"}


letters = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from('äß€\n\t\\"')
texts = st.text(letters, max_size=10)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = texts.filter("<<".__ne__)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@given(trees)
def test_json_is_yaml(value: object) -> None:
    assert plain(json.dumps(value, ensure_ascii=False)) == value


@given(st.text(max_size=40) | st.text("ab:-?[]{},&*!|>'\"%@`# \n\t~0.e1", max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        plain(text)
    except UserError as error:
        assert all(str(p).startswith("test: ") and p.message for p in error.problems)


def test_aliases_that_stand_for_too_much_are_refused_at_once(tmp_path: Path) -> None:
    """Eight levels of nine references would be 43 million values."""
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    node, problems = read("\n".join(lines), tmp_path)
    assert node is None and "its aliases (*name) stand for more than 100,000 values" in problems[0].message
    node, problems = read("a: &a [1, 2]\nb: [*a, *a]", tmp_path)
    assert not problems and node is not None and node.plain() == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
