"""Annotations as JSON Schema, with the meaning that :mod:`ganzoo.config.typecheck` gives them."""

from __future__ import annotations

import math
import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from ganzoo.config.typecheck import _DICTS, _LISTS, _bounds, _is_known, _members, _noun, _plain, _unbounded

Schema = dict[str, Any]

REFERENCE = r"^\?\?\?$|\$\{"  # a value still to be given, or taken from elsewhere, may stand in any place
_SIMPLE = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "string", types.NoneType: "null"}
_LIMITS = {Ge: ("ge", "minimum"), Gt: ("gt", "exclusiveMinimum"), Le: ("le", "maximum"), Lt: ("lt", "exclusiveMaximum")}
_DEEPEST = 8


def of(annotation: Any) -> Schema:
    """What a value of this annotation may be in a model file; empty where that is not checked."""
    members = _members(_plain(annotation))
    if any(not _is_known(m) or m is Any for m in members):
        return {}
    found = [_one(m) for m in members]
    said = {"errorMessage": f"should be {' or '.join(dict.fromkeys(map(_noun, members)))}"}
    if found == [{"type": "string"}]:
        return {"type": "string", **said}
    keys = [key for schema in found for key in schema if key != "type"]
    if all(isinstance(schema.get("type"), str) for schema in found) and len(set(keys)) == len(keys):
        kinds = [schema["type"] for schema in found]
        free = {} if "string" in kinds else {"pattern": REFERENCE}
        merged = {key: value for schema in found for key, value in schema.items()}
        return {**merged, "type": list(dict.fromkeys([*kinds, "string"])), **free, **said}
    return {"anyOf": [*found, {"type": "string", "pattern": REFERENCE}], **said}


def _one(annotation: Any) -> Schema:
    """One alternative of an annotation, without what may stand in any place."""
    limits = {_LIMITS[type(b)][1]: getattr(b, _LIMITS[type(b)][0]) for b in _bounds(annotation)}
    bare = _unbounded(annotation)
    origin, args = get_origin(bare) or bare, tuple(map(_plain, get_args(bare)))
    if origin is Literal:
        return {"enum": list(args)}
    if origin in _SIMPLE:
        return {"type": _SIMPLE[origin], **limits}
    if origin in _DICTS:
        return {"type": "object", **({"additionalProperties": of(args[1])} if args else {})}
    if origin is tuple and args and args[-1] is not Ellipsis:
        size = len(args)
        items = of(args[0]) if len(set(map(str, args))) == 1 else [of(a) for a in args]
        return {"type": "array", "items": items, "minItems": size, "maxItems": size}
    assert origin is tuple or origin in _LISTS
    return {"type": "array", **({"items": of(args[0])} if args else {})}


def plain(value: Any) -> Any:
    """A default as JSON has it; :class:`ValueError` where it cannot be written."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"{value!r} cannot be written")


def _expression() -> str:
    """A pattern of expressions: an optional leading number, names, calls and lists, brackets that match."""
    number = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
    piece = r"""(?:[\w\s.,='"$:{}\[\]]|[+-](?=[\d.]))*"""
    body = piece
    for _ in range(_DEEPEST):
        body = rf"{piece}(?:\({body}\){piece})*"
    return rf"^\?\?\?$|^(?!.*[\w)]\s*\[)(?=.*\S)\s*(?:(?:{number}|\$\{{[^{{}}]*\}})\s*\*\s*)?{body}$"


_HINT = (
    "should be an expression such as `10 * l1(G(z), real)`: names, calls, fields, constants and one leading "
    "`number *`; each summand is an entry of its own; brackets match"
)
EXPRESSION: Schema = {
    "type": ["string", "null"],
    "pattern": _expression(),
    "description": "An expression: names, calls, fields of outputs, constants, lists, and one leading `number *`. "
    "Such as `10 * l1(G(z), real)`, `D(fake).features`, `gp(D(_, label), real, fake)`. Anything else is an op.",
    "errorMessage": _HINT,
}
