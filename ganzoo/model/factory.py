"""A component's arguments against the signature of its factory, and the facts it asks for by parameter name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, get_type_hints

from ganzoo.config.spec import Component
from ganzoo.config.typecheck import coerce, describe
from ganzoo.errors import Problem, UserError, choices, listed

EMPTY = inspect.Parameter.empty

# Facts read from the part's first call: the parameter of `forward` they are read from.
INPUT_FACTS = {
    "z_dim": "z",
    "text_dim": "text",
    "features_dim": "features",
    "in_channels": "x",
    "in_size": "x",
    "in_shape": "x",
    "cond_channels": "cond",
    "num_classes": "label",
}
# Facts of the data field that the part is `like:`; what a network takes has the range of what it resembles.
OUTPUT_FACTS = ("out_channels", "out_size", "out_shape", "out_range", "out_blocks", "in_range")
# Of the data's field of texts: the component that made its embeddings of captions.
TEXT_FACTS = ("text_encoder",)
# What only the engine can give.
ENGINE_FACTS = ("params", "optimizer", "steps", "data", "reference")
FACTS = (*INPUT_FACTS, *OUTPUT_FACTS, *TEXT_FACTS, *ENGINE_FACTS)


class Argument(NamedTuple):
    """One parameter of a factory."""

    name: str
    annotation: Any
    default: Any

    @property
    def is_fact(self) -> bool:
        return self.name in FACTS

    def __str__(self) -> str:
        text = self.name if self.annotation is EMPTY else f"{self.name}: {describe(self.annotation)}"
        return text if self.default is EMPTY else f"{text} = {self.default!r}"


def arguments(factory: Callable[..., Any]) -> Mapping[str, Argument]:
    """The parameters of a factory by name. A ``**kwargs`` of the factory is not a parameter that a YAML can set."""
    try:
        return _arguments(factory)
    except TypeError:  # a factory that has no hash, such as an object that can be called
        return _arguments.__wrapped__(factory)


@cache
def _arguments(factory: Callable[..., Any]) -> Mapping[str, Argument]:
    signature = inspect.signature(factory)
    source = factory.__init__ if isinstance(factory, type) else factory  # type: ignore[misc]
    try:
        hints = get_type_hints(source, include_extras=True)
    except Exception:  # annotations that do not resolve are not checked
        hints = {}
    found = {
        name: Argument(name, hints.get(name, EMPTY), parameter.default)
        for name, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    return MappingProxyType(found)


def check(component: Component, problems: list[Problem]) -> Callable[..., Any] | None:
    """Import the factory and check the YAML's arguments against it; they are converted in place.

    Every problem is collected; None is returned where the factory cannot be imported.
    """
    try:
        factory = component.entry.load()
    except UserError as error:
        problems.append(Problem(str(error), component.origin, component.path))
        return None
    known = arguments(factory)
    for key, value in component.args.items():
        path = f"{component.path}.{key}"
        if key not in known:
            hint = choices(key, known, "its arguments are") or f"its arguments are {listed(known)}"
            message = f"{component.entry.id} has no argument '{key}'"
            problems.append(Problem(message, component.at(key), path, hint))
            continue
        if known[key].annotation is not EMPTY:
            try:
                component.args[key] = coerce(known[key].annotation, value)
            except TypeError as error:
                problems.append(Problem(str(error), component.at(key), path))
    for argument in known.values():
        if argument.default is EMPTY and not argument.is_fact and argument.name not in component.args:
            message = f"{component.entry.id} needs '{argument}'"
            hint = f"write `{argument.name}: …`"
            if not isinstance(factory, type):
                hint += "; what expressions give is for the __call__ of a class, which is what a plugin registers"
            problems.append(Problem(message, component.origin, component.path, hint))
    return factory


def complete(component: Component, factory: Callable[..., Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Every argument the factory is called with, in its order: the YAML's, then facts, then defaults."""
    full = {}
    for name, argument in arguments(factory).items():
        if name in component.args:
            full[name] = component.args[name]
        elif name in facts:
            full[name] = facts[name]
        elif argument.default is not EMPTY:
            full[name] = _typed(argument)
    return full


def _typed(argument: Argument) -> Any:
    """A default as its annotation has it (0 as 0.0), as it would be if a YAML gave it."""
    try:
        return argument.default if argument.annotation is EMPTY else coerce(argument.annotation, argument.default)
    except TypeError:
        return argument.default


def make(component: Component, factory: Callable[..., Any], args: dict[str, Any]) -> Any:
    """Call the factory; what it refuses becomes a problem at the component's line.

    Raises:
        UserError: the factory raised ValueError, TypeError or RuntimeError.
    """
    try:
        return factory(**args)
    except UserError:
        raise
    except (ValueError, TypeError, RuntimeError) as error:
        key = _guilty(component, str(error))
        path = f"{component.path}.{key}" if key else component.path
        raise UserError(Problem(f"{component.entry.id}: {error}", component.at(key), path)) from error


def _guilty(component: Component, message: str) -> str:
    """The argument that a message speaks of, by its name or else by its value; empty if that is not clear."""

    def mentioned(text: str) -> bool:
        return re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w.])", message) is not None

    def values(value: Any) -> list[str]:
        items = value if isinstance(value, list | tuple) else [value]
        return [str(item) for item in items if not isinstance(item, bool) and item is not None]

    named = [key for key in component.args if mentioned(key)]
    valued = [key for key, value in component.args.items() if any(map(mentioned, values(value)))]
    return named[0] if named else valued[0] if len(valued) == 1 else ""
