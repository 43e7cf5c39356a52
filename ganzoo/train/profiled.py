"""A trainer that is watched by a clock; the loop it runs is the one that trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ganzoo.config.expression import Call, Name, root
from ganzoo.config.spec import Player
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.program import Program
from ganzoo.model.turn import Getter, Shared, Turn
from ganzoo.train.clock import Clock
from ganzoo.train.feed import Batch, Feed
from ganzoo.train.graphs import Batches
from ganzoo.train.loop import Trainer
from ganzoo.train.meters import Meters


class ProfiledTrainer(Trainer):
    """Trains as ever, telling a clock which player, term and part it is at.

    Args:
        blueprint: The checked model, of one phase.
        device: Where to train.
        clock: Told of every change.
    """

    def __init__(self, blueprint: Blueprint, device: torch.device, clock: Clock):
        super().__init__(blueprint, device)
        self.clock = clock
        self.feed = _Feed(self.feed, clock)
        self.meters = _Ledger(device, clock)
        autocast = self.program.autocast
        program = _Program(self.spec.flow, self.parts.__getitem__, blueprint.kind, self.owners, autocast)
        program.clock = clock
        for terms in self.terms.values():
            for index, (term, _, weight) in enumerate(terms):
                terms[index] = (term, clock.wrapped(program.value(term, term.body), term=term.name), weight)
        for name, part in self.parts.items():
            if isinstance(part, nn.Module):
                self._watch(name, part)
        for state in self.players.values():
            for constraint, _ in state.after:
                setattr(constraint, "after_step", clock.wrapped(constraint.after_step, what="after"))  # noqa: B010
            if state.ema is not None:
                setattr(state.ema, "update", clock.wrapped(state.ema.update, what="ema"))  # noqa: B010

    def _watch(self, name: str, part: nn.Module) -> None:
        """Whoever calls the part, a regularizer too, calls its hooks."""
        clock, before = self.clock, []

        def enter(*_: Any) -> None:
            before.append(clock.now)
            clock.calls[name] += 1
            clock.go(clock.now._replace(part=name))

        part.register_forward_pre_hook(enter)
        part.register_forward_hook(lambda *_: clock.go(before.pop()), always_call=True)

    def advance(self) -> bool:
        self.clock.begin()
        return super().advance()

    def turn(self, *args: Any, **kwargs: Any) -> Turn:
        if self.clock.now.player:  # the next of several micro-batches, after a backward pass
            self.clock.go(self.clock.now._replace(what="forward", term="", part=""))
        return super().turn(*args, **kwargs)

    def evaluate(self, player: Player, repeat: int, batches: Batches, shares: list[Shared] | None) -> bool:
        with self.clock.at(what="forward", player=player.name):
            try:
                return super().evaluate(player, repeat, batches, shares)
            finally:
                self.clock.unfollow()

    def update(self, player: Player) -> None:
        with self.clock.at(what="optimizer", player=player.name):
            super().update(player)


class _Program(Program):
    clock: Clock

    def _call(self, expr: Call) -> Getter:
        invoke, name = super()._call(expr), root(expr.func) or ""
        hooked = isinstance(self.part(name), nn.Module) and isinstance(expr.func, Name)  # its hook counts it

        def watched(turn: Turn) -> Any:
            if not hooked:
                self.clock.calls[name] += 1
            with self.clock.at(part=name):
                return invoke(turn)

        return watched


class _Ledger(Meters):
    """The loop adds the terms of a turn right before their backward pass."""

    def __init__(self, device: torch.device, clock: Clock):
        super().__init__(device)
        self.clock = clock

    def add(self, names: tuple[str, ...], losses: list[torch.Tensor], step: int) -> None:
        super().add(names, losses, step)
        self.clock.follow(losses)


class _Feed(Feed):
    def __init__(self, feed: Feed, clock: Clock):
        super().__init__(feed.data, feed.seed, feed.device, feed.rank, feed.world)
        self.clock = clock

    def take(self, batch: int, micro: int = 1) -> list[Batch]:
        with self.clock.at(what="data"):
            batches = super().take(batch, micro)
        for rows in batches:
            setattr(rows, "_read", self.clock.wrapped(rows._read, what="data"))  # noqa: B010
        return batches
