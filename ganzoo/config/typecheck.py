"""Check one value against an annotation, with OmegaConf's structured configs doing the work."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass, make_dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ganzoo.config.tree import Node
from ganzoo.errors import Problem, choices, did_you_mean


def coerce(annotation: Any, value: Any) -> Any:
    """`value` as the annotated type; an integral float passes as an int, a list as a tuple.

    Raises:
        TypeError: it is not of that type; the message says what was expected.
    """
    options = _options(annotation)
    if isinstance(value, bool) and bool not in options and Any not in options and not _literals(annotation):
        raise TypeError(_expected(annotation, value))
    if isinstance(value, float) and value.is_integer() and int in options and float not in options:
        value = int(value)
    if isinstance(value, str) and options <= {int, float, bool, types.NoneType}:
        raise TypeError(_expected(annotation, value))
    if isinstance(value, int | float) and not isinstance(value, bool) and options <= {str, types.NoneType}:
        raise TypeError(_expected(annotation, value) + "; quote it")
    schema = _schema(annotation) if _hashable(annotation) else None
    if schema is None:
        return value
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), {"value": value})
        return OmegaConf.to_container(merged, throw_on_missing=False)["value"]  # type: ignore[call-overload,index]
    except (OmegaConfBaseException, ValueError, TypeError):
        raise TypeError(_expected(annotation, value)) from None


@lru_cache(maxsize=None)
def _schema(annotation: Any) -> Any:
    """A structured config with one field of this type, or None where OmegaConf cannot hold the type."""
    from omegaconf import MISSING as MANDATORY
    from omegaconf import OmegaConf

    try:
        schema = make_dataclass("Value", [("value", annotation, MANDATORY)])
        OmegaConf.structured(schema)
    except Exception:  # any annotation a plugin may have written
        return None
    return schema


def _hashable(annotation: Any) -> bool:
    try:
        hash(annotation)
    except TypeError:
        return False
    return True


def _options(annotation: Any) -> set[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return set().union(*(_options(a) for a in get_args(annotation)))
    return {get_origin(annotation) or annotation}


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return sum((_literals(a) for a in get_args(annotation)), ())
    return ()


def _expected(annotation: Any, value: Any) -> str:
    literals = _literals(annotation)
    if literals:
        options = " or ".join(repr(v) for v in literals)
        hint = did_you_mean(value, [v for v in literals if isinstance(v, str)]) if isinstance(value, str) else ""
        return f"{value!r} should be {options}" + (f"; {hint}" if hint else "")
    return f"{value!r} should be {describe(annotation)}"


def describe(annotation: Any) -> str:
    """An annotation as a reader would write it."""
    if annotation is types.NoneType:
        return "null"
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(describe(a) for a in get_args(annotation))
    if get_origin(annotation) is Literal:
        return " or ".join(repr(v) for v in get_args(annotation))
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def read(cls: type, node: Node, path: str, problems: list[Problem], ignore: tuple[str, ...] = ()) -> Any:
    """A dataclass filled from a mapping; every problem is collected, and a bad value leaves the default."""
    assert is_dataclass(cls)
    hints, values = get_type_hints(cls), {}
    if not isinstance(node.value, dict):
        problems.append(Problem(f"{node.plain()!r} should be a mapping", node.origin, path))
        node = Node({}, node.origin)
    for key, child in node.value.items():
        where = f"{path}.{key}" if path else key
        if key in ignore:
            continue
        if key not in hints:
            problems.append(Problem(f"there is no setting '{key}' here", child.origin, where, choices(key, hints)))
            continue
        if is_dataclass(hints[key]):
            values[key] = read(hints[key], child, where, problems)  # type: ignore[arg-type]
            continue
        try:
            values[key] = coerce(hints[key], child.plain())
        except TypeError as error:
            problems.append(Problem(str(error), child.origin, where))
    for item in fields(cls):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            if item.name not in node.value:
                problems.append(Problem(f"'{item.name}' is missing", node.origin, path))
            values[item.name] = None
    return cls(**values)
