"""Whether a run goes wrong, in words, while there is time to do something about it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

import torch

from ganzoo.config.expression import Call, root
from ganzoo.config.spec import Spec
from ganzoo.contract import first

EARLY = 200  # steps: before that, every run may look ill
LASTING = 200  # steps that a sign lasts before it is announced
MEMORY = 50  # gradients that their running median is of
ALIKE, APART = 0.1, 4.0  # times the data's own diversity
PAGE = "docs/troubleshooting.md"


class Sign(NamedTuple):
    """Something that may be wrong at a step: whether it is, after how many steps of it to say so, and what to say."""

    name: str
    present: bool
    lasting: int
    text: str


class Health:
    """Reads the log of a run and says once, each time that something begins to look wrong, what it is and what to try.

    It sees nothing but what is logged, so a resumed run is brought to the same state by its log.
    """

    def __init__(self) -> None:
        self.since: dict[str, int] = {}
        self.announced: set[str] = set()
        self.gradients: dict[str, deque[float]] = {}
        self.last: dict[str, float] = {}
        self.started: dict[str, float] = {}  # D's margin when it began to win
        self.most: dict[str, tuple[float, int]] = {}  # the largest loss so far, and of how many
        self.unseparated: dict[str, int] = {}  # how often in a row, from the beginning on; -1 once it was otherwise

    def recall(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Come to where a log leads."""
        self.__init__()  # type: ignore[misc]
        for record in records:
            if "warning" not in record and "evaluation" not in record:
                self.see(record["step"], record)

    def see(self, step: int, values: Mapping[str, float]) -> list[str]:
        """What begins to look wrong at this step."""
        found = []
        for sign in self.signs(step, values):
            if not sign.present:
                self.since.pop(sign.name, None)
                self.announced.discard(sign.name)
            elif step - self.since.setdefault(sign.name, step) >= sign.lasting and sign.name not in self.announced:
                self.announced.add(sign.name)
                found.append(sign.text)
        self.last.update(values)
        return found

    def signs(self, step: int, values: Mapping[str, float]) -> Iterator[Sign]:
        """Every sign that these values speak of."""
        for name, value in values.items():
            player, _, rest = name.partition(".")
            if not rest:
                if name == "diversity":
                    yield from self.diversity(value)
            elif rest == "gradient":
                yield from self.gradient(player, value, step)
            elif rest == "lr":
                text = f"the learning rate of {player} has been 0 for {LASTING} steps: it does not learn any more"
                yield Sign(name, value == 0, LASTING, f"{text}. See its schedule, and players.{player}.optimizer.lr")
            elif "." not in rest:
                yield self.constant(player, rest, value, f"{name}.margin" in values)
            elif rest.endswith(".right"):
                yield from self.right(player, name.removesuffix(".right"), values, step)
            elif rest.endswith(".fooled"):
                yield self.fooled(player, name, values)

    def gradient(self, player: str, value: float, step: int) -> Iterator[Sign]:
        """Whether a player's gradient is gone, or far above its running median."""
        zero = f"the gradient of {player} is exactly 0: {player} does not learn"
        wins = "Its terms do not depend on what it trains, or its opponent is so sure that nothing is left of them"
        yield Sign(f"{player} zero", value == 0, 1, f"{zero}. {wins}: lower the opponent's learning rate. More: {PAGE}")
        past = self.gradients.setdefault(player, deque(maxlen=MEMORY))
        usual = median(past) if len(past) >= 4 and step >= EARLY else 0.0
        text = f"the gradient of {player} explodes: its norm is {value:.3g}, and was about {usual:.3g} before"
        hint = f"Clip it (players.{player}.clip={_near(usual)}) or lower players.{player}.optimizer.lr"
        yield Sign(f"{player} explodes", 0 < 100 * usual < value, 0, f"{text}. {hint}{self.rate(player)}")
        past.append(value)

    def right(self, player: str, term: str, values: Mapping[str, float], step: int) -> Iterator[Sign]:
        """Whether a discriminator wins, loses, explodes, has never learnt, or has real and fake exchanged."""
        right, margin = values[f"{term}.right"], values[f"{term}.margin"]
        if right <= 0.99:
            self.started.pop(term, None)
        rising = margin > self.started.setdefault(term, margin) if right > 0.99 else False
        exchanged = [n for n in values if n.endswith(".fooled") and values[n] > 0.99]
        text = (
            f"{player} wins: by {term} it is right about {right:.0%} of all samples, and ever surer. What learns from "
            f"it gets no useful gradient. Weaken {player}: lower players.{player}.optimizer.lr{self.rate(player)}, "
            f"regularize it, add noise or dropout; or use another loss. More: {PAGE}"
        )
        yield Sign(f"{term} wins", rising and not exchanged, LASTING, text)
        text = (
            f"{player} is right about {right:.0%} by {term}, and yet {', '.join(exchanged)} says that it is fooled: "
            "real and fake are exchanged in one of the two terms"
        )
        yield Sign(f"{term} exchanged", right > 0.99 and bool(exchanged), LASTING, text)
        text = (
            f"{player} is wrong about {1 - right:.0%} of all samples by {term}: it cannot follow what it judges. Raise "
            f"players.{player}.optimizer.lr{self.rate(player)}, let it take more steps (players.{player}.repeat=2), or "
            f"see whether it learns at all. More: {PAGE}"
        )
        yield Sign(f"{term} wrong", right < 0.3, LASTING, text)
        loss, most = values.get(term, 0.0), self.most.get(term, (math.inf, 0))
        text = (
            f"{term} explodes: it is {loss:.3g}, and was at most {most[0]:.3g} before. Its steps are too large: lower "
            f"players.{player}.optimizer.lr{self.rate(player)}, or clip (players.{player}.clip=1). More: {PAGE}"
        )
        yield Sign(f"{term} explodes", most[1] >= 4 and step >= EARLY and loss > 10 * most[0], 0, text)
        self.most[term] = (max(loss, most[0]) if most[1] else loss, most[1] + 1)
        seen = self.unseparated.get(term, 0)
        self.unseparated[term] = seen + 1 if seen >= 0 and abs(right - 0.5) <= 0.05 else -1
        text = (
            f"{player} has not told real from fake once in {step} steps by {term}. See that data and samples have the "
            f"same range, that players.{player}.optimizer.lr{self.rate(player)} is not far too low or high, and that "
            f"real and fake batches go through it one by one. More: {PAGE}"
        )
        yield Sign(f"{term} never", self.unseparated[term] >= 8 and step >= 5 * LASTING, 0, text)

    def fooled(self, player: str, name: str, values: Mapping[str, float]) -> Sign:
        """Whether nearly all samples are taken for real."""
        sure = any(value > 0.99 for key, value in values.items() if key.endswith(".right"))
        text = (
            f"{player} wins: nearly all its samples are taken for real ({name}), so it learns nothing new. Let the "
            f"opponent take more steps (players.NAME.repeat=2) or lower players.{player}.optimizer.lr"
            f"{self.rate(player)}. More: {PAGE}"
        )
        return Sign(f"{name} all", values[name] > 0.99 and not sure, LASTING, text)

    def constant(self, player: str, term: str, value: float, adversarial: bool) -> Sign:
        """Whether a term has stopped changing."""
        name = f"{player}.{term}"
        same = value == self.last.get(name) and (value != 0 or adversarial)  # a penalty may well stay 0
        text = f"{name} has been exactly {value:.6g} for {LASTING} steps: nothing that it depends on changes"
        return Sign(f"{name} constant", same, LASTING, f"{text}. More: {PAGE}")

    def diversity(self, value: float) -> Iterator[Sign]:
        """Whether samples are nearly all alike, or far more apart than the data."""
        measured = f"their distances are {value:.2g} times those in the data"
        text = (
            f"the samples are nearly all alike: {measured}. This is collapse, or learning has not begun: weaken the "
            f"discriminator, lower the learning rates, put a penalty on it, or try another loss. More: {PAGE}"
        )
        growing = value > 1.05 * self.last.get("diversity", math.inf)  # an average of weights takes its time
        yield Sign("alike", value < ALIKE and not growing, LASTING, text)
        text = (
            f"the samples run away: {measured}. See that they have the range of the data and that the discriminator "
            f"can follow: lower the learning rate of what makes them, or raise the discriminator's. More: {PAGE}"
        )
        yield Sign("apart", value > APART, LASTING, text)

    def rate(self, player: str) -> str:
        rate = self.last.get(f"{player}.lr")
        return f" (now {rate:.3g})" if rate is not None else ""


