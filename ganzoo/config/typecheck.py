"""Check values against annotations, strictly: an integral float is an int, an int a float, a list a tuple; no more.

Numbers may have bounds, as in ``Annotated[int, Ge(1)]``.
"""

from __future__ import annotations

import operator
import types
from collections import abc
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from ganzoo.config.tree import Node, shown
from ganzoo.errors import Problem, choices, did_you_mean, listed

_LISTS = (list, abc.Sequence, abc.Iterable, abc.Collection)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)
_NO = object()
_BOUNDS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    Ge: ("ge", "of at least", operator.ge),
    Gt: ("gt", "above", operator.gt),
    Le: ("le", "of at most", operator.le),
    Lt: ("lt", "below", operator.lt),
}


def coerce(annotation: Any, value: Any) -> Any:
    """`value` as the annotated type; an integral float passes as an int, an int as a float, a list as a tuple.

    An annotation that no config can satisfy, such as a class, is not checked.

    Raises:
        TypeError: it is not of that type; the message says what was expected.
    """
    found = _fit(_plain(annotation), value)
    if found is _NO:
        raise TypeError(_expected(annotation, value))
    return found


def coerce_all(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name as the annotations of a class have them.

    Raises:
        TypeError: one is not of its type.
        KeyError: the class has none of that name.
    """
    hints = get_type_hints(cls)
    return {name: coerce(hints[name], value) for name, value in values.items()}


def _plain(annotation: Any) -> Any:
    """An annotation without the wrappings that say nothing of the value."""
    while hasattr(annotation, "__supertype__") or (get_origin(annotation) is Annotated and not _bounds(annotation)):
        annotation = getattr(annotation, "__supertype__", None) or get_args(annotation)[0]
    return types.NoneType if annotation is None else annotation


def _bounds(annotation: Any) -> tuple[Any, ...]:
    """The bounds of a number."""
    return tuple(item for item in getattr(annotation, "__metadata__", ()) if type(item) in _BOUNDS)


def _unbounded(annotation: Any) -> Any:
    """An annotation without its bounds."""
    return _plain(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _within(bound: Any, value: Any) -> bool:
    name, _, holds = _BOUNDS[type(bound)]
    return holds(value, getattr(bound, name))


def _members(annotation: Any) -> list[Any]:
    """The alternatives of a union, flat, without those that no config can satisfy; else the annotation itself."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return [annotation]
    every = [m for a in get_args(annotation) for m in _members(_plain(a))]
    return [m for m in every if _is_known(m)] or [Any]


def _is_known(annotation: Any) -> bool:
    annotation = _unbounded(annotation)
    origin = get_origin(annotation) or annotation
    return origin in (types.NoneType, bool, int, float, str, Path, tuple, Literal, Any, *_LISTS, *_DICTS)


def _fit(annotation: Any, value: Any) -> Any:
    """`value` as one annotated type, or `_NO`."""
    if get_origin(annotation) in (Union, types.UnionType):
        members = _members(annotation)
        exact = [m for m in members if _unbounded(m) is type(value)]
        return next((fit for m in (*exact, *members) if (fit := _fit(m, value)) is not _NO), _NO)
    if get_origin(annotation) is Annotated:
        found = _fit(_unbounded(annotation), value)
        return found if found is not _NO and all(_within(bound, found) for bound in _bounds(annotation)) else _NO
    if not _is_known(annotation) or annotation is Any:
        return value
    origin, args = get_origin(annotation) or annotation, tuple(map(_plain, get_args(annotation)))
    if origin is Literal:
        return value if any(type(v) is type(value) and v == value for v in args) else _NO
    if origin is tuple or origin in _LISTS:
        return _fit_list(origin, args, value)
    if origin in _DICTS:
        if not isinstance(value, dict):
            return _NO
        wanted = args[1] if args else Any
        items = {key: _fit(wanted, item) for key, item in value.items()}
        return _NO if any(item is _NO for item in items.values()) else items
    if origin is Path:
        return Path(value) if isinstance(value, str | Path) else _NO
    if isinstance(value, bool) or origin not in (int, float):
        return value if type(value) is origin else _NO
    if origin is int:
        integral = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return int(value) if integral else _NO
    return float(value) if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e300) else _NO


