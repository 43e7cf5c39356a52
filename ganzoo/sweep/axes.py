"""What a sweep goes through: ``optimizer.lr=1e-4,1e-3``, ``train.seed=0..2``, ``parts.G.width=log:16..128``."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ganzoo.config.compose import COMMAND_LINE
from ganzoo.config.yaml12 import read_value
from ganzoo.errors import Origin, Problem, UserError

SEED = "train.seed"
MOST = 10_000  # values of one axis
CORNERS = 256  # combinations by which a search is checked
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CLOSING = {"[": "]", "{": "}"}

Combination = dict[str, str]  # settings and their values as texts of YAML


@dataclass(frozen=True)
class Span:
    """All numbers from `low` to `high`, on a logarithmic scale if `log`; only whole ones if both ends are whole."""

    low: float
    high: float
    log: bool
    whole: bool

    def at(self, part: float) -> str:
        """The number that lies after this `part` (0 to 1) of the way, as text."""
        width = self.high - self.low
        return self.text(self.low * (self.high / self.low) ** part if self.log else self.low + width * part)

    def text(self, number: float) -> str:
        """A number of the span as text; four digits say enough, and stay in the span."""
        held = min(max(float(f"{number:.4g}"), self.low), self.high)
        return str(round(held)) if self.whole else f"{held!r}"


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it takes: some that are listed, or a span of numbers."""

    key: str
    values: tuple[str, ...] = ()
    span: Span | None = None

    @property
    def varies(self) -> bool:
        return self.span is not None or len(self.values) > 1

    def draw(self, source: random.Random) -> str:
        """One value at random."""
        return self.span.at(source.random()) if self.span is not None else source.choice(self.values)

    def examples(self) -> tuple[str, ...]:
        """The values, or the ends of the span."""
        return (self.span.at(0), self.span.at(1)) if self.span is not None else self.values


def split(text: str) -> list[str]:
    """The values between top-level commas; those inside brackets, parentheses and quotes part nothing.

    Raises:
        ValueError: a bracket or a quote is never closed, or nothing opened it.
    """
    values, begun, open_, place = [], 0, [], 0
    while place < len(text):
        character = text[place]
        if character in "'\"" and re.search(r"(^|[,[{]|: |[\]}'\"]:)\s*$", text[begun:place]):
            place = _quoted(text, place)
        elif character in "[{(":
            open_.append(character)
        elif character == ")":
            if open_ and open_[-1] == "(":
                open_.pop()
        elif character in "]}":
            while open_ and open_[-1] == "(":  # a text, not a call
                open_.pop()
            if not open_ or _CLOSING[open_.pop()] != character:
                raise ValueError(f"nothing opens the {character}")
        elif character == "," and not open_:
            values.append(text[begun:place])
            begun = place + 1
        place += 1
    if open_:
        raise ValueError(f"the {open_[-1]} is never closed")
    return [value.strip() for value in (*values, text[begun:])]


def _quoted(text: str, place: int) -> int:
    """Where the quote that opens at a place is closed."""
    quote, place = text[place], place + 1
    while place < len(text):
        if text[place] == "\\" and quote == '"':
            place += 1
        elif text[place] == quote:
            if quote != "'" or text[place + 1 : place + 2] != "'":
                return place
            place += 1
        place += 1
    raise ValueError(f"the {quote} is never closed")


def read(overrides: Iterable[str]) -> list[Axis]:
    """The axes that overrides describe.

    Raises:
        UserError: with everything that is wrong with them.
    """
    axes: dict[str, Axis] = {}
    problems: list[Problem] = []
    for text in overrides:
        origin = Origin(f"{COMMAND_LINE}: {text}")
        key, equals, given = (piece.strip() for piece in text.partition("="))
        if not equals or not key or key.startswith("-"):
            hint = "an option is followed by a space: `--jobs 2`" if key.startswith("-") else "write path=value,value"
            problems.append(Problem("is not an override", origin, hint=hint))
        elif key in axes:
            problems.append(Problem(f"{key} is given twice", origin, hint="put its values together, with commas"))
        else:
            try:
                axes[key] = _axis(key, given, origin)
            except UserError as error:
                problems += error.problems
            except ValueError as error:
                problems.append(Problem(str(error), origin))
    if problems:
        raise UserError(problems)
    return list(axes.values())


