"""The expression language of ``flow:`` and ``minimize:``: names, calls, attributes, constants, lists.

An expression is parsed with :mod:`ast` and never evaluated as Python. Anything the grammar lacks is an ``op``.

    expression := [number *] value
    value      := name | value.field | value(argument, …, name=argument) | [value, …] | (value, …) | constant | _
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

HOLE = "_"
DEEPEST = 50  # levels of nesting; nobody reads more, and no walk over an expression runs out of stack
LARGEST = 1e300


class ExpressionError(ValueError):
    """The text is not an expression; `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    value: object

    def __eq__(self, other: object) -> bool:  # 1, 1.0 and True are three constants
        return isinstance(other, Const) and (type(self.value), self.value) == (type(other.value), other.value)

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Name:
    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Attr:
    base: Expr
    field: str

    def __str__(self) -> str:
        return f"{self.base}.{self.field}"


@dataclass(frozen=True, slots=True)
class Call:
    func: Expr
    args: tuple[Expr, ...] = ()
    kwargs: tuple[tuple[str, Expr], ...] = ()

    def __str__(self) -> str:
        arguments = [str(a) for a in self.args] + [f"{k}={v}" for k, v in self.kwargs]
        return f"{self.func}({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Seq:
    items: tuple[Expr, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Scaled:
    factor: float
    value: Expr

    def __str__(self) -> str:
        return f"{self.factor!r} * {self.value}"


Expr = Const | Name | Attr | Call | Seq | Scaled

_HINTS: dict[type, str] = {
    ast.Add: "write each summand as its own entry under `minimize:`, or use an op",
    ast.Sub: "write each summand as its own entry under `minimize:` with a negative number in front, or use an op",
    ast.Mult: "only a number may be multiplied, and it stands in front: `10 * l1(x, y)`",
    ast.Div: "write the number in front: `0.1 * l1(x, y)`",
    ast.Subscript: "networks return named outputs: write `D(x).features`, or use an op",
    ast.Lambda: "`_` makes a function of an argument: `gp(D(_, label), real, fake)`",
    ast.Compare: "there are no conditions: use an op",
    ast.IfExp: "there are no conditions: use an op",
    ast.Dict: "use keyword arguments",
    ast.Starred: "write the arguments out",
    ast.UnaryOp: "write the number in front: `-1 * x`",
    ast.JoinedStr: "use a plain string",
}


def parse(text: str) -> Expr:
    """Parse one expression.

    Raises:
        ExpressionError: the text is not in the language; its `hint` says what to write instead.
    """
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError("an expression is missing", "write one such as `G(z)`")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strings with odd escapes
            tree = ast.parse(f"({text}\n)", mode="eval").body
        deep = len(text) > DEEPEST < _depth(tree)  # a level takes a character
    except SyntaxError as error:
        what = f"cannot read `{_cut(text)}`: {_syntax(text, error)}"
        raise ExpressionError(what, _syntax_hint(text, error)) from None
    except (RecursionError, MemoryError):
        deep = True
    except ValueError as error:  # null bytes, half characters
        raise ExpressionError(f"cannot read `{_cut(text)}`: {error}") from None
    if deep:
        raise ExpressionError(f"`{_cut(text)}` is nested too deeply", "name the inner values under `flow:`")
    if (tree.lineno, tree.col_offset) == (1, 0) and not isinstance(tree, ast.GeneratorExp):  # not inside our brackets
        if not _balanced(text):
            raise ExpressionError(f"cannot read `{_cut(text)}`: brackets do not match")
        if isinstance(tree, ast.Tuple) and tree.elts:
            raise ExpressionError(f"`{_cut(text)}` is several expressions", "write `[a, b]` for several batches")
        raise ExpressionError(f"`{_cut(text)}` is no expression")
    factor = _leading_number(tree)
    if factor is not None:
        assert isinstance(tree, ast.BinOp)
        return Scaled(_finite(factor, text), _convert(tree.right, text))
    return _convert(tree, text)


def _depth(tree: ast.AST) -> int:
    """How deeply an expression is nested, without recursion."""
    deepest, stack = 0, [(tree, 1)]  # a keyword argument counts twice
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack += [(n, depth + 1) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr | ast.keyword)]
    return deepest


def _cut(text: str) -> str:
    """A text as it stands in messages."""
    text = " ".join(ascii(text)[1:-1].split()) if not text.isprintable() else text
    return text if len(text) <= 100 else f"{text[:97]}…"


def _balanced(text: str) -> bool:
    return all(text.count(left) == text.count(right) for left, right in ("()", "[]")) and not _crossed(text)


def _crossed(text: str) -> bool:
    """Whether a bracket closes that was never opened."""
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth < 0:
            return True
    return False


def _syntax(text: str, error: SyntaxError) -> str:
    return "brackets do not match" if not _balanced(text) else (error.msg or "invalid syntax").split(". ")[0].lower()


def _syntax_hint(text: str, error: SyntaxError) -> str:
    if text.count("(") > text.count(")"):
        return "inside `{ }` a comma splits the text: quote it, or use block style"
    if not _balanced(text):
        return "count the brackets"
    hint = (error.msg or "").partition(". ")[2].lower() if "(" in text else ""  # not one about our own brackets
    return hint or "an expression reads like `10 * l1(x, y)`"


def _leading_number(tree: ast.expr) -> float | None:
    return _number(tree.left) if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult) else None


def _number(tree: ast.expr) -> float | None:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        value = _number(tree.operand)
        return None if value is None else (-value if isinstance(tree.op, ast.USub) else value)
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
        return tree.value
    return None


def _finite(number: float, text: str) -> float:
    if not abs(number) < LARGEST:
        raise ExpressionError(f"a number in `{_cut(text)}` is too large")
    return number


def _convert(tree: ast.expr, text: str) -> Expr:
    number = _number(tree)
    if number is not None:
        return Const(_finite(number, text))
    match tree:
        case ast.Constant(value=str() | bool() | None as value):
            return Const(value)
        case ast.Name(id=name):
            return Name(name)
        case ast.Attribute(value=base, attr=field):
            if field.startswith("_"):
                raise ExpressionError(f"`{_cut(field)}` in `{_cut(text)}` is private", "only public fields can be read")
            if not isinstance(base, ast.Name | ast.Attribute | ast.Call):
                raise ExpressionError(
                    f"`{_cut(ast.unparse(base))}` has no fields, in `{_cut(text)}`", "only a value or a call has"
                )
            return Attr(_convert(base, text), field)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return Seq(tuple(_convert(item, text) for item in items))
        case ast.Call(func=func, args=args, keywords=keywords):
            if any(k.arg is None for k in keywords):
                raise ExpressionError(f"`**` is not part of the language, in `{_cut(text)}`", "write the arguments out")
            named = tuple((str(k.arg), _convert(k.value, text)) for k in keywords)
            if len(dict(named)) < len(named):
                raise ExpressionError(f"an argument is given twice, in `{_cut(text)}`")
            target = _convert(func, text)
            if root(target) is None:
                raise ExpressionError(
                    f"only a part or its method can be called, in `{_cut(text)}`", "name the value first"
                )
            if root(target) == HOLE:
                raise ExpressionError(f"`{HOLE}` stands for a tensor and cannot be called, in `{_cut(text)}`")
            return Call(target, tuple(_convert(arg, text) for arg in args), named)
    kind: type = type(tree.op) if isinstance(tree, ast.BinOp) else type(tree)
    piece = _cut(ast.unparse(tree))
    raise ExpressionError(
        f"`{piece}` is not part of the language",
        _HINTS.get(kind, "names, calls, fields, constants and a leading `number *` are; anything else is an op"),
    )


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything inside it, outermost first."""
    yield expr
    match expr:
        case Attr(base=base):
            yield from walk(base)
        case Call(func=func, args=args, kwargs=kwargs):
            yield from walk(func)
            for arg in args:
                yield from walk(arg)
            for _, arg in kwargs:
                yield from walk(arg)
        case Seq(items=items):
            for item in items:
                yield from walk(item)
        case Scaled(value=value):
            yield from walk(value)


def names(expr: Expr) -> list[str]:
    """Every name the expression reads, in order of first appearance, without the hole."""
    return list(dict.fromkeys(e.id for e in walk(expr) if isinstance(e, Name) and e.id != HOLE))


def called(expr: Expr) -> list[str]:
    """The names that the expression calls, or whose methods it calls."""
    found = (root(e.func) for e in walk(expr) if isinstance(e, Call))
    return list(dict.fromkeys(name for name in found if name is not None))


def root(expr: Expr) -> str | None:
    """The name at the start of ``name.field.field``, or None."""
    while isinstance(expr, Attr):
        expr = expr.base
    return expr.id if isinstance(expr, Name) else None


def has_hole(expr: Expr) -> bool:
    return any(isinstance(e, Name) and e.id == HOLE for e in walk(expr))


def arguments(expr: Expr) -> list[Expr]:
    """What a call is given and has to be computed: neither constants nor functions of a hole."""
    if not isinstance(expr, Call):
        return []
    every = (*expr.args, *(value for _, value in expr.kwargs))
    return [value for value in every if not isinstance(value, Const) and not has_hole(value)]
