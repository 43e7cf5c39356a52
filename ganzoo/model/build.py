"""From a spec to a blueprint: factories and data checked, facts filled, every part built once."""

from __future__ import annotations

import torch

from ganzoo.config import static
from ganzoo.config.spec import Part, Spec
from ganzoo.data.fields import Field
from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.model import factory
from ganzoo.model.blueprint import Blueprint, load_factories, make_data, make_reference, reading
from ganzoo.model.facts import Facts
from ganzoo.model.light import without_compiler


def draw_up(
    spec: Spec, fields: dict[str, Field] | None = None, device: str = "meta", measuring: bool = False
) -> Blueprint:
    """A blueprint: factories and data checked, every fact filled, every part built once on `device`.

    With `fields` the data itself is not needed: a checkpoint brings them. Only metrics, if `measuring`, read it.

    Raises:
        UserError: with every problem found.
    """
    with without_compiler():
        return _drawn_up(spec, fields, device, measuring)


def _drawn_up(spec: Spec, fields: dict[str, Field] | None, device: str, measuring: bool) -> Blueprint:
    factories = load_factories(spec)
    data = reference = None
    if fields is None or measuring:
        data = make_data(spec.data, factories)
        reference = make_reference(spec, factories, data)
    if fields is None:
        with reading(spec.data):
            fields = dict(data.fields) if data is not None else {}
        _as_registered(spec, fields)
    spec.offers |= getattr(data, "offers", {})
    rows(spec, fields)
    if spec.fields is None:
        spec.found_fields = list(fields)
        problems = static.check(spec)
        if problems:
            raise UserError(problems)
    blueprint = Blueprint(spec, data, fields, torch.device(device), factories, reference=reference)
    puts = {put.path for part in spec.parts.values() for put in part.puts.values()}
    for component in spec.components():
        if component.path in factories and not isinstance(component, Part) and component.path not in puts:
            blueprint.args[component.path] = factory.complete(component, factories[component.path], {})
    Facts(blueprint).fill()
    return blueprint


def _as_registered(spec: Spec, fields: dict[str, Field]) -> None:
    """A data component has the fields with which it was registered."""
    stated = spec.fields or []
    if spec.data is not None and not set(stated) <= set(fields):
        has = listed(fields) or "none"
        message = f"{spec.data.entry.id} is registered with the fields {listed(stated)}, but has {has}"
        hint = "let its registration and its `fields` say the same"
        raise UserError(Problem(message, spec.data.origin, "data", hint))


def rows(spec: Spec, fields: dict[str, Field]) -> None:
    """A picture's rows are those of a label."""
    name = spec.show.rows
    labels = [key for key, found in fields.items() if found.kind == "label"]
    if name is not None and name not in labels:
        hint = choices(name, labels) or spec.offers.get(name) or "the data has no labels"
        raise UserError(Problem(f"there is no label '{name}'", spec.origins.get("show.rows"), "show.rows", hint))
