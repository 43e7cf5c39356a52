"""Published weights for a part: which layout a file has, and its tensors under the part's own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.registry import Layout
from ganzoo.store.weights import AVERAGED, BESIDE

COUNTER = "num_batches_tracked"  # of a batch norm; older files have none
LEAVES = ("weight", "bias", "running_mean", "running_var")
Candidates = Sequence[tuple[str, Mapping[str, Tensor]]]


@dataclass
class Adopted:
    """Tensors by a part's own names, how they were found, and what else is worth a word."""

    tensors: dict[str, Tensor]
    how: str
    used: int
    unused: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def adopt(part: nn.Module, target: str, found: Candidates, layouts: Sequence[Layout], match: str | None) -> Adopted:
    """Tensors of a file as a part has them, all or none.

    Args:
        part: The part.
        target: Its component.
        found: The mappings of tensors in the file, the preferred ones first.
        layouts: Every layout that is registered.
        match: A layout's name, ``shapes`` to go by order and shape, or None to find the layout by the keys.

    Raises:
        UserError: the layout is not known, is another network's, or does not fit the part; or a tensor is not finite.
    """
    if match == "shapes":
        return _finite(by_shapes(part, _only(found)))
    own = [layout for layout in layouts if layout.target == target]
    if match is not None:
        own = [layout for layout in own if layout.name == match]
        if not own:
            known = [layout.name for layout in layouts if layout.target == target]
            raise UserError(f"{target} has no layout '{match}' ({choices(match, ['shapes', *known])})")
    problems: list[UserError] = []
    fitting: dict[str, Adopted] = {}
    for place, tensors in found:
        if match is None and set(_plain(part)) <= set(tensors):
            fitting[place] = _checked(part, dict(tensors), "its own names", {})
        for layout in own if place not in fitting else ():
            if match is None and layout.share(tensors) < 1:
                continue
            try:
                fit = by_layout(part, tensors, layout)
            except UserError as error:
                problems.append(error)
                continue
            if fitting.setdefault(place, fit) is not fit and _differ(fitting[place], fit):
                both = f"{fitting[place].how} and {fit.how}"
                hint = f"say which is meant, such as parts.NAME.match={layout.name}"
                raise UserError(Problem(f"the part could be one of several in it: {both}", hint=hint))
    if not fitting:
        raise problems[0] if problems else UserError(unknown(target, found, layouts))
    place, best = next(iter(fitting.items()))
    if len(fitting) > 1 and all(place.rpartition(".")[2] not in AVERAGED for place in fitting):
        raise UserError(f"several of its networks would fit; write FILE:KEY with one of {listed(fitting)}")
    best.how += f", {place}" if place else ""
    return _finite(best)


def tensors_of(part: nn.Module) -> dict[str, Tensor]:
    """A part's state without what a layer keeps beside tensors, such as a reference batch: no file stands for that."""
    return {name: value for name, value in part.state_dict().items() if isinstance(value, Tensor)}


