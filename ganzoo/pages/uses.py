"""Where models that come with plugins use a component: which models, in which YAML, called by which equation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from ganzoo.config import compose
from ganzoo.config.expression import called
from ganzoo.config.spec import Component, Part, Spec
from ganzoo.registry import Registry
from ganzoo.reproduction.zoo import spec


@dataclass
class Use:
    """The models that use a component, and the shortest of these as an example: its YAML and an equation."""

    models: list[str] = field(default_factory=list)
    model: str = ""
    yaml: str = ""
    equation: str = ""


def specs(registry: Registry) -> dict[str, Spec]:
    """Every model by name."""
    return {name: spec(name, registry) for name in compose.models(registry)}


def uses(found: Iterable[Spec]) -> dict[str, Use]:
    """The uses of every component, by ``kind.name``."""
    held: dict[str, Use] = defaultdict(Use)
    for model in sorted(found, key=lambda model: (len(list(model.equations())), model.name)):
        for component in model.components():
            use = held[component.entry.id]
            if model.name not in use.models:
                use.models.append(model.name)
            if not use.model or (component.args and ": {use:" not in use.yaml and model.name == use.model):
                use.model, use.yaml, use.equation = model.name, written(component), _equation(component, model)
    for use in held.values():
        use.models.sort()
    return dict(held)


def written(component: Component) -> str:
    """The lines of a model file that a component stands in; empty for an op that needs no entry."""
    if isinstance(component, Part) and component.implicit:
        return ""
    path = component.path.removeprefix("phases.").split(".")
    if component.path.startswith("phases."):
        path = path[1:] if path[1:2] == ["players"] else ["phases", *path]
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    lines[-1] += f" {node(component.entry.id, component.args)}"
    return "\n".join(lines)


def node(use: str, args: dict[str, Any]) -> str:
    """A component as a model file has it, on one line."""
    if not args:
        return use
    text = yaml.safe_dump({"use": use, **args}, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _equation(component: Component, model: Spec) -> str:
    """The first equation that calls a part, as ``name: expression``."""
    if not isinstance(component, Part) or component.path != f"parts.{component.name}":
        return ""
    for value in model.equations():
        if component.name in called(value.expr):
            return f"{value.name}: {value.text}"
    return ""