def _axis(key: str, given: str, origin: Origin) -> Axis:
    pieces = split(given)
    if len(pieces) == 1 and (span := _span(pieces[0])) is not None:
        if key == SEED:
            raise ValueError("seeds are whole numbers, such as 0..2 or 0,1,2")
        return Axis(key, span=span)
    values: list[str] = []
    for piece in pieces:
        if found := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", piece):
            low, high = int(found[1]), int(found[2])
            if high < low:
                raise ValueError(f"{piece} is empty: {low} is above {high}")
            if high - low >= MOST:
                raise ValueError(
                    f"{piece} are {high - low + 1:,} values: with --random write log:{piece}, or list some"
                )
            values += [str(number) for number in range(low, high + 1)]
        elif _span(piece) is not None:
            raise ValueError(f"{piece} is a span of numbers, which stands alone")
        else:
            read_value(piece, origin)
            values.append(piece)
    return Axis(key, tuple(dict.fromkeys(values)))


def _span(text: str) -> Span | None:
    """``1e-5..1e-2`` and ``log:1e-5..1e-2``; not ``0..2``, which lists whole numbers.

    Raises:
        ValueError: its ends are in the wrong order, or it has no logarithms.
    """
    found = re.fullmatch(rf"(log:)?({_NUMBER})\.\.({_NUMBER})", text)
    whole = found is not None and re.fullmatch(r"-?\d+\.\.-?\d+", text.removeprefix("log:")) is not None
    if found is None or (whole and not found[1]):
        return None
    low, high = float(found[2]), float(found[3])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{text} is empty: {found[2]} is not below {found[3]}")
    if found[1] and low <= 0:
        raise ValueError(f"{text} has no logarithms: {found[2]} is not above 0")
    return Span(low, high, bool(found[1]), whole)


def grid(axes: Sequence[Axis]) -> list[Combination]:
    """Every combination of the values; the last axis changes fastest.

    Raises:
        UserError: a span has no grid.
    """
    spans = [axis for axis in axes if axis.span is not None]
    if spans:
        hint = "list values, or draw them with --random N or --optuna N"
        raise UserError([Problem("a span of numbers has no grid", path=axis.key, hint=hint) for axis in spans])
    return list(_product(axes))


def _product(axes: Sequence[Axis]) -> Iterator[Combination]:
    for values in itertools.product(*(axis.examples() for axis in axes)):
        yield {axis.key: value for axis, value in zip(axes, values, strict=True)}


def drawn(axes: Sequence[Axis], n: int) -> list[Combination]:
    """`n` different combinations at random, the same every time; of more, the first are the same. All, if there are
    fewer.
    """
    source = random.Random(0)
    size = math.inf if any(a.span is not None for a in axes) else math.prod(len(a.values) for a in axes)
    found: dict[tuple[str, ...], Combination] = {}
    for _ in range(1000 * n):
        if len(found) >= min(n, size):
            break
        values = tuple(axis.draw(source) for axis in axes)
        found.setdefault(values, {axis.key: value for axis, value in zip(axes, values, strict=True)})
    return list(found.values())


def corners(axes: Sequence[Axis]) -> list[Combination]:
    """Combinations by which a search is checked before it begins: every one of the values and the ends of spans; where
    these are more than `CORNERS`, each value once, with the first of all others.
    """
    if math.prod(len(axis.examples()) for axis in axes) <= CORNERS:
        return list(_product(axes))
    first = {axis.key: axis.examples()[0] for axis in axes}
    return [{**first, axis.key: value} for axis in axes for value in axis.examples()]