def _differ(one: Adopted, other: Adopted) -> bool:
    """Whether a part would be another one."""
    return any(not torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


def _only(found: Candidates) -> Mapping[str, Tensor]:
    if len(found) > 1 and found[0][0].rpartition(".")[2] not in AVERAGED:
        raise UserError(f"it holds several networks; write FILE:KEY with one of {listed(p or '?' for p, _ in found)}")
    return found[0][1]


def by_layout(part: nn.Module, tensors: Mapping[str, Tensor], layout: Layout) -> Adopted:
    """Tensors renamed and converted as a layout says.

    Raises:
        UserError: they do not fit the part.
    """
    given: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for name, tensor in tensors.items():
        to = layout.renamed(name, part)
        if to is not None:
            given[to], origin[to] = tensor, name
    try:
        given = layout.converted(given, part)
    except ValueError as error:
        raise UserError(f"it has the layout {layout.name}, but {error}") from None
    except (KeyError, IndexError, AttributeError, RuntimeError):
        raise UserError(f"it has the layout {layout.name}, but of a network with other layers") from None
    found = _checked(part, given, f"layout {layout.name}", origin)
    more = [name for name in found.unused if layout.renamed(name, part) != name]
    if more:
        message = f"it has the layout {layout.name}, but {len(more)} tensors more than the part ({listed(more, 3)})"
        raise UserError(Problem(message, hint="the part's own settings, such as blocks, should be those of the file"))
    found.unused += [name for name in tensors if layout.renamed(name, part) is None and not name.endswith(COUNTER)]
    return found


def _checked(part: nn.Module, given: dict[str, Tensor], how: str, origin: Mapping[str, str]) -> Adopted:
    """All of a part's tensors among those given, each of its shape."""
    own, unused = tensors_of(part), set(given)
    given, taken = normalised(part, given)
    unused -= taken | set(own)
    absent = [name for name in own if name not in given and not name.endswith(COUNTER)]
    wrong = [name for name in own if name in given and own[name].shape != given[name].shape]
    if absent or wrong:
        shapes = [f"{origin.get(n, n)} {_shape(given[n])} for {n} {_shape(own[n])}" for n in wrong]
        what = [f"{len(absent)} tensors are missing ({listed(absent, 3)})"] if absent else []
        what += [f"{len(wrong)} have another shape ({listed(shapes, 3)})"] if wrong else []
        left = f"; {len(unused)} have no place here ({listed(sorted(origin.get(n, n) for n in unused), 3)})"
        hint = "the part's own settings, such as width or blocks, should be those of the file"
        message = f"it has {how}, but does not fit the part: {'; '.join(what)}{left if unused else ''}"
        raise UserError(Problem(message, hint=hint))
    fits = {name: given[name] for name in own if name in given}
    return Adopted(fits, how, len(fits), sorted(origin.get(name, name) for name in unused))


def by_shapes(part: nn.Module, tensors: Mapping[str, Tensor]) -> Adopted:
    """Tensors in the part's order, by order and shape alone.

    Raises:
        UserError: numbers or shapes differ, or it is not clear which is which.
    """
    own = {name: tensor for name, tensor in tensors_of(part).items() if not name.endswith(COUNTER)}
    given = {name: value for name, value in tensors.items() if not (name.endswith(COUNTER) or name.startswith(BESIDE))}
    if len(own) != len(given):
        raise UserError(f"the part has {len(own)} tensors, the file {len(given)}: order and shape cannot match them")
    for (name, mine), (other, theirs) in zip(own.items(), given.items(), strict=True):
        ends = name.rpartition(".")[2], other.rpartition(".")[2]
        if mine.shape != theirs.shape or (ends[0] != ends[1] and set(ends) <= set(LEAVES)):
            message = f"{name} {_shape(mine)} would stand for {other} {_shape(theirs)}"
            hint = "the order differs, so a layout has to say which is which: zoo.weights in a plugin"
            raise UserError(Problem(f"order and shape do not match: {message}", hint=hint))
    lines = [f"{name} <- {other} {_shape(own[name])}" for name, other in zip(own, given, strict=True)]
    return Adopted(dict(zip(own, given.values(), strict=True)), "order and shape", len(own), [], lines)


def normalised(part: nn.Module, given: dict[str, Tensor]) -> tuple[dict[str, Tensor], set[str]]:
    """Spectrally normalised weights as the part has them, and the names that were used up.

    Files have a ``weight`` or ``weight_orig``, with ``weight_u`` and perhaps ``weight_v`` of the power iteration. A
    part has the weight itself, which is then divided by its norm, or the original with a parametrisation whose method
    ``adopt(weight, u, v)`` gives its buffers.
    """
    made, taken = dict(given), set()
    for prefix, layer in part.named_modules():
        start = f"{prefix}." if prefix else ""
        names = [f"{start}weight{end}" for end in ("", "_orig", "_u", "_v")]
        weight = given.get(names[1], given.get(names[0]))
        if weight is None or weight.dim() < 2:
            continue
        u, v = (given[name].flatten() if name in given else None for name in names[2:])
        parametrised = getattr(getattr(layer, "parametrizations", None), "weight", None)
        if parametrised is not None:
            made[f"{start}parametrizations.weight.original"] = weight
            if hasattr(parametrised[0], "adopt"):
                for name, buffer in parametrised[0].adopt(weight, u, v).items():
                    made[f"{start}parametrizations.weight.0.{name}"] = buffer
            taken |= set(names)
        elif u is not None:
            dim = int(isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d))
            made[names[0]] = weight / norm(weight.transpose(0, dim).flatten(1), u, v)
            taken |= set(names)
    return made, taken


def norm(matrix: Tensor, u: Tensor, v: Tensor | None = None) -> Tensor:
    """The spectral norm as power iteration has it: u^T W v, with one round more where v is not stored."""
    if v is None:
        v = normalize(matrix.T @ u, dim=0)
        u = normalize(matrix @ v, dim=0)
    return torch.dot(u, matrix @ v)


def _plain(part: nn.Module) -> list[str]:
    """The names of a part's tensors, reparametrised weights and counters left out."""
    return [n for n in tensors_of(part) if not n.endswith(COUNTER)]


def _finite(found: Adopted) -> Adopted:
    bad = [name for name, tensor in found.tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise UserError(f"{len(bad)} of its tensors hold NaN or infinity: {listed(bad, 3)}")
    return found


def unknown(target: str, found: Candidates, layouts: Sequence[Layout]) -> Problem:
    """What a file looks like, which layouts come nearest, and what else can be done."""
    place, tensors = found[0]
    for layout in layouts:
        if layout.target != target and any(layout.share(given) == 1 for _, given in found):
            return Problem(f"it has the layout {layout.name}, which is for {layout.target}, not for {target}")
    looks = [f"{name} {_shape(tensor)}" for name, tensor in tensors.items()]
    near = sorted((o for o in layouts if o.target == target), key=lambda o: -o.share(tensors))
    names = [f"{o.name} ({o.share(tensors):.0%} of its keys)" for o in near[:3]]
    message = f"it has a layout that is not known for {target}: {len(looks)} tensors"
    message += f" under {place}" if place else ""
    message += f", such as {', '.join(looks[:3])}"
    message += f"; nearest {', '.join(names)}" if names else "; no layout is registered for it"
    return Problem(message, hint="`match: shapes` goes by order and shape; a plugin registers layouts by zoo.weights")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
