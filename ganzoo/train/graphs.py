"""``train.graphs``: forward and backward passes as CUDA graphs, captured once and replayed.

A graph holds what a turn computes from its batch, its draws and the weights: terms and gradients. The optimizer's step,
clipping, constraints and averages stay outside, so that schedules, logs and checkpoints are as ever; a step that is
logged is computed without graphs. Source: PyTorch, CUDA semantics, CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganzoo.config.spec import Player
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.train.capturable import REFUSED, held, impossible, large, refused

if TYPE_CHECKING:
    from ganzoo.model.blueprint import Blueprint
    from ganzoo.model.turn import Shared
    from ganzoo.train.loop import Trainer

TRIED = 64  # steps of a throw-away copy at most, to see whether they can be captured
WARM = 3  # steps of a kind that are computed as they are written before one is captured

Batches = Sequence[Mapping[str, Any]]
Terms = tuple[tuple[str, ...], list[Tensor], int]  # names of a turn's terms, their values, the step
Note = Callable[[tuple[str, ...], list[Tensor], int], None]
Asked = tuple[bool, str, Any, int, tuple[int, ...]]  # a draw: of a shared value or not, of which part, what


class Plain:
    """Steps computed as they are written: where a trainer asks for batches, draws and gradients."""

    def __init__(self, trainer: Trainer):
        self.trainer = trainer

    def begin(self, playing: list[Player]) -> None:
        """A step begins in which these players play."""

    def end(self) -> None:
        """It is over."""

    def take(self, batch: int) -> Batches:
        """The next batch, in its accumulated parts."""
        return self.trainer.feed.take(batch, self.trainer.train.accumulate)

    def draws(self, key: tuple[Any, ...], share: tuple[int, int]) -> draw.Draws:
        """The draws of a turn."""
        return draw.Draws(key, self.trainer.device, share)

    def evaluate(self, player: Player, repeat: int, batches: Batches, shares: list[Shared] | None) -> bool:
        """One player's gradients, and its terms in the meters; False if none of them is due."""
        return self.trainer.gradients_of(player, repeat, batches, shares, self.trainer.meters.add)