def _near(value: float) -> str:
    """One digit is enough for a threshold."""
    return f"{float(f'{value:.0e}'):g}"


def diversity(spec: Spec, samples: Any, given: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The mean distance between two samples, relative to that between two of as many rows of the data.

    1 says as diverse as the data. Nothing where no data field is alike, or does not vary, or samples are not finite.

    Args:
        spec: The model; its ``sample:`` made the samples.
        samples: ``n …``; at most 256 are looked at.
        given: Rows of the data, by field.
    """
    samples, expr = first(samples), spec.flow[spec.sample].expr
    part = spec.parts.get(root(expr.func) or "") if isinstance(expr, Call) else None
    alike = [n for n, t in given.items() if t.is_floating_point() and t.shape[1:] == getattr(samples, "shape", ())[1:]]
    if part is not None and part.like in alike:
        alike = [part.like]
    if len(alike) != 1 or len(samples) < 2:
        return {}
    ours, theirs = (_distance(rows[:256].flatten(1).float()) for rows in (samples, given[alike[0]]))
    return {"diversity": ours / theirs} if theirs > 0 and math.isfinite(ours) else {}


def _distance(rows: torch.Tensor) -> float:
    rows = rows - rows.mean(0)  # distances are differences of products of these
    return float(torch.cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1)))
