"""Compute any named value from given inputs: sampling, translating, encoding are all this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.config.expression import HOLE, Attr, Call, Name
from ganzoo.config.spec import Value
from ganzoo.config.static import Graph
from ganzoo.contract import map_tensors
from ganzoo.data.fields import Field
from ganzoo.errors import UserError, choices
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.modes import set_mode
from ganzoo.model.program import Program
from ganzoo.model.turn import Turn
from ganzoo.parallel import distributed, draw

CHUNK = 64
T = TypeVar("T")
PASSES = 16  # of which standing statistics are the mean


class Given(Mapping[str, Any]):
    """Inputs by field name. A label or condition that is not given is drawn; any other field is asked for by name."""

    def __init__(
        self, fields: Mapping[str, Field], given: Mapping[str, Any], n: int, key: tuple[Any, ...], device: Any
    ):
        self._fields, self._given = fields, dict(given)
        self._n, self._key, self._device = n, key, device

    def __getitem__(self, name: str) -> Any:
        if name not in self._given:
            if name not in self._fields:
                raise UserError(f"there is no data field '{name}' ({choices(name, self._fields)})")
            field = self._fields[name]
            if not field.drawn:
                raise UserError(f"this needs {name}, {_a(field.kind)}: give {name}=…")
            generator = torch.Generator().manual_seed(draw.seed_of(*self._key, name))
            self._given[name] = field.draw(max(self._n, CHUNK), generator)[: self._n].to(self._device)
        return self._given[name]

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


class Inference:
    """Parts in evaluation mode, and the flow over them.

    Args:
        blueprint: The model.
        parts: Its parts for real.
        averages: Averaged copies that stand in for the parts of their name.
        step: What ``step`` means in an expression.
        averaged: The names of those among `parts` that are averaged copies already.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        parts: Mapping[str, Any],
        averages: Mapping[str, nn.Module],
        step: int,
        averaged: Iterable[str] = (),
    ):
        self.blueprint, self.step = blueprint, step
        self.parts = {**parts, **averages}
        self.averaged = {*averages, *averaged}
        self.program = Program(blueprint.spec.flow, self.parts.__getitem__, blueprint.kind)
        devices = [p.device for part in self.parts.values() if isinstance(part, nn.Module) for p in part.parameters()]
        self.device = devices[0] if devices else torch.device("cpu")

    @contextmanager
    def evaluating(self, seed: int = 0) -> Iterator[None]:
        """Evaluation mode inside the block, on this process alone; all is as before after it. `seed` is dropout's."""
        modules = [m for part in self.parts.values() if isinstance(part, nn.Module) for m in part.modules()]
        before = [(m, m.training, getattr(m, "track_running_stats", None)) for m in modules]
        devices = [self.device] if self.device.type == "cuda" else []
        for name, part in self.parts.items():
            if isinstance(part, nn.Module):
                set_mode(part, self.blueprint.spec.parts[name], training=False)
        try:
            with distributed.alone(), torch.random.fork_rng(devices=devices), torch.no_grad():
                torch.manual_seed(seed)
                yield
        finally:
            for module, training, tracks in before:
                module.training = training
                if tracks is not None:
                    module.track_running_stats = tracks

    def compute(
        self,
        values: Sequence[Value],
        n: int,
        key: tuple[Any, ...],
        given: Mapping[str, Any] | None = None,
        rows: range | None = None,
        draws: Callable[[int], draw.Draws] | None = None,
    ) -> list[Any]:
        """Each value for `n` samples, on the CPU.

        Args:
            values: Equations to compute; a named value and the same value inside another agree.
            n: How many samples.
            key: What seeds the noise: the same key, the same noise.
            given: Tensors by name, ``n …`` each: data fields, or named values to use instead of computing them, or what
                stands where the equations have a hole.
            rows: Which of the samples to compute, from a multiple of :meth:`together` on; all, if not given.
            draws: What draws for the samples from one on, in place of draws that each sample has for itself.

        Raises:
            UserError: a field is needed that is not given.
            EvaluationError: a part failed.
        """
        given = given or {}
        chunk = self.together(values, given)
        full = self.batch_of(values) is not None  # the last chunk is filled up, for its statistics are of as many
        make = self.program.filled if HOLE in given else self.program.value
        getters = [make(value) for value in values]
        found: list[Any] = [None] * len(values)
        rows = range(n) if rows is None else rows
        seed = key[0] if isinstance(key[0], int) else 0
        with self.evaluating(seed), self.standing(values, given):
            for start in range(rows.start, rows.stop, chunk):
                index = start // chunk
                if index:  # dropout, too, depends on where a row stands and not on who computes it
                    torch.manual_seed(draw.seed_of(seed, index))
                wanted = min(chunk, rows.stop - start)
                size = chunk if full and start else wanted
                some = {k: v[torch.arange(start, start + size) % n].to(self.device) for k, v in given.items()}
                hole = some.pop(HOLE, None)
                drawing = draws(start) if draws else draw.Draws((*key, index), self.device, least=chunk)
                turn = self.turn(some, hole, size, (*key, index), drawing)
                with draw.using(drawing):
                    for place, get in enumerate(getters):
                        piece = cut(get(turn), size, wanted)
                        found[place] = stored(found[place], piece, start - rows.start, wanted, len(rows))
        return found

    def in_pieces(self, value: Value) -> Value | None:
        """The same value for :meth:`use`, if it is what a network makes in pieces."""
        expr = value.expr
        while isinstance(expr, Name) and expr.id in self.blueprint.spec.flow:
            expr = self.blueprint.spec.flow[expr.id].expr
        if not isinstance(expr, Call) or not isinstance(expr.func, Name):
            return None
        if self.batch_of([value]) is not None or not hasattr(self.parts.get(expr.func.id), "pieces"):
            return None
        return replace(value, expr=replace(expr, func=Attr(expr.func, "pieces")))

    def use(self, value: Value, key: tuple[Any, ...], given: Mapping[str, Any], function: Callable[[Any], T]) -> T:
        """What `function` makes of a value for one sample, on the device, computed as :meth:`compute` does."""
        draws = draw.Draws((*key, 0), self.device, least=self.together([value], given))
        with self.evaluating(key[0] if isinstance(key[0], int) else 0), self.standing([value], given):
            rows = {name: rows.to(self.device) for name, rows in given.items()}
            with draw.using(draws):
                return function(self.program.value(value)(self.turn(rows, None, 1, (*key, 0), draws)))

    def turn(self, rows: Mapping[str, Any], hole: Any, n: int, key: tuple[Any, ...], draws: draw.Draws) -> Turn:
        """A turn of `n` samples from given rows."""
        turn = Turn(Given(self.blueprint.fields, rows, n, key, self.device), n, self.step, draws)
        turn.hole = hole
        turn.cache.update({k: v for k, v in rows.items() if k in self.blueprint.spec.flow})
        return turn

    @contextmanager
    def standing(self, values: Sequence[Value], given: Mapping[str, Any]) -> Iterator[None]:
        """Batch norms with ``eval_bn: standing`` have, inside the block, the mean statistics of batches made afresh.

        These are batches of training's size, of 256 at most, with noise and labels of their own, so that they depend on
        no seed and on no label that is asked for. Paper: arXiv:1809.11096 appendix C.1.
        """
        spec, graph = self.blueprint.spec, Graph(self.blueprint.spec)
        needed = {name for value in values for name in graph.of(value)} & spec.parts.keys()
        parts = [self.parts[name] for name in sorted(needed) if spec.parts[name].eval_bn == "standing"]
        norms = [
            m for part in parts for m in part.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None
        ]
        before = [(m, m.momentum, {k: b.clone() for k, b in m.named_buffers(recurse=False)}) for m in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        n = min(spec.train.batch, 4 * CHUNK)
        fixed = {k: v for k, v in given.items() if k == HOLE or self._kind(k) != "label"}
        make = self.program.filled if HOLE in given else self.program.value
        for index in range(PASSES if norms else 0):
            rows = {k: v[torch.arange(index * n, index * n + n) % len(v)].to(self.device) for k, v in fixed.items()}
            hole = rows.pop(HOLE, None)
            draws = draw.Draws(("standing", index), self.device)
            turn = self.turn(rows, hole, n, ("standing", index), draws)
            with draw.using(draws):
                for value in values:
                    make(value)(turn)
        for norm in norms:
            norm.eval()
        try:
            yield
        finally:
            for norm, momentum, buffers in before:
                norm.momentum = momentum
                for name, buffer in buffers.items():
                    getattr(norm, name).copy_(buffer)

    def _kind(self, name: str) -> str:
        return self.blueprint.fields[name].kind if name in self.blueprint.fields else ""

    def together(self, values: Iterable[Value], given: Mapping[str, Any] | None = None) -> int:
        """How many samples are computed at once: with batch statistics as many as in training.

        Of images larger than the data's there are fewer, so that they fit into memory.
        """
        batch = self.batch_of(values)
        if batch is not None:
            return batch
        usual = max((field.size for field in self.blueprint.fields.values() if field.kind == "image"), default=1)
        largest = max((v[0].numel() for v in (given or {}).values() if getattr(v, "ndim", 0) == 4), default=1)
        return max(1, CHUNK * usual // max(usual, largest))

    def batch_of(self, values: Iterable[Value]) -> int | None:
        """The batch of training, if a network has batch statistics: the paper's way of sampling is that of training."""
        spec = self.blueprint.spec
        graph = Graph(spec)
        needed = {name for value in values for name in graph.of(value)}
        players = [player for phase in spec.phases.values() for player in phase.players.values()]
        for name in sorted(needed & spec.parts.keys()):
            if spec.parts[name].eval_bn == "batch":
                return next((p.batch for p in players if name in p.trains and p.batch), None) or spec.train.batch
        return None


def cut(output: Any, size: int, wanted: int) -> Any:
    """What belongs to the first `wanted` of `size` samples, on the CPU."""
    return map_tensors(lambda t: (t[: len(t) * wanted // size] if t.ndim and wanted < size else t).cpu(), output)


def joined(pieces: Sequence[Any]) -> Any:
    """Pieces of one value joined along the batch; outputs keep their type, numbers without rows are the first's."""
    one = pieces[0]
    if len(pieces) == 1:
        return one
    if isinstance(one, tuple) and hasattr(one, "_fields"):
        return type(one)(*map(joined, zip(*pieces, strict=True)))
    if isinstance(one, list | tuple):
        return type(one)(map(joined, zip(*pieces, strict=True)))
    return torch.cat(list(pieces)) if isinstance(one, torch.Tensor) and one.ndim else one


def stored(into: Any, piece: Any, start: int, wanted: int, n: int) -> Any:
    """One chunk of a value put where its rows belong; what they are put `into` is made for all `n` with the first.

    So all rows are held once. Outputs keep their type; numbers without rows are those of the first chunk.
    """
    if wanted == n:
        return piece
    if isinstance(piece, tuple) and hasattr(piece, "_fields"):
        every = into if into is not None else (None,) * len(piece)
        return type(piece)(*(stored(a, b, start, wanted, n) for a, b in zip(every, piece, strict=True)))
    if isinstance(piece, list | tuple):
        every = into if into is not None else [None] * len(piece)
        return type(piece)(stored(a, b, start, wanted, n) for a, b in zip(every, piece, strict=True))
    if not isinstance(piece, torch.Tensor) or not piece.ndim:
        return piece if into is None else into
    each = len(piece) // wanted  # rows of one sample
    if into is None:
        into = piece.new_empty((each * n, *piece.shape[1:]))
    into[each * start : each * (start + wanted)] = piece
    return into