def _fit_list(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return _NO
    wanted: list[Any] = [args[0] if args else Any] * len(value)
    if origin is tuple and args and args[-1] is not Ellipsis:
        wanted = list(args)
    if len(wanted) != len(value):
        return _NO
    items = [_fit(kind, item) for kind, item in zip(wanted, value, strict=True)]
    return _NO if any(item is _NO for item in items) else (tuple(items) if origin is tuple else items)


def _expected(annotation: Any, value: Any) -> str:
    members = _members(_plain(annotation))
    message = f"{shown(value)} should be {' or '.join(dict.fromkeys(map(_noun, members)))}"
    literals = [v for m in members if get_origin(m) is Literal for v in get_args(m) if isinstance(v, str)]
    if isinstance(value, str):
        hint = did_you_mean(value, literals)
        if {int, float} & set(map(_unbounded, members)) and _is_number(value):
            hint = "write it without quotes"
    else:
        takes_text = str in members or shown(value) in literals
        hint = "quote it" if takes_text and isinstance(value, int | float) else ""
    return message + (f"; {hint}" if hint else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _noun(annotation: Any, many: bool = False) -> str:
    """What a reader of YAML would call a value of this type."""
    if get_origin(annotation) is Annotated:
        return f"{_noun(_unbounded(annotation), many)} {_range(annotation)}"
    origin, args = get_origin(annotation) or annotation, tuple(map(_plain, get_args(annotation)))
    one_many = {
        int: ("a whole number", "whole numbers"),
        float: ("a number", "numbers"),
        str: ("a text", "texts"),
        Path: ("a path", "paths"),
        bool: ("true or false", "true or false"),
        types.NoneType: ("null", "null"),
    }
    if origin is Literal:
        return " or ".join(map(shown, args))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_noun(m, many) for m in _members(annotation)))
    if origin in one_many:
        return one_many[origin][many]
    if origin in _DICTS:
        return ("mappings" if many else "a mapping") + (f" of names to {_noun(args[1], True)}" if args else "")
    if origin is tuple or origin in _LISTS:
        noun = "lists" if many else "a list"
        if not args:
            return noun
        fixed = origin is tuple and args[-1] is not Ellipsis
        return f"{noun} of {f'{len(args)} ' if fixed else ''}{_noun(args[0], True)}"
    return "anything"


def _range(annotation: Any) -> str:
    """Bounds in words: ``of at least 1``, ``above 0``, ``from 0 to 1``."""
    bounds = {type(bound): getattr(bound, _BOUNDS[type(bound)][0]) for bound in _bounds(annotation)}
    if set(bounds) == {Ge, Le}:
        return f"from {bounds[Ge]} to {bounds[Le]}"
    return " and ".join(f"{_BOUNDS[kind][1]} {number}" for kind, number in bounds.items())


def describe(annotation: Any) -> str:
    """An annotation as a reader would write it."""
    if annotation is types.NoneType:
        return "null"
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(describe(a) for a in get_args(annotation))
    if get_origin(annotation) is Literal:
        return " or ".join(repr(v) for v in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return f"{describe(_unbounded(annotation))} {_range(annotation)}".rstrip()
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and not args:
        return annotation.__name__
    if args and origin in (tuple, *_LISTS, *_DICTS):
        return f"{origin.__name__}[{', '.join('...' if a is Ellipsis else describe(a) for a in args)}]"
    return str(annotation).replace("typing.", "")


def read(cls: type, node: Node, path: str, problems: list[Problem], ignore: tuple[str, ...] = ()) -> Any:
    """A dataclass filled from a mapping; every problem is collected, and a bad value leaves the default."""
    assert is_dataclass(cls)
    hints, values = _hints(cls), {}
    given = node.value
    if not isinstance(given, dict):
        if given is not None and not node.missing:
            known = listed(key for key in hints if key not in ignore)
            problems.append(Problem(f"{shown(node.plain())} should be a mapping", node.origin, path, f"of {known}"))
        given = {}
    for key, child in given.items():
        where = f"{path}.{key}" if path else key
        if key in ignore or child.missing:
            continue
        if key not in hints:
            problems.append(Problem(f"there is no setting '{key}' here", child.origin, where, choices(key, hints)))
            continue
        if is_dataclass(hints[key]):
            values[key] = read(hints[key], child, where, problems)
            continue
        try:
            values[key] = coerce(hints[key], child.plain())
        except TypeError as error:
            problems.append(Problem(str(error), child.origin, where))
    for item in fields(cls):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            if item.name not in given and (isinstance(node.value, dict) or node.value is None):
                hint = f"write `{item.name}: …`"
                problems.append(Problem(f"'{item.name}' is missing", node.origin, path, hint))
            values[item.name] = None
    return cls(**values)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)
