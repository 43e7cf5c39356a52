"""The values of one player's turn, and those that a step computes once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ganzoo.contract import map_tensors
from ganzoo.parallel import draw

Getter = Callable[["Turn"], Any]


class Turn:
    """The values of one player's turn: its batch, its draws, and what was computed so far.

    Where `seen` is a list, adversarial losses add to it what they are given: the part, ``d`` or ``g``, the arguments.
    """

    __slots__ = ("batch", "cache", "draws", "hole", "n", "player", "seen", "shared", "step")

    def __init__(
        self,
        batch: Mapping[str, Any],
        n: int,
        step: int,
        draws: draw.Draws | None,
        player: str = "",
        shared: Shared | None = None,
    ):
        self.batch = batch
        self.n = n
        self.step = step
        self.draws = draws
        self.player = player
        self.shared = shared
        self.cache: dict[str, Any] = {}
        self.hole: Any = None
        self.seen: list[tuple[Any, str, dict[str, Any]]] | None = None


class Shared:
    """Values computed once a step. The players that train their producers get them with their graph.

    Args:
        names: The values.
        turn: The turn in which they are computed.
        enter: A context in which only those parameters of a value ask for gradients that somebody trains by it.
        waiting: The players that have yet to take their gradients of one graph, where several do.
    """

    def __init__(self, names: frozenset[str], turn: Turn, enter: Callable[[str], Any], waiting: set[str]):
        self.names = names
        self.waiting = waiting
        self.turn = turn
        self.enter = enter
        self.detached: dict[str, Any] = {}

    def get(self, name: str, compute: Getter, player: str, with_graph: bool) -> Any:
        """A shared value, computed when a player of the step first asks; detached, unless wanted `with_graph`."""
        if name not in self.turn.cache:
            self.turn.player = player  # who is named if it fails
            with self.enter(name), draw.using(self.turn.draws):
                compute(self.turn)
        if with_graph:
            return self.turn.cache[name]
        if name not in self.detached:
            self.detached[name] = map_tensors(torch.Tensor.detach, self.turn.cache[name])
        return self.detached[name]
