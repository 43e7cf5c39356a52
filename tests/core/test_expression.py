"""The expression language: what it accepts, what it refuses with which advice, and that it never runs anything."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.config.expression import (
    DEEPEST,
    Attr,
    Call,
    Const,
    Expr,
    ExpressionError,
    Name,
    Scaled,
    Seq,
    called,
    has_hole,
    names,
    parse,
    root,
    walk,
)

G, Z = Name("G"), Name("z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z", Z),
        ("G(z)", Call(G, (Z,))),
        ("  G( z )  ", Call(G, (Z,))),
        ("G(\n  z,\n)", Call(G, (Z,))),
        ("adv.d(D(real), D(fake))", Call(Attr(Name("adv"), "d"), (Call(Name("D"), (Name("real"),)), parse("D(fake)")))),
        ("D(x).features", Attr(Call(Name("D"), (Name("x"),)), "features")),
        ("G(z, label=y)", Call(G, (Z,), (("label", Name("y")),))),
        ("10 * l1(x, y)", Scaled(10, Call(Name("l1"), (Name("x"), Name("y"))))),
        ("-0.5 * x", Scaled(-0.5, Name("x"))),
        ("+2 * x", Scaled(2, Name("x"))),
        ("1e-3 * x", Scaled(0.001, Name("x"))),
        ("[x, y]", Seq((Name("x"), Name("y")))),
        ("(x, y)", Seq((Name("x"), Name("y")))),
        ("(x)", Name("x")),
        ("f(1, -2.5, 'a', True, None)", Call(Name("f"), tuple(map(Const, (1, -2.5, "a", True, None))))),
        ("gp(D(_, label), real)", Call(Name("gp"), (Call(Name("D"), (Name("_"), Name("label"))), Name("real")))),
    ],
)
def test_accepts(text: str, expected: Expr) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "missing", "G(z)"),
        ("   \n", "missing", "G(z)"),
        ("# a comment", "no expression", ""),
        ("x + y", "not part of the language", "own entry under `minimize:`"),
        ("x - y", "not part of the language", "negative number"),
        ("x * 2", "not part of the language", "stands in front: `10 * l1(x, y)`"),
        ("2 * 3 * x", "not part of the language", "stands in front"),
        ("x * y", "not part of the language", "only a number"),
        ("True * x", "not part of the language", "only a number"),
        ("x / 2", "not part of the language", "`0.1 * l1(x, y)`"),
        ("-x", "not part of the language", "`-1 * x`"),
        ("x[0]", "not part of the language", "`D(x).features`"),
        ("lambda x: x", "not part of the language", "`_` makes a function"),
        ("x if y else z", "not part of the language", "use an op"),
        ("x < y", "not part of the language", "use an op"),
        ("{'a': 1}", "not part of the language", "keyword arguments"),
        ("f(*x)", "not part of the language", "write the arguments out"),
        ("f(**x)", "`**`", "write the arguments out"),
        ("f'{x}'", "not part of the language", "plain string"),
        ("b'x'", "not part of the language", "anything else is an op"),
        ("1j", "not part of the language", "anything else is an op"),
        ("...", "not part of the language", "anything else is an op"),
        ("(x for x in y)", "not part of the language", "anything else is an op"),
        ("(x := y)", "not part of the language", "anything else is an op"),
        ("await x", "not part of the language", "anything else is an op"),
        ("G(z", "brackets do not match", "inside `{ }` a comma splits the text"),
        ("G(z))", "brackets do not match", "count the brackets"),
        ("a)(b", "brackets do not match", ""),
        ("a), (b", "brackets do not match", ""),
        ("a, b", "several expressions", "`[a, b]`"),
        ("a b", "invalid syntax", "reads like `10 * l1(x, y)`"),
        ("f(a b)", "invalid syntax", "forgot a comma"),
        ("f(a=1, b)", "positional argument follows keyword argument", "reads like"),
        ("f(a=1, a=2)", "given twice", ""),
        ("D(x)._private", "is private", "public fields"),
        ("D.__class__", "is private", "public fields"),
        ("f(x)(y)", "only a part or its method", "name the value first"),
        ("f(x).g(y)", "only a part or its method", "name the value first"),
        ("'a'.join(x)", "has no fields", "only a value or a call"),
        ("[x, y].z", "has no fields", "only a value or a call"),
        ("_(x)", "cannot be called", ""),
        ("1e999 * x", "too large", ""),
        ("f(0x" + "f" * 5000 + ")", "too large", ""),
    ],
)
def test_refuses_and_says_what_to_write(text: str, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)) as caught:
        parse(text)
    assert hint in caught.value.hint
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [None, 3, ["G(z)"]])
def test_refuses_what_is_no_text(value: object) -> None:
    with pytest.raises(ExpressionError, match="missing"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["f(" * 10**5, "(" * 10**5 + ")" * 10**5, "x" + ".y" * 10**5, "-" * 10**5 + "1", "[" * 90 + "]" * 90],
    ids=["open", "brackets", "fields", "signs", "lists"],
)
def test_absurd_nesting_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"nested|brackets do not match"):
        parse(text)


def test_nesting_up_to_the_limit_can_be_walked() -> None:
    text = "f(" * (DEEPEST - 1) + "x" + ")" * (DEEPEST - 1)
    assert names(parse(text)) == ["f", "x"]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse(f"f({text})")


def test_constants_of_different_types_differ() -> None:
    assert len({parse("f(1)"), parse("f(1.0)"), parse("f(True)")}) == 3
    assert parse("f(1)") == parse("f( 1 )")


def test_names_in_order_of_appearance() -> None:
    expr = parse("0.5 * adv.d(D(real, c=label), [D(fake), pool(_)], 'text', True)")
    assert names(expr) == ["adv", "D", "real", "label", "fake", "pool"]
    assert called(expr) == ["adv", "D", "pool"]
    assert has_hole(expr)
    assert not has_hole(parse("adv.d(x)"))


def test_walk_is_outermost_first() -> None:
    expr = parse("2 * f(g(x).y, a=[z])")
    seen = [str(e) for e in walk(expr)]
    assert seen == ["2 * f(g(x).y, a=[z])", "f(g(x).y, a=[z])", "f", "g(x).y", "g(x)", "g", "x", "[z]", "z"]


@pytest.mark.parametrize(("text", "start"), [("a.b.c", "a"), ("a", "a"), ("a(x).b", None), ("'a'", None)])
def test_root(text: str, start: str | None) -> None:
    assert root(parse(text)) == start


def test_nothing_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    expr = parse(f"open({str(target)!r}, 'w')")
    str(expr), names(expr), list(walk(expr))
    with pytest.raises(ExpressionError):
        parse(f"__import__('pathlib').Path({str(target)!r}).touch()")
    assert not target.exists()


# -- properties --------------------------------------------------------------------------------------------------------

words = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda word: not keyword.iskeyword(word))
numbers = st.integers(-(10**12), 10**12) | st.floats(-1e30, 1e30, allow_nan=False)
constants = st.builds(Const, numbers | st.booleans() | st.none() | st.text(max_size=8))
functions = st.recursive(words.map(Name), lambda inner: st.builds(Attr, inner, words), max_leaves=3)


def _larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    some = st.lists(inner, max_size=3).map(tuple)
    named = st.dictionaries(words, inner, max_size=2).map(lambda d: tuple(d.items()))
    calls = st.builds(Call, functions, some, named)
    return calls | st.builds(Attr, calls, words) | st.builds(Seq, some)


values = st.recursive(constants | functions | st.just(Name("_")), _larger, max_leaves=12)
expressions = values | st.builds(Scaled, numbers, values)


@given(expressions)
def test_round_trip(expr: Expr) -> None:
    assert parse(str(expr)) == expr


@given(expressions)
def test_names_are_those_that_walk_meets(expr: Expr) -> None:
    met = {e.id for e in walk(expr) if isinstance(e, Name)}
    assert set(names(expr)) == met - {"_"}
    assert has_hole(expr) == ("_" in met)
    assert set(called(expr)) <= met


@given(st.text(max_size=30) | st.text("Gz_(),.[]*+-'\"=:#\\\n\t 01e{}", max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        expr = parse(text)
    except ExpressionError as error:
        assert str(error)
    else:
        assert parse(str(expr)) == expr


@given(expressions.map(str), st.integers(0, 60), st.characters())
def test_a_typing_error_parses_or_is_refused(text: str, place: int, character: str) -> None:
    place = min(place, len(text))
    for wrong in (text[:place] + character + text[place:], text[:place] + text[place + 1 :]):
        try:
            expr = parse(wrong)
        except ExpressionError:
            continue
        assert parse(str(expr)) == expr