class Recorder:
    """Captures what a function computes on the GPU; its graphs share their memory and are replayed in their order."""

    def __init__(self, device: torch.device):
        self.side = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def warm(self) -> Iterator[None]:
        """Compute on a stream of its own, as capturing will."""
        self.side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.side):
            yield
        torch.cuda.current_stream().wait_stream(self.side)

    def record(self, compute: Callable[[], Any]) -> tuple[Any, Callable[[Callable[[], Any]], object]]:
        """What `compute` gives, computed once, and a function that computes it again into the same tensors.

        That function is given the same `compute`, for recorders that cannot do without.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            found = compute()
        graph.replay()
        return found, lambda compute: graph.replay()


@dataclass
class Captured:
    """One turn: the draws that it asks for, where they are put, what it comes to, and how to compute it again."""

    asked: list[Asked] = field(default_factory=list)
    drawn: list[Tensor] = field(default_factory=list)
    at: int = 0  # the next draw to be read
    terms: list[Terms] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)
    again: Callable[[Callable[[], Any]], object] | None = None


@dataclass
class Kind:
    """Steps in which the same terms of the same players are due, of which some were seen."""

    recorder: Any
    seen: int = 0
    batches: list[dict[str, Tensor]] = field(default_factory=list)
    turns: dict[tuple[str, int], Captured] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.seen >= WARM


class Tape(draw.Draws):
    """Draws that are noted when they are made, or read from where they were put before the turn."""

    __slots__ = ("graphs",)

    def __init__(self, graphs: Graphs, key: tuple[Any, ...], device: torch.device, share: tuple[int, int]):
        super().__init__(key, device, share)
        self.graphs = graphs

    def sliced(self, make: Any, n: int, shape: tuple[int, ...]) -> Tensor:
        turn, asked = self.graphs.turn, (self.key[2] == "share", self.part, make, n, shape)
        if self.graphs.kind is None or not self.graphs.kind.ready:
            turn.asked.append(asked)
            return self.made(make, n, shape)
        if turn.asked[turn.at : turn.at + 1] != [asked]:
            raise self.graphs.refused(f"{self.part} does not draw the same in every step")
        turn.at += 1
        return turn.drawn[turn.at - 1]

    def made(self, make: Any, n: int, shape: tuple[int, ...]) -> Tensor:
        return super().sliced(make, n, shape)


class Graphs(Plain):
    """Steps whose turns are captured once steps of their kind were computed a few times, and then replayed.

    Args:
        trainer: Computes a turn as it is written.
        recorder: Makes what captures the turns of one kind of steps.
    """

    def __init__(self, trainer: Trainer, recorder: Callable[[torch.device], Any] = Recorder):
        super().__init__(trainer)
        self.recorder = recorder
        self.kinds: dict[Any, Kind] = {}
        self.kind: Kind | None = None  # of this step; None where it is computed as it is written
        self.turn = Captured()
        self.taken = 0
        self.before: dict[str, Any] = {}
        parts = [part for part in trainer.parts.values() if isinstance(part, nn.Module)]
        self.buffers = [module._buffers for part in parts for module in part.modules() if module._buffers]

    def refused(self, reason: str) -> UserError:
        return refused(self.trainer.spec, reason)

    def begin(self, playing: list[Player]) -> None:
        trainer, self.kind, self.taken = self.trainer, None, 0
        if trainer.logged:
            return
        terms = {p.name: [t.name for t, _, _ in trainer.terms[p.name] if trainer.step % t.every == 0] for p in playing}
        due = repr(terms)
        if due not in self.kinds:
            self.kinds[due] = Kind(self.recorder(trainer.device))
        self.kind = self.kinds[due]
        if self.kind.seen == WARM - 1:
            self.before = held(trainer.parts)

    def end(self) -> None:
        if self.kind is None:
            return
        self.kind.seen += 1
        if self.kind.seen == WARM:
            after = held(self.trainer.parts)
            changed = [name for name in self.before | after if self.before.get(name) != after.get(name)]
            if changed:
                raise self.refused(f"{changed[0]} changes on the host in every step")

    def take(self, batch: int) -> Batches:
        rows = super().take(batch)
        if self.kind is None or not self.kind.ready:
            return rows
        (given,), kept = rows, self.kind.batches
        if self.taken == len(kept):
            kept.append({name: value.clone() for name, value in given.items()})
        for name, value in kept[self.taken].items():
            value.copy_(given[name])
        self.taken += 1
        return [kept[self.taken - 1]]

    def draws(self, key: tuple[Any, ...], share: tuple[int, int]) -> draw.Draws:
        return super().draws(key, share) if self.kind is None else Tape(self, key, self.trainer.device, share)

    def evaluate(self, player: Player, repeat: int, batches: Batches, shares: list[Shared] | None) -> bool:
        trainer = self.trainer
        due = any(trainer.step % term.every == 0 for term, _, _ in trainer.terms[player.name])
        if self.kind is None or not due:
            with self.in_place():
                return super().evaluate(player, repeat, batches, shares)
        turn = self.turn = self.kind.turns.setdefault((player.name, repeat), Captured())
        if not self.kind.ready:
            turn.asked.clear()
            with self.kind.recorder.warm(), self.in_place():
                return super().evaluate(player, repeat, batches, shares)
        own = trainer.players[player.name].own
        self.put_draws(turn, player, repeat, shares)

        def compute() -> tuple[list[Terms], list[Tensor | None]]:
            turn.at, terms = 0, []

            def note(names: tuple[str, ...], losses: list[Tensor], step: int) -> None:
                terms.append((names, [loss.detach() for loss in losses], step))

            with self.in_place():
                trainer.gradients_of(player, repeat, batches, shares, note)
            return terms, [parameter.grad for parameter in own]

        if turn.again is None:
            try:
                (turn.terms, turn.gradients), turn.again = self.kind.recorder.record(compute)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise self.refused(f"a turn of {player.name} cannot be captured: {_root(error)}") from error
        else:
            turn.again(compute)
        for parameter, gradient in zip(own, turn.gradients, strict=True):
            parameter.grad = gradient
        for terms, values, _ in turn.terms:
            trainer.meters.add(terms, [value.clone() for value in values], trainer.step)
        return True

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Buffers that a turn replaces by others get their values, and stay where graphs find them."""
        before = [dict(buffers) for buffers in self.buffers]
        yield
        for buffers, places in zip(self.buffers, before, strict=True):
            for name, place in places.items():
                value = buffers.get(name)
                if value is not place and value is not None and place is not None and value.shape == place.shape:
                    buffers[name] = place.copy_(value.detach())

    def put_draws(self, turn: Captured, player: Player, repeat: int, shares: list[Shared] | None) -> None:
        """Make the draws that a turn will ask for, as it would itself, and put them where it reads them."""
        sources = {False: self.trainer.draws(player.name, repeat, 0), True: shares[0].turn.draws if shares else None}
        for place, (shared, part, make, n, shape) in enumerate(turn.asked):
            source = sources[shared]
            assert isinstance(source, Tape)
            source.part = part
            made = source.made(make, n, shape)
            if place == len(turn.drawn):
                turn.drawn.append(made)
            turn.drawn[place].copy_(made)


def _root(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def steps(trainer: Trainer) -> Plain:
    """How a trainer computes its steps: with graphs where ``train.graphs`` is true.

    Raises:
        UserError: it is, and this cannot be captured.
    """
    if trainer.train.graphs is not True:
        return Plain(trainer)
    if (reason := impossible(trainer.spec, trainer.device)) is not None:
        raise refused(trainer.spec, reason)
    return Graphs(trainer)


def settle(
    blueprint: Blueprint, device: torch.device, make: Callable[[Blueprint, torch.device], Trainer]
) -> str | None:
    """Replace ``auto`` by true or false in ``train.graphs``; why, or None if nothing was open.

    True for what is small, where steps of a throw-away copy can be captured.
    """
    train = blueprint.spec.train
    if train.graphs != "auto":
        return None
    reason = impossible(blueprint.spec, device) or large(blueprint) or _tried(blueprint, device, make)
    train.graphs = reason is None
    return f"graphs: {str(train.graphs).lower()} ({reason or 'small enough, and steps can be captured'})"


def _tried(
    blueprint: Blueprint, device: torch.device, make: Callable[[Blueprint, torch.device], Trainer]
) -> str | None:
    """Why steps of a copy cannot be captured; None once one was captured and replayed."""
    train = replace(blueprint.spec.train, graphs=True, log_every=TRIED + 1)
    try:
        trainer = make(replace(blueprint, spec=replace(blueprint.spec, train=train)), device)
        for _ in range(TRIED):
            if not trainer.advance():
                return "the training is over before a step could be captured"
            if any(kind.seen > WARM + 1 for kind in getattr(trainer.steps, "kinds", {}).values()):
                return None
    except UserError as error:
        return error.problems[0].message.removeprefix(f"{REFUSED}: ")
    return f"no step of the first {TRIED} is like enough others"
