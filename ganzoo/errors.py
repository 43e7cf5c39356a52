"""What goes wrong, where, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

HINTED = 100  # unknown names in one model that are compared with all that are known; nobody reads further
_WORD = 100  # characters that are shown of a word that has no end
_ENDLESS = re.compile(r"[^\s/]{300,}")


class Origin(NamedTuple):
    """The place a piece of configuration was written: a file and line, or the command line."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, what it is, and the likely fix."""

    message: str
    origin: Origin | None = None
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        said = (f"{self.path}: " if self.path else "") + self.message + (f" ({self.hint})" if self.hint else "")
        said = _ENDLESS.sub(lambda word: f"{word[0][:_WORD]}…{word[0][-1]}", said)
        return printable((f"{self.origin}: " if self.origin else "") + said)


def printable(text: str) -> str:
    """A text as one line that a terminal shows and does not obey: other people's files may hold escape sequences."""
    text = " ".join(text.split("\n")) if "\n" in text else text
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class GanzooError(Exception):
    """Base of everything ganzoo raises on purpose."""


class UserError(GanzooError):
    """A config, file or argument is wrong. Holds every problem found, printed one per line; exit code 2."""

    def __init__(self, problems: str | Problem | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        unique: dict[tuple[object, ...], Problem] = {}
        for problem in [problems] if isinstance(problems, Problem) else problems:
            unique.setdefault(_mistake(problem), problem)
        self.problems = list(unique.values())
        super().__init__("\n".join(map(str, self.problems)))


class NoSpace(UserError):
    """The disk is full. What was being written is gone, what was there before is as it was."""


def _mistake(problem: Problem) -> tuple[object, ...]:
    """What tells two mistakes apart: one line of a player is read again in every phase in which the player plays."""
    path = re.sub(r"^phases\.[^.]+\.(?=players\.)", "", problem.path)
    return problem.message, problem.origin, path


class EvaluationError(GanzooError):
    """A part raised while a value was computed; says which equation, shapes, player and line."""

    def __init__(self, message: str, origin: Origin | None = None, path: str = ""):
        super().__init__(message)
        self.origin = origin
        self.path = path

    def problem(self) -> Problem:
        """The same as a problem at the equation's line."""
        return Problem(str(self).replace(f" ({self.origin})", "", 1), self.origin, self.path)


class Lost(GanzooError):
    """Another of several processes ended or does not answer; says during which operation."""


class Diverged(GanzooError):
    """Training produced NaN or infinity; says which term of which player, and at which step."""

    def __init__(self, message: str, player: str | None = None):
        super().__init__(message)
        self.player = player


class Collapsed(Diverged):
    """Training began to look wrong, and ``train.on_collapse: stop`` asks to end it then; says what is wrong."""


def similar(name: str, candidates: Iterable[str]) -> list[str]:
    """At most two candidates that `name` may be a misspelling of, whatever its case."""
    spelt: dict[str, str] = {}
    for candidate in candidates:
        spelt.setdefault(candidate.lower(), candidate)
    if name.lower() in spelt:
        return [spelt[name.lower()]]
    return [spelt[c] for c in difflib.get_close_matches(name.lower(), list(spelt), n=2, cutoff=0.6)]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A hint such as ``did you mean 'dcgan'?``, or an empty string when nothing is close."""
    close = similar(name, candidates)
    return "did you mean " + " or ".join(f"'{c}'" for c in close) + "?" if close else ""


def listed(names: Iterable[str], most: int = 10) -> str:
    """The first names with commas, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def without(path: str) -> str:
    """A hint for what is measured but not trained: how to train a model of other data without it."""
    return f"to train without it: {path}=null" if path.startswith("evaluate.values.") else ""


def choices(name: str, candidates: Iterable[str], what: str = "there are") -> str:
    """The hint of :func:`did_you_mean`, or else the full (short) list of what exists."""
    names = sorted(candidates)
    return did_you_mean(name, names) or (f"{what} {', '.join(names)}" if 0 < len(names) <= 12 else "")
