"""The way back of :mod:`ganzoo.model.adopt`: a part's tensors under the names that a published layout has for them."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from ganzoo.errors import UserError, listed
from ganzoo.registry import Layout

parser: Any = importlib.import_module("re._parser")  # how Python reads a pattern; it has no public name


def revert(part: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """A part's tensors under the names of a layout, which are found by asking it what it would make of each.

    Raises:
        UserError: there is no way back, or it is not clear.
    """
    own = {name: tensor.detach().cpu().clone() for name, tensor in part.state_dict().items()}
    parametrised = sorted({name.partition(".parametrizations.")[0] for name in own if ".parametrizations." in name})
    if parametrised:
        what = f"its weights are reparametrised ({listed(parametrised, 3)}), as with spectral norm"
        raise UserError(f"{layout.name} has no way back: {what}")
    if layout.convert is not None and layout.back is None:
        raise UserError(f"{layout.name} has no way back: what it does to tensors is registered without an inverse")
    try:
        renamed = layout.reverted(own, part)
    except ValueError as error:
        raise UserError(f"it cannot have the layout {layout.name}: {error}") from None
    places = _places(layout, part, list(renamed))
    unclear = {name: found for name, found in places.items() if len(found) > 1}
    missing = [name for name, found in places.items() if not found]
    if missing:
        raise UserError(f"{layout.name} has no name for {len(missing)} tensors ({listed(missing, 3)})")
    if unclear:
        name, found = next(iter(unclear.items()))
        raise UserError(f"{layout.name} has no way back: {name} could stand under {' or '.join(found[:3])}")
    return {places[name][0]: tensor for name, tensor in renamed.items()}


def _places(layout: Layout, part: nn.Module, names: Sequence[str]) -> dict[str, list[str]]:
    """The names in a file that would become each of these; only those of the first pattern that leads there."""
    found: dict[str, tuple[int, list[str]]] = {name: (len(layout.renames), []) for name in names}
    kept_names = ((len(layout.renames), name) for name in names)
    for rule, candidate in itertools.chain(_candidates(layout, part, names), kept_names):
        try:
            to = layout.renamed(candidate, part)
        except (KeyError, IndexError, AttributeError, ValueError):  # a layer that the part does not have
            continue
        if to not in found or rule > found[to][0]:
            continue
        kept = found[to][1] if rule == found[to][0] else []
        found[to] = rule, [*kept, *([candidate] if candidate not in kept else [])]
    return {name: list(candidates) for name, (_, candidates) in found.items()}


def _candidates(layout: Layout, part: nn.Module, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Names that a file may have, those that the layout lists first, each with the number of the pattern it is of."""
    yield from ((-1, name) for name in layout.listed(part))
    tails = {".".join(name.split(".")[i:]) for name in names for i in range(name.count(".") + 1)}
    most = max((int(number) for name in names for number in re.findall(r"\d+", name)), default=0) + 2
    for rule, (pattern, to) in enumerate(layout.renames):
        if to is not None:
            yield from ((rule, name) for name in _strings(parser.parse(pattern.pattern), sorted(tails), most))


def _strings(pattern: Iterable[Any], tails: Sequence[str], most: int) -> Iterator[str]:
    """The strings that a pattern matches, with numbers up to `most`, and the ends of names where it takes anything."""
    pieces = [list(_piece(str(kind), value, tails, most)) for kind, value in pattern]
    yield from map("".join, itertools.product(*pieces))


def _piece(kind: str, value: Any, tails: Sequence[str], most: int) -> Iterable[str]:
    if kind == "LITERAL":
        return [chr(value)]
    if kind == "IN":
        return [text for inner, item in value for text in _member(str(inner), item)]
    if kind == "BRANCH":
        return [text for branch in value[1] for text in _strings(branch, tails, most)]
    if kind == "SUBPATTERN":
        return _strings(value[-1], tails, most)
    if kind == "MAX_REPEAT":
        low, high, inner = value
        (inside, content), *more = inner
        if not more and str(inside) == "ANY":
            return tails
        if not more and str(inside) == "IN" and [str(item) for _, item in content] == ["CATEGORY_DIGIT"]:
            return [str(number) for number in range(most + 1)]
        if not more and str(inside) == "IN" and [str(item) for _, item in content] == ["CATEGORY_WORD"]:
            return [tail for tail in tails if "." not in tail]
        if (low, high) == (0, 1):
            return ["", *_strings(inner, tails, most)]
    return []  # more than names need


def _member(kind: str, item: Any) -> Iterable[str]:
    if kind == "LITERAL":
        return [chr(item)]
    if kind == "RANGE":
        return [chr(code) for code in range(item[0], item[1] + 1)]
    return "0123456789" if str(item) == "CATEGORY_DIGIT" else []
