"""Expressions compiled to closures over a turn: named values at most once, arguments on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ganzoo.config.expression import HOLE, Attr, Call, Const, Expr, Name, Scaled, Seq, has_hole, names, root
from ganzoo.config.spec import Value
from ganzoo.contract import first, ignored, shape_of
from ganzoo.errors import EvaluationError, GanzooError, UserError, listed
from ganzoo.model.calls import as_float, call_signature, full_precision, members, mentions, takes_tensor
from ganzoo.model.calls import zipped as zipped_call
from ganzoo.model.turn import Getter, Turn

FULL_PRECISION = ("adversarial", "loss", "regularizer", "metric")
ZIPPED = ("adversarial", "loss")


class Program:
    """Compiles the expressions of one model over its parts.

    Args:
        flow: The named values.
        part: Gives a built part by name.
        kind: Gives a part's kind by name, or None for what is no part.
        owners: Names of the players, by shared value, who train its producers.
        autocast: The device type on which convolutions and matrix products run in bfloat16, or None for nowhere;
            losses and penalties never do.
        dry: Whether this is the meta device, where a part's ``dry`` stands for its ``forward`` if it has one.
    """

    def __init__(
        self,
        flow: Mapping[str, Value],
        part: Callable[[str], Any],
        kind: Callable[[str], str | None],
        owners: Mapping[str, frozenset[str]] | None = None,
        autocast: str | None = None,
        dry: bool = False,
    ):
        self.dry = dry
        self.flow = flow
        self.part = part
        self.kind = kind
        self.owners = owners or {}
        self.autocast = autocast
        self._named: dict[str, Getter] = {}

    def value(self, value: Value, expr: Expr | None = None) -> Getter:
        """A named equation (or only `expr` of it) as a function of the turn; errors say which equation and where."""
        try:
            compute = self.compile(value.expr if expr is None else expr)
        except UserError as error:
            placed = [p if p.origin else replace(p, origin=value.origin, path=value.path) for p in error.problems]
            raise UserError(placed) from None

        def get(turn: Turn) -> Any:
            try:
                return compute(turn)
            except GanzooError:
                raise
            except Exception as error:
                raise EvaluationError(_context(value, turn, error), value.origin, value.path) from error

        return get

    def filled(self, value: Value) -> Getter:
        """An equation with a hole as a function of the turn, whose `hole` stands there."""
        return _Filled(self, set(), self.flow).value(value)

    def named(self, name: str) -> Getter:
        """A value of the flow, computed once a turn, or once a step if it is shared."""
        if name in self._named:
            return self._named[name]
        inner = self.value(self.flow[name])
        owners = self.owners.get(name, frozenset())

        def compute(turn: Turn) -> Any:
            cache = turn.cache
            if name not in cache:
                cache[name] = inner(turn)
            return cache[name]

        def get(turn: Turn) -> Any:
            cache = turn.cache
            if name in cache:
                return cache[name]
            shared = turn.shared
            if shared is not None and name in shared.names:
                cache[name] = value = shared.get(name, compute, turn.player, turn.player in owners)
                return value
            cache[name] = value = inner(turn)
            return value

        self._named[name] = get
        return get

    def compile(self, expr: Expr) -> Getter:
        """An expression as a function of a turn."""
        match expr:
            case Const(value=constant):
                return lambda turn: constant
            case Name(id=name):
                return self._name(name)
            case Attr(base=base, field=field):
                return self._field(base, field)
            case Seq(items=items):
                getters = [self.compile(item) for item in items]
                return lambda turn: [get(turn) for get in getters]
            case Scaled(factor=factor, value=inner):
                get = self.compile(inner)
                return lambda turn: factor * first(get(turn))
            case Call():
                return self._call(expr)
        raise AssertionError(f"unknown expression {expr!r}")

    def _name(self, name: str) -> Getter:
        if name == HOLE:
            return lambda turn: turn.hole
        if name in self.flow:
            return self.named(name)
        if name == "n":
            return lambda turn: turn.n
        if name == "step":
            return lambda turn: turn.step
        if self.kind(name) is not None:
            part = self.part(name)
            return lambda turn: part
        return lambda turn: turn.batch[name]

    def _field(self, base: Expr, field: str) -> Getter:
        get = self.compile(base)

        def read(turn: Turn) -> Any:
            value = get(turn)
            if field in (known := members(value)):
                return getattr(value, field)
            what = f"its fields are {listed(known)}" if known else f"it is {shape_of(value)}"
            raise AttributeError(f"{base} has no field '{field}'; {what}")

        return read

    def _call(self, call: Call) -> Getter:
        name = root(call.func)
        assert name is not None
        part, kind = self.part(name), self.kind(name)
        target = part
        for field in _fields(call.func):
            if field not in members(target):
                methods = [m for m in members(target) if callable(getattr(target, m, None))]
                raise UserError(f"{name} has no method '{field}'" + (f" (it has {listed(methods)})" if methods else ""))
            target = getattr(target, field)
        if self.dry and target is part and hasattr(part, "dry"):
            target = part.dry
        signature = call_signature(target, f"{call.func}")
        try:
            bound = signature.bind(*call.args, **dict(call.kwargs))
        except TypeError as error:
            takes = ", ".join(map(str, signature.parameters.values()))
            raise UserError(f"{call.func} takes ({takes}), but is called as {call}: {error}") from None
        args: list[Getter] = []
        kwargs: dict[str, Getter] = {}
        zipped = kind in ZIPPED
        full = kind in FULL_PRECISION and self.autocast is not None
        skipped = ignored(type(target).forward if isinstance(target, nn.Module) else target)
        for parameter, given in bound.arguments.items():
            spec = signature.parameters[parameter]
            if spec.kind is spec.VAR_POSITIONAL:
                args += [self._argument(item, spec.annotation, zipped, full) for item in given]
            elif spec.kind is spec.VAR_KEYWORD:
                kwargs |= {key: self._argument(item, spec.annotation, zipped, full) for key, item in given.items()}
            elif parameter in skipped:
                kwargs[parameter] = _nothing
            elif spec.kind is spec.KEYWORD_ONLY or kwargs:
                kwargs[parameter] = self._argument(given, spec.annotation, zipped, full)
            else:
                args.append(self._argument(given, spec.annotation, zipped, full))
        run = full_precision(target, self.autocast) if kind in FULL_PRECISION else target
        if zipped:
            whole = {name for name, spec in signature.parameters.items() if not takes_tensor(spec.annotation)}
            run = zipped_call(run, [name in whole for name in signature.parameters], whole)

        side = call.func.field if kind == "adversarial" and isinstance(call.func, Attr) else None
        order = list(signature.parameters)

        def invoke(turn: Turn) -> Any:
            values = [get(turn) for get in args]
            named = {key: get(turn) for key, get in kwargs.items()}
            if side is not None and turn.seen is not None:
                turn.seen.append((part, side, dict(zip(order, values, strict=False)) | named))
            if turn.draws is not None:
                turn.draws.part = name
            try:
                return run(*values, **named)
            except GanzooError:
                raise
            except Exception as error:
                if not hasattr(error, "called"):  # what was called with what, for a message about it
                    error.called = (name, dict(zip(order, values, strict=False)) | named)  # type: ignore[attr-defined]
                raise

        return invoke

    def apply(self, func: Expr, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a part with values at hand, as an expression would."""
        target = self.part(root(func) or "")
        for field in _fields(func):
            target = getattr(target, field)
        taken = call_signature(target).bind(*args, **kwargs).arguments
        whole = {n for n, p in call_signature(target).parameters.items() if not takes_tensor(p.annotation)}
        return target(**{name: value if name in whole else first(value) for name, value in taken.items()})

    def _argument(self, expr: Expr, annotation: Any, zipped: bool, full: bool) -> Getter:
        if has_hole(expr):
            return self._function(expr, full)
        if isinstance(expr, Name) and expr.id not in self.flow and self.kind(expr.id) is not None:
            part = self.part(expr.id)
            if mentions(annotation, nn.Module):
                return lambda turn: part
            if mentions(annotation, torch.Tensor) and not mentions(annotation, Callable):
                raise UserError(f"a tensor is needed where the part {expr.id} stands: call it, {expr.id}(…)")
            return lambda turn: lambda *args, **kwargs: first(part(*args, **kwargs))
        get = self.compile(expr)
        if zipped or not takes_tensor(annotation):
            return get
        return lambda turn: first(get(turn))

    def _function(self, expr: Expr, full: bool) -> Getter:
        """An argument with a hole as a function of the hole; whatever has no hole is computed beforehand.

        If the function will be called in `full` precision, so are its fixed pieces.
        """
        fixed = [piece for piece in _without_hole(expr) if not isinstance(piece, Const)]
        getters = {piece: self.compile(piece) for piece in fixed}
        inner = _Filled(self, set(fixed)).compile(expr)

        def make(turn: Turn) -> Any:
            known = {piece: as_float(get(turn)) if full else get(turn) for piece, get in getters.items()}

            def function(hole: Any) -> Any:
                call = Turn({}, turn.n, turn.step, turn.draws, turn.player)
                call.hole = hole
                call.cache = known  # type: ignore[assignment]
                return first(inner(call))

            return function

        return make


