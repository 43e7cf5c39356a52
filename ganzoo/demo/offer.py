"""What can be asked of a run, read from its flow, its parts and its fields: which values, with which controls."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch

from ganzoo.config.expression import Call, Name
from ganzoo.config.static import Graph
from ganzoo.contract import first
from ganzoo.errors import EvaluationError, UserError
from ganzoo.model import factory
from ganzoo.model.explain import NETWORKS, in_order
from ganzoo.parallel import draw
from ganzoo.run.opened import Run

SLIDERS = 12  # vectors of more numbers are noise, which a seed stands for
TRUNCATION = 3.0  # beyond this an optional bound is none
PROBES = 512  # draws of a code from which its bounds are read


@dataclass(frozen=True)
class Control:
    """One thing that can be set before a picture is made.

    Args:
        name: The data field, named value, or argument of a part that it sets.
        kind: ``label`` and ``choice`` pick one of `choices`; ``text`` is a caption; ``image`` is uploaded or drawn;
            ``code`` is `size` numbers between `low` and `high`; ``number`` is one.
        choices: Names of classes, or numbers of categories.
        low: The least number.
        high: The greatest number; of an optional bound it means that there is none.
        start: Where a number starts.
        size: How many numbers a code has.
        shape: Channels, height and width of an image.
        keeps_size: Whether an image is taken as large as it is, for the network makes any size larger.
        mask: The named value that is painted onto the image: which pixels are missing.
        others: Further values that an image may be given as.
    """

    name: str
    kind: Literal["label", "choice", "text", "image", "code", "number"]
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    start: float = 0.0
    size: int = 1
    shape: tuple[int, ...] = ()
    keeps_size: bool = False
    mask: str | None = None
    others: tuple[str, ...] = ()


class Offer:
    """What a run offers, read from it; nothing here knows a model.

    Args:
        run: The run, opened.
    """

    def __init__(self, run: Run):
        self.run = run
        self.graph = Graph(run.spec)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every named value and data field, without its rows, where it is a tensor."""
        found = {name: field.shape for name, field in self.run.fields.items()}
        found |= {name: shape for name in self.run.spec.flow if (shape := self.run.shape(name)) is not None}
        return found

    @cached_property
    def values(self) -> list[str]:
        """The named values that make a picture, what the model samples first."""
        sample, flow = self.run.spec.sample, self.run.spec.flow
        pictures = [name for name in flow if self.is_image(name) and name != sample]
        return [sample, *pictures] if sample in flow else pictures

    def is_image(self, name: str) -> bool:
        shape = self.shapes.get(name, ())
        return len(shape) == 3 and shape[0] <= 4 and min(shape[1:]) > 1

    def needs(self, value: str, without: Collection[str] = ()) -> set[str]:
        """All that a value is computed from, itself included, where what is `without` need not be computed."""
        found: set[str] = set()
        stack = [value]
        while stack:
            name = stack.pop()
            if name not in found and name not in without:
                found.add(name)
                stack.extend(self.graph.direct.get(name, ()))
        return found

    def networks(self, value: str) -> list[str]:
        """The networks that a value goes through."""
        parts = self.run.spec.parts
        return [n for n in parts if n in self.needs(value) and parts[n].kind in (*NETWORKS, "extractor")]

    def stages(self, value: str) -> list[str]:
        """The images that networks make on the way to a value, in order, itself last."""
        if not self.is_image(value):
            return [value]
        ordered = in_order([value], self.graph)
        made = [name for name in ordered if name in self.run.spec.flow and self.is_image(name) and self.networks(name)]
        return [*(name for name in made if name != value), value]

    def controls(self, value: str) -> list[Control]:
        """What can be set for a value."""
        needed = self.needs(value)
        images = [self.image(value, name) for name in self.run.fields if name in needed and self.is_image(name)]
        found = [control for control in images if control is not None]
        for name, field in self.run.fields.items():
            if name in needed and field.kind == "label" and field.classes:
                found.append(Control(name, "label", field.classes))
            elif name in needed and field.kind == "text" and field.encoder is not None:
                found.append(Control(name, "text"))
        return [*found, *self.codes(value), *self.numbers(value)]

    def image(self, value: str, field: str) -> Control | None:
        """An image field that a value needs, and as what an image is best given.

        That is the last value which all of it passes through before a network, if this is another image than the one
        that the data has: smaller, or cut out.
        """
        ways = [field, *(name for name in self.run.spec.flow if self._is_way(value, field, name))]
        ways.sort(key=lambda name: len(self.needs(name)))
        ways = [ways[0], *(name for name in ways[1:] if not self._same(field, name))]
        chosen = ways[-1] if self.shapes[ways[-1]] != self.shapes[field] else field
        shape, size = self.shapes[chosen], self.shapes.get(value, ())[1:]
        larger = len(size) == 2 and size[0] > shape[1]
        mask = next((n for n in self.needs(value) if n in self.run.spec.flow and self._is_mask(n, chosen)), None)
        others = tuple(name for name in ways if name != chosen)
        return Control(chosen, "image", shape=shape, keeps_size=larger, mask=mask, others=others)

    def _is_way(self, value: str, field: str, name: str) -> bool:
        """Whether an image of the flow, made of the field without a network, is all that a value sees of the field."""
        needed = self.needs(name)
        return (
            name in self.needs(value) - {value}
            and self.is_image(name)
            and field in needed
            and not self.networks(name)
            and field not in self.needs(value, without=[name])
        )

    def _same(self, field: str, name: str) -> bool:
        """Whether a value is what it is made of, once training is over, as an augmentation is."""
        if self.shapes[name] != self.shapes[field]:
            return False
        images = self.run.fields[field].batch(2, generator=torch.Generator().manual_seed(0))
        made = self._try(name, {field: images})
        return made is not None and torch.equal(made, images)

    def _is_mask(self, name: str, image: str) -> bool:
        """Whether a value is drawn anew for every image, and looks at nothing of it but its size."""
        if not self.is_image(name) or self.shapes[name][0] != 1 or image not in self.needs(name) or name == image:
            return False
        if self.networks(name):
            return False
        shape = (2, *self.shapes[image])
        one, two = (self._try(name, {image: torch.full(shape, level)}) for level in (0.1, 0.3))
        return one is not None and two is not None and torch.equal(one, two)

    def _try(self, name: str, given: dict[str, torch.Tensor]) -> torch.Tensor | None:
        try:
            found = first(self.run.compute(name, n=None, seed=0, **given))
        except (UserError, EvaluationError):
            return None
        return found if isinstance(found, torch.Tensor) else None

    def before(self, value: str, image: Control) -> str:
        """What a value is held against: the last image of its size that is made of what is given without a network."""
        found = image.name
        for name in self.run.spec.flow:
            alike = self.is_image(name) and self.shapes[name][1:] == self.shapes[value][1:]
            made = name not in (image.mask, value) and not self.networks(name) and image.name in self.needs(name)
            if alike and made and not (image.name in self.run.fields and self._same(image.name, name)):
                found = name
        return found

    def codes(self, value: str) -> list[Control]:
        """The named draws that can be told apart: categories, and vectors of a few numbers."""
        parts, found = self.run.spec.parts, []
        for name in self.run.spec.flow:
            expr = self.run.spec.flow[name].expr
            called = expr.func.id if isinstance(expr, Call) and isinstance(expr.func, Name) else ""
            if name not in self.needs(value) or called not in parts or parts[called].kind != "prior":
                continue
            shape = self.shapes.get(name)
            if shape is None or len(shape) > 1:
                continue
            rows = self._try_many(name)
            if rows is None:
                continue
            if _is_category(rows):
                count = rows.shape[1] if rows.ndim == 2 else int(rows.max()) + 1
                found.append(Control(name, "choice", tuple(map(str, range(count))), size=count))
            elif rows.ndim == 2 and rows.shape[1] <= SLIDERS:
                low, high = (round(float(bound), 1) for bound in (rows.min(), rows.max()))
                found.append(Control(name, "code", low=low, high=high, size=rows.shape[1]))
        return found

    def _try_many(self, name: str) -> torch.Tensor | None:
        try:
            found = first(self.run.compute(name, n=PROBES, seed=0))
        except (UserError, EvaluationError):
            return None
        return found if isinstance(found, torch.Tensor) else None

    def numbers(self, value: str) -> list[Control]:
        """Arguments that samples can be made with: bounds of priors that may be absent, and what networks name."""
        found = []
        for name, part in self.run.spec.parts.items():
            if name not in self.needs(value):
                continue
            maker = part.entry.load()
            known = factory.arguments(maker)
            now = self.run.blueprint.args.get(part.path, {})
            if part.kind == "prior":
                bounds = [key for key, argument in known.items() if _is_bound(argument.annotation)]
                found += [
                    Control(key, "number", low=0.1, high=TRUNCATION, start=now.get(key) or TRUNCATION) for key in bounds
                ]
            for key in getattr(maker, "at_sampling", ()):
                start = now.get(key)
                if isinstance(start, int | float) and not isinstance(start, bool):
                    found.append(Control(key, "number", low=0.0, high=1.0, start=float(start)))
        return list({control.name: control for control in found}.values())

    def draws(self, value: str) -> bool:
        """Whether a value is made of noise alone, so that one can walk from a seed to another."""
        needed = self.needs(value)
        drawn = any(part.kind == "prior" and name in needed for name, part in self.run.spec.parts.items())
        return drawn and self.is_image(value) and not any(self.is_image(n) for n in self.run.fields if n in needed)


