"""Every moment of a step charged to one place: a player, a term, a part, forward or backward."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch


class Place(NamedTuple):
    """What a moment goes to; a field is empty where there is nothing of the kind.

    `what` is ``forward``, ``backward``, ``optimizer``, ``after``, ``ema``, ``data`` or ``rest``.
    """

    what: str = "rest"
    player: str = ""
    term: str = ""
    part: str = ""


class Clock:
    """Splits a quantity that only grows, such as time, into places; what it gives to all of them is all there was.

    It follows backward passes by autograd's sequence numbers: nodes run in the reverse order of their making, and the
    place at which each was made is known. It needs backward passes to run in the calling thread.

    Args:
        read: The quantity now.
    """

    def __init__(self, read: Callable[[], float]):
        self.restart(read)

    def restart(self, read: Callable[[], float]) -> None:
        """Begin anew, perhaps with another quantity."""
        self.read = read
        self.spent: dict[Place, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.now = Place()
        self.marks: list[Any] = []
        self.begin()
        self.last = read()

    def begin(self) -> None:
        """A new step: no graph of the one before is used again."""
        self.starts, self.places = [0], [Place()]

    def go(self, place: Place) -> None:
        """From now on, another place."""
        reading = self.read()
        self.spent[self.now] += reading - self.last
        self.last, self.now = reading, place
        self.starts.append(torch.autograd._get_sequence_nr())
        self.places.append(place)

    @contextmanager
    def at(self, **changes: str) -> Iterator[None]:
        """Inside the block, the present place with changes."""
        before = self.now
        self.go(before._replace(**changes))
        try:
            yield
        finally:
            self.go(before)

    def wrapped(self, function: Callable[..., Any], **changes: str) -> Callable[..., Any]:
        """A function whose calls are charged to the present place with changes."""

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.at(**changes):
                return function(*args, **kwargs)

        return call

    def follow(self, losses: Iterable[torch.Tensor]) -> None:
        """Charge the backward pass that comes next to the places where its graph was made.

        A term is kept only if it is this player's: a shared value may have been made for another's.
        """
        self.go(self.now._replace(what="backward"))
        previous = self.now
        for node in sorted(_nodes(losses), key=lambda node: node._sequence_nr(), reverse=True):
            made = self.places[bisect_right(self.starts, node._sequence_nr()) - 1]
            term = made.term if made.player == self.now.player else ""
            place = Place("backward", self.now.player, term, made.part)
            if place != previous:
                self.marks.append(node.register_prehook(self._enter(place)))
            previous = place
        self.last = self.read()  # what following costs is no part of the step

    def unfollow(self) -> None:
        """The backward pass is over."""
        for mark in self.marks:
            mark.remove()
        self.marks = []

    def _enter(self, place: Place) -> Callable[[Any], None]:
        return lambda gradients: self.go(place)


def _nodes(losses: Iterable[torch.Tensor]) -> list[Any]:
    """The graph behind some tensors, without the leaves: those run as soon as they can, and are never marked."""
    found: dict[Any, None] = dict.fromkeys(loss.grad_fn for loss in losses if loss.grad_fn is not None)
    waiting = list(found)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in found and not hasattr(node, "variable"):
                found[node] = None
                waiting.append(node)
    return list(found)