class _Filled(Program):
    """Compiles an expression with a hole; its pieces without one are already in the turn's cache."""

    def __init__(self, parent: Program, fixed: set[Expr], flow: Mapping[str, Value] | None = None):
        super().__init__(flow or {}, parent.part, parent.kind, autocast=parent.autocast, dry=parent.dry)
        self.fixed = fixed

    def compile(self, expr: Expr) -> Getter:
        if expr in self.fixed:
            return lambda turn: turn.cache[expr]  # type: ignore[index]
        return super().compile(expr)

    def _argument(self, expr: Expr, annotation: Any, zipped: bool, full: bool) -> Getter:
        if not has_hole(expr):
            return super()._argument(expr, annotation, zipped, full)
        get = self.compile(expr)  # the hole is filled already
        return get if zipped or not takes_tensor(annotation) else lambda turn: first(get(turn))


def _without_hole(expr: Expr) -> list[Expr]:
    """The largest pieces of an expression's arguments that have no hole."""
    if not has_hole(expr):
        return [expr]
    match expr:
        case Call(args=args, kwargs=kwargs):
            return [p for item in (*args, *(v for _, v in kwargs)) for p in _without_hole(item)]
        case Seq(items=items):
            return [p for item in items for p in _without_hole(item)]
        case Attr(base=base) | Scaled(value=base):
            return _without_hole(base)
    return []


def _fields(func: Expr) -> list[str]:
    found: list[str] = []
    while isinstance(func, Attr):
        found.insert(0, func.field)
        func = func.base
    return found


def _nothing(turn: Turn) -> None:
    return None


def _context(value: Value, turn: Turn, error: Exception) -> str:
    shapes = []
    for name in names(value.expr):
        found = turn.cache.get(name)
        if found is None and name in set(turn.batch):  # its names, for asking for a field may draw it
            found = turn.batch[name]
        if found is not None:
            shapes.append(f"{name} {shape_of(found)}")
    listed = f" [{', '.join(shapes)}]" if shapes else ""
    player = f" for player {turn.player}" if turn.player else ""
    equation = value.text if value.name == value.text else f"{value.name} = {value.text}"
    return f"while computing {equation}{listed}{player} ({value.origin}): {type(error).__name__}: {_brief(error)}"


def _brief(error: Exception) -> str:
    """The first line of a message; torch goes on with what it would have taken."""
    return str(error).strip().split("\n")[0]