def _is_category(rows: torch.Tensor) -> bool:
    """Whether rows are numbers of categories, or one-hot."""
    if rows.ndim == 1:
        return not rows.is_floating_point()
    return rows.shape[1] > 1 and bool(((rows == 0) | (rows == 1)).all()) and bool((rows.sum(1) == 1).all())


def _is_bound(annotation: Any) -> bool:
    """Whether an argument is a number that may be absent."""
    several = typing.get_args(annotation)
    kinds = {typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind for kind in several}
    return kinds == {float, types.NoneType}


class Walk(draw.Draws):
    """Draws on the way from one seed to another and back: what is normal or uniform at both ends is so in between.

    x_t = cos(t) a + sin(t) b for normal numbers a and b, t in [0, pi/2]; uniform ones go by way of normal ones.
    Paper: arXiv:1609.04468 (which goes along the sphere for the same reason).

    Args:
        ends: What draws at either end.
        turns: How far each row is on the way, ``n`` numbers in [0, 1].
        device: Where to draw.
    """

    __slots__ = ("ends", "turns")

    def __init__(self, ends: tuple[draw.Draws, draw.Draws], turns: torch.Tensor, device: torch.device):
        super().__init__(ends[0].key, device)
        self.ends, self.turns = ends, turns

    def sliced(self, make: Any, n: int, shape: tuple[int, ...]) -> torch.Tensor:
        rows = []
        for end in self.ends:
            end.part = self.part
            drawn = end.sliced(make, 1, shape)
            rows.append(torch.special.ndtri(drawn.clamp(1e-6, 1 - 1e-6)) if make is torch.rand else drawn)
        if make not in (torch.rand, torch.randn):  # nothing lies between two whole numbers
            return torch.cat(rows)[(self.turns > 0.5).long().to(self.device)]
        found = draw.on_sphere(rows[0], rows[1], self.turns.to(self.device).reshape(n, *(1 for _ in shape)))
        return torch.special.ndtr(found) if make is torch.rand else found
